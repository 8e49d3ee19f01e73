"""The published data set: its files, where they are fetched from and where the three steps look for them.

Sizes are those of the published files, for the user to know beforehand; what is fetched is checked by hash.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol import SOURCES, content

REPOSITORY = "lcysyzxdxc/CMC-Bench"  # a data set on the Hugging Face hub
# Where submissions go. The public README names no address for them: whoever runs a board puts one here
MAINTAINERS = "(the maintainers' address, which is not published; ask at https://github.com/Q-Future/CMC-Bench)"
LICENCE = "CC-BY-4.0"
CAPTIONS_BASE = "https://raw.githubusercontent.com/Q-Future/CMC-Bench/main/Text"

HIDDEN = ".download"  # folder below a file's own, for what is unfinished: on the same disk, out of the listings' way

COUNTS = {  # source -> images of it in the published ground truth
    **dict.fromkeys(SOURCES["NSI"], 200),
    **dict.fromkeys(SOURCES["SCI"], 100),
    **dict.fromkeys(SOURCES["AIGI"], 50),
}
IMAGES = sum(COUNTS.values())


@dataclass(frozen=True)
class Published:
    """One published file. folder: below the root, where its content belongs. megabytes: its size in 10**6 bytes.

    sha256: of a file that comes from elsewhere than the hub, which tells the hash of its own files.
    """

    part: str
    file: str
    folder: str
    megabytes: float
    sha256: str = ""

    @property
    def zipped(self) -> bool:
        return self.file.endswith(".zip")

    @property
    def on_hub(self) -> bool:
        return not self.sha256


FILES = (  # the small ones first: what fails shall fail early
    Published(
        "captions", "gpt4v.csv", "Text", 0.152493, "ec955c9febe59e37bac44dc650e85bbe4fc3b9fc7551712dffc20a2942569100"
    ),
    Published(
        "captions", "qwen.csv", "Text", 0.166303, "4d5d668d3b60ea88996e93c083110751fdfe60a41227722a83ae46288f4195a9"
    ),
    Published("weights", "topiq-fr.pth", "Weight", 145),
    Published("weights", "topiq-nr.pth", "Weight", 181),
    Published("references", "reference-pix.zip", "Ref/pixel", 196),
    Published("references", "reference-image.zip", "Ref/image", 385),
    Published("gt", "ground-truth.zip", "GT", 954),
)
PARTS = tuple(dict.fromkeys(each.part for each in FILES))


def by_source(names: Iterable[str]) -> dict[tuple[str, str], int]:
    """(type, source) -> number of the images whose names say so; ("other", "") for names outside the benchmark's
    scheme.
    """
    return dict(Counter(content(name) for name in names))


def is_whole(names: Iterable[str]) -> bool:
    """Whether these names have the published number of images of each source, and no others."""
    expected = {(kind, source): COUNTS[source] for kind, sources in SOURCES.items() for source in sources}
    return by_source(names) == expected


def published_weights() -> dict[str, dict[str, Any]]:
    """metric -> {"file", "sha256"} of the published weights; sha256 lists the hashes that are known, maybe none."""
    return json.loads(Path(__file__).with_name("weights.json").read_text(encoding="utf-8"))
