"""python -m cmcbench models: the encoders, decoders and learned codecs, and what this machine lacks to run one."""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models import create, names
from models.base import Model, ModelError, T2IModel

from .. import ROOT
from ..protocol import MODES
from ..runtime.cli import INSTALL, parser
from ..runtime.messages import printable
from .requirements import problem, required

KINDS = {"i2t": "encoder", "t2i": "decoder", "codec": "learned codec"}
CALLS = {
    "i2t": "script-i2t.py --model_name NAME",
    "t2i": "script-t2i.py --model_name NAME",
    "codec": "python -m cmcbench codec NAME",
}
REQUIREMENTS = ROOT / "requirements.txt"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".param")


@dataclass(frozen=True)
class Need:
    """One thing that a model needs. there: True, False (then `text` tells the remedy), None where it cannot be told."""

    what: str
    there: bool | None
    text: str


def main(argv: list[str]) -> int:
    """List the models, or tell what one needs. Returns 0, or 1 where something is missing."""
    options = parser("The encoders, decoders and learned codecs, and what one needs.", "models")
    options.add_argument(
        "name", nargs="?", default=None, help="a model's name, or your adapter's file (None: list them all)"
    )
    options.add_argument("--model_dir", default=None, help="checkpoint: a folder or a hub name (None: the model's own)")
    chosen = options.parse_args(argv)
    if chosen.name is None:
        _print_list()
        return 0
    models = list(_named(chosen.name, chosen.model_dir))
    return max(_print_needs(kind, model, chosen.name, chosen.model_dir) for kind, model in models)


def _print_list() -> None:
    for kind, title in KINDS.items():
        rows = []
        for name in names(kind):
            model = create(kind, name)
            rows.append((name, _modes(model), model.default_dir or "", _sentence(_description(model))))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        print(f"{title}s ({CALLS[kind]})")
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths) if width]
            print("  " + "  ".join([*cells, row[3]]).rstrip())
        print()
    print("Any other checkpoint of diffusers or transformers runs with --model_dir FOLDER_OR_HUB_NAME.")
    print("What one needs, and whether it is here: python -m cmcbench models NAME")


def _named(name: str, model_dir: str | None) -> Iterator[tuple[str, Model]]:
    """The models of that name; a few names are those of several kinds."""
    problems = []
    for kind in KINDS:
        try:
            yield kind, create(kind, name)
        except ModelError as error:
            problems.append(error)
    if len(problems) == len(KINDS):
        if not name.endswith(".py"):
            known = "; ".join(f"{title}s: {', '.join(names(kind))}" for kind, title in KINDS.items())
            close = difflib.get_close_matches(name.lower(), [each for kind in KINDS for each in names(kind)], 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ModelError(f"unknown model {ascii(name)}.{hint} Known {known}.")
        # The decoder's message of an encoder's file would be that it is none, and the other way round
        raise next((error for error in problems if " runs, not " not in str(error)), problems[0])


def _modes(model: Model) -> str:
    return ",".join(mode for mode in MODES if mode in model.modes) if isinstance(model, T2IModel) else ""


def _description(model: Model) -> str:
    """The first paragraph of the adapter's docstring, on one line."""
    text = (sys.modules[type(model).__module__].__doc__ or "").strip()
    return printable(" ".join(text.partition("\n\n")[0].split()))


def _sentence(text: str) -> str:
    """Its first sentence; a version number's full stop does not end one."""
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _print_needs(kind: str, model: Model, name: str, model_dir: str | None) -> int:
    print(f"{name} ({KINDS[kind]}): {_description(model)}")
    if isinstance(model, T2IModel):
        print(f"  modes: {_modes(model)}")
    findings = list(_findings(model, model_dir))
    for finding in findings:
        mark = {True: "yes", False: "NO", None: "?"}[finding.there]
        print(f"  {mark:<4}{finding.what}: {printable(finding.text)}")
    missing = list(dict.fromkeys(finding.what for finding in findings if finding.there is False))
    print(f"missing: {', '.join(missing)}" if missing else "nothing is missing")
    return 1 if missing else 0


def _findings(model: Model, model_dir: str | None) -> Iterator[Need]:
    packages = _packages("requirements.txt", required(REQUIREMENTS), INSTALL)
    yield packages
    if model.packages:
        yield _packages("packages of its own", model.packages, f"{model.install} {' '.join(model.packages)}")
    if model.key:
        there = bool(os.environ.get(model.key, "").strip())
        yield Need("key", there, f"{model.key} is set" if there else f"set it: export {model.key}=...")
    if model.runs_on == "server":
        checkpoint = model_dir or model.default_dir or "the server's only one, or --model_dir"
        yield Need("model", None, f"{checkpoint}, on the server that --api_base names (None: OpenAI's)")
        return
    if model.runs_on == "program":
        yield Need("program", None, "yours, given with --command; docs/adding-a-model.md tells how to write one")
        return
    if not packages.there and any(importlib.util.find_spec(name) is None for name in ("huggingface_hub", "psutil")):
        yield Need("weights, memory", None, "told once the packages are installed")
        return
    yield _weights(model_dir or model.default_dir)
    for other in () if model_dir else model.also:
        yield _weights(other)
    yield _memory(
        model.parameters if model_dir in (None, model.default_dir) else None, bool(model_dir or model.default_dir)
    )


def _packages(what: str, wanted: Iterable[str], remedy: str) -> Need:
    problems = [found for found in map(problem, wanted) if found]
    return Need(what, not problems, f"{', '.join(problems)}. {remedy}" if problems else "installed")


def _weights(checkpoint: str | None) -> Need:
    if not checkpoint:
        return Need("weights", True, "none to fetch")
    folder, place = Path(checkpoint).expanduser(), "in the folder"
    if not folder.is_dir():
        found = _cached(checkpoint)
        if found is None:
            return Need(
                "weights",
                False,
                f"{checkpoint} is not on disk. It is fetched at the first run, or by: hf download {checkpoint}",
            )
        folder, place = found, "in the hub's cache"
    files = [path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.is_file()]
    absent = _absent_shards(folder)
    if not files or absent:
        lack = f"{len(absent)} of its parts are missing ({absent[0]}, ...)" if absent else "no weights are in it"
        return Need(
            "weights", False, f"{checkpoint}, {place} {folder}: {lack}. Fetch it again: hf download {checkpoint}"
        )
    size = sum(path.stat().st_size for path in files) / 1e9
    return Need("weights", True, f"{checkpoint}, {size:.1f} GB {place} {folder}")


def _cached(checkpoint: str) -> Path | None:
    """The newest snapshot of a hub checkpoint in the cache of huggingface_hub."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, OSError, ValueError):
        return None
    revisions = [
        one for repo in repos if (repo.repo_type, repo.repo_id) == ("model", checkpoint) for one in repo.revisions
    ]
    newest = max(revisions, key=lambda revision: revision.last_modified, default=None)
    return Path(newest.snapshot_path) if newest else None


def _absent_shards(folder: Path) -> list[str]:
    """What the tables of sharded checkpoints list and the folder lacks; of pickles only where there is nothing else."""
    absent = set()
    safe, pickles = folder.rglob("*.safetensors.index.json"), folder.rglob("*.bin.index.json")
    for table in list(safe) or ([] if any(folder.rglob("*.safetensors")) else pickles):
        try:
            shards = json.loads(table.read_text(encoding="utf-8"))["weight_map"].values()
            absent |= {str(shard) for shard in shards if not (table.parent / str(shard)).is_file()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            absent.add(table.name)
    return sorted(absent)


def _memory(parameters: float | None, has_checkpoint: bool) -> Need:
    """Whether the weights fit: 2 bytes a parameter on a GPU, 4 on a CPU. What is computed with them comes on top."""
    if parameters is None:
        return (
            Need("memory", None, "unknown, since its number of parameters is")
            if has_checkpoint
            else Need("memory", True, "little")
        )
    import psutil

    gpu, ram = _gpu_memory(), psutil.virtual_memory().total / 1e9
    on_gpu, on_cpu = 2 * parameters, 4 * parameters
    text = f"{on_gpu:.1f} GB of weights in 16 bits on a GPU ({f'{gpu:.1f} GB' if gpu else 'there is none'}), "
    text += f"{on_cpu:.1f} GB in 32 bits on the CPU ({ram:.1f} GB of RAM)"
    fits = on_gpu < gpu or on_cpu < ram
    return Need(
        "memory", fits, text if fits else f"{text}. Take a larger machine, or a smaller checkpoint with --model_dir"
    )


def _gpu_memory() -> float:
    """GB of the largest CUDA device, 0 where there is none."""
    try:
        import torch
    except ImportError:
        return 0.0
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return max((torch.cuda.get_device_properties(device).total_memory / 1e9 for device in devices), default=0.0)
