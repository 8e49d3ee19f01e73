"""How fast images are captioned: step 1 against the published one-by-one loop and the bare library, same checkpoint and
images.

    python benchmarks/encode.py --images 16 --rounds 5

The checkpoint is a tiny LLaVA (decoder-only) with random weights that says a sentence of nine tokens: what is measured
is what the programs add to the model's own work, and what a batch saves. All are loaded and alternate in one process:

bare     the library's processor and generate, one image at a time, as the published script does it
ours x1  this project (each caption kept at once, CSV and manifest now and then), one image at a time
ours x8  the same in batches of 8
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny operators lose to threads that wait for each other


def measure(folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds an image of each contender, by round."""
    import bench
    import tiny_i2t
    import torch
    from PIL import Image

    from cmcbench.encode.captioning import make
    from cmcbench.encode.request import EncodeRequest
    from cmcbench.files import captions
    from cmcbench.protocol import i2t_prompt
    from models import create

    checkpoint = tiny_i2t.llava(folder / "llava")
    bench.write_truth(folder / "GT", 13)
    paths = [path for _ in range(count) for path in sorted((folder / "GT").iterdir())][:count]
    images = {}
    for number, path in enumerate(paths):  # more images than there are samples
        copy = folder / "many" / f"{number:03d}.png"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
        images[copy.stem] = copy
    model = create("i2t", "llava")
    model.load(str(checkpoint), "cpu", torch.float32)
    model.load = lambda *arguments, **options: None  # it is loaded
    prompt, found, files = i2t_prompt(10), {}, []

    def bare() -> None:
        processor = model.processor
        for path in images.values():
            with Image.open(path) as image:
                parts = [{"type": "image", "image": image.convert("RGB")}, {"type": "text", "text": prompt}]
            chat = [{"role": "user", "content": parts}]
            inputs = processor.apply_chat_template(
                chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
            row = model.model.generate(**inputs, max_new_tokens=256)[0, inputs["input_ids"].shape[1] :]
            found[path.name] = processor.tokenizer.decode(row, skip_special_tokens=True).strip()

    def ours(number: int, batch: int) -> None:
        file = folder / "Text" / f"round{number}x{batch}.csv"
        order = [path.name for path in images.values()]
        request = EncodeRequest(
            model, "llava", str(checkpoint), images, order, file, 10, 42, "cpu", "auto", batch, False, {}
        )
        assert make(request) == len(images)
        files.append(file)

    times: dict[str, list[float]] = {"bare": [], "ours x1": [], "ours x8": []}
    for number in range(-1, rounds):  # the first one warms up
        work = {
            "bare": bare,
            "ours x1": lambda number=number: ours(number, 1),
            "ours x8": lambda number=number: ours(number, 8),
        }
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if number >= 0:
                times[name].append((time.perf_counter() - start) / len(images))
    assert all(captions.read(file).texts == found for file in files), "the contenders disagree"
    return times


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--images", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        times = measure(Path(scratch), arguments.images, arguments.rounds)
    print(f"{arguments.images} images, tiny LLaVA, {arguments.rounds} rounds, one thread; the captions are equal")
    for name, seconds in times.items():
        ratios = [theirs / mine for theirs, mine in zip(times["bare"], seconds)]
        ratio = f"{statistics.median(ratios):.2f} times as fast as bare (min {min(ratios):.2f}, max {max(ratios):.2f})"
        print(f"  {name:8} {statistics.median(seconds) * 1000:6.1f} ms an image, {ratio}")


if __name__ == "__main__":
    main()
