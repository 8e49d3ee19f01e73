"""Colours as sRGB: by a picture's ICC profile, by PNG's gAMA and cHRM, or by the code points of PNG's cICP and AVIF."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from . import icc
from .bounds import Facts, Unfit

if TYPE_CHECKING:
    from PIL import Image

LARGEST_PROFILE = 8 << 20  # bytes; profiles of printers have up to 4 MiB
SAME = 1  # levels of 255 by which a profile may differ from sRGB and still be called sRGB
SRGB_GAMMA = (0.44, 0.47)  # gAMA of files that mean sRGB (1/2.2 = 0.45455)
SRGB_XY = 0.01  # by which cHRM of files that mean sRGB may differ from it
SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
HDR = {16: "PQ", 18: "HLG"}  # transfer by ITU-T H.273
PRIMARIES = {12: icc.P3, 9: icc.BT2020}
LINEAR = 8


def to_srgb(image: Image.Image, info: dict[Any, Any], facts: Facts) -> tuple[Image.Image, str | None]:
    """An 8-bit picture (RGB, L, CMYK or LAB) as RGB in sRGB, and a note where its colours were changed or could not be.

    A picture that says nothing of its colours, or that they are sRGB, keeps its values. Raises Unfit for HDR.
    """
    if facts.cicp and facts.cicp[1] in HDR:
        raise Unfit(f"is a high dynamic range picture ({HDR[facts.cicp[1]]}), expected 8-bit sRGB")
    if image.mode == "LAB":
        return _transformed(image, None, "LAB")
    try:
        profile, name = _profile(info, facts)
    except ValueError as error:
        return image.convert("RGB"), f"says of its colours what cannot be used ({error}); read as sRGB"
    if not profile:
        return image.convert("RGB"), None
    # A profile made of numbers, which has a name, is one of RGB
    return _transformed(image.convert("RGB") if name and image.mode == "L" else image, profile, name)


def _profile(info: dict[Any, Any], facts: Facts) -> tuple[bytes, str]:
    """(ICC profile, what it is called) of what a picture says of its colours, (b"", "") where that is nothing.

    The order is that of the PNG specification (third edition, 13.13). Raises ValueError for what cannot be used.
    """
    if facts.cicp is not None:
        primaries, transfer = facts.cicp
        if primaries in PRIMARIES or transfer == LINEAR:
            curve = (1.0,) if transfer == LINEAR else icc.SRGB_CURVE
            return icc.profile(PRIMARIES.get(primaries, icc.SRGB), curve), f"CICP {primaries}/{transfer}"
    if "icc_profile" in info:
        profile = info["icc_profile"]
        if not profile or len(profile) > LARGEST_PROFILE:
            raise ValueError("its ICC profile is damaged" if not profile else "its ICC profile is too large")
        return profile, ""
    if "srgb" in info or not ("gamma" in info or "chromaticity" in info):
        return b"", ""
    gamma = info.get("gamma", 0.45455)
    xy = tuple(info.get("chromaticity", icc.SRGB))
    if not 0.05 <= gamma <= 5:
        raise ValueError(f"its gAMA is {gamma:g}")
    is_srgb = SRGB_GAMMA[0] <= gamma <= SRGB_GAMMA[1]
    if is_srgb and len(xy) == 8 and all(abs(here - there) <= SRGB_XY for here, there in zip(xy, icc.SRGB)):
        return b"", ""
    return icc.profile(xy, (1 / gamma,)), f"gAMA {gamma:g}" if "gamma" in info else "cHRM"


def _transformed(image: Image.Image, profile: bytes | None, name: str) -> tuple[Image.Image, str | None]:
    from PIL import ImageCms

    try:
        transform, name = _transform(profile, image.mode, name)
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError, TypeError) as error:
        if image.mode == "LAB":
            raise Unfit(f"has pixels of mode LAB, which cannot be converted ({error})") from None
        said = str(error).strip("'\" ") or "it is damaged"
        return image.convert("RGB"), f"has an ICC profile that cannot be used ({said[:80]}); read as sRGB"
    if transform is None:
        return image.convert("RGB"), None
    converted = ImageCms.applyTransform(image, transform)
    return converted, f"had the colours of {name}, converted to sRGB"


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes | None, mode: str, name: str) -> tuple[Any, str]:
    """(ImageCms's transform to sRGB, the profile's name); None for a profile that is sRGB's. Raises PyCMSError etc."""
    import io

    from PIL import Image, ImageCms

    source = ImageCms.createProfile("LAB") if profile is None else ImageCms.getOpenProfile(io.BytesIO(profile))
    space = source.xcolor_space if profile is None else source.profile.xcolor_space
    if space != SPACES[mode]:
        raise ValueError(f"it is for {space.strip()}, and the picture is {mode}")
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode in ("RGB", "L"):
        levels = [round(255 * step / 16) for step in range(17)]
        probe = Image.frombytes("L", (256, 1), bytes(range(256)))
        if mode == "RGB":
            colours = bytes(
                value for red in levels for green in levels for blue in levels for value in (red, green, blue)
            )
            probe = Image.frombytes("RGB", (17 * 17, 17), colours)
        after = ImageCms.applyTransform(probe, transform).tobytes()
        if max(abs(here - there) for here, there in zip(probe.convert("RGB").tobytes(), after)) <= SAME:
            return None, ""
    if not name:
        said = (source.profile.profile_description or "").strip()
        name = f"the ICC profile {said[:60]!r}" if said and said.isprintable() else "an ICC profile"
    return transform, name
