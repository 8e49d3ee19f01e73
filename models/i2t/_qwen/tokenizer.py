"""Qwen-VL-Chat's tokenizer: qwen.tiktoken read, text into ids as tiktoken makes them, ids into text.

Text never becomes a special token, not even text that spells one: those are added by id.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ...base import ModelError

NAME = "qwen.tiktoken"
# Special tokens follow the vocabulary in this order (tokenization_qwen.py of the checkpoint)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{number}|>" for number in range(205))]
TAGS = ["<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>"]  # what an answer may mark an object with
SPECIAL += [*TAGS, "<img>", "</img>", "<imgpad>"]
PATTERN = (  # how text is cut before bytes are merged: one digit at a time, otherwise as GPT-4's
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_ranks(path: Path) -> dict[bytes, int]:
    """token -> id, from lines "BASE64 NUMBER". Raises ModelError with the line that is broken."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ModelError(f"{path.parent} lacks {path.name}, the tokenizer: fetch it again.") from error
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            what = f"line {number} is {line[:40].decode(errors='replace')!r}, not a token and its number"
            raise ModelError(f"{path}: {what}: fetch it again.") from error
        if rank != b"%d" % (len(ranks) - 1):
            raise ModelError(
                f"{path}: line {number} has the number {int(rank)}, expected {len(ranks) - 1}: fetch it again."
            )
    if missing := sum(bytes([value]) not in ranks for value in range(256)):
        raise ModelError(f"{path} lacks {missing} of the 256 single bytes: fetch it again.")
    return ranks


class Tokenizer:
    """bos_token_id, eos_token_id, pad_token_id, and `special`: the id of each special token."""

    bos_token_id = None

    def __init__(self, path: Path) -> None:
        from transformers.convert_slow_tokenizer import TikTokenConverter

        ranks = read_ranks(path)
        self.special = {token: place for place, token in enumerate(SPECIAL, len(ranks))}
        self.eos_token_id = self.pad_token_id = self.special["<|endoftext|>"]
        self._bytes = {place: token for token, place in ranks.items()}
        self._bytes |= {place: token.encode() for token, place in self.special.items()}

        class Converter(TikTokenConverter):
            """transformers' converter, which would read the file with another package."""

            load_tiktoken_bpe = staticmethod(lambda _: ranks)

        self._core = Converter(str(path), PATTERN).converted()

    def __len__(self) -> int:
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        """The ids of plain text, Unicode's NFC first. A special token spelt in it is text like any other."""
        return self._core.encode(unicodedata.normalize("NFC", text), add_special_tokens=False).ids

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text of ids, U+FFFD for bytes that are none; the head's padding has ids of no token, which say nothing.

        skip_special_tokens: without those that frame a conversation. Tags stay, as in the authors' own answers.
        """
        hidden = {place for token, place in self.special.items() if token not in TAGS} if skip_special_tokens else ()
        return b"".join(self._bytes.get(each, b"") for each in ids if each not in hidden).decode(errors="replace")
