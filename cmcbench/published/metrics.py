"""The metrics by the names that others print them under: pyiqa's own, and several names of one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import BadInput

ALIASES = {"lpips_vgg": "lpips-vgg"}  # other names of metrics, whose column has pyiqa's


def canonical(asked: str, known: Iterable[str]) -> str:
    """The name among `known` that is meant: capitals do not count, and other names are ALIASES. Else what was asked, in
    small letters.
    """
    small = asked.lower()
    small = ALIASES.get(small, small)
    return {name.lower(): name for name in known}.get(small, small)


def of_pyiqa() -> dict[str, dict[str, Any]]:
    """pyiqa's table of metrics, by name, read without importing pyiqa, which takes seconds. Raises BadInput where it is
    not installed.
    """
    package = importlib.util.find_spec("pyiqa")
    if package is None or package.origin is None:
        raise BadInput("pyiqa is not installed. Install it with: pip install -r requirements.txt")
    path = Path(package.origin).parent / "default_model_configs.py"
    spec = importlib.util.spec_from_file_location("_pyiqa_default_model_configs", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} cannot be loaded. Install pyiqa again with: pip install -r requirements.txt")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.DEFAULT_CONFIGS)
