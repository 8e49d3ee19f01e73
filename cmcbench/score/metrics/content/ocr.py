"""What is written in screen content, and how much of it a reconstruction still says.

The character error rate: the edits (Levenshtein's) that turn what OCR reads in the reconstruction into what the same
OCR reads in the ground truth, divided by the characters of the latter. Lines are read from top to bottom and joined
without their spaces, capitals made small, since where a line is broken or a letter is large is no error of the text.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import BadInput, ImageProblem, RunFailed, first_line
from ....protocol import content_type
from ..base import LeftOut, Metric

if TYPE_CHECKING:
    from PIL import Image

LIST = "requirements-field.txt"
SCREEN = "SCI"
FEWEST = 8  # characters that OCR must read in a ground truth: below, it is mostly texture taken for letters
SURE = 0.5  # of 0 to 1, how sure OCR must be of a line
SIDE = 2000  # pixels: longer sides are not read larger
MOST = 4000  # characters of a picture that are compared
PARTS = ("Det", "Rec")


class OcrCer(Metric):
    """Lower is better, from 0; 1 where nothing is read any more, above 1 where more is read than was there. Of screen
    content (SCI) in whose ground truth OCR reads FEWEST characters or more. On the CPU, whatever the device.
    """

    name = "ocr_cer"
    needs_truth = True
    lower_is_better = True
    of_every_image = False

    def __init__(self) -> None:
        versions = []
        for package in ("rapidocr", "onnxruntime"):
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                raise BadInput(f"{package} is not installed: pip install -r {LIST}") from None
        self.identity = f"{versions[0]}, its own models"
        self.read: tuple[Any, str] = (None, "")  # the last ground truth and its text

    def takes(self, name: str) -> bool:
        return content_type(name) == SCREEN

    def load(self, device: str) -> None:
        package = importlib.util.find_spec("rapidocr")
        folder = Path(package.origin).parent / "models" if package and package.origin else Path()
        try:
            import rapidocr

            self.ocr: Any = rapidocr.RapidOCR(params=_settings(folder))
        except RunFailed:
            raise
        except Exception as error:  # rapidocr and onnxruntime raise what their parts raise
            raise RunFailed(
                f"metric {self.name} cannot be made ready: {first_line(error)[:200].rstrip('.')}. Install"
                f" again with: pip install -r {LIST}"
            ) from None

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        if self.read[0] is not truth:
            self.read = truth, self.text(truth)
        expected = self.read[1]
        if len(expected) < FEWEST:
            raise LeftOut(f"OCR reads {len(expected)} characters in its ground truth, fewer than {FEWEST}")
        return [edits(self.text(picture), expected) / len(expected) for picture in pictures]

    def text(self, picture: Image.Image) -> str:
        """What OCR reads in a picture, normalised, from the top to the bottom. Raises ImageProblem."""
        import numpy as np
        from PIL import Image

        picture = picture.copy()
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        try:
            found = self.ocr(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))
        except Exception as error:  # rapidocr and onnxruntime raise what their parts raise
            raise ImageProblem(f"OCR does not take it: {first_line(error)[:200]}") from None
        lines = [text for text, sure in zip(found.txts or (), found.scores or ()) if sure >= SURE]
        return normalised("".join(lines))[:MOST]


def normalised(text: str) -> str:
    """Without white space, in one form of Unicode (NFKC), small letters."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein's distance: insertions, deletions and substitutions that turn one into the other."""
    import numpy as np

    if not one or not other:
        return max(len(one), len(other))
    codes = np.array([ord(letter) for letter in other])
    places = np.arange(len(other) + 1)
    row = places.copy()
    for letter in one:
        kept = row[:-1] + (codes != ord(letter))
        best = np.concatenate([[row[0] + 1], np.minimum(kept, row[1:] + 1)])
        row = np.minimum.accumulate(best - places) + places  # insertions, all at once
    return int(row[-1])


def _settings(folder: Path) -> dict[str, Any]:
    """RapidOCR's parameters. Models are named by path, because unnamed ones are downloaded where they are missing."""
    settings: dict[str, Any] = {"Global.log_level": "critical", "Global.use_cls": False, "Global.text_score": SURE}
    for part in PARTS:
        files = sorted(folder.glob(f"*_{part.lower()}_*.onnx"))
        if not files:
            raise RunFailed(
                f"metric ocr_cer cannot be made ready: rapidocr has no *_{part.lower()}_*.onnx in {folder}. Install it"
                f" again with: pip install --force-reinstall --no-deps rapidocr"
            )
        settings[f"{part}.model_path"] = str(files[0])
    return settings
