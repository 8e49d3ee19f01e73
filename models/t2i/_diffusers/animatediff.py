"""AnimateDiff: a Stable Diffusion 1.5 with a motion module, as a video of one frame; in none of the auto mappings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import sources
from ...base import ModelError
from .checkpoint import INDEX, Checkpoint, find, from_hub
from .loading import ABSENT, load_pipeline, quiet, why_not_loaded
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

    def inspect(self, model_dir: str | None) -> None:
        source = sources.parse(model_dir or self.default_dir or "")
        for file, kinds in (("config.json", ("MotionAdapter",)), (INDEX, PIPELINES)):
            kind, offline, commit = _kind(source, file)
            self._video = kind in kinds
            if self._video:
                self._motion = file != INDEX
                commit = commit or source.revision
                self._checkpoint = Checkpoint(source.name, offline, None, None, commit)
                self._base = find(self.base) if self._motion else None
                commits = (commit, self._base.revision if self._base else None)
                self.revision = "+".join(filter(None, commits)) or None
                self.modes, self.accepts_strength, self.max_batch = type(self).modes, True, None
                return
        super().inspect(model_dir)

    def _assemble(self, dtype: torch.dtype, modes: frozenset[str]) -> dict[str, Any]:
        if not self._video:
            return super()._assemble(dtype, modes)
        with quiet("bitsandbytes"):  # which a pipeline's class brings in
            import diffusers

            text, guided = (getattr(diffusers, each) for each in PIPELINES)
        name, offline, _, _, revision = self._checkpoint
        pipe = self._put_into_base(text, dtype) if self._motion else load_pipeline(text, name, dtype, offline, revision)
        return {"text": pipe, "image": guided(**pipe.components)}

    def _put_into_base(self, pipeline: Any, dtype: torch.dtype) -> Any:
        import diffusers

        name, offline, _, _, revision = self._checkpoint
        motion = _load_motion(name, dtype, offline, revision)
        base, offline, text, _, base_revision = self._base
        if text is not diffusers.StableDiffusionPipeline:
            raise ModelError(f"{base} is no Stable Diffusion 1.5, which a motion module needs as its base.")
        parts = {**load_pipeline(text, base, dtype, offline, base_revision).components, "motion_adapter": motion}
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


def _load_motion(name: str, dtype: torch.dtype, offline: bool, revision: str | None) -> Any:
    import torch
    from diffusers import MotionAdapter

    problems: list[Exception] = []
    options = {"torch_dtype": dtype, "local_files_only": offline, "use_safetensors": True}  # a pickle could run code
    options |= {"revision": revision} if revision else {}
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


def _kind(source: sources.Source, file: str) -> tuple[str | None, bool, str | None]:
    """What a checkpoint's file says it is, whether only the hub's cache could tell, and its commit; None where nothing
    is said."""
    folder, offline = Path(source.name), False
    try:
        path = folder / file
        if not folder.is_dir():
            path, offline = from_hub(source.name, file, source.revision)
        return sources.read_json(Path(path)).get("_class_name"), offline, sources.commit_of(path)
    except ModelError:
        return None, offline, None  # the family then says what is wrong with it
