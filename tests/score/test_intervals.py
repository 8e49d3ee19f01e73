"""Intervals in summary.json: where they stand, what they are made of, and what must not change them."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from cmcbench.files.scores import ScoreRow
from cmcbench.files.target import Target
from cmcbench.protocol import SOURCES
from cmcbench.score.summary import summarise
from cmcbench.statistics import intervals, resample_counts

MODES = ("full", "image", "pixel", "text")
METRICS = {
    "topiq_fr": {"kind": "FR", "lower_is_better": False, "identity": "weights 1"},
    "topiq_nr": {"kind": "NR", "lower_is_better": False, "identity": "weights 2"},
}


def names(each: int) -> list[str]:
    """`each` images of every source."""
    return [
        f"{kind}_{source}_{number:03}.png"
        for kind, sources in SOURCES.items()
        for source in sources
        for number in range(each)
    ]


def table(images: list[str], modes=MODES, seed=0) -> dict:
    random = np.random.default_rng(seed)
    rows = {}
    for name in sorted(images):
        for mode in modes:
            scores = {metric: float(random.normal(2, 0.4)) for metric in METRICS}
            rows[name.removesuffix(".png"), mode] = ScoreRow(name, mode, "a", "b", scores)
    return rows


def summary(rows: dict, modes=MODES, truth: int = 10) -> dict:
    target = Target("mine", None, {mode: {} for mode in modes}, {}, {})
    return summarise(target, {str(number): "" for number in range(truth)}, rows, METRICS)


def column(rows: dict, mode: str, metric: str, begin: str = "") -> np.ndarray:
    return np.array(
        [row.scores[metric] for _, row in sorted(rows.items()) if row.mode == mode and row.name.startswith(begin)]
    )


def test_every_mean_has_its_interval():
    rows = table(names(4))
    found = summary(rows)
    for mode in MODES:
        for metric in METRICS:
            here = found["modes"][mode]
            groups = {"": here["metrics"]}
            groups |= {f"{kind}_": here["types"][kind] for kind in SOURCES}
            groups |= {
                f"{kind}_{source}_": here["sources"][f"{kind}_{source}"] for kind in SOURCES for source in SOURCES[kind]
            }
            assert len(groups) == 15
            for begin, means in groups.items():
                values = column(rows, mode, metric, begin)
                low, high = intervals(values[:, None])
                assert means[metric] == {
                    "mean": pytest.approx(values.mean()),
                    "n": len(values),
                    "low": pytest.approx(low[0]),
                    "high": pytest.approx(high[0]),
                }
                assert means[metric]["low"] < means[metric]["mean"] < means[metric]["high"]


def test_overall_draws_an_image_with_all_its_modes():
    rows = table(names(3))
    found = summary(rows)
    fr, nr = ({mode: column(rows, mode, metric) for mode in MODES} for metric in METRICS)
    counts = resample_counts(33) / 33
    each = {
        "t2i": 2 / 3 * sum(fr.values()) / 4 + sum(nr.values()) / 12,
        "i2t": sum(fr[mode] + nr[mode] for mode in ("full", "pixel", "text")) / 6,
    }
    for table_name, values in each.items():
        ends = np.quantile(counts @ values, [0.025, 0.975])
        assert found["overall_interval"][table_name] == pytest.approx(list(ends))
    over = np.quantile(counts @ (sum(nr.values()) / 4), [0.025, 0.975])
    assert found["over_modes_interval"]["topiq_nr"] == pytest.approx(list(over))


def test_the_order_of_rows_and_a_second_run_change_nothing():
    rows = table(names(2))
    backwards = dict(reversed(rows.items()))
    assert json.dumps(summary(rows)) == json.dumps(summary(backwards)) == json.dumps(summary(rows))


def test_partial_targets():
    """A mode that lacks images has the interval of those that are there, and Overall that of what the formula is made
    of.
    """
    rows = table(names(3), MODES[:2])
    for (stem, mode), row in rows.items():
        if mode == "image" and stem.startswith("SCI"):
            row.scores.clear()
    found = summary(rows, MODES[:2])
    values = np.array([row.scores["topiq_fr"] for _, row in sorted(rows.items()) if row.mode == "image" and row.scores])
    low, high = intervals(values[:, None])
    assert (
        found["modes"]["image"]["metrics"]["topiq_fr"]["low"],
        found["modes"]["image"]["metrics"]["topiq_fr"]["high"],
    ) == (low[0], high[0])
    assert "topiq_fr" not in found["modes"]["image"]["types"]["SCI"]
    low, high = found["overall_interval"]["t2i"]
    assert low < found["overall"]["t2i"] < high and found["overall_interval"]["i2t"] is None


def test_one_image_and_none():
    found = summary(table(["a.png"]))
    assert {key: found["modes"]["full"]["metrics"]["topiq_fr"][key] for key in ("n", "low", "high")} == {
        "n": 1,
        "low": None,
        "high": None,
    }
    assert found["overall_interval"] == {"t2i": None, "i2t": None} and found["over_modes_interval"]["topiq_fr"] is None
    found = summary({})
    assert found["overall_interval"] == {"t2i": None, "i2t": None} and found["over_modes_interval"] == {
        "topiq_fr": None,
        "topiq_nr": None,
    }
    rows = table(["a.png", "b.png"])
    for row in rows.values():
        row.scores.clear()
    assert summary(rows)["overall_interval"]["t2i"] is None
    json.dumps(summary(rows), allow_nan=False)


def test_the_whole_benchmark_is_quick():
    counts = {"NSI": 200, "SCI": 100, "AIGI": 50}
    images = [
        f"{kind}_{source}_{number:03}.png"
        for kind in SOURCES
        for source in SOURCES[kind]
        for number in range(counts[kind])
    ]
    assert len(images) == 1000
    rows = table(images)
    start = time.process_time()
    found = summary(rows, truth=1000)
    assert time.process_time() - start < 5  # about 1; the bound leaves room for a slow machine
    width = found["overall_interval"]["t2i"][1] - found["overall_interval"]["t2i"][0]
    # by theory 2 x 1.96 x sd / sqrt(1000), of (2/3 FR + 1/3 NR) over four independent modes
    assert width == pytest.approx(2 * 1.96 * 0.4 * (5 / 9 / 4) ** 0.5 / 1000**0.5, rel=0.1)
