"""python -m cmcbench report: what is damaged, unfinished, changed or strange is left out or said on the page."""

from __future__ import annotations

import json

import pytest
import scored_results as made
from written_report import data, report

from cmcbench.__main__ import main
from cmcbench.board.page.build import script
from cmcbench.errors import BadInput
from cmcbench.files.store import digest, write_json


def test_captions_changed_since_are_not_shown_as_what_made_the_pictures(scored):
    inputs = {
        "NSI_pgc_000": {"prompt": digest(b"caption of NSI_pgc_000")},
        "NSI_pgc_001": {"prompt": digest(b"another")},
    }
    file = scored / "Result" / "real" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["modes"]["full"]["inputs"] = inputs
    write_json(file, manifest)
    folder = report(scored)
    assert data(folder, "target-0")["captions"] == ["caption of NSI_pgc_000", "", "caption of NSI_pgc_002"]
    target = data(folder, "board")["targets"][0]
    assert (
        "1 caption in gpt4v.csv has changed" in target["notes"][0]
        and target["manifest"]["modes"]["full"]["images"] == 2
    )


def test_a_caption_file_that_cannot_be_read_is_said_on_the_page(scored):
    (scored / "Text" / "gpt4v.csv").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in data(report(scored), "board")["targets"][0]["notes"][0]


def test_some_targets_only(scored):
    folder = report(scored, "--targets", "vvc*")
    assert [target["name"] for target in data(folder, "board")["targets"]] == ["vvc@0.02"]
    with pytest.raises(BadInput, match="no scored target of that name. It has: real, vvc@0.02"):
        report(scored, "--targets", "sdxl")


def test_without_ground_truth_or_targets(scored, capsys, tmp_path_factory):
    folder = scored / "Result"
    assert main(["report", "--results", str(folder), "--ground_truth", str(scored / "none")]) == 0
    assert "shows no ground truth" in capsys.readouterr().err
    assert data(folder / "report", "board")["featured"] == [] and data(folder / "report", "images")["truth"] == [
        0,
        0,
        0,
    ]
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(BadInput, match="has no scored target"):
        main(["report", "--results", str(empty)])
    with pytest.raises(BadInput, match="there is no such folder"):
        main(["report", "--results", str(empty / "none")])


@pytest.mark.parametrize("summary", ["{", "{}", '{"metrics": {"a": 1}}'])
def test_a_target_that_is_none_is_left_out_aloud(scored, summary, capsys):
    (scored / "Result" / "bad").mkdir()
    (scored / "Result" / "bad" / "summary.json").write_text(summary)
    assert len(data(report(scored), "board")["targets"]) == 2
    told = capsys.readouterr().err
    assert "bad/summary.json" in told and "left out of the report" in told


def change(file, **changes):
    value = json.loads(file.read_text())
    write_json(file, {**value, **changes})
    return value


def test_an_unfinished_target_is_not_shown(scored):
    change(scored / "Result" / "real" / "summary.json", unfinished=True)
    assert [target["name"] for target in data(report(scored), "board")["targets"]] == ["vvc@0.02"]


@pytest.mark.parametrize("name", ["constructor", "__proto__", "a b", "<b>"])
def test_metrics_have_names_that_no_object_of_javascript_has(scored, name):
    file = scored / "Result" / "real" / "summary.json"
    change(file, metrics={name: made.TOPIQ["topiq_fr"], **made.TOPIQ})
    assert [target["name"] for target in data(report(scored), "board")["targets"]] == ["vvc@0.02"]


def test_a_measure_of_the_whole_set_has_no_scores_of_single_images(scored):
    file = scored / "Result" / "real" / "summary.json"
    summary = json.loads(file.read_text())
    summary["metrics"]["fid"] = {"kind": "NR", "lower_is_better": True, "identity": "1"}
    summary["modes"]["full"]["metrics"]["fid"] = {"mean": 12.5, "n": 3, "set": True}
    write_json(file, summary)
    board = data(report(scored), "board")
    assert board["metrics"][-1] == {"name": "fid", "label": "FID", "kind": "NR", "lower": True, "set": True}
    assert "fid" not in board["distributions"]
    assert any(
        line["cells"].get("fid") == 12.5 and "fid" not in line["low"]
        for line in board["lines"]
        if line["mode"] == "full" and line.get("low")
    )


def test_a_damaged_manifest_is_said_on_the_page(scored):
    (scored / "Result" / "real" / "manifest.json").write_text('{"modes": NaN}')
    (scored / "Result" / "vvc@0.02" / "manifest.json").unlink()
    targets = data(report(scored), "board")["targets"]
    assert (
        "manifest.json cannot be shown: holds NaN" in targets[0]["notes"][0]
        and targets[0]["manifest"] == targets[1]["manifest"] == {}
    )


def test_pictures_whose_names_cannot_be_used_are_left_out_aloud(scored, capsys):
    before = data(report(scored), "target-0")["modes"]["full"]["pictures"]
    made.picture(scored / "Result" / "real" / "full" / "a|b.png", 1)
    folder = report(scored)
    assert "a picture is left out of the report. pictures: 'a|b.png': its name cannot be" in capsys.readouterr().err
    assert data(folder, "target-0")["modes"]["full"]["pictures"] == before and any(before)


@pytest.mark.parametrize("cell", ["nan", "1e999", "x"])
def test_a_score_table_that_is_none_is_left_out_aloud(scored, cell, capsys):
    file = scored / "Result" / "real" / "scores.csv"
    rows = file.read_text().splitlines()
    rows[1] = ",".join([*rows[1].split(",")[:4], cell, *rows[1].split(",")[5:]])
    file.write_text("\n".join(rows) + "\n")
    assert [target["name"] for target in data(report(scored), "board")["targets"]] == ["vvc@0.02"]
    told = capsys.readouterr().err
    assert "real/scores.csv line 2" in told and "left out of the report" in told


def test_data_cannot_leave_their_script():
    text = script("x", {"</script><!--": "\u2028\u2029 & \ud800 \u202e"})
    assert not set(b"<>&") & set(text) and text.isascii()
    assert json.loads(text.decode()[len('CMC.receive("x",') : -3]) == {"</script><!--": "\u2028\u2029 & \ud800 \u202e"}
    with pytest.raises(ValueError):
        script("x", float("nan"))
