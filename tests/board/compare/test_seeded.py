"""The pigeonhole bootstrap: what it is without seeds, by hand, and that its intervals hold real seed effects."""

from __future__ import annotations

import numpy as np
import pytest

from cmcbench import statistics
from cmcbench.board.compare import seeded
from cmcbench.board.compare.seeded import seeded_difference, seeded_differences
from cmcbench.board.image_scores import over_seeds
from cmcbench.statistics import paired_difference, paired_differences, resample_counts


@pytest.fixture
def random():
    return np.random.default_rng(3)


def systems(random, n: int, first: int, second: int, effect: float, noise: float = 0.1, difference: float = 0.0):
    """Scores (n, S) of two systems: images that go together, an effect that a seed has on all of its images, noise."""
    image = random.normal(2, 0.4, n)[:, None]
    sides = []
    for count, shift in ((first, difference), (second, 0.0)):
        own = random.normal(0, 0.1, n)[:, None]  # what the system makes of an image, whatever the seed
        sides.append(image + shift + own + random.normal(0, effect, count) + random.normal(0, noise, (n, count)))
    return sides


def test_one_seed_each_is_the_paired_difference_of_today(random):
    first, second = systems(random, 50, 1, 1, 0.0)
    assert seeded_difference(first, second) == paired_difference(first[:, 0], second[:, 0])
    columns = random.normal(0.02, 0.2, (30, 7))
    columns[:5, 2] = np.nan
    one = np.zeros((30, 1))
    assert seeded_differences(columns, [[one, one]] * 7) == paired_differences(columns)


def test_equal_seeds_have_the_interval_of_one(random):
    first, second = systems(random, 40, 1, 1, 0.0)
    for count in (2, 3, 10):
        assert seeded_difference(np.repeat(first, count, axis=1), second) == seeded_difference(first, second)


def test_a_seeded_difference_by_hand(random):
    first, second = systems(random, 20, 3, 2, 0.1)
    found = seeded_difference(first, second, resamples=300)
    images = resample_counts(20, 300).astype(float)
    d = first.mean(axis=1) - second.mean(axis=1)
    error = d.std() / 20**0.5
    ratios = []
    for place in range(300):
        drawn = np.repeat(np.arange(20), images[place].astype(int))
        shift = d[drawn].mean() - d.mean()
        for side, (scores, sign) in enumerate(((first, 1), (second, -1))):
            count = scores.shape[1]
            seeds = resample_counts(count, 300, 43 + side)[place].astype(float)
            weights = (seeds / count - 1 / count) * np.sqrt(count / (count - 1))
            means = [(scores[drawn, each] - scores.mean(axis=1)[drawn]).mean() for each in range(count)]
            shift += sign * sum(weights * means)
        ratios.append(abs(shift) / (d[drawn].std() / 20**0.5))
    assert (found.n, found.mean) == (20, pytest.approx(d.mean()))
    assert found.p == (1 + (np.array(ratios) >= abs(d.mean()) / error).sum()) / 301
    width = np.quantile(ratios, 0.95, method="higher") * error
    assert (found.low, found.high) == pytest.approx((d.mean() - width, d.mean() + width))


def test_the_shifts_have_the_variance_between_seeds_over_their_number():
    """Of images that are all alike only the seeds are left: sd^2 / S of either side, with S - 1."""
    first, second = (np.tile(row, (12, 1)) for row in ([1.0, 1.2, 1.7, 1.1], [0.9, 0.9, 1.3]))
    deviations = [over_seeds(side)[1] for side in (first, second)]
    found = [seeded._shift(statistics.resampled_means(each), 43 + side) for side, each in enumerate(deviations)]
    for drawn, side in zip(found, (first, second)):
        assert drawn.var() == pytest.approx(side[0].var(ddof=1) / side.shape[1], rel=0.05)
        assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert abs(np.corrcoef(*found)[0, 1]) < 0.05
    both = seeded_difference(first, second)
    assert both.mean == pytest.approx(0.2167, abs=1e-4) and both.low < 0 < both.high and 0.05 < both.p < 1
    width = np.quantile(np.abs(found[0] - found[1]), 0.95, method="higher")
    assert (both.low, both.high) == pytest.approx((both.mean - width, both.mean + width))


def coverage(random, trials: int, seeds: int, **effects: float) -> tuple[int, int]:
    """How many intervals hold the true difference: over images and seeds, and over images alone."""
    held = [0, 0]
    for _ in range(trials):
        first, second = systems(random, 40, seeds, seeds, difference=0.05, **effects)
        both = seeded_difference(first, second, resamples=499)
        images = paired_difference(first.mean(axis=1), second.mean(axis=1), resamples=499)
        for place, each in enumerate((both, images)):
            held[place] += each.low <= 0.05 <= each.high
    return held[0], held[1]


def test_intervals_hold_real_effects_of_seeds_that_images_alone_do_not(random):
    """Effects that all images of a seed share, twice what images make of a mean. 200 trials of 40 images, 5 seeds a
    side: at least 175 of 200 (of 500 it was 93 %), where the interval over images alone holds them in fewer than 130.
    """
    both, images = coverage(random, 200, 5, effect=0.1)
    assert both >= 175 and images < 130


def test_noise_of_single_images_is_held_too(random):
    """As of decoders, whose noise is each image's own: it is in the images' spread already, and counted twice."""
    both, images = coverage(random, 200, 3, effect=0.0, noise=0.2)
    assert both >= images and both >= 186


def test_an_image_that_a_seed_lacks_is_left_out(random):
    first, second = systems(random, 30, 3, 2, 0.05)
    first[4, 1] = second[9, 0] = np.nan
    kept = np.setdiff1d(np.arange(30), [4, 9])
    assert seeded_difference(first, second) == seeded_difference(first[kept], second[kept])
    assert seeded_difference(first[4:5], second[4:5]).n == 0
    one = seeded_difference(first[:1], second[:1])
    assert one.n == 1 and np.isnan(one.p)


def test_the_size_of_batches_does_not_show(random, monkeypatch):
    sides = [systems(random, 25, 3, 2, 0.05) for _ in range(4)]
    means = np.stack([over_seeds(a)[0] - over_seeds(b)[0] for a, b in sides], axis=1)
    deviations = [[over_seeds(side)[1] for side in pair] for pair in sides]
    whole = seeded_differences(means, deviations, resamples=300)
    monkeypatch.setattr(seeded, "TOGETHER", 2)
    parts = seeded_differences(means, deviations, resamples=300)
    for one, other in zip(whole, parts):
        assert (one.p, one.low, one.high) == pytest.approx((other.p, other.low, other.high), abs=1e-9)
