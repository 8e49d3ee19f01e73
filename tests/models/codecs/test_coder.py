"""The entropy coder of cdc: what goes in comes out, in as few bits as its tables say."""

from __future__ import annotations

import math
import random

import pytest

from models.base import ModelError
from models.codec._cdc.coder import TOTAL, Decoder, Table, encode


def drawn(count: int) -> tuple[list[int], list[Table], float]:
    """Symbols, their tables, and the bits that their probabilities say."""
    draw = random.Random(1)
    choices = [Table(-2, [0.1, 0.2, 0.4, 0.2, 0.1]), Table(0, [0.999999]), Table(-1, [0.3, 0.3, 0.3]), Table(5, [])]
    symbols, tables, bits = [], [], 0.0
    for _ in range(count):
        table = draw.choice(choices)
        widths = [after - before for before, after in zip(table.starts, table.starts[1:])]
        (place,) = draw.choices(range(len(widths)), widths)
        bits -= math.log2(widths[place] / TOTAL)
        if place == len(widths) - 1:
            symbols.append(draw.choice((-30000, -70, 70, 32767)))
            bits += 16
        else:
            symbols.append(table.first + place)
        tables.append(table)
    return symbols, tables, bits


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_symbols_come_back_in_the_bits_that_they_need(count):
    symbols, tables, bits = drawn(count)
    stream = encode(symbols, tables)
    reader = Decoder(stream)
    assert reader.decode(tables[: count // 2]) + reader.decode(tables[count // 2 :]) == symbols
    reader.end()
    assert bits - 1 <= 8 * len(stream) <= bits * 1.001 + 64


def test_tables_are_whole_and_give_each_symbol_a_count():
    for probabilities in ([], [1.0], [1e-30] * 500, [0.5, 0.5], [0.999999999, 1e-12]):
        table = Table(0, probabilities)
        assert table.starts[0] == 0 and table.starts[-1] == TOTAL and len(table.starts) == len(probabilities) + 2
        assert all(before < after for before, after in zip(table.starts, table.starts[1:]))


def test_what_no_stream_holds_and_what_is_no_stream():
    with pytest.raises(ModelError, match="more than a stream can hold"):
        encode([40000], [Table(0, [1.0])])
    symbols, tables, _ = drawn(300)
    stream = encode(symbols, tables)
    for damaged in (b"", b"x" * 7, stream[:-2], stream + b"ab"):
        with pytest.raises(ModelError, match="stream of cdc's"):
            reader = Decoder(damaged)
            reader.decode(tables)
            reader.end()
