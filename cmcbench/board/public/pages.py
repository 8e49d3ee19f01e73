"""The pages of the public site as HTML. Whatever a submission says is escaped, and only its links of the web are
links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote, urlsplit

from ... import __version__
from ...files.submitted import submitter
from ...protocol import OVERALL_METRICS
from ...published import tables
from ...runtime.messages import printable
from ..labels import OVERALL
from ..leaderboard.entries import Entry
from ..markup import half_width, number, place
from .stage import Submission

# No script, no font, no picture from anywhere: the page is text and one style sheet
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1b2433;\
background:#fff}
a{color:#1d4ed8}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;min-width:100%}
th,td{padding:.35rem .6rem;border-bottom:1px solid #d5dae3;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.published{color:#5b6577}code{overflow-wrap:anywhere}footer{margin-top:3rem;color:#5b6577;font-size:.85rem}
@media(prefers-color-scheme:dark){body{background:#12161d;color:#e6eaf1}a{color:#8ab4ff}th,td{border-color:#333c4a}\
.published,footer{color:#a3adbd}}
"""


def page_name(target: str) -> str:
    """The file of a submission's page; its folder's name is unique and a plain name."""
    return f"{target}.html"


def index(entries: Sequence[Entry], submissions: Sequence[Submission], images: str) -> str:
    """The site's first page: the leaderboard, best first, published rows among them.

    images: a sentence about the report page beside it.
    """
    by_name = {each.row.name: each for each in submissions}
    rows = [entry for entry in entries if entry.mode == OVERALL and entry.folder]
    published = [entry for entry in entries if entry.published and entry.table == tables.T2I]
    head = ["place", "system", "team", "modes", "Overall", "FR", "NR", "bpp", "links", "accepted"]
    table = _table(head, [_line(entry, by_name) for entry in rows], numbers=(0, 4, 5, 6, 7))
    below = _table(
        ["system", "modes", "Overall", "FR", "NR"],
        [[_text(entry.target), escape(", ".join(entry.modes)), *_figures(entry)] for entry in published],
        numbers=(2, 3, 4),
    )
    return _page(
        "CMC-Bench: accepted submissions",
        f"<p>Image compression by language and diffusion models, scored by consistency (FR) and perception (NR)."
        f' {escape(images)} <a href="report/index.html">Open the page of charts and pictures</a>, or take the table as'
        ' <a href="leaderboard.csv">CSV</a> or <a href="leaderboard.md">Markdown</a>.</p>'
        f"{table}<p>±: half the 95 % interval over images. A place is among the submissions that can be compared: of"
        " the same ground truth and weights, with all images. Among the published rows below, a submission on the"
        " benchmark's whole ground truth has the place in brackets.</p>"
        + (f"<h2>Published</h2>{below}" if published else ""),
    )


def _figures(entry: Entry) -> list[str]:
    half = half_width(entry.low.get(OVERALL), entry.high.get(OVERALL))
    score = number(entry.overall, 4) + (f" ±{half}" if half else "")
    return [escape(score), *(number(entry.cells.get(name), 4) for name in OVERALL_METRICS)]


def _line(entry: Entry, by_name: Mapping[str, Submission]) -> list[str]:
    submission = by_name[entry.target]
    told = submitter.public(submission.told.get("submitter", {}))
    title = told.get("title", entry.target)
    name = f'<a href="submissions/{quote(page_name(entry.target))}">{_text(title)}</a>'
    name += "" if title == entry.target else f" ({_text(entry.target)})"
    name += f" <em>baseline {_text(entry.baseline)}</em>" if entry.baseline else ""
    links = " ".join(_link(told[key], key) for key in submitter.LINKS if key in told)
    rank = place(entry.ranks.get(OVERALL), entry.places.get(OVERALL))
    among = f" (published: {entry.among_published[0]})" if entry.among_published else ""
    facts = [escape(rank + among), name, _text(told.get("team", "")), escape(", ".join(entry.modes))]
    return [*facts, *_figures(entry), number(entry.bpp, 4), links, escape(submission.row.date)]


def submission_page(submission: Submission, entries: Iterable[Entry]) -> str:
    """A submission's own page: who, what, scores, costs, deviations, what was checked."""
    told, row = submission.told, submission.row
    who = submitter.public(told.get("submitter", {}))
    mine = [entry for entry in entries if entry.folder and entry.target == row.name]
    facts = [
        *(
            (field.capitalize(), _link(value) if field in submitter.LINKS else _text(value))
            for field, value in who.items()
            if field != "title"
        ),
        ("Decoder", _text(mine[0].decoder if mine else "")),
        ("Encoder", _text(mine[0].encoder if mine else "")),
        ("Images", f"{told['images']:,} in each of the modes {escape(', '.join(told['modes']))}"),
        ("Accepted", escape(row.date)),
        ("Checked", f"{_text(row.checked)} (version {_text(row.version)})"),
        ("SHA-256 of the file", f"<code>{escape(row.digest)}</code>"),
    ]
    head = ["mode", "images", "Overall", "FR", "NR", "bpp", "ratio", "encode s", "decode s", "peak memory"]
    scores = _table(head, [_costs(entry) for entry in mine], numbers=range(1, 10))
    deviations = _list(told["deviations"], "None: all settings are the published ones.")
    absent = _list((f"{name}: {why}" for name, why in sorted(told["absent"].items())), "Nothing, it is complete.")
    return _page(
        who.get("title", row.name),
        f'<p><a href="../index.html">All submissions</a></p>{_pairs(facts)}<h2>Scores and cost</h2>{scores}'
        "<p>Seconds and bytes are means of an image, on the submitter's machine, as told. *: nominal rate.</p>"
        f"<h2>Deviations from the published settings</h2>{deviations}<h2>Not in the file</h2>{absent}",
        above="../",
    )


def _costs(entry: Entry) -> list[str]:
    memory = "" if entry.peak_memory is None else f"{entry.peak_memory / 1e9:.2f} GB"
    return [
        escape(entry.mode),
        f"{entry.n:,}/{entry.of:,}",
        number(entry.overall, 4),
        *(number(entry.cells.get(name), 4) for name in OVERALL_METRICS),
        number(entry.bpp, 4) + ("*" if entry.nominal and entry.bpp is not None else ""),
        number(entry.ratio, 0),
        number(entry.encode_seconds, 2),
        number(entry.decode_seconds, 2),
        memory,
    ]


def _text(value: str) -> str:
    return escape(printable(value))


def _link(value: str, label: str = "") -> str:
    """A link of the web; anything else as text. Its host is shown, so that nobody is led elsewhere than he thinks."""
    if not submitter.is_link(value):
        return _text(value)
    shown = f"{label} ({urlsplit(value).hostname})" if label else value
    return f'<a href="{escape(value)}" rel="nofollow noopener noreferrer">{_text(shown)}</a>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int]) -> str:
    """A table of cells that are HTML already. numbers: columns that stand right."""
    kinds = [' class="n"' if column in numbers else "" for column in range(len(head))]
    top = "".join(f"<th{kind}>{escape(cell)}</th>" for cell, kind in zip(head, kinds))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds)) + "</tr>\n" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _pairs(facts: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>\n" for name, value in facts if value)
    return f'<div class="wide"><table><tbody>\n{lines}</tbody></table></div>'


def _list(items: Iterable[str], none: str) -> str:
    lines = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else f"<p>{escape(none)}</p>"


def _page(title: str, body: str, above: str = "") -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f'<title>{_text(title)}</title><link rel="stylesheet" href="{above}board.css"></head>\n'
        f"<body><main><h1>{_text(title)}</h1>{body}</main><footer>Made by cmcbench {escape(__version__)}.</footer>"
        "</body></html>\n"
    )
