"""Damaged versions of a file, for tests of what reads it; the same ones at each run.

CMCBENCH_FUZZ=N in the environment makes N of each file instead of a small share.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

PIECES = (  # what careless programs and hostile hands put into tables and JSON
    b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b" ", b"",
    b"-1", b"1e999", b"nan", b"inf", b"1,204", b"0,5", b"1234.0", b"1_000", b"9" * 400, "٣".encode(), b"0x10", b"True",
    b"../x.png", b"C:\\x.png", b".", b"..", b"con", "e\u0301.png".encode(), "\u202e".encode(), "\u200d".encode(),
    b"=1+1", b"\x1b[2J", b"name", b"text", b"mode", b"null", b"{}", b"[]", b"{", b"}", b"[", b"]", b":", b'"a":',
    b"\\ud800", b"\\u0000", b"[" * 5000, b'{"a":' * 5000,
)  # fmt: skip


def share(small: int) -> int:
    """How many mutations of one file a test tries."""
    return int(os.environ.get("CMCBENCH_FUZZ") or small)


def mutations(data: bytes, count: int, seed: int = 7) -> Iterator[bytes]:
    """`count` damaged versions of a file, each by one to four changes."""
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        changed = data
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            changed = chance.choice((_flipped, _cut, _repeated, _with_piece, _with_piece, _lines_moved))(
                changed, chance
            )
        yield changed


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 1, 2, 8, 64, 1 << 20)))


def _flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(max(1, len(data)))
    return data[:place] + bytes(byte ^ 1 << chance.randrange(8) for byte in data[place : place + 1]) + data[place + 1 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _repeated(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 2, 20)) + data[end:]


def _with_piece(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + chance.choice(PIECES) + data[chance.choice((start, start, end)) :]


def _lines_moved(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)
