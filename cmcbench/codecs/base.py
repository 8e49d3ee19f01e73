"""What a picture codec is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from PIL import Image

from ..errors import BadInput, RunFailed


class NoRoom(RunFailed):
    """The encoder cannot write a stream as long as this level's; a coarser one fits."""


class Codec(ABC):
    """A picture codec: an RGB picture and a setting become a stream, a stream and a size become the picture.

    A stream is the payload that a decoder needs, and nothing else: what a container, a comment or an access unit
    delimiter says besides is taken off before it is stored, and what is stored is what is counted.

    settings: the codec's own scale (QP, CRF, quality), from the fewest bits to the finest picture. Whole numbers where
    it knows only such; else any number in between can be coded. A level is a place in it, 0 (fewest bits) to `finest`.
    """

    name: str  # on the command line, in Result/ and in Ref/rate.csv
    extension: str  # of a file that holds a stream, without the dot
    unit: str  # what a setting is called: QP, CRF, quality
    settings: Sequence[float]

    @property
    def finest(self) -> int:
        return len(self.settings) - 1

    @property
    def setup(self) -> str:
        """What the codec is run with, for a manifest: a result made otherwise is not continued."""
        return self.name

    def problem(self) -> str | None:
        """Why this machine cannot run the codec, and the remedy; None where it can."""
        return None

    @abstractmethod
    def compress(self, image: Image.Image, setting: float) -> bytes:
        """The stream of an RGB picture of any size from 1x1. Raises RunFailed, NoRoom where it would be too long."""

    @abstractmethod
    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        """The RGB picture of `size` (width, height) that a stream holds. Raises RunFailed where it holds none such."""

    def encode(self, image: Image.Image, level: int) -> bytes:
        """The stream at a level, 0 <= level <= finest."""
        return self.compress(image, self.settings[level])

    def bits(self, stream: bytes) -> int:
        """Bits of a stream: all of it counts."""
        return 8 * len(stream)

    def setting(self, value: float) -> float:
        """A setting that a user names, checked. Raises BadInput for one that the codec has not."""
        lowest, highest = sorted((self.settings[0], self.settings[-1]))
        whole = all(isinstance(each, int) for each in self.settings)
        if not lowest <= value <= highest or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            raise BadInput(f"{self.name} has no {self.unit} {value:g}; it takes {kind} from {lowest:g} to {highest:g}.")
        return int(value) if whole else value
