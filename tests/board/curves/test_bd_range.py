"""BD-rate and BD-metric over one range of rates for all curves: python -m cmcbench curves --range LOW HIGH."""

from __future__ import annotations

import csv

import made_results
import numpy as np
import pytest
from rd_curves import ANCHOR, TEST, curve, only
from scipy.interpolate import PchipInterpolator

from cmcbench.board.curves import command
from cmcbench.board.curves.pchip import values
from cmcbench.errors import BadInput

SPAN = (0.03, 0.09)


def test_values_are_scipys():
    """Thousands of rows, level segments and turns among them, at points, between them and at both ends."""
    random = np.random.default_rng(3)
    for points in (2, 3, 4, 7):
        x = np.sort(random.uniform(0, 10, (300, points)), axis=1) + np.arange(points)
        y = np.round(random.normal(0, 1, (300, points)), 1)
        at = x[:, 0] + random.uniform(0, 1, 300) * (x[:, -1] - x[:, 0])
        at[:100], at[100:150], at[150:200] = x[:100, -1], x[100:150, 0], x[150:200, points // 2]
        expected = [PchipInterpolator(*row)(place) for *row, place in zip(x, y, at)]
        assert values(x, y, at) == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_deltas_over_a_range_are_scipys(sign):
    """Of a metric of which higher is better, and of its opposite."""
    anchor = curve("a", ANCHOR[0], sign * np.array(ANCHOR[1]), lower=sign < 0)
    test = curve("t", TEST[0], sign * np.array(TEST[1]), lower=sign < 0)
    found = only(anchor, test, span=SPAN)
    logs = [np.log10(rates) for rates, _ in (ANCHOR, TEST)]
    one, other = PchipInterpolator(logs[0], ANCHOR[1]), PchipInterpolator(logs[1], TEST[1])
    low, high = np.log10(SPAN)
    quality = (other.integrate(low, high) - one.integrate(low, high)) / (high - low)
    assert found.quality.value == pytest.approx(sign * quality, abs=1e-9)
    ends = [float(one(end)) for end in (low, high)]
    one, other = PchipInterpolator(ANCHOR[1], logs[0]), PchipInterpolator(TEST[1], logs[1])
    rate = (other.integrate(*ends) - one.integrate(*ends)) / (ends[1] - ends[0])
    assert found.rate.value == pytest.approx((10**rate - 1) * 100, abs=1e-6)
    # The whole overlap gives other figures, and the range says nothing of how far the curves overlap
    whole = only(anchor, test)
    assert abs(whole.rate.value - found.rate.value) > 0.1 and whole.rate.overlap == found.rate.overlap


def test_the_same_curves_have_no_difference_over_any_range():
    found = only(curve("a", *ANCHOR), curve("t", *ANCHOR), span=(0.0201, 0.1604))
    assert found.rate.value == pytest.approx(0, abs=1e-9) and found.quality.value == pytest.approx(0, abs=1e-12)


def test_a_curve_that_does_not_hold_the_range_is_refused_with_the_figures():
    anchor, test = curve("a", *ANCHOR), curve("t", *TEST)
    found = only(anchor, test, span=(0.01, 0.09))
    assert found.rate.refused == "the anchor's rates are 0.0201 to 0.1604 bpp, which do not hold 0.01 to 0.09 bpp"
    assert found.quality.refused == found.rate.refused
    short = curve("s", TEST[0][1:3], TEST[1][1:3])
    found = only(anchor, short, span=SPAN)
    assert found.quality.refused == "the curve's rates are 0.0297 to 0.0655 bpp, which do not hold 0.03 to 0.09 bpp"
    assert found.rate.refused.startswith("the curve's qualities are 28.4 to 30.62, which do not hold 28.1")
    assert found.rate.refused.endswith("the anchor's at 0.03 to 0.09 bpp") and found.rate.value is None
    worse = curve("w", TEST[0], [-value for value in TEST[1]], lower=True)
    found = only(curve("a", ANCHOR[0], [-value for value in ANCHOR[1]], lower=True), worse, span=(0.021, 0.16))
    assert found.rate.value is not None  # of a distance the same range holds


def test_intervals_are_over_the_same_range():
    """Images that all move together: the interval of a resample lies about the figure, and few resamples fail."""
    random = np.random.default_rng(5)
    hard = random.normal(0, 0.05, 40)
    rates = np.outer([0.01, 0.03, 0.06, 0.12], np.exp(hard))
    level = np.array([25.0, 27.0, 29.0, 31.0])[:, None] + 10 * hard
    anchor, test = curve("a", rates, level), curve("t", 0.8 * rates, level)
    found = only(anchor, test, resamples=400, span=(0.015, 0.09))
    assert found.rate.value == pytest.approx(-20, abs=1e-6) and found.rate.failed == 0
    assert found.rate.low == pytest.approx(-20, abs=1e-6) and found.rate.high == pytest.approx(-20, abs=1e-6)
    assert found.quality.low < found.quality.value < found.quality.high
    edge = only(anchor, test, resamples=400, span=(anchor.points[0].bpp, 0.09))
    assert edge.quality.low is None and "in" in edge.quality.doubt and edge.quality.failed > 100


def test_the_range_is_in_the_tables(tmp_path, undrawn):
    made_results.codecs(tmp_path / "Result")
    arguments = ["vvc", "hevc", "--results", str(tmp_path / "Result"), "--resamples", "20"]
    assert command.main([*arguments, "--range", "0.012", "0.03"]) == 0
    folder = tmp_path / "Result/curves"
    assert "BD-metric is over 0.012 to 0.03 bpp for all curves" in (folder / "bd.md").read_text()
    with open(folder / "bd.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["range_low"], row["range_high"]) for row in rows} == {("0.012", "0.03")}
    assert all(float(row["bd_rate"]) < 0 for row in rows if row["metric"] == "ms_ssim")
    command.main(arguments)
    assert "range" not in (folder / "bd.csv").read_text() and "for all curves" not in (folder / "bd.md").read_text()


@pytest.mark.parametrize("asked", [("0.05", "0.01"), ("0.02", "0.02")])
def test_a_range_the_wrong_way_round_is_refused(tmp_path, asked):
    with pytest.raises(BadInput, match="--range .*: expected the lower rate first"):
        command.main(["--results", str(tmp_path), "--range", *asked])


@pytest.mark.parametrize("asked", [("0", "1"), ("a", "1"), ("0.1", "inf"), ("0.1",)])
def test_what_is_no_range_is_refused(tmp_path, capsys, asked):
    with pytest.raises(SystemExit) as end:
        command.main(["--results", str(tmp_path), "--range", *asked])
    assert end.value.code == 2 and "--range" in capsys.readouterr().err
