"""The board's tables as LaTeX, Markdown and CSV hold them, names as text."""

from __future__ import annotations

import re

import pytest
import scored
from board_tables import NAMES, SPENT, made_by, table

from cmcbench.board.leaderboard import paper_tables
from cmcbench.board.leaderboard.build import update
from cmcbench.board.markup import csv_text, half_width, latex_text, markdown_text, place
from cmcbench.published import tables

TORTURE = r"\input{\etc} $x^2_1$ & 100% #1 ~{[*]} <b>|`\\ ''" + "é\u202e\n\x1b[31m漢🙂"


def test_latex_holds_names_as_text(tmp_path):
    scored.write(tmp_path / TORTURE, scored.noisy(1), NAMES, manifest=made_by(TORTURE, TORTURE))
    update(tmp_path, i2t=True)
    text = (tmp_path / "leaderboard.tex").read_text()
    assert_latex(text)
    name = latex_text(TORTURE)
    assert latex_text("Ŧœŧ ŉſ Ł") == "U+0166œU+0167 U+0149U+017F Ł"  # the others have no character in T1
    assert text.count(name) == 6  # target, decoder and encoder, in both tables
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
