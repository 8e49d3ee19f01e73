"""Every decoder with its tiny checkpoint, loaded for all its modes."""

from __future__ import annotations

import functools

import pytest
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
from diffusion_jobs import load
from every_decoder import DECODERS

import models


@pytest.fixture(scope="module", autouse=True)
def small_area():
    """Qwen-Image-Edit brings every guide to an area of 1024x1024, which takes seconds even where all else is tiny."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 256 * 256)
        yield


@pytest.fixture(scope="module")
def decoder(checkpoint):
    """decoder("flux") is that adapter with its tiny checkpoint, loaded for all its modes."""

    def make(name):
        model = models.create("t2i", name)
        if model.base is not None:
            model.base = str(checkpoint("sd15"))
        return load(model, checkpoint(DECODERS[name][0]))

    return functools.cache(make)
