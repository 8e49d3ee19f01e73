"""CDC's authors' file for xparam in miniature: seeded random weights under its names."""

from __future__ import annotations

from pathlib import Path

import torch

from models.codec._cdc.networks import Networks

WIDTH = 4  # the authors' is 64


def cdc_tensors(width: int = WIDTH) -> dict[str, torch.Tensor]:
    """The averaged weights, so drawn that latents are not all zero and their scales differ."""
    torch.manual_seed(0)
    nets = Networks(width)
    with torch.no_grad():
        for name, each in nets.named_parameters():
            if ".affine." in name:
                each.copy_(torch.randn_like(each) * 0.3 - 1)  # so flat that hyper latents fit in
            elif name.endswith("_medians") or ".a." in name:
                each.copy_(torch.randn_like(each) * 0.3)
        nets.context_fn.enc[3][1].conv.weight *= 8
        nets.context_fn.hyper_enc[2][0].weight *= 20
        last = nets.context_fn.hyper_dec[2][0]
        last.bias[4 * width :] = torch.linspace(2, 12, 4 * width)  # of the scales, so wide that latents fit in
    return dict(nets.state_dict())


def cdc_file(path: Path, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """A file as the authors' trainer writes it: the last weights, and with them the averaged ones."""
    ours = cdc_tensors() if tensors is None else tensors
    beside = {f"train_{name}": torch.rand(9) for name in ("snr", "betas", "alphas_cumprod")}
    beside["loss_fn_vgg.net.slice1.0.weight"] = torch.rand(2, 3, 3, 3)
    ema = {"initted": torch.tensor(True), "step": torch.tensor(5)}
    for prefix, factor in (("ema_model.", 1), ("online_model.", 0)):
        ema.update({prefix + name: each * factor for name, each in {**ours, **beside}.items()})
    torch.save({"model": {name: each * 0 for name, each in {**ours, **beside}.items()}, "ema": ema, "step": 7}, path)
    return path
