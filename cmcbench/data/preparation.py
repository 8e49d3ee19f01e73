"""How a picture of a test set becomes a ground truth: its short side resized, then its middle cut out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..files.store import digest

if TYPE_CHECKING:
    from PIL import Image

FILTERS = ("lanczos", "bicubic", "bilinear")  # of Pillow, which widen with the step as they reduce


@dataclass(frozen=True)
class Preparation:
    """short: the short side in pixels after resizing, aspect kept; crop: the sides of the square cut out of the middle;
    None leaves either out. resample: of FILTERS. enlarge: whether a picture with a shorter side may be enlarged.
    """

    short: int | None
    crop: int | None
    resample: str
    enlarge: bool

    @property
    def name(self) -> str:
        """The sizes alone, "short512 crop512"; papers state no more."""
        parts = [f"short{self.short}"] * bool(self.short) + [f"crop{self.crop}"] * bool(self.crop)
        return " ".join(parts) or "original"

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the pixels; the filter only where something is resized."""
        return {"preparation": self.name, **({"resample": self.resample} if self.short else {})}

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) before the middle is cut out; the long side is rounded to the nearest pixel."""
        if self.short is None or min(size) == self.short:
            return size
        return tuple(self.short if side == min(size) else round(side * self.short / min(size)) for side in size)

    def problem(self, size: tuple[int, int]) -> str:
        """Why a picture of this size cannot be prepared, as a phrase; "" where it can."""
        if self.short and min(size) < self.short and not self.enlarge:
            return f"is {size[0]}x{size[1]}, and --short {self.short} would enlarge it; --enlarge allows that"
        resized = self.resized(size)
        if self.crop and min(resized) < self.crop:
            now = "" if resized == size else f", {resized[0]}x{resized[1]} when resized"
            return f"is {size[0]}x{size[1]}{now}, smaller than the crop of {self.crop}x{self.crop}"
        return ""

    def apply(self, picture: Image.Image) -> Image.Image:
        """The prepared picture. The offsets of the crop are rounded down."""
        from PIL import Image

        size = self.resized(picture.size)
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling[self.resample.upper()])
        if self.crop is None:
            return picture
        left, top = ((side - self.crop) // 2 for side in size)
        return picture.crop((left, top, left + self.crop, top + self.crop))


def pixel_digest(picture: Image.Image) -> str:
    """The digest of a picture's size and 8-bit RGB values, whatever file they are stored in."""
    return digest(b"%dx%d\0" % picture.size + picture.tobytes())


def seal(pixels: dict[str, str]) -> str:
    """One digest of a set, from stem -> digest of pixels: 16 hexadecimal digits."""
    listed = "".join(f"{stem}\0{pixels[stem]}\n" for stem in sorted(pixels))
    return hashlib.sha256(listed.encode()).hexdigest()[:16]
