"""Symbols as bytes and back: asymmetric numeral systems (range variant, arXiv 1311.2540) over integer tables.

Tables are whole numbers made of probabilities in double precision, so that two machines which agree to 1e-11 make the
same; what is coded is then exact. A symbol outside its table is coded as an escape and 16 bits.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterable, Sequence

from ...base import ModelError

PRECISION = 16  # bits of a table's total
TOTAL = 1 << PRECISION
LOWEST = 1 << 32  # the state stays between this and 2**48
WORD = 16
HEAD = 6  # bytes of the state that a stream begins with


class Table:
    """Cumulative frequencies of the symbols `first`, `first` + 1, ... and of the escape, which is the last."""

    def __init__(self, first: int, probabilities: Sequence[float]) -> None:
        """probabilities: of the symbols, >= 0; what they lack to 1 is the escape's. Each gets one count at least."""
        counts = [max(1, int(each * TOTAL)) for each in probabilities]
        counts.append(max(1, TOTAL - sum(counts)))
        counts[counts.index(max(counts))] -= sum(counts) - TOTAL
        self.first, self.starts = first, [0]
        for count in counts:
            self.starts.append(self.starts[-1] + count)

    def slots(self, symbol: int) -> list[tuple[int, int]]:
        """(start, count) of what is coded for a symbol. Raises ModelError for one beyond 16 bits."""
        place, escape = symbol - self.first, len(self.starts) - 2
        if 0 <= place < escape:
            return [(self.starts[place], self.starts[place + 1] - self.starts[place])]
        folded = 2 * symbol if symbol >= 0 else -2 * symbol - 1
        if folded >= TOTAL:
            raise ModelError(f"a latent of {symbol} is more than a stream can hold: these are no trained weights.")
        return [(self.starts[escape], TOTAL - self.starts[escape]), (folded, 1)]


def encode(symbols: Iterable[int], tables: Iterable[Table]) -> bytes:
    """A stream of symbols, each with its table."""
    slots = [slot for symbol, table in zip(symbols, tables) for slot in table.slots(symbol)]
    state, words = LOWEST, []
    for start, count in reversed(slots):
        while state >= count << (32 + WORD - PRECISION):
            words.append(state & 0xFFFF)
            state >>= WORD
        whole, rest = divmod(state, count)
        state = (whole << PRECISION) + rest + start
    return state.to_bytes(HEAD, "little") + struct.pack(f"<{len(words)}H", *reversed(words))


class Decoder:
    """Reads a stream from its beginning. Raises ModelError for one that is damaged, at the latest by `end`."""

    def __init__(self, stream: bytes) -> None:
        if len(stream) < HEAD or len(stream) % 2:
            raise ModelError("this is no stream of cdc's: its length is wrong")
        self._state = int.from_bytes(stream[:HEAD], "little")
        self._words = iter(struct.unpack(f"<{(len(stream) - HEAD) // 2}H", stream[HEAD:]))

    def decode(self, tables: Iterable[Table]) -> list[int]:
        """A symbol of each table."""
        symbols = []
        for table in tables:
            slot = self._state & (TOTAL - 1)
            place = bisect.bisect_right(table.starts, slot) - 1
            self._take(table.starts[place], table.starts[place + 1] - table.starts[place])
            if place == len(table.starts) - 2:
                folded = self._state & (TOTAL - 1)
                self._take(folded, 1)
                symbols.append(-(folded + 1) // 2 if folded % 2 else folded // 2)
            else:
                symbols.append(table.first + place)
        return symbols

    def _take(self, start: int, count: int) -> None:
        state = count * (self._state >> PRECISION) + (self._state & (TOTAL - 1)) - start
        while state < LOWEST:
            word = next(self._words, None)
            if word is None:
                raise ModelError("this stream of cdc's ends too early: it is damaged, or of other weights")
            state = state << WORD | word
        self._state = state

    def end(self) -> None:
        """Check that all is read, and that the state is the one that the encoder began with."""
        if self._state != LOWEST or next(self._words, None) is not None:
            raise ModelError("this stream of cdc's does not end where it should: it is damaged, or of other weights")
