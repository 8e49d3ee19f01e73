"""A picture's bytes decoded by Pillow to 8-bit sRGB, upright; the same in this process and in a worker."""

from __future__ import annotations

import io
import time
import warnings
from typing import TYPE_CHECKING

from .bounds import Facts, Unfit, check
from .colours import to_srgb
from .depths import eight_bits
from .upright import orientation_of, upright, upright_size

if TYPE_CHECKING:
    from PIL import Image

SECONDS = 60  # for one picture; the largest that Pillow opens takes a tenth of it
LAYERED = ("PSD", "ICO")  # of which Pillow gives the whole picture, however many layers or sizes there are


class _Timed(io.BytesIO):
    """A file in memory that is read within SECONDS: Pillow's decoders come back for more again and again."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._end = time.monotonic() + SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._end:
            raise TimeoutError
        return super().read(size)


def decoded(data: bytes, form: str) -> tuple[Image.Image, str | None]:
    """(an RGB picture without metadata, a note of what was converted). form: one of FORMATS. Raises Unfit."""
    data, facts = check(data, form)
    with opened(data, form) as image:
        raw_mode = _raw_mode(image)
        try:
            if form not in LAYERED and form != "TIFF" and getattr(image, "n_frames", 1) > 1:
                facts = _of_several(image, form, facts)
            image.load()
            exif = facts.exif or image.info.get("exif")
            orientation = facts.orientation if form == "TIFF" else orientation_of(exif)
            plain, notes = eight_bits(image, form, facts, raw_mode)
            rgb, note = to_srgb(plain, image.info, facts)
        except Unfit:
            raise
        except MemoryError:
            raise Unfit(f"needs more memory than there is for its {image.width}x{image.height} pixels") from None
        except TimeoutError:
            raise Unfit(f"takes more than {SECONDS} seconds to decode") from None
        except Exception as error:  # what Pillow's decoders raise on damaged data is not in its documentation
            raise Unfit(f"is damaged or truncated ({error or type(error).__name__})") from None
        if plain.mode != "RGB" and plain.mode == image.mode:
            notes.append(f"was in mode {plain.mode}, converted to RGB")
        notes += [note] if note else []
        if orientation != 1:
            notes.append(f"was turned upright (orientation {orientation})")
            rgb = rgb if form == "TIFF" else upright(rgb, orientation)  # Pillow turns TIFF itself
        if facts.pictures > 1:
            notes.append(f"holds {facts.pictures} pictures, the first was taken")
        rgb = rgb.copy() if rgb is image else rgb
        rgb.info = {}  # no EXIF, profile or text of the file goes into what is made of it
        return rgb, "; ".join(notes) or None


def size_of(data: bytes, form: str) -> tuple[int, int]:
    """(width, height) of the upright picture, from its header. Raises Unfit."""
    data, facts = check(data, form)
    with opened(data, form) as image:
        # Pillow swaps the sides of a TIFF itself
        return image.size if form == "TIFF" else upright_size(image.size, orientation_of(image.info.get("exif")))


def opened(data: bytes, form: str) -> Image.Image:
    """The picture before its pixels are decoded. Raises Unfit."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns above its limit and refuses above twice the limit. We refuse at once, and not by way of the
            # warning: the filters are the process's, and another thread that reads a picture restores them.
            warnings.simplefilter("ignore")
            image = Image.open(_Timed(data), formats=[form])
    except Image.DecompressionBombError:
        raise too_large() from None
    except UnidentifiedImageError:
        raise Unfit(f"is damaged, or a {form} of a kind that Pillow does not read") from None
    except MemoryError:
        raise Unfit("needs more memory than there is") from None
    except TimeoutError:
        raise Unfit(f"takes more than {SECONDS} seconds to decode") from None
    except Exception as error:  # as in decoded
        raise Unfit(f"cannot be read ({error or type(error).__name__})") from None
    check_size(*image.size)
    return image


def check_size(width: int, height: int) -> None:
    """Refuse a picture of more pixels than Pillow's limit, which a user may lift. Raises Unfit."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        raise too_large()


def too_large() -> Unfit:
    from PIL import Image

    return Unfit(f"has more than {Image.MAX_IMAGE_PIXELS} pixels")


def _of_several(image: Image.Image, form: str, facts: Facts) -> Facts:
    """What holds of a file of several pictures: photos beside the first are left, an animation is refused."""
    import dataclasses

    frames = getattr(image, "n_frames", 1)
    if form == "JPEG":  # MPO: further views, or a gain map
        return dataclasses.replace(facts, pictures=frames)
    raise Unfit(f"is animated ({frames} frames), expected a still picture")


def _raw_mode(image: Image.Image) -> str:
    """What Pillow's decoder knows about the pixels in the file, "" where it knows nothing."""
    for tile in getattr(image, "tile", ())[:1]:
        arguments = tile[3]
        arguments = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        return arguments if isinstance(arguments, str) else ""
    return ""
