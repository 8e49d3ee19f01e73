"""Colours of targets: the hue is the family's, the lightness the rate; the same in figures and on the page."""

from __future__ import annotations

import re
from itertools import pairwise

import made_results
import numpy as np
import pytest
import scored
from bench import ROOT

from cmcbench.board.curves.collect import collect
from cmcbench.board.curves.end_labels import spaced
from cmcbench.board.curves.front import front
from cmcbench.board.families import DEEPEST, INK, MARKS, PALETTE, PAPER, shade, styles_of
from cmcbench.statistics import intervals

SITE = ROOT / "cmcbench" / "board" / "page" / "site"


def test_hue_by_family_and_lightness_by_rate(tmp_path):
    for rate in (0.05, 0.01, 0.02):
        made_results.target(tmp_path, f"vvc@{rate}", {"image": (rate, 0.5)}, codec=True)
    made_results.target(tmp_path, "aaa", {"image": (0.02, 0.5), "full": (0.03, 0.5)})
    found = styles_of(tmp_path)
    assert {name: (each.family, each.place, each.tone) for name, each in found.items()} == {
        "aaa": ("aaa", 0, 0),
        "vvc@0.01": ("vvc", 1, 1),
        "vvc@0.02": ("vvc", 1, 0),
        "vvc@0.05": ("vvc", 1, -1),
    }
    assert found["vvc@0.02"].colour == PALETTE[1] != found["vvc@0.01"].colour
    light = [sum(int(found[f"vvc@{rate}"].colour[at : at + 2], 16) for at in (1, 3, 5)) for rate in (0.01, 0.02, 0.05)]
    assert light == sorted(light, reverse=True)


def test_a_choice_of_targets_changes_no_colour(tmp_path):
    made_results.codecs(tmp_path)
    every = {point.target: point.style for curve in collect(tmp_path) for point in curve.points}
    some = {point.target: point.style for curve in collect(tmp_path, ["vvc@0.02", "re*"]) for point in curve.points}
    assert some and all(every[name] == style for name, style in some.items())


def test_a_decoder_is_the_family_of_its_targets(tmp_path):
    for name in ("real+gpt4v", "real+qwen@strength=0.3", "team-a", "other"):
        made_by = {"t2i": "sdxl@main" if name == "team-a" else "real" if name != "other" else ""}
        scored.write(tmp_path / name, scored.noisy(1), scored.images(1), manifest=made_by)
    (tmp_path / "x+y@z").mkdir()
    (tmp_path / "x+y@z" / "summary.json").write_text("{")  # nothing to read: by its name
    assert {name: each.family for name, each in styles_of(tmp_path).items()} == {
        "real+gpt4v": "real",
        "real+qwen@strength=0.3": "real",
        "team-a": "sdxl",
        "other": "other",
        "x+y@z": "x",
    }


def test_the_page_has_the_same_colours():
    css = (SITE / "page.css").read_text()
    light = css[: css.index('[data-theme="dark"]')]
    assert tuple(re.findall(r"--c\d: (#\w{6});", light)) == PALETTE
    script = (SITE / "colours.js").read_text()
    assert f"DEEPEST = {DEEPEST}" in script and f'LIGHT = "{PAPER}"' in script and f'DARK = "{INK}"' in script
    assert re.findall(r'"(\w+)"', script[script.index("const MARKS") : script.index("];")]) == list(MARKS)
    assert shade("#000000", 1) == "#666666" and shade("#808080", 0) == "#808080"


@pytest.mark.parametrize("seed", range(20))
def test_names_beside_curves_keep_their_distance_and_order(seed):
    wanted = list(np.random.default_rng(seed).uniform(0, 1, 8))
    found = spaced(wanted, 0.1)
    order = sorted(range(8), key=lambda each: wanted[each])
    assert all(found[high] - found[low] >= 0.1 - 1e-9 for low, high in pairwise(order))
    assert -1e-9 <= min(found) and max(found) <= 1 + 1e-9
    assert spaced([0.2, 0.8], 0.1) == [0.2, 0.8] and spaced([], 0.1) == []
    assert spaced([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])


def test_the_front_is_of_counted_rates_that_nothing_beats(tmp_path):
    for name, rate, quality in (("a", 0.01, 0.5), ("b", 0.02, 0.4), ("c", 0.03, 0.7), ("d", 0.005, 0.9)):
        kind = "nominal" if name == "d" else "measured"
        made_results.target(tmp_path, name, {"image": (rate, quality)}, kind=kind)
    curves = collect(tmp_path)
    assert [point.target for point in front(curves, "ms_ssim", False)] == ["a", "c"]
    assert [point.target for point in front(curves, "lpips", True)] == ["a", "c"]
    assert front(curves, "none", True) == []


def test_intervals_of_points_are_those_of_their_images(tmp_path):
    made_results.codecs(tmp_path)
    for point in (point for curve in collect(tmp_path) for point in curve.points):
        for name, values in point.scores.items():
            low, high = intervals(values[:, None])
            assert point.ends[name] == pytest.approx((low[0], high[0]), rel=1e-12)
            assert low[0] < point.values[name] < high[0]
