"""AnimateDiff: a Stable Diffusion 1.5 with a motion module, as a video of one frame; in none of the auto mappings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base import ModelError
from .loading import ABSENT, load_pipeline, quiet, why_not_loaded
from .model import INDEX, find, from_hub
from .model import Model as Family

if TYPE_CHECKING:
    import numpy as np
    import torch

PIPELINES = ("AnimateDiffPipeline", "AnimateDiffVideoToVideoPipeline")
# The schedule that the authors sample with; the base's own is that of single pictures.
SCHEDULE = {"beta_schedule": "linear", "clip_sample": False, "timestep_spacing": "linspace", "steps_offset": 1}


class Model(Family):
    """A motion module alone, put into `base`; a whole AnimateDiff pipeline; or what the family can run by itself."""

    base: str

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        self.base = options.get("base") or self.base
        super().load(model_dir, device, dtype, modes, **options)

    def inspect(self, model_dir: str | None) -> None:
        name = model_dir or self.default_dir
        for file, kinds in (("config.json", ("MotionAdapter",)), (INDEX, PIPELINES)):
            kind, offline = _kind(name, file)
            self._video = kind in kinds
            if self._video:
                self._motion = file != INDEX
                self._checkpoint = str(Path(name).expanduser()), offline, None, None
                self.modes, self.accepts_strength, self.max_batch = type(self).modes, True, None
                return
        super().inspect(model_dir)

    def _assemble(self, dtype: torch.dtype, modes: frozenset[str]) -> dict[str, Any]:
        if not self._video:
            return super()._assemble(dtype, modes)
        with quiet("bitsandbytes"):  # which a pipeline's class brings in
            import diffusers

            text, guided = (getattr(diffusers, each) for each in PIPELINES)
        name, offline = self._checkpoint[:2]
        pipe = self._put_into_base(text, dtype) if self._motion else load_pipeline(text, name, dtype, offline)
        return {"text": pipe, "image": guided(**pipe.components)}

    def _put_into_base(self, pipeline: Any, dtype: torch.dtype) -> Any:
        import diffusers

        name, offline = self._checkpoint[:2]
        motion = _load_motion(name, dtype, offline)
        base, offline, text, _ = find(self.base)
        if text is not diffusers.StableDiffusionPipeline:
            raise ModelError(f"{base} is no Stable Diffusion 1.5, which a motion module needs as its base.")
        parts = {**load_pipeline(text, base, dtype, offline).components, "motion_adapter": motion}
        parts["scheduler"] = diffusers.DDIMScheduler.from_config(parts["scheduler"].config, **SCHEDULE)
        parts.pop("safety_checker")
        try:
            with quiet("diffusers"):
                return pipeline(**parts)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"the motion module {name} does not fit {base}: give one for Stable Diffusion 1.5."
            ) from error

    def _call(self, pipe: Any, arguments: dict[str, Any]) -> np.ndarray:
        if not self._video:
            return super()._call(pipe, arguments)
        if "image" in arguments:
            arguments["video"] = [[image] for image in arguments.pop("image")]
        else:
            arguments["num_frames"] = 1
        return pipe(**arguments).frames[:, 0]


def _load_motion(name: str, dtype: torch.dtype, offline: bool) -> Any:
    import torch
    from diffusers import MotionAdapter

    problems: list[Exception] = []
    options = {"torch_dtype": dtype, "local_files_only": offline, "use_safetensors": True}  # a pickle could run code
    for variant in ("fp16", None) if dtype == torch.float16 else (None, "fp16"):
        try:
            with quiet("diffusers"):
                motion = MotionAdapter.from_pretrained(name, variant=variant, **options)
        except Exception as error:  # damage raises whatever the reader of the file raises
            problems.append(error)
            if not ABSENT.search(str(error)):
                break
        else:
            gaps = [key for key, weight in motion.named_parameters() if weight.is_meta]
            if gaps:
                raise ModelError(f"{name} is incomplete. It lacks {', '.join(gaps)[:300]}: download it again.")
            return motion
    raise ModelError(why_not_loaded(name, problems)) from problems[-1]


def _kind(name: str, file: str) -> tuple[str | None, bool]:
    """What a checkpoint's file says it is, and whether only the hub's cache could tell; None where nothing is said."""
    folder, offline = Path(name).expanduser(), False
    try:
        path = folder / file
        if not folder.is_dir():
            path, offline = from_hub(name, file)
        return json.loads(Path(path).read_text(encoding="utf-8")).get("_class_name"), offline
    except (AttributeError, ModelError, OSError, ValueError):
        return None, offline  # the family then says what is wrong with it
