"""--submit: a target's result checked and packed into one file, as docs/submission.md describes it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import BadInput
from ..files import manifest as versions
from ..files import untrusted
from ..files.anonymous import anonymous, leaks
from ..files.images import list_images
from ..files.names import plain_name, stem
from ..files.result_manifest import system_of
from ..files.store import digest, only_writer, read_json, sweep, write_bytes
from ..protocol import MODES
from ..published import dataset
from ..runtime.messages import progress, say
from . import rules
from .archive import pack
from .checks.documents import open_all
from .checks.faults import Faults
from .checks.pictures import sha256_of
from .checks.plausibility import check
from .checks.redecode import gpus
from .mail import SUMS, mail, sums
from .schemas import schema_problems


def submit(folder: Path, weights: Path, to: Path | None = None, submitter: Mapping[str, str] | None = None) -> Path:
    """Write the submission of a scored target; returns its path (`to`, or submission.zip in the folder).

    folder: Result/NAME. weights: the folder of the TOPIQ weights that it was scored with. submitter: fields of
    files/submitted/submitter.py. Raises BadInput where the result cannot be submitted, after every reason was said;
    nothing is written then.
    """
    path = to or folder / "submission.zip"
    if path.is_dir():
        raise BadInput(f"--submit_path {path} is a folder; name a file in it.")
    name = folder.resolve().name
    summary = _document(folder / "summary.json", f"python script-evaluate.py --target {name}")
    record = _document(
        folder / "manifest.json", "python script-t2i.py (of foreign pictures: python -m cmcbench import)"
    )
    broken = [f"summary.json: {problem}" for problem in schema_problems("summary.json", summary)]
    if not (folder / "scores.csv").is_file():
        broken.append("scores.csv is missing or no regular file")
    if broken:
        raise BadInput(
            f"{folder}: {'; '.join(broken)}. Score again with: python script-evaluate.py --target {name} --overwrite"
        )
    problems = list(rules.missing(summary))
    contents: dict[str, bytes] = {}
    if not problems:
        contents = _contents(folder, weights, summary, record, submitter or {})
        problems = _faults(contents)
    if problems:
        for problem in problems:
            say(f"fault: {problem}")
        raise BadInput(f"{folder} cannot be submitted for the {len(problems)} reason(s) above. Nothing was written.")
    with only_writer(path.parent / f".{path.name}.lock", str(path), wait=60):
        sweep(path.parent, path.name)
        write_bytes(path, pack(contents))
    for deviation in json.loads(contents["submission.json"])["deviations"]:
        say(f"note: deviation from the published settings, listed in the submission: {deviation}")
    say(
        f"The submission is {path}. Its mail.txt is the mail to send it with; python -m cmcbench verify {path} checks"
        " it again."
    )
    return path


def _document(path: Path, maker: str) -> dict[str, Any]:
    found = read_json(path)
    if found is None or found.get("unfinished"):
        raise BadInput(f"there is no finished {path}, which a submission needs. It is written by: {maker}")
    return found


def _faults(contents: dict[str, bytes]) -> list[str]:
    """What the receiving side would find, and what would give this machine away."""
    faults = Faults()
    found = open_all(contents, faults)
    if found is not None:
        check(found, faults)
    remedy = "; if the files of the result were not changed by hand, score again with --overwrite"
    problems = [line + remedy for line in faults.lines()]
    for name in sorted(contents):
        problems += [
            f"{name} would give away {what}; take it out of the names and settings of the result"
            for what in leaks(contents[name])
        ]
        if len(contents[name]) > rules.FILES[name]:
            problems.append(f"{name} has {len(contents[name]):,} bytes, and a submission takes {rules.FILES[name]:,}")
    return problems


def _contents(
    folder: Path, weights: Path, summary: dict[str, Any], record: dict[str, Any], submitter: Mapping[str, str]
) -> dict[str, bytes]:
    """Every entry of the submission."""
    record = anonymous(record)
    modes = [mode for mode in MODES if mode in summary["modes"]]
    contents = {
        "scores.csv": _read(folder / "scores.csv"),
        "summary.json": _json(_sent(anonymous(summary), record)),
        "manifest.json": _json(record),
        "environment.json": _json(_environment()),
    }
    absent: dict[str, str] = {}
    if (folder / "rates.csv").is_file():
        contents["rates.csv"] = _read(folder / "rates.csv")
    else:
        absent["rates.csv"] = "nothing tells what the reconstructions cost"
    texts, reasons = _captions(folder, record)
    contents |= texts
    names = sorted({row["name"] for row in _rows(contents["scores.csv"])})
    contents["reconstructions.sha256"] = _checksums(folder, modes, set(map(stem, names)))
    captions = untrusted.json_object(texts["captions.json"]) if "captions.json" in texts else None
    used = _weights(weights, summary)
    submission = {
        "format": rules.FORMAT,
        "cmcbench": __version__,
        "target": summary["target"],
        "modes": modes,
        "images": summary["ground_truth"]["images"],
        "overall": summary["overall"],
        "weights": used,
        "deviations": rules.deviations(summary, record, captions, names, used),
        "absent": absent | reasons,
    }
    if submitter:
        submission["submitter"] = dict(submitter)
    contents["submission.json"] = _json(submission)
    contents[SUMS] = sums(contents)
    contents["mail.txt"] = mail(submission, summary, record, captions, contents[SUMS])
    return contents


def _sent(summary: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The summary with the seed and the system of the manifest as it is sent, which is another text."""
    kept = {key: value for key, value in summary.items() if key not in ("seed", "system")}
    return {**kept, **system_of(record, summary["modes"])}


def _read(path: Path) -> bytes:
    """A file of the result. Raises BadInput where it cannot be read or has far too many bytes."""
    try:
        return untrusted.read_bytes(path)
    except untrusted.Unusable as error:
        raise BadInput(f"{path} {error}.") from None


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


def _rows(data: bytes) -> list[dict[str, str]]:
    try:
        columns, rows = untrusted.table(data)
        if "name" not in columns:
            raise untrusted.Unusable("has no column name")
    except untrusted.Unusable as error:
        raise BadInput(f"scores.csv {error}. Score again with --overwrite.") from None
    return rows


def _captions(folder: Path, record: dict[str, Any]) -> tuple[dict[str, bytes], dict[str, str]]:
    """The captions and their manifest where they are at hand, and why they are not otherwise."""
    made_of = record.get("captions")
    file = made_of.get("file") if isinstance(made_of, dict) else None
    if not isinstance(file, str) or not plain_name(file):
        return {}, dict.fromkeys(("captions.csv", "captions.json"), "the manifest does not name the captions")
    for place in dict.fromkeys((Path("Text"), folder.resolve().parent.parent / "Text")):
        path = place / file
        try:
            data = untrusted.read_bytes(path, rules.FILES["captions.csv"])
        except untrusted.Unusable:
            continue
        if digest(data) == made_of.get("sha256"):
            contents = {"captions.csv": data}
            told = read_json(path.with_suffix(".json"))
            if told is None:
                return contents, {"captions.json": f"{file} has no manifest beside it"}
            return contents | {"captions.json": _json(anonymous(told))}, {}
    why = f"no Text/{file} here is the file that the reconstructions were made from"
    return {}, dict.fromkeys(("captions.csv", "captions.json"), why)


def _weights(folder: Path, summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """metric -> file, size and SHA-256 of the weights. Raises BadInput where the scores were made with others."""
    used = {}
    for metric, known in dataset.published_weights().items():
        path = folder / known["file"]
        if not path.is_file():
            raise BadInput(
                f"{path} is missing; a submission tells the SHA-256 of the weights. Name their folder with"
                " --model_weight."
            )
        seen = sha256_of(path)
        if summary["metrics"][metric]["identity"] != f"weights {seen[:16]}":
            raise BadInput(f"{metric} was not scored with {path}. Score again with --model_weight {folder} --submit.")
        used[metric] = {"file": known["file"], "bytes": path.stat().st_size, "sha256": seen}
    return used


def _checksums(folder: Path, modes: list[str], stems: set[str]) -> bytes:
    """One line of SHA-256 for every reconstruction that was scored, as sha256sum writes it; paths below the target's
    folder.
    """
    images = [list_images(folder / mode, "reconstructions") for mode in modes]
    files = [path for found in images for stem, path in found.items() if stem in stems]
    lines = []
    with progress(len(files), 0, "checksums") as bar, ThreadPoolExecutor(4) as pool:  # hashing waits for the disk
        for path, seen in zip(files, pool.map(sha256_of, files)):
            if not seen:
                raise BadInput(f"{path} cannot be read, and a submission needs its checksum. Replace it or remove it.")
            lines.append(f"{seen}  {path.parent.name}/{path.name}\n")
            bar.update()
    return "".join(lines).encode()


def _environment() -> dict[str, Any]:
    """What scored: versions, platform and GPUs. The manifests tell what decoded and captioned."""
    libc = " ".join(platform.libc_ver())
    system = {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_implementation(),
        "libc": libc.strip(),
    }
    return {"versions": versions.environment(), "platform": system, "gpus": gpus()}
