"""The street of model rooms: `models/i2t/NAME.py`, `models/t2i/NAME.py` and `models/codec/NAME.py`, one adapter a file.

The file's name is the model's name on the command line (case does not matter; `-` and `.` become `_`).
Files that begin with an underscore are families, shared by the adapters beside them. A name that ends in `.py` is the
path of the user's own adapter.
"""

from __future__ import annotations

import difflib
import importlib
import re
import sys
import types
from pathlib import Path

from .base import CodecModel, I2TModel, Model, ModelError, T2IModel

KINDS: dict[str, type[Model]] = {"i2t": I2TModel, "t2i": T2IModel, "codec": CodecModel}
SCRIPTS = {"i2t": "script-i2t.py", "t2i": "script-t2i.py", "codec": "python -m cmcbench codec"}
FAMILY = {"i2t": "_transformers", "t2i": "_diffusers"}  # what an unknown name with a --model_dir is loaded by


def names(kind: str) -> list[str]:
    """The names of the adapters of a kind ("i2t", "t2i" or "codec"), sorted, as the command line takes them."""
    files = (Path(__file__).parent / kind).glob("[a-z]*.py")
    return sorted(file.stem.replace("_", "-") for file in files)


def create(kind: str, name: str, model_dir: str | None = None) -> I2TModel | T2IModel | CodecModel:
    """The adapter called `name`, nothing loaded yet; only its own file is imported.

    An unknown name with a `model_dir` goes to the family, which reads the checkpoint's own configuration; codecs have
    none. Raises ModelError for an unknown name without one, and for a user's own file that holds no adapter of this
    kind.
    """
    if name.endswith(".py"):
        return _own(kind, Path(name).expanduser())
    module = re.sub(r"[-.]", "_", name.lower())
    if module.replace("_", "-") not in names(kind):
        if kind not in FAMILY:
            raise ModelError(f"unknown {kind} '{name}'. Known: {', '.join(names(kind))}.")
        if not model_dir:
            near = difflib.get_close_matches(name.lower()[:100], names(kind), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ModelError(
                f"unknown {kind} model '{name}'.{hint} Known: {', '.join(names(kind))}. "
                f"Any other checkpoint runs with --model_dir FOLDER_OR_HUB_NAME."
            )
        module = FAMILY[kind]
    return importlib.import_module(f".{kind}.{module}", __name__).Model()


def _own(kind: str, path: Path) -> I2TModel | T2IModel | CodecModel:
    """The adapter in a user's own file. Whatever goes wrong in it is told in one sentence."""
    if not path.is_file():
        raise ModelError(
            f"--model_name {path}: there is no such file. Give the path of your adapter, or a model's name."
        )
    module = types.ModuleType(f"own_adapter_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickles look there
    model: object = None
    try:
        # Not through importlib, whose cache takes a file that was changed within a second for the old one
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        model = getattr(module, "Model", None)
        instance = model() if isinstance(model, type) and issubclass(model, KINDS[kind]) else None
    except (Exception, SystemExit) as error:
        raise ModelError(f"--model_name {path}: cannot be loaded ({_where(error, path)}). Mend the file.") from error
    if instance is None:
        raise ModelError(f"--model_name {path}: {_what_it_is(kind, model)}. docs/adding-a-model.md shows an adapter.")
    return instance


def _what_it_is(kind: str, model: object) -> str:
    for other, contract in KINDS.items():
        if isinstance(model, type) and issubclass(model, contract):
            return f"its Model is {contract.__name__}, which {SCRIPTS[other]} runs, not {SCRIPTS[kind]}"
    found = "its Model is no such class" if model is not None else "it has none"
    return f"expected a class Model({KINDS[kind].__name__}) in it, and {found}"


def _where(error: BaseException, path: Path) -> str:
    """The error with the line of the user's file that it came from."""
    lines = [error.lineno] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    what = f"{type(error).__name__}: {getattr(error, 'msg', None) or error}"
    return " ".join(what.split())[:300] + (f", line {lines[-1]}" if lines and lines[-1] else "")
