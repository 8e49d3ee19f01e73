"""CompressAI's image codecs, compressai:NAME, where that package is installed.

Weights are those of `compressai.zoo` (trained for MSE), fetched by that package, or a checkpoint's state_dict, given by
`--model_dir`. Sides are padded with black to multiples of 64, as CompressAI's own evaluation does. A stream is the
package's entropy-coded strings and the length of the second, where there are two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _weights as weights
from ..base import CodecModel, ModelError, first_line

if TYPE_CHECKING:
    import torch
    from PIL import Image

MULTIPLE = 64  # of the padded sides
# Its own list asks for NumPy below 2, which would replace this project's; it runs with NumPy 2 (tested)
PACKAGES, INSTALL = ("compressai", "pytorch-msssim", "torch-geometric"), "pip install --no-deps"
VARIABLE = "-vbr"  # ends the names of codecs whose rate is a number and no quality; they are not run here
INSIDE = ("state_dict", "network")


class Model(CodecModel):
    packages, install = PACKAGES, INSTALL
    dtype = "fp32"

    def inspect(self, model_dir: str | None, part: str, qualities: Sequence[float], command: str | None) -> None:
        zoo = _zoo()
        if part not in zoo:
            there = ", ".join(f"compressai:{name}" for name in zoo)
            raise ModelError(f"there is no codec 'compressai:{part}'. There are: {there}.")
        if model_dir and len(qualities) > 1:
            raise ModelError("--model_dir is a checkpoint of one quality: give one --quality with it.")
        for quality in qualities:
            try:
                zoo[part](quality=int(quality) if quality == int(quality) else quality, pretrained=False)
            except (ValueError, KeyError) as error:
                raise ModelError(f"compressai:{part} has no quality {quality:g} ({first_line(error)}).") from error
        self._part, self.setup = part, f"compressai {_version()} {part}, mse"

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, quality: float | None, seed: int) -> None:
        if str(dtype) != "torch.float32":
            raise ModelError("compressai runs in fp32, so that both sides compute the same: leave out --dtype.")
        assert quality is not None
        net = _network(_zoo()[self._part], int(quality), model_dir)
        self._net, self._device = net.to(device).eval(), device
        self._net.update(force=True)

    def encode(self, image: Image.Image) -> bytes:
        import numpy as np
        import torch
        from torch.nn.functional import pad

        pixels = torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy() / 255)[None]
        with torch.no_grad():
            sent = self._net.compress(pad(pixels.to(self._device), _padding(image.size)))["strings"]
        latent, *side = (each[0] for each in sent)
        return b"".join([*(_number(len(each)) + each for each in side), latent])

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        import torch
        from PIL import Image

        left, right, above, below = _padding(size)
        width, height = size
        # Of the two transforms of a hyperprior the second is coded: four times smaller on each side than the first
        factor = 64 if hasattr(self._net, "h_a") else 16
        shape = (height + above + below) // factor, (width + left + right) // factor
        strings = [[stream]]
        if factor == 64:
            length, start = _read_number(stream)
            strings = [[stream[start + length :]], [stream[start : start + length]]]
        try:
            with torch.no_grad():
                made = self._net.decompress(strings, shape)["x_hat"][0, :, above : above + height, left : left + width]
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelError(f"compressai cannot decode this stream ({first_line(error)})") from error
        return Image.fromarray((made.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())

    def close(self) -> None:
        self._net = None


def _zoo() -> dict[str, Callable[..., Any]]:
    """CompressAI's image codecs by name. Raises ModelError where it is not installed, or does not import."""
    try:
        from compressai.zoo import image_models
    except ImportError as error:
        remedy = f"{INSTALL} {' '.join(PACKAGES)}"
        raise ModelError(f"the package compressai cannot be used ({first_line(error)}). Try: {remedy}") from error
    return {name: build for name, build in image_models.items() if not name.endswith(VARIABLE)}


def _version() -> str:
    import compressai

    return str(compressai.__version__)


def _network(build: Callable[..., Any], quality: int, model_dir: str | None) -> Any:
    if model_dir is None:
        try:
            return build(quality=quality, pretrained=True)
        except OSError as error:  # no network, a broken download
            raise ModelError(
                f"CompressAI's weights cannot be fetched ({first_line(error)}). Give a checkpoint with --model_dir."
            ) from error
    from compressai.zoo import load_state_dict

    net = build(quality=quality, pretrained=False)
    try:
        net.load_state_dict(load_state_dict(dict(weights.read(Path(model_dir).expanduser(), INSIDE))))
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"--model_dir {model_dir} is of another codec or quality ({first_line(error)}).") from error
    return net


def _padding(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Black pixels beside a picture of (width, height): left, right, above, below."""
    width, height = (-side % MULTIPLE for side in size)
    return width // 2, width - width // 2, height // 2, height - height // 2


def _number(value: int) -> bytes:
    """A length in as few bytes as it needs: seven bits each, the last with its highest bit off."""
    rest, low = divmod(value, 128)
    return bytes([low]) if not rest else bytes([low | 128]) + _number(rest)


def _read_number(stream: bytes) -> tuple[int, int]:
    """A length at the beginning of a stream, and where it ends. Raises ModelError where there is none."""
    value = 0
    for place, byte in enumerate(stream[:4]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, place + 1
    raise ModelError("this is no stream of compressai's")
