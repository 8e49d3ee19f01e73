"""A submission's files opened: every one in its schema, its checksums right, its parts of one mind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...files import untrusted
from ...files.names import plain_name
from ...files.result_manifest import system_of
from ...files.submitted import submitter
from ...files.untrusted import Unusable, shown
from ...protocol import MODES, OVERALL_METRICS
from .. import rules
from ..mail import SUMS, mail, sums
from ..schemas import SCHEMAS, schema_problems
from .faults import Faults
from .tables import SubmittedScores, read_captions, read_checksums, read_rates, read_scores

RECIPIENT = re.compile(rb"To: [ -~]{1,200}")


@dataclass
class Opened:
    """A submission's documents. checksums: (mode, stem) -> (file name, SHA-256). texts: image name -> caption."""

    contents: Mapping[str, bytes]
    submission: dict[str, Any]
    summary: dict[str, Any]
    manifest: dict[str, Any]
    rows: list[SubmittedScores]
    checksums: dict[tuple[str, str], tuple[str, str]]
    captions: dict[str, Any] | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    rates: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)


def open_all(contents: Mapping[str, bytes], faults: Faults) -> Opened | None:
    """Open the entries of a submission; None where one is too broken for the others to be compared with it."""
    lacking = [name for name in rules.FILES if name not in contents and name not in rules.OPTIONAL]
    for name in lacking:
        faults.add("missing", f"{name} is missing")
    if SUMS in contents and contents[SUMS] != sums(contents):
        faults.add("sums", f"{SUMS} does not hold the checksums of the other files: {_changed(contents)}")
    before = len(faults)
    documents = {name: _document(name, contents[name], faults) for name in SCHEMAS if name in contents}
    summary = documents.get("summary.json") or {}
    tables = {
        name: contents[name]
        for name in ("scores.csv", "reconstructions.sha256", "captions.csv", "rates.csv")
        if name in contents
    }
    rows = read_scores(tables["scores.csv"], summary, faults) if "scores.csv" in tables else []
    checksums = read_checksums(tables["reconstructions.sha256"], faults) if "reconstructions.sha256" in tables else {}
    texts = read_captions(tables["captions.csv"], faults) if "captions.csv" in tables else {}
    rates = read_rates(tables["rates.csv"], faults) if "rates.csv" in tables else {}
    if lacking or len(faults) > before:
        return None
    for message in rules.missing(summary):
        faults.add("incomplete", message)
    if any(
        metric not in found["metrics"] for metric in OVERALL_METRICS for found in (summary, *summary["modes"].values())
    ):
        return None
    opened = Opened(
        contents,
        documents["submission.json"],
        summary,
        documents["manifest.json"],
        rows,
        checksums,
        documents.get("captions.json"),
        documents["environment.json"] or {},
        texts,
        rates,
    )
    for message in _disagreements(opened):
        faults.add("agreement", message)
    return opened


def _recipient(text: bytes) -> tuple[bytes, bytes]:
    """A mail's first line, and all after it."""
    first, _, rest = text.partition(b"\n")
    return first, rest


def _changed(contents: Mapping[str, bytes]) -> str:
    """The entries whose line in SHA256SUMS is missing or another."""
    listed = set(contents[SUMS].split(b"\n"))
    changed = [line.partition(b"  ")[2].decode() for line in sums(contents).split(b"\n") if line not in listed]
    return ", ".join(changed) or "it lists more than there is"


def _document(name: str, data: bytes, faults: Faults) -> dict[str, Any] | None:
    try:
        document = untrusted.json_object(data)
    except Unusable as error:
        faults.add(name, f"{name} {error}")
        return None
    for problem in schema_problems(name, document):
        faults.add(name, f"{name}: {problem}")
    return document


def _disagreements(opened: Opened) -> Iterator[str]:
    """Where the entries contradict each other: checksums, the statement in submission.json, the mail."""
    contents, submission, summary = opened.contents, opened.submission, opened.summary
    if not plain_name(submission["target"]):
        yield f"submission.json: the target {shown(submission['target'])} is not a plain name"
    for key, value in submission.get("submitter", {}).items():
        if wrong := submitter.problem(key, value):
            yield f"submission.json: the submitter's {key} {shown(value)} {wrong}"
    modes = [mode for mode in MODES if mode in summary["modes"]]
    told = {
        "target": summary["target"],
        "modes": modes,
        "images": summary["ground_truth"]["images"],
        "overall": summary["overall"],
    }
    for key, value in told.items():
        if submission[key] != value:
            yield f"submission.json: {key} is {shown(submission[key])}, and summary.json says {shown(value)}"
    for metric in OVERALL_METRICS:
        if summary["metrics"][metric]["identity"] != f"weights {submission['weights'][metric]['sha256'][:16]}":
            used = shown(summary["metrics"][metric]["identity"])
            yield f"summary.json: {metric} was scored with {used}, not with the weights of submission.json"
    absent = {name for name in rules.OPTIONAL if name not in contents}
    if set(submission["absent"]) != absent:
        yield (
            f"submission.json: absent names {shown(sorted(submission['absent']))}, and {shown(sorted(absent))} are not"
            " there"
        )
    for key in ("t2i", "captions", "baseline"):
        mine, theirs = summary["made_by"].get(key), opened.manifest.get(key)
        if mine != theirs:
            yield f"summary.json: made_by {key} is {shown(mine)}, and manifest.json says {shown(theirs)}"
    made = system_of(opened.manifest, summary["modes"])
    for key in ("seed", "system"):
        if key in summary and summary[key] != made.get(key):  # a summary of an earlier version has neither
            yield f"summary.json: {key} is {shown(summary[key])}, and manifest.json gives {shown(made.get(key))}"
    names = sorted({row.name for row in opened.rows})
    found = rules.deviations(summary, opened.manifest, opened.captions, names, submission["weights"])
    for deviation in found:
        if deviation not in submission["deviations"]:
            yield f"submission.json: a deviation is not listed: {deviation}"
    for deviation in submission["deviations"]:
        if deviation not in found:
            yield f"submission.json: a deviation is listed that the files do not show: {shown(deviation)}"
    told_mail = mail(submission, summary, opened.manifest, opened.captions, contents[SUMS])
    # All but the recipient: whoever runs a board may have entered an address of his own
    to, rest = _recipient(contents["mail.txt"])
    if not RECIPIENT.fullmatch(to) or rest != _recipient(told_mail)[1]:
        yield "mail.txt is not the mail that the other files give"
