"""The diffusers family on tiny checkpoints of the real architectures, against diffusers called as published."""

from __future__ import annotations

import functools
import http.server
import json
import logging
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import tiny_t2i
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image, StableDiffusionInstructPix2PixPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from models.base import Job, ModelError
from models.t2i import instructpix, real
from models.t2i._diffusers.model import Model

ALL = frozenset({"full", "image", "pixel", "text"})
EVEN, ODD = (128, 96), (200, 133)  # divisible by the tiny models' multiple of 32, and floored by it to 192x128
UNET = "unet/diffusion_pytorch_model.safetensors"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def loaded(checkpoint):
    """loaded("sdxl") is a Model with that tiny checkpoint, loaded once a session for all its modes."""
    return functools.cache(lambda name: load(Model(), checkpoint(name)))


@pytest.fixture
def copy(checkpoint, tmp_path):
    """A copy of the tiny SDXL to damage."""
    return shutil.copytree(checkpoint("sdxl"), tmp_path / "copy")


def load(model, folder, modes=None, dtype=torch.float32, **options):
    model.inspect(str(folder))
    model.load(str(folder), "cpu", dtype, frozenset(modes or model.modes), **options)
    return model


def guide(seed=0, size=EVEN):
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((size[0] + 9, size[1] + 5))  # not the working size: the family resizes


def job(seed=7, size=EVEN, text=False, strength=0.5, **other):
    fields = {"name": f"{seed}.png", "prompt": f"the red house number {seed}", "steps": 4, "seed": seed, "size": size}
    fields.update({"guide": None, "strength": None} if text else {"guide": guide(seed, size), "strength": strength})
    return Job(**{**fields, **other})


def pixels(images):
    return [np.asarray(image).astype(int) for image in images]


def differ(one, other):
    return max(np.abs(a - b).max() for a, b in zip(pixels(one), pixels(other), strict=True))


# --- what a checkpoint can do


@pytest.mark.parametrize(
    "name, modes, strength",
    [
        ("sd15", ALL, True),
        ("sdxl", ALL, True),
        ("sd3", ALL, True),
        ("flux", ALL, True),
        ("pixart", {"text"}, True),
        ("instructpix", {"full", "image"}, False),
        ("sdxl_instructpix", {"full", "image"}, False),
    ],
)
def test_inspect_reads_the_modes(checkpoint, name, modes, strength):
    model = Model()
    model.inspect(str(checkpoint(name)))
    assert (model.modes, model.accepts_strength, model.max_batch) == (modes, strength, None)


@pytest.mark.parametrize(
    "config, modes, strength, batch",
    [
        ({"_class_name": "QwenImagePipeline"}, ALL, True, None),
        ({"_class_name": "SanaPipeline"}, {"text"}, True, None),
        ({"_class_name": "FluxKontextPipeline"}, {"full", "image", "text"}, False, 1),
        ({"_class_name": "QwenImageEditPlusPipeline"}, {"full", "image"}, False, 1),
        (  # SDXL's refiner
            {"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": True},
            {"full", "image", "pixel"},
            True,
            None,
        ),
    ],
)
def test_inspect_needs_the_index_only(tmp_path, config, modes, strength, batch):
    (tmp_path / "model_index.json").write_text(json.dumps(config))
    model = Model()
    model.inspect(str(tmp_path))
    assert (model.modes, model.accepts_strength, model.max_batch) == (modes, strength, batch)


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "no diffusers checkpoint"),
        ({"config.json": "{}"}, "I2T model"),
        ({"model_index.json": "{broken"}, "damaged"),
        ({"model_index.json": "[]"}, "damaged"),
        ({"model_index.json": '{"vae": []}'}, "damaged"),
        ({"model_index.json": '{"_class_name": ["pipeline", "Mine"]}'}, "code of its own"),
        ({"model_index.json": '{"_class_name": "NoSuchPipeline"}'}, "needs an adapter"),
        ({"model_index.json": '{"_class_name": "StableDiffusionInpaintPipeline"}'}, "needs an adapter"),
        ({"model_index.json": '{"_class_name": "StableDiffusionControlNetPipeline"}'}, "needs an adapter"),
    ],
)
def test_inspect_refuses_what_is_no_checkpoint(tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=words) as caught:
        Model().inspect(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/no/such/folder", "./org/name", "org/name/", "realvis", "a/b/c", "org/na me"])
def test_a_path_is_not_looked_up_on_the_hub(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_url", None)
    with pytest.raises(ModelError, match="no folder"):
        Model().inspect(name)


def test_no_checkpoint_named():
    with pytest.raises(ModelError, match="--model_dir"):
        Model().inspect(None)


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_a_misspelt_hub_name(monkeypatch, online):
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda name, file: f"{address}/{name}/resolve/main/{file}")
        with pytest.raises(ModelError, match="no folder 'org/misspelt' here.*log in"):
            Model().inspect("org/misspelt")
        server.shutdown()


def test_an_unreachable_hub(monkeypatch, online):
    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: "http://127.0.0.1:1/closed")
    with pytest.raises(ModelError, match="network"):
        Model().inspect("org/name")


def test_the_index_in_the_cache_serves_without_network(checkpoint, monkeypatch):
    import huggingface_hub

    def cached(name, file, local_files_only=False):
        assert local_files_only
        return str(checkpoint("pixart") / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_: "http://127.0.0.1:1/closed")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cached)
    model = Model()
    model.inspect("org/name")
    assert model.modes == {"text"}


def test_importing_an_adapter_imports_no_library():
    code = "import sys, models.t2i.real, models.t2i.instructpix as i; print({'torch', 'diffusers'} & set(sys.modules))"
    code += "; print(sorted(i.Model().modes))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n['full', 'image']\n", "")


def test_instructpix_refuses_another_model(checkpoint):
    with pytest.raises(ModelError, match="edit model"):
        instructpix.Model().inspect(str(checkpoint("sd15")))
    model = instructpix.Model()
    model.inspect(str(checkpoint("instructpix")))
    assert model.modes == {"full", "image"} and not model.accepts_strength


# --- loading


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3", "flux"])
def test_one_load_serves_all_modes(loaded, name):
    text, image = (loaded(name)._pipes[kind] for kind in ("text", "image"))
    assert "Img2Img" not in type(text).__name__ and "Img2Img" in type(image).__name__
    assert all(part is image.components[key] for key, part in text.components.items() if part is not None)


@pytest.mark.parametrize("modes, image", [({"text"}, False), ({"image", "full"}, True)])
def test_only_the_pipeline_that_is_needed(checkpoint, modes, image):
    pipes = load(real.Model(), checkpoint("sdxl"), modes)._pipes
    assert {"Img2Img" in type(pipe).__name__ for pipe in pipes.values()} == {image}


def test_filters_are_off(loaded):
    for pipe in loaded("sd15")._pipes.values():
        assert pipe.safety_checker is None and pipe.feature_extractor is None
    assert all(pipe.watermark is None for pipe in loaded("sdxl")._pipes.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fp16_files", [False, True])
def test_either_variant_serves_either_dtype(copy, dtype, fp16_files):
    for file in copy.glob("*/*.safetensors") if fp16_files else ():
        file.rename(file.with_suffix(".fp16.safetensors"))
    pipes = load(Model(), copy, dtype=dtype)._pipes
    assert {module.dtype for pipe in pipes.values() for module in (pipe.unet, pipe.vae, pipe.text_encoder)} == {dtype}


@pytest.mark.parametrize("dtype, wanted", [(torch.float16, "fp16"), (torch.float32, "full")])
def test_of_both_variants_the_matching_one_is_read(copy, dtype, wanted):
    for file in list(copy.glob("*/*.safetensors")):
        shutil.copy(file, file.with_suffix(".fp16.safetensors"))
    other = copy / (UNET if wanted == "fp16" else UNET.replace(".safe", ".fp16.safe"))
    save_file({key: weight * 0 for key, weight in load_file(other).items()}, other, {"format": "pt"})
    assert load(Model(), copy, {"text"}, dtype)._pipes["text"].unet.conv_in.weight.abs().sum() > 0


def test_the_hub_says_it_in_other_words(copy, monkeypatch):
    from diffusers import StableDiffusionXLPipeline

    def refuse(*_, variant, **__):
        raise OSError(f"Could not find the necessary `safetensors` weights in {{...}} (variant={variant})")

    monkeypatch.setattr(StableDiffusionXLPipeline, "from_pretrained", refuse)
    with pytest.raises(ModelError, match="only pickles"):
        load(Model(), copy)


def test_pickles_are_refused(copy):
    for file in copy.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"pickles \(.bin\) of text_encoder, text_encoder_2, unet, vae"):
        load(Model(), copy)


@pytest.mark.parametrize("file", [UNET, "text_encoder/model.safetensors"])
@pytest.mark.parametrize("fp16_files", [False, True])
def test_truncated_weights(copy, file, fp16_files):
    (copy / file).write_bytes((copy / file).read_bytes()[:1000])
    for part in copy.glob("*/*.safetensors") if fp16_files else ():
        part.rename(part.with_suffix(".fp16.safetensors"))
    with pytest.raises(ModelError, match="cannot load") as caught:
        load(Model(), copy)
    assert "no file named" not in str(caught.value) and "no such" not in str(caught.value)


@pytest.mark.parametrize("file", [UNET, "text_encoder_2/model.safetensors"])
def test_missing_weights(copy, file):
    weights = load_file(copy / file)
    kept = {key: weights[key] for key in weights if not key.endswith("norm1.weight")}  # of several layers
    save_file(kept, copy / file, {"format": "pt"})
    with pytest.raises(ModelError, match="lacks .*norm1.weight"):
        load(Model(), copy)


@pytest.mark.parametrize("part, words", [("unet", "cannot load"), ("tokenizer", "lacks"), ("scheduler", "cannot load")])
def test_missing_parts(copy, part, words):
    shutil.rmtree(copy / part)
    with pytest.raises(ModelError, match=words):
        load(Model(), copy)


def test_a_part_with_code_of_its_own_is_not_run(copy):
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "unet": ["own", "Unet"]}))
    (copy / "unet/own.py").write_text("raise SystemExit('this code was run')")
    with pytest.raises(ModelError, match="cannot load"):
        load(Model(), copy)


def test_an_absent_device(checkpoint):
    with pytest.raises(ModelError, match="--device"):
        Model().load(str(checkpoint("pixart")), "cuda:99", torch.float32, frozenset({"text"}))


# --- generating


CASES = [(name, text) for name in ("sd15", "sdxl", "sd3", "flux") for text in (False, True)]
CASES += [("pixart", True), ("instructpix", False), ("sdxl_instructpix", False)]


@pytest.mark.parametrize("name, text", CASES)
def test_a_batch_equals_its_images_in_any_order(loaded, name, text):
    model = loaded(name)
    strength = 0.5 if model.accepts_strength else None
    jobs = [job(seed, ODD, text, strength) for seed in (1, 2, 3)]
    batch = model.generate(jobs)
    assert [image.size for image in batch] == [(192, 128)] * 3 and {image.mode for image in batch} == {"RGB"}
    assert differ(batch, [model.generate([one])[0] for one in jobs]) <= 1
    assert differ(batch, model.generate(jobs[::-1])[::-1]) <= 1
    assert differ(batch[:1], batch[1:2]) > 20 and all(image.std() > 5 for image in pixels(batch))


@pytest.mark.parametrize("name, size", [("sd15", EVEN), ("sd15", ODD), ("sdxl", EVEN), ("sdxl", (1024, 683))])
def test_equal_to_the_published_call(loaded, checkpoint, name, size):
    unfiltered = {"safety_checker": None} if name == "sd15" else {}
    bare = AutoPipelineForImage2Image.from_pretrained(checkpoint(name), use_safetensors=True, **unfiltered)
    one = job(5, size, strength=0.8)
    options = {"image": one.guide.resize(size), "num_inference_steps": one.steps, "strength": one.strength}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    ours = loaded(name).generate([one])
    assert ours[0].size == tuple(side // 32 * 32 for side in size) and differ(ours, expected) == 0


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux", "pixart"])
def test_text_mode_equals_the_bare_pipeline(loaded, checkpoint, name):
    bare = AutoPipelineForText2Image.from_pretrained(checkpoint(name), use_safetensors=True)
    one = job(5, ODD, text=True)
    options = {"width": 192, "height": 128, "num_inference_steps": one.steps}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(loaded(name).generate([one]), expected) == 0


def test_instructpix_equals_the_bare_pipeline(loaded, checkpoint):
    bare = StableDiffusionInstructPix2PixPipeline.from_pretrained(checkpoint("instructpix"), safety_checker=None)
    one = job(5, ODD, strength=None)
    options = {"image": one.guide.resize(ODD), "num_inference_steps": one.steps}
    expected = bare(one.prompt, generator=torch.Generator().manual_seed(one.seed), **options).images
    assert differ(loaded("instructpix").generate([one]), expected) == 0


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sd3"])
def test_modes_leave_no_trace_in_each_other(loaded, name):
    """The twins share one scheduler."""
    first = loaded(name).generate([job()])
    text = loaded(name).generate([job(text=True)])
    assert differ(loaded(name).generate([job()]), first) == 0
    assert differ(loaded(name).generate([job(text=True)]), text) == 0


INPUTS = [{"guide": guide(99)}, {"prompt": "another"}, {"seed": 8}, {"strength": 1.0}]
CHANGES = [(name, change) for name in ("sd15", "sdxl", "sd3") for change in INPUTS]
CHANGES += [("instructpix", change) for change in INPUTS[:3]]


@pytest.mark.parametrize("name, change", CHANGES)
def test_every_input_matters(loaded, name, change):
    fixed = {} if loaded(name).accepts_strength else {"strength": None}
    assert differ(loaded(name).generate([job(**fixed)]), loaded(name).generate([job(**{**fixed, **change})])) > 2


def test_a_strength_without_steps_is_refused(loaded):
    with pytest.raises(ModelError, match="--steps 4 x --strength 0.2"):
        loaded("sd15").generate([job(strength=0.2)])
    assert loaded("sd15").generate([job(strength=0.25)])


def test_pixels_that_are_no_numbers(checkpoint):
    model = load(Model(), checkpoint("sdxl"), {"text"})
    torch.nn.init.constant_(model._pipes["text"].vae.decoder.conv_out.bias, float("nan"))
    with pytest.raises(ModelError, match="in 1.png, 2.png: torch.float32 overflowed"):
        model.generate([job(1, text=True), job(2, text=True)])


def test_nothing_is_printed_while_generating(loaded, capfd, monkeypatch):
    said = []
    handler = logging.Handler()
    handler.emit = said.append
    for name in ("diffusers", "transformers"):  # whose own handlers hold on to an older stderr
        monkeypatch.setattr(logging.getLogger(name), "handlers", [handler])
    loaded("sdxl").generate([job(prompt="a long prompt " * 99), job()])
    assert said == [] and capfd.readouterr() == ("", "")


def test_builders_give_the_same_bytes_each_time(checkpoint, tmp_path):
    again = tiny_t2i.sd15(tmp_path / "again")
    files = [file.relative_to(again) for file in again.rglob("*") if file.is_file()]
    assert all((again / file).read_bytes() == (checkpoint("sd15") / file).read_bytes() for file in files)
    assert len(files) > 10
