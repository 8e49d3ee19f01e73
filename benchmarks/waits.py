"""How long a run waits for anything but its model: whole scripts with stand-ins for models that sleep.

    python benchmarks/waits.py --images 32 --sizes 512 1024

A model that sleeps leaves the processor free, as one on an accelerator does; what is measured is all the rest: reading
pictures, converting, compressing, hashing, writing, tables. Each line is one run of a script in a process of its own:

run / model   from the moment when the stand-in has been loaded to the script's last line, over the time that it slept;
              starting and ending the interpreter (imports, 1.4 s; freeing torch, 0.4 s) is taken off
bound         what the cores allow at best: the processor's time of the same pictures read (and written), by as many
              threads as a run has beside its model, or the model's time, whichever is longer, over the model's time
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
SAMPLES = ROOT / "samples" / "GT"
SECONDS, LOADED = (
    "WAITS_SECONDS",
    "WAITS_LOADED",
)  # environment: a picture's seconds; file that gets the time of loading
MODES = ("full", "image", "pixel", "text")


# The stand-ins, in the process that is measured


def loaded() -> None:
    Path(os.environ[LOADED]).write_text(repr(time.time()))


def sleep(pictures: int) -> None:
    time.sleep(float(os.environ[SECONDS]) * pictures)


def encoder() -> object:
    from models.base import Caption, I2TModel

    class Sleeper(I2TModel):
        def load(self, model_dir, device, dtype, **options):
            loaded()

        def caption(self, images, prompt, words):
            sleep(len(images))
            return [Caption(f"a picture of {image.width} by {image.height}") for image in images]

    return Sleeper()


def decoder() -> object:
    from models.base import T2IModel

    class Sleeper(T2IModel):
        def load(self, model_dir, device, dtype, modes, **options):
            loaded()

        made = None  # the first guide at the size to work at: what a model makes of the others costs as much to write

        def generate(self, jobs):
            sleep(len(jobs))
            self.made = self.made or jobs[0].guide.resize(jobs[0].size)
            return [self.made] * len(jobs)

    return Sleeper()


def metric(kind: str, needs: bool) -> Callable[..., object]:
    from cmcbench.score.metrics.base import Metric

    class Sleeper(Metric):
        name, needs_truth, identity = kind, needs, "asleep"

        def load(self, device):
            loaded()

        def score(self, truth, pictures):
            sleep(len(pictures))
            return [picture.width / (1 + picture.height) for picture in pictures]

    return lambda clip: Sleeper()


def child(script: str, arguments: list[str]) -> None:
    """A script with the stand-ins in place of its models."""
    import runpy
    from unittest import mock

    from cmcbench.score.metrics import registry

    atexit.register(lambda: Path(os.environ[LOADED]).with_name("ended").write_text(repr(time.time())))
    makers = {"i2t": encoder, "t2i": decoder}
    registry.OWN.update({kind: metric(kind, kind == "sleeps_fr") for kind in ("sleeps_fr", "sleeps_nr")})
    with (
        mock.patch("models.create", lambda kind, name, model_dir=None: makers[kind]()),
        mock.patch.object(sys, "argv", [script, *arguments]),
    ):
        runpy.run_path(str(ROOT / script), run_name="__main__")


# The runs, and what the cores allow


def prepare(folder: Path, count: int, side: int) -> None:
    """Ground truth, references and reconstructions: the samples at side x side, with the fine grain that cameras
    add.
    """
    import numpy as np
    from PIL import Image

    from cmcbench.files.store import png_bytes

    random = np.random.default_rng(0)
    samples = sorted(SAMPLES.glob("*.png"))
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as image:
            scale = side / min(image.size)
            image = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
        left, top = (image.width - side) // 2, (image.height - side) // 2
        pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32)
        pixels = (pixels + random.normal(0, 1, pixels.shape)).round().clip(0, 255).astype(np.uint8)
        data = png_bytes(Image.fromarray(pixels))
        for place in ("GT", "Ref/image", "Ref/pixel", *(f"Scored/real/{mode}" for mode in MODES)):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / f"NSI_pgc_{number:03}.png").write_bytes(data)


def run(folder: Path, script: str, arguments: list[str], seconds: float) -> float:
    """Seconds from the end of loading to the script's last line."""
    mark = folder / "loaded"
    environment = {**os.environ, SECONDS: str(seconds), LOADED: str(mark)}
    command = [sys.executable, __file__, "--child", script, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr}")
    return float((folder / "ended").read_text()) - float(mark.read_text())


def costs(folder: Path) -> dict[str, float]:
    """Processor seconds of reading and of writing one of the pictures."""
    from cmcbench.files.images import read_rgb
    from cmcbench.files.store import png_bytes

    paths = sorted((folder / "GT").glob("*.png"))[:8]
    begin = time.process_time()
    pictures = [read_rgb(path)[0] for path in paths]
    middle = time.process_time()
    for picture in pictures:
        png_bytes(picture)
    end = time.process_time()
    return {"read": (middle - begin) / len(paths), "write": (end - middle) / len(paths)}


def line(what: str, side: int, sleeps: int, seconds: float, took: float, work: float) -> dict[str, float]:
    from cmcbench.runtime.beside import cores, threads

    model = sleeps * seconds
    ratio, bound = took / model, max(1.0, work / min(threads(), cores()) / model)
    print(f"{what:30} {side:5} {1000 * seconds:6.0f} ms  {ratio:6.3f}  {bound:6.3f}", flush=True)
    return {"ratio": ratio, "bound": bound}


def measure(folder: Path, count: int, side: int) -> dict[str, dict[str, float]]:
    prepare(folder, count, side)
    spent, found = costs(folder), {}
    gt = ["--ground_truth", "GT", "--batch_size", "8", "--overwrite", "--device", "cpu"]
    for seconds in (0.25, 1.0):
        arguments = [*gt, "--ref_dir", "Ref", "--mode", "image", "--model_name", "sleeper"]
        took = run(folder, "script-t2i.py", arguments, seconds)
        work = count * (spent["read"] + spent["write"])
        found[f"decode {seconds}"] = line("decode, batch 8", side, count, seconds, took, work)
    for seconds in (0.1, 0.25):
        took = run(folder, "script-i2t.py", [*gt, "--model_name", "sleeper"], seconds)
        found[f"encode {seconds}"] = line("encode, batch 8", side, count, seconds, took, count * spent["read"])
    for seconds in (0.01, 0.02):
        arguments = ["--gt_path", "GT", "--results", "Scored", "--metrics", "sleeps_fr,sleeps_nr", "--no_report"]
        took = run(folder, "script-evaluate.py", [*arguments, "--overwrite", "--device", "cpu"], seconds)
        work = 5 * count * spent["read"]
        found[f"score {seconds}"] = line("score, four modes, FR and NR", side, 8 * count, seconds, took, work)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description="How long a run waits for anything but its model.")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="sides of the square pictures")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    print(f"{'step':30} {'side':>5} {'model':>9}  {'run /':>6}  {'bound':>6}")
    print(f"{'':30} {'':>5} {'a picture':>9}  {'model':>6}")
    found = {}
    for side in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            found[side] = measure(Path(folder), options.images, side)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
