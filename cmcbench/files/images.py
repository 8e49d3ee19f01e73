"""Folders of images: listing, names, a stable choice, and reading a picture as RGB."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput, ImageProblem
from .names import plain_name, stem

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def list_images(folder: Path, what: str) -> dict[str, Path]:
    """The images of a folder as stem -> path, sorted by name; {} for a folder that does not exist.

    Pictures are paired by stem, so that x.jpg in one folder meets x.png in another.
    what: the folder's role, for messages. Raises BadInput when two files share a stem or a name is not a plain one.
    """
    if not folder.is_dir():
        if folder.exists():
            raise BadInput(f"{what}: {folder} is a file, not a folder of images.")
        return {}
    images: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.suffix.lower() not in ENDINGS or path.name.startswith(".") or path.is_dir():
            continue
        if not plain_name(path.name):
            raise BadInput(
                f"{what}: {folder} holds a file whose name cannot be used in a CSV: {path.name!r}. Rename it."
            )
        if (name := stem(path.name)) in images:
            raise BadInput(
                f"{what}: {images[name]} and {path.name} differ only in their ending; images are paired by name. "
                "Remove one of them."
            )
        images[name] = path
    return images


def read_rgb(path: Path) -> tuple[Image.Image, str | None]:
    """A picture as 8-bit RGB, and a note where it had to be converted (None for a plain RGB picture).

    Alpha is dropped as the published scripts drop it; 16 bits are scaled to 8 (Pillow's own conversion would clip
    them).
    Raises ImageProblem for a file that is missing, empty, truncated, animated, over Pillow's size limit or no picture.
    """
    from PIL import Image

    with _open(path) as image:
        sixteen_bits = ";16" in str(getattr(image, "tile", ""))  # of RGB, Pillow gives only the upper 8
        try:
            frames = getattr(image, "n_frames", 1)
            if frames == 1:
                image.load()
        except Exception as error:  # what Pillow's decoders raise on damaged data is not in its documentation
            raise ImageProblem(f"{path.name}: is damaged or truncated ({error})") from None
        if frames > 1:
            raise ImageProblem(f"{path.name}: is animated ({frames} frames), expected a still picture")
        if image.mode == "RGB":
            return image.copy(), "had 16 bits a channel, scaled to 8" if sixteen_bits else None
        if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
            return image.convert("RGBA").convert("RGB"), f"had an alpha channel (mode {image.mode}), dropped"
        if image.mode.startswith("I;16") or (image.mode == "I" and _within_16_bits(image)):
            gray = image.convert("I").point(lambda value: value / 257 + 0.5).convert("L")
            return Image.merge("RGB", (gray, gray, gray)), "had 16 bits of gray, scaled to 8 bits and RGB"
        if image.mode in ("L", "1", "P", "CMYK", "YCbCr", "LAB", "HSV"):
            return image.convert("RGB"), f"was in mode {image.mode}, converted to RGB"
    raise ImageProblem(f"{path.name}: has pixels of mode {image.mode}, expected 8-bit RGB")


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels from the file's header alone. Raises ImageProblem."""
    with _open(path) as image:
        return image.size


def is_whole_png(path: Path) -> bool:
    """Whether a PNG of ours is there and complete, by its header and its last chunk; quick enough to ask of
    thousands.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(8)
            file.seek(-12, 2)
            return head == b"\x89PNG\r\n\x1a\n" and file.read() == b"\0\0\0\0IEND\xaeB`\x82"
    except OSError:
        return False


def _open(path: Path) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns above its limit and refuses above twice the limit. We refuse at once, and not by way of the
            # warning: the filters are the process's, and another thread that reads a picture restores them.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except FileNotFoundError:
        raise ImageProblem(f"{path.name}: is not in {path.parent}") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except UnidentifiedImageError:
        found = "an empty file" if path.stat().st_size == 0 else "no picture that Pillow can read"
        raise ImageProblem(f"{path.name}: is {found}") from None
    except Exception as error:  # as in read_rgb
        raise ImageProblem(f"{path.name}: cannot be read ({error})") from None
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        image.close()
        raise _too_large(path)
    return image


def _too_large(path: Path) -> ImageProblem:
    from PIL import Image

    return ImageProblem(f"{path.name}: has more than {Image.MAX_IMAGE_PIXELS} pixels")


def _within_16_bits(image: Image.Image) -> bool:
    lowest, highest = image.getextrema()
    return 0 <= lowest and highest < 1 << 16
