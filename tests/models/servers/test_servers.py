"""Servers as they are: what they refuse in words of their own, where their API is, whether they see, what they echo."""

from __future__ import annotations

import pytest
from chat_server import caption, load, rows, script
from fake_server import Reply, fails, says

import models
from models.base import Caption, ModelError
from models.i2t._openai import address, complaint

SENT = {"temperature": 0, "seed": 7, "max_tokens": 1056}


# What a server refuses


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted", "type": "value_error.extra"}]},
        [{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'}}],
        {"error": {"message": "property 'seed' is unsupported"}},
        {"message": "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted'}]"},
        {"error": "Unrecognized request argument supplied: seed"},
        {"error": {"message": "seed is not supported, only temperature and max_tokens are"}},
    ],
    ids=["loc", "list", "property", "loc in the text", "text", "among others"],
)
@pytest.mark.parametrize("status", [400, 422])
def test_the_one_parameter_that_is_named_is_dropped(serve, capsys, body, status):
    server = serve(lambda image, attempt, sent: Reply(body, status) if "seed" in sent else says("fine"))
    assert caption(load(server))[0].text == "fine"
    assert len(server.bodies) == 2 and {"temperature", "max_tokens"} <= server.bodies[1].keys()
    assert "takes no 'seed'" in capsys.readouterr().err


def test_parameters_are_dropped_one_after_the_other(serve):
    def answer(image, attempt, sent):
        bad = next((name for name in ("temperature", "seed", "max_tokens") if name in sent), None)
        return fails(400, f"Unsupported parameter: {bad}") if bad else says("fine")

    server = serve(answer)
    assert caption(load(server))[0].text == "fine"
    assert "max_completion_tokens" in server.bodies[-1]


def test_an_echo_of_the_request_drops_nothing(serve):
    server = serve(lambda image, attempt, sent: fails(400, f"cannot do {sorted(sent)}"))
    (answer,) = caption(load(server))
    assert "cannot do" in str(answer) and len(server.asked) == 1


@pytest.mark.parametrize(
    "message, room",
    [
        ("max_tokens is too large: 1056. This model supports at most 512 completion tokens", 512),
        ("This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (1444 in the "
         "messages, 1056 in the completion).", 604),
        ("'max_tokens' or 'max_completion_tokens' is too large: 1056. This model's maximum context length is 1024 "
         "tokens and your request has 700 input tokens (1056 > 1024 - 700).", 324),
        ("`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1500 `inputs` tokens and 1056 `max_new_tokens`",
         548),
        ("Invalid 'max_tokens': integer above maximum value. Expected a value <= 800, but got 1056 instead.", 800),
        ("This model's maximum context length is 1000 tokens. However, your messages resulted in 1200 tokens.", 0),
        ("the request exceeds the available context size (4096 tokens), try increasing it", 0),
        ("image too small", None),
        ("Unsupported parameter: 'max_tokens'", None),
    ],
)  # fmt: skip
def test_the_room_for_an_answer_is_read(message, room):
    assert complaint.room(message, 1056) == room


def test_a_context_error_asks_for_what_fits(serve):
    told = (
        "This model's maximum context length is 2048 tokens. However, you requested {} tokens (1444 in the messages)."
    )
    server = serve(lambda i, a, sent: fails(400, told.format(0)) if sent["max_tokens"] > 604 else says("fine"))
    assert [one.text for one in caption(load(server, concurrency=1), 2)] == ["fine"] * 2
    assert [body["max_tokens"] for body in server.bodies] == [1056, 604, 604]


@pytest.mark.parametrize(
    "body", [b"plain words", {"detail": "plain words"}, ["plain words"], {"errors": ["plain words"]},
             [{"error": {"message": "plain words"}}], {"error": {"msg": "plain words"}}, {"x": {"y": "plain words"}}]
)  # fmt: skip
def test_the_servers_words_are_never_lost(serve, body):
    server = serve(lambda image, attempt, sent: Reply(body, 400))
    assert "plain words" in str(caption(load(server))[0])


def test_a_large_image_is_sent_smaller_on_request(serve):
    server = serve(lambda image, attempt, sent: Reply(b"<h1>Request Entity Too Large</h1>", 413))
    assert "--image_max" in str(caption(load(server))[0])
    server.answer = lambda image, attempt, sent: says(f"{image} px")
    model = load(server, image_max=64)
    from PIL import Image

    assert model.caption([Image.new("RGB", (200, 100), "red")], "x", 10)[0].text == "64 px"
    assert server.kinds == ["data:image/png", "data:image/jpeg"]


# Thoughts


def test_a_model_that_only_thinks_is_stopped_after_ten(serve):
    server = serve(lambda image, attempt, sent: says("<think>hm", "length"))
    model = load(server, concurrency=1)
    answers = caption(model, 15)
    assert len(server.asked) == 11 and sum("not asked" in str(answer) for answer in answers) == 5
    assert [body["max_tokens"] for body in server.bodies] == [1056] + [4224] * 10
    assert "--max_tokens 16896" in model.stopped and "--max_tokens" in str(answers[0])


def test_a_larger_budget_helps_and_is_kept(serve):
    server = serve(
        lambda i, a, sent: says("<think>hm", "length") if sent["max_tokens"] < 2000 else says("<think>hm</think>A barn")
    )
    assert [answer.text for answer in caption(load(server, concurrency=1), 3)] == ["A barn"] * 3
    assert [body["max_tokens"] for body in server.bodies] == [1056, 4224, 4224, 4224]


def test_the_users_budget_is_not_raised(serve):
    server = serve(lambda image, attempt, sent: says(None, "length"))
    assert "budget of 300 tokens" in str(caption(load(server, max_tokens=300))[0]) and len(server.asked) == 1


# Sight


@pytest.mark.parametrize(
    "answer", ["A red barn.", "I don't see an image.", "Please provide the image you would like me to describe."]
)
def test_a_blind_server_is_refused(serve, answer):
    server = serve(lambda image, attempt, sent: says(answer))
    with pytest.raises(ModelError, match="does not see images.*--no_probe"):
        load(server, no_probe=False)
    load(server, no_probe=True)


def test_a_server_that_sees_is_asked_twice(serve):
    server = serve(lambda image, attempt, sent: says(f"seen {image}"))
    load(server, no_probe=False)
    assert len(server.asked) == 2


def test_a_wrong_key_is_told_at_load(serve):
    server = serve(lambda image, attempt, sent: fails(401, "bad key"))
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        load(server, no_probe=False)


# Addresses


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/chat/completions", "/v1/models"])
def test_the_api_is_found(serve, path):
    server = serve(lambda image, attempt, sent: says("fine"))
    server.base = server.base.removesuffix("/v1") + path
    assert caption(load(server))[0].text == "fine"


def test_the_api_may_be_at_the_root_or_below(serve):
    server = serve(lambda image, attempt, sent: says("fine"))
    root = server.base.removesuffix("/v1")
    for served, given in (("/chat/completions", ""), ("/api/v1/chat/completions", "/api")):
        server.path, server.base = served, root + given
        assert [one.text for one in caption(load(server), 4)] == ["fine"] * 4


def test_azures_address_is_sent_whole(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "0123456789abcdef")
    server = serve(lambda image, attempt, sent: says("fine"))
    server.path = "/openai/deployments/gpt/chat/completions"
    server.base = server.base.replace("/v1", f"{server.path}?api-version=2024-06-01")
    assert caption(load(server))[0].text == "fine"
    assert server.paths == [f"{server.path}?api-version=2024-06-01"]
    assert server.headers[0]["api-key"] == "0123456789abcdef"


@pytest.mark.parametrize(
    "base",
    ["http:/user:passw0rd@host/v1", "user:passw0rd@host/v1", "http://user:pa/passw0rd@host/v1", "http://u#passw0rd@h/v1",
     "http://user:passw0rd@host:port/v1", "http://us er:passw0rd@host/v1", "ftp://user:passw0rd@host", "http://h:x/?key=passw0rd"],
)  # fmt: skip
@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_malformed_address_is_shown_without_its_password(base, by, monkeypatch):
    if by == "variable":
        monkeypatch.setenv("OPENAI_BASE_URL", base)
    with pytest.raises(ModelError, match="OPENAI_BASE_URL" if by == "variable" else "--api_base") as failure:
        models.create("i2t", "openai").load("m", "cpu", None, api_base=base if by == "flag" else None)
    assert "passw0rd" not in str(failure.value) and "is no address" in str(failure.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://127.0.0.1:1", "nonsense://x", "http://[::1"])
def test_servers_of_this_machine_need_no_proxy(serve, monkeypatch, proxy):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    server = serve(lambda image, attempt, sent: says("fine"))
    assert caption(load(server))[0].text == "fine"


@pytest.mark.parametrize(
    "variable, proxy", [("ALL_PROXY", "nonsense://u:passw0rd@x"), ("HTTPS_PROXY", "ftp://x:passw0rd@y")]
)
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, variable, proxy):
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(ModelError, match=variable) as failure:
        models.create("i2t", "openai").load("m", "cpu", None, api_base="https://example.org/v1", no_probe=True)
    assert "passw0rd" not in str(failure.value)


def test_a_proxy_on_the_way_is_named(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    model = models.create("i2t", "openai")
    model.attempts = 1
    model.load("m", "cpu", None, api_base="http://example.invalid/v1", no_probe=True)
    assert "proxy in the environment variable HTTP_PROXY" in str(caption(model)[0])


def test_hosts_of_this_machine():
    local = ["http://localhost:1/v1", "http://127.0.0.1/v1", "http://[::1]:8000/v1", "http://127.1.2.3:8/v1"]
    assert all(address.parse(base).is_local for base in local)
    assert not address.parse("http://localhost.example.org/v1").is_local


# Echoes


def test_an_echo_of_the_image_reaches_nobody(serve):
    def answer(image, attempt, sent):
        url = sent["messages"][0]["content"][0]["image_url"]["url"]
        echo = url + "A" * 500
        return [fails(400, f"bad image {echo}"), says(echo), says("A barn", echo), Reply(echo.encode(), 400)][image - 1]

    answers = caption(load(serve(answer)), 4)
    assert "characters of base64]" in str(answers[0]) and "image's data" in str(answers[1])
    assert answers[2].text == "A barn" and answers[2].finish_reason is None
    assert not any("base64,iVBOR" in str(answer) or "AAAA" in str(answer) for answer in answers)


def test_a_short_key_is_a_word_of_captions(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    server = serve(lambda image, attempt, sent: says("A test card"))
    assert isinstance(caption(load(server))[0], Caption)


# Through the script


def test_a_server_that_moved(bench, truth, serve):
    first, second = (serve(lambda image, attempt, sent: says(f"picture {image}")) for _ in range(2))
    bench.encode(*script(first, "--subset", 2))
    second.base = second.base.replace("127.0.0.1", "localhost")
    refused = bench.encode(*script(second), code=2)
    assert "--same_model" in refused.stderr and "server was" in refused.stderr and not second.asked
    first.base = first.base.replace("127.0.0.1", "localhost")  # the same by another name
    bench.encode(*script(first, "--subset", 3))
    assert "8 images" in bench.encode(*script(second, "--same_model")).stderr and len(rows(bench)) == 8
    import json

    record = json.loads((bench.folder / "Text" / "openai.json").read_text())
    assert record["settings"]["server"] == second.base.split("/")[2] and len(record["addresses"]) == 1
    another = script(second, "--same_model")
    another[another.index("m")] = "other"
    assert "was name:m and is name:other" in bench.encode(*another, "--overwrite", "--subset", 1, code=2).stderr
