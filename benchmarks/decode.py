"""How fast pictures are decoded: step 2 against the published loop and against the bare library, same checkpoint and
images.

    python benchmarks/decode.py --images 6 --rounds 3

The checkpoint is a tiny SDXL with random weights, so that everything but the model's own work weighs as much as it can:
what is measured is what the programs add. Two comparisons, and a table:

overhead     seconds an image of this project's decoding (files, manifest, seeds, resizing, saving) against a loop that
             calls the pipeline with the same arguments and saves the picture; both loaded, alternating in one process
four modes   wall-clock seconds of `script-t2i.py --mode all` against four runs of the published loop, one a mode, which
             loads the pipeline each time
restoration  PASD, DiffBIR and StableSR beside SDXL, see restoration.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import restoration

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/support/tiny")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny operators lose to threads that wait for each other

STEPS, STRENGTH = 40, {"full": 0.5, "image": 0.5, "pixel": 0.8, "text": None}
FIXED_PROMPT = "High quality, masterpiece, clean, high-resolution, 8k"


def published(checkpoint: Path, folder: Path, mode: str) -> None:
    """One published run: load the pipeline, then image by image; text mode as it was meant, it stops with a
    NameError.
    """
    import torch
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image
    from PIL import Image

    kind = AutoPipelineForText2Image if mode == "text" else AutoPipelineForImage2Image
    pipe = kind.from_pretrained(str(checkpoint), use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    output = folder / "published" / mode
    output.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator("cpu").manual_seed(42)
    for path, prompt in captions(folder).items():
        prompt = FIXED_PROMPT if mode == "image" else prompt
        with Image.open(path) as image:
            size = image.size
        working = working_size(size)
        if mode == "text":
            arguments = {"width": working[0] // 32 * 32, "height": working[1] // 32 * 32}
        else:
            reference = folder / "Ref" / ("pixel" if mode == "pixel" else "image") / path.name
            arguments = {"image": Image.open(reference).convert("RGB").resize(working), "strength": STRENGTH[mode]}
        made = pipe(prompt=prompt, num_inference_steps=STEPS, generator=generator, **arguments).images[0]
        made.resize(size).save(output / path.name)


def captions(folder: Path) -> dict[Path, str]:
    return {path: f"a picture of {path.stem}" for path in sorted((folder / "GT").glob("*.png"))}


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    from cmcbench.protocol import working_size as of

    return of(*size)


def prepare(folder: Path, count: int) -> Path:
    """Images, references and captions in `folder`. Returns the checkpoint's folder."""
    import bench
    import tiny_t2i
    from PIL import Image, ImageFilter

    bench.write_truth(folder / "GT", count)
    for kind, radius in (("image", 3), ("pixel", 20)):
        (folder / "Ref" / kind).mkdir(parents=True)
        for path in (folder / "GT").iterdir():
            with Image.open(path) as image:
                image.convert("RGB").filter(ImageFilter.GaussianBlur(radius)).save(folder / "Ref" / kind / path.name)
    bench.write_captions(folder / "Text" / "gpt4v.csv", {path.name: text for path, text in captions(folder).items()})
    return tiny_t2i.sdxl(folder / "sdxl")


def overhead(folder: Path, checkpoint: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds an image of the bare pipeline and of ours, by round; full mode, one image at a time."""
    import torch
    from PIL import Image

    from cmcbench.bitstream.inputs import DecoderInputs
    from cmcbench.decode.decoding import make
    from cmcbench.decode.request import DecodeRequest
    from cmcbench.files import captions as table
    from cmcbench.protocol import MODES, image_seed
    from cmcbench.runtime.messages import RunLog
    from models import create

    model = create("t2i", "sdxl")
    model.load(str(checkpoint), "cpu", torch.float32, frozenset({"full"}))
    pipe = model._pipes["image"]
    model.load = lambda *arguments, **options: None  # it is loaded
    prompts = captions(folder)
    settings = {"model": "sdxl", "steps": STEPS, "seed": 42, "dtype": None, "strength": STRENGTH["full"]}
    (folder / "bare").mkdir()

    def bare() -> None:
        for path, prompt in prompts.items():
            with Image.open(folder / "Ref" / "image" / path.name) as image:
                guide, size = image.convert("RGB").resize(working_size(image.size)), image.size
            generator = [torch.Generator("cpu").manual_seed(image_seed(42, path.stem))]
            made = pipe(
                prompt=[prompt],
                image=[guide],
                strength=STRENGTH["full"],
                num_inference_steps=STEPS,
                generator=generator,
            ).images[0]
            made.resize(size).save(folder / "bare" / path.name)

    def ours(number: int) -> None:
        sources = DecoderInputs(folder / "Ref", folder / "GT", table.read(folder / "Text" / "gpt4v.csv"), RunLog())
        jobs = {"full": sources.plan(MODES["full"], None, None)}
        place = folder / "Result" / f"round{number}"
        request: dict[str, Any] = {"device": "cpu", "dtype": "auto", "batch_size": 1, "overwrite": False}
        assert make(DecodeRequest(model, str(checkpoint), jobs, place, {"full": dict(settings)}, {}, **request)) == len(
            prompts
        )

    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, rounds):  # the first one warms up
        for kind, work in enumerate((bare, lambda number=number: ours(number))):
            start = time.perf_counter()
            work()
            if number >= 0:
                times[kind].append((time.perf_counter() - start) / len(prompts))
    return times


def four_modes(folder: Path, checkpoint: Path) -> tuple[float, float]:
    """Wall-clock seconds of four published runs and of `--mode all`."""
    start = time.perf_counter()
    for mode in STRENGTH:
        command = [sys.executable, __file__, "--published", mode, "--folder", folder, "--checkpoint", checkpoint]
        subprocess.run(list(map(str, command)), check=True, cwd=folder, capture_output=True)
    middle = time.perf_counter()
    command = [
        sys.executable,
        ROOT / "script-t2i.py",
        "--mode",
        "all",
        "--model_name",
        "sdxl",
        "--model_dir",
        checkpoint,
    ]
    subprocess.run([*map(str, command), "--batch_size", "4"], check=True, cwd=folder, capture_output=True)
    return middle - start, time.perf_counter() - middle


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--images", type=int, default=4)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--published", choices=tuple(STRENGTH), help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.published:
        published(arguments.checkpoint, arguments.folder, arguments.published)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = prepare(folder, arguments.images)
        bare, ours = overhead(folder, checkpoint, arguments.rounds)
        shares = [mine / theirs - 1 for mine, theirs in zip(ours, bare)]
        print(f"{arguments.images} images, {STEPS} steps, tiny SDXL, {arguments.rounds} rounds, one thread")
        print(f"  bare pipeline {statistics.median(bare):.3f} s an image, this project {statistics.median(ours):.3f} s")
        print(f"  overhead {statistics.median(shares):+.1%} (min {min(shares):+.1%}, max {max(shares):+.1%})")
        theirs, mine = four_modes(folder, checkpoint)
        print(f"  four published runs {theirs:.1f} s, --mode all {mine:.1f} s: {theirs / mine:.2f} times as fast")
    print("\n".join(restoration.rows(restoration.SIZES)))


if __name__ == "__main__":
    main()
