"""Captions that may be none, said at the end of a run; and addresses that are one server's."""

from __future__ import annotations

import pytest

from cmcbench.encode.ledger import same_address
from cmcbench.encode.suspicion import described, suspicions


def made(**reasons):
    return {name: {"sha256": name, "finish_reason": reason} for name, reason in reasons.items()}


def test_good_captions_are_not_spoken_of():
    assert suspicions("abc", {"a": "x", "b": "y", "c": "z"}, made(a="stop", b="stop", c=None)) == []


def test_captions_that_were_cut_are_counted():
    (line,) = suspicions("abc", {"a": "x", "b": "y", "c": "z"}, made(a="length", b="stop", c="length"))
    assert line.startswith("2 of 3 captions were cut at the limit on tokens (a, c)") and "--max_tokens" in line


def test_one_caption_for_all_pictures_is_doubted():
    (line,) = suspicions("abcd", dict.fromkeys("abcd", "A picture."), made(**dict.fromkeys("abcd", "stop")))
    assert line.startswith("4 different pictures have the same caption, 'A picture.' (a, b, c, ...)")


def test_two_pictures_of_many_may_have_one_caption():
    texts = {"a": "x", "b": "x", "c": "z"}
    assert suspicions("abc", texts, made(a="stop", b="stop", c="stop")) == []
    assert len(suspicions("ab", texts, made(a="stop", b="stop"))) == 1  # but not all of them


def test_copies_of_one_picture_have_one_caption():
    same = {name: {"sha256": "same"} for name in "abcd"}
    assert suspicions("abcd", dict.fromkeys("abcd", "x"), same) == []


@pytest.mark.parametrize(
    "one, other",
    [
        ("localhost:8000", "127.0.0.1:8000"),
        ("[::1]:8000", "localhost:8000"),
        ("LOCALHOST:8000", "127.0.1.1:8000"),
        ("example.org", "example.org:443"),
        ("example.org.", "example.org"),
    ],
)
def test_one_server_by_two_names(one, other):
    assert same_address(one, other)


@pytest.mark.parametrize(
    "one, other", [("localhost:8000", "localhost:8001"), ("node1:80", "node2:80"), ("127.0.0.1", "128.0.0.1")]
)
def test_two_servers(one, other):
    assert not same_address(one, other)


def test_what_the_captions_are_in_one_sentence():
    """Median words and bits, what was cut, and what ran away from the words that were asked for."""
    texts = {f"{n}.png": "word " * 9 + "word" for n in range(2)} | {
        "long.png": "w " * 50,
        "short.png": "w",
        "no.png": "",
    }
    made_of = {"long.png": {"finish_reason": "length"}, "0.png": {"finish_reason": "stop"}}
    said = described([*texts, "absent.png"], texts, made_of, 10)
    assert said.startswith("5 captions: median 10 words, 392 bits; 1 cut at the token limit; 3 far from the 10 words")
    assert "long.png, short.png, no.png" in said
    assert described(["0.png"], texts, {}, 10).endswith("0 far from the 10 words asked (over 2 times or under half).")
    assert described([], texts, {}, 10) == "There are no captions."
