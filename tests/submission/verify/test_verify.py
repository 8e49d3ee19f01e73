"""verify: what --submit wrote is accepted; broken, hostile and odd files are refused by name, and pictures compared."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil

import pytest
from forgeries import deep, every
from submissions import changed, resealed, rows_changed

from cmcbench.errors import BadInput
from cmcbench.files.store import digest
from cmcbench.submission import archive, verify
from cmcbench.submission.rules import FILES


def test_accepted(verified, contents, made):
    code, lines = verified(contents)
    assert code == 0 and lines[-1] == "accepted" and not [line for line in lines if line.startswith("fault")]
    assert lines[0].startswith("real: 7 images in full, image, pixel, text; Overall 2.1549 (t2i), 2.33")
    assert sum(line.startswith("not checked: ") for line in lines) == 3
    code, lines = verified(contents, "--results", made / "Result/real", "--ground_truth", made / "GT")
    assert code == 0 and sum(line.startswith("not checked: ") for line in lines) == 1
    # an honest zip packed by the tests is the one that was written
    assert archive.pack(contents) == (made / "Result/real/submission.zip").read_bytes()


def test_a_summary_of_an_earlier_version_tells_no_seed(verified, contents):
    summary = json.loads(contents["summary.json"])
    assert summary["seed"] == 42 and len(summary["system"]) == 16
    older = changed(contents, "summary.json", lambda found: (found.pop("seed"), found.pop("system")))
    assert verified(resealed(older)) == (0, verified(contents)[1])


@pytest.mark.parametrize("name", list(FILES))
def test_broken_files(verified, contents, name):
    """Every file missing, empty, cut off, not UTF-8, with a NUL: told by its name, and never a traceback."""
    code, lines = verified({each: data for each, data in contents.items() if each != name})
    assert code == 1 and [line for line in lines if line.startswith("fault: ") and name in line], lines
    half = contents[name][: len(contents[name]) // 2]
    for broken in (
        b"",
        half,
        contents[name] + b"\xff",
        contents[name] + b"\0",
        b"\xef\xbb\xbf" + contents[name],
        b"[" * 200_000,
    ):
        code, lines = verified(contents | {name: broken[: FILES[name]]})
        assert code == 1 and [line for line in lines if line.startswith("fault: ") and name in line], (
            broken[:20],
            lines,
        )


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"a": NaN}', "holds NaN, which is not a number"),
        ('{"a": -Infinity}', "holds -Infinity, which is not a number"),
        ('{"a": 1e999}', "'1e999' is not a finite number"),
        ('{"a": 1%s}' % ("0" * 5000), "holds a number of more than 18 digits"),
        ('{"a": 1, "a": 2}', "holds a key twice"),
        ('{"a": "\\ud800"}', "holds half a character"),
        ('{{"a": {}1{}}}'.format("[" * 100_000, "]" * 100_000), "is nested too deeply"),
        ('{{"a": {}1{}}}'.format("[" * 40, "]" * 40), "is nested too deeply"),
        ("[1]", "holds no JSON object"),
        ("{", "is not valid JSON"),
    ],
)
def test_hostile_json(verified, contents, text, expected):
    code, lines = verified(contents | {"summary.json": text.encode()})
    assert code == 1 and [line for line in lines if line.startswith("fault: summary.json") and expected in line], lines
    assert lines[-1].startswith("refused: ") and any("first be readable and whole" in line for line in lines)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("name,name\n", "has 2 columns or one twice"),
        (",".join(map(str, range(65))) + "\n", "has 65 columns"),
        ("name,mode\na\n", "line 2 has 1 cells, and there are 2 columns"),
        ('name,mode\n"a,b\n', "is not a readable CSV"),
        ("a,b\n" + "".join(f"{number:x},\n" for number in range(1_000_000)), "has more than 200,000 rows"),
        ("", "has 0 columns"),
    ],
)
def test_hostile_tables(verified, contents, text, expected):
    code, lines = verified(contents | {"scores.csv": text.encode()})
    assert code == 1 and [line for line in lines if line.startswith("fault: scores.csv") and expected in line], lines


def test_a_measure_of_a_set_of_images(verified, contents):
    """FID has no rows: what it is the measure of must be the pictures, and a metric that has rows is no such
    measure.
    """
    rows = list(csv.DictReader(io.StringIO(contents["scores.csv"].decode())))

    def listed(mode):
        pairs = sorted(
            (row["name"][:-4], row["ground_truth"], row["reconstruction"]) for row in rows if row["mode"] == mode
        )
        return digest("".join("\0".join(pair) + "\n" for pair in pairs).encode())

    def add(found):
        found["metrics"]["fid"] = {"kind": "NR", "lower_is_better": True, "identity": "x"}
        for mode in ("full", "text"):
            found["modes"][mode]["metrics"]["fid"] = {"mean": 20.0, "n": 7, "set": True, "digest": listed(mode)}
        found["over_modes"]["fid"] = 20.0

    honest = changed(contents, "summary.json", add)
    assert verified(resealed(honest))[0] == 0
    for key, value in (("digest", "0" * 16), ("n", 6)):
        code, lines = verified(
            resealed(changed(honest, "summary.json", deep("modes", "full", "metrics", "fid", key, to=value)))
        )
        assert (
            code == 1
            and "fault: summary.json.modes.full.metrics.fid: is the measure of another set of images than "
            "scores.csv has"
            in lines
        )
    forged = {"mean": 2.99, "n": 7, "set": True, "digest": listed("full")}
    code, lines = verified(
        resealed(changed(contents, "summary.json", deep("modes", "full", "metrics", "topiq_fr", to=forged)))
    )
    assert code == 1 and any("metrics.topiq_fr.mean: is 2.99" in line for line in lines)


ODD = (
    None,
    [],
    {},
    "",
    "x",
    -1,
    0.5,
    10**15,
    1e300,
    True,
    "a" * 3000,
    [[[[[1]]]]],
    {"mean": 1},
    {"set": True, "n": 2},
    "\x1b[2J",
    "../x",
)


def test_no_document_is_too_odd(verified, contents):
    """Random values in random places of random documents: never an exception, and never accepted where a figure
    changed.
    """
    chance = random.Random(7)
    figures = ("submission.json", "summary.json")
    for _ in range(250):
        name = chance.choice([name for name in contents if name.endswith(".json")])
        document = json.loads(contents[name])
        place, key = chance.choice(list(places(document)))
        old, place[key] = place[key], chance.choice(ODD)
        different = type(old) is not type(place[key]) or old != place[key]
        forged = contents | {name: json.dumps(document).encode()}
        try:
            forged = resealed(forged)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
        code, lines = verified(forged)
        assert code in (0, 1) and lines[-1].startswith(("accepted", "refused"))
        free = (
            key in ("low", "high", "i2t_table", "cmcbench", "bytes")
            or "interval" in str(key)
            or (name == "summary.json" and isinstance(old, list))  # the same: nothing else there is a list
            or isinstance(place, list)
        )
        assert code == 1 or not different or name not in figures or free, (name, key, old, place[key])


def places(value):
    """(container, key) of everything in a JSON value."""
    for key, child in list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from places(child)


def test_many_faults_of_one_kind_are_counted(verified, contents):
    code, lines = verified(resealed(rows_changed(contents, "scores.csv", every("topiq_fr", "7"))))
    assert code == 1 and sum("is plausible" in line for line in lines) == 20
    assert "fault: ... and 8 more of the last kind" in lines


def test_what_is_printed_is_safe_for_a_terminal(verified, contents):
    forged = resealed(changed(contents, "submission.json", lambda found: found["deviations"].append("\x1b[2J\u202e")))
    code, lines = verified(forged)
    assert code == 1 and all(line.isprintable() for line in lines)


def test_pictures(verified, contents, made, tmp_path):
    results, truth = tmp_path / "real", tmp_path / "GT"
    shutil.copytree(made / "Result/real", results)
    shutil.copytree(made / "GT", truth)
    (results / "full" / "odd.png").write_bytes(b"another")
    (results / "text" / "odd.png").unlink()
    shutil.copy(results / "full" / "NSI_pgc_000.png", results / "pixel" / "alien.png")
    (truth / "odd.png").write_bytes(b"another")
    (truth / "SCI_game_000.png").unlink()
    shutil.copy(truth / "NSI_pgc_000.png", truth / "NSI_pgc_999.png")
    code, lines = verified(contents, "--results", results, "--ground_truth", truth)
    faults = [line.removeprefix("fault: ") for line in lines if line.startswith("fault: ")]
    assert code == 1 and faults == [
        f"{results / 'pixel' / 'alien.png'}: is not in reconstructions.sha256",
        f"{results / 'full' / 'odd.png'}: is not the picture that was scored; its SHA-256 is another",
        f"{results / 'text' / 'odd.png'}: is missing",
        "NSI_pgc_999.png: is in the ground truth and has no scores",
        f"SCI_game_000.png: has scores and is not in {truth}",
        f"odd.png: was scored against another file than {truth / 'odd.png'}",
    ]


def test_a_pipe_among_the_pictures_is_not_waited_for(verified, contents, made, tmp_path):
    results = shutil.copytree(made / "Result/real", tmp_path / "real")
    (results / "full/NSI_pgc_000.png").unlink()
    os.mkfifo(results / "full/NSI_pgc_000.png")
    code, lines = verified(contents, "--results", results)
    assert code == 1 and [line for line in lines if "NSI_pgc_000.png: is a pipe, socket or device" in line]
    assert [line for line in lines if "NSI_pgc_000.png: is missing" in line]


def test_flags(made, tmp_path):
    file, results, truth = str(made / "Result/real/submission.zip"), str(made / "Result/real"), str(made / "GT")
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    for flags, expected in (
        (["--results", "no/such"], "--results no/such: there is no such folder"),
        (["--results", empty], "holds no pictures in full, image, pixel, text/"),
        (["--ground_truth", empty], "holds no images"),
        (["--model_weight", empty], "needs --results and --ground_truth too"),
        (["--sample", "3"], "give --results, --ground_truth and --model_weight too"),
        (["--seed", "3"], "give --results, --ground_truth and --model_weight too"),
        (["--results", results, "--ground_truth", truth, "--model_weight", empty], "topiq-fr.pth is missing"),
    ):
        with pytest.raises(BadInput) as error:
            verify.main([file, *flags])
        assert expected in str(error.value)
    with pytest.raises(SystemExit):
        verify.main([file, "--sample", "0"])
    with pytest.raises(BadInput, match="is not a file"):
        verify.main([str(tmp_path)])


def test_submission_json_is_what_the_files_say(contents):
    found = json.loads(contents["submission.json"])
    assert found["modes"] == ["full", "image", "pixel", "text"] and found["images"] == 7 and found["absent"] == {}
    assert found["weights"]["topiq_fr"]["bytes"] == 10 and len(found["weights"]["topiq_nr"]["sha256"]) == 64
