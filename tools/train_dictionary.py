"""Train the dictionaries that captions are deflated with, or measure them.

    # trains and measures
    python tools/train_dictionary.py Text/gpt4v.csv Text/qwen.csv --output cmcbench/bitstream/dictionary
    # measures those that are there
    python tools/train_dictionary.py Text/gpt4v.csv Text/qwen.csv

The images are parted into two folds by their names. The dictionary for the captions of a fold is trained on captions of
the other fold's images alone, so that it has never seen a caption of the image that it codes, of any captioner.

A dictionary is a chain of phrases, pieces of captions. A run of RUN bytes is worth the number of captions that it
occurs in, if these are two or more, and a phrase what its runs are worth together. The best phrase is taken again and
again; its runs are worth nothing from then on. The best stand at the end, nearest to the data, where a reference to
them takes fewest bits.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cmcbench.bitstream import dictionary
from cmcbench.errors import BadInput
from cmcbench.files import captions
from cmcbench.files.names import stem
from cmcbench.runtime.messages import printable

RUN, PHRASE = 7, 48  # bytes; of those tried (5 to 8, 16 to 64) about the best for both captioners
LIMIT = 32_000  # bytes; deflate reaches back 32,768 bytes, its own data included

Captions = dict[str, str]  # image's stem -> caption


def train(texts: list[bytes], limit: int = LIMIT) -> bytes:
    """A dictionary of at most `limit` bytes; the same for the same texts in the same order."""
    worth = Counter(run for text in texts for run in set(_runs(text)))
    worth = {run: count for run, count in worth.items() if count > 1}
    best = [(-_worth(phrase, worth), number, start) for number, start, phrase in _phrases(texts)]
    heapq.heapify(best)
    chosen: list[bytes] = []
    size = 0
    while best:
        before, number, start = heapq.heappop(best)
        phrase = texts[number][start : start + PHRASE]
        now = _worth(phrase, worth)
        if now != -before:  # a phrase taken since shares runs with it
            heapq.heappush(best, (-now, number, start))
            continue
        runs = list(_runs(phrase))
        useful = [place for place, run in enumerate(runs) if run in worth]
        if not useful:
            break
        phrase = phrase[useful[0] : useful[-1] + RUN]
        if size + len(phrase) > limit:
            break
        for run in runs:
            worth.pop(run, None)
        chosen.append(phrase)
        size += len(phrase)
    return b"".join(reversed(chosen))


def _phrases(texts: list[bytes]) -> Iterator[tuple[int, int, bytes]]:
    for number, text in enumerate(texts):
        for start in range(max(1, len(text) - PHRASE + 1)):
            yield number, start, text[start : start + PHRASE]


def _runs(text: bytes) -> Iterator[bytes]:
    return (text[start : start + RUN] for start in range(len(text) - RUN + 1))


def _worth(phrase: bytes, worth: dict[bytes, int]) -> int:
    return sum(worth.get(run, 0) for run in set(_runs(phrase)))


def training_set(tables: list[Captions], fold: int) -> list[bytes]:
    """The captions that the dictionary for `fold` is trained on: those of all images of the other fold."""
    images = sorted({image for table in tables for image in table if dictionary.fold(image) != fold})
    return [table[image].encode() for image in images for table in tables if image in table]


def table_of(path: Path) -> Captions:
    """stem -> caption of a file. Rows that cannot be used are shown and left out; one such file ends the tool."""
    try:
        found = captions.read(path)
    except BadInput as error:
        sys.exit(f"error: {error}")
    for problem in found.problems.values():
        print(f"left out: {printable(problem)}", file=sys.stderr)
    return {stem(name): text for name, text in found.texts.items()}


def measure(table: Captions, dictionaries: dict[int, bytes]) -> float:
    """Bits a character of the captions, each deflated with its fold's dictionary."""
    bits = sum(8 * len(dictionary.deflate(text, dictionaries[dictionary.fold(image)])) for image, text in table.items())
    return bits / sum(map(len, table.values()))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("captions", nargs="+", type=Path, help="caption files, CSV with the columns name and text")
    options.add_argument(
        "--output", type=Path, help="folder for fold0.dict and fold1.dict (none: measure the shipped ones)"
    )
    arguments = options.parse_args()
    tables = [table_of(path) for path in arguments.captions]
    if arguments.output:
        dictionaries = {fold: train(training_set(tables, fold)) for fold in (0, 1)}
        for fold, data in dictionaries.items():
            dictionary.store(arguments.output, fold, data)
    else:
        dictionaries = {fold: dictionary.load(fold) for fold in (0, 1)}
    for fold, data in dictionaries.items():
        print(f"dictionary for fold {fold}: {len(data):,} bytes, sha256 {dictionary.sha256(data)}")
    for path, table in zip(arguments.captions, tables):
        print(f"{path}: {len(table)} captions, {measure(table, dictionaries):.3f} bits a character")


if __name__ == "__main__":
    main()
