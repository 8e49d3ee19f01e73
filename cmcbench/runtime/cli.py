"""Command-line options that the three scripts share, and how a script starts and ends."""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from models.base import ModelError

from ..errors import BadInput, ImageProblem, RunFailed, first_line
from .messages import MANNER, did_you_mean, printable, say

INSTALL = "pip install -r requirements.txt -c constraints.txt"
REINSTALL = f"Install what is needed: {INSTALL}"
NO_MEMORY = "there is too little memory. What is finished is kept; free some, or use a smaller --batch_size"
MANNERS = {
    "quiet": "say no notes; failures and how the run ended are said",
    "strict": "exit code 1 also where a codec or an optional metric left something out, else only noted",
}
PAIRS = (("--ground_truth", "--gt_path"), ("--results", "--output_path"), ("--target", "--targets"))
OTHER_NAMES = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}  # of one flag on different commands
SCRIPTS = {"encode": "script-i2t.py", "decode": "script-t2i.py", "evaluate": "script-evaluate.py"}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def parser(description: str, command: str = "") -> argparse.ArgumentParser:
    """A parser that shows defaults and takes no abbreviated flags, which a later flag could make ambiguous.

    command: of `python -m cmcbench`; a step is also a script of its own, and the installed program is called cmcbench.
    """
    called = Path(sys.argv[0]).name
    program = "cmcbench" if Path(called).stem == "cmcbench" else "python -m cmcbench"
    return _Parser(
        prog=called if SCRIPTS.get(command) == called else f"{program} {command}".strip(),
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in two lines, and understands a flag by the name that it has elsewhere."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        for name, purpose in MANNERS.items():
            self.add_argument(f"--{name}", action=_Manner, nargs=0, dest=argparse.SUPPRESS, help=purpose)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        MANNER.quiet = MANNER.strict = False
        return super().parse_known_args([self._known(word) for word in (sys.argv[1:] if args is None else args)],
                                        namespace)  # fmt: skip

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            there = [*self._option_string_actions, *(name for name in OTHER_NAMES if self._known(name) != name)]
            hint = did_you_mean(flags[0], there) if flags else " A value stands behind its flag."
            self.error(f"there is no {' '.join(map(ascii, flags or unknown))[:200]} here.{hint}")
        return found

    def _known(self, word: str) -> str:
        """A flag under the name that it has here."""
        flag, equals, value = word.partition("=")
        if flag in OTHER_NAMES and flag not in self._option_string_actions:
            if OTHER_NAMES[flag] in self._option_string_actions:
                return OTHER_NAMES[flag] + equals + value
        return word

    def error(self, message: str) -> NoReturn:
        """Two lines on stderr, and exit code 2."""
        if wrong := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            message += did_you_mean(wrong[1], re.findall(r"[\w.@+-]+", wrong[2]))
        self.exit(2, f"error: {printable(message)}\nAll flags: {self.prog} --help\n")


class _Manner(argparse.Action):
    """--quiet and --strict: of the process, not of the command's own options."""

    def __call__(self, _parser: Any, _namespace: Any, _values: Any, option: str | None = None) -> None:
        setattr(MANNER, (option or "").lstrip("-"), True)


def add_choice(arguments: argparse._ActionsContainer) -> None:
    """The options that choose among the images."""
    arguments.add_argument(
        "--images", metavar="GLOB", default=None, help="only images whose name matches, e.g. 'SCI_*'"
    )
    arguments.add_argument(
        "--subset",
        metavar="N",
        type=positive,
        default=None,
        help="only N images: a stable choice that keeps the mix of content types",
    )


def add_program(arguments: argparse._ActionsContainer) -> None:
    """The options that say where and in which numbers a model computes, or which program stands for it."""
    arguments.add_argument("--device", default="auto", help="auto (the GPU if there is one), cpu, cuda, cuda:1, mps")
    arguments.add_argument(
        "--dtype",
        choices=("auto", "fp32", "fp16", "bf16"),
        default="auto",
        help="auto: fp16 on a GPU as published, fp32 on a CPU",
    )
    arguments.add_argument(
        "--command", metavar="'PROGRAM ARGUMENTS'", default=None, help="your own program, see docs/adding-a-model.md"
    )


def add_compute(arguments: argparse._ActionsContainer) -> None:
    """The options that say where and how a model computes."""
    add_program(arguments)
    arguments.add_argument(
        "--batch_size", metavar="N", type=positive, default=None, help="images that the model gets at once (None: 1)"
    )
    arguments.add_argument(
        "--trust_remote_code", action="store_true", help="run Python code that comes with the checkpoint"
    )


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text) if text.lstrip("+").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def bits_per_pixel(text: str) -> float:
    """A rate in bits per pixel, 0 < rate <= 24, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 24:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate in bits per pixel above 0 and up to 24")
    return value


def run(main: Callable[[list[str]], int]) -> None:
    """Run a script's main function and leave with its exit code; no traceback for what a user can cause.

    0 all is done, 1 something failed, 2 the input cannot be used, 130 interrupted (what is finished is kept).
    """
    # Its retries, a dozen lines for each file where there is no network; that it failed is said by who asked
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    signal.signal(signal.SIGTERM, _interrupt)  # SLURM and docker stop a job so; it should end as after Ctrl-C
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _interrupt)  # a closed terminal, which the user's own program must not outlive
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except (BadInput, ModelError, ImageProblem) as error:
        code = _end(error, 2)
    except RunFailed as error:
        code = _end(error, 1)
    except ModuleNotFoundError as error:
        if (error.name or "cmcbench").partition(".")[0] in ("cmcbench", "models"):
            raise
        code = _end(f"the Python package '{error.name}' is missing. Install what is needed: {INSTALL}", 2)
    except MemoryError:
        code = _end(NO_MEMORY, 1)
    except ImportError as error:  # of a library that is there: its parts need memory, or do not fit together
        if (error.name or "").partition(".")[0] in ("cmcbench", "models"):
            raise
        memory = "allocate memory" in str(error) or "failed to map" in str(error)
        code = _end(NO_MEMORY if memory else f"a library cannot be loaded: {first_line(error)}. {REINSTALL}", 1)
    except KeyboardInterrupt:
        code = _end("interrupted. What is finished is kept; the same command goes on from here", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno in FULL:
            code = _end(
                f"the disk is full ({_place(error)}). What is finished is kept; make room and run the same command", 1
            )
        elif error.errno == errno.ENOMEM:
            code = _end(NO_MEMORY, 1)
        elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
            code = _end(*_forbidden(error))
        elif isinstance(error, (FileExistsError, NotADirectoryError)):
            code = _end(f"a file stands where a folder is needed ({error.filename}). Move it away", 2)
        elif isinstance(error, IsADirectoryError):
            code = _end(
                f"a folder stands where a file is needed ({error.filename2 or error.filename}). Move it away", 2
            )
        else:
            raise
    sys.exit(code)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _forbidden(error: OSError) -> tuple[str, int]:
    """What may not be done, and the exit code."""
    path = Path(error.filename) if isinstance(error.filename, (str, os.PathLike)) else Path()
    for folder in reversed(path.parents):
        if folder.is_dir() and not os.access(folder, os.X_OK):
            return f"no permission to enter {folder}. Choose another folder or change its rights", 2
    if error.errno != errno.EROFS and error.filename and path.exists() and not os.access(path, os.R_OK):
        return f"no permission to read {path}. Change its rights", 2
    return f"no permission to write ({_place(error)}). Choose another folder or change its rights", 1


def _place(error: OSError) -> str:
    return str(Path(error.filename).parent) if error.filename else os.strerror(error.errno or 0)


def _end(message: object, code: int) -> int:
    if not _said_by_another(str(message)):
        say(f"error: {message}")
    return code


def _said_by_another(message: str) -> bool:
    """Whether another process of the same torchrun has said this already; the first to come says it.

    They agree by a file in torchrun's own temporary folder, which it removes.
    """
    told = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not told or len(Path(told).parents) < 3:
        return False
    mark = Path(told).parents[1] / f"said-{hashlib.sha256(message.encode('utf-8', 'replace')).hexdigest()[:16]}"
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return True
    except OSError:
        pass
    return False
