"""The street of model rooms: `models/i2t/NAME.py` and `models/t2i/NAME.py`, one adapter a file.

The file's name is the model's name on the command line (case does not matter; `-` and `.` become `_`).
Files that begin with an underscore are families, shared by the adapters beside them.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Optional, Union

from .base import I2TModel, ModelError, T2IModel

FAMILY = {"i2t": "_transformers", "t2i": "_diffusers"}  # what an unknown name with a --model_dir is loaded by


def names(kind: str) -> list[str]:
    """The names of the adapters of a kind ("i2t" or "t2i"), sorted, as the command line takes them."""
    files = (Path(__file__).parent / kind).glob("[a-z]*.py")
    return sorted(file.stem.replace("_", "-") for file in files)


def create(kind: str, name: str, model_dir: Optional[str] = None) -> Union[I2TModel, T2IModel]:
    """The adapter called `name`, nothing loaded yet; only its own file is imported.

    An unknown name with a `model_dir` goes to the family, which reads the checkpoint's own configuration.
    Raises ModelError for an unknown name without one.
    """
    module = re.sub(r"[-.]", "_", name.lower())
    if module.replace("_", "-") not in names(kind):
        if not model_dir:
            raise ModelError(
                f"unknown {kind} model '{name}'. Known: {', '.join(names(kind))}. "
                f"Any other checkpoint runs with --model_dir FOLDER_OR_HUB_NAME."
            )
        module = FAMILY[kind]
    return importlib.import_module(f".{kind}.{module}", __name__).Model()
