"""The transformers family on tiny checkpoints of the real architectures: what it says, and names of checkpoints."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_i2t
import torch
from captioning import KINDS, PROMPT, edit, edit_weights, load, pictures, refusal

from models import ModelError, create
from models.i2t._budget import Budget
from models.i2t._transformers import model as family

pytestmark = pytest.mark.usefixtures("one_thread")


# What it says


@pytest.mark.parametrize("kind", KINDS)
def test_batch_and_order_do_not_change_captions(captioners, kind):
    model, images = captioners[kind], pictures()
    captions = model.caption(images, PROMPT, 10)
    assert captions == [model.caption([image], PROMPT, 10)[0] for image in images]
    assert captions[::-1] == model.caption(images[::-1], PROMPT, 10)
    assert len({caption.text for caption in captions}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_captions_are_clean_text(captioners, kind):
    for caption in captioners[kind].caption(pictures()[:2], PROMPT, 10):
        assert caption.text and caption.text == caption.text.strip() and caption.text.isprintable()
        assert not {"generate", "paragraph", "assistant:", "assistant", "<image>"} & set(caption.text.lower().split())
        if kind == "blip":
            assert caption.finish_reason == "length" and caption.usage["output_tokens"] > 60
        else:  # seven words, the full stop, the end token
            assert caption.finish_reason == "stop" and caption.usage == {"output_tokens": 9}


def test_only_a_real_echo_is_cut(captioners):
    prompt = torch.tensor([[5, 6, 7]])
    assert captioners["llava"]._preface(torch.tensor([[5, 6, 7, 8]]), prompt) == 3
    assert captioners["llava"]._preface(torch.tensor([[5, 6, 8, 8]]), prompt) == 0
    assert captioners["llava"]._preface(torch.tensor([[5, 6]]), prompt) == 0


def test_an_empty_caption_stays_empty(captioners):
    model = captioners["llava"]
    caption = model._read([model.processor.tokenizer.eos_token_id, 0, 0])
    assert (caption.text, caption.finish_reason, caption.usage) == ("", "stop", {"output_tokens": 1})


def test_budget_holds_the_longest_published_caption(captioners):
    assert Budget(None).tokens(10) >= 2565 / 2.5
    assert Budget(None).tokens(300) == 2400
    with pytest.raises(ModelError, match="192 positions"):
        captioners["blip"].caption(pictures()[:1], "word " * 200, 10)


def test_greedy_whatever_the_checkpoint_wants(captioners, spoilt):
    folder = spoilt("qwen2_5_vl")
    wishes = {"do_sample": True, "temperature": 9.0, "num_beams": 3, "repetition_penalty": 5.0, "min_new_tokens": 30}
    edit(folder / "generation_config.json", **wishes)
    images = pictures()
    assert load(folder).caption(images, PROMPT, 10) == captioners["qwen2_5_vl"].caption(images, PROMPT, 10)


@pytest.mark.parametrize("kind", ["llava", "llava_next", "instructblip", "blip_2"])
def test_fields_missing_from_an_old_processor_are_filled(captioners, spoilt, kind):
    folder, images = spoilt(kind), pictures()
    fields = ("num_query_tokens", "patch_size", "vision_feature_select_strategy", "num_additional_image_tokens")
    edit(folder / "processor_config.json", drop=fields)
    assert load(folder).caption(images, PROMPT, 10) == captioners[kind].caption(images, PROMPT, 10)


def test_missing_pad_token_and_right_padding_are_mended(captioners, spoilt):
    folder, images = spoilt("qwen2_5_vl"), pictures()
    edit(folder / "tokenizer_config.json", drop=("pad_token",), padding_side="right")
    assert load(folder).caption(images, PROMPT, 10) == captioners["qwen2_5_vl"].caption(images, PROMPT, 10)


def test_tied_weights_may_be_absent(spoilt):
    folder = spoilt("qwen2_5_vl")
    edit(folder / "config.json", tie_word_embeddings=True)
    edit_weights(folder, lambda weights: weights.pop("lm_head.weight"))
    model = load(folder).model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_text_only_template_is_not_used(captioners, spoilt):
    folder, images = spoilt("instructblip"), pictures()[:2]
    edit(folder / "tokenizer_config.json", chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
    assert load(folder).caption(images, PROMPT, 10) == captioners["instructblip"].caption(images, PROMPT, 10)


# Names


@pytest.fixture
def offline(monkeypatch, tmp_path) -> Path:
    """An empty hub cache without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_hub_name_without_a_network(offline):
    assert "--model_dir FOLDER" in refusal("owner/no-such-model")


def test_hub_name_from_the_cache(offline, checkpoints):
    repository = offline / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    shutil.copytree(checkpoints["llava"], repository / "snapshots" / ("a" * 40))
    assert load("owner/tiny").caption(pictures()[:1], PROMPT, 10)[0].text


@pytest.mark.parametrize("name", ["./no/such/folder", "/no/such/folder", "a/b/c"])
def test_folder_that_does_not_exist(name):
    assert "is no folder here" in refusal(name)


def test_adapters(checkpoints):
    assert create("i2t", "LLaVA").default_dir == "llava-hf/llava-1.5-7b-hf"
    assert create("i2t", "instructblip").default_dir == "Salesforce/instructblip-vicuna-7b"
    with pytest.raises(ModelError, match="--model_dir is missing"):
        family.Model().load(None, "cpu", torch.float32)
    model = create("i2t", "never-heard-of", str(checkpoints["smolvlm"]))
    model.load(str(checkpoints["smolvlm"]), "cpu", torch.float32)
    assert model.caption(pictures()[:1], PROMPT, 10)[0].text


def test_import_is_instant():
    code = "import sys, models.i2t.qwen; assert not {'torch', 'transformers', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)


def test_two_builds_are_equal(checkpoints, tmp_path):
    def digests(folder: Path) -> dict[str, str]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    for kind in ("llava", "qwen2_5_vl", "instructblip"):
        assert digests(getattr(tiny_i2t, kind)(tmp_path / kind)) == digests(checkpoints[kind])
