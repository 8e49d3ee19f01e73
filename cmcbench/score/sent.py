"""The captions that were sent: which text a reconstruction was made of, for metrics that compare the two."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ..errors import BadInput
from ..files import captions, manifest
from ..files.csv_tables import LARGEST_FILE
from ..files.names import plain_name, stem
from ..files.store import digest, read_bytes
from ..files.target import Target
from ..protocol import MODES, PLAIN
from .metrics.base import Metric, SetMetric

Sent = dict[tuple[str, str], str]  # (stem, mode) -> caption


class Captionless(BadInput):
    """A target whose modes get no caption, as those of a codec."""


ELSE = "Name the file with --captions FILE.csv, or leave the metric out."


def needs_captions(metric: Metric | SetMetric) -> bool:
    return isinstance(metric, Metric) and metric.needs_caption


def file_digest(file: str) -> str:
    """The digest of the captions' file that the user names, "" where none is named. Raises BadInput."""
    if not file:
        return ""
    try:
        return digest(read_bytes(Path(file), LARGEST_FILE))
    except OSError as error:
        raise BadInput(f"--captions {file} cannot be read ({error.strerror}).") from None


def sent_captions(
    targets: Sequence[Target],
    modes: Mapping[str, Sequence[str]],
    metrics: Sequence[Metric | SetMetric],
    chosen: Collection[str],
    file: str = "",
) -> tuple[dict[str, Sent], dict[str, BadInput]]:
    """What was sent, by target, for metrics that need it; and why not all of it is known, a line by the name of what
    lacks it. Nothing is read where no metric needs captions.

    modes: target -> modes to score. chosen: the stems to score; others' captions may be missing. file: what --captions
    names, "" where each target's own are meant. Raises BadInput where no target's captions are known and no other
    metric is left.
    """
    wanted = ", ".join(metric.name for metric in metrics if needs_captions(metric))
    if not wanted:
        return {}, {}
    found: dict[str, Sent] = {}
    unknown: dict[str, BadInput] = {}
    for target in targets:
        try:
            sent, problems = _of_target(target, modes[target.name], chosen, file)
        except BadInput as error:
            unknown[f"{wanted}/{target.name}"] = type(error)(f"{wanted} of {target.name} cannot be made: {error}")
            continue
        found[target.name] = sent
        for problem in problems:
            unknown[f"{wanted}/{target.name}: {problem}"] = BadInput(
                f"{wanted} of {target.name}: {problem}; they have no such score"
            )
    if not found and all(map(needs_captions, metrics)):
        raise next(iter(unknown.values()))
    return found, unknown


def _of_target(target: Target, modes: Sequence[str], chosen: Collection[str], file: str) -> tuple[Sent, list[str]]:
    """What was sent for the pictures of a target, and why others of the chosen ones have no caption, as phrases."""
    captioned = [mode for mode in modes if mode == PLAIN or MODES[mode].captioned]
    if not captioned:
        raise Captionless(f"its modes ({', '.join(modes)}) get no caption.")
    path = _file(target, file)
    read = captions.read(path)
    texts = {stem(name): text for name, text in read.texts.items()}
    made = manifest.modes(target.manifest, target.folder / "manifest.json")
    sent: Sent = {}
    others, lacking = [], []
    for mode in captioned:
        inputs = made.get(mode, {}).get("inputs", {})
        for image in sorted(target.modes[mode]):
            about = inputs.get(image)
            seen = about.get("prompt") if isinstance(about, dict) else None
            if image not in texts:
                lacking.append(image)
            elif seen is None or seen == digest(texts[image].encode()):
                sent[image, mode] = texts[image]
            else:
                others.append(image)
    others, lacking = ([image for image in images if image in chosen] for images in (others, lacking))
    faulty = {stem(name): problem for name, problem in read.problems.items()}
    why = faulty.get(lacking[0], f"{lacking[0]} is not in {path}") if lacking else ""
    if not sent:
        first = f" ({why})" if why else ""
        raise BadInput(f"none of its pictures was made of the captions in {path}{first}. {ELSE}")
    problems = [f"{len(others)} picture(s) were made of other captions than the file has now"] if others else []
    return sent, problems + ([f"{len(lacking)} picture(s) have no caption (first: {why})"] if lacking else [])


def _file(target: Target, named: str) -> Path:
    """The captions' file: as named, else the one that the manifest names, in Text/ beside the results' folder."""
    if named:
        return Path(named)
    record = target.manifest.get("captions")
    name = record.get("file") if isinstance(record, dict) else None
    if not isinstance(name, str) or not plain_name(name):
        raise BadInput(f"its manifest.json names no captions: none were sent, or they are not known here. {ELSE}")
    file = target.folder.resolve().parent.parent / "Text" / name
    if not file.is_file():
        raise BadInput(f"its captions, {file}, are missing. {ELSE}")
    return file
