"""A summary.json of any shape ends no leaderboard, curves, report or comparison: its target is named and left out."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
import scored
import scored_results as made
from json_mutations import mutated
from mutations import mutations, share

from cmcbench.__main__ import main
from cmcbench.board import scored as reader
from cmcbench.board.curves import curves_of
from cmcbench.board.leaderboard import collect, ranked_entries, ranking, update
from cmcbench.board.page.build import page_files
from cmcbench.board.page.image_data import Gallery
from cmcbench.board.page.summary_data import order
from cmcbench.board.page.targets import page_target
from cmcbench.board.scored import ScoredTarget, folders, read_all
from cmcbench.errors import BadInput
from cmcbench.statistics import resampled_means

FIELDS = {"bits": 5000, "kind": "measured", "caption_bits": 1000, "deflate_bits": 900, "encode_seconds": 0.5}
MODES = {"full": 0.02, "text": 0.002}


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """Two targets, of which one is going to be changed, with everything that a summary can have."""
    folder = tmp_path_factory.mktemp("Result")
    for name, shift in (("mine", 0), ("other", 0.1)):
        scored.write(folder / name, scored.noisy(1, shift), scored.images(2), spent=FIELDS, i2t_table=True)
    return folder


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """The bootstrap is not what is tested here."""
    monkeypatch.setattr(ranking, "resampled_means", lambda values: resampled_means(values, 20))


def own(folder: Path) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text(encoding="utf-8"), newline=""))
    return [row for row in rows if row["status"] != "published"]


def everything_of(targets: list[ScoredTarget], place: Path) -> None:
    """What every command of the board makes of targets."""
    curves_of(targets)
    shown = order([page_target(each, place) for each in targets])
    page_files(targets, Gallery.of(shown, {}, {}), {}, "thumbs")


@pytest.mark.parametrize("part", range(4))
def test_summaries_changed_by_the_hundred(pair, tmp_path, part, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    file = place / "other" / "summary.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    mine = reader.read(place / "mine")
    alone, _ = ranked_entries([mine])
    left_out = 0
    for number, changed in enumerate(mutated(whole, share(50), seed=part)):
        file.write_text(json.dumps(changed, ensure_ascii=False), encoding="utf-8")
        capsys.readouterr()
        targets = read_all(folders(place), "the leaderboard")
        told = capsys.readouterr().err
        if len(targets) == 2:
            everything_of(targets, place)
        else:
            left_out += 1
            assert [target.folder.name for target in targets] == ["mine"] and ranked_entries(targets)[0] == alone
            assert str(file) in told and "left out of the leaderboard" in told and "\x1b" not in told
        if number % 20 == 0:
            update(place)
            assert {row["target"] for row in own(place)} >= {"mine"}
            assert main(["report", "--results", str(place)]) == 0
            compared = ["compare", "mine", "other", "--results", str(place)]
            try:
                assert main(compared) == 0 and len(targets) == 2
            except BadInput:
                pass
    assert share(50) // 4 < left_out < share(50)


@pytest.mark.parametrize("name", ["summary.json", "scores.csv", "manifest.json"])
def test_files_damaged_by_the_hundred(pair, tmp_path, name, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    file = place / "other" / name
    if name == "manifest.json":
        file.write_text(json.dumps({"t2i": "x", "captions": {"file": "a.csv"}, "modes": {"full": {"inputs": {}}}}))
    whole = file.read_bytes()
    for changed in mutations(whole, share(30)):
        file.write_bytes(changed)
        targets = read_all(folders(place), "the report")
        assert "mine" in {target.folder.name for target in targets}
        everything_of(targets, place)


@pytest.mark.parametrize(
    "where, value, said",
    [
        (("modes", "full", "metrics", "topiq_fr", "low"), [], "expected a number"),
        (("over_modes_interval", "topiq_fr"), [], "over_modes_interval.topiq_fr, expected an interval of two numbers"),
        (("overall_interval", "t2i"), [1], "overall_interval.t2i, expected an interval of two numbers"),
        (("overall_interval", "t2i"), [2, 1], "expected an interval that ends where it begins or later"),
        (("overall_interval",), [], "holds [] at overall_interval, expected an object"),
        (("modes", "full", "types"), "x", "holds 'x' at modes.full.types, expected an object"),
        (("modes", "text", "rate", "ratio"), True, "holds True at modes.text.rate.ratio, expected a number"),
        (("ground_truth", "images"), 10.5, "expected a number of images"),
        (("made_by", "captions"), [1], "holds [1] at made_by.captions, expected an object"),
        (("metrics", "topiq_nr", "lower_is_better"), True, "says of topiq_nr that lower is better"),
        (("metrics", "a\x1b[2J"), {}, "names a metric 'a\\x1b[2J'"),
    ],
)
def test_what_is_wrong_and_where_is_said(pair, tmp_path, where, value, said, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    change(place / "other" / "summary.json", where, value)
    assert [target.folder.name for target in read_all(folders(place), "the curves")] == ["mine"]
    told = capsys.readouterr().err
    assert "other/summary.json" in told and said in told and "left out of the curves" in told, told


def change(file: Path, where: tuple[str, ...], value: object) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    holder = document
    for key in where[:-1]:
        holder = holder[key]
    holder[where[-1]] = value
    file.write_text(json.dumps(document), encoding="utf-8")


def test_every_command_names_the_target_and_goes_on(pair, tmp_path, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    change(place / "other" / "summary.json", ("over_modes_interval", "topiq_fr"), [])
    for command in ("leaderboard", "curves", "report"):
        extra = ["--resamples", "10"] if command == "curves" else []
        assert main([command, "--results", str(place), *extra]) == 0
        told = capsys.readouterr().err
        assert "other/summary.json" in told and "script-evaluate.py --target other" in told, told
    with pytest.raises(BadInput, match="over_modes_interval.topiq_fr, expected an interval of two numbers"):
        main(["compare", "mine", "other", "--results", str(place)])


def test_most_targets_say_which_way_a_metric_is_better(tmp_path, capsys):
    """One stranger whose name comes first cannot put the others out."""
    for name, lower in (("a", ["piqe"]), ("b", []), ("c", [])):
        scored.write(tmp_path / name, scored.noisy(1), metrics=["piqe"], lower=lower)
    entries, metrics = collect(tmp_path)
    assert metrics == {"piqe": False} and {entry.target for entry in entries} == {"b", "c"}
    assert "a/summary.json says of piqe that lower is better, others say the opposite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["summary.json", "scores.csv", "manifest.json"])
def test_a_pipe_or_a_link_to_nothing_stops_no_command(pair, tmp_path, name, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    for target, make in (("other", os.mkfifo), ("mine", lambda file: os.symlink(tmp_path / "none", file))):
        (place / target / name).unlink(missing_ok=True)
        make(place / target / name)
    scored.write(place / "third", scored.noisy(3), scored.images(2), spent=FIELDS)
    targets = read_all(folders(place), "the report")
    everything_of(targets, place)
    update(place)
    assert "third" in {target.folder.name for target in targets}
    told = capsys.readouterr().err + str([target.fault for target in targets])
    assert name == "manifest.json" or "cannot be read (it is not a regular file)" in told


def test_a_summary_far_too_large_is_not_read(pair, tmp_path, monkeypatch, capsys):
    place = shutil.copytree(pair, tmp_path / "Result")
    monkeypatch.setattr(reader, "LARGEST_SUMMARY", 5000)
    with open(place / "other" / "summary.json", "ab") as file:
        file.truncate(1 << 40)  # a hole, which takes no disk
    update(place)
    assert "other/summary.json cannot be read (it has more than 5000 bytes)" in capsys.readouterr().err


def test_a_report_of_a_folder_where_one_summary_is_strange_shows_the_others(tmp_path, capsys):
    digests = made.truth(tmp_path, made.NAMES[:2])
    for name in ("real", "odd"):
        made.target(tmp_path, name, digests, MODES)
    (tmp_path / "Result" / "odd" / "summary.json").write_text('{"modes": {"full": {"metrics": {"topiq_fr": []}}}}')
    assert main(["report", "--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT")]) == 0
    assert "odd/summary.json" in capsys.readouterr().err
    board = (tmp_path / "Result" / "report" / "data" / "board.js").read_text()
    assert '"name":"real"' in board and '"name":"odd"' not in board
