"""The 18 published rows as tuples for parametrised tests: (name, mode -> FR, mode -> NR, Overall)."""

from cmcbench.board import published

I2T, T2I = (
    [(row.model, dict(row.fr), dict(row.nr), row.overall) for row in published.rows(table)]
    for table in (published.I2T, published.T2I)
)
