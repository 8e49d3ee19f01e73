"""python -m cmcbench curves --points: published points beside the curves, refused where they are of something else."""

from __future__ import annotations

import csv
import json
import os

import made_results
import pytest
from set_stated import LARGE, state

from cmcbench.board.curves import command
from cmcbench.board.curves.collect import collect
from cmcbench.board.curves.figures import draw
from cmcbench.board.curves.published_points import COLUMNS, PublishedCurve, read
from cmcbench.errors import BadInput
from cmcbench.protocol import SOURCES
from cmcbench.published import tables
from cmcbench.published.dataset import COUNTS
from cmcbench.runtime.messages import RunLog

METRICS = {"lpips": ("FR", True), "ms_ssim": ("FR", False), "dists": ("FR", True)}
GOOD = "kodak,short512 crop512,lpips,alex,0.03,0.2,MS-ILLM\n"
HEAD = ",".join(COLUMNS) + "\n"


@pytest.fixture
def results(tmp_path):
    """Three codecs on Kodak at a stated crop."""
    for place, rate in enumerate((0.01, 0.02, 0.04)):
        for name in ("vvc", "hevc"):
            state(
                made_results.target(
                    tmp_path / "Result",
                    f"{name}@{rate}",
                    {"image": (rate, 0.5 + place / 10)},
                    metrics=METRICS,
                    codec=True,
                ),
                LARGE,
            )
    return tmp_path / "Result"


def table(tmp_path, text, head=HEAD):
    file = tmp_path / "points.csv"
    file.write_text(head + text, encoding="utf-8")
    return file


def points(results, text, report=None):
    file = table(results.parent, text)
    return read(file, collect(results), RunLog() if report is None else report)


def run(results, *arguments) -> int:
    return command.main(["--results", str(results), "--resamples", "10", *map(str, arguments)])


def test_points_are_curves_by_their_source(results):
    found = points(
        results,
        GOOD
        + "kodak,short512 crop512,lpips,alex,0.01,0.4,MS-ILLM\n"
        + 'kodak,short512 crop512,dists,,0.05,0.1,"PerCo (SD), arXiv"\n'
        + "kodak,short512 crop512,ms_ssim,y,0.03,0.9,MS-ILLM\n",
    )
    assert found == [
        PublishedCurve("MS-ILLM", {"lpips": ((0.01, 0.4), (0.03, 0.2)), "ms_ssim": ((0.03, 0.9),)}),
        PublishedCurve("PerCo (SD), arXiv", {"dists": ((0.05, 0.1),)}),
    ]


def test_they_are_drawn_dashed_with_their_source_in_the_legend(results, capsys):
    file = table(results.parent, GOOD + GOOD.replace("0.03,0.2", "0.01,0.4"))
    plain = draw(collect(results), "log")
    assert run(results, "--points", file) == 0
    svg = (results / "curves/rate-log.svg").read_text()
    assert svg != plain["svg"].decode() and (results / "curves/rate-log.png").read_bytes() != plain["png"]
    # matplotlib draws text as outlines, with the text itself in a comment
    assert "<!-- MS-ILLM -->" in svg and "<!-- MS-ILLM -->" not in plain["svg"].decode()
    assert "published by the source named" in svg and "stroke-dasharray" in svg
    assert run(results) == 0  # the figures are again as they were
    assert (results / "curves/rate-log.svg").read_bytes() == plain["svg"]


OTHER = {  # what a point is -> what is said
    "another crop": (
        GOOD.replace("short512 crop512", "short768 crop768"),
        "is of kodak short768 crop768, the curves of",
    ),
    "no crop": (
        GOOD.replace("short512 crop512", "original"),
        "is of kodak original, the curves of kodak short512 crop512",
    ),
    "another trunk": (GOOD.replace(",alex,", ",vgg,"), "lpips is of variant vgg, the curves' is alex"),
    "no variant": (GOOD.replace(",alex,", ",,"), "lpips has no variant, the curves' is alex"),
    "colour of MS-SSIM": (GOOD.replace("lpips,alex", "ms_ssim,rgb"), "ms_ssim is of variant rgb, the curves' is y"),
}


@pytest.mark.parametrize("what", OTHER)
def test_another_preparation_or_variant_is_refused(results, undrawn, what, capsys):
    text, said = OTHER[what]
    with pytest.raises(BadInput, match="no point can be drawn: line 2") as error:
        run(results, "--points", table(results.parent, text))
    assert said in str(error.value) and not (results / "curves").exists()
    # Beside points that fit, it is left out by name, and the exit code says so
    assert run(results, "--points", table(results.parent, GOOD + 2 * text)) == 1
    assert f"line 3 and 1 more: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("metric", ["fid256", "kid64", "ocr_cer", "clipscore", "ms_ssim_rgb", "musiq-ava", "topiq_nr"])
def test_a_metric_that_can_be_scored_and_is_not_drawn_is_no_unknown_one(results, undrawn, metric, capsys):
    assert run(results, "--points", table(results.parent, GOOD + GOOD.replace("lpips,alex", f"{metric},"))) == 0
    assert f"line 3: {metric} is not among the metrics of the curves" in capsys.readouterr().err


def test_a_metric_is_known_by_its_other_names_and_in_capitals(results):
    for name in ("LPIPS", "Lpips"):
        assert points(results, GOOD.replace("lpips", name)) == points(results, GOOD)
    both = {**METRICS, "lpips-vgg": ("FR", True)}
    state(made_results.target(results, "cdc@1", {"image": (0.03, 0.5)}, metrics=both), LARGE)
    (found,) = points(results, GOOD.replace("lpips,alex", "lpips_vgg,vgg"))
    assert found.points.keys() == {"lpips-vgg"}
    assert {name for curve in collect(results, None, ["LPIPS_VGG"]) for name in curve.measures} == {"lpips-vgg"}


def test_points_without_pyiqa_are_still_read(results, monkeypatch):
    def absent():
        raise BadInput("pyiqa is not installed")

    monkeypatch.setattr("cmcbench.board.curves.published_points.of_pyiqa", absent)
    assert points(results, GOOD)


def test_points_of_other_sets_and_of_metrics_that_are_not_drawn_are_passed_over(results, undrawn, capsys):
    text = GOOD + GOOD.replace("kodak", "clic2020-test") + GOOD.replace("lpips,alex", "psnr,rgb")
    assert run(results, "--points", table(results.parent, text)) == 0
    said = capsys.readouterr().err
    assert "line 3: is of the test set clic2020-test, the curves of kodak short512 crop512" in said
    assert "line 4: psnr is not among the metrics of the curves" in said
    with pytest.raises(BadInput, match="line 2: is of the test set div2k-val"):
        run(results, "--points", table(results.parent, GOOD.replace("kodak", "div2k-val")))


BAD = {
    "an unknown metric": (GOOD.replace("lpips", "lpisp"), "line 2: there is no metric 'lpisp'. Near: lpips"),
    "no number": (GOOD.replace("0.2", "good"), "line 2: 'good' is not a finite number"),
    "NaN": (GOOD.replace("0.2", "nan"), "line 2: 'nan' is not a finite number"),
    "a decimal comma": (GOOD.replace("0.2", '"0,2"'), "line 2: '0,2' is not a finite number"),
    "no rate": (GOOD.replace("0.03", "0"), "line 2: bpp is '0', expected a rate in bits per pixel above 0"),
    "a rate below 0": (GOOD.replace("0.03", "-1"), "line 2: bpp is '-1'"),
    "no source": (GOOD.replace("MS-ILLM", ""), "line 2: source is empty"),
    "no preparation": (GOOD.replace("short512 crop512", " "), "line 2: preparation is empty"),
    "an escape sequence": (
        GOOD.replace("MS-ILLM", "\x1b[2J"),
        "line 2: source is longer than 200 characters, or holds",
    ),
    "a cell too many": (GOOD.replace("\n", ",1\n"), "line 2 has 8 cells"),
    "no points": ("", "has no points"),
    "a binary": ("\0\0", "holds a NUL"),
    "infinity": (GOOD.replace("0.03", "inf"), "line 2: 'inf' is not a finite number"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_table_that_cannot_be_used_is_refused_in_a_line(results, what):
    text, said = BAD[what]
    with pytest.raises(BadInput) as error:
        run(results, "--points", table(results.parent, text))
    assert said in str(error.value) and "\n" not in str(error.value) and not (results / "curves").exists()


def test_a_missing_column_and_a_missing_file_are_said(results):
    with pytest.raises(BadInput, match="has no column preparation, source; expected are data, preparation, metric"):
        run(results, "--points", table(results.parent, "kodak,lpips,alex,1,1\n", "data,metric,variant,bpp,value\n"))
    with pytest.raises(BadInput, match="has no column data"):
        run(results, "--points", table(results.parent, GOOD.replace(",", ";"), HEAD.replace(",", ";")))
    for encoding in ("utf-16", "latin-1"):
        (results.parent / "other.csv").write_bytes((HEAD + GOOD.replace("MS", "M\xfc")).encode(encoding))
        with pytest.raises(BadInput, match=r"other.csv is not UTF-8 \(line [12]\)"):
            run(results, "--points", results.parent / "other.csv")
    os.mkfifo(results.parent / "pipe.csv")
    with pytest.raises(BadInput, match="pipe.csv cannot be read .it is not a regular file"):
        run(results, "--points", results.parent / "pipe.csv")
    with pytest.raises(BadInput, match="nowhere.csv is missing"):
        run(results, "--points", results / "nowhere.csv")
    with pytest.raises(BadInput, match="has 65 sources; at most 64"):
        run(results, "--points", table(results.parent, "".join(GOOD.replace("MS", f"M{n}") for n in range(65))))


def benchmark(tmp_path, share=1.0):
    """A scored target of the benchmark's names, or of a share of them."""
    names = [
        f"{kind}_{source}_{place:03}.png"
        for kind, sources in SOURCES.items()
        for source in sources
        for place in range(round(COUNTS[source] * share))
    ]
    topiq = {"topiq_fr": ("FR", False), "topiq_nr": ("NR", False)}
    for rate in (0.01, 0.03):
        made_results.target(tmp_path / "Result", f"vvc@{rate}", {"image": (rate, rate)}, names, metrics=topiq)
    return tmp_path / "Result"


def test_the_template_holds_the_published_tables(tmp_path, capsys):
    file = tmp_path / "mine.csv"
    assert command.main(["--template", str(file)]) == 0
    with open(file, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 2 * (8 * 4 + 4 * 2 + 5 * 3)
    told = {(row["source"], row["metric"], float(row["bpp"])): float(row["value"]) for row in rows}
    assert len(told) == len(rows)
    for row in tables.rows(tables.T2I):
        for mode, rate in (("text", 0.002), ("pixel", 0.004), ("image", 0.02), ("full", 0.022)):
            assert told.get((f"GPT-4o+{row.model}, arXiv 2406.09356", "topiq_fr", rate)) == row.fr.get(mode)
    assert command.main(["--template", str(file)]) == 0  # the same again
    file.write_text("my own")
    with pytest.raises(BadInput, match="other content"):
        command.main(["--template", str(file)])
    with pytest.raises(BadInput, match="a .csv file"):
        command.main(["--template", "mine.txt"])


def test_the_benchmarks_own_points_stand_beside_the_benchmark_only(tmp_path):
    file = tmp_path / "own.csv"
    command.main(["--template", str(file)])
    found = read(file, collect(benchmark(tmp_path / "whole")), RunLog())
    assert len(found) == 17 and {metric for each in found for metric in each.points} == {"topiq_fr", "topiq_nr"}
    with pytest.raises(BadInput, match="is of the benchmark's 1,000 images, the curves of 500 images"):
        read(file, collect(benchmark(tmp_path / "half", 0.5)), RunLog())


def test_without_a_stated_set_no_other_points_are_drawn(tmp_path):
    made_results.codecs(tmp_path / "Result")
    with pytest.raises(BadInput, match="is of the test set kodak, the curves of none that is stated"):
        points(tmp_path / "Result", GOOD)


def test_hostile_sources_are_drawn_as_they_are(results):
    text = "".join(GOOD.replace("MS-ILLM", name) for name in ("$x_1^2${\\frac", "_hidden", "<script>alert(1)</script>"))
    assert run(results, "--points", table(results.parent, text)) == 0
    assert "<script" not in (results / "curves/rate-log.svg").read_text()
    assert json.loads((results / "vvc@0.01/summary.json").read_text())["data"]["name"] == LARGE[0]
