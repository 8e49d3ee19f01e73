"""How seconds and memory grow with images and targets, of all that is not a model's work.

    python benchmarks/growth.py
    python benchmarks/growth.py --images 100 1000 --targets 2 10 --only compare,report

Synthetic results in four modes, tiny pictures and small tables, each command in a process of its own:

score, cached    everything is scored already: pictures are hashed, tables read and written
score, stub      two metrics that take no time, of nothing scored
the others       leaderboard, report, compare, curves, submit (of one target), verify (of one, with its pictures)

The exponent is that of the last step: from the last but one to the last number of images, at the fewest targets, and of
targets, at the images of --at. 1 is a straight line.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
PYTHON = sys.executable
SCORE = [PYTHON, str(ROOT / "script-evaluate.py"), "--gt_path", "GT", "--no_report", "--device", "cpu"]
STUB = [PYTHON, str(ROOT / "benchmarks/waits.py"), "--child", *SCORE[1:]]
BOARD = [PYTHON, "-m", "cmcbench"]
ALL = ["--target", "all", "--model_weight", "Weight"]
EVERY = "every target"
COMMANDS = {
    "score, cached": [*SCORE, *ALL, "--metrics", "topiq"],
    "score, stub": [*STUB, *ALL, "--metrics", "sleeps_fr,sleeps_nr"],
    "leaderboard": [*BOARD, "leaderboard"],
    "report": [*BOARD, "report", "--ground_truth", "GT"],
    "compare": [*BOARD, "compare", EVERY],
    "curves": [*BOARD, "curves"],
    "submit": [*SCORE, "--model_weight", "Weight", "--target", "real", "--submit", "--submit_path", "one.zip"],
    "verify": [*BOARD, "verify", "one.zip", "--results", "Result/real", "--ground_truth", "GT"],
}


def prepare(folder: Path, images: int, targets: int) -> None:
    """GT, Text, Weight and that many scored targets of which the first could be submitted."""
    import submissions

    # Pictures of the size that its tables tell
    submissions.picture = functools.partial(submissions.picture, size=(submissions.WIDTH, submissions.HEIGHT))
    names = [f"{source}_{number:05}.png" for source in ("NSI_pgc", "SCI_game") for number in range(images // 2)]
    submissions.result(folder, names)
    for number in range(1, targets):
        shutil.copytree(folder / "Result/real", folder / f"Result/t{number:02}", copy_function=os.link)
        for name in ("scores.csv", "summary.json", "rates.csv", "manifest.json"):  # that are replaced, not shared
            path = folder / f"Result/t{number:02}" / name
            path.unlink()
            path.write_bytes(
                (folder / "Result/real" / name).read_bytes().replace(b'"real"', f'"t{number:02}"'.encode())
            )


def run(folder: Path, command: list[str]) -> tuple[float, float]:
    """(seconds, peak memory in GiB) of a command."""
    names = sorted(path.name for path in (folder / "Result").iterdir() if (path / "scores.csv").is_file())
    command = [part for each in command for part in (names if each == EVERY else [each])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WAITS_SECONDS": "0", "WAITS_LOADED": str(folder / "loaded")}
    with open(folder / "said", "w") as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{(folder / 'said').read_text()[-3000:]}")
    return seconds, usage.ru_maxrss / 2**20


def measure(images: int, targets: int, only: list[str], scratch: str | None) -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        prepare(Path(place), images, targets)
        found = {}
        for name in COMMANDS:
            if name in only:
                found[name] = run(Path(place), COMMANDS[name])
                print(
                    f"{images:6} {targets:3}  {name:16} {found[name][0]:8.2f} s {found[name][1]:6.2f} GiB", flush=True
                )
        return found


def exponent(small: float, large: float, ratio: float) -> float:
    return math.log(large / small) / math.log(ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description="How seconds and memory grow with images and targets.")
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10000], help="even numbers")
    parser.add_argument("--targets", type=int, nargs="+", default=[2, 10, 40])
    parser.add_argument("--at", type=int, default=1000, help="images at which the number of targets grows")
    parser.add_argument("--only", default=",".join(COMMANDS), help="commands, separated by commas; 'score, cached' too")
    parser.add_argument("--scratch", help="folder for the synthetic results")
    options = parser.parse_args()
    only = [name for name in COMMANDS if name in options.only]
    few = min(options.targets)
    cells = [*((images, few) for images in options.images), *((options.at, each) for each in options.targets)]
    found = {cell: measure(*cell, only, options.scratch) for cell in sorted(set(cells))}
    print(f"\n{'':16} exponent: images  targets")
    for name in only:
        shown = []
        for path in (
            [(each, few) for each in sorted(options.images)],
            [(options.at, each) for each in sorted(options.targets)],
        ):
            if len(path) < 2:
                shown.append("      -")
                continue
            before, after = path[-2:]
            ratio = (after[0] * after[1]) / (before[0] * before[1])
            shown.append(f"{exponent(found[before][name][0], found[after][name][0], ratio):7.2f}")
        print(f"{name:16}          {shown[0]}  {shown[1]}")


if __name__ == "__main__":
    main()
