"""The captions that were sent: which text a reconstruction was made of, for metrics that compare the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BadInput
from ..files import captions, manifest
from ..files.names import plain_name, stem
from ..files.store import digest
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
        return digest(Path(file).read_bytes())
    except OSError as error:
        raise BadInput(f"--captions {file} cannot be read ({error.strerror}).") from None


def sent_captions(
    targets: Sequence[Target],
    modes: Mapping[str, Sequence[str]],
    metrics: Sequence[Metric | SetMetric],
    file: str = "",
) -> tuple[dict[str, Sent], dict[str, BadInput]]:
    """What was sent, by target, for metrics that need it; and why not all of it is known, a line by the name of what
    lacks it. Nothing is read where no metric needs captions.

    modes: target -> modes to score. file: what --captions names, "" where each target's own are meant. Raises BadInput
    where no target's captions are known and no other metric is left.
    """
    wanted = ", ".join(metric.name for metric in metrics if needs_captions(metric))
    if not wanted:
        return {}, {}
    found: dict[str, Sent] = {}
    unknown: dict[str, BadInput] = {}
    for target in targets:
        try:
            sent, other = _of_target(target, modes[target.name], file)
        except BadInput as error:
            unknown[f"{wanted}/{target.name}"] = type(error)(f"{wanted} of {target.name} cannot be made: {error}")
            continue
        found[target.name] = sent
        if other:
            unknown[f"{wanted}/{target.name}"] = BadInput(
                f"{wanted} of {target.name}: {other} picture(s) were made of other captions than the file has now; they"
                " have no such score"
            )
    if not found and all(map(needs_captions, metrics)):
        raise next(iter(unknown.values()))
    return found, unknown


def _of_target(target: Target, modes: Sequence[str], file: str) -> tuple[Sent, int]:
    """What was sent for the pictures of a target, and how many of its pictures were made of other captions."""
    captioned = [mode for mode in modes if mode == PLAIN or MODES[mode].captioned]
    if not captioned:
        raise Captionless(f"its modes ({', '.join(modes)}) get no caption.")
    texts = {stem(name): text for name, text in captions.read(_file(target, file)).texts.items()}
    made = manifest.modes(target.manifest, target.folder / "manifest.json")
    sent: Sent = {}
    other = 0
    for mode in captioned:
        inputs = made.get(mode, {}).get("inputs", {})
        for image in target.modes[mode].keys() & texts.keys():
            about = inputs.get(image)
            seen = about.get("prompt") if isinstance(about, dict) else None
            if seen is None or seen == digest(texts[image].encode()):
                sent[image, mode] = texts[image]
            else:
                other += 1
    if not sent:
        raise BadInput(f"none of its pictures was made of the captions in {_file(target, file)}. {ELSE}")
    return sent, other


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
