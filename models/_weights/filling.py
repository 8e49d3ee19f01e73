"""Tensors put into a module of ours under its own names, every name of the file and of the module accounted for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..base import ModelError
from .files import some

if TYPE_CHECKING:
    import torch

    from .files import Named


def empty(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """The module that `build` makes, without memory for its parameters ("meta"); its buffers are computed as ever."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        return build().eval()


def fill(
    module: torch.nn.Module,
    tensors: Iterable[Named],
    renames: Sequence[tuple[str, str]] = (),
    convert: Callable[[str, torch.Tensor], Iterable[Named]] | None = None,
    drop: Sequence[str] = (),
    computed: Sequence[str] = (),
    source: object = "the checkpoint",
    device: str = "cpu",
    dtype: torch.dtype | None = None,
) -> None:
    """Put the tensors of a file into `module`, each once, and each parameter and stored buffer of `module` filled.

    renames: (pattern, replacement) for the beginning of a name, the first that matches counts.
    convert: after that, what becomes of a tensor: none, one or several (name, tensor) of the module.
    drop: patterns of whole names in the file that are not wanted, before renaming.
    computed: patterns of whole names in the module that need not be in the file.
    device, dtype: where and as what parameters that are "meta" are made; dtype None: as the module has them.
    Raises ModelError for names that are missing or left over, with a list, and for another shape.
    """
    import torch

    wanted = module.state_dict(keep_vars=True)
    filled: set[str] = set()
    left: dict[str, None] = {}  # in the file's order
    with torch.no_grad():
        for name, tensor in tensors:
            if _matches(drop, name):
                continue
            for new, part in (
                convert(_renamed(name, renames), tensor) if convert else [(_renamed(name, renames), tensor)]
            ):
                if new not in wanted or new in filled:
                    left[name] = None
                    continue
                if part.shape != wanted[new].shape:
                    sizes = f"{list(part.shape)}, its configuration says {list(wanted[new].shape)}"
                    raise ModelError(
                        f"{source}: {name} is of size {sizes}: weights and configuration do not belong together."
                    )
                _check_numbers(part, wanted[new], name, source)
                _place(module, new, part, device, dtype)
                filled.add(new)
    missing = [name for name in wanted if name not in filled and not _matches(computed, name)]
    faults = [f"lacks {some(missing)}"] if missing else []
    faults += [f"has, beyond this model's, {some(left)}"] if left else []
    if faults:
        raise ModelError(f"{source} {' and '.join(faults)}: it is incomplete or another version, fetch it again.")


def _renamed(name: str, renames: Sequence[tuple[str, str]]) -> str:
    for pattern, new in renames:
        if re.match(pattern, name):
            return re.sub(pattern, new, name, count=1)
    return name


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _check_numbers(part: torch.Tensor, wanted: torch.Tensor, name: str, source: object) -> None:
    """Refuse what would load without a word and make every picture and caption worthless."""
    if not wanted.is_floating_point() or not part.numel():
        return
    if not part.is_floating_point():
        kind = str(part.dtype).removeprefix("torch.")
        raise ModelError(f"{source}: {name} is of type {kind}: quantised weights are not run here, take the others.")
    whole = part.float() if part.itemsize < 2 else part  # float8 has no minimum
    if not all(map(math.isfinite, whole.aminmax())):
        raise ModelError(f"{source}: {name} has numbers that are none (NaN or infinite): fetch it again.")


def _place(module: torch.nn.Module, name: str, tensor: torch.Tensor, device: str, dtype: torch.dtype | None) -> None:
    import torch

    owner, _, leaf = name.rpartition(".")
    part = module.get_submodule(owner)
    target = getattr(part, leaf)
    if not target.is_meta:
        target.copy_(tensor)
        return
    as_what = (dtype or target.dtype) if target.is_floating_point() else target.dtype
    setattr(part, leaf, torch.nn.Parameter(tensor.to(device, as_what, copy=True), requires_grad=False))
