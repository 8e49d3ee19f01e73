"""MS-SSIM of RGB pictures, as papers on learned codecs print it (Wang, Simoncelli and Bovik, Multi-scale structural
similarity for image quality assessment, Asilomar 2003).

Two definitions go by that name. `ms_ssim_rgb` is torchmetrics': the contrast terms of the five scales without their
margins, the whole term of the coarsest with reflected margins, each a mean over pixels and planes before the product.
`ms_ssim_compressai` is that of pytorch-msssim, which CompressAI calls: no margins anywhere, odd sides padded when they
are halved, a product for each plane and then their mean. On the samples they differ in the third decimal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ImageProblem
from .base import AtOnce, Metric
from .pairs import Pair, Pairs, Picture

if TYPE_CHECKING:
    from PIL import Image

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of the scales, the paper's
WINDOW, SIGMA = 11, 1.5  # pixels, of the Gaussian
C1, C2 = 0.01**2, 0.03**2  # for values from 0 to 1
SMALLEST = (WINDOW - 1) * 2 ** (len(BETAS) - 1) + 1  # pixels of the shorter side: the window fits at every scale


class MsSsim(Metric):
    """Higher is better, 0 to 1; RGB from 0 to 1. margins: torchmetrics' definition, else pytorch-msssim's."""

    needs_truth = True

    def __init__(self, name: str = "ms_ssim_rgb", margins: bool = True) -> None:
        self.name, self.margins = name, margins
        self.identity = f"RGB, {'torchmetrics' if margins else 'pytorch-msssim'} definition, 1"
        self.at_once = AtOnce()

    def load(self, device: str) -> None:
        self.device = device

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        of = Picture(truth)
        return self.score_pairs(Pairs([Pair(of, Picture(each)) for each in pictures], None))

    def score_pairs(self, pairs: Pairs) -> list[float]:
        width, height = pairs.pairs[0].truth.image.size
        if min(width, height) < SMALLEST:
            raise ImageProblem(f"{self.name} needs {SMALLEST} pixels on either side, and it is {width}x{height}")
        made, truth = (pairs.tensor(self.device, truths) for truths in (False, True))

        def some(places: Any) -> list[float]:
            here = slice(places[0], places[-1] + 1)
            return ms_ssim(_planes(made[here]), _planes(truth[pairs.places[here]]), self.margins).tolist()

        return self.at_once.each(some, range(len(pairs)), pairs.at_once or 1)


def ms_ssim(made: Any, truth: Any, margins: bool) -> Any:
    """MS-SSIM of tensors (N, 3, height, width) from 0 to 1, each side SMALLEST or more: (N,)."""
    import torch
    from torch.nn import functional

    terms = []  # of each scale (N, 3)
    with torch.inference_mode():
        for scale in range(len(BETAS)):
            last = scale == len(BETAS) - 1
            whole, contrast = _similarity(made, truth, margins, last)
            terms.append(whole if last else contrast)
            padding = [0, 0] if margins else [side % 2 for side in made.shape[2:]]
            made, truth = (functional.avg_pool2d(each, 2, padding=padding) for each in (made, truth))
        stacked = torch.stack(terms)
        if margins:
            stacked = stacked.mean(2, keepdim=True)
        weights = torch.tensor(BETAS, dtype=stacked.dtype, device=stacked.device)[:, None, None]
        return (stacked.clamp(min=0) ** weights).prod(0).mean(1)


def _similarity(one: Any, other: Any, margins: bool, last: bool) -> tuple[Any, Any]:
    """SSIM and its contrast term, means of each plane: (N, 3) both. margins: as of `ms_ssim`; last: of the coarsest
    scale.
    """
    import torch
    from torch.nn import functional

    offsets = torch.arange(WINDOW, dtype=one.dtype, device=one.device) - WINDOW // 2
    window = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    window = (window / window.sum()).expand(3, 1, 1, WINDOW)
    if margins and last:
        one, other = (functional.pad(each, [WINDOW // 2] * 4, mode="reflect") for each in (one, other))

    def blurred(planes: Any) -> Any:
        across = functional.conv2d(planes, window, groups=3)
        return functional.conv2d(across, window.transpose(2, 3), groups=3)

    means = blurred(one), blurred(other)
    product = means[0] * means[1]
    spread = blurred(one * one) - means[0] ** 2, blurred(other * other) - means[1] ** 2
    if margins:  # what rounding makes negative in flat areas
        spread = spread[0].clamp(min=0), spread[1].clamp(min=0)
    contrast = (2 * (blurred(one * other) - product) + C2) / (spread[0] + spread[1] + C2)
    whole = (2 * product + C1) / (means[0] ** 2 + means[1] ** 2 + C1) * contrast
    return whole.mean((2, 3)), contrast.mean((2, 3))


def _planes(pictures: Any) -> Any:
    """uint8 (N, height, width, 3) as float (N, 3, height, width) from 0 to 1."""
    return pictures.permute(0, 3, 1, 2).float().div(255)
