"""The test sets of the field: how many pictures each has, what they are called, their sizes, and where they are had.

Counts and names: Kodak by r0k.us, the tests of CLIC 2020 by the challenge's two archives, DIV2K by its page, TESTIMAGES
by its folder RGB/RGB_OR_1200x1200. The names in CLIC's archives follow no scheme, so that only their number is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KnownSet:
    """split: which part of the published set this is. stems: every picture's name without its ending, () where names
    follow no scheme. parts: folder in the published archives -> pictures in it; {} where there is one folder.
    short, long: every picture's sides in pixels, None for any. source: where it is had.
    """

    split: str
    images: int
    source: str
    stems: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    short: int | None = None
    long: int | None = None

    @property
    def spelled(self) -> str:
        """How the pictures are called, for a message."""
        return f"{self.stems[0]} to {self.stems[-1]}" if self.stems else "names without a scheme"


BENCHMARK = "cmc-bench"  # what tables of published points call the benchmark's own 1,000 images
CLIC = "https://data.vision.ee.ethz.ch/cvl/clic/test/"
PROFESSIONAL, MOBILE = {"professional": 250}, {"mobile": 178}

TEST_SETS = {
    "kodak": KnownSet(
        "whole", 24, "https://r0k.us/graphics/kodak/", tuple(f"kodim{n:02}" for n in range(1, 25)), {}, 512, 768
    ),
    "clic2020-test": KnownSet(
        "test, professional and mobile",
        428,
        f"{CLIC}CLIC2020Professional_test.zip and {CLIC}CLIC2020Mobile_test.zip",
        parts={**PROFESSIONAL, **MOBILE},
    ),
    "clic2020-pro": KnownSet("test, professional", 250, f"{CLIC}CLIC2020Professional_test.zip", parts=PROFESSIONAL),
    "div2k-val": KnownSet(
        "validation, high resolution",
        100,
        "https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",
        tuple(f"{n:04}" for n in range(801, 901)),
        long=2040,
    ),
    "tecnick": KnownSet(
        "TESTIMAGES, RGB/RGB_OR_1200x1200",
        100,
        "https://testimages.org/",
        tuple(f"RGB_OR_1200x1200_{n:03}" for n in range(1, 101)),
        {},
        1200,
        1200,
    ),
}
