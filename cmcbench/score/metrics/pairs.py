"""Reconstructions with their ground truths, as metrics get them: of one size, on the device where they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


class Picture:
    """An RGB picture as it was read. array: uint8 (height, width, 3)."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    @cached_property
    def array(self) -> np.ndarray:
        import numpy as np

        return np.asarray(self.image)


class Pair:
    """A reconstruction and its ground truth. Several pairs may share a ground truth. caption: that was sent, "" where
    none was or it is not known.
    """

    def __init__(self, truth: Picture, made: Picture, caption: str = "") -> None:
        self.truth, self.made, self.caption = truth, made, caption


class Pairs(Sequence[Pair]):
    """Pairs of one size, those of one ground truth side by side.

    at_once: how many a device should take at a time, None where the metric takes one ground truth's at a time.
    """

    def __init__(self, pairs: list[Pair], at_once: int | None) -> None:
        self.pairs, self.at_once = pairs, at_once
        self.truths = list(dict.fromkeys(pair.truth for pair in pairs))
        self.places = [self.truths.index(pair.truth) for pair in pairs]  # of each pair's ground truth in `truths`
        self._there: dict[tuple[str, bool], Any] = {}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: Any) -> Any:
        return self.pairs[place]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def tensor(self, device: str, truths: bool) -> Any:
        """The ground truths, or the reconstructions, as a uint8 tensor (N, height, width, 3) on `device`.

        It is made once for all metrics, and copied to a GPU without waiting for it.
        """
        key = device, truths
        if key not in self._there:
            import numpy as np
            import torch

            arrays = [each.array for each in (self.truths if truths else [pair.made for pair in self.pairs])]
            found = torch.from_numpy(np.stack(arrays))
            if torch.device(device).type == "cuda":
                found = found.pin_memory().to(device, non_blocking=True)
            self._there[key] = found
        return self._there[key]
