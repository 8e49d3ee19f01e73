"""How fast TOPIQ is scored: this scorer against pyiqa, the same images and weights, alternating in one run.

    python benchmarks/score.py --sizes 512x512 1024x1024 --rounds 5
    python benchmarks/score.py --sizes 512x512 1024x1024 --device cuda --count 8

(a) the published loop: pyiqa's metric on one pair of paths at a time, every mode, FR then NR
(b) the same with this project's allocator settings
(c) this scorer: the ground truth encoded once for its modes; on a GPU pictures of several ground truths at once, read
    ahead of it

Each runs in a process of its own that is idle while another works. Seconds are wall-clock seconds for one ground truth
in all modes, FR and NR, pictures read from disk. The floor is the time that the multiplications of (c) would take at
the
speed of this machine's best convolution.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/support/tiny")]

from floor import convolution_peak, work_of_ours  # noqa: E402

MODES = 4
AT_ONCE = 16  # pictures, on a GPU
NAMES = {"a": "published loop", "b": "pyiqa, allocator set", "c": "this scorer"}


# The three contenders, each in a process of its own


def worker(kind: str, weights: Path, precision: str, device: str) -> None:
    """Score what comes on standard input, a JSON line a request: [[ground truth, [pictures]], ...]."""
    if kind != "a":
        from cmcbench.score.metrics.allocator import tune_allocator

        tune_allocator()
    start = time.process_time()
    score = _ours(weights, precision, device) if kind == "c" else _pyiqa(weights, device)
    print(json.dumps({"startup": time.process_time() - start}), flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        scores = score(json.loads(line))
        seconds = time.perf_counter() - begin
        # ru_maxrss is in KiB on Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": seconds, "scores": scores, "peak": peak}), flush=True)


def _pyiqa(weights: Path, device: str) -> Any:
    import pyiqa
    import torch

    def metric(kind: str) -> Any:
        file = str(weights / f"topiq-{kind}.pth")
        on = torch.device(device)
        return pyiqa.create_metric(f"topiq_{kind}", pretrained_model_path=file, backbone_pretrain=False, device=on)

    with contextlib.redirect_stdout(sys.stderr):  # it tells what it loads
        fr, nr = metric("fr"), metric("nr")

    def score(work: list) -> list[float]:
        modes = range(len(work[0][1]))
        scores: list[float] = []
        for mode in modes:
            scores += [float(fr(truth, pictures[mode])) for truth, pictures in work]
            scores += [float(nr(pictures[mode])) for _, pictures in work]
        return scores

    return score


def _ours(weights: Path, precision: str, device: str) -> Any:
    from cmcbench.score.metrics.pairs import Pair, Pairs
    from cmcbench.score.metrics.registry import resolve
    from cmcbench.score.pictures import reading

    metrics = resolve("topiq", weights, "published", precision)
    for metric in metrics:
        metric.load(device)
    at_once = None if device == "cpu" else AT_ONCE

    def score(work: list) -> list[float]:
        modes = len(work[0][1])
        paths = [Path(path) for truth, pictures in work for path in (truth, *pictures)]
        found: list[list[float]] = [[], []]
        waiting: list[Pair] = []

        def flush() -> None:
            pairs = Pairs(waiting, at_once)
            for scores, metric in zip(found, metrics):
                scores += metric.score_pairs(pairs)

        with reading(paths) as pictures:
            for _ in work:
                truth, *made = [future.result().picture for _, future in pictures.take(1 + modes)]
                waiting += [Pair(truth, each) for each in made]
                if at_once is None or len(waiting) >= at_once:
                    flush()
                    waiting = []
        if waiting:
            flush()
        return [
            found[metric][place]
            for mode in range(modes)
            for metric in (0, 1)
            for place in range(mode, modes * len(work), modes)
        ]

    return score


# The comparison


class Contender:
    """A worker process. `run` gives it work and waits."""

    def __init__(self, kind: str, weights: Path, device: str, precision: str = "fp32") -> None:
        command = [sys.executable, __file__, "--worker", kind, "--weights", str(weights), "--precision", precision]
        command += ["--device", device]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.startup = json.loads(self.process.stdout.readline())["startup"]

    def run(self, work: list) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(work) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def pictures(folder: Path, size: tuple[int, int], count: int) -> list:
    """`count` sample images brought to a size, and four worse versions of each: the work of one request."""
    from PIL import Image, ImageFilter

    work = []
    for path in sorted((ROOT / "samples" / "GT").glob("*.png"))[:: max(1, 13 // count)][:count]:
        with Image.open(path) as image:
            truth = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        versions = [truth, *(truth.filter(ImageFilter.GaussianBlur(2**mode)) for mode in range(MODES))]
        names = [folder / f"{path.stem}-{size[0]}x{size[1]}-{place}.png" for place in range(MODES + 1)]
        for name, version in zip(names, versions):
            version.save(name, compress_level=1)
        work.append([str(names[0]), [str(name) for name in names[1:]]])
    return work


def compare(
    weights: Path, sizes: list[tuple[int, int]], rounds: int, count: int, folder: Path, device: str
) -> dict[str, Any]:
    """size -> seconds an image of each contender and round, ratios, the largest difference of scores, peaks in GiB."""
    results = {}
    for size in sizes:
        contenders = {
            kind: Contender(kind, weights, device) for kind in NAMES
        }  # new ones, so that a peak belongs to a size
        work = pictures(folder, size, count)
        for contender in contenders.values():
            contender.run(work[:1])  # warm: oneDNN prepares its kernels at the first image of a size
        runs: dict[str, list[dict]] = {kind: [] for kind in NAMES}
        for _ in range(rounds):
            for kind, contender in contenders.items():
                runs[kind].append(contender.run(work))
        seconds = {kind: [run["seconds"] / count for run in each] for kind, each in runs.items()}
        results["x".join(map(str, size))] = {
            "seconds": seconds,
            "ratios": {kind: [theirs / ours for theirs, ours in zip(seconds[kind], seconds["c"])] for kind in "ab"},
            "difference": max(abs(x - y) for x, y in zip(runs["a"][0]["scores"], runs["c"][0]["scores"])),
            "peak": {kind: each[-1]["peak"] for kind, each in runs.items()},
            "startup": {kind: contender.startup for kind, contender in contenders.items()},
        }
        for contender in contenders.values():
            contender.close()
    return results


def reduced_precision(weights: Path, size: tuple[int, int], count: int, folder: Path, device: str) -> dict[str, float]:
    """bf16 against fp32 on the same images: how much faster, how far off, and whether the order of images stays."""
    from scipy.stats import spearmanr

    work = pictures(folder, size, count)
    runs = {}
    for precision in ("fp32", "bf16"):
        contender = Contender("c", weights, device, precision)
        contender.run(work[:1])
        runs[precision] = contender.run(work)
        contender.close()
    full, half = runs["fp32"]["scores"], runs["bf16"]["scores"]
    per_metric = [([full[i] for i in part], [half[i] for i in part]) for part in _by_metric(len(full), count)]
    return {
        "ratio": runs["fp32"]["seconds"] / runs["bf16"]["seconds"],
        "difference": max(abs(x - y) for x, y in zip(full, half)),
        "rank correlation": min(float(spearmanr(*pair).statistic) for pair in per_metric),
    }


def _by_metric(total: int, count: int) -> list[list[int]]:
    """The places of FR's and of NR's scores in an answer."""
    return [[i for i in range(total) if (i // count) % 2 == metric] for metric in (0, 1)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--sizes", nargs="+", default=["512x512", "768x512", "1024x1024"], metavar="WxH")
    options.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options.add_argument("--count", type=int, default=2, help="ground truths a round")
    options.add_argument(
        "--weights", type=Path, default=None, help="folder of real weights (default: seeded random ones)"
    )
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.add_argument("--worker", choices=sorted(NAMES), help=argparse.SUPPRESS)
    options.add_argument("--precision", default="fp32", help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.worker:
        worker(arguments.worker, arguments.weights, arguments.precision, arguments.device)
        return
    sizes = [tuple(int(side) for side in size.split("x")) for size in arguments.sizes]
    with tempfile.TemporaryDirectory() as scratch:
        weights = arguments.weights or Path(scratch)
        if arguments.weights is None:
            import tiny_topiq

            tiny_topiq.weights(weights)
        device = arguments.device
        results = compare(weights, sizes, arguments.rounds, arguments.count, Path(scratch), device)
        print(f"{device}; {MODES} modes, FR and NR, {arguments.rounds} rounds of {arguments.count} images")
        peak = convolution_peak() if device == "cpu" else None
        if peak:
            print(f"best convolution: {peak:.0f} GFLOP/s")
        for (name, result), size in zip(results.items(), sizes):
            show(name, result, work_of_ours(weights, size, MODES) / peak if peak else None)
        reduced = reduced_precision(weights, sizes[0], 6, Path(scratch), device)
        print(f"\nbf16 at {arguments.sizes[0]}: " + ", ".join(f"{key} {value:.4g}" for key, value in reduced.items()))


def show(name: str, result: dict[str, Any], floor: float | None) -> None:
    print(f"\n{name}")
    for kind, seconds in result["seconds"].items():
        peak, startup = result["peak"][kind], result["startup"][kind]
        print(
            f"  ({kind}) {NAMES[kind]:22} {statistics.median(seconds):7.2f} s an image"
            f" ({statistics.median(seconds) / MODES:.4f} s a picture), peak {peak:.2f} GiB, start {startup:.1f} CPU s"
        )
    for kind, ratios in result["ratios"].items():
        print(f"  faster than ({kind}): {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")
    ours = statistics.median(result["seconds"]["c"])
    if floor is not None:
        print(f"  floor by the best convolution: {floor:.2f} s; this scorer takes {ours / floor:.2f} times that")
    print(f"  largest difference of scores from pyiqa's: {result['difference']:.1e}")


if __name__ == "__main__":
    main()
