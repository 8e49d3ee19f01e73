"""Secrets are cut out of what is shown and written, and nothing else is."""

from __future__ import annotations

import base64
import random
import time

import pytest

from cmcbench.runtime.messages import RunLog, say
from models.secrets import without_secrets, without_secrets_in

SECRET = "Xq7secretvalue9"
WITH_SECRETS = [
    f"https://user:{SECRET}@host/x",
    f"https://user:pa/{SECRET}@host:80/x",
    f"https://user:p@{SECRET}@host:notaport/x",
    f"http:/user:{SECRET}@host",
    f"https//user:{SECRET}@host/v1",
    f"https:user:{SECRET}@host/v1",
    f"socks5h://me:{SECRET}@proxy:1080",
    f"https://{SECRET}@host/",
    f"user:{SECRET}@mirror.example",
    f"https://host/v1?api-version=2&api-key={SECRET}&z=1",
    f"https://host/v1?key={SECRET}",
    f"https://host/x?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"{{'Authorization': 'Bearer {SECRET}'}}",
    f"{{'api_key': '{SECRET}'}}",
    f'{{"token": "{SECRET}", "output_tokens": 21}}',
    f"python run.py --api_key {SECRET} --seed 4",
    f"python run.py --api-key='{SECRET}'",
    f"python run.py --key {SECRET}",
    f"OPENAI_API_KEY={SECRET} python run.py",
    f"x-api-key: {SECRET}",
    f"password={SECRET}",
    f"Incorrect API key provided: sk-{SECRET}{SECRET}",
    f"hf_{SECRET}{SECRET}",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_secret_is_cut_and_what_was_cut_stays_as_it_is(text):
    cut = without_secrets(text)
    assert SECRET not in cut and "[hidden]" in cut
    assert without_secrets(cut) == cut


@pytest.mark.parametrize(
    "text",
    [
        "failed: NSI_pgc_000.png: is damaged or truncated (image file is truncated)",
        "http://localhost:8000/v1/models/OWNER/NAME@main",
        "https://huggingface.co/OWNER/NAME@revision",
        "the checkpoint OWNER/NAME@0123456789abcdef has no tokenizer",
        "the key: a man with a token of love",
        "secretary: a woman; a secret: place; keyboard: red",
        "max_tokens=300, output_tokens: 21, --max_tokens 300",
        "script.py:12:somebody@host.example",
        "write to me@example.org",
        "{'sha256': '" + "0123456789abcdef" * 4 + "'}",
        "x" * 5000,
        "/home/user1/Projects/a_folder" * 30,
        "",
    ],
)
def test_text_without_secrets_is_unchanged(text):
    assert without_secrets(text) == text


def test_base64_data_is_counted_instead_of_shown():
    data = base64.b64encode(random.Random(1).randbytes(3000)).decode()
    for text in (f"data:image/png;base64,{data}", data, f"it said {data!r}.", data.replace("/", "\\/")):
        cut = without_secrets(f"before {text} after")
        assert cut.startswith("before ") and cut.endswith(" after") and "characters of base64]" in cut
        assert data[:40] not in cut and data[-40:] not in cut and len(cut) < 100


def test_the_value_of_a_secret_variable_is_cut_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "blue-horse-battery")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "falsefalse")
    assert without_secrets("you sent blue-horse-battery, falsefalse") == "you sent [hidden], falsefalse"


def test_json_is_cut_at_every_depth():
    record = {
        "command": f"run --key {SECRET}",
        "images": [{"where": f"https://a:{SECRET}@b/"}],
        "words": 10,
        "none": None,
    }
    assert SECRET not in str(without_secrets_in(record))
    assert without_secrets_in({"words": 10, "none": None, "list": [1.5, True]}) == {
        "words": 10,
        "none": None,
        "list": [1.5, True],
    }


@pytest.mark.parametrize(
    "part", ["a", "a:", "ab/", "a-", "key_", "a.b:", "secret=", "http://", "http://a:b", "data:", "-a_"]
)
def test_hostile_text_takes_no_time(part):
    begun = time.process_time()  # a busy machine takes longer by the clock
    without_secrets(part * (100_000 // len(part)))
    assert time.process_time() - begun < 2


def test_messages_and_failures_show_no_secret(capsys):
    say(f"note: https://user:{SECRET}@host/ is slow")
    report = RunLog()
    report.fail("x.png", f"x.png: the server at https://user:{SECRET}@host/ refused")
    assert report.close("done") == 1
    said = capsys.readouterr().err
    assert SECRET not in said and said.count("[hidden]@host/") == 3
