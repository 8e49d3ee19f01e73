"""Qwen-VL-Chat from a tiny checkpoint in its authors' layout: equal to their code, captions, refusals.

tests/golden/qwen_vl_chat.npz and qwen_tokens.json were made by the authors' own code (modeling_qwen.py, visual.py,
tokenization_qwen.py and qwen_generation_utils.py of github.com/Immerso-AIIP-Ltd/Qwen-VL-Chat, commit 4582d23: the
hub's files) on the weights of tests/support/tiny_qwen.py (numpy seed 14) in float64, with the first eight pictures of
samples/GT by name, transformers' removed get_head_mask answered with None for each layer, and tokens taken greedily
with their cache. prompt: ids of make_context, the image's places set to <imgpad>. features: visual of two pictures,
[:, ::32, ::8]; logits: of the prompt's last place, two pictures; random and taught: 16 tokens a picture, -1 after the
end; *_max: the largest magnitude of the whole. qwen_tokens.json: texts and their ids by tiktoken 0.14, no special
token allowed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_qwen
import torch
from PIL import Image

from models import ModelError, create
from models.i2t._native.sampling import Draws, Sampling

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
PROMPT = "Generate an informative paragraph in 10 words based on the image.Considering Light and Color"

pytestmark = pytest.mark.usefixtures("one_thread")


def load(folder: Any, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    model = create("i2t", "Qwen")
    model.load(str(folder), "cpu", dtype, **options)
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("qwen")
    return {name: tiny_qwen.qwen(base / name, taught=name == "taught") for name in ("taught", "random")}


@pytest.fixture(scope="module")
def captioner(folders: dict[str, Path]) -> Any:
    return load(folders["taught"])


@pytest.fixture(scope="module")
def untaught(folders: dict[str, Path]) -> Any:
    return load(folders["random"])


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted((ROOT / "samples" / "GT").glob("*.png"))[:8]]


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "qwen_vl_chat.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def spoilt(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the checkpoint to spoil."""
    return Path(shutil.copytree(folders["taught"], tmp_path / "checkpoint"))


# Equal to the authors' code


def test_prompt_is_the_authors(captioner, golden):
    assert captioner._prompt(PROMPT) == golden["prompt"].tolist()


def test_vision_tower_is_the_authors(untaught, pictures, golden):
    with torch.no_grad():
        found = untaught.model.model.visual(untaught._inputs(pictures[:2], PROMPT)["pixel_values"])
    assert found.shape == (2, 256, tiny_qwen.WIDTH)
    assert np.abs(found[:, ::32, ::8].numpy() - golden["features"]).max() <= 1e-5 * golden["features_max"]


def test_logits_are_the_authors(untaught, pictures, golden):
    with torch.no_grad():
        found = untaught.model(**untaught._inputs(pictures[:2], PROMPT)).logits[:, -1]
    assert np.abs(found.numpy() - golden["logits"]).max() <= 1e-5 * golden["logits_max"]


@pytest.mark.parametrize("name", ["random", "taught"])
def test_greedy_tokens_are_the_authors_in_a_batch(captioner, untaught, pictures, golden, name):
    model = captioner if name == "taught" else untaught
    inputs = model._inputs(pictures, PROMPT)
    rows = model.model.generate(**inputs, max_new_tokens=16)[:, inputs["input_ids"].shape[1] :].tolist()
    for found, expected in zip(rows, golden[name].tolist()):
        expected = [token for token in expected if token >= 0]
        assert found[: len(expected)] == expected


def test_rows_padded_on_the_left_are_what_they_are_alone(captioner, pictures):
    questions = ["What is it?", PROMPT]
    prompts = [captioner._prompt(question) for question in questions]
    width, pad = max(map(len, prompts)), captioner.processor.tokenizer.pad_token_id
    padded = [[pad] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    pixels = captioner._inputs(pictures[:2], PROMPT)["pixel_values"]
    together = {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(mask), "pixel_values": pixels}
    rows = captioner.model.generate(**together, max_new_tokens=12)[:, width:].tolist()
    for picture, question, row in zip(pictures, questions, rows):
        assert captioner._read(row) == captioner.caption([picture], question, 10)[0]


def test_ids_of_unusual_text_are_tiktokens(captioner):
    tokenizer = captioner.processor.tokenizer
    for text, ids in json.loads((GOLDEN / "qwen_tokens.json").read_text()):
        assert tokenizer.encode(text) == ids, repr(text)


def test_text_never_becomes_a_special_token(captioner):
    tokenizer = captioner.processor.tokenizer
    text = "".join(tokenizer.special)
    assert not set(tokenizer.encode(text)) & set(tokenizer.special.values())
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_answer_keeps_its_tags_and_loses_the_frame(captioner):
    tokenizer = captioner.processor.tokenizer
    named = [tokenizer.special[token] for token in ("<|im_start|>", "<ref>", "</ref>", "<|extra_7|>")]
    ids = [named[0], named[1], *tokenizer.encode("a boat"), named[2], named[3], tiny_qwen.VOCABULARY - 1]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<ref>a boat</ref>"
    assert tokenizer.decode([0xE2, 0x82]) == "\ufffd"


# Captions


def test_a_batch_equals_its_images_one_by_one(captioner, pictures):
    captions = captioner.caption(pictures, PROMPT, 10)
    assert captions == [captioner.caption([picture], PROMPT, 10)[0] for picture in pictures]
    assert len({caption.text for caption in captions}) > 4
    assert all(caption.finish_reason == "stop" and caption.text.endswith(".") for caption in captions)


def test_pictures_of_any_shape_are_captioned(captioner):
    for size in ((1, 1000), (1000, 1), (1, 1), (448, 448)):
        assert captioner.caption([Image.new("RGB", size, "teal")], PROMPT, 10)[0].text


def test_half_precision_is_half_everywhere(folders, pictures):
    model = load(folders["taught"], torch.float16)
    assert {part.dtype for part in model.model.parameters()} == {torch.float16}
    assert model.model.model.rotary_emb.inv_freq.dtype == torch.float32
    assert model.caption(pictures[:1], PROMPT, 10)[0].finish_reason == "stop"


def test_prompt_and_answer_stay_within_2048_tokens(captioner, untaught, pictures):
    assert captioner._room(394) == 2048 - 394
    long = "x" + " bright" * (2040 - len(captioner._prompt("x")))
    caption = untaught.caption(pictures[:1], long, 10)[0]  # a model that does not end by itself
    assert caption.finish_reason == "length" and caption.usage == {"output_tokens": 8}
    with pytest.raises(ModelError, match="the model has only 2048 positions"):
        captioner.caption(pictures[:1], long + " bright" * 8, 10)


def test_what_it_is_and_its_licence(folders, capsys):
    model = load(folders["taught"])
    assert model.default_dir == "Qwen/Qwen-VL-Chat" and model.dtype is None and model.identity["sampling"] == "greedy"
    assert capsys.readouterr().err.count("Tongyi Qianwen LICENSE AGREEMENT") == 1


def test_convert_keeps_safetensors_that_give_the_same_captions(captioner, spoilt, pictures):
    load(spoilt)
    assert not list(spoilt.glob("*.safetensors"))
    load(spoilt, convert=True)
    assert len(list(spoilt.glob("pytorch_model-*.bin.safetensors"))) == 2
    for shard in spoilt.glob("*.bin"):
        shard.unlink()
    assert load(spoilt).caption(pictures[:2], PROMPT, 10) == captioner.caption(pictures[:2], PROMPT, 10)


# Sampling as published


def test_published_sampling_depends_on_seed_and_image_alone(folders, captioner, pictures):
    model = load(folders["taught"], sampling="published", seed=42)
    captions = model.caption(pictures[:4], PROMPT, 10)
    assert captions == [model.caption([picture], PROMPT, 10)[0] for picture in pictures[:4]]
    assert captions[::-1] == model.caption(pictures[3::-1], PROMPT, 10)
    assert model.identity["sampling"] == "published" and model._room(394) == 512
    model.published = model.sampling = Sampling(top_p=1.0, temperature=3.0, tokens=64)
    wild = model.caption(pictures[:4], PROMPT, 10)
    model.seed = 43
    assert wild != model.caption(pictures[:4], PROMPT, 10) and wild != captioner.caption(pictures[:4], PROMPT, 10)


def test_tokens_are_drawn_from_the_nucleus_by_their_probability():
    likely = torch.tensor([[0.1, 0.5, 0.05, 0.3, 0.05]])
    draws = Draws(Sampling(top_p=0.75, temperature=1.0, tokens=9), [7])
    drawn = [draws(None, likely.log()).argmax().item() for _ in range(2000)]
    assert set(drawn) == {1, 3}  # 0.5 falls short of 0.75, 0.5 + 0.3 reaches it
    assert abs(drawn.count(1) / len(drawn) - 0.5 / 0.8) < 0.03
    first = Draws(Sampling(top_p=0.3, temperature=1.0, tokens=9), [7])
    assert {first(None, likely.log()).argmax().item() for _ in range(50)} == {1}


def test_another_checkpoint_has_no_published_sampling(checkpoint):
    with pytest.raises(ModelError, match="no published sampling"):
        load(checkpoint("qwen2_5_vl"), sampling="published")


# As a user runs it


def test_batches_of_1_and_8_write_the_same_captions_and_a_run_goes_on(bench, folders):
    truth = bench.folder / "GT"
    truth.mkdir()
    for path in sorted((ROOT / "samples" / "GT").glob("*.png"))[:9]:
        Image.open(path).convert("RGB").resize((96, 64)).save(truth / path.name)
    bench.inside = True
    how = ("--model_name", "Qwen", "--model_dir", folders["taught"], "--device", "cpu", "--sampling", "published")
    bench.encode(*how, "--batch_size", 1, "--result_name", "one")
    first = min(truth.iterdir()).stem
    bench.encode(*how, "--batch_size", 8, "--result_name", "eight", "--images", first)
    done = bench.encode(*how[:-2], "--result_name", "eight", code=2)
    assert "sampling was published and is greedy now" in done.stderr
    bench.encode(*how, "--batch_size", 8, "--result_name", "eight")
    files = bench.files("Text/*")
    assert files["Text/one.csv"] == files["Text/eight.csv"] and files["Text/one.csv"].count(b"\n") == 10
    assert json.loads(files["Text/one.json"])["settings"]["sampling"] == "published"
