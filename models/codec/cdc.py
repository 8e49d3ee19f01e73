"""CDC with x-prediction, a conditional diffusion decoder, with an entropy coder of its own.

`--model_dir` is one of the authors' files for xparam (rhyang/CDC_params on the hub), one for each rate. Their code has
no entropy coder, and its bits per pixel are an estimate; here a stream is written and read back. What the coder's
tables depend on is computed on the CPU in double precision, on both sides alike. Written from the paper (Yang and
Mandt, NeurIPS 2023, arXiv 2209.06950) and the checkpoint's layout.

The authors' numbers: 65 steps of DDIM from noise of 0.8. The weights are under the MIT licence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _weights as weights
from ..base import CodecModel, ModelError
from ._cdc.coder import Decoder, Table, encode

if TYPE_CHECKING:
    import torch
    from PIL import Image

MULTIPLE = 64  # of the padded sides
STEPS, TIMES, NOISE = 65, 8193, 0.8
DROPPED = [r"initted", r"step", r"online_model\..+", r"ema_model\.(train_|loss_fn_vgg\.).+"]
SMALLEST, LARGEST, SCALES = 0.1, 256.0, 128  # of the latents' scales, and how many the coder tells apart
TAIL = 1e-6  # probability that a table may leave to its escape on each side
WIDEST = 2048  # symbols on each side of a table's middle


class Model(CodecModel):
    takes_quality = False
    dtype = "fp32"
    parameters = 0.05

    def inspect(self, model_dir: str | None, part: str, qualities: Sequence[float], command: str | None) -> None:
        super().inspect(model_dir, part, qualities, command)
        if not model_dir:
            raise ModelError("cdc needs --model_dir: one of the files for xparam of rhyang/CDC_params, downloaded.")
        self._file = Path(model_dir).expanduser()
        if not self._file.is_file():
            raise ModelError(f"--model_dir {model_dir}: there is no such file. Give one of rhyang/CDC_params.")
        self.setup = f"cdc, x-prediction, {STEPS} steps"

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, quality: float | None, seed: int) -> None:
        import torch

        if dtype != torch.float32:
            raise ModelError("cdc runs in fp32: leave out --dtype.")
        self._seed, self._device = seed, device
        nets = _networks(self._file)
        # The tables' part stays here in double precision: on another device, or in fp32, two machines would differ
        self._coding = _coding(nets)
        self._nets = nets.to(device).eval()
        prior = self._coding.prior
        with torch.no_grad():
            self._hyper_tables = [Table(*each) for each in _prior_probabilities(prior)]
        self._scale_tables = [_gaussian_table(scale) for scale in _scales()]

    def encode(self, image: Image.Image) -> bytes:
        import torch

        with torch.no_grad():
            latent, hyper = (each.cpu().double() for each in self._nets.context_fn.latents(self._pixels(image)))
            medians = self._coding.prior.medians
            coarse = (hyper - medians).round()
            mean, tables = self._distribution(coarse + medians)
            fine = (latent - mean).round()
        symbols = [*coarse.flatten().int().tolist(), *fine.flatten().int().tolist()]
        return encode(symbols, [*self._of_hyper(coarse.shape), *tables])

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        import torch
        from PIL import Image

        width, height = ((side + -side % MULTIPLE) // 16 for side in size)
        medians = self._coding.prior.medians
        shape = (1, medians.shape[1], height // 4, width // 4)
        reader = Decoder(stream)
        with torch.no_grad():
            coarse = torch.tensor(reader.decode(self._of_hyper(shape)), dtype=torch.float64).reshape(shape)
            mean, tables = self._distribution(coarse + medians)
            fine = torch.tensor(reader.decode(tables), dtype=torch.float64).reshape(mean.shape)
            reader.end()
            made = self._denoised((fine + mean).float().to(self._device))[0, :, : size[1], : size[0]]
        pixels = ((made.clamp(-1, 1) / 2 + 0.5) * 255 + 0.5).clamp(0, 255).byte()
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

    def close(self) -> None:
        self._nets = self._coding = None

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        import numpy as np
        import torch
        from torch.nn.functional import pad

        pixels = torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy() / 127.5 - 1)[None]
        right, below = (-side % MULTIPLE for side in image.size)
        return pad(pixels, (0, right, 0, below), mode="replicate").to(self._device)

    def _of_hyper(self, shape: Sequence[int]) -> list[Table]:
        return [table for table in self._hyper_tables for _ in range(shape[2] * shape[3])]

    def _distribution(self, hyper: torch.Tensor) -> tuple[torch.Tensor, list[Table]]:
        """The latents' means, and the table of each, in their order."""
        mean, scale = self._coding.distribution(hyper)
        step = math.log(LARGEST / SMALLEST) / (SCALES - 1)
        places = (scale.clamp(SMALLEST, LARGEST) / SMALLEST).log().div(step).round().int()
        return mean, [self._scale_tables[place] for place in places.flatten().tolist()]

    def _denoised(self, latent: torch.Tensor) -> torch.Tensor:
        """DDIM without noise between the steps, predicting the picture."""
        import torch

        context = self._nets.context_fn.context(latent)
        batch, _, height, width = context[0].shape
        draw = torch.Generator().manual_seed(self._seed)
        x = (torch.randn((batch, 3, height, width), generator=draw) * NOISE).to(self._device)
        kept = _kept()
        times = torch.linspace(0, TIMES - 1, STEPS).long().tolist()
        for place in reversed(range(STEPS)):
            now, before = kept[times[place]], kept[times[place - 1]] if place else 1.0
            time = torch.full((batch, 1), times[place] / TIMES, device=self._device)
            picture = self._nets.denoise_fn(x, time, context).clamp(-1, 1)
            noise = (x - math.sqrt(now) * picture) / math.sqrt(1 - now)
            x = math.sqrt(before) * picture + math.sqrt(1 - before) * noise
        return x


def _networks(file: Path) -> Any:
    """The networks with the averaged weights of the authors' file. Raises ModelError for another version's."""
    import torch

    from ._cdc.networks import Networks

    tensors = dict(weights.read(file, inside=("ema", "model")))
    first = tensors.get("ema_model.denoise_fn.final_conv.0.g")
    if first is None:
        other = "predicts the noise (epsilonparam)" if "denoise_fn.final_conv.0.g" in tensors else "is no CDC"
        raise ModelError(f"{file} {other}: cdc runs the files for xparam, which have averaged weights.")
    if first.dim() != 4:
        raise ModelError(f"{file} is damaged: its last norm has {first.dim()} dimensions.")
    nets = weights.empty(lambda: Networks(first.shape[1]))
    weights.fill(nets, tensors.items(), [(r"ema_model\.", "")], drop=DROPPED, source=file, dtype=torch.float32)
    return nets


def _coding(nets: Any) -> Any:
    """A copy of the compressor in double precision, on the CPU."""
    import copy

    return copy.deepcopy(nets.context_fn).double().cpu().eval()


def _kept() -> list[float]:
    """The share of the picture's variance that is left at each time: the cosine schedule (Nichol and Dhariwal 2021)."""
    at = [math.cos((place / TIMES + 0.008) / 1.008 * math.pi / 2) ** 2 for place in range(TIMES + 1)]
    left, shares = 1.0, []
    for before, after in zip(at, at[1:]):
        left *= 1 - min(max(1 - after / before, 0), 0.999)
        shares.append(left)
    return shares


def _scales() -> list[float]:
    return [SMALLEST * (LARGEST / SMALLEST) ** (place / (SCALES - 1)) for place in range(SCALES)]


def _gaussian_table(scale: float) -> Table:
    """Of whole numbers under a normal distribution of mean 0."""

    def below(value: float) -> float:
        return 0.5 * math.erfc(-value / scale / math.sqrt(2))

    widest = 0
    while below(-widest - 0.5) > TAIL and widest < WIDEST:
        widest += 1
    return Table(-widest, [below(each + 0.5) - below(each - 0.5) for each in range(-widest, widest + 1)])


def _prior_probabilities(prior: Any) -> list[tuple[int, list[float]]]:
    """For each channel the first symbol whose probability counts, and the probabilities from there on."""
    import torch

    widest = 64
    while True:
        edges = torch.arange(-widest, widest + 2, dtype=torch.float64) - 0.5
        shares = prior.logits(prior.medians[0, :, 0, 0, None] + edges).sigmoid()
        whole = (shares[:, 0] < TAIL).all() and (shares[:, -1] > 1 - TAIL).all()
        if whole or widest >= WIDEST:
            break
        widest *= 2
    found = []
    for row in (shares[:, 1:] - shares[:, :-1]).tolist():
        likely = [place for place, share in enumerate(row) if share > TAIL] or [widest]
        found.append((likely[0] - widest, row[likely[0] : likely[-1] + 1]))
    return found
