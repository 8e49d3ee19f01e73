"""python -m cmcbench doctor: what is there, what is missing, what it enables, and the command that mends each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..protocol import MODES, REFERENCES
from ..runtime.cli import parser
from ..runtime.messages import printable
from . import data, machine, results
from .finding import MISSING, Finding, is_here, step

WITHOUT_WEIGHTS = "--metrics ms_ssim,piqe"
KEYS = ("area", "what", "state", "text", "remedy")  # of a finding in the JSON, beside its facts


def main(argv: list[str]) -> int:
    """Look at the machine and the data. Returns 0 when the three steps can run, 1 when something they need is
    missing.
    """
    options = parser("What is there, what is missing, what it enables, and the command that mends each.", "doctor")
    options.add_argument("--root", default=".", help="folder that holds GT, Ref, Weight, Text and Result")
    options.add_argument(
        "--torch", action="store_true", help="also import torch and ask it for its devices (some seconds)"
    )
    options.add_argument("--json", action="store_true", help="print JSON, for programs")
    chosen = options.parse_args(argv)
    root = Path(chosen.root)
    findings = [*machine.look(root, chosen.torch), *data.look(root)]
    findings += results.look(root, _facts(findings, "GT")["images"])
    now = list(_now(findings, root))
    missing = [finding.what for finding in findings if finding.state == MISSING]
    if chosen.json:
        told = [{**{key: getattr(finding, key) for key in KEYS}, **finding.facts} for finding in findings]
        steps = [{"what": what, "command": command} for what, command in now]
        print(json.dumps({"ready": not missing, "missing": missing, "findings": told, "now": steps}, indent=1))
    else:
        _print(findings, now, missing)
    return 1 if missing else 0


def _facts(findings: list[Finding], what: str) -> dict:
    return next(finding.facts for finding in findings if finding.what == what)


def _print(findings: list[Finding], now: list[tuple[str, str]], missing: list[str]) -> None:
    width = max(len(printable(finding.what)) for finding in findings)
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            print(area)
        print(f"  {finding.state:<9}{printable(finding.what):<{width}}  {printable(finding.text)}")
        if finding.remedy:
            print(f"{'':<{width + 13}}-> {printable(finding.remedy)}")
    print("what you can do now")
    for what, command in now:
        print(f"  {printable(what)}\n      {printable(command)}")
    print(f"missing for the three steps: {', '.join(missing)}" if missing else "the three steps can run")


def _now(findings: list[Finding], root: Path) -> Iterator[tuple[str, str]]:
    """What can be done with what is here: (in words, command)."""
    by_name = {finding.what: finding for finding in findings}
    if any(by_name[name].state == MISSING for name in ("Python", "requirements.txt")):
        yield (
            "install what the three steps need; then ask again",
            by_name["requirements.txt"].remedy or by_name["Python"].remedy,
        )
        return
    images = _facts(findings, "GT")["images"]
    references = {kind: _facts(findings, f"Ref/{kind}")["images"] for kind in REFERENCES}
    captions = [finding.facts for finding in findings if finding.facts.get("captions")]
    if not images and not captions:
        example = "" if shutil.which("make") and is_here(root) else ", in this program's folder"
        yield f"see the whole job on a few small images, with no download{example}", "make demo"
    if images:
        what = f"step 1: captions of {images:,} images (python -m cmcbench models lists the encoders)"
        yield what, step("script-i2t.py", root, "--model_name NAME")
        if not all(references.values()):
            yield (
                "step 1: references, with their bits counted",
                step("script-i2t.py", root, "--model_name none", "--references"),
            )
    yield from _decode(root, captions, references)
    yield from _score(root, findings, images)


def _decode(root: Path, captions: list[dict], references: dict[str, int]) -> Iterator[tuple[str, str]]:
    ready = [
        mode.name for mode in MODES.values() if (captions or not mode.captioned) and references.get(mode.reference, 1)
    ]
    if not ready:
        return
    best = max(captions, key=lambda facts: (facts["paired"], facts["captions"])) if captions else None
    source = [f"--input_path ROOT/Text/{best['file']}"] if best else []
    which = "all" if len(ready) == len(MODES) else ready[0]
    yield f"step 2: reconstructions in mode {', '.join(ready)}", step("script-t2i.py", root, f"--mode {which}", *source)


def _score(root: Path, findings: list[Finding], images: int) -> Iterator[tuple[str, str]]:
    targets = [finding.facts for finding in findings if finding.facts.get("target")]
    if not (images and targets):
        return
    weights = all(finding.state != MISSING for finding in findings if finding.what.startswith("Weight/"))
    unscored = [facts["target"] for facts in targets if facts["unscored"]]
    which = unscored[0] if len(unscored) == 1 else "all"
    what = (
        f"step 3: {'TOPIQ scores' if weights else 'scores that need no weights'} of {len(unscored) or len(targets)}"
        " result(s)"
    )
    yield what, step("script-evaluate.py", root, f"--target {which}", *([] if weights else [WITHOUT_WEIGHTS]))
