"""What a server answers: refusals, thoughts, parameters that it wants otherwise, keys that no message shows."""

from __future__ import annotations

import json

import pytest
from chat_server import KEY, caption, load
from fake_server import Reply, fails, says

import models
from models.base import Caption, ModelError

REFUSALS = {
    "none": says(None),
    "empty": says("  \n"),
    "filter": says("A part of a cap", "content_filter"),
    "field": says(None, refusal="I can't help with that."),
    "field and text": says("Hm.", refusal="I can't help with that."),
    "words": says("I'm sorry, but I can't assist with that request."),
    "only thoughts": says("<think>The user wants", "length"),
    "azure": fails(400, "filtered", code="content_filter"),
}


@pytest.mark.parametrize("reply", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_never_a_caption(serve, reply):
    server = serve(lambda image, attempt, body: reply if image == 1 else says("A red picture."))
    model = load(server)
    refused, good = caption(model, 2)
    assert isinstance(refused, ModelError) and good.text == "A red picture."
    # More tokens are given once
    assert server.asked.count(1) == (2 if reply is REFUSALS["only thoughts"] else 1) and model.stopped is None


def test_thoughts_and_parts_are_read(serve):
    parts = [{"type": "text", "text": "A red"}, {"type": "text", "text": " picture."}]
    server = serve(
        lambda image, attempt, body: says("<think>\nred?\n</think>\n\nA red picture.") if image == 1 else says(parts)
    )
    assert [answer.text for answer in caption(load(server), 2)] == ["A red picture."] * 2


def test_nonsense_in_usage_does_no_harm(serve):
    odd = json.loads(says("fine").body)
    odd["usage"] = {"prompt_tokens": "many", "completion_tokens": True}
    odd["choices"][0]["finish_reason"] = ["stop"]
    server = serve(lambda image, attempt, body: Reply(odd))
    assert caption(load(server)) == [Caption("fine", None, {})]


def test_a_server_that_wants_the_new_parameter_gets_it(serve):
    def answer(image, attempt, body):
        if "max_tokens" in body:
            return fails(400, "Unsupported parameter: use 'max_completion_tokens' instead.", param="max_tokens")
        return says("fine")

    server = serve(answer)
    model = load(server, concurrency=4)
    assert all(isinstance(one, Caption) for one in caption(model, 8))
    assert server.bodies[-1]["max_completion_tokens"] >= 1026 and "max_tokens" not in server.bodies[-1]
    asked = len(server.asked)
    caption(model)
    assert len(server.asked) == asked + 1  # it is remembered


def test_a_model_without_temperature_is_told_of(serve, capsys):
    server = serve(lambda i, a, body: fails(400, "no", param="temperature") if "temperature" in body else says("fine"))
    assert caption(load(server))[0].text == "fine"
    assert "takes no 'temperature'" in capsys.readouterr().err


def test_too_many_tokens_is_told_and_not_asked_for_ever(serve):
    server = serve(lambda image, attempt, body: fails(400, "max_tokens is too large: 1056", param="max_tokens"))
    (answer,) = caption(load(server))
    assert "too large" in str(answer)
    assert [body["max_tokens"] for body in server.bodies] == [1056, 528, 264, 132, 66]  # fewer each time


@pytest.mark.parametrize("place", [0, 100, *range(250, 310, 6)])
def test_the_key_is_in_no_message(serve, monkeypatch, place):
    """Wherever it stands: a message that is cut short before the key is cut out would show half of it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def answer(image, attempt, body):
        echo = "-" * place + KEY + str(dict(server.headers[-1]))
        replies = [
            fails(400, echo),
            fails(500, echo),
            Reply(echo.encode(), 400),
            Reply(echo.encode()),
            says(f"key {KEY}"),
            fails(401, echo),
        ]
        return replies[image - 1]

    server = serve(answer)
    model = load(server, concurrency=1, attempts=1)
    answers = caption(model, 6)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert len(server.asked) == 6 and all(isinstance(answer, ModelError) for answer in answers)
    for text in [*map(str, answers), model.stopped]:
        assert KEY not in text and KEY[:10] not in text


def test_a_password_in_the_address_is_in_no_message(serve):
    server = serve(lambda image, attempt, body: fails(404))
    server.base = server.base.replace("http://", "http://user:passw0rd@")
    model = load(server)
    assert "passw0rd" not in str(caption(model)[0]) + model.stopped


def test_the_key_is_optional_for_ones_own_server_only(serve, monkeypatch):
    server = serve(lambda image, attempt, body: says("x"))
    caption(load(server))
    assert server.headers[0]["Authorization"] == "Bearer none"
    for name in ("gpt4o", "openai"):
        with pytest.raises(ModelError, match="OPENAI_API_KEY"):
            models.create("i2t", name).load(None, "cpu", None, api_base=None, concurrency=1, seed=0)
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        load(server, "gpt4o")
    monkeypatch.setenv("OPENAI_API_KEY", "sk\nInjected: 1")
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as refusal:
        load(server, "gpt4o")
    assert "Injected" not in str(refusal.value)


def test_gpt4o_asks_openai_for_gpt_4o_and_knows_its_price(serve, monkeypatch):
    from models.i2t._openai import client

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = serve(lambda image, attempt, body: says("x"))
    assert "usd" not in caption(load(server, "gpt4o", None))[0].usage  # another server, another price
    monkeypatch.setattr(client, "OPENAI", server.base)
    assert caption(load(server, "gpt4o", None))[0].usage["usd"] == pytest.approx(1000 * 2.5e-6 + 20 * 10e-6)
    assert "usd" not in caption(load(server, "gpt4o", "gpt-99"))[0].usage
    assert [body["model"] for body in server.bodies] == ["gpt-4o", "gpt-4o", "gpt-99"]


@pytest.mark.parametrize(
    "base", ["localhost:8000/v1", "ftp://x/v1", "http://", "http://[::1", "http://h:99999/v1", "/v1", "http://h\n/v1"]
)
def test_an_address_that_is_none_is_refused(base):
    with pytest.raises(ModelError, match="--api_base"):
        models.create("i2t", "openai").load("m", "cpu", None, api_base=base, concurrency=1, seed=0)


def test_the_only_model_of_a_server_is_taken(serve):
    server = serve(lambda image, attempt, body: says("x"))
    caption(load(server, model_dir=None))
    assert server.bodies[0]["model"] == "m"
    server.models = ["one", "two"]
    with pytest.raises(ModelError, match="--model_dir is missing.*one, two"):
        load(server, model_dir=None)
    server.close()
    with pytest.raises(ModelError, match="--model_dir"):
        load(server, model_dir=None)
