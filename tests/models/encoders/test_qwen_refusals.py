"""What Qwen-VL-Chat's adapter refuses, each in one line: siblings, and checkpoints that are incomplete or broken."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_qwen
import torch
from captioning import edit

from models import ModelError, create
from models.i2t._qwen.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")


def load(folder: Any) -> None:
    create("i2t", "Qwen").load(str(folder), "cpu", torch.float32)


def refusal(folder: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.qwen(tmp_path_factory.mktemp("qwen") / "whole")


@pytest.fixture
def spoilt(whole: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    "name, what",
    [
        ("Qwen/Qwen-VL-Chat-Int4", "is quantised"),
        ("someone/Qwen-VL-Chat-AWQ", "is quantised"),
        ("Qwen/Qwen-VL", "is Qwen-VL without chat"),
    ],
)
def test_siblings_are_refused_by_name_before_anything_is_fetched(name, what):
    text = refusal(name)
    assert what in text and "Qwen/Qwen-VL-Chat" in text and "qwen2.5-vl" in text


@pytest.mark.parametrize(
    "file, changes, what",
    [
        ("config.json", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"quantised \(gptq\)"),
        ("config.json", {"quantization_config": {"quant_method": "awq", "bits": 4}}, r"quantised \(awq\)"),
        ("config.json", {"no_bias": False}, "another design"),
        ("config.json", {"tie_word_embeddings": True}, "another design"),
        ("generation_config.json", {"chat_format": "raw"}, "Qwen-VL without chat"),
    ],
)
def test_siblings_are_refused_by_their_files_before_weights_are_read(spoilt, file, changes, what):
    edit(spoilt / file, **changes)
    for shard in spoilt.glob("*.bin"):
        shard.write_text("not read")
    with pytest.raises(ModelError, match=f"{what}.*qwen2.5-vl"):
        load(spoilt)


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"hidden_size": 256}, "hidden_size, kv_channels \\* num_attention_heads and visual.output_dim differ"),
        ({"intermediate_size": 640}, "its configuration says"),
        ({"num_hidden_layers": 1}, "has, beyond this model's, 8 \\(transformer.h.1"),
        ({"num_hidden_layers": 3}, "lacks 12 "),
        ({"vocab_size": 1030}, "its configuration says"),
        ({"visual": {**tiny_qwen.VISUAL, "image_start_id": 151857}}, "image_start_id is 151857, in the tokenizer"),
        ({"visual": {"image_size": 448}}, "no 'output_dim'"),
    ],
)
def test_a_config_of_another_size_is_refused(spoilt, changes, what):
    edit(spoilt / "config.json", **changes)
    with pytest.raises(ModelError, match=what):
        load(spoilt)


@pytest.mark.parametrize(
    "name, what",
    [
        ("qwen.tiktoken", "lacks qwen.tiktoken"),
        ("generation_config.json", "generation_config.json is missing"),
        ("pytorch_model-00002-of-00002.bin", r"lacks 1 \(pytorch_model-00002-of-00002.bin\) of its 2"),
    ],
)
def test_a_folder_that_lacks_a_file_says_which(spoilt, name, what):
    (spoilt / name).unlink()
    with pytest.raises(ModelError, match=what):
        load(spoilt)


def test_a_truncated_shard_and_a_pointer_are_refused(spoilt):
    shard = spoilt / "pytorch_model-00002-of-00002.bin"
    shard.write_bytes(shard.read_bytes()[:-100])
    assert f"{shard} is truncated" in refusal(spoilt)
    shard.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert f"{shard} is a Git-LFS pointer" in refusal(spoilt)


@pytest.mark.parametrize(
    "line, what",
    [
        (b"!!! 300", "line 301 is '!!! 300', not a token and its number"),
        (b"YWI=", "line 301 is 'YWI=', not"),
        (b"YWI= x", "line 301 is 'YWI= x', not"),
        (b"enp6 777", "line 301 has the number 777, expected 300"),
        (b"", "line 301 is '', not"),
        (b"AA== 300", "line 301 has the number 300, expected 299"),  # a token that is there already
    ],
)
def test_a_broken_line_of_the_tokenizer_is_named(spoilt, line, what):
    lines = (spoilt / "qwen.tiktoken").read_bytes().splitlines()
    lines[300] = line
    (spoilt / "qwen.tiktoken").write_bytes(b"\n".join(lines))
    assert what in refusal(spoilt)


def test_a_tokenizer_without_all_bytes_is_refused(tmp_path):
    (tmp_path / "qwen.tiktoken").write_text("AA== 0\n")
    with pytest.raises(ModelError, match="lacks 255 of the 256 single bytes"):
        Tokenizer(tmp_path / "qwen.tiktoken")


def test_weights_that_see_nothing_are_refused(spoilt):
    for shard in spoilt.glob("*.bin"):
        found = torch.load(shard, weights_only=True)
        found = {key: torch.zeros_like(part) if key.endswith("visual.proj") else part for key, part in found.items()}
        torch.save(found, shard)
    assert "is blind" in refusal(spoilt)
