"""What PASD, DiffBIR and StableSR cost beside SDXL at equal network width: seconds a picture, and memory.

    python benchmarks/restoration.py --sizes 512 1024 2048

`benchmarks/decode.py` shows the same rows. Checkpoints are random and small, in the authors' own files, with the real
ones' scale of 8 between picture and latent and two resnets a level: UNets and ControlNets of CHANNELS, autoencoders of
VAE channels at each level. Each decoder works in a process of its own, which is given square guides:

memory      the peak above the loaded model with --vae_tiling, and without it at TIMED px
seconds     at TIMED px without --vae_tiling, with guidance where the authors guide: of a step, from one to the next,
            and of all that is done once; a picture at the decoder's own number of steps is worked out from both
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/support/tiny")]

CHANNELS, LAYERS, VAE = (64, 64, 128, 128), 2, 32
LEVELS = 4  # of autoencoders: a scale of 8
BSRNET = (16, 3, 8)  # features, blocks and growth of DiffBIR's first stage; 64, 23 and 32 in the real one
TIMED = 1024  # px, the benchmark's size
SIZES = (512, 1024)


def build(name: str, folder: Path) -> tuple[Path, Path | None]:
    """The checkpoint of a decoder in `folder`, and its base."""
    import tiny_restoration
    import tiny_stablesr
    import tiny_t2i

    vae = {"levels": LEVELS, "width": VAE, "sample_size": 512}
    size: dict[str, Any] = {"channels": CHANNELS, "layers": LAYERS}
    if name == "pasd":
        return tiny_restoration.pasd(folder / "pasd", levels=LEVELS, **size), tiny_t2i.sd15(folder / "sd15", **vae)
    if name == "diffbir":
        control = tiny_restoration.diffbir(folder / "control", "v2", bsrnet_size=BSRNET, **size)
        return control, tiny_restoration.sd21(folder / "sd21", levels=LEVELS, **size)
    if name == "stablesr":
        wide = {"WIDTHS": CHANNELS, "STRUCTURE": 64, "MAPS": 64, "HIDDEN": 32, "GROWTH": 8}
        with mock.patch.multiple(tiny_stablesr, **wide):
            made = tiny_stablesr.make(folder / "stablesr", (VAE,) * LEVELS)
        return made, made / "base"
    blocks = {
        "block_out_channels": CHANNELS[1:],  # of three levels, without attention in the first
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": LAYERS,
        "attention_head_dim": (1, 2, 2),
        "transformer_layers_per_block": (1, 2, 10),
    }
    return tiny_t2i.sdxl(folder / "sdxl", vae={**vae, "sample_size": 1024}, **blocks), None


def measure(name: str, model_dir: Path, base: Path | None, sizes: Sequence[int]) -> dict[str, Any]:
    """{"steps": number, "step", "once": seconds, "peaks": bytes by size in tiles, "whole": bytes without tiles}.

    What is told is the process's peak so far, so sizes go upwards, and the whole comes last.
    """
    import tiny_restoration
    import torch

    from cmcbench.decode.clock import own_peak
    from cmcbench.protocol import MODES, STEPS
    from models import create
    from models.base import Job

    model = create("t2i", name)
    model.inspect(str(model_dir))
    options = {"base": str(base)} if base else {}
    strength = MODES["full"].strength if model.accepts_strength else None
    model.load(str(model_dir), "cpu", torch.float32, frozenset({"full"}), **options)
    pipe = model._pipe if base else model._pipes["image"]
    ended: list[float] = []  # of each step
    step = pipe.scheduler.step
    pipe.scheduler.step = lambda *given, **named: (step(*given, **named), ended.append(time.perf_counter()))[0]

    def decode(size: int, steps: int) -> float:
        """Seconds."""
        guide = tiny_restoration.guide(size, size)
        asked = steps if strength is None else round(steps / strength)
        start = time.perf_counter()
        model.generate([Job("a", "a street", guide, guide.size, 1, strength, asked)])
        return time.perf_counter() - start

    loaded = _resident()
    pipe.vae.enable_tiling()
    peaks = {}
    for size in sorted(sizes):
        decode(size, getattr(model, "fewest_steps", 1))
        peaks[size] = own_peak() - loaded
    pipe.vae.disable_tiling()
    ended.clear()
    taken = decode(TIMED, 2)
    between = ended[1] - ended[0]
    steps = model.steps or round(STEPS * strength)
    whole = own_peak() - loaded
    return {"steps": steps, "step": between, "once": taken - 2 * between, "peaks": peaks, "whole": whole}


def _resident() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.MULTILINE)[1])


def rows(sizes: Sequence[int]) -> list[str]:
    """The table, a line each, with its heading."""
    threads = os.cpu_count() or 1
    widths = ", ".join(map(str, CHANNELS))
    found = [f"restoration beside SDXL: UNets of {widths} channels, guides of {TIMED}x{TIMED}, {threads} threads"]
    tiled = ", ".join(f"{size}" for size in sorted(sizes))
    found.append(f"  {'':9} s a step  s once  steps  s an image   GiB in tiles at {tiled}; whole at {TIMED}")
    for name in ("sdxl", "pasd", "diffbir", "stablesr"):
        with tempfile.TemporaryDirectory() as scratch:
            place, base = build(name, Path(scratch))
            command = [sys.executable, __file__, "--measure", name, place, base or "", "--sizes", *sizes]
            done = subprocess.run(
                list(map(str, command)),
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
            )
        told = json.loads(done.stdout.splitlines()[-1])
        image = told["once"] + told["steps"] * told["step"]
        memory = ", ".join(f"{peak / 2**30:.2f}" for peak in told["peaks"].values())
        line = f"  {name:9} {told['step']:8.2f}  {told['once']:6.2f}  {told['steps']:5}  {image:10.0f}"
        found.append(f"{line}   {memory}; {told['whole'] / 2**30:.2f}")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sides of the guides whose memory is told")
    options.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if not arguments.measure:
        print("\n".join(rows(arguments.sizes)))
        return
    name, model_dir, base = arguments.measure
    print(json.dumps(measure(name, Path(model_dir), Path(base) if base else None, arguments.sizes)))


if __name__ == "__main__":
    main()
