"""How the board names modes, Overall rows and metrics, in tables, figures and on the page alike."""

from __future__ import annotations

from ..protocol import MODES, OVERALL_METRICS, PLAIN

OVERALL, OVERALL_I2T = "overall", "overall-i2t"
ORDER = [*MODES, PLAIN, OVERALL, OVERALL_I2T]

LABELS = dict(zip(OVERALL_METRICS, ("FR", "NR")))  # in the tables of the paper, which are of TOPIQ alone

NAMES = {  # of metrics, where there is room
    "topiq_fr": "TOPIQ FR",
    "topiq_nr": "TOPIQ NR",
    "ms_ssim": "MS-SSIM",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "piqe": "PIQE",
    "lpips": "LPIPS",
    "clipsim": "CLIPSIM",
    "clipiqa": "CLIP-IQA",
    "liqe": "LIQE",
    "fid": "FID",
    "vif": "VIF",
    "fsim": "FSIM",
    "gmsd": "GMSD",
    "vsi": "VSI",
    "niqe": "NIQE",
    "brisque": "BRISQUE",
    "dists": "DISTS",
    "lpips-vgg": "LPIPS (VGG)",
    "musiq": "MUSIQ",
    "cw_ssim": "CW-SSIM",
    "ms_ssim_rgb": "MS-SSIM (RGB)",
    "ms_ssim_compressai": "MS-SSIM (RGB, CompressAI)",
    "clipscore": "CLIPScore",
    "clipscore_truth": "CLIPScore of the truth",
    "dino": "DINOv2",
    "ocr_cer": "OCR error",
    "kid": "KID",
    "fid_dinov2": "FID (DINOv2)",
    **{f"{kind}{side}": f"{kind.upper()}/{side}" for kind in ("fid", "kid") for side in (64, 128, 256)},
}

VARIANTS = {  # of metrics of which papers print several under one name: which one a metric here is
    "topiq_fr": "cmc-bench",  # fine-tuned for the benchmark
    "topiq_nr": "cmc-bench",
    "psnr": "rgb",
    "psnry": "y",
    "ssim": "y",
    "ssimc": "rgb",
    "ms_ssim": "y",
    "ms_ssim_rgb": "rgb",
    "lpips": "alex",
    "lpips-vgg": "vgg",
    "musiq": "koniq",
    "liqe": "koniq",
    "fid": "clean",  # whole pictures resized as clean-fid does; torch-fidelity and others resize otherwise
    "kid": "clean",
}


def counted(count: int, word: str) -> str:
    """ "1 curve", "3 curves"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def arrow(lower_is_better: bool) -> str:
    """Which way a metric is better."""
    return "↓" if lower_is_better else "↑"
