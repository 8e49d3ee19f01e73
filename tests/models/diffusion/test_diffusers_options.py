"""The options of `load` in the diffusers family on tiny checkpoints: guidance and negative prompts."""

from __future__ import annotations

import pytest
import torch
from diffusion_jobs import differ
from diffusion_options import load, some

from models.base import ModelError
from models.t2i._diffusers import options as settings

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux", "qwen_image", "z_image", "instructpix"])
def test_guidance_is_the_pipelines_own_argument(checkpoint, plain, name):
    """Qwen-Image guides only against a negative prompt, so that a blank one goes with the scale."""
    strong = load(checkpoint(name), guidance=9.0)
    for text in {"text" in strong.modes, False}:
        jobs = some(strong, text)
        pipe = strong._pipes["text" if text else "image"]
        assert differ(strong.generate(jobs), plain(name).generate(jobs)) > 1
        if name in ("sdxl", "flux"):
            plainly = {"prompt": jobs[0].prompt, "guidance_scale": 9.0, "num_inference_steps": jobs[0].steps}
            guided = {} if text else {"image": jobs[0].guide.resize(jobs[0].size), "strength": 0.5}
            if text or name == "flux":
                plainly.update(width=jobs[0].size[0], height=jobs[0].size[1])
            expected = pipe(**plainly, **guided, generator=torch.Generator().manual_seed(jobs[0].seed)).images
            assert differ(strong.generate(jobs), expected) == 0


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "pixart", "qwen_image", "z_image"])
def test_a_negative_prompt_matters(checkpoint, plain, name):
    text = "text" in plain(name).modes
    jobs = some(plain(name), text, (1, 2))
    ugly, grey = (load(checkpoint(name), negative_prompt=each).generate(jobs) for each in ("ugly", "grey"))
    assert differ(ugly, plain(name).generate(jobs)) > 0 and differ(ugly, grey) > 0
    alone = load(checkpoint(name), negative_prompt="ugly")
    assert differ(ugly, [alone.generate([one])[0] for one in jobs]) <= 1


@pytest.mark.parametrize("name", ["sdxl", "pixart", "qwen_image"])
def test_an_empty_negative_prompt_is_none(checkpoint, plain, name):
    """The manifest does not tell the two apart."""
    jobs = some(plain(name), text=True)
    assert differ(load(checkpoint(name), negative_prompt="").generate(jobs), plain(name).generate(jobs)) == 0


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("sdxl", {"guidance": float("nan")}, "--guidance nan"),
        ("sdxl", {"guidance": -1.0}, "--guidance -1.0"),
        ("sdxl", {"guidance": 1.0, "negative_prompt": "ugly"}, "--guidance above 1"),
        ("flux", {"negative_prompt": "ugly"}, "--negative_prompt"),
        ("pixart", {"lora": "some/lora"}, "no LoRA for PixArt"),
        ("sd3", {"long_prompts": True}, "--long_prompts"),
        ("flux", {"long_prompts": True}, "--long_prompts"),
        ("kandinsky3", {"vae_tiling": True}, "--vae_tiling"),
    ],
)
def test_what_a_pipeline_cannot_honour_is_refused(checkpoint, name, options, words):
    with pytest.raises(ModelError, match=words):
        load(checkpoint(name), **options)


@pytest.mark.parametrize(
    "name, part, key, value, options, words",
    [
        ("flux", "transformer", "guidance_embeds", False, {"guidance": 3.0}, "without guidance"),
        ("sd15", "unet", "time_cond_proj_dim", 8, {"negative_prompt": "ugly"}, "without a negative prompt"),
    ],
)
def test_a_distilled_checkpoint_ignores_it(checkpoint, name, part, key, value, options, words):
    """FLUX schnell and LCM, by their configurations."""
    model = load(checkpoint(name))
    pipe = model._pipes["text"]
    getattr(pipe, part).register_to_config(**{key: value})
    with pytest.raises(ModelError, match=words):
        settings.guidance_arguments(pipe, options.get("guidance"), options.get("negative_prompt"))


def test_a_blank_negative_prompt_is_never_refused(checkpoint):
    """Qwen-Image's adapters give one by themselves."""
    assert load(checkpoint("qwen_image"), negative_prompt=" ", guidance=1.0)
