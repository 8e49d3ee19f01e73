"""Your own codec: a program in its own environment, given with --command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._command import Program
from ..base import CodecModel, ModelError
from ..secrets import without_secrets
from ..t2i.command import read_output

if TYPE_CHECKING:
    import torch
    from PIL import Image

MOST = (6, 1_000_000)  # bytes a pixel and bytes besides: more than any codec needs for a picture


class Model(CodecModel):
    """Two processes of the program: one is asked to encode and never to decode, the other to decode and never to
    encode. Each has an exchange folder of its own, where a file is called by the request's number.
    """

    runs_on = "program"
    default_dir = None

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def inspect(self, model_dir: str | None, part: str, qualities: Sequence[float], command: str | None) -> None:
        super().inspect(model_dir, part, qualities, command)
        self._command, self.setup = command, f"command: {without_secrets(command or '')}"

    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, quality: float | None, seed: int) -> None:
        """Start the program that encodes, and the one that decodes. Raises ModelError where one does not get ready."""
        self.close()
        self._settings: dict[str, Any] = {
            "kind": "codec",
            "model_dir": model_dir or self.default_dir,
            "device": device,
            "dtype": str(dtype).removeprefix("torch."),
            "quality": quality,
            "seed": seed,
        }
        for task in ("encode", "decode"):
            self._program(task)

    def encode(self, image: Image.Image) -> bytes:
        program = self._program("encode")
        picture, stream = program.file(".png"), program.file(".bin")
        try:
            image.convert("RGB").save(picture)
            self._ask(program, {"image": str(picture), "output": str(stream)})
            return _read_stream(stream, image.width * image.height)
        finally:
            _remove(picture, stream)

    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        program = self._program("decode")
        source, output = program.file(".bin"), program.file(".png")
        try:
            source.write_bytes(stream)
            width, height = size
            self._ask(program, {"stream": str(source), "width": width, "height": height, "output": str(output)})
            return read_output(output)
        finally:
            _remove(source, output)

    def renew(self) -> None:
        """End the program that decodes; the next stream starts it again."""
        if program := self._programs.pop("decode", None):
            program.close()

    def close(self) -> None:
        while self._programs:
            self._programs.popitem()[1].close()

    def _program(self, task: str) -> Program:
        if task not in self._programs:
            name = type(self).__module__.rpartition(".")[2]
            self._programs[task] = Program(self._command, name, {**self._settings, "task": task})
        return self._programs[task]

    def _ask(self, program: Program, request: dict[str, Any]) -> None:
        try:
            program.ask(request)
        finally:
            self.stopped = program.stopped


def _read_stream(path: Path, pixels: int) -> bytes:
    """The stream that the program wrote. Raises ModelError for what is none."""
    most = MOST[0] * pixels + MOST[1]
    if path.is_symlink() or not path.is_file():
        raise ModelError('the program of --command answered without writing a stream to "output"')
    try:
        with path.open("rb") as file:
            stream = file.read(most + 1)
    except OSError as error:
        raise ModelError(f"the program of --command wrote no readable stream ({error.strerror})") from error
    if len(stream) > most:
        raise ModelError(f"the program of --command wrote a stream of more than {most} bytes for {pixels} pixels")
    return stream


def _remove(*paths: Path) -> None:
    for path in paths:
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
