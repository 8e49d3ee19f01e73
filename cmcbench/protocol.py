"""The benchmark's fixed facts: modes, prompts, strengths, and the two Overall formulas (arXiv 2406.09356).

Whatever is in this file decides whether two numbers can be compared, so none of it is an option.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

Figure = TypeVar("Figure", float, "np.ndarray")

SEED = 42
STEPS = 40
WORKING_LONG_SIDE = 1024  # pixels; the reference is brought to it, aspect kept, before a decoder sees it
WORDS = 10
NOMINAL_IMAGE_BPP = 0.020  # bits per pixel of the published Ref/image, whose bitstreams are not public
ALMOST = 1.25  # factor by which a reference's rate may differ from it; VVC's levels leave up to 16 %

IMAGE_PROMPT = "High quality, masterpiece, clean, high-resolution, 8k"
HINTS = ("Considering Light and Color", ", Clarity", ", Dense Caption", ", and Region Semantic")

SOURCES = {  # content type -> its sources, as file names spell them
    "NSI": ("pgc", "ugc"),
    "SCI": ("game", "movie", "screen"),
    "AIGI": ("DALLE3", "MJ", "PG", "Pixart", "SDXL", "SSD"),
}
SCHEME = re.compile(r"(?P<type>[A-Za-z]+)_(?P<source>[A-Za-z0-9]+)_\d+")
OVERALL_METRICS = ("topiq_fr", "topiq_nr")  # what the two Overall formulas are made for: consistency, perception
REFERENCES = ("image", "pixel")  # the folders of Ref/
PLAIN = "images"  # the mode of pictures that lie in a target's folder itself, in no mode's


@dataclass(frozen=True)
class Mode:
    """One of the benchmark's four ways to send an image.

    reference: the folder of Ref/ that the decoder gets, None in text mode.
    captioned: whether the decoder gets the caption; otherwise the prompt is IMAGE_PROMPT.
    strength: the published img2img strength, None for text-to-image.
    """

    name: str
    reference: str | None
    captioned: bool
    strength: float | None


MODES = {
    mode.name: mode
    for mode in (
        Mode("full", "image", True, 0.5),
        Mode("image", "image", False, 0.5),
        Mode("pixel", "pixel", True, 0.8),
        Mode("text", None, True, None),
    )
}


def i2t_prompt(words: int) -> str:
    """The request that every encoder gets. One hint is added for each full ten words, four at the most."""
    hints = "".join(HINTS[: words // 10])
    return f"Generate an informative paragraph in {words} words based on the image.{hints}"


def image_seed(seed: int, name: str) -> int:
    """The seed of one image, 0 <= s < 2**63, from the run's seed and the image's file name alone.

    So an image's noise does not depend on its place in a batch, a shard or a run.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) with the long side at 1024 pixels and the aspect kept; no side below 1."""
    long_side = max(width, height)
    # round() to even at .5, as numpy does in the published script
    return tuple(max(1, round(side / long_side * WORKING_LONG_SIDE)) for side in (width, height))


def overall_t2i(fr: Mapping[str, Figure], nr: Mapping[str, Figure]) -> Figure | None:
    """Overall of the T2I table: 2/3 of the mean FR over the modes present plus 1/3 of the mean NR over them.

    fr, nr: mode -> mean score, or the scores of many images or resamples. None where no mode has both. A submission
    needs two modes; that is for the caller to
    say.
    """
    present = [mode for mode in fr if mode in nr]
    if not present:
        return None
    mean_fr = sum(fr[mode] for mode in present) / len(present)
    mean_nr = sum(nr[mode] for mode in present) / len(present)
    return mean_fr * 2 / 3 + mean_nr / 3


def overall_i2t(fr: Mapping[str, Figure], nr: Mapping[str, Figure]) -> Figure | None:
    """Overall of the I2T table: the mean of the six columns full, pixel, text x FR, NR.

    Image mode uses no encoder and is left out. None unless all three modes have both scores.
    """
    modes = [mode.name for mode in MODES.values() if mode.captioned]
    if not all(mode in fr and mode in nr for mode in modes):
        return None
    return sum(fr[mode] + nr[mode] for mode in modes) / (2 * len(modes))


def content(name: str) -> tuple[str, str]:
    """(type, source) of an image from its file name, e.g. ("NSI", "pgc"); ("other", "") outside the benchmark's
    scheme.
    """
    match = SCHEME.match(name)
    if match and match["source"] in SOURCES.get(match["type"], ()):
        return match["type"], match["source"]
    return "other", ""


def content_type(name: str) -> str:
    """The content type of an image from its file name, "other" outside the benchmark's scheme."""
    return content(name)[0]


def content_source(name: str) -> str:
    """Content type and source of an image from its file name, e.g. "NSI_pgc"; "" outside the benchmark's scheme."""
    kind, source = content(name)
    return f"{kind}_{source}" if source else ""
