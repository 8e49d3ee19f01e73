"""Tables as CSV, Markdown and LaTeX, with text from strangers made harmless in each."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

MARKDOWN = {  # where a renderer may also take HTML
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "|": "&#124;",
    "[": "&#91;",
    "`": "&#96;",
    "*": "&#42;",
    "\\": "&#92;",
    "$": "&#36;",
}
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "[": "{[}",
    "*": "{*}",  # after the end of a row, LaTeX takes them for an argument
}
# What a spreadsheet may take for the beginning of a formula, at the start of a cell or of what it takes for one
FORMULA = re.compile(r"(?:^|(?<=[;|]))(?=[\s\u200b\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # categories of characters that are shown by their number
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # of the direction of text
NOT_IN_T1 = "ĦħĸĿŀŉŦŧſ"  # of Latin Extended-A, what pdflatex stops at


def markdown_text(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return "".join(MARKDOWN.get(character, character) if character.isprintable() else " " for character in text)


def latex_text(text: str) -> str:
    """Text for LaTeX, of plain pdflatex too: what it has no character for is given by its number."""
    return "".join(_latex(character) for character in text)


def _latex(character: str) -> str:
    if character in LATEX:
        return LATEX[character]
    if not character.isprintable():
        return " "
    known = ord(character) < 0x180 and character not in NOT_IN_T1  # up to Latin Extended-A
    return character if known else f"U+{ord(character):04X}"


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV. None is an empty cell; in text, control characters are shown by their number, and what a spreadsheet
    would run as a formula gets an apostrophe.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    value = "".join(_visible(character) for character in value)
    return value if _is_number(value) else FORMULA.sub("'", value)


def _visible(character: str) -> str:
    hidden = character in TURNING or unicodedata.category(character) in HIDDEN
    return ascii(character)[1:-1] if hidden else character


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand under each other; the cells are already escaped."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |\n" for row in lines)


def latex_table(
    caption: str, label: str, columns: str, head: Sequence[str], groups: Sequence[Sequence[Sequence[str]]]
) -> str:
    r"""A small table over both columns of a page; the cells are already escaped. groups: rows, a \midrule between them.

    It needs the package booktabs.
    """
    body = "\\midrule\n".join("".join(" & ".join(row) + r" \\" + "\n" for row in group) for group in groups if group)
    return (
        "\\begin{table*}[t]\n\\centering\\scriptsize\\setlength{\\tabcolsep}{3pt}\n"
        f"\\caption{{{caption}}}\n\\label{{{label}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n"
        + " & ".join(head)
        + " \\\\\n\\midrule\n"
        + body
        + "\\bottomrule\n\\end{tabular}\n\\end{table*}\n"
    )


def number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def half_width(low: float | None, high: float | None) -> str:
    """Half the width of an interval, with two digits that count ("0.041", "8.1", "12"); "" where there is none."""
    if low is None or high is None:
        return ""
    half = (high - low) / 2
    digits = 1 - math.floor(math.log10(half)) if half > 0 else 4
    return f"{half:.{min(max(digits, 0), 6)}f}"


def place(rank: int | None, interval: tuple[int, int] | None) -> str:
    """ "1", or "1 (1-2)" where its interval is known and says more."""
    if rank is None:
        return ""
    return str(rank) if interval is None or interval == (rank, rank) else f"{rank} ({interval[0]}-{interval[1]})"
