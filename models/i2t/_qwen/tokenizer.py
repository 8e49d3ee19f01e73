"""Qwen-VL-Chat's tokenizer: qwen.tiktoken read, text into ids as tiktoken makes them, ids into text.

Text never becomes a special token, not even text that spells one: those are added by id.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...base import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Core

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


def _core(ranks: dict[bytes, int]) -> Core:
    """Byte-level BPE with these tokens: of two neighbours those merge first whose union has the smallest id.

    tokenizers wants the merges as pairs: each way to make a token of two others, in the order of the tokens.
    """
    from tokenizers import Regex, models, pre_tokenizers
    from tokenizers import Tokenizer as Core

    letters = _letters()
    spelt = {token: "".join(letters[value] for value in token) for token in ranks}
    merges = []
    for token in ranks:
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [pair for pair in halves if pair[0] in ranks and pair[1] in ranks]
        merges += sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    vocabulary = {spelt[token]: place for token, place in ranks.items()}
    core = Core(models.BPE(vocabulary, [(spelt[left], spelt[right]) for left, right in merges], ignore_merges=True))
    cut = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(False, use_regex=False)])
    return core


def _letters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary: itself if it prints, else one from U+0100."""
    prints = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)}
    others = iter(range(0x100, 0x200))
    return [chr(value if value in prints else next(others)) for value in range(256)]


class Tokenizer:
    """bos_token_id, eos_token_id, pad_token_id, and `special`: the id of each special token."""

    bos_token_id = None

    def __init__(self, path: Path) -> None:
        ranks = read_ranks(path)
        self.special = {token: place for place, token in enumerate(SPECIAL, len(ranks))}
        self.eos_token_id = self.pad_token_id = self.special["<|endoftext|>"]
        self._bytes = {place: token for token, place in ranks.items()}
        self._bytes |= {place: token.encode() for token, place in self.special.items()}
        self._core = _core(ranks)

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
