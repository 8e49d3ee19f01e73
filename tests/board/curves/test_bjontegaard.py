"""BD-rate and BD-metric against other programs, refusals by reason, bootstrap intervals that cover."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from cmcbench.board.curves.bjontegaard import compare
from cmcbench.board.curves.collect import Curve, CurvePoint
from cmcbench.board.curves.pchip import integrals
from cmcbench.board.summaries import Metric

# Fixed curves of an encoder against another one: bits per pixel, dB
ANCHOR = ([0.0201, 0.0398, 0.0812, 0.1604], [27.13, 28.95, 30.88, 33.02])
TEST = ([0.0152, 0.0297, 0.0655, 0.1281, 0.2510], [26.71, 28.40, 30.62, 32.55, 34.90])


def curve(label: str, rates, values, metric: str = "psnr", lower: bool = False, of_set: bool = False) -> Curve:
    """A curve whose points have the given means, or the given images: rates and values (points,) or (points,
    images).
    """
    points = []
    for rate, value in zip(np.asarray(rates, dtype=float), np.asarray(values, dtype=float)):
        rate, value = np.atleast_1d(rate), np.atleast_1d(value)
        scores = {} if of_set else {metric: value}
        points.append(
            CurvePoint(
                label,
                "image",
                rate.mean(),
                {metric: value.mean()},
                len(rate),
                len(rate),
                False,
                None,
                None,
                None,
                0,
                0,
                rate,
                scores,
            )
        )
    return Curve(label, label, tuple(points), {metric: Metric(metric, "FR", lower, "1", of_set)})


def only(anchor: Curve, test: Curve, **options):
    (found,) = compare([anchor, test], anchor, **options)
    return found


def test_deltas_are_those_of_the_bjontegaard_package():
    found = only(curve("a", *ANCHOR), curve("t", *TEST))
    options = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    assert found.rate.value == pytest.approx(bjontegaard.bd_rate(*ANCHOR, *TEST, **options), abs=1e-9)
    assert found.quality.value == pytest.approx(bjontegaard.bd_psnr(*ANCHOR, *TEST, **options), abs=1e-9)
    assert found.rate.value < 0 and found.points == (4, 5)


def test_deltas_are_those_of_a_direct_integration():
    found = only(curve("a", *ANCHOR), curve("t", *TEST))
    logs = [np.log10(rates) for rates, _ in (ANCHOR, TEST)]
    low, high = max(ANCHOR[1][0], TEST[1][0]), min(ANCHOR[1][-1], TEST[1][-1])
    one, other = PchipInterpolator(ANCHOR[1], logs[0]), PchipInterpolator(TEST[1], logs[1])
    mean = quad(lambda quality: other(quality) - one(quality), low, high, limit=500, epsabs=1e-12)[0] / (high - low)
    assert found.rate.value == pytest.approx((10**mean - 1) * 100, abs=1e-6)
    assert found.rate.overlap == pytest.approx((high - low) / (TEST[1][-1] - TEST[1][0]))


def test_pchip_is_scipys():
    """Thousands of rows, level segments and turns among them; 2 to 7 points; bounds anywhere inside."""
    random = np.random.default_rng(1)
    for points in (2, 3, 4, 7):
        x = np.sort(random.uniform(0, 10, (300, points)), axis=1) + np.arange(points)
        y = np.round(random.normal(0, 1, (300, points)), 1)
        y[:50] = np.sort(y[:50], axis=1)
        ends = np.sort(x[:, :1] + random.uniform(0, 1, (300, 2)) * (x[:, -1:] - x[:, :1]), axis=1)
        found = integrals(x, y, *ends.T)
        expected = [PchipInterpolator(*each[:2]).integrate(*each[2]) for each in zip(x, y, ends)]
        assert np.abs(found - np.array(expected)).max() < 1e-10


def test_a_metric_of_which_lower_is_better():
    """100 - dB as a distortion: the same rates are saved, and the metric's difference has the metric's own sign."""
    higher = only(curve("a", *ANCHOR), curve("t", *TEST))
    mirrored = [(rates, [100 - value for value in values]) for rates, values in (ANCHOR, TEST)]
    lower = only(*(curve(label, *each, lower=True) for label, each in zip("at", mirrored)))
    assert lower.rate.value == pytest.approx(higher.rate.value, abs=1e-9) and lower.rate.value < 0
    assert lower.quality.value == pytest.approx(-higher.quality.value, abs=1e-9) and lower.quality.value < 0


def test_the_order_of_points_does_not_matter():
    shuffled = ([TEST[0][place] for place in (3, 0, 4, 1, 2)], [TEST[1][place] for place in (3, 0, 4, 1, 2)])
    assert only(curve("a", *ANCHOR), curve("t", *shuffled)) == only(curve("a", *ANCHOR), curve("t", *TEST))


@pytest.mark.parametrize(
    "rates, values, rate, quality",
    [
        ([0.02], [28], "the curve has 1 point(s)", "the curve has 1 point(s)"),
        ([0.02, 0.02], [28, 29], "two points of the same rate (0.020000 bpp)", "two points of the same rate"),
        ([0.0, 0.02], [28, 29], "0 bpp", "0 bpp"),
        ([0.02, 0.04, 0.08], [28, 27, 31], "not monotone: its quality does not rise from 0.0200 to 0.0400 bpp", None),
        (
            [0.02, 0.08],
            [40, 45],
            "the qualities do not overlap: the anchor's are 27.13 to 33.02, the curve's 40 to 45",
            None,
        ),
        (
            [0.001, 0.002],
            [28, 31],
            None,
            "the rates do not overlap: the anchor's are 0.0201 to 0.1604 bpp, the curve's 0.001 to 0.002 bpp",
        ),
    ],
)
def test_refused_with_a_reason(rates, values, rate, quality):
    found = only(curve("a", *ANCHOR), curve("t", rates, values))
    for delta, reason in ((found.rate, rate), (found.quality, quality)):
        assert (delta.value is None) == (reason is not None) and (reason or "") in delta.refused


def test_refusals_show_a_lower_is_better_metric_as_it_is():
    found = only(
        curve("a", ANCHOR[0], [0.5, 0.4, 0.3, 0.2], lower=True), curve("t", [0.02, 0.1], [0.9, 0.8], lower=True)
    )
    assert "the anchor's are 0.2 to 0.5, the curve's 0.8 to 0.9" in found.rate.refused


def images(random, saving: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and qualities (4 points, count images) of a codec that needs `saving` of the anchor's rate, quality 20
    log10.
    """
    rates = np.array([0.02, 0.04, 0.08, 0.16])[:, None] * np.exp(random.normal(0, 0.3, count)) * saving
    return rates, 20 * np.log10(rates / saving) + random.normal(0, 1, (4, count)) + 60


def test_intervals_hold_the_delta_and_cover_the_truth():
    """20 pairs of codecs of which one needs 80 % of the rate: the 95 % interval of BD-rate misses -20 % rarely."""
    held = 0
    for number in range(20):
        random = np.random.default_rng(number)
        anchor, test = (curve(label, *images(random, saving, 100)) for label, saving in (("a", 1.0), ("t", 0.8)))
        found = only(anchor, test, resamples=500)
        assert (
            found.rate.low < found.rate.value < found.rate.high
            and found.quality.low < found.quality.value < found.quality.high
        )
        held += found.rate.low < -20 < found.rate.high
    assert held >= 16  # below 16 of 20 has a chance of 0.03 % at 95 %


def test_intervals_are_those_of_resampled_curves_by_hand():
    """Each resample's BD-rate by scipy and the package, from the same draws."""
    from cmcbench.statistics import resample_counts

    random = np.random.default_rng(5)
    (ra, qa), (rt, qt) = images(random, 1.0, 20), images(random, 0.7, 20)
    found = only(curve("a", ra, qa), curve("t", rt, qt), resamples=200, seed=7)
    deltas = []
    for counts in resample_counts(20, 200, 7).astype(float):
        means = [each @ counts / 20 for each in (ra, qa, rt, qt)]
        deltas.append(bjontegaard.bd_rate(*means, method="pchip", min_overlap=0))
    assert (found.rate.low, found.rate.high) == pytest.approx(tuple(np.quantile(deltas, (0.025, 0.975))), abs=1e-6)
    assert found.rate.failed == 0 and found == only(curve("a", ra, qa), curve("t", rt, qt), resamples=200, seed=7)


def test_resamples_without_a_delta_are_counted():
    """Two points that lie close together change places in some resamples; in many, there is no interval."""
    random = np.random.default_rng(3)
    rates, values = images(random, 1.0, 40)
    anchor = curve("a", rates, values)
    for closeness, refused in ((0.6, False), (0.25, True)):
        close = values.copy()
        close[1] = values[0] + closeness + np.random.default_rng(4).normal(0, 1, 40)
        found = only(anchor, curve("t", rates * 0.9, close), resamples=2000)
        assert found.rate.value is not None and found.rate.failed > 0
        assert (found.rate.low is None) == refused == ("no delta in" in found.rate.doubt)


def test_a_measure_of_the_set_and_a_single_image_have_no_interval():
    for options in ({"of_set": True}, {}):
        found = only(curve("a", *ANCHOR, **options), curve("t", *TEST, **options))
        assert found.rate.value is not None and found.rate.low is None and "no interval" in found.rate.doubt
