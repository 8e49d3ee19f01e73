"""The rows of the published tables, as the leaderboard's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...protocol import OVERALL_METRICS
from ...published import tables
from ..labels import OVERALL, OVERALL_I2T
from .entries import PUBLISHED, Entry


def published_entries(table: str) -> Iterator[Entry]:
    """The published rows of a table: those of the modes and the overall row of each model."""
    images = sum(tables.IMAGES.values())
    partner = tables.PARTNERS[table]
    for row in tables.rows(table):
        encoder, decoder = (partner, row.model) if table == tables.T2I else (row.model, partner)
        base = Entry(row.model, n=images, of=images, status=PUBLISHED, table=table, encoder=encoder, decoder=decoder)
        scores = dict(zip(OVERALL_METRICS, (row.fr, row.nr)))
        for mode in row.fr:
            yield replace(base, mode=mode, modes=(mode,), cells={name: of[mode] for name, of in scores.items()})
        means = {name: sum(of.values()) / len(of) for name, of in scores.items()}
        mode, cells = (OVERALL, means) if table == tables.T2I else (OVERALL_I2T, {})
        yield replace(base, mode=mode, modes=tuple(row.fr), cells=cells, overall=row.overall)
