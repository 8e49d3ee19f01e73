"""The 18 published rows as tuples for parametrised tests: (name, mode -> FR, mode -> NR, Overall)."""

from cmcbench.published import tables

I2T, T2I = (
    [(row.model, dict(row.fr), dict(row.nr), row.overall) for row in tables.rows(table)]
    for table in (tables.I2T, tables.T2I)
)
