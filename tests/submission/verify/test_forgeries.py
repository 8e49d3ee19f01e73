"""verify names each way of tampering with a submission, forged checksums or not."""

from __future__ import annotations

import pytest
from forgeries import MANIFEST, SCORES, SUBMISSION, SUMMARY, deep, first
from submissions import changed, resealed, rows_changed

from cmcbench.submission.mail import SUMS


def lying_overall(contents):
    contents = changed(contents, "summary.json", deep("overall", "t2i", to=3.1))
    return changed(contents, "submission.json", deep("overall", "t2i", to=3.1))


def a_mode_less(contents):
    def cut(rows):
        rows[:] = [row for row in rows if row["mode"] != "text"]

    return rows_changed(contents, "scores.csv", cut)


CASES = [
    *((f"scores: {what}", "scores.csv", rows_changed, *case) for what, case in SCORES.items()),
    *((f"summary: {what}", "summary.json", changed, *case) for what, case in SUMMARY.items()),
    *((f"manifest: {what}", "manifest.json", changed, *case) for what, case in MANIFEST.items()),
    *((f"submission: {what}", "submission.json", changed, *case) for what, case in SUBMISSION.items()),
    (
        "captions: another text",
        "captions.csv",
        rows_changed,
        first("text", "a masterpiece"),
        "captions.csv: is not the file that manifest.json names by its hash",
    ),
    (
        "captions: one left out",
        "captions.csv",
        rows_changed,
        lambda rows: rows.pop(0),
        "NSI_pgc_000.png, mode full: captions.csv has no caption of it",
    ),
    ("captions: no text", "captions.csv", rows_changed, first("text", " "), "captions.csv, row 2: no plain name"),
    (
        "captions: more words",
        "captions.json",
        changed,
        deep("settings", "words", to=40),
        "a deviation is not listed: captions: 40 words (explen), published 10",
    ),
    (
        "captions: another request",
        "captions.json",
        changed,
        deep("settings", "prompt", to="What is it?"),
        "captions: another request than the published one",
    ),
    ("rates: fewer bits", "rates.csv", rows_changed, first("bits", "1"), "bits is "),
    ("rates: of another picture", "rates.csv", rows_changed, first("sha256", "0" * 16), "in rates.csv 'not told'"),
    (
        "rates: no number",
        "rates.csv",
        rows_changed,
        first("decode_seconds", "soon"),
        "decode_seconds is 1.25, in rates.csv 'soon'",
    ),
    (
        "rates: no number, nor in scores.csv",
        "rates.csv",
        rows_changed,
        first("packed_bits", "CON"),
        "packed_bits is None, in rates.csv 'CON'",
    ),
    ("rates: twice", "rates.csv", rows_changed, lambda rows: rows.append(rows[0]), "rates.csv, row 30: "),
]


@pytest.mark.parametrize("name, change, edit, expected", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_forged(verified, contents, name, change, edit, expected):
    """The forger also made checksums and mail anew; and the same without, which the checksums alone betray."""
    forged = change(contents, name, edit)
    assert forged[name] != contents[name]
    try:
        sealed = resealed(forged)
    except (KeyError, TypeError, ValueError, AttributeError):
        sealed = forged  # too broken for a mail
    code, lines = verified(sealed)
    assert code == 1 and lines[-1].startswith("refused: ")
    assert [line for line in lines if line.startswith("fault: ") and expected in line], lines
    code, lines = verified(forged)
    assert code == 1 and f"fault: {SUMS} does not hold the checksums of the other files: {name}" in lines


def test_other_forgeries(verified, contents):
    for forged, expected in (
        (resealed(lying_overall(contents)), "summary.json.overall.t2i: is 3.1, and scores.csv gives 2.15"),
        (resealed(a_mode_less(contents)), "summary.json.modes: has 'text', and scores.csv gives none"),
        (
            contents | {"mail.txt": contents["mail.txt"].replace(b"Overall 2.15", b"Overall 3.15")},
            "mail.txt is not the mail that the other files give",
        ),
        (contents | {SUMS: contents[SUMS] + contents[SUMS]}, "it lists more than there is"),
        (
            resealed(contents | {"scores.csv": contents["scores.csv"].replace(b",topiq_nr,", b",psnr,")}),
            "does not tell what its column 'psnr' is",
        ),
        (
            resealed(contents | {"scores.csv": contents["scores.csv"].replace(b",bits,", b",bit,")}),
            "scores.csv has no column bits",
        ),
    ):
        code, lines = verified(forged)
        assert code == 1 and [line for line in lines if line.startswith("fault: ") and expected in line], (
            expected,
            lines,
        )


@pytest.mark.parametrize(
    "line, expected",
    [
        ("", "reconstructions.sha256, line 3: '' is not a SHA-256"),
        ("0" * 64 + "  full/NSI_pgc_000.png", "comes twice"),
        ("0" * 64 + "  full/../x.png", "is not a SHA-256 of MODE/IMAGE"),
        ("0" * 64 + "  full/alien.png", "reconstructions.sha256: full/alien.png has no row in scores.csv"),
    ],
)
def test_forged_checksums(verified, contents, line, expected):
    lines = contents["reconstructions.sha256"].decode().split("\n")
    assert lines[2].endswith("full/NSI_pgc_001.png") or lines[2].endswith("full/NSI_pgc_000.png")
    at = 2
    lines[at] = line
    code, said = verified(resealed(contents | {"reconstructions.sha256": "\n".join(lines).encode()}))
    assert code == 1 and [each for each in said if expected in each], said
    lines[at] = "0" * 64 + "  full/" + contents["reconstructions.sha256"].decode().split("\n")[at].rpartition("/")[2]
    code, said = verified(resealed(contents | {"reconstructions.sha256": "\n".join(lines).encode()}))
    assert code == 1 and [
        each for each in said if "another picture was scored than the one in reconstructions.sha256" in each
    ]
    code, said = verified(resealed(contents | {"reconstructions.sha256": "\n".join(lines[1:]).encode()}))
    assert code == 1 and [each for each in said if "reconstructions.sha256 does not name it" in each]
