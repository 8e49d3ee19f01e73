"""Where a model computes and in which number format: `--device` and `--dtype`."""

from __future__ import annotations

from typing import Any

from ..errors import BadInput


def resolve_device(device: str) -> str:
    """The device to compute on. Imports torch. Raises BadInput for one that this machine does not have."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=device).cpu()  # "meta" makes tensors, but has no numbers to bring back
    except (RuntimeError, AssertionError, ImportError):  # NotImplementedError is a RuntimeError
        here = f"cpu, {torch.cuda.device_count()} CUDA device(s)"
        raise BadInput(
            f"--device {device}: this machine has no such device. It has: {here}. Use --device auto."
        ) from None
    return device


def resolve_dtype(dtype: str, device: str, own: str | None = None) -> tuple[str, Any]:
    """What `--dtype` means on a device: its name ("fp32", "fp16", "bf16") and torch's dtype.

    own: what the model itself wants on a GPU where the user does not say.
    """
    import torch

    if dtype == "auto":
        dtype = "fp32" if torch.device(device).type == "cpu" else own or "fp16"  # "cpu:0" is one too
    return dtype, {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
