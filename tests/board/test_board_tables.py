"""The board's tables from scored targets: published rows, places and their intervals, views, the grid, LaTeX, the
command.
"""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
import scored
from scipy import stats

from cmcbench.__main__ import main
from cmcbench.board.leaderboard import paper_tables
from cmcbench.board.leaderboard.build import collect, update
from cmcbench.board.markup import csv_text, half_width, latex_text, markdown_text, place
from cmcbench.errors import BadInput
from cmcbench.protocol import overall_t2i
from cmcbench.published import tables
from cmcbench.statistics import resample_counts

NAMES = scored.images(5)
SPENT = {
    "bits": 5000,
    "kind": "nominal",
    "caption_bits": 1000,
    "deflate_bits": 400,
    "image_bits": 4000,
    "encode_seconds": 0.25,
    "peak_memory": 3 << 30,
}


def made_by(decoder, encoder, **more) -> dict:
    return {"t2i": decoder, "captions": {"file": f"{encoder}.csv", "baseline": False}, "baseline": False, **more}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Result")
    scored.write(
        folder / "real", scored.noisy(1), NAMES, spent=SPENT, manifest=made_by("real", "gpt4v"), i2t_table=True
    )
    scored.write(folder / "real+qwen", scored.noisy(2, 0.01), NAMES, manifest=made_by("real", "qwen"), i2t_table=True)
    scored.write(
        folder / "diffbir", scored.noisy(3, 0.5), NAMES, modes=("full", "image"), manifest=made_by("diffbir", "gpt4v")
    )
    scored.write(
        folder / "sdxl+qwen",
        scored.noisy(4, 0.3),
        NAMES[1:],
        truth=NAMES,
        manifest=made_by("sdxl", "qwen", baseline=True),
    )
    scored.write(folder / "single", scored.noisy(5, 0.3), NAMES, modes=["text"], manifest=made_by("single", "gpt4v"))
    scored.write(
        folder / "half",
        scored.noisy(6),
        NAMES,
        metrics=["topiq_fr@bf16", "topiq_nr@bf16"],
        manifest=made_by("half", "gpt4v"),
    )
    update(folder)
    return folder


def table(results, name="leaderboard.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((results / name).read_text())))


def row(rows, target, mode, content="") -> dict[str, str]:
    (found,) = [each for each in rows if (each["target"], each["mode"], each["content"]) == (target, mode, content)]
    return found


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
    totals = [float(cells[13].split()[0]) for cells in cells_of(text, "Decoders (T2I)")]
    assert len(totals) == 12 + 5 and totals == sorted(totals, reverse=True)
    assert [cells[3] for cells in cells_of(text, "Encoders (I2T)")].count("qwen") == 1 and len(
        cells_of(text, "Encoders (I2T)")
    ) == 6 + 2
    notes = {cells[2]: cells[14] for cells in cells_of(text, "Decoders (T2I)") if cells[1] != "published"}
    assert (
        notes["sdxl+qwen"] == "partial 19/20, baseline decoder"
        and notes["single"] == "single mode"
        and notes["real"] == ""
    )


def cells_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, each row with an empty first one and an empty last one."""
    block = text[text.index(f"## {heading}") :].split("\n\n")[1]
    return [[cell.strip() for cell in line.split("|")] for line in block.splitlines()[2:]]


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


def test_other_weights_are_marked_and_never_ranked_together(tmp_path):
    scored.write(tmp_path / "a", scored.noisy(1, 1), NAMES, manifest=made_by("a", "gpt4v"))
    scored.write(tmp_path / "b", scored.noisy(2), NAMES, identity="weights 2", manifest=made_by("b", "gpt4v"))
    scored.write(tmp_path / "c", scored.noisy(3), NAMES, digest="other", manifest=made_by("c", "gpt4v"))
    text = update(tmp_path)
    assert {
        each["overall_rank"] for each in table(tmp_path) if each["mode"] == "overall" and each["status"] == "whole"
    } == {"1"}
    assert "Only rows of the same set can be compared. a: ground truth" in text and "NR weights 2" in text
    sets = {cells[2]: cells[14] for cells in cells_of(text, "Decoders (T2I)") if cells[1] != "published"}
    assert len(set(sets.values())) == 3
    rows = table(tmp_path, "leaderboard-grid.csv")
    assert len(rows) == 3 and all(sum(bool(each[name]) for name in "abc") == 1 for each in rows)
    assert (
        len(
            {
                (each["ground_truth"], each["identities"])
                for each in table(tmp_path)
                if each["mode"] == "full" and each["status"] == "whole"
            }
        )
        == 3
    )
    assert "set a" in (tmp_path / "leaderboard.tex").read_text()


def test_a_measure_of_the_whole_set_has_a_place_and_no_interval(tmp_path):
    for name, value in (("a", 30.0), ("b", 20.0)):
        file = scored.write(tmp_path / name, scored.noisy(1), NAMES) / "summary.json"
        found = json.loads(file.read_text())
        for mode in found["modes"].values():
            mode["metrics"]["fid"] = {"mean": value, "n": 20, "set": True}
        found["metrics"]["fid"] = {"kind": "FR", "lower_is_better": True, "identity": "fid"}
        found["over_modes"]["fid"] = value
        file.write_text(json.dumps(found))
    update(tmp_path)
    found = row(table(tmp_path), "b", "full")
    assert (found["fid"], found["fid_low"], found["fid_rank"], found["fid_rank_best"]) == ("20.000000", "", "1", "")
    assert "| 20.0000 (1)" in (tmp_path / "leaderboard.md").read_text()


def test_without_its_score_table_a_target_has_places_but_no_intervals_of_them(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        scored.write(tmp_path / name, scored.noisy(seed), NAMES)
    (tmp_path / "a" / "scores.csv").unlink()
    update(tmp_path)
    assert capsys.readouterr().err.count("the places of what a is compared with have no intervals") == 1
    found = row(table(tmp_path), "b", "full")
    assert found["topiq_fr_rank"] and found["topiq_fr_low"] and not found["topiq_fr_rank_best"]


def test_scores_that_the_summary_was_not_made_of_are_said(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        scored.write(tmp_path / name, scored.noisy(seed), NAMES)
    file = tmp_path / "a" / "scores.csv"
    file.write_text(re.sub(r"\n(.*?),(.*?),(.*?),full,[\d.]+", r"\n\1,\2,\3,full,9.5", file.read_text()))
    update(tmp_path)
    assert "is not what its summary.json was made of" in capsys.readouterr().err
    assert (
        not row(table(tmp_path), "b", "full")["topiq_fr_rank_best"]
        and row(table(tmp_path), "b", "text")["topiq_fr_rank_best"]
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["modes"]["full"]["metrics"]["topiq_fr"].update(low=float("inf")),
        lambda found: found["modes"]["full"]["metrics"]["topiq_fr"].update(mean=10**400),
        lambda found: found["overall"].update(t2i="nan"),
        lambda found: found.update(overall_interval={"t2i": [1, "x"], "i2t": None}),
        lambda found: found.update(over_modes_interval=3),
        lambda found: found["modes"]["full"].update(rate={"ratio": float("nan")}),
        lambda found: found["modes"]["full"].update(cost=[1]),
        lambda found: found["ground_truth"].update(images=float("inf")),
        lambda found: found["metrics"]["topiq_fr"].pop("identity"),
        lambda found: found["metrics"]["topiq_fr"].update(lower_is_better=True),
        lambda found: found["metrics"].pop("topiq_fr"),
        lambda found: found.update(padding="x" * 2_000_000),
        lambda found: found.update(target="x" * 300),
        lambda found: found["metrics"].update({f"m{number}": found["metrics"]["topiq_fr"] for number in range(100)}),
    ],
)
def test_summaries_of_strangers(tmp_path, change, capsys, monkeypatch):
    """One that is none is left out aloud, and the others are as without it."""
    monkeypatch.setattr("cmcbench.board.scored.LARGEST_SUMMARY", 1_000_000)
    scored.write(tmp_path / "a", scored.noisy(1), NAMES)
    update(tmp_path)
    before = (tmp_path / "leaderboard.csv").read_text()
    file = scored.write(tmp_path / "b", scored.noisy(1), NAMES) / "summary.json"
    found = json.loads(file.read_text())
    change(found)
    file.write_text(json.dumps(found))
    update(tmp_path)
    told = capsys.readouterr().err
    assert "b/summary.json" in told and "left out of the leaderboard" in told
    assert (tmp_path / "leaderboard.csv").read_text() == before


def test_modes_and_kinds_that_are_none_are_not_shown(tmp_path):
    file = scored.write(tmp_path / "a", scored.noisy(1), NAMES) / "summary.json"
    found = json.loads(file.read_text())
    found["modes"]["overall"] = found["modes"]["secret"] = found["modes"]["full"]
    for mode in found["modes"].values():
        mode["types"]["<b>"] = mode["types"]["NSI"]
    file.write_text(json.dumps(found))
    update(tmp_path)
    assert [each["mode"] for each in table(tmp_path) if each["status"] != "published"] == [*scored.MODES, "overall"]
    assert {each["content"] for each in table(tmp_path, "leaderboard-types.csv")} == {"AIGI", "NSI", "SCI"}


TORTURE = r"\input{/etc/passwd} $x^2_1$ & 100% #1 ~{[*]} <b>|`\\ ''" + "é\u202e\n\x1b[31m漢🙂"


def test_latex_holds_names_as_text(tmp_path):
    scored.write(tmp_path / "x", scored.noisy(1), NAMES, manifest=made_by(TORTURE, TORTURE))
    file = tmp_path / "x" / "summary.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "target": TORTURE}))
    update(tmp_path, i2t=True)
    text = (tmp_path / "leaderboard.tex").read_text()
    assert_latex(text)
    name = latex_text(TORTURE)
    assert latex_text("Ŧœŧ ŉſ Ł") == "U+0166œU+0167 U+0149U+017F Ł"  # the others have no character in T1
    assert text.count(name) == 4  # target and decoder, in both tables
    assert r"\input" not in text and "\x1b" not in text and "\u202e" not in text and "U+6F22" in text and "é" in text
    for file in ("leaderboard.md", "leaderboard-modes.md"):
        written = (tmp_path / file).read_text()
        assert "<b>" not in written and "\x1b" not in written and "\u202e" not in written
    csv_rows = table(tmp_path)
    assert csv_rows[0]["target"] == TORTURE.replace("\u202e\n\x1b", r"\u202e\n\x1b")  # seen, and without effect


def assert_latex(text: str) -> None:
    """Braces, dollars and environments are balanced, every row has as many cells as its table, every command is
    known.
    """
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    plain = re.sub(r"\\[{}$&#%_\\]", "", "\n".join(lines).replace(r"\\", ""))
    assert plain.count("$") % 2 == 0
    depth = 0
    for character in plain:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0 and "#" not in plain and "%" not in plain
    environments = re.findall(r"\\(begin|end)\{([\w*]+)\}", text)
    stack = []
    for kind, name in environments:
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r" \\")]
        assert rows and {len(re.sub(r"\\&", "", line).split("&")) for line in rows} == {len(columns)}
    allowed = {
        "begin",
        "end",
        "centering",
        "scriptsize",
        "setlength",
        "tabcolsep",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "textbf",
        "tiny",
        "pm",
        "uparrow",
        "downarrow",
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
        "textasciigrave",
    }
    assert set(re.findall(r"\\([A-Za-z]+)", "\n".join(lines))) <= allowed


def test_latex_of_the_whole_board(results, tmp_path):
    text = (results / "leaderboard.tex").read_text()
    assert_latex(text)
    assert text.count(r"\begin{table*}") == 3 and r"topiq\_fr@bf16 $\uparrow$" in text
    best = next(line for line in text.splitlines() if " & diffbir & " in line)
    assert r"\textbf{" in best and r"$\pm$" in best
    scored.write(tmp_path / "demo", scored.noisy(1), NAMES, metrics=["ms_ssim", "piqe"], lower=["piqe"], spent=SPENT)
    update(tmp_path)
    text = (tmp_path / "leaderboard.tex").read_text()
    assert_latex(text)
    assert r"piqe $\downarrow$" in text and "$^*$" in text and "nominal rate" in text


def test_the_paper_has_no_table_without_an_own_row():
    assert (
        paper_tables.paper_rows([], tables.T2I) == []
        and paper_tables.markdown([]) == ""
        and paper_tables.latex([]) == ""
    )


@pytest.mark.parametrize(
    "low, high, text",
    [
        (1.0, 1.082, "0.041"),
        (0, 16.2, "8.1"),
        (0, 246, "123"),
        (0.5, 0.5, "0.0000"),
        (None, 1, ""),
        (0, 2e-9, "0.000000"),
    ],
)
def test_half_widths(low, high, text):
    assert half_width(low, high) == text


def test_small_pieces():
    assert place(1, (1, 2)) == "1 (1-2)" and place(3, (3, 3)) == "3" and place(None, None) == ""
    assert csv_text([["=x", "-1.5", "-x", None, 3]]) == "'=x,-1.5,'-x,,3\n"
    assert markdown_text("a|b\n<i>") == "a&#124;b &lt;i&gt;"


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
