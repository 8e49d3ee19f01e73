"""Your own decoder: a program in its own environment, given with --command."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._command import Program
from ..base import Job, ModelError, T2IModel

if TYPE_CHECKING:
    import torch
    from PIL import Image

PICTURE_CHANGING = ("guidance", "negative_prompt", "lora")  # options that the program is not told
LARGEST = 1 << 26  # px of an output: 8192x8192
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")  # not such as make Pillow run another program
MODES = ("RGB", "RGBA", "L", "P", "1")  # others, e.g. 16 bits, Pillow would clip without a word


class Model(T2IModel):
    """Hands each job to the program, the guide as a PNG, and takes the picture that it writes."""

    runs_on = "program"

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        """Start the program. Option used: command (str). Raises ModelError."""
        for option in PICTURE_CHANGING:
            if options.get(option) not in (None, ""):
                raise ModelError(f"--{option} does not reach the program of --command: put it among its own arguments.")
        name = type(self).__module__.rpartition(".")[2]
        settings = {
            "kind": "t2i",
            "model_dir": model_dir or self.default_dir,
            "device": device,
            "dtype": str(dtype).removeprefix("torch."),
            "modes": sorted(modes),
        }
        self._program = Program(options.get("command"), name, settings)

    def generate(self, jobs: list[Job]) -> list[Image.Image | ModelError]:
        """Pictures in order, one request after the other."""
        answers = [self._one(job) for job in jobs]
        self.stopped = self._program.stopped
        return answers

    def _one(self, job: Job) -> Image.Image | ModelError:
        guide = self._program.file(".guide.png") if job.guide else None
        output: Path = self._program.file(".png")
        try:
            if guide is not None and job.guide is not None:
                job.guide.convert("RGB").save(guide)
            self._program.ask(
                {
                    "name": job.name,
                    "prompt": job.prompt,
                    "image": str(guide) if guide else None,
                    "seed": job.seed,
                    "width": job.size[0],
                    "height": job.size[1],
                    "strength": job.strength,
                    "steps": job.steps,
                    "output": str(output),
                }
            )
            return read_output(output)
        except ModelError as error:
            return error
        finally:
            for path in (guide, output):
                if path is not None and not path.is_dir():
                    path.unlink(missing_ok=True)


def read_output(path: Path) -> Image.Image:
    """The picture that the program wrote, as RGB. Raises ModelError for what is none."""
    from PIL import Image, ImageOps

    if path.is_symlink() or not path.is_file():
        raise ModelError('the program of --command answered without writing a picture to "output"')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # LARGEST is stricter
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > LARGEST or image.mode not in MODES:
                    found = f"{image.width}x{image.height} px, {image.mode}"
                    raise ModelError(
                        f"the program of --command wrote {found}; expected 8-bit RGB of at most {LARGEST} px"
                    )
                # Pillow turns a TIFF itself
                upright = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
                return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise ModelError(f"the program of --command wrote no readable picture ({error})") from error
