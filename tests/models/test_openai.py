"""The encoder behind an OpenAI-compatible server: what is asked again, what stops, what is never a caption, what is
secret.
"""

from __future__ import annotations

import json
import signal
import time

import pytest
from fake_server import Reply, Server, fails, says
from PIL import Image

import models
from cmcbench.encode import journal
from models.base import Caption, ModelError

KEY = "sk-very-secret-0123456789"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY")
PROMPT = "Describe the image in ten words."


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (*PROXIES, "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def load(server, name="openai", model_dir="m", concurrency=8, no_probe=True, image_max=None, max_tokens=None, **more):
    model, attributes = models.create("i2t", name), more
    for attribute, value in {"first_wait": 0.01, "timeout": 5.0, **attributes}.items():
        setattr(model, attribute, value)
    options = {"no_probe": no_probe, "image_max": image_max, "max_tokens": max_tokens}
    model.load(model_dir, "cpu", None, api_base=server.base, concurrency=concurrency, seed=7, **options)
    return model


def caption(model, count=1, words=10):
    """`count` pictures of the widths 1, 2, ..., by which the server tells them apart."""
    return model.caption([Image.new("RGB", (place + 1, 3), "red") for place in range(count)], PROMPT, words)


def test_captions_come_in_order_with_what_they_cost(serve):
    server = serve(lambda image, attempt, body: Reply(says(f"picture {image}").body, hang=0.05 if image % 2 else 0))
    answers = caption(load(server), 12)
    assert answers == [
        Caption(f"picture {n}", "stop", {"input_tokens": 1000, "output_tokens": 20}) for n in range(1, 13)
    ]
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["seed"]) == ("m", 0, 7)
    assert body["messages"][0]["content"][1] == {"type": "text", "text": PROMPT}
    assert body["max_tokens"] >= 1026  # the longest published caption at 2.5 characters a token


def test_the_bound_on_requests_at_the_same_time_is_reached_and_kept(serve):
    server = serve(lambda image, attempt, body: Reply(says("x").body, hang=0.05))
    caption(load(server, concurrency=3), 12)
    assert server.most == 3


@pytest.mark.parametrize(
    "trouble",
    [
        fails(429, "slow down"),
        fails(500),
        fails(503),
        Reply(b"<html>bad gateway</html>", 502),
        Reply(says("half").body, cut=True),
        Reply(b'{"choices": [{"message": {"content": "half'),
        Reply(b"[]"),
        Reply(b""),
        Reply({"choices": []}),
        Reply({"error": {"message": "overloaded"}}),
        Reply(b"[" * 100000),
        Reply(status=0),
        Reply(says("late").body, hang=1.0),
    ],
    ids=[
        "429",
        "500",
        "503",
        "502",
        "cut",
        "truncated",
        "list",
        "empty",
        "no choice",
        "error in 200",
        "deep",
        "hang up",
        "late",
    ],
)
def test_what_may_mend_itself_is_asked_again(serve, trouble):
    server = serve(lambda image, attempt, body: trouble if attempt < 3 else says("there"))
    (answer,) = caption(load(server, timeout=0.3))
    assert isinstance(answer, Caption) and answer.text == "there" and len(server.asked) == 3


def test_it_is_asked_again_only_so_often_and_the_others_go_on(serve):
    server = serve(lambda image, attempt, body: fails(500, "broken for 2") if image == 2 else says("fine"))
    model = load(server, attempts=3)
    first, second, third = caption(model, 3)
    assert first.text == third.text == "fine" and isinstance(second, ModelError)
    assert "3 attempts" in str(second) and "broken for 2" in str(second)
    assert server.asked.count(2) == 3 and model.stopped is None


@pytest.mark.parametrize("header, seconds", [({"Retry-After": "0.4"}, 0.4), ({"retry-after-ms": "300"}, 0.3)])
def test_the_servers_own_delay_is_kept_to(serve, header, seconds):
    server = serve(lambda image, attempt, body: fails(429, headers=header) if attempt == 1 else says("now"))
    caption(load(server))
    assert seconds <= server.times[1] - server.times[0] < seconds + 0.5


def test_without_a_word_of_the_server_the_waits_grow(serve):
    server = serve(lambda image, attempt, body: fails(500) if attempt < 5 else says("now"))
    caption(load(server, first_wait=0.05))
    waits = [after - before for before, after in zip(server.times, server.times[1:])]
    assert all(later > 1.2 * earlier for earlier, later in zip(waits, waits[1:])) and sum(waits) >= 0.5


@pytest.mark.parametrize("header", ["nan", "-5", "inf", "soon", "1e999", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_delay_that_is_none_does_no_harm(serve, header):
    server = serve(
        lambda image, attempt, body: fails(429, headers={"Retry-After": header}) if attempt == 1 else says("now")
    )
    (answer,) = caption(load(server))
    assert answer.text == "now"


def test_a_delay_of_a_day_stops_the_run(serve):
    server = serve(lambda image, attempt, body: fails(429, "daily limit", {"Retry-After": "86400"}))
    model = load(server)
    caption(model)
    assert "86400 s" in model.stopped and len(server.asked) == 1


def test_a_bad_request_is_asked_once_and_is_the_images_own(serve):
    server = serve(lambda image, attempt, body: fails(400, "image too small") if image == 1 else says("fine"))
    model = load(server)
    bad, good = caption(model, 2)
    assert "image too small" in str(bad) and good.text == "fine"
    assert server.asked.count(1) == 1 and model.stopped is None


@pytest.mark.parametrize(
    "reply, words",
    [
        (fails(401, "bad key"), "OPENAI_API_KEY"),
        (fails(403, "not for you"), "does not allow"),
        (fails(404, "no such model"), "--model_dir"),
        (fails(402, "pay"), "credit"),
        (fails(429, "you exceeded your quota", code="insufficient_quota"), "credit"),
        (fails(429, "you exceeded your quota", {"Retry-After": "0"}, type="insufficient_quota"), "credit"),
    ],
    ids=["401", "403", "404", "402", "quota code", "quota type"],
)
def test_what_nothing_mends_stops_at_once(serve, reply, words):
    server = serve(lambda image, attempt, body: reply)
    model = load(server, concurrency=1)
    answers = caption(model, 5)
    assert words in model.stopped and len(server.asked) == 1
    assert all(isinstance(answer, ModelError) for answer in answers) and "not asked" in str(answers[4])
    assert isinstance(caption(model)[0], ModelError) and len(server.asked) == 1


def test_an_empty_account_keeps_what_is_done(serve):
    server = serve(
        lambda image, attempt, body: says("paid") if image < 4 else fails(429, "quota", code="insufficient_quota")
    )
    answers = caption(load(server, concurrency=1), 6)
    assert [isinstance(answer, Caption) for answer in answers] == [True] * 3 + [False] * 3


def test_a_server_that_is_gone_is_given_up(serve):
    server = serve(lambda image, attempt, body: says("never"))
    model = load(server, attempts=2, first_wait=0.001)
    server.close()
    answers = caption(model, 32)
    assert "in a row" in model.stopped and "no connection" in str(answers[0])
    assert sum("not asked" in str(answer) for answer in answers) >= 10


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


# Through the script


@pytest.fixture
def truth(bench):
    """Eight pictures of different widths."""
    bench.inside = True
    folder = bench.folder / "GT"
    folder.mkdir()
    for width in range(1, 9):
        Image.new("RGB", (width, 5), "blue").save(folder / f"NSI_ugc_{width:03}.png")
    return folder


def test_the_host_alone_tells_the_server(serve):
    server = serve(lambda image, attempt, body: says("x"))
    for address in ("https://Example.org/v1", "https://u:p@example.org?token=t#f", "https://example.org/t0ken/v1"):
        server.base = address
        assert load(server).identity == {"server": "example.org", "server_model": "m"}


def script(server, *more):
    base = server.base
    return ["--model_name", "openai", "--model_dir", "m", "--api_base", base, "--device", "cpu", "--no_probe", *more]


def rows(bench):
    import csv

    with open(bench.folder / "Text" / "openai.csv", encoding="utf-8", newline="") as file:
        return {row["name"]: row["text"] for row in csv.DictReader(file)}


def test_a_stopped_run_keeps_its_captions_and_does_not_pay_twice(bench, truth, serve):
    empty = fails(429, "quota", code="insufficient_quota")
    server = serve(lambda image, attempt, body: says(f"picture {image}") if image < 6 else empty)
    stopped = bench.encode(*script(server, "--concurrency", 1), code=1)
    assert "no money left" in stopped.stderr and set(rows(bench)) == {f"NSI_ugc_{n:03}.png" for n in range(1, 6)}

    server.answer = lambda image, attempt, body: fails(400, "cannot") if image == 7 else says(f"picture {image}")
    server.asked.clear()
    failed = bench.encode(*script(server, "--concurrency", 2), code=1)
    assert "NSI_ugc_007.png" in failed.stderr and sorted(server.asked) == [6, 7, 8] and server.most <= 2

    server.answer = lambda image, attempt, body: says(f"picture {image}")
    server.asked.clear()
    bench.encode(*script(server))
    assert server.asked == [7] and rows(bench) == {f"NSI_ugc_{n:03}.png": f"picture {n}" for n in range(1, 9)}
    usage = json.loads((bench.folder / "Text" / "openai.json").read_text())["images"]["NSI_ugc_001.png"]["usage"]
    assert usage == {"input_tokens": 1000, "output_tokens": 20}


def test_a_killed_run_does_not_pay_twice(bench, truth, serve):
    """All eight pictures are one batch: what is answered is kept before the batch ends."""
    server = serve(lambda image, attempt, body: says(f"picture {image}") if image < 6 else Reply(hang=60))
    process = bench.start("script-i2t.py", *script(server, "--concurrency", 2))
    part = bench.folder / "Text" / ".openai.part-0.jsonl"
    bench.until(lambda: part.exists() and len(journal.read(part).texts) == 5 and server.now == 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(server.asked) == [1, 2, 3, 4, 5, 6, 7]

    server.answer = lambda image, attempt, body: says(f"picture {image}")
    server.asked.clear()
    assert "3 captions made" in bench.encode(*script(server)).stderr
    assert sorted(server.asked) == [6, 7, 8] and rows(bench) == {
        f"NSI_ugc_{n:03}.png": f"picture {n}" for n in range(1, 9)
    }
    record = json.loads((bench.folder / "Text" / "openai.json").read_text())
    assert record["usage"] == {"input_tokens": 8000, "output_tokens": 160} and not part.exists()


def test_captions_of_two_servers_are_not_mixed(bench, truth, serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server, other = (serve(lambda image, attempt, body: says("x")) for _ in range(2))
    address = server.base.replace("http://", "http://user:passw0rd@")
    flags = ["--model_name", "openai", "--device", "cpu", "--subset", 2, "--no_probe", "--api_base"]
    bench.encode(*flags, address)
    text = (bench.folder / "Text" / "openai.json").read_text()
    settings = json.loads(text)["settings"]
    host = server.base.split("/")[2]
    assert (settings["server"], settings["server_model"], settings["dtype"]) == (host, "m", None)
    assert not any(secret in text for secret in (KEY, "user:", "passw0rd"))

    refused = bench.encode(*flags[:4], "--no_probe", "--api_base", other.base, code=2)
    assert f"server was {host} and is {other.base.split('/')[2]} now" in refused.stderr and not other.asked
    server.models = ["another"]
    refused = bench.encode(*flags[:4], "--no_probe", "--api_base", server.base, code=2)
    assert "server_model was m and is another now" in refused.stderr
    assert json.loads((bench.folder / "Text" / "openai.json").read_text())["settings"] == settings
    server.models = ["m"]
    assert "6 captions made" in bench.encode(*flags[:4], "--no_probe", "--api_base", server.base).stderr
    bench.encode(*flags[:4], "--no_probe", "--api_base", other.base, "--overwrite")
    assert len(other.asked) == 8


def test_ctrl_c_ends_a_run_that_waits_for_a_server(bench, truth, serve):
    server = serve(lambda image, attempt, body: Reply(hang=30))
    process = bench.start("script-i2t.py", *script(server))
    bench.until(lambda: server.now == 8, process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in said and time.monotonic() - began < 5


def test_no_key_is_told_before_any_image_is_read(bench, truth):
    (truth / "broken.png").write_bytes(b"no picture")
    done = bench.encode("--model_name", "gpt4o", "--device", "cpu", code=2)
    assert "OPENAI_API_KEY" in done.stderr and "broken" not in done.stderr
