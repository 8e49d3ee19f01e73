"""python -m cmcbench curves: which points make a curve, over which images; tables and figures; files of strangers."""

from __future__ import annotations

import csv
import json

import made_results
import numpy as np
import pytest
from PIL import Image

from cmcbench.board.curves import command
from cmcbench.board.curves.collect import collect, group_of, swept
from cmcbench.errors import BadInput


@pytest.fixture
def results(tmp_path):
    made_results.codecs(tmp_path / "Result")
    return tmp_path / "Result"


def rows(file) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def scores(results, target) -> list[dict[str, str]]:
    return rows(results / target / "scores.csv")


def rewrite(results, target, **cells):
    """Put cells into the first row of a target's scores.csv."""
    found = scores(results, target)
    found[0].update(cells)
    with open(results / target / "scores.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows(found)


def labels(curves) -> dict[str, list[str]]:
    return {curve.label: [f"{point.target}/{point.mode}" for point in curve.points] for curve in curves}


def test_names():
    assert [group_of(name) for name in ("vvc@0.02", "real", "real+qwen@bpp=0.01", "@x")] == [
        "vvc",
        "real",
        "real+qwen",
        "@x",
    ]
    assert [swept(name) for name in ("vvc@0.02", "real@strength=0.3", "jpeg@q30", "real", "a@bpp=1e-2")] == [
        "",
        "strength",
        "q",
        "",
        "bpp",
    ]


def test_each_seed_is_a_curve_of_its_own(results):
    assert [group_of(name) for name in ("real@seed=43", "real@bpp=0.01@seed=-1", "@seed=1")] == [
        "real@seed=43",
        "real@seed=-1",
        "@seed=1",
    ]
    assert [swept(name) for name in ("real@seed=43", "real@bpp=0.01@seed=43")] == ["", "bpp"]
    modes = {"text": (0.002, 0.3), "full": (0.022, 0.62)}
    for seed in (42, 43):
        made_results.target(results, f"seeded@seed={seed}", modes, seed=seed)
    found = labels(collect(results, ["seeded"]))  # both by the name that they share
    assert found == {f"seeded@seed={seed}": [f"seeded@seed={seed}/{mode}" for mode in modes] for seed in (42, 43)}


def test_points_of_a_group_are_a_curve(results):
    found = labels(collect(results))
    assert list(found) == ["avc", "hevc", "real+qwen", "vvc"]
    assert found["vvc"] == [f"vvc@{rate}/image" for rate in ("0.01", "0.02", "0.04", "0.08")]
    assert found["real+qwen"] == [f"real+qwen/{mode}" for mode in ("text", "pixel", "image", "full")]
    made_results.target(results, "real@strength=0.3", {"image": (0.02, 0.6), "full": (0.022, 0.6)})
    made_results.target(results, "real@strength=0.6", {"image": (0.02, 0.5), "full": (0.022, 0.5)})
    made_results.target(results, "real@bpp=0.01", {"image": (0.01, 0.5)})
    found = labels(collect(results, ["real"]))
    assert list(found) == ["real full (strength)", "real image (bpp)", "real image (strength)"]
    assert set(found["real image (strength)"]) == {"real@strength=0.3/image", "real@strength=0.6/image"}


def test_targets_are_chosen(results):
    assert list(labels(collect(results, ["vvc", "re*"]))) == ["real+qwen", "vvc"]
    assert labels(collect(results, ["vvc@0.02"])) == {"vvc": ["vvc@0.02/image"]}
    with pytest.raises(BadInput, match="no scored target.*It has: avc@0.01"):
        collect(results, ["av2"])
    with pytest.raises(BadInput, match="no folder"):
        collect(results / "nowhere")
    with pytest.raises(BadInput, match="psnr.*no target has it. There are: lpips, ms_ssim, piqe"):
        collect(results, None, ["psnr", "piqe"])


def test_means_are_over_the_images_that_all_points_have(results):
    """One point lacks two images: they count nowhere, and what is shown says so."""
    folder = results / "avc@0.02"
    lacking = scores(results, "avc@0.02")[:2]
    lines = (folder / "scores.csv").read_text().splitlines(keepends=True)
    (folder / "scores.csv").write_text("".join(lines[:1] + lines[3:]))
    out = {row["name"] for row in lacking}
    for curve in collect(results):
        for point in curve.points:
            kept = [
                row for row in scores(results, point.target) if row["mode"] == point.mode and row["name"] not in out
            ]
            assert (point.n, point.of) == (10, 12) == (len(kept), 12)
            for metric, value in {"bpp": point.bpp, **point.values}.items():
                assert value == pytest.approx(np.mean([float(row[metric]) for row in kept]), abs=1e-12)


def test_what_a_point_tells(results):
    found = {point.target: point for curve in collect(results) for point in curve.points if point.mode == "image"}
    assert found["real+qwen"].nominal and not found["vvc@0.02"].nominal
    assert (found["vvc@0.01"].downscaled, found["vvc@0.02"].downscaled) == (12, 0)
    over = sum(float(row["bpp"]) > 0.02 + 1e-6 for row in scores(results, "avc@0.02"))
    assert (
        found["avc@0.02"].over_budget == over > 0
        and found["vvc@0.02"].over_budget == 0 == found["real+qwen"].over_budget
    )
    assert found["vvc@0.02"].encode_seconds == pytest.approx(1.1) and found["vvc@0.02"].peak_memory == 10**8
    assert found["vvc@0.02"].ratio == pytest.approx(24 / found["vvc@0.02"].bpp)


def test_measures_of_sets_stand_beside_the_means(results, capsys):
    for name, n in (("x@0.02", 12), ("x@0.04", 12), ("x@0.08", 7)):
        rate = float(name[2:])
        made_results.target(results, name, {"image": (rate, 0.5 + rate)}, sets={"image": {"fid": (100 - rate, n)}})
    (curve,) = collect(results, ["x"])
    assert [point.values.get("fid") for point in curve.points] == [99.98, 99.96, None] and curve.measures["fid"].of_set
    assert "x@0.08: image: fid is of 7 images, others' of 12; it is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, message",
    [
        ({"bpp": "nan"}, "line 2: 'nan' is not a finite number"),
        ({"bpp": "1e400"}, "is not a finite number"),
        ({"bpp": "-1"}, "line 2: holds -1 bits per pixel, expected 0 to 1000"),
        ({"piqe": "inf"}, "is not a finite number"),
        ({"piqe": "9e14"}, "holds a score above 1e+12"),
        ({"piqe": "9e30"}, "is not a finite number, or above 1e+15"),
        ({"mode": "../x"}, "summary.json has no mode '../x'"),
        ({"name": made_results.NAMES[1], "ground_truth": "gt1"}, "a second time"),
        ({"peak_memory": "-3"}, "is not a whole number"),
    ],
)
def test_hostile_scores_are_named_and_left_out(results, capsys, change, message):
    rewrite(results, "avc@0.02", **change)
    assert labels(collect(results, ["avc"])) == {"avc": ["avc@0.01/image", "avc@0.04/image", "avc@0.08/image"]}
    told = capsys.readouterr().err
    assert message in told and "avc@0.02/scores.csv" in told and "left out" in told


@pytest.mark.parametrize(
    "file, content, message",
    [
        ("scores.csv", "name,mode\nx,image\n", "has no column bpp, kind"),
        ("scores.csv", "", "columns"),
        ("scores.csv", "\xff\xfe", "left out"),
        ("summary.json", "{", "not valid JSON"),
        ("summary.json", "[1]", "no JSON object"),
        ("summary.json", '{"unfinished": true}', "a run that has not ended"),
    ],
)
def test_hostile_files_are_named_and_left_out(results, capsys, file, content, message):
    (results / "avc@0.02" / file).write_bytes(content.encode("latin-1"))
    assert "avc@0.02/image" not in labels(collect(results, ["avc"]))["avc"]
    told = capsys.readouterr().err
    assert message in told and f"avc@0.02/{file}" in told and "\x1b" not in told


def test_what_cannot_be_compared_is_left_out_aloud(results, capsys):
    made_results.target(results, "other@0.02", {"image": (0.02, 0.5)}, digests="another")  # another ground truth
    made_results.target(results, "few@0.02", {"image": (0.02, 0.5)}, names=made_results.NAMES[:2])
    file = results / "vvc@0.04" / "summary.json"
    summary = json.loads(file.read_text())
    summary["metrics"]["piqe"]["identity"] = "2"
    file.write_text(json.dumps(summary))
    (results / "vvc@0.08" / "rates.csv").write_text("broken\n1,2\n")
    made_results.target(results, "free@0.02", {"image": (0.02, 0.5)})
    lines = scores(results, "free@0.02")
    for row in lines:
        row["bpp"] = ""
    with open(results / "free@0.02" / "scores.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    found = collect(results)
    assert {curve.label for curve in found} == {"avc", "hevc", "real+qwen", "vvc"}
    (point,) = (point for curve in found for point in curve.points if point.target == "vvc@0.04")
    assert "piqe" not in point.values and "ms_ssim" in point.values
    told = capsys.readouterr().err
    for message in (
        "other@0.02: image is left out: no image",
        "few@0.02: image is left out: it has 2 images, others have 12",
        "piqe of vvc@0.04 was made with other weights",
        "Which images were downscaled is not known",
        "free@0.02: the rate of the images in image is not known",
    ):
        assert message in told


def test_a_metric_that_few_images_have(results, capsys):
    lines = scores(results, "avc@0.02")
    for row in lines[2:]:
        row["piqe"] = ""
    lines[5]["ms_ssim"] = ""
    with open(results / "avc@0.02" / "scores.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    found = {point.target: point for curve in collect(results) for point in curve.points}
    assert found["avc@0.02"].n == 11 and set(found["avc@0.02"].values) == {"ms_ssim", "lpips"}
    assert "avc@0.02: image: only 2 of 12 images have piqe" in capsys.readouterr().err


# The command


def test_the_command_writes_tables_and_figures(results, capsys):
    assert command.main(["--results", str(results), "--anchor", "hevc", "--resamples", "200"]) == 0
    told = capsys.readouterr()
    assert "4 curves with 16 points, over the 12 of 12 images that all of them have." in told.err
    output = results / "curves"
    points = rows(output / "points.csv")
    assert len(points) == 16 and {row["kind"] for row in points if row["curve"] == "real+qwen"} == {"nominal"}
    deltas = {(row["curve"], row["metric"]): row for row in rows(output / "bd.csv")}
    vvc, avc = deltas["vvc", "lpips"], deltas["avc", "lpips"]
    assert (
        float(vvc["bd_rate_low"]) < float(vvc["bd_rate"]) < float(vvc["bd_rate_high"]) < 0 < float(avc["bd_rate_low"])
    )
    assert (
        float(vvc["bd_metric"]) < 0 < float(deltas["vvc", "ms_ssim"]["bd_metric"])
    )  # less distortion, more similarity
    markdown = (output / "bd.md").read_text()
    assert f"{float(vvc['bd_rate']):+.1f} (" in markdown and markdown in told.out and "12 images, of 12" in markdown
    assert "overlap on" in deltas["real+qwen", "ms_ssim"]["bd_rate_note"] or "overlap on" in markdown
    assert "| 100 MB" in (output / "cost.md").read_text() and "*nominal*" in (output / "cost.md").read_text()
    sizes = {}
    for scale in ("log", "linear"):
        with Image.open(output / f"rate-{scale}.png") as image:
            sizes[scale] = image.size
        assert (output / f"rate-{scale}.svg").read_bytes().startswith(b"<?xml")
    assert min(sizes["log"]) > 600
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    command.main(["--results", str(results), "--anchor", "hevc", "--resamples", "200"])
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_without_an_anchor(results, undrawn, capsys):
    command.main(["vvc", "--results", str(results), "--output", str(results.parent / "mine")])
    assert "there is no curve hevc, so no BD-rate is made" in capsys.readouterr().err
    assert not (results.parent / "mine" / "bd.md").exists() and (results.parent / "mine" / "rate-log.png").exists()
    with pytest.raises(BadInput, match="--anchor 'av2': there is no such curve. There are: vvc."):
        command.main(["vvc", "--results", str(results), "--anchor", "av2"])


def test_nothing_to_draw(tmp_path):
    (tmp_path / "Result" / "empty").mkdir(parents=True)
    with pytest.raises(BadInput, match="no target has both scores and a known rate"):
        command.main(["--results", str(tmp_path / "Result")])


def test_refusals_reach_the_tables(results, undrawn):
    """A curve of one point, and one whose quality falls with the rate."""
    made_results.target(results, "one@0.02", {"image": (0.02, 0.5)})
    for rate, quality in ((0.01, 0.7), (0.05, 0.5)):
        made_results.target(results, f"worse@{rate}", {"image": (rate, quality)})
    command.main(["--results", str(results), "--anchor", "hevc", "--resamples", "50"])
    notes = {(row["curve"], row["metric"]): row["bd_rate_note"] for row in rows(results / "curves" / "bd.csv")}
    assert "the curve has 1 point" in notes["one", "piqe"] and "the curve is not monotone" in notes["worse", "piqe"]
    markdown = (results / "curves" / "bd.md").read_text()
    assert "– [" in markdown and "not monotone: its quality does not rise from 0.0100 to 0.0498 bpp" in markdown
