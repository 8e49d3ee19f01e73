"""The bootstrap against scipy and brute force, its coverage at the nominal rate, and what must not change a result."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from cmcbench import statistics
from cmcbench.statistics import (
    grouped_intervals,
    holm,
    intervals,
    paired_difference,
    rank_intervals,
    resample_counts,
    resampled_means,
)


@pytest.fixture
def random():
    return np.random.default_rng(1)


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_counts_are_draws_with_replacement(n):
    counts = resample_counts(n, 2000)
    assert counts.shape == (2000, n) and counts.dtype == np.uint16
    assert (counts.sum(axis=1) == n).all()
    if n > 1:  # multinomial: variance of a count 1 - 1/n, of two counts together -1/n
        assert counts.var() == pytest.approx(1 - 1 / n, rel=0.05)
        assert np.cov(counts[:, 0], counts[:, 1].astype(float))[0, 1] == pytest.approx(-1 / n, abs=0.08)


def test_draws_are_the_same_on_every_machine():
    """PCG64's raw output is fixed by numpy, what is made of it by us: these stay for ever."""
    assert resample_counts(5, 3).tolist() == [[1, 0, 2, 2, 0], [2, 1, 1, 1, 0], [0, 0, 1, 4, 0]]
    assert not np.array_equal(resample_counts(5, 3, seed=1), resample_counts(5, 3))


def test_the_size_of_blocks_does_not_show(monkeypatch, random):
    values = random.normal(size=(33, 2))
    whole = resampled_means(values, 500), resample_counts(33, 500)
    monkeypatch.setattr(statistics, "BLOCK", 100)
    assert np.array_equal(resampled_means(values, 500), whole[0]) and np.array_equal(resample_counts(33, 500), whole[1])


def test_means_are_exact_whatever_the_order_of_summing(random):
    values = random.normal(2, 1, (50, 1))
    counts = resample_counts(50, 200).astype(int)
    means = [math.fsum(np.repeat(values[:, 0], row)) / 50 for row in counts]
    assert resampled_means(values, 200)[:, 0] == pytest.approx(means, abs=1e-12)
    grid = statistics._on_grid(values - values[0], 50)[:, 0]
    for row in counts[:20]:
        terms = np.repeat(grid, row)
        assert {sum(random.permutation(terms)) for _ in range(5)} == {math.fsum(terms)}


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_intervals_against_scipy(random, draw):
    values = getattr(random, draw)(size=(300, 3))
    low, high = intervals(values)
    for column in range(3):
        found = stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=10_000, method="percentile", rng=random
        ).confidence_interval
        # Both are quantiles of 10,000 random means: their own error is about 2 % of the width
        assert (low[column], high[column]) == pytest.approx(tuple(found), abs=0.05 * (found.high - found.low))


def test_missing_values_are_left_out(random):
    values = random.normal(size=(60, 3))
    values[::3, 1] = np.nan
    values[:, 2] = np.nan
    low, high = intervals(values)
    alone = intervals(values[~np.isnan(values[:, 1]), 1:2])
    assert (low[1], high[1]) == (alone[0][0], alone[1][0]) and np.isnan(low[2]) and np.isnan(high[2])
    assert (low[0], high[0]) == tuple(end[0] for end in intervals(values[:, :1]))


def test_resampled_means_of_what_is_there(random):
    values = random.normal(size=(9, 2))
    values[:7, 1] = np.nan
    means, counts = resampled_means(values, 300), resample_counts(9, 300).astype(float)
    here = counts[:, 7:]
    with np.errstate(invalid="ignore"):
        expected = (here @ values[7:, 1]) / here.sum(axis=1)
    assert means[:, 1] == pytest.approx(expected, nan_ok=True) and np.isnan(means[:, 1]).any()
    low, high = statistics.percentiles(means)
    ends = np.nanquantile(means[:, 1], [0.025, 0.975])
    assert (low[1], high[1]) == pytest.approx(tuple(ends))


def test_equal_values_have_no_width_and_one_image_no_interval():
    low, high = intervals(np.full((40, 1), 0.1))
    assert low[0] == high[0] == 0.1
    assert np.isnan(intervals([[0.1]])).all()
    assert np.isnan(intervals([[0.1], [math.nan]])).all()
    assert np.isnan(intervals([[math.nan], [math.nan]])).all()
    for wrong in (np.zeros((0, 2)), np.zeros(3)):
        with pytest.raises(ValueError, match="shape"):
            intervals(wrong)
    with pytest.raises(ValueError, match="resamples of 0 images"):
        resample_counts(0)


def test_groups_do_not_touch_each_other(random):
    values = random.normal(size=(50, 2))
    groups = ["NSI"] * 30 + ["SCI"] * 20
    found = grouped_intervals(values, groups, resamples=500)
    assert list(found) == ["NSI", "SCI"]
    assert np.array_equal(found["SCI"], intervals(values[30:], resamples=500))


def within(count: int, trials: int, rate: float) -> bool:
    """Whether a count is what a rate gives, at one chance in a thousand to be wrong."""
    return stats.binomtest(count, trials, rate).pvalue > 1e-3


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_of_means_cover_at_their_nominal_rate(random, level):
    trials, n = 500, 200
    values = random.gamma(4, 0.5, (n, trials))  # skewed, mean 2: as scores are
    low, high = intervals(values, resamples=2000, level=level)
    assert within(int(((low <= 2) & (2 <= high)).sum()), trials, level)


def paired(random, n: int, difference: float) -> tuple[np.ndarray, np.ndarray]:
    """Two targets on the same images: scores that go together, and differ by `difference` on average."""
    image = random.normal(2, 0.4, n)
    return image + difference + random.gamma(4, 0.05, n) - 0.2, image + random.normal(0, 0.1, n)


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("difference", [0.0, 0.05])
def test_intervals_of_differences_cover_at_their_nominal_rate(random, n, difference):
    trials = 400
    found = [paired_difference(*paired(random, n, difference), resamples=999) for _ in range(trials)]
    assert within(sum(each.low <= difference <= each.high for each in found), trials, 0.95)
    if difference == 0:
        p = [each.p for each in found]
        assert stats.kstest(p, "uniform").pvalue > 1e-3
        assert within(sum(value <= 0.05 for value in p), trials, 0.05)
    elif n == 100:
        assert sum(each.p <= 0.05 for each in found) > 0.9 * trials


def test_a_difference_by_hand(random):
    first, second = paired(random, 30, 0.04)
    found = paired_difference(first, second, resamples=400)
    d = first - second
    counts = resample_counts(30, 400)
    observed = abs(d.mean()) / (d.std() / 30**0.5)
    drawn = [np.repeat(d, row) for row in counts]
    ratios = np.array([abs(each.mean() - d.mean()) / (each.std() / 30**0.5) for each in drawn])
    assert (found.n, found.mean) == (30, pytest.approx(d.mean()))
    assert found.p == (1 + (ratios >= observed).sum()) / 401
    width = np.quantile(ratios, 0.95, method="higher") * d.std() / 30**0.5
    assert (found.low, found.high) == pytest.approx((d.mean() - width, d.mean() + width))


def test_p_and_interval_say_the_same(random):
    for difference in np.linspace(0, 0.06, 25):
        found = paired_difference(*paired(random, 60, difference))
        assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)
    # On many images the studentised bootstrap meets the t-test
    first, second = paired(random, 800, 0.01)
    assert paired_difference(first, second).p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=0.02)


def test_differences_without_spread_and_of_too_few_images():
    same = np.array([1.0, 2.0, 3.0])
    found = paired_difference(same, same)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    found = paired_difference(same + 1, same, resamples=999)
    assert (found.low, found.high, found.p) == (1, 1, 0.001)
    one = paired_difference([1.0, math.nan], [0.5, 1.0])
    assert one.n == 1 and one.mean == 0.5 and math.isnan(one.p) and math.isnan(one.low)
    assert paired_difference([math.nan], [1.0]).n == 0
    # Of three images a tenth of the resamples have no spread: nothing is significant, and no interval is too narrow
    few = paired_difference([1.0, 1.1, 1.2], [0.0, 0.0, 0.01])
    assert few.p > 0.05 and few.low == -math.inf


def test_holm_is_the_closed_test_of_bonferroni(random):
    """Its definition: p of a hypothesis is the largest Bonferroni p over all sets of hypotheses that hold it."""
    p = [*random.uniform(0, 0.2, 5), 0.9]
    sets = [chosen for size in range(1, 7) for chosen in itertools.combinations(range(6), size)]
    expected = [
        max(min(1, len(chosen) * min(p[i] for i in chosen)) for chosen in sets if place in chosen) for place in range(6)
    ]
    assert holm(p) == pytest.approx(expected)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == [] and holm([0.6, 0.6]) == [1, 1]
    adjusted = holm([0.02, math.nan, 0.5])
    assert adjusted[0] == 0.04 and math.isnan(adjusted[1])


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_rank_intervals_by_brute_force(random, lower_is_better):
    values = random.normal(2, 0.5, (80, 1)) + random.normal(0, 0.3, (80, 4)) + np.array([0, 0.02, 0.05, 1])
    places = [
        stats.rankdata(np.average(values, axis=0, weights=row) * (1 if lower_is_better else -1), method="min")
        for row in resample_counts(80, 600)
    ]
    ends = zip(np.quantile(places, 0.025, axis=0, method="lower"), np.quantile(places, 0.975, axis=0, method="higher"))
    found = rank_intervals(values, lower_is_better, resamples=600)
    assert found == [(int(low), int(high)) for low, high in ends]
    assert found[3] == ((4, 4) if lower_is_better else (1, 1))
    assert found[0][1] > found[0][0]  # two that differ by less than images do


def test_equal_peers_share_their_place(random):
    values = random.normal(size=(30, 1))
    assert rank_intervals(np.hstack([values, values, values - 1])) == [(1, 1), (1, 1), (3, 3)]
    assert rank_intervals(values[:1]) is None
    with pytest.raises(ValueError, match="every image"):
        rank_intervals([[1.0], [math.nan]])


def test_many_comparisons_are_each_as_by_itself(random, monkeypatch):
    differences = random.normal(0.05, 0.2, (40, 5))
    differences[:10, 1] = np.nan
    differences[1:, 4] = np.nan
    monkeypatch.setattr(statistics, "TOGETHER", 2)
    found = statistics.paired_differences(differences, resamples=300)
    for column, each in enumerate(found[:4]):
        assert each == paired_difference(differences[:, column], np.zeros(40), resamples=300)
    assert [each.n for each in found] == [40, 30, 40, 40, 1]


def test_what_else_moves_a_mean_widens_its_interval_and_no_other(random):
    differences = random.normal(0.02, 0.2, (50, 3))
    plain = statistics.paired_differences(differences, resamples=400)
    asked = []

    def shifts(rows, columns):
        asked.append((int(rows.sum()), list(columns)))
        return {1: random.normal(0, 0.2, 400)}

    moved = statistics.paired_differences(differences, resamples=400, shifts=shifts)
    assert asked == [(50, [0, 1, 2])] and (moved[0], moved[2]) == (plain[0], plain[2])
    assert moved[1].mean == plain[1].mean and moved[1].p > plain[1].p
    assert moved[1].high - moved[1].low > 3 * (plain[1].high - plain[1].low)
