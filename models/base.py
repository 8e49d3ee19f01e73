"""What an adapter is: the only thing that the benchmark knows about a model.

An encoder (I2T model) turns images into captions; a decoder (T2I model) turns jobs into images; a learned codec turns
images into streams and back. An adapter sees pictures, prompts and numbers. It never touches a path of the benchmark, a
CSV, resuming, progress or the size of the output: those belong to `cmcbench`, which in turn knows models only through
this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    finish_reason: str | None = None
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
    guide: Image.Image | None
    size: tuple[int, int]
    seed: int
    strength: float | None
    steps: int


class Model:
    """What encoders and decoders have in common. Subclasses set the attributes."""

    default_dir: str | None = None  # checkpoint used when the user names none: a hub name or a folder
    baseline: bool = False  # True: no language or diffusion model, a floor to compare with; the leaderboard says so
    also: tuple[str, ...] = ()  # other checkpoints that the default one needs: hub names
    parameters: float | None = None  # of the default checkpoint, in billions, all parts together
    dtype: str | None = None  # what `--dtype auto` means on a GPU, e.g. "bf16"; None: fp16, as published
    converts: bool = False  # True: its weights may be pickles, which --convert keeps as safetensors
    packages: tuple[str, ...] = ()  # to install besides requirements.txt, as pip names them
    install = "pip install"  # how
    runs_on: str = "here"  # "server": asked over a network, `--model_dir` is its id there; "program": by `--command`
    key: str | None = None  # environment variable that holds the key of a paid service
    # Commit of the hub's snapshot that is used, set by `inspect` or `load`; kept in manifests
    revision: str | None = None
    identity: Mapping[str, str] = {}  # what else tells whose outputs these are, known once it is loaded, such as the
    # server's address; kept in the manifest, so that outputs of two are not mixed. No secrets.
    stopped: str | None = None  # set by a model that cannot go on (quota, dead program): why, and the remedy.
    # The run then ends after the answer that the model just gave, keeps what is done, and exits with 1.


class I2TModel(Model, ABC):
    """An encoder. Subclasses write `load` and `caption`."""

    published: Any = None  # how the authors draw tokens, for --sampling published; None: greedy is all there is
    batch_size: int = 1  # images that a call gets where the user does not say
    # Set by the benchmark. A model whose answers come one by one, or are paid for, calls it with an answer's place
    # among the images as soon as it has it: that caption then outlives a killed run. Only from within `caption`, in its
    # own thread.
    on_answer: Callable[[int, Caption | ModelError], None] = staticmethod(lambda place, answer: None)

    @abstractmethod
    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, **options: Any) -> None:
        """Load the checkpoint onto `device` ("cpu", "cuda", "cuda:1", "mps").

        options: what the command line says, of which a model reads what means something to it: trust_remote_code
        (bool), seed (int), api_base (str or None), concurrency (int), command (str or None), max_tokens and image_max
        (int or None), no_probe (bool), convert (bool), sampling ("greedy" or "published"); and prompt (str) and words
        (int), with which `caption` will be called.
        Raises ModelError for whatever the user can mend.
        """

    @abstractmethod
    def caption(self, images: list[Image.Image], prompt: str, words: int) -> list[Caption | ModelError]:
        """One Caption an image, in order, or the ModelError that tells why this image has none.

        `images` are RGB, any size; `words` is the word count that `prompt` asks for. An error that is raised instead
        is not one image's: the batch is asked again in halves.
        """

    def prepare(self, images: list[Image.Image], prompt: str, words: int) -> Any:
        """What `caption_prepared` gets beside the images: the model's inputs, made in another thread while the model
        works on the batch before. None where there is nothing to prepare; a subclass that writes this writes both.
        """
        return None

    def caption_prepared(
        self, prepared: Any, images: list[Image.Image], prompt: str, words: int
    ) -> list[Caption | ModelError]:
        """As `caption`, with what `prepare` gave for these images."""
        return self.caption(images, prompt, words)


class T2IModel(Model, ABC):
    """A decoder. Subclasses write `load` and `generate`."""

    modes: frozenset[str] = frozenset({"full", "image", "pixel", "text"})  # those the model can be run in
    accepts_strength: bool = True  # False: an edit or restoration model; Job.strength is None in every mode
    accepts_seed: bool = True  # False: nothing is drawn at random, so that Job.seed changes nothing
    max_batch: int | None = None  # the largest batch the model can take, None: no limit
    steps: int | None = None  # inference steps where the user names none, None: the protocol's
    image_prompt: str | None = None  # the prompt of image mode, None: the benchmark's fixed one
    # The checkpoint that this one is put into, None: it needs none. The benchmark sets it, before `inspect`, to the one
    # that the user names
    base: str | None = None

    def inspect(self, model_dir: str | None) -> None:
        """Read the checkpoint's configuration (not its weights) and set what depends on it: `modes`,
        `accepts_strength`, `steps`, `base`.

        Called before `load`, so that a wrong mode is refused early. Raises ModelError for a folder that is no
        checkpoint.
        """

    @abstractmethod
    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        """Load the checkpoint once for all `modes` that will be asked for.

        options: what the command line says, of which a model reads what means something to it: guidance (float or
        None: the checkpoint's own), negative_prompt (str or None), lora (str or None: a folder, file or hub name),
        offload (None, "model" or "sequential"), vae_tiling (bool), compile (bool), long_prompts (bool),
        trust_remote_code (bool), command (str or None), base (str or None: the checkpoint that this one is put into);
        and steps (int) and strengths (pairs of a mode and a float or None), with which `generate` will be called.
        Raises ModelError for whatever the user can mend, and for an option whose neglect would change pictures.
        """

    @abstractmethod
    def generate(self, jobs: list[Job]) -> list[Image.Image | ModelError]:
        """One RGB image a job, in order, of any size, or the ModelError that tells why this job has none.

        All jobs of a call share mode, size, strength and steps. A batch must equal its images made one by one (within
        1/255), so noise comes from each Job.seed. An error that is raised is not one image's: the batch is made again
        in halves.
        """


class CodecModel(Model, ABC):
    """A learned codec: an RGB picture becomes a stream of bytes, a stream and a size the picture. Subclasses write
    `load`, `encode` and `decode`.
    """

    extension: str = "bin"  # of a file that holds a stream, without the dot
    takes_quality: bool = True  # False: its checkpoint is its rate
    setup: str = ""  # what it is run with, set by `inspect`; kept in the manifest, so that results of two are not mixed

    def inspect(self, model_dir: str | None, part: str, qualities: Sequence[float], command: str | None) -> None:
        """Check what the user asks for, before anything is loaded, and set `setup`.

        part: what stands behind the colon of "compressai:mbt2018", "" where there is none. Raises ModelError.
        """
        if part:
            raise ModelError(f"there is no part ':{part}' of this codec: leave it out.")

    @abstractmethod
    def load(self, model_dir: str | None, device: str, dtype: torch.dtype, quality: float | None, seed: int) -> None:
        """Load the codec at one quality, in place of another that was loaded. Raises ModelError."""

    @abstractmethod
    def encode(self, image: Image.Image) -> bytes:
        """The stream of an RGB picture, all that its decoder gets but for the size. Raises ModelError."""

    @abstractmethod
    def decode(self, stream: bytes, size: tuple[int, int]) -> Image.Image:
        """The RGB picture of `size` (width, height) that a stream holds. Raises ModelError.

        It knows the stream and the size alone: nothing that `encode` left behind.
        """

    def renew(self) -> None:
        """Forget whatever decoding has left behind, so that the next `decode` is as the first of a process."""

    def close(self) -> None:
        """Free what `load` has taken."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
