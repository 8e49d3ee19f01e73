"""Two targets that one and two processes score."""

from __future__ import annotations

from PIL import Image, ImageFilter


def prepare(faked, truth):
    """The images of `truth` in two modes, once for one process and once for two."""
    for target in ("one", "two"):
        for radius, mode in enumerate(("full", "text"), 1):
            (faked.folder / "Result" / target / mode).mkdir(parents=True)
            for path in truth.iterdir():
                with Image.open(path) as image:
                    image.filter(ImageFilter.GaussianBlur(radius)).save(
                        faked.folder / "Result" / target / mode / path.name
                    )
    return faked
