"""Result/NAME/manifest.json: what made each mode of a result, the refusal to mix two makers in one folder, and which
results differ in their seed alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..protocol import MODES
from . import manifest
from .names import stem
from .store import read_json, sweep, write_json

FILE = "manifest.json"
LARGEST_SEED = 10**18  # a summary tells no seed of more digits: readers of strangers' files refuse them
Inputs = Mapping[str, Any]  # stem -> what a picture was made of


class ResultManifest:
    """The manifest of one result folder, as it was before this run. Raises BadInput for a broken one.

    flag: the option that names another folder, for messages. before: mode -> {"settings", "inputs"}.
    """

    def __init__(self, folder: Path, flag: str) -> None:
        self.folder, self.flag, self.file = folder, flag, folder / FILE
        self.before = manifest.modes(read_json(self.file) or {}, self.file)

    def check_mode(
        self,
        mode: str,
        settings: Mapping[str, Any],
        inputs: Inputs,
        overwrite: bool,
        changed: Callable[[Inputs, list[str]], str],
    ) -> None:
        """Refuse to go on with a mode whose pictures come from other settings or inputs. Raises BadInput.

        changed: says as a phrase which of these stems have other inputs now than before, "" where none has.
        """
        made = self._pictures(mode) - (set(inputs) if overwrite else set())
        if not made:
            return
        remedy = f"Choose another {self.flag}, or replace them with --overwrite (without --subset and --images)."
        if mode not in self.before:
            raise BadInput(
                f"{self.folder / mode} holds {len(made)} image(s) and no manifest says what made them. {remedy}"
            )
        old = self.before[mode]
        problem = manifest.differences(old["settings"], settings)
        problem = problem or changed(old["inputs"], sorted(made & set(inputs)))
        if problem:
            raise BadInput(f"{self.folder / mode} holds {len(made)} image(s) made otherwise: {problem}. {remedy}")

    def check_other_modes(self, modes: Iterable[str], settings: Mapping[str, Any]) -> None:
        """Refuse where other modes, which this run leaves as they are, have other settings. Raises BadInput."""
        for mode in self.before.keys() - set(modes):
            made = self._pictures(mode)
            problem = manifest.differences(self.before[mode]["settings"], settings) if made else ""
            if problem:
                raise BadInput(
                    f"{self.folder / mode} holds {len(made)} image(s) made otherwise: {problem}. Choose another"
                    f" {self.flag}, or replace all modes with --mode all --overwrite."
                )

    def _pictures(self, mode: str) -> set[str]:
        return {stem(path.name) for path in (self.folder / mode).glob("*.png")}

    def record(
        self, made: Mapping[str, tuple[Mapping[str, Any], Inputs]], facts: Mapping[str, Any], baseline: bool
    ) -> None:
        """Write the manifest; call it before the pictures are written, and with a lock held.

        made: mode -> settings and inputs of this run, which join those of the pictures that are there. A fact that is
        None is kept as it was: image mode has no captions, and other modes of the folder may have.
        """
        sweep(self.folder, FILE)
        record = read_json(self.file) or {}
        modes = manifest.modes(record, self.file)
        for mode, (settings, inputs) in made.items():
            joined = {**modes.get(mode, {}).get("inputs", {}), **inputs}
            modes[mode] = {"settings": dict(settings), "inputs": dict(sorted(joined.items()))}
        kept = {key: record.get(key) if value is None else value for key, value in facts.items()}
        whole = {**kept, "baseline": baseline, "environment": manifest.environment()}
        write_json(self.file, {**whole, "modes": {mode: modes[mode] for mode in MODES if mode in modes}})


def system_of(manifest: Mapping[str, Any], modes: Iterable[str]) -> dict[str, Any]:
    """{"seed", "system"} of these modes by the manifest that made them, which may come from anybody.

    seed: the one that all of them were made with. system: 16 hexadecimal digits, a digest of the decoder, all other
    settings and what every image was made of (captions, references, sizes); equal for results that differ in their seed
    alone. {} where the manifest does not tell both: modes that it does not have, no seed, or one for each mode.
    """
    made = _object(manifest.get("modes"))
    seeds, rest = set(), {"t2i": manifest.get("t2i")}
    for mode in modes:
        each = _object(made.get(mode))
        settings = _object(each.get("settings"))
        if not is_seed(settings.get("seed")):
            return {}
        seeds.add(settings["seed"])
        # None is what a setting is that does not mean anything, and what an earlier version did not have
        others = {key: value for key, value in settings.items() if key != "seed" and value is not None}
        rest[mode] = {"settings": others, "inputs": each.get("inputs")}
    try:
        text = json.dumps(rest, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    except RecursionError:  # no manifest of this program
        return {}
    return {} if len(seeds) != 1 else {"seed": seeds.pop(), "system": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def is_seed(value: Any) -> bool:
    """Whether a value from a file is a seed that can be told."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_SEED
