"""docs/metrics.md names every metric that --metrics takes, with its direction and the smallest picture it scores."""

from __future__ import annotations

import re
from importlib import metadata

import numpy as np
import pytest
from bench import ROOT
from PIL import Image

from cmcbench.board.labels import NAMES, VARIANTS
from cmcbench.errors import BadInput, ImageProblem, RunFailed
from cmcbench.published.metrics import ALIASES, of_pyiqa
from cmcbench.score.metrics.base import Metric, checked
from cmcbench.score.metrics.registry import GROUPS, OWN, Models, resolve
from cmcbench.score.metrics.topiq import WEIGHTS

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
STATED = re.search(r"pyiqa (\d+\.\d+\.\d+) has these besides", PAGE)[1]
OF = {"pair": "FR", "one": "NR", "set": "set", "caption": "NR"}


def rows() -> list[tuple[list[str], list[str]]]:
    """(names, the other cells) of each row of the two tables of metrics."""
    found = []
    for table in re.findall(r"^\| name \| of, better \|.*?\n\n", PAGE, re.DOTALL | re.MULTILINE):
        for line in table.strip().splitlines()[2:]:
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.append((re.findall(r"`([^`]+)`", first), cells))
    return found


def known() -> set[str]:
    """Every metric that --metrics takes."""
    names = {*WEIGHTS, *OWN}
    for name in of_pyiqa():
        try:
            names.add(resolve(name, ROOT / "nowhere")[0].name)
        except BadInput as error:
            assert name in WEIGHTS or "is no measure of single images" in str(error), name
    return names


@pytest.mark.skipif(metadata.version("pyiqa") != STATED, reason=f"the page is of pyiqa {STATED}")
def test_every_metric_has_one_row():
    named = [name for names, _ in rows() for name in names]
    assert sorted(named) == sorted(known())


def test_groups_and_other_names_are_told_above_the_tables():
    above = PAGE.partition("## What each metric is")[0]
    for name in (*GROUPS, *ALIASES, *OWN):
        assert f"`{name}`" in above, name
    listed = re.search(r"\| `field` \|.*?: (.+?) \|", above)[1]
    assert tuple(re.sub(r" \([^)]*\)", "", listed).split(", ")) == GROUPS["field"]


@pytest.mark.skipif(metadata.version("pyiqa") != STATED, reason=f"the page is of pyiqa {STATED}")
def test_what_a_metric_takes_and_which_way_it_is_better(tmp_path):
    for file in WEIGHTS.values():
        (tmp_path / file).touch()
    for names, (about, *_) in rows():
        for name in names:
            (metric,) = resolve(name, tmp_path)
            kind = "set" if not isinstance(metric, Metric) else "FR" if metric.needs_truth else "NR"
            of = OF[about.split()[0].strip(",")]
            assert kind == of or name == "clipscore_truth", name
            other = re.search(rf"\((\w*{re.escape(name)}\w*) (lower|higher)\)", about)
            way = other[2] if other else re.search(r"(lower|higher)", about)[1]
            assert metric.lower_is_better == (way == "lower"), name


LIGHT = {"psnr", "ssim", "ms_ssim", "ms_ssim_rgb", "ms_ssim_compressai", "vif", "fsim", "vsi", "gmsd", "piqe"}
LIGHT |= {"lpips", "lpips-vgg", "dists"}  # whose weights come in packages
SMALLEST = [
    (name, int(size))
    for names, cells in rows()
    if len(cells) > 3
    for name, size in zip(names, cells[2].split(", "))
    if name in LIGHT
]


def test_sizes_are_told_of_all_that_need_no_download():
    assert {name for name, _ in SMALLEST} == LIGHT


@pytest.mark.parametrize("name, smallest", SMALLEST)
def test_the_smallest_picture_that_a_metric_scores(name, smallest):
    """A square, as the page has it; one pixel less is refused by name, and no score."""
    (metric,) = resolve(name, None)
    try:
        metric.load("cpu")
    except RunFailed as error:
        pytest.skip(f"its weights are not here: {error}")
    random = np.random.default_rng(smallest)

    def picture(side):
        return Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))

    checked(*metric.score(picture(smallest), [picture(smallest)]), metric)
    if smallest > 1:
        with pytest.raises(ImageProblem, match=re.escape(name)):
            checked(*metric.score(picture(smallest - 1), [picture(smallest - 1)]), metric)


def test_every_own_metric_has_a_name_on_figures_and_every_variant_is_a_metric():
    assert {*OWN, *WEIGHTS, *(name for names in GROUPS.values() for name in names)} <= NAMES.keys()
    assert VARIANTS.keys() <= known() and ALIASES.keys().isdisjoint(NAMES)


def test_capitals_and_other_names_are_taken(tmp_path):
    assert [metric.name for metric in resolve("PSNR, Lpips_VGG, lpips-vgg, clipiqa+_VITL14_512", tmp_path)] == [
        "psnr",
        "lpips-vgg",
        "clipiqa+_vitL14_512",
    ]


@pytest.mark.parametrize(
    "typed, near", [("fid265", "fid256"), ("ms-ssim-rgb", "ms_ssim_rgb"), ("lpisp", "lpips"), ("feild", "field")]
)
def test_a_mistyped_metric_gets_a_hint_and_names_what_there_is(tmp_path, typed, near):
    with pytest.raises(
        BadInput, match=rf"there is no metric '{typed}'. Near: .*\b{near}\b.*Known: topiq, paper, field"
    ):
        resolve(f"psnr,{typed}", tmp_path, models=Models())
