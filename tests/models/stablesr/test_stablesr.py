"""StableSR's adapter: the whole decode, what a picture depends on, and the checkpoints that are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import stablesr_reference as reference
import tiny_stablesr
import torch
from PIL import Image

import models
from models._weights import read
from models.base import Job, ModelError
from models.t2i import stablesr

FILES = (tiny_stablesr.MODEL, tiny_stablesr.FUSED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_stablesr.make(tmp_path_factory.mktemp("stablesr"))


@pytest.fixture(scope="module")
def loaded(folder):
    model = models.create("t2i", "stablesr")
    model.load(str(folder), "cpu", torch.float32, model.modes, base=str(folder / "base"))
    return model


@pytest.fixture
def model(loaded, monkeypatch):
    """Small tiles and a small least size, so that pictures have several tiles and take no time."""
    for name, value in (("SHORT", 64), ("TILE", 8), ("STRIDE", 4)):
        monkeypatch.setattr(stablesr, name, value)
    return loaded


def job(seed=1, size=(104, 72), prompt="two ships", steps=3):
    pixels = np.random.default_rng(seed).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    return Job(f"{seed}.png", prompt, Image.fromarray(pixels).resize(size), size, 900 + seed, None, steps)


def pixels(picture):
    return np.asarray(picture).astype(int)


def differ(one, other):
    return max(abs(pixels(a) - pixels(b)).max() for a, b in zip(one, other, strict=True))


def expected(folder, loaded, job, prompt, steps):
    """The whole decode by the reference's formulas alone: reference to tiles, to latents, to pixels, to 8 bits."""
    main, fused = (dict(read(folder / file, ("state_dict",))) for file in FILES)
    height, width = (side + 32 - side % 32 for side in job.size[::-1])  # one of them needs it, so both get it
    source = torch.Generator("cpu").manual_seed(job.seed)
    picture = torch.from_numpy(np.array(job.guide)).permute(2, 0, 1)[None] / 127.5 - 1
    rows = np.pad(np.arange(job.size[1]), (0, height - job.size[1]), "reflect")
    columns = np.pad(np.arange(job.size[0]), (0, width - job.size[0]), "reflect")
    canvas = picture[:, :, rows][:, :, :, columns]
    mean, deviation, seen = reference.encode(fused, canvas)
    latent = (mean + deviation * torch.randn(mean.shape, generator=source)) * 0.18215
    tokens = loaded._pipe.tokenizer([prompt], padding="max_length", max_length=77, return_tensors="pt").input_ids
    text = reference.words(main, tokens)

    def predict(noisy, time):
        def one(tile, structure):
            return reference.unet(main, tile, time, text, reference.structure(main, structure, time))

        return reference.tiled(one, noisy.float(), latent, 8, 4)

    made = reference.sample(predict, latent, steps, lambda: torch.randn(latent.shape, generator=source)).float()
    made = reference.adain(reference.decode(fused, made / 0.18215, seen), canvas)[..., : job.size[1], : job.size[0]]
    return (((made + 1) / 2).clamp(0, 1) * 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("size", [(104, 72), (96, 72)], ids=["both sides are padded", "a multiple is padded too"])
def test_the_whole_decode_is_that_of_the_formulas(folder, loaded, model, size):
    one = job(size=size)
    made = model.generate([one])[0]
    with torch.inference_mode():
        wanted = expected(folder, loaded, one, one.prompt, one.steps)
    assert made.size == one.size and made.mode == "RGB" and pixels(made).std() > 10
    assert abs(pixels(made) - wanted.astype(int)).max() <= 1


def test_a_small_reference_is_enlarged_for_the_work_alone(loaded, monkeypatch):
    """The short side to 512, with the authors' constants as they are: one tile across, two down."""
    assert (stablesr.SHORT, stablesr.MULTIPLE, stablesr.TILE, stablesr.STRIDE) == (512, 32, 64, 32)
    seen, sample = [], loaded._sample
    monkeypatch.setattr(loaded, "_sample", lambda latents, *more: seen.append(latents.shape) or sample(latents, *more))
    made = loaded.generate([job(size=(40, 51), steps=2)])[0]
    scale = loaded._pipe.vae_scale_factor
    assert made.size == (40, 51) and [tuple(shape[2:]) for shape in seen] == [(672 // scale, 544 // scale)]


@pytest.mark.parametrize(
    "size, worked, padded",
    [
        ((40, 51), (512, 652), (544, 672)),  # a side that is a multiple grows with the other
        ((512, 512), (512, 512), (512, 512)),
        ((1024, 683), (1024, 683), (1056, 704)),
        ((1024, 322), (1628, 511), (1632, 512)),  # cut, not rounded, to whole pixels
    ],
)
def test_the_sizes_that_it_works_at(size, worked, padded):
    picture = torch.rand(1, 3, *size[::-1])
    enlarged = stablesr._enlarged(picture)
    assert tuple(enlarged.shape[:1:-1]) == worked and tuple(stablesr._padded(enlarged).shape[:1:-1]) == padded


def test_it_enlarges_without_antialiasing():
    """Cubic convolution with a = -0.75 over the four nearest pixels, written out: a step from 0 to 1, in the middle."""
    step = torch.zeros(1, 3, 256, 256)
    step[..., 128:] = 1
    row = stablesr._enlarged(step)[0, 0, 0, 252:260]
    near, far = ([-0.03515625, 0.26171875, 0.87890625, -0.10546875], [-0.10546875, 0.87890625, 0.26171875, -0.03515625])
    # output pixels 2k and 2k + 1 stand at k - 1/4 and k + 1/4: the weights of pixels k - 2 .. k + 1, k - 1 .. k + 2
    wanted = []
    for k in range(126, 130):
        wanted += [sum(w for w, at in zip(near, range(k - 2, k + 2)) if at >= 128)]
        wanted += [sum(w for w, at in zip(far, range(k - 1, k + 3)) if at >= 128)]
    assert row.tolist() == pytest.approx(wanted, abs=1e-5)


def test_a_batch_equals_its_images_in_any_order(model):
    jobs = [job(seed, prompt=prompt) for seed, prompt in enumerate(("two ships", "", "a man", "two ships"))]
    batch = model.generate(jobs)
    assert differ(batch, [model.generate([each])[0] for each in jobs]) <= 1
    assert differ(model.generate(jobs[::-1]), batch[::-1]) <= 1


def test_what_a_picture_depends_on(model):
    one = [job()]
    made = model.generate(one)
    assert differ(model.generate(one), made) == 0
    for change in ({"prompt": "quite another"}, {"seed": 8}, {"guide": job(5).guide}, {"steps": 4}):
        assert differ(model.generate([replace(one[0], **change)]), made) > 3, change


def test_the_benchmark_is_told_of_modes_steps_and_prompt():
    model = models.create("t2i", "stablesr")
    assert model.modes == {"full", "image"} and not model.accepts_strength
    assert (model.steps, model.image_prompt, model.guidance) == (200, "", 1)


def test_a_picture_that_overflows_is_no_black_one(model, monkeypatch):
    monkeypatch.setattr(model, "_sample", lambda latents, *_: latents * float("nan"))
    with pytest.raises(ModelError, match="pixels that are no numbers in 1.png: float32 overflowed"):
        model.generate([job()])


def test_a_picture_that_failed_leaves_nothing_to_the_next(model, monkeypatch):
    made = model.generate([job()])
    with pytest.raises(ModelError):  # after encoding, before decoding
        model.generate([job(seed=7, steps=1)])
    assert differ(model.generate([job()]), made) == 0


@pytest.mark.parametrize("steps", [1, 1001])
def test_steps_that_the_schedule_does_not_have(model, steps):
    with pytest.raises(ModelError, match=f"--steps {steps}: stablesr takes 2 to 1000"):
        model.generate([job(steps=steps)])


def test_a_job_without_a_reference(model):
    with pytest.raises(ModelError, match="there is no reference to restore"):
        model.generate([replace(job(), guide=None)])
