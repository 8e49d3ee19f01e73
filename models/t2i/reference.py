"""No model: the reference itself is the reconstruction. The floor that every decoder with a reference must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import Job, ModelError, T2IModel

if TYPE_CHECKING:
    import torch
    from PIL import Image


class Model(T2IModel):
    """Gives back `Job.guide` unchanged. Prompt, size, seed and steps mean nothing to it."""

    baseline = True
    modes = frozenset({"pixel", "image"})
    accepts_strength = False
    accepts_seed = False

    def load(
        self, model_dir: str | None, device: str, dtype: torch.dtype, modes: frozenset[str], **options: Any
    ) -> None:
        """Nothing to load."""

    def generate(self, jobs: list[Job]) -> list[Image.Image]:
        """A copy of each job's guide. Raises ModelError for a job without one."""
        for job in jobs:
            if job.guide is None:
                raise ModelError(f"{job.name}: 'reference' needs a reference image; run it with --mode pixel or image.")
        return [job.guide.convert("RGB") for job in jobs]
