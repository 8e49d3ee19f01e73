"""Z-Image Turbo, distilled to be sampled without guidance."""

from typing import Any

from ._diffusers import Model as Family


class Model(Family):
    default_dir = "Tongyi-MAI/Z-Image-Turbo"
    parameters = 10.3
    dtype = "bf16"

    def load(self, *args: Any, guidance: float | None = None, **options: Any) -> None:
        # The pipeline's default, 5, is for the model that is not distilled
        super().load(*args, guidance=0.0 if guidance is None else guidance, **options)
