"""What is cut out of texts before they are shown or written."""

from __future__ import annotations

import base64

import pytest

from models.secrets import holds_data, without_secrets

KEY = "sk-abcdefghijklmnop1234567890"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("http://user:passw0rd@host:8000/v1", "http://[hidden]@host:8000/v1"),
        ("https://token@hub.example/x", "https://[hidden]@hub.example/x"),
        ("http://h/v1?api-version=1&key=abc&x=2", "http://h/v1?api-version=1&key=[hidden]&x=2"),
        ("Authorization: Bearer abc.def", "Authorization: [hidden]"),
        (f"python w.py --api-key {KEY} --size 3", "python w.py --api-key [hidden] --size 3"),
        ("w --hf_token='a b' -x", "w --hf_token='[hidden]' -x"),
        ("OPENAI_API_KEY=abc w --n 1", "OPENAI_API_KEY=[hidden] w --n 1"),
        (f"bad key {KEY}.", "bad key [hidden]."),
        ("hf_abcdefghijklmnopqrstu is gone", "[hidden] is gone"),
    ],
)
def test_secrets_are_hidden(text, shown):
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "python worker.py --max_tokens 100 --tokenizer t --seed 3",
        "A tokenizer's keyboard: KEY and LOCK, user@example.org",
        "https://huggingface.co/a/b?download=true",
        "sk-learn and risk-averse",
    ],
)
def test_what_is_none_stays(text):
    assert without_secrets(text) == text


def test_the_data_of_an_image_are_cut():
    data = base64.b64encode(bytes(range(256)) * 4).decode()
    echo = f"cannot read data:image/png;base64,{data} here"
    assert data not in without_secrets(echo) and without_secrets(echo).endswith(" here") and holds_data(echo)
    assert data not in without_secrets(f'"{data}"') and holds_data(data)
    assert not holds_data("A red barn with the text " + "A" * 60)
