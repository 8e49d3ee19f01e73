"""TOPIQ weights for tests: the real architecture, seeded random numbers. Scores mean nothing; their equality does.

Not small (145 and 181 MB, as the published files): pyiqa's network has no other size.
"""

from __future__ import annotations

from pathlib import Path

import torch

FILES = {"FR": "topiq-fr.pth", "NR": "topiq-nr.pth"}


def weights(folder: Path | str, seed: int = 0) -> tuple[Path, Path]:
    """Write topiq-fr.pth and topiq-nr.pth into `folder` in pyiqa's format ({"params": state dict}); return their paths.

    The same seed gives the same files. pyiqa loads them with
    `pyiqa.create_metric("topiq_fr", pretrained_model_path=str(path), backbone_pretrain=False)`.
    """
    folder = Path(folder)
    paths = tuple(folder / FILES[kind] for kind in ("FR", "NR"))
    for path, kind in zip(paths, FILES):
        torch.save({"params": state_dict(kind, seed)}, path)
    return paths


def state_dict(kind: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of pyiqa's CFANet with ResNet-50, `kind` "FR" or "NR"."""
    from pyiqa.archs.topiq_arch import CFANet  # takes seconds: only who makes weights pays

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = CFANet(use_ref=kind == "FR", pretrained=False, backbone_pretrain=False)
        for module in net.modules():
            _perturb(module)
        _sharpen(net)
    return net.state_dict()


@torch.no_grad()
def _perturb(module: torch.nn.Module) -> None:
    """Move every parameter off the value (mostly 0 or 1) at which an error in using it would not show."""
    if isinstance(module, torch.nn.BatchNorm2d):
        # Two branches are added in each block: activations must neither vanish nor explode over 16 of them
        module.weight.uniform_(0.6, 1.1)
        module.bias.normal_(0, 0.1)
        module.running_mean.normal_(0, 0.1)
        module.running_var.uniform_(0.5, 2.0)
    elif isinstance(module, torch.nn.LayerNorm):
        module.weight.uniform_(0.7, 1.3)
        module.bias.normal_(0, 0.2)
    elif isinstance(module, torch.nn.MultiheadAttention):
        module.in_proj_weight.mul_(3)  # else attention is nearly uniform and hides errors in queries and keys
        module.in_proj_bias.normal_(0, 0.2)
        module.out_proj.bias.normal_(0, 0.2)
    elif isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and module.bias is not None:
        module.bias.normal_(0, 0.2)


@torch.no_grad()
def _sharpen(net: torch.nn.Module) -> None:
    """Make scores depend on the picture as much as real ones do (differences of hundredths), not on the biases
    alone.
    """
    net.semantic_model.conv1.weight.mul_(4)
    for part in (net.weight_pool, net.dim_reduce):
        for module in part.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.mul_(2.5)
    net.score_linear[-1].weight.mul_(4)
