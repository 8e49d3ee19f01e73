"""LLaVA in its authors' layout: equal to the converted one, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_i2t
import tiny_llava
import torch
from captioning import edit, pictures
from named_encoders import PROMPT, load, refusal
from PIL import ImageOps
from transformers import CLIPConfig, CLIPModel

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def authors(checkpoints, tmp_path) -> Path:
    """A copy in the authors' layout to spoil, with its tower inside."""
    folder = Path(shutil.copytree(checkpoints["authors"], tmp_path / "authors"))
    shutil.copytree(checkpoints["authors"].parent / "tower", folder / "vision_tower")
    edit(folder / "config.json", mm_vision_tower="owner/elsewhere")
    return folder


SHARDS = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")


def edit_weights(folder: Path, change: Any, files: tuple[str, ...] = SHARDS) -> None:
    for file in files:
        weights = torch.load(folder / file, weights_only=True)
        change(weights)
        torch.save(weights, folder / file)


def test_authors_layout_equals_the_converted_one(checkpoints):
    theirs, converted = load("sharegpt4v", checkpoints["authors"]), load("llava", checkpoints["converted"])
    weights, same = converted.model.state_dict(), theirs.model.state_dict()
    assert weights.keys() == same.keys()
    embeddings = "model.language_model.embed_tokens.weight"
    for key in weights:
        last = -1 if key in (embeddings, "lm_head.weight") else None  # the row of <image>, which is never used
        assert torch.equal(weights[key][:last], same[key][:last]), key
    assert theirs.caption(pictures(), PROMPT, 10) == converted.caption(pictures(), PROMPT, 10)
    assert theirs.model.generation_config.suppress_tokens == [len(weights[embeddings]) - 1]


def test_tokens_are_those_of_the_authors_code(checkpoints):
    """Text before and after the image is encoded apart; 16 places for the image."""
    import sentencepiece

    folder = checkpoints["authors"]
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    before, after = (pieces.encode(text) for text in tiny_llava.PROMPT.format(PROMPT).split("<image>"))
    inputs = load("sharegpt4v", folder)._inputs(pictures()[:1], PROMPT)
    assert inputs["input_ids"][0].tolist() == [1, *before, *[len(pieces)] * 16, *after]


@pytest.mark.parametrize("aspect", ["pad", None])
def test_padding_to_a_square_is_that_of_the_authors_code(authors, aspect):
    edit(authors / "config.json", image_aspect_ratio=aspect)
    model, (_, wide, tall, *_) = load("sharegpt4v", authors), pictures()
    for image in (wide, tall):
        side, mean = max(image.size), tuple(int(255 * value) for value in tiny_llava.IMAGE_PROCESSOR["image_mean"])
        square = ImageOps.pad(image, (side, side), color=mean)
        first, second = (model._inputs([each], PROMPT)["pixel_values"] for each in (image, square))
        assert first.equal(second) == (aspect == "pad")


def test_every_name_converts_the_layout(authors):
    edit(authors / "config.json", model_type="llava", architectures=["LlavaLlamaForCausalLM"])
    assert load("never-heard-of", authors).caption(pictures()[:1], PROMPT, 10)[0].text.endswith(".")


def test_a_tower_inside_the_weights_comes_first(authors):
    tower = torch.load(authors / "vision_tower" / "pytorch_model.bin", weights_only=True)
    own = {
        "model.vision_tower.vision_tower." + key: tensor * 1.5
        for key, tensor in tower.items()
        if tensor.is_floating_point()
    }
    edit_weights(authors, lambda weights: weights.update(own))
    key = "embeddings.patch_embedding.weight"
    loaded = load("sharegpt4v", authors).model.state_dict()["model.vision_tower." + key]
    assert torch.equal(loaded, tower["vision_model." + key] * 1.5)


def drop(key: str) -> Any:
    return lambda weights: weights.pop(key, None)


@pytest.mark.parametrize(
    "change, files, words",
    [
        (drop("model.norm.weight"), SHARDS, "lacks 1 weights (model.language_model.norm.weight"),
        (drop("model.mm_projector.2.bias"), SHARDS, "lacks 1 weights (model.multi_modal_projector.linear_2.bias"),
        (drop("lm_head.weight"), SHARDS, "lacks lm_head.weight"),
        (lambda weights: weights.clear(), SHARDS[1:], "lacks "),
        (lambda weights: weights.update({"model.image_newline": torch.ones(64)}), SHARDS, "beyond LLaVA's, 1 weights"),
        (drop("vision_model.pre_layrnorm.bias"), ("vision_tower/pytorch_model.bin",), "vision_tower lacks 1 weights"),
    ],
)
def test_layout_with_weights_missing_or_over(authors, change, files, words):
    edit_weights(authors, change, files)
    assert words in refusal("sharegpt4v", authors)


def test_a_shard_that_is_not_there(authors):
    (authors / SHARDS[1]).unlink()
    assert "lacks " in refusal("sharegpt4v", authors)
    (authors / SHARDS[0]).unlink()
    assert "holds no weights" in refusal("sharegpt4v", authors)


def test_a_tower_that_is_a_whole_clip(authors, checkpoints):
    """As openai/clip-vit-large-patch14-336, which LLaVA 1.5 names."""
    tower, alone = authors / "vision_tower", load("sharegpt4v", checkpoints["authors"])
    layers = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**layers, "vocab_size": 99, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=tiny_i2t.VISION, projection_dim=32))
    weights = {"vision_model." + key: tensor for key, tensor in alone.model.model.vision_tower.state_dict().items()}
    own = clip.state_dict()
    assert set(weights) <= set(own)
    clip.load_state_dict({**own, **weights})
    clip.save_pretrained(tower)
    (tower / "pytorch_model.bin").unlink()
    captions = alone.caption(pictures(), PROMPT, 10)
    assert load("sharegpt4v", authors).caption(pictures(), PROMPT, 10) == captions


@pytest.mark.parametrize(
    "changes",
    [
        {"mm_projector_type": "linear"},
        {"image_aspect_ratio": "anyres"},
        {"mm_use_im_start_end": True},
        {"mm_vision_select_feature": "cls_patch"},
        {"mm_vision_tower": None},
        {"architectures": ["LlavaMistralForCausalLM"]},
    ],
)
def test_another_design_is_refused(authors, changes):
    edit(authors / "config.json", **changes)
    message = refusal("sharegpt4v", authors)
    assert next(iter(changes)) in message and "llava-hf/llava-1.5-7b-hf" in message


def test_layout_without_its_tower(authors, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.rmtree(authors / "vision_tower")
    message = refusal("sharegpt4v", authors)
    assert (
        "vision tower" in message and f"hf download owner/elsewhere --local-dir {authors / 'vision_tower'}" in message
    )


def test_pickles_that_run_code_are_not_opened(authors, tmp_path):
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model.norm.weight": Bomb()}, authors / SHARDS[1])
    assert "do not load" in refusal("sharegpt4v", authors)
    assert not (tmp_path / "ran").exists()


def test_tokenizer_of_another_size(authors):
    def shorten(weights: dict[str, torch.Tensor]) -> None:
        for key in {"lm_head.weight", "model.embed_tokens.weight"} & set(weights):
            weights[key] = weights[key][:-3].clone()

    edit_weights(authors, shorten)
    assert "the tokenizer has" in refusal("sharegpt4v", authors)
