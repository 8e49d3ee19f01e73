"""Which reconstructions a mode asks for: captions and references, paired by name."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem
from ..files.captions import Captions
from ..files.images import Listing, image_size, list_images, picture_bytes
from ..files.names import stem as stem_of
from ..files.rates import MEASURED, NOMINAL, Cost
from ..files.references import RATES, read_rates, read_sizes
from ..files.store import digest
from ..files.subset import choose
from ..protocol import IMAGE_PROMPT, NOMINAL_IMAGE_BPP, REFERENCES, Mode
from ..runtime.messages import RunLog
from .bits import BITS_PER_BLOCK, caption_bits, nominal_bits
from .dictionary import deflate_bits

FALLBACK_SIZE = (1024, 1024)  # where neither a reference nor a ground truth tells the size
MOST_FOLDERS = 1000  # that are looked into for images
GROUND_TRUTH = "./GT/"  # where the user names none


def ground_truth_images(named: str | None) -> Listing:
    """stem -> path of the ground truth's images, {} where there is none: sizes are then known otherwise.

    named: what --ground_truth says, None where the user did not give it; "none" means that there is none. Raises
    BadInput for a named folder without images, and for one whose images lie in its sub-folders.
    """
    folder = Path(named or GROUND_TRUTH)
    images = list_images(folder, "--ground_truth")
    if images or (named == "none" and not folder.exists()):
        return images
    if nested := _nested(folder):
        raise BadInput(
            f"--ground_truth: {folder} holds no images, and its sub-folder {nested.relative_to(folder)} does. Name the"
            f" folder that holds them: --ground_truth {nested}"
        )
    if named:
        what = "holds no images" if folder.is_dir() else "does not exist"
        raise BadInput(
            f"--ground_truth: {folder} {what}. Name the folder of the images, or decode without one:"
            " --ground_truth none"
        )
    return images


def _nested(folder: Path) -> Path | None:
    """The first folder below this one that holds images."""
    for place, folders, _ in itertools.islice(os.walk(folder), MOST_FOLDERS):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        with contextlib.suppress(BadInput, OSError):
            if list_images(Path(place), "--ground_truth"):
                return Path(place)
    return None


@dataclass(frozen=True)
class DecoderInput:
    """One reconstruction to make. stem: the image's name without ending. size: the output's (width, height) in pixels.

    inputs: what it is made of (digests of prompt and guide, size), as the manifest keeps it. spent: what it costs, as
    far as
    it is known before it is made.
    """

    stem: str
    prompt: str
    guide: Path | None
    size: tuple[int, int]
    inputs: dict[str, Any]
    spent: Cost


class DecoderInputs:
    """The folders and captions that jobs are made of. seconds: stem -> what an image's caption took, where it is
    known.
    """

    def __init__(
        self,
        references: Path,
        ground_truth: str | None,
        captions: Captions | None,
        report: RunLog,
        seconds: Mapping[str, float] = {},
    ) -> None:
        self.folder, self.captions, self.report, self.seconds = references, captions, report, seconds
        self.references = {kind: list_images(references / kind, "--ref_dir") for kind in REFERENCES}
        self.ground_truth = ground_truth_images(ground_truth)
        if note := self.ground_truth.note:
            report.once(note, note)
        self.rates = read_rates(references / RATES)
        self.sizes = read_sizes(references)

    def plan(self, mode: Mode, pattern: str | None, subset: int | None) -> list[DecoderInput]:
        """The jobs of a mode, by name. Images that lack an input are reported. Raises BadInput where none is left."""
        if mode.reference and not self.references[mode.reference]:
            raise BadInput(
                f"mode {mode.name} needs references, and {self.folder / mode.reference} holds none. Make them with: "
                f"python script-i2t.py --model_name none --references --ref_dir {self.folder}, "
                "or fetch the published ones: python -m cmcbench download references"
            )
        prompts = self._prompts(mode)
        chosen = choose(self.ground_truth or prompts, pattern, subset)
        if self.ground_truth:
            what = "caption" if mode.captioned else "reference"
            self._tell(
                sorted(set(chosen) - set(prompts)), f"image(s) of the ground truth have no {what} and are left out"
            )
            alien = sorted(set(choose(prompts, pattern)) - set(self.ground_truth))
            self._tell(alien, f"{what}(s) are for images that are not in the ground truth and are left out")
        jobs = [self._job(mode, stem, prompts[stem]) for stem in chosen if stem in prompts]
        jobs = [job for job in jobs if job is not None]
        if not jobs:
            which = f" that match --images {pattern!r}" if pattern else ""
            raise BadInput(
                f"mode {mode.name} has nothing to decode: no image{which} has all of its inputs. Captions name"
                f" {len(prompts)} images, the references are {len(self.references.get(mode.reference, {}))}, the ground"
                f" truth has {len(self.ground_truth)}; they are paired by file name.{self._unusable(mode)}"
            )
        self._tell_nominal([job.stem for job in jobs if job.spent.kind == NOMINAL])
        return jobs

    def _unusable(self, mode: Mode) -> str:
        """Why captions were left out, where that may be why nothing is left."""
        problems = list(self.captions.problems.values()) if mode.captioned else []
        return f" {len(problems)} row(s) of the captions cannot be used; the first: {problems[0]}." if problems else ""

    def _tell(self, stems: list[str], what: str) -> None:
        if stems:
            self.report.once(what, f"note: {len(stems)} {what} (first: {stems[0]}).")

    def _tell_nominal(self, stems: list[str]) -> None:
        if stems:
            self.report.once(
                "nominal",
                f"note: {self.folder / RATES} has no row for {len(stems)} reference(s) (first: {stems[0]})."
                f" Their bits are the protocol's, {NOMINAL_IMAGE_BPP:g} bpp for image and {BITS_PER_BLOCK} bits a block"
                f" for pixel, and marked {NOMINAL}.",
            )

    def _prompts(self, mode: Mode) -> dict[str, str]:
        """stem -> prompt of every image that the mode could be run on."""
        if not mode.captioned:
            return dict.fromkeys(self.references[mode.reference], IMAGE_PROMPT)
        self.report.fail_all(self.captions.problems.items())
        return {stem_of(name): text for name, text in self.captions.texts.items()}

    def _job(self, mode: Mode, stem: str, prompt: str) -> DecoderInput | None:
        guide = self.references[mode.reference].get(stem) if mode.reference else None
        try:
            if mode.reference and guide is None:
                raise ImageProblem(f"{stem}: has no reference in {self.folder / mode.reference}")
            size = self._size(stem, guide)
            seen = digest(picture_bytes(guide)) if guide else None
        except (ImageProblem, OSError) as error:
            why = f"{stem}: {guide} cannot be read ({error.strerror})" if isinstance(error, OSError) else error
            self.report.fail(f"{mode.name}/{stem}", f"{why} (mode {mode.name})")
            return None
        inputs = {"prompt": digest(prompt.encode()), "guide": seen, "size": f"{size[0]}x{size[1]}"}
        return DecoderInput(stem, prompt, guide, size, inputs, self._spent(mode, stem, prompt, size, seen))

    def _spent(self, mode: Mode, stem: str, prompt: str, size: tuple[int, int], guide: str | None) -> Cost:
        """What the decoder is sent, and what encoding it took where that is known of caption and reference alike.

        guide: the reference's digest. One without a row in rate.csv is taken at the protocol's rate.
        """
        parts = {"caption": caption_bits(prompt) if mode.captioned else 0, "pixel": 0, "image": 0}
        seconds = [self.seconds.get(stem)] if mode.captioned else []
        kind = MEASURED
        if mode.reference:
            rate = self.rates.get((mode.reference, stem))
            known = rate is not None and rate.sha256 == guide
            parts[mode.reference] = rate.bits if known else nominal_bits(mode.reference, *size)
            seconds.append(rate.seconds if known else None)
            kind = MEASURED if known else NOMINAL
        return Cost(
            f"{stem}.png",
            mode.name,
            sum(parts.values()),
            kind,
            parts["caption"],
            deflate_bits(prompt, stem) if mode.captioned else 0,
            parts["pixel"],
            parts["image"],
            encode_seconds=None if None in seconds else round(sum(seconds), 6),
        )

    def _size(self, stem: str, guide: Path | None) -> tuple[int, int]:
        """The output's size: the reference's, else the ground truth's (its header, never its pixels), else that in
        sizes.csv,
        else 1024x1024."""
        known = [guide, *(images.get(stem) for images in self.references.values()), self.ground_truth.get(stem)]
        for path in known:
            if path is not None:
                return image_size(path)
        if stem in self.sizes:
            return self.sizes[stem]
        self.report.once(
            "size",
            f"note: {stem} has neither a reference nor a ground truth that tells its size: it is made 1024x1024.",
        )
        return FALLBACK_SIZE
