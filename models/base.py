"""What an adapter is: the only thing that the benchmark knows about a model.

An encoder (I2T model) turns images into captions; a decoder (T2I model) turns jobs into images. An adapter sees
pictures, prompts and numbers. It never touches a path of the benchmark, a CSV, resuming, progress or the size of the
output: those belong to `cmcbench`, which in turn knows models only through this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:  # torch takes seconds to import; adapters import it when they load
    import torch
    from PIL import Image


class ModelError(Exception):
    """Something about a model that its user can mend: the message says what is wrong, where, and the remedy."""


@dataclass(frozen=True)
class Caption:
    """One caption as the encoder gave it.

    text: the caption, without prompt echo or special tokens; an empty text is a failure, never a caption.
    finish_reason: why generation ended ("stop", "length", "content_filter", ...), None where a model does not say.
    usage: what it cost, e.g. {"output_tokens": 21}; kept in the manifest of the captions.
    """

    text: str
    finish_reason: Optional[str] = None
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One reconstruction to make: all that a decoder may see. The ground truth is not among it.

    name: the image's file name, for messages only.
    prompt: the caption, or the benchmark's fixed prompt in image mode.
    guide: the reference as an RGB image at the ground truth's size, None in text mode.
    size: (width, height) in pixels to work at: long side 1024, aspect kept; floor it to what the model can do.
    seed: the image's own seed, 0 <= seed < 2**63; all randomness of this image must come from it.
    strength: img2img strength in (0, 1], None in text mode and for models that take none.
    steps: number of inference steps, >= 1.
    """

    name: str
    prompt: str
    guide: Optional["Image.Image"]
    size: tuple[int, int]
    seed: int
    strength: Optional[float]
    steps: int


class I2TModel(ABC):
    """An encoder. Subclasses set the attributes and write `load` and `caption`."""

    default_dir: Optional[str] = None  # checkpoint used when the user names none: a hub name or a folder
    baseline: bool = False  # True: no language model, a floor to compare with; the leaderboard says so

    @abstractmethod
    def load(self, model_dir: Optional[str], device: str, dtype: "torch.dtype", **options: Any) -> None:
        """Load the checkpoint onto `device` ("cpu", "cuda", "cuda:1", "mps").

        options: trust_remote_code (bool), seed (int). Ignore the ones that mean nothing to the model.
        Raises ModelError for whatever the user can mend.
        """

    @abstractmethod
    def caption(self, images: "list[Image.Image]", prompt: str, words: int) -> list[Caption]:
        """One Caption an image, in order. `images` are RGB, any size; `words` is the word count that `prompt` asks for."""


class T2IModel(ABC):
    """A decoder. Subclasses set the attributes and write `load` and `generate`."""

    default_dir: Optional[str] = None
    baseline: bool = False
    modes: frozenset[str] = frozenset({"full", "image", "pixel", "text"})  # those the model can be run in
    accepts_strength: bool = True  # False: an edit or restoration model; Job.strength is None in every mode
    max_batch: Optional[int] = None  # the largest batch the model can take, None: no limit

    def inspect(self, model_dir: Optional[str]) -> None:
        """Read the checkpoint's configuration (not its weights) and set `modes` and `accepts_strength` by it.

        Called before `load`, so that a wrong mode is refused early. Raises ModelError for a folder that is no checkpoint.
        """

    @abstractmethod
    def load(self, model_dir: Optional[str], device: str, dtype: "torch.dtype", modes: frozenset[str], **options: Any) -> None:
        """Load the checkpoint once for all `modes` that will be asked for. Raises ModelError for whatever the user can mend."""

    @abstractmethod
    def generate(self, jobs: list[Job]) -> "list[Image.Image]":
        """One RGB image a job, in order, of any size. All jobs of a call share mode, size, strength and steps.

        A batch must equal its images made one by one (within 1/255), so noise comes from each Job.seed.
        """
