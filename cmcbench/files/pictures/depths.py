"""Pixels of every kind that Pillow gives, as 8 bits a channel: RGB, L, CMYK or LAB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bounds import Facts, Unfit

if TYPE_CHECKING:
    from PIL import Image

ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def eight_bits(image: Image.Image, form: str, facts: Facts, raw_mode: str) -> tuple[Image.Image, list[str]]:
    """A loaded picture as 8 bits a channel of RGB, L, CMYK or LAB, and notes of what was changed.

    raw_mode: of the file's pixels, as Pillow's decoder was told. Alpha is dropped as the published scripts drop it; 16
    bits are scaled to 8 (Pillow's own conversion of gray would clip them). Raises Unfit for pixels of another kind.
    """
    if facts.signed and facts.bits <= 16:
        raise Unfit("has signed samples, expected 8-bit RGB")
    notes = []
    if ";16" in raw_mode and not raw_mode.startswith("BGR") or (form in ("JPEG2000", "AVIF") and facts.bits > 8):
        bits = facts.bits if form in ("JPEG2000", "AVIF") else 16
        notes.append(f"had {bits} bits a channel, scaled to 8")
    if image.mode in ("RGB", "L", "CMYK", "LAB"):
        return image, notes
    if image.mode in ALPHA:
        gray = image.mode in ("LA", "La")
        plain = image.convert("LA").convert("L") if gray else image.convert("RGBA").convert("RGB")
        return plain, [*notes, f"had an alpha channel (mode {image.mode}), dropped"]
    if image.mode.startswith("I;16") or (image.mode == "I" and _within_16_bits(image)):
        return _from_gray(image, form, facts)
    if image.mode == "P":
        if "transparency" in image.info:
            note = "was in mode P with transparency, converted to RGB without it"
            return image.convert("RGBA").convert("RGB"), [note]
        return image.convert("RGB"), ["was in mode P, converted to RGB"]
    if image.mode in ("1", "YCbCr", "HSV"):
        return image.convert("RGB"), [f"was in mode {image.mode}, converted to RGB"]
    kind = "floating point pixels" if image.mode == "F" else "32-bit pixels" if image.mode == "I" else "pixels"
    raise Unfit(f"has {kind} of mode {image.mode}, expected 8-bit RGB")


def _from_gray(image: Image.Image, form: str, facts: Facts) -> tuple[Image.Image, list[str]]:
    """Gray of 9 to 16 bits as L: the nearest of 255 levels to each value."""
    bits = facts.bits if form == "TIFF" and 8 < facts.bits < 16 else 16
    largest = (1 << bits) - 1
    levels = [min(255, (value * 510 + largest) // (2 * largest)) for value in range(1 << 16)]
    notes = [f"had {facts.bits if 8 < facts.bits < 16 else 16} bits of gray, scaled to 8 bits and RGB"]
    if form == "TIFF" and facts.inverted:  # Pillow does so up to 8 bits
        levels = [255 - level for level in levels]
        notes.append("had white as 0, inverted")
    return image.convert("I").point(levels, "L"), notes


def _within_16_bits(image: Image.Image) -> bool:
    lowest, highest = image.getextrema()
    return 0 <= lowest and highest < 1 << 16
