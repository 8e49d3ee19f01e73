"""The encoder behind an OpenAI-compatible server: what is asked again, and what stops."""

from __future__ import annotations

import threading

import pytest
from chat_server import PROMPT, caption, load
from fake_server import Reply, fails, says

from models.base import Caption, ModelError


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
    three = threading.Barrier(3, timeout=60)  # each waits for two more that are asked at the same time
    server = serve(lambda image, attempt, body: (three.wait(), says("x"))[1])
    caption(load(server, concurrency=3, timeout=100), 12)
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
    def reply(image, attempt, body):
        if attempt == 2:
            model._clients[0].timeout = 60.0  # the last one may be as late as a busy machine makes it
        return trouble if attempt < 3 else says("there")

    server = serve(reply)
    model = load(server, **({"timeout": 0.3} if trouble.hang else {}))
    (answer,) = caption(model)
    assert isinstance(answer, Caption) and answer.text == "there" and len(server.asked) == 3


def test_it_is_asked_again_only_so_often_and_the_others_go_on(serve):
    server = serve(lambda image, attempt, body: fails(500, "broken for 2") if image == 2 else says("fine"))
    model = load(server, attempts=3)
    first, second, third = caption(model, 3)
    assert first.text == third.text == "fine" and isinstance(second, ModelError)
    assert "3 attempts" in str(second) and "broken for 2" in str(second)
    assert server.asked.count(2) == 3 and model.stopped is None


def waited(model) -> list[float]:
    """The seconds that it waits from now on."""
    waits, wait = [], model._halt.wait
    model._halt.wait = lambda seconds: (waits.append(seconds), wait(seconds))[1]
    return waits


@pytest.mark.parametrize("header, seconds", [({"Retry-After": "0.4"}, 0.4), ({"retry-after-ms": "300"}, 0.3)])
def test_the_servers_own_delay_is_kept_to(serve, header, seconds):
    server = serve(lambda image, attempt, body: fails(429, headers=header) if attempt == 1 else says("now"))
    waits = waited(model := load(server))
    caption(model)
    assert waits == [seconds] and seconds <= server.times[1] - server.times[0]


def test_without_a_word_of_the_server_the_waits_grow(serve):
    server = serve(lambda image, attempt, body: fails(500) if attempt < 5 else says("now"))
    waits = waited(model := load(server, first_wait=0.05))
    caption(model)
    assert len(waits) == 4
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
