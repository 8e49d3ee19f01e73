"""The board's tables from scored targets: published rows, places and their intervals, views, and the grid."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scored
from board_tables import NAMES, cells_of, made_by, row, table
from scipy import stats

from cmcbench.__main__ import main
from cmcbench.board.leaderboard.build import collect, update
from cmcbench.errors import BadInput
from cmcbench.protocol import overall_t2i
from cmcbench.published import tables
from cmcbench.statistics import resample_counts


def test_published_rows_stand_beside_the_users(results):
    rows = [each for each in table(results) if each["status"] == "published"]
    for name in (tables.T2I, tables.I2T):
        mode = "overall" if name == tables.T2I else "overall-i2t"
        assert {
            each["target"]: float(each["overall"]) for each in rows if each["table"] == name and each["mode"] == mode
        } == {each.model: each.overall for each in tables.rows(name)}
    assert row([each for each in rows if each["table"] == "t2i"], "RealVis", "text")["topiq_nr"] == "3.480200"
    assert all(each["overall_rank"] == each["topiq_fr_rank"] == "" for each in rows)
    text = (results / "leaderboard.md").read_text()
    # In order of Overall, own and published in one table
    ordered = cells_of(text, "Decoders (T2I)")
    totals = [float(cells[13].split()[0]) for cells in ordered]
    ranked = [total for total, cells in zip(totals, ordered) if "not ranked" not in cells[14]]
    assert len(totals) == 12 + 5 and len(ranked) == 12 + 3
    assert totals == sorted(ranked, reverse=True) + sorted(totals[len(ranked) :], reverse=True)
    assert [cells[3] for cells in cells_of(text, "Encoders (I2T)")].count("qwen") == 1 and len(
        cells_of(text, "Encoders (I2T)")
    ) == 6 + 2
    notes = {cells[2]: cells[14] for cells in cells_of(text, "Decoders (T2I)") if cells[1] != "published"}
    assert (
        notes["sdxl+qwen"] == "not ranked: partial 19/20, baseline decoder"
        and notes["single"] == "not ranked: single mode (text), a submission has two"
        and notes["real"] == ""
    )


def test_published_rows_are_only_where_topiq_is(tmp_path):
    scored.write(tmp_path / "demo", scored.noisy(1), NAMES, metrics=["ms_ssim", "piqe"], lower=["piqe"])
    text = update(tmp_path)
    assert "published" not in text and len(text.splitlines()) < 25 and "piqe ↓" in text
    assert {each["status"] for each in table(tmp_path)} == {"whole"}
    assert (
        "Overall" not in (tmp_path / "leaderboard.tex").read_text() and not (tmp_path / "leaderboard-grid.md").exists()
    )


def test_place_among_the_published_only_where_the_ground_truth_looks_like_theirs(tmp_path):
    names = [f"{source}_{number:03}.png" for source, count in tables.IMAGES.items() for number in range(count)]
    assert len(names) == 1000
    level = {"topiq_fr": 2.3, "topiq_nr": 2.33}
    scored.write(
        tmp_path / "mine",
        lambda mode, metric, place: level[metric] + place % 2 / 100,
        names,
        modes=("full", "image", "pixel"),
    )
    scored.write(
        tmp_path / "other", scored.noisy(1), [f"x{number}.png" for number in range(1000)], modes=("full", "text")
    )
    lines, _ = collect(tmp_path, i2t=True)
    found = {
        (line.target, line.mode): line.among_published
        for line in lines
        if not line.published and line.overall is not None
    }
    assert found == {
        ("mine", "overall"): (5, 13),
        ("other", "overall"): None,
    }  # 2.315 between RealVis' 2.3155 and PG20's 2.2864
    assert "would be 5 of 13" in update(tmp_path)
    assert row(table(tmp_path), "mine", "overall")["among_published"] == "5/13"


def figures(score, mode, metric, names=NAMES) -> np.ndarray:
    return np.array([score(mode, metric, place) for place in range(len(names))])


def test_places_and_their_intervals(results):
    """Against scipy's ranks of resampled means."""
    rows = table(results)
    scores = {"real": scored.noisy(1), "real+qwen": scored.noisy(2, 0.01), "diffbir": scored.noisy(3, 0.5)}
    names = sorted(NAMES)
    order = [NAMES.index(name) for name in names]
    counts = resample_counts(20) / 20
    means = {}
    for target, score in scores.items():
        modes = ("full", "image") if target == "diffbir" else scored.MODES
        fr, nr = ({mode: figures(score, mode, metric)[order] for mode in modes} for metric in scored.PAIR)
        means[target] = counts @ overall_t2i(fr, nr)
    places = stats.rankdata(-np.stack(list(means.values()), axis=1), axis=1, method="min")
    low, high = (
        np.quantile(places, end, axis=0, method=method) for end, method in ((0.025, "lower"), (0.975, "higher"))
    )
    for target, best, worst in zip(means, low, high):
        found = row(rows, target, "overall")
        assert (found["overall_rank_best"], found["overall_rank_worst"]) == (str(int(best)), str(int(worst)))
        assert (float(found["overall_low"]), float(found["overall_high"])) == pytest.approx(
            np.quantile(means[target], [0.025, 0.975]), abs=1e-6
        )
    assert row(rows, "diffbir", "overall")["overall_rank_worst"] == "1"
    assert (
        row(rows, "real", "overall")["overall_rank_worst"] == "3" != row(rows, "real", "overall")["overall_rank_best"]
    )
    # Partial and single-mode rows are in no contest, and the two tables have places of their own
    assert row(rows, "sdxl+qwen", "overall")["overall_rank"] == row(rows, "single", "overall")["overall_rank"] == ""
    assert {each["overall_rank"] for each in rows if each["mode"] == "overall-i2t" and each["status"] == "whole"} == {
        "1",
        "2",
    }
    assert row(rows, "half", "overall")["topiq_fr@bf16_rank"] == "1"


def test_rates_and_costs(results):
    found = row(table(results), "real", "full")
    assert (found["bpp"], found["rate"], found["ratio"]) == ("0.020000", "nominal", "1200.0")
    assert float(found["bpp_deflate"]) == pytest.approx(4400 / 250_000)
    assert (found["encode_seconds"], found["decode_seconds"], found["peak_memory"]) == ("0.250", "", str(3 << 30))
    text = (results / "leaderboard.md").read_text()
    assert "| 0.0200\\* |" in text and "\\* nominal" in text
    assert row(table(results), "real+qwen", "full")["rate"] == ""


def test_views_by_mode_type_and_source(results):
    assert re.findall(r"^## (.*)", (results / "leaderboard-modes.md").read_text(), re.MULTILINE) == [
        *scored.MODES,
        "overall",
        "overall-i2t",
    ]
    modes = [each["mode"] for each in table(results, "leaderboard-modes.csv")]
    assert modes == sorted(modes, key=[*scored.MODES, "overall", "overall-i2t"].index)
    ranks = [
        each["topiq_fr_rank"]
        for each in table(results, "leaderboard-modes.csv")
        if each["mode"] == "full" and each["topiq_fr"]
    ]
    assert ranks == ["1", "2", "3", ""]
    assert re.findall(r"^## (.*)", (results / "leaderboard-sources.md").read_text(), re.MULTILINE) == [
        "AIGI_MJ",
        "NSI_pgc",
        "NSI_ugc",
        "SCI_game",
    ]
    types = table(results, "leaderboard-types.csv")
    found = row(types, "real", "text", "NSI")
    mine = [place for place, name in enumerate(NAMES) if name.startswith("NSI")]
    assert (found["n"], found["of"]) == ("10", "10")
    assert float(found["topiq_fr"]) == pytest.approx(
        figures(scored.noisy(1), "text", "topiq_fr")[mine].mean(), abs=1e-6
    )
    total = row(types, "real", "overall", "NSI")
    assert float(total["overall_low"]) < float(total["overall"]) < float(total["overall_high"]) and total[
        "overall_rank"
    ] in ("2", "3")
    partial = row(types, "sdxl+qwen", "full", "AIGI")
    assert (partial["n"], partial["of"], partial["status"], partial["topiq_fr_rank"]) == ("4", "5", "partial", "")
    # Costs are those of all images, and are not told of some
    assert found["bpp"] == found["encode_seconds"] == ""


def test_the_grid_of_encoders_and_decoders(results):
    rows = table(results, "leaderboard-grid.csv")
    assert [(each["formula"], each["encoder"]) for each in rows] == [
        ("overall", "gpt4v"),
        ("overall", "qwen"),
        ("overall-i2t", "gpt4v"),
        ("overall-i2t", "qwen"),
    ]
    every = table(results)
    assert (
        rows[0]["real"] == row(every, "real", "overall")["overall"]
        and rows[1]["real"] == row(every, "real+qwen", "overall")["overall"]
    )
    assert rows[1]["sdxl"] == "" and rows[0]["sdxl"] == ""  # a partial one is no number without a mark
    text = (results / "leaderboard-grid.md").read_text()
    assert re.search(
        r"\| qwen +\| - +\| [\d.]+ ±[\d.]+ +\| [\d.]+ ±[\d.]+ \*partial\*", text.replace("| - ", "| - ", 1)
    )


def test_the_grid_needs_two_pairs_and_leaves_other_settings_out(results, tmp_path):
    scored.write(tmp_path / "real", scored.noisy(1), NAMES, manifest=made_by("real", "gpt4v"))
    update(tmp_path)
    assert not (tmp_path / "leaderboard-grid.md").exists()
    scored.write(tmp_path / "real@strength=0.3", scored.noisy(2, 1), NAMES, manifest=made_by("real", "gpt4v"))
    update(tmp_path)
    assert not (tmp_path / "leaderboard-grid.md").exists()
    scored.write(tmp_path / "sdxl", scored.noisy(3), NAMES, manifest=made_by("sdxl", "gpt4v"))
    update(tmp_path)
    assert set(table(tmp_path, "leaderboard-grid.csv")[0]) == {"formula", "set", "encoder", "real", "sdxl"}
    (tmp_path / "sdxl" / "summary.json").unlink()
    update(tmp_path)
    assert not (tmp_path / "leaderboard-grid.csv").exists()  # no file of yesterday


def test_the_command(results, tmp_path, capsys):
    assert main(["leaderboard", "--results", str(results), "--i2t"]) == 0
    assert capsys.readouterr().out == (results / "leaderboard.md").read_text()
    with pytest.raises(BadInput, match="holds no scored target"):
        main(["leaderboard", "--results", str(tmp_path)])


def test_the_i2t_table_on_request(tmp_path):
    scored.write(tmp_path / "real", scored.noisy(1), NAMES)
    assert "Encoders (I2T)" not in update(tmp_path)
    assert "Encoders (I2T)" in update(tmp_path, i2t=True)
    assert {line.table for line in collect(tmp_path, i2t=True)[0] if line.published} == {"t2i", "i2t"}
