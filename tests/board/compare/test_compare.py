"""python -m cmcbench compare: what it finds, what it refuses, and what it writes."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
import scored
from scipy import stats

from cmcbench.__main__ import main
from cmcbench.board.compare.comparable import find
from cmcbench.board.compare.comparing import compare
from cmcbench.errors import BadInput
from cmcbench.protocol import overall_i2t, overall_t2i

NAMES = scored.images(10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """b is a little worse than a in every mode, c is as a with other noise, d has two modes; then those that are
    refused.
    """
    folder = tmp_path_factory.mktemp("Result")
    scored.write(folder / "a", scored.noisy(1), NAMES)
    scored.write(folder / "b", scored.noisy(2, -0.2), NAMES)
    scored.write(folder / "c", scored.noisy(3), NAMES)
    scored.write(folder / "d", scored.noisy(4, 0.3), NAMES, modes=("full", "text"))
    scored.write(folder / "weights", scored.noisy(1), NAMES, identity="weights 2")
    scored.write(folder / "truth", scored.noisy(1), NAMES, digest="other")
    scored.write(folder / "other", scored.noisy(1), ["x.png", "y.png"])
    scored.write(folder / "piqe", scored.noisy(1), NAMES, metrics=["piqe"])
    scored.write(folder / "empty", scored.noisy(1), NAMES, modes=["image"])
    table = folder / "empty" / "scores.csv"
    table.write_text(table.read_text().replace("AIGI", "OTHER").replace("NSI", "OTHER").replace("SCI", "OTHER"))
    for name, summary in (("unscored", None), ("unfinished", {"unfinished": True}), ("alien", {"metrics": {"x": 3}})):
        (folder / name).mkdir()
        if summary:
            (folder / name / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "Result")


def run(capsys, *arguments) -> tuple[str, str]:
    assert main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr()


def values(score, mode, metric) -> np.ndarray:
    return np.array([score(mode, metric, place) for place in range(len(NAMES))])


def test_known_differences_are_found_and_none_where_there_is_none(results):
    targets = [find(name, results) for name in "abc"]
    found = compare(targets, i2t=True)
    assert [(each.first, each.second) for each in found[::10]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {each.verdict for each in found[:10]} == {"a is better"}
    assert {each.verdict for each in found[10:20]} == {"no significant difference"}
    assert {each.verdict for each in found[20:]} == {"c is better"}
    assert sum(each.difference.low < 0.2 < each.difference.high for each in found[:10]) >= 8


def test_every_figure(results):
    """Means, difference and n by hand, p near the paired t-test's, Overall by the benchmark's formulas."""
    a, b = scored.noisy(1), scored.noisy(2, -0.2)
    found = {(each.mode, each.metric): each for each in compare([find("a", results), find("b", results)], i2t=True)}
    assert len(found) == 4 * 2 + 2
    for mode in scored.MODES:
        for metric in scored.PAIR:
            each, x, y = found[mode, metric], values(a, mode, metric), values(b, mode, metric)
            assert each.means == pytest.approx((x.mean(), y.mean())) and each.difference.n == 40
            assert each.difference.mean == pytest.approx(x.mean() - y.mean())
            assert each.difference.p == pytest.approx(stats.ttest_rel(x, y).pvalue, abs=2e-3)
    every = ", ".join(scored.MODES)
    for name, formula in (("overall", overall_t2i), ("overall-i2t", overall_i2t)):
        totals = [
            formula(*({mode: values(score, mode, metric).mean() for mode in scored.MODES} for metric in scored.PAIR))
            for score in (a, b)
        ]
        assert found[every, name].means == pytest.approx(tuple(totals))


def test_the_order_of_rows_changes_nothing(results):
    before = compare([find("a", results), find("b", results)])
    for name in "ab":
        file = results / name / "scores.csv"
        head, *rows = file.read_text().splitlines()
        file.write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert compare([find("a", results), find("b", results)]) == before


def test_modes_that_one_lacks_are_named_and_overall_is_over_those_of_both(results, capsys):
    out, errors = run(capsys, "a", "d", "--results", results)
    assert "are compared in full, text; not both have image, pixel" in errors
    assert "| full, text | Overall |" in out and "d is better" in out
    assert "Significant differences: 5 of 5." in " ".join(out.split())


def test_a_mode_that_lacks_a_score_is_in_neither_overall(tmp_path):
    """Else the one's Overall would be over more modes than the other's: equal scores would differ."""

    def score(mode, metric, place):
        return (3 if mode == "text" else 1) + place / 100

    scored.write(tmp_path / "a", score, NAMES)
    scored.write(tmp_path / "b", lambda *key: None if key[:2] == ("text", "topiq_nr") else score(*key), NAMES)
    found = compare([find(name, tmp_path) for name in ("a", "b")])
    overall = next(each for each in found if each.metric == "overall")
    assert overall.mode == "full, image, pixel" and overall.difference.mean == 0
    assert [each.metric for each in found if each.mode == "text"] == ["topiq_fr"]


def test_images_that_one_lacks_are_left_out(results, capsys):
    noise = scored.noisy(5)
    scored.write(results / "e", lambda mode, metric, place: None if place < 8 else noise(mode, metric, place), NAMES)
    found = compare([find("a", results), find("e", results)])
    assert {each.difference.n for each in found} == {32}
    assert "n says how many of 40 are compared" in capsys.readouterr().err
    scored.write(results / "f", noise, [*NAMES[:1], "other.png"])
    found = compare([find("a", results), find("f", results)])
    assert {each.verdict for each in found} == {"too few images"} and {each.difference.n for each in found} == {1}
    assert "[" not in run(capsys, "a", "f", "--results", results)[0]


def test_by_content_type(results):
    found = compare([find("a", results), find("b", results)], types=True)
    assert [each.content for each in found[::9]] == ["", "AIGI", "NSI", "SCI"]
    by_type = {each.content: each for each in found if (each.mode, each.metric) == ("text", "topiq_fr")}
    assert {kind: each.difference.n for kind, each in by_type.items()} == {"": 40, "AIGI": 10, "NSI": 20, "SCI": 10}
    mine = [place for place, name in enumerate(NAMES) if name.startswith("NSI")]
    assert by_type["NSI"].means[0] == pytest.approx(values(scored.noisy(1), "text", "topiq_fr")[mine].mean())
    # More rows, so that each is harder to call significant
    assert by_type[""].holm > by_type[""].difference.p


def test_lower_is_better(tmp_path):
    for name, shift in (("a", 0), ("b", 1)):
        scored.write(tmp_path / name, scored.noisy(1, shift), metrics=["piqe"], lower=["piqe"], modes=["text"])
    (found,) = compare([find("a", tmp_path), find("b", tmp_path)])
    assert found.verdict == "a is better" and found.difference.mean == pytest.approx(-1)


def test_chosen_metrics_and_modes_and_both_files(results, capsys):
    out, errors = run(
        capsys,
        results / "a",
        "b",
        "--results",
        results,
        "--metrics",
        "topiq",
        "--modes",
        "text",
        "--output",
        results / "x.csv",
    )
    rows = list(csv.DictReader(io.StringIO((results / "x.csv").read_text())))
    assert [(row["mode"], row["metric"]) for row in rows] == [
        ("text", "topiq_fr"),
        ("text", "topiq_nr"),
        ("text", "overall"),
    ]
    assert (
        float(rows[0]["low"]) < float(rows[0]["difference"]) < float(rows[0]["high"])
        and rows[0]["result"] == "a is better"
    )
    assert f"{float(rows[0]['difference']):+.4f}" in out
    run(capsys, "a", "b", "--results", results, "--modes", "text", "--output", results / "x.md")
    assert (results / "x.md").read_text() == out


def test_names_are_made_harmless(tmp_path, capsys):
    for name, shift in (("=1+1", 0), ("<b>&[x]", 1)):
        scored.write(tmp_path / name, scored.noisy(1, shift))
    run(capsys, tmp_path / "=1+1", tmp_path / "<b>&[x]", "--output", tmp_path / "x.md")
    assert "<b>" not in (tmp_path / "x.md").read_text()
    run(capsys, tmp_path / "=1+1", tmp_path / "<b>&[x]", "--output", tmp_path / "x.csv")
    assert "'=1+1" in (tmp_path / "x.csv").read_text()


def test_too_many_rows_for_the_resamples_are_said(results, capsys, monkeypatch):
    monkeypatch.setattr("cmcbench.board.compare.comparing.RESAMPLES", 100)
    compare([find("a", results), find("b", results)])
    assert "with 9 rows no difference can be significant" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["a", "weights"], "topiq_fr was made differently: a with weights 1 and weights with weights 2"),
        (["a", "truth"], "different ground truths: 40 of 40 images differ (first: AIGI_MJ_000.png)"),
        (["a", "other"], "no image in common; images are paired"),
        (["a", "empty"], "have no image in common; images are paired by"),
        (["a", "piqe"], "have no metric in common"),
        (
            ["a", "unscored"],
            "summary.json is missing. Score it again with: python script-evaluate.py --target unscored",
        ),
        (
            ["a", "unfinished"],
            "is of a run that has not ended. Score it again with: python script-evaluate.py --target unfinished",
        ),
        (["a", "nobody"], "there is no target nobody"),
        (["a", "../a/../b", "--results", "x"], "there is no target a"),
        (["a", "alien"], "alien/summary.json holds nothing at made_by, expected an object"),
        (["a", "a"], "two or more different targets"),
        (["a"], "two or more different targets"),
        (
            ["a", "b", "--modes", "text,images"],
            "--modes images: not both of a and b have it. Both have: full, image, pixel, text",
        ),
        (
            ["a", "b", "--metrics", "psnr"],
            "--metrics psnr: not both of a and b have scores of it. Both have: topiq_fr, topiq_nr",
        ),
        (["a", "b", "--output", "x.txt"], "name a file that ends in .csv or .md"),
    ],
)
def test_refusals(made, flags, message):
    with pytest.raises(BadInput) as error:
        main(["compare", "--results", str(made), *flags])
    assert message in str(error.value)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda text: text.replace("name,", "nome,"), "has no column name"),
        (lambda text: text + text.splitlines()[1] + "\n", "is there a second time in mode full"),
        (lambda text: text.replace("truth AIGI_MJ_000.png", "else", 1), "has two ground truths"),
        (lambda text: text.replace("AIGI_MJ_000.png", "../x.png"), "is not a file name"),
        (lambda text: text.replace(text.splitlines()[1].split(",")[4], "inf"), "line 2: 'inf' is not a finite number"),
        (lambda text: text.replace(text.splitlines()[1].split(",")[4], "2e12"), "line 2: holds a score above 1e\\+12"),
        (
            lambda text: text.replace(text.splitlines()[1].split(",")[4], "high"),
            "line 2: 'high' is not a finite number",
        ),
        (lambda text: text + 'x,"', "is not a readable CSV"),
    ],
)
def test_damaged_score_tables(results, damage, message):
    file = results / "b" / "scores.csv"
    file.write_text(damage(file.read_text()))
    with pytest.raises(BadInput, match=message):
        find("b", results)


def test_a_score_table_that_is_missing_or_far_too_large(results, monkeypatch):
    monkeypatch.setattr("cmcbench.board.scored.LARGEST_FILE", 100)
    with pytest.raises(BadInput, match="it has more than 100 bytes"):
        find("b", results)
    (results / "b" / "scores.csv").unlink()
    with pytest.raises(BadInput, match="script-evaluate.py --target b"):
        find("b", results)


def test_a_mode_without_a_common_image_is_named(results, capsys):
    noise = scored.noisy(7)
    for name, kept in (("p", 1), ("q", 0)):
        scored.write(
            results / name,
            lambda mode, metric, place, kept=kept: (
                None if mode == "text" and place % 2 == kept else noise(mode, metric, place)
            ),
            NAMES,
        )
    found = compare([find("p", results), find("q", results)])
    assert {each.mode for each in found} == {"full", "image", "pixel"}  # and no Overall, which no image of both has
    assert "have no image in common in text" in capsys.readouterr().err
