"""The options of `load` in the diffusers family, and prompts as embeddings, on tiny checkpoints."""

from __future__ import annotations

import functools
import importlib.util
import logging
import shutil

import accelerate.hooks
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_diffusers_family import ALL, differ, job

from models.base import ModelError
from models.t2i import animate
from models.t2i._diffusers import options as settings
from models.t2i._diffusers import prompts
from models.t2i._diffusers.model import Model
from models.t2i._diffusers.prompts import Prompts

pytestmark = pytest.mark.usefixtures("one_thread")

LONG = "a red house (near+ the [river]0.5) and a tree. " * 6  # some 190 of the tiny tokenizer's tokens


def load(folder, modes=None, device="cpu", kind=Model, dtype=torch.float32, **options):
    model = kind()
    model.inspect(str(folder))
    model.load(str(folder), device, dtype, frozenset(modes or model.modes), **options)
    return model


@pytest.fixture(scope="session")
def plain(checkpoint):
    """plain("sdxl") is that tiny checkpoint loaded without options, once a session."""
    return functools.cache(lambda name: load(checkpoint(name), kind=kind(name)))


def kind(name):
    return animate.Model if name == "animatediff" else Model


@pytest.fixture
def said(monkeypatch):
    """What is said to the user, line by line."""
    lines, handler = [], logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(logging.getLogger("cmcbench"), "handlers", [handler])
    return lines


def some(model, text=False, seeds=(1,), **other):
    fixed = {} if text or model.accepts_strength else {"strength": None}
    return [job(seed, text=text, **{**fixed, **other}) for seed in seeds]


# --- guidance and negative prompts


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


# --- LoRA


@pytest.fixture(scope="session")
def lora(checkpoint, tmp_path_factory):
    """lora("sdxl") is a folder with LoRA weights for that tiny checkpoint's denoiser, made by diffusers and peft."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    @functools.cache
    def make(name, scale=1.0):
        pipe = load(checkpoint(name), {"text"})._pipes["text"]
        part = "unet" if hasattr(pipe, "unet") else "transformer"
        denoiser = getattr(pipe, part)
        denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v", "to_out.0"]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            weights = {
                key: scale * torch.randn_like(value) for key, value in get_peft_model_state_dict(denoiser).items()
            }
        folder = tmp_path_factory.mktemp("lora")
        type(pipe).save_lora_weights(folder, **{f"{part}_lora_layers": weights})
        return folder

    return make


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux"])
def test_a_lora_changes_every_mode(checkpoint, plain, lora, name):
    changed = load(checkpoint(name), lora=str(lora(name)))
    for text in (True, False):
        jobs = some(changed, text)
        assert differ(changed.generate(jobs), plain(name).generate(jobs)) > 1


def test_a_lora_by_file_and_in_half_precision(checkpoint, lora):
    file = lora("sdxl") / "pytorch_lora_weights.safetensors"
    jobs = some(Model(), text=True)
    expected = load(checkpoint("sdxl"), {"text"}, lora=str(lora("sdxl"))).generate(jobs)
    assert differ(load(checkpoint("sdxl"), {"text"}, lora=str(file)).generate(jobs), expected) == 0
    assert load(checkpoint("sdxl"), {"text"}, dtype=torch.bfloat16, lora=str(file)).generate(jobs)


def test_a_lora_of_zeros_changes_nothing(checkpoint, plain, lora):
    jobs = some(plain("sdxl"))
    assert (
        differ(load(checkpoint("sdxl"), lora=str(lora("sdxl", 0.0))).generate(jobs), plain("sdxl").generate(jobs)) <= 1
    )


def damaged(folder, weights):
    save_file(weights, folder / "one.safetensors")
    return folder


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda weights: {key: value.repeat(2, 2) for key, value in weights.items()}, "does not fit"),
        (lambda weights: {f"other.{key}": value for key, value in weights.items()}, "does not fit"),
        (lambda weights: {key.replace("lora", "strange"): value for key, value in weights.items()}, "does not fit"),
        (lambda weights: {**weights, "unet.nowhere.to_q.lora_A.weight": torch.ones(2, 8)}, "does not fit"),
    ],
)
def test_a_lora_that_does_not_fit(checkpoint, lora, tmp_path, change, words):
    weights = load_file(lora("sdxl") / "pytorch_lora_weights.safetensors")
    with pytest.raises(ModelError, match=words) as caught:
        load(checkpoint("sdxl"), {"text"}, lora=str(damaged(tmp_path, change(weights))))
    assert "--lora" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "files, named, words",
    [
        ([], "no/such/lora.safetensors", "no file"),
        ([], "absent.safetensors", "no file"),
        ([], ".", "no safetensors file"),
        (["a.safetensors", "b.safetensors"], ".", "2 safetensors files: name one"),
        (["a.bin"], "a.bin", "no .safetensors file"),
        (["a.safetensors"], "a.safetensors", "is damaged"),
    ],
)
def test_a_lora_that_is_none(checkpoint, tmp_path, monkeypatch, files, named, words):
    monkeypatch.chdir(tmp_path)
    for file in files:
        (tmp_path / file).write_bytes(b"no weights")
    with pytest.raises(ModelError, match=words):
        load(checkpoint("sdxl"), {"text"}, lora=named)


def test_a_lora_from_the_hub_without_network(checkpoint):
    with pytest.raises(ModelError, match="--lora some/lora: there is no file .* hf download some/lora") as caught:
        load(checkpoint("sdxl"), {"text"}, lora="some/lora")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package, option", [("peft", {"lora": "some/lora"}), ("compel", {"long_prompts": True})])
def test_a_package_that_is_missing(checkpoint, monkeypatch, package, option):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    with pytest.raises(ModelError, match=f"pip install '{package}>="):
        load(checkpoint("sdxl"), **option)


# --- offload, tiling, compiling


@pytest.mark.parametrize("device", ["cpu", "mps"])
@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_offload_wants_a_gpu(checkpoint, tmp_path, device, kind):
    """Before any weights are read: a folder of the index alone will do."""
    shutil.copy(checkpoint("sdxl") / "model_index.json", tmp_path)
    with pytest.raises(ModelError, match=f"--offload {kind} needs .* not '{device}'"):
        load(tmp_path, ALL, device, offload=kind)


def test_sequential_offload_is_not_compiled(checkpoint):
    with pytest.raises(ModelError, match="--compile"):
        load(checkpoint("sdxl"), device="cuda", offload="sequential", compile=True)


@pytest.mark.parametrize("kind, wanted", [("model", 2), ("sequential", 1)])
def test_offload_instead_of_moving_to_the_gpu(checkpoint, monkeypatch, kind, wanted):
    """There is no GPU here: diffusers' functions are replaced, and only who is called with what can be seen."""
    from diffusers import DiffusionPipeline

    calls = []
    monkeypatch.setattr(
        DiffusionPipeline, f"enable_{kind}_cpu_offload", lambda pipe, device: calls.append((pipe, device))
    )
    monkeypatch.setattr(DiffusionPipeline, "to", lambda *_: pytest.fail("moved as a whole"))
    model = load(checkpoint("sdxl"), device="cuda:1", offload=kind)
    assert [device for _, device in calls] == ["cuda:1"] * wanted
    assert [pipe for pipe, _ in calls] == list(model._pipes.values())[:wanted]


@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_twins_do_not_break_each_others_hooks(checkpoint, plain, monkeypatch, name):
    """Diffusers' own hooks with the CPU as the device that they move modules to: all but the copy to a GPU is real."""
    monkeypatch.setattr(settings, "_refuse_offload", lambda *_: None)
    model = load(checkpoint(name), offload="model")
    for text in (True, False, True, False):
        jobs = some(model, text, (1, 2))
        assert differ(model.generate(jobs), plain(name).generate(jobs)) <= 1
        assert all(hasattr(pipe.vae, "_hf_hook") and len(pipe._all_hooks) > 2 for pipe in model._pipes.values())


@pytest.mark.parametrize("name", ["sdxl", "flux"])
def test_layers_are_fetched_one_by_one(checkpoint, plain, monkeypatch, name):
    """Accelerate's own hooks, set once for the twins: no weight is anywhere but in the CPU's store between two layers.

    They ask for the device "cpu:0", which no tensor calls itself: a copy that is one on a GPU alone is spared here.
    """
    place = accelerate.hooks.set_module_tensor_to_device
    cpu = {"cpu:0": "cpu"}
    monkeypatch.setattr(
        accelerate.hooks,
        "set_module_tensor_to_device",
        lambda module, name, device, **options: place(module, name, cpu.get(str(device), device), **options),
    )
    monkeypatch.setattr(settings, "_refuse_offload", lambda *_: None)
    model = load(checkpoint(name), offload="sequential")
    parts = [part for pipe in model._pipes.values() for part in pipe.components.values() if hasattr(part, "parameters")]
    for text in (True, False, True, False):
        jobs = some(model, text, (1, 2))
        assert differ(model.generate(jobs), plain(name).generate(jobs)) <= 1
        assert {weight.device.type for part in parts for weight in part.parameters()} == {"meta"}


def test_tiling(checkpoint):
    model = load(checkpoint("sdxl"), vae_tiling=True)
    assert all(pipe.vae.use_tiling for pipe in model._pipes.values()) and model.generate(some(model))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_pictures_are_the_same(checkpoint, plain):
    model = load(checkpoint("pixart"), compile=True)
    assert model._pipes["text"].transformer._compiled_call_impl
    jobs = some(model, text=True)
    assert differ(model.generate(jobs), plain("pixart").generate(jobs)) <= 1


def test_the_twin_is_compiled_too(checkpoint):
    assert load(checkpoint("sdxl"), compile=True)._pipes["image"].unet._compiled_call_impl


# --- prompts as embeddings


EMBEDDED = (
    "sd15",
    "sdxl",
    "sd3",
    "flux",
    "flux_kontext",
    "pixart",
    "sana",
    "instructpix",
    "sdxl_instructpix",
    "animatediff",
)


def test_every_family_of_embeddings_is_compared(plain):
    assert {type(pipe).__name__ for name in EMBEDDED for pipe in plain(name)._pipes.values()} == set(prompts.FAMILIES)


@pytest.mark.parametrize(
    "name, negative",
    [
        *((name, None) for name in EMBEDDED),
        *((name, "ugly") for name in ("sd15", "sdxl", "sd3", "pixart", "instructpix")),
    ],
)
def test_embeddings_give_the_pictures_of_the_prompt(checkpoint, plain, monkeypatch, name, negative):
    model = load(checkpoint(name), kind=kind(name), negative_prompt=negative) if negative else plain(name)
    for text in {"text" in model.modes, model.modes == {"text"}}:
        jobs = some(model, text)
        ours = model.generate(jobs)
        with monkeypatch.context() as patch:
            patch.setattr(prompts, "FAMILIES", {})
            assert differ(model.generate(jobs), ours) == 0


@pytest.mark.parametrize("name, encoders", [("sd15", 1), ("sdxl", 2), ("sd3", 3), ("flux", 2), ("pixart", 1)])
def test_a_caption_is_encoded_once(checkpoint, name, encoders):
    model = load(checkpoint(name))
    calls = []
    for part in prompts._encoders(model._pipes["text"]):
        getattr(model._pipes["text"], part).register_forward_hook(lambda *_: calls.append(1))
    for text in (True, False, False) if "image" in model.modes else (True, True):
        for seed in (1, 2, 3):
            model.generate(some(model, text, [seed]))
    # SDXL's embedding of no negative prompt is zeros if its configuration says so, Flux has none
    negatives = (
        0 if name == "flux" or (name == "sdxl" and model._pipes["text"].config.force_zeros_for_empty_prompt) else 1
    )
    assert len(calls) == (3 + negatives) * encoders


def test_memory_for_embeddings_is_bounded(plain, monkeypatch):
    pipe = plain("sd15")._pipes["text"]
    one = Prompts(pipe, None, False)
    ((_, arguments),) = one.groups(pipe, ["a house"])
    size = arguments["prompt_embeds"].nbytes
    small = Prompts(pipe, None, False, limit=2 * size)
    texts = ["a house", "a tree", "a dog"]
    for _ in range(2):
        ((_, again),) = small.groups(pipe, texts)
    assert (
        list(small._kept) == texts[:2] and sum(row["prompt_embeds"].nbytes for row in small._kept.values()) == 2 * size
    )
    assert torch.equal(again["prompt_embeds"], one.groups(pipe, texts)[0][1]["prompt_embeds"])


# --- prompts that CLIP cuts


@pytest.mark.parametrize(
    "name, cut", [("sd15", True), ("sdxl", True), ("instructpix", True), ("sd3", False), ("flux", False)]
)
def test_a_cut_prompt_is_said_once(checkpoint, said, name, cut):
    model = load(checkpoint(name))
    for prompt in ("short", LONG, LONG + "more"):
        model.generate(some(model, "text" in model.modes, prompt=prompt))
    assert len(said) == cut
    if cut:
        tokens = len(model._pipes["text"].tokenizer(LONG).input_ids)
        assert (
            said[0].startswith(f"note: a prompt has {tokens} tokens, of which CLIP sees 77")
            and "--long_prompts" in said[0]
        )


def test_a_cut_negative_prompt_is_said(checkpoint, said):
    load(checkpoint("sd15"), negative_prompt=LONG)
    assert len(said) == 1 and "negative prompt" in said[0]


@pytest.mark.parametrize("name", ["sd15", "sdxl", "instructpix", "sdxl_instructpix", "animatediff"])
def test_long_prompts_are_used_whole(checkpoint, plain, said, name):
    one, other = LONG + "A dog.", LONG + "Zebras!"
    cut, whole = plain(name), load(checkpoint(name), kind=kind(name), long_prompts=True)
    text = "text" in cut.modes
    pictures = {
        model: [model.generate(some(model, text, prompt=each)) for each in (one, other)] for model in (cut, whole)
    }
    assert differ(*pictures[cut]) == 0 and differ(*pictures[whole]) > 0
    short = some(cut, text, prompt="short")
    assert differ(cut.generate(short), whole.generate(short)) == 0


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
@pytest.mark.parametrize("negative", [None, "ugly", LONG])
def test_short_and_long_prompts_in_one_batch(checkpoint, said, name, negative):
    model = load(checkpoint(name), long_prompts=True, negative_prompt=negative)
    for text in (True, False):
        jobs = [
            job(seed, text=text, prompt=each) for seed, each in enumerate((LONG, "short", LONG * 2, "a tree", LONG))
        ]
        assert differ(model.generate(jobs), [model.generate([each])[0] for each in jobs]) <= 1
    assert said == []


def test_a_caption_is_no_weighting_syntax(checkpoint, monkeypatch):
    """The tokens that are encoded are the caption's own, brackets and signs included."""
    model = load(checkpoint("sd15"), {"text"}, long_prompts=True)
    pipe, seen = model._pipes["text"], []
    pipe.text_encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model._prompts._whole(LONG)
    special = set(pipe.tokenizer.all_special_ids)
    kept = [token for ids in seen for token in ids[0].tolist() if token not in special]
    assert kept == [token for token in pipe.tokenizer(LONG).input_ids if token not in special]
    assert all(ids.shape == (1, 77) for ids in seen) and len(seen) > 2
