"""The mail that goes with a submission, written from the submission's own files and from nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ..files.submitted.submitter import FIELDS
from ..files.untrusted import shown
from ..protocol import MODES, OVERALL_METRICS
from ..published.dataset import MAINTAINERS
from .rules import settings

SUMS = "SHA256SUMS"


def sums(contents: Mapping[str, bytes]) -> bytes:
    """SHA256SUMS of all entries but itself and the mail, which names it; `sha256sum -c` reads it."""
    names = sorted(name for name in contents if name not in (SUMS, "mail.txt"))
    return "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in names).encode()


def mail(
    submission: Mapping[str, Any],
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    captions: Mapping[str, Any] | None,
    listed: bytes,
) -> bytes:
    """The text of the mail. captions: the captions' manifest where there is one. listed: SHA256SUMS, whose own hash
    stands
    for all contents."""
    overall = summary["overall"]
    told = submission.get("submitter", {})
    lines = [
        f"To: {MAINTAINERS}",
        f"Subject: CMC-Bench submission: {_plain(told.get('title', submission['target']))}, Overall"
        f" {_number(overall['t2i'])}",
        "",
        *(f"{field.capitalize() + ':':<9} {_plain(told[field])}" for field in FIELDS if field in told),
        f"Decoder:  {_plain(manifest.get('t2i'))} ({_plain(manifest.get('model_dir'))})",
        f"Encoder:  {_encoder(manifest.get('captions'), captions)}",
        f"Images:   {submission['images']} in each of the modes {', '.join(submission['modes'])}",
        f"Overall:  {_number(overall['t2i'])} (table of T2I models), {_number(overall['i2t'])} (table of I2T models)",
        "",
        "mode     FR       NR       bpp      rate",
        *(_mode(mode, summary["modes"][mode]) for mode in MODES if mode in summary["modes"]),
        "",
        "Settings: " + "; ".join(_settings(mode, settings(manifest, mode)) for mode in submission["modes"]),
        "Deviations from the published settings:" + ("" if submission["deviations"] else " none"),
        *(f"- {_plain(each)}" for each in submission["deviations"]),
        "",
        "TOPIQ weights (SHA-256):",
        *(
            f"- {submission['weights'][metric]['file']}  {submission['weights'][metric]['sha256']}"
            for metric in OVERALL_METRICS
        ),
        "Not in the file:" + ("" if submission["absent"] else " nothing, it is complete"),
        *(f"- {name}: {_plain(why)}" for name, why in sorted(submission["absent"].items())),
        f"Contents: SHA-256 of {SUMS} is {hashlib.sha256(listed).hexdigest()}",
        "",
        "Attached: the zip file. To check it: python -m cmcbench verify FILE.zip",
        "The reconstructions are not in it; its file reconstructions.sha256 tells them apart.",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _mode(mode: str, found: Mapping[str, Any]) -> str:
    fr, nr = (found["metrics"][metric]["mean"] for metric in OVERALL_METRICS)
    bpp, rate = found["bpp"], found.get("rate")
    return (
        f"{mode:<6}   {fr:<6.4f}   {nr:<6.4f}   {_number(bpp and bpp['mean'])}  "
        f" {_plain(rate['kind']) if rate else 'not known'}"
    )


def _encoder(made_of: Any, record: Mapping[str, Any] | None) -> str:
    if not isinstance(made_of, dict):
        return "none"
    model = f"{_plain(record['settings'].get('model'))}, " if record else ""
    return f"{model}captions {_plain(made_of.get('file'))} (SHA-256 begins {_plain(made_of.get('sha256'))})"


def _settings(mode: str, told: Mapping[str, Any]) -> str:
    return f"{mode} " + ", ".join(f"{key} {_plain(told.get(key))}" for key in ("strength", "steps", "seed", "dtype"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _plain(value: Any) -> str:
    """A value from a file in one line: text as it is where it is printable, everything else as ascii() shows it."""
    return (
        value
        if isinstance(value, str) and value.isprintable() and len(value) <= 200
        else "-"
        if value is None
        else shown(value)
    )
