"""How fast images are captioned: step 1 against the published one-by-one loop and the bare library, same checkpoint and
images.

    python benchmarks/encode.py --images 16 --rounds 5 --model llava

The checkpoint is a tiny one (decoder-only) with random weights that says a sentence of nine tokens: what is measured
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/support/tiny")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny operators lose to threads that wait for each other


def checkpoint_of(name: str, folder: Path) -> Path:
    """The tiny checkpoint of a model's architecture: llava in transformers' layout, the others in their authors'."""
    import tiny_i2t
    import tiny_owl
    import tiny_qwen

    makers = {"llava": tiny_i2t.llava, "Qwen": tiny_qwen.qwen, "mplugowl2": tiny_owl.owl2}
    return makers[name](folder / name)


def say(model: Any, image: Image.Image, prompt: str) -> str:
    """One caption by the library alone: its processor, or what stands for one, and generate."""
    if model.template:
        chat = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]
        how = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}
        inputs = model.processor.apply_chat_template(chat, **how)
    else:
        import torch

        ids = torch.tensor([model._prompt(prompt)])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": model._pixels(image)[None]}
    row = model.model.generate(**inputs, max_new_tokens=256)[0, inputs["input_ids"].shape[1] :].tolist()
    return model.processor.tokenizer.decode(row, skip_special_tokens=True).strip()


def measure(name: str, folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds an image of each contender, by round."""
    import bench
    import torch
    from PIL import Image

    from cmcbench.encode.captioning import make
    from cmcbench.encode.request import EncodeRequest
    from cmcbench.files import captions
    from cmcbench.protocol import i2t_prompt
    from models import create

    checkpoint = checkpoint_of(name, folder)
    bench.write_truth(folder / "GT", 13)
    paths = [path for _ in range(count) for path in sorted((folder / "GT").iterdir())][:count]
    images = {}
    for number, path in enumerate(paths):  # more images than there are samples
        copy = folder / "many" / f"{number:03d}.png"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
        images[copy.stem] = copy
    model = create("i2t", name)
    model.load(str(checkpoint), "cpu", torch.float32)
    model.load = lambda *arguments, **options: None  # it is loaded
    prompt, found, files = i2t_prompt(10), {}, []

    def bare() -> None:
        for path in images.values():
            with Image.open(path) as image:
                found[path.name] = say(model, image.convert("RGB"), prompt)

    def ours(number: int, batch: int) -> None:
        file = folder / "Text" / f"round{number}x{batch}.csv"
        order = [path.name for path in images.values()]
        request = EncodeRequest(
            model, name, str(checkpoint), images, order, file, 10, 42, "cpu", "auto", batch, False, {}
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
        for contender, run in work.items():
            start = time.perf_counter()
            run()
            if number >= 0:
                times[contender].append((time.perf_counter() - start) / len(images))
    assert all(captions.read(file).texts == found for file in files), "the contenders disagree"
    return times


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--images", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--model", choices=("llava", "Qwen", "mplugowl2"), default="llava")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        times = measure(arguments.model, Path(scratch), arguments.images, arguments.rounds)
    what = f"{arguments.images} images, tiny {arguments.model}, {arguments.rounds} rounds, one thread"
    print(f"{what}; the captions are equal")
    for name, seconds in times.items():
        ratios = [theirs / mine for theirs, mine in zip(times["bare"], seconds)]
        ratio = f"{statistics.median(ratios):.2f} times as fast as bare (min {min(ratios):.2f}, max {max(ratios):.2f})"
        print(f"  {name:8} {statistics.median(seconds) * 1000:6.1f} ms an image, {ratio}")


if __name__ == "__main__":
    main()
