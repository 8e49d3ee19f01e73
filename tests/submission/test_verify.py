"""verify: what --submit wrote is accepted, and each way of tampering with it is named, forged checksums or not."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil

import pytest
import submissions
from submissions import changed, resealed, rows_changed, zip_file

from cmcbench.errors import BadInput
from cmcbench.files.store import digest
from cmcbench.submission import archive, verify
from cmcbench.submission.mail import SUMS
from cmcbench.submission.rules import FILES
from cmcbench.submission.submit import submit


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The working folder with a result in it, whose submission.zip is written."""
    place = tmp_path_factory.mktemp("result")
    submit(submissions.result(place), place / "Weight")
    return place


@pytest.fixture(scope="module")
def contents(made):
    return archive.read(made / "Result/real/submission.zip", FILES)


@pytest.fixture
def verified(tmp_path, capsys):
    """verified(contents, *flags) is the exit code of verify and the lines that it printed."""

    def run(contents, *flags):
        code = verify.main([str(zip_file(tmp_path / "x.zip", contents)), *map(str, flags)])
        return code, capsys.readouterr().out.splitlines()

    return run


def test_accepted(verified, contents, made):
    code, lines = verified(contents)
    assert code == 0 and lines[-1] == "accepted" and not [line for line in lines if line.startswith("fault")]
    assert lines[0].startswith("real: 7 images in full, image, pixel, text; Overall 2.1549 (t2i), 2.33")
    assert sum(line.startswith("not checked: ") for line in lines) == 3
    code, lines = verified(contents, "--results", made / "Result/real", "--ground_truth", made / "GT")
    assert code == 0 and sum(line.startswith("not checked: ") for line in lines) == 1
    # an honest zip packed by the tests is the one that was written
    assert archive.pack(contents) == (made / "Result/real/submission.zip").read_bytes()


def first(column, value):
    return lambda rows: rows[0].update({column: value})


def every(column, value):
    return lambda rows: [row.update({column: value}) for row in rows]


def deep(*keys, to):
    """A change of the value at the end of the keys."""

    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


def lying_overall(contents):
    contents = changed(contents, "summary.json", deep("overall", "t2i", to=3.1))
    return changed(contents, "submission.json", deep("overall", "t2i", to=3.1))


def a_mode_less(contents):
    def cut(rows):
        rows[:] = [row for row in rows if row["mode"] != "text"]

    return rows_changed(contents, "scores.csv", cut)


def same_files(rows):
    """Image mode hands in full mode's picture and still has other scores."""
    rows[1].update(reconstruction=rows[0]["reconstruction"])


SCORES = {
    "a score raised": (first("topiq_fr", "2.99"), "summary.json.modes.full.metrics.topiq_fr.mean: is "),
    "larger than can be summed": (first("topiq_fr", "1e308"), "row 2: '1e308' is not a finite number, or above 1e+15"),
    "NaN": (first("topiq_fr", "nan"), "scores.csv, row 2: 'nan' is not a finite number"),
    "infinite": (first("topiq_nr", "1e999"), "row 2: '1e999' is not a finite number"),
    "hexadecimal": (first("topiq_nr", "0x10"), "row 2: '0x10' is not a finite number"),
    "digits of another script": (first("topiq_nr", "٣"), "is not a finite number"),
    "a number of a thousand digits": (first("topiq_fr", "1" * 1000), "is not a finite number"),
    "beyond the scale": (
        first("topiq_nr", "9.5"),
        "AIGI_MJ_007.png, mode full: topiq_nr is 9.5, and from -1 to 6 is plausible",
    ),
    "no score": (first("topiq_nr", ""), "AIGI_MJ_007.png, mode full: has no topiq_nr"),
    "the same score everywhere": (
        every("topiq_fr", "2.5"),
        "mode full has 1 different values of topiq_fr for 7 images",
    ),
    "one column twice": (
        lambda rows: [row.update(topiq_nr=row["topiq_fr"]) for row in rows],
        "mode full has the same numbers for topiq_fr and topiq_nr",
    ),
    "other scores of the same files": (
        same_files,
        "mode image: topiq_fr differs from that of the same two files in mode full",
    ),
    "a row left out": (
        lambda rows: rows.pop(),
        "scores.csv: mode text lacks 1 images that another mode has (first: odd.png)",
    ),
    "an image left out": (
        lambda rows: rows.__delitem__(slice(0, 4)),
        "scores.csv: is about 6 images, and the ground truth has 7",
    ),
    "a row twice": (lambda rows: rows.append(rows[0]), "row 30: AIGI_MJ_007.png stands twice in mode full"),
    "a name in other letters": (
        lambda rows: rows[0].update(name="ODD.png", type="other", source=""),
        "'odd.png' and 'ODD.png' are the same name",
    ),
    "a name that leads away": (first("name", "../../etc/passwd"), "row 2: '../../etc/passwd' is not a plain file name"),
    "a mode that there is not": (
        first("mode", "best"),
        "row 2: 'best' is not one of the modes full, image, pixel, text",
    ),
    "another type": (first("type", "NSI"), "row 2: type and source are 'NSI' and 'MJ', the name says 'AIGI' and 'MJ'"),
    "the original handed in": (
        lambda rows: rows[0].update(reconstruction=rows[0]["ground_truth"]),
        "the reconstruction is the ground truth AIGI_MJ_007.png itself",
    ),
    "one picture for two": (
        lambda rows: rows[4].update(reconstruction=rows[0]["reconstruction"]),
        "mode full: the reconstruction is the same file as that of AIGI_MJ_007.png",
    ),
    "another original": (first("ground_truth", "0" * 16), "has another ground truth than in another mode"),
    "a digest that is none": (first("ground_truth", "no"), "ground_truth 'no' is not a digest"),
    "fewer bits": (first("bits", "100"), "100 bits are not the sum of caption, pixels and image"),
    "negative bits": (first("bits", "-100"), "row 2: '-100' is not a whole number from 0 on"),
    "a lower bpp": (first("bpp", "0.001"), "mode full: bpp is 0.001, and "),
    "negative bpp": (first("bpp", "-0.001"), "row 2: bpp is below 0"),
    "bits without bpp": (first("bpp", ""), "of kind, bits and bpp some are given and some are not"),
    "fewer bits of the caption": (first("caption_bits", "8"), "caption_bits are 8, and its caption has "),
    "a measured rate that was nominal": (
        first("kind", "measured"),
        "the rate's kind is measured, in rates.csv 'nominal'",
    ),
    "a kind of rate that there is not": (first("kind", "guessed"), "the rate's kind is 'guessed'"),
    "less memory": (first("peak_memory", "1"), "peak_memory is 1, in rates.csv '1073741824'"),
}
SUMMARY = {
    "a mean raised": (
        deep("modes", "full", "metrics", "topiq_fr", "mean", to=2.99),
        "summary.json.modes.full.metrics.topiq_fr.mean: is 2.99, and scores.csv gives ",
    ),
    "a type's mean": (
        deep("modes", "full", "types", "NSI", "topiq_fr", "mean", to=2.99),
        "summary.json.modes.full.types.NSI.topiq_fr.mean: is 2.99",
    ),
    "a source's mean": (
        deep("modes", "text", "sources", "SCI_game", "topiq_nr", "mean", to=2.99),
        "sources.SCI_game.topiq_nr.mean: is 2.99",
    ),
    "a number of images": (
        deep("modes", "full", "metrics", "topiq_fr", "n", to=1000),
        "metrics.topiq_fr.n: is 1000, and scores.csv gives 7",
    ),
    "a source that there is not": (
        lambda found: found["modes"]["full"]["sources"].update(NSI_ugc={}),
        "summary.json.modes.full.sources: has 'NSI_ugc', and scores.csv gives none",
    ),
    "a type left out": (
        lambda found: found["modes"]["full"]["types"].pop("NSI"),
        "summary.json.modes.full.types: has no NSI, and scores.csv gives it",
    ),
    "a mean over modes": (deep("over_modes", "topiq_nr", to=2.99), "summary.json.over_modes.topiq_nr: is 2.99"),
    "a rate": (deep("modes", "pixel", "rate", "pixel", to=0.001), "summary.json.modes.pixel.rate.pixel: is 0.001"),
    "a compression ratio": (
        deep("modes", "full", "rate", "ratio", to=1e6),
        "summary.json.modes.full.rate.ratio: is 1000000",
    ),
    "a cost": (
        deep("modes", "full", "cost", "decode_seconds", to=0.5),
        "summary.json.modes.full.cost.decode_seconds: is 0.5, and scores.csv gives 1.25",
    ),
    "bpp": (deep("modes", "full", "bpp", "mean", to=0.01), "summary.json.modes.full.bpp.mean: is 0.01"),
    "an interval without its mean": (
        deep("modes", "full", "metrics", "topiq_fr", "low", to=2.9),
        "modes.full.metrics.topiq_fr: the interval from 2.9 to ",
    ),
    "an interval of Overall": (
        deep("overall_interval", "t2i", to=[2.9, 3.0]),
        "summary.json.overall_interval.t2i: the interval from 2.9 to 3.0 does not hold the mean",
    ),
    "another ground truth": (
        deep("ground_truth", "digest", to="0" * 16),
        "summary.json.ground_truth.digest: is '0000000000000000'",
    ),
    "lower is better": (
        deep("metrics", "topiq_fr", "lower_is_better", to=True),
        "topiq_fr is told to be FR, lower is better: True",
    ),
    "other weights": (
        deep("metrics", "topiq_fr", "identity", to="weights 0000000000000000"),
        "topiq_fr was scored with 'weights 0000000000000000', not with the weights of submission.json",
    ),
    "another decoder": (deep("made_by", "t2i", to="ours"), "made_by t2i is 'ours', and manifest.json says 'real'"),
    "another target": (deep("target", to="ours"), "target is 'real', and summary.json says 'ours'"),
    "text for a number": (deep("overall", "t2i", to="3"), "summary.json: $.overall.t2i: anyOf"),
    "a metric that no row has": (
        lambda found: found["metrics"].update(x={"kind": "FR", "lower_is_better": False, "identity": ""}),
        "summary.json.over_modes: has no x",
    ),
    "images beyond all bounds": (
        deep("ground_truth", "images", to=10**9),
        "$.ground_truth.images: maximum 20000 does not hold",
    ),
    "a partial mode": (deep("ground_truth", "images", to=1000), "mode full has both scores of 7 of 1000 images"),
}
MANIFEST = {
    "hidden steps": (
        deep("modes", "full", "settings", "steps", to=20),
        "a deviation is not listed: mode full: steps 20, published 40",
    ),
    "a hidden seed": (
        deep("modes", "text", "settings", "seed", to=7),
        "a deviation is not listed: mode text: seed 7, published 42",
    ),
    "hidden strength": (
        deep("modes", "pixel", "settings", "strength", to=0.5),
        "a deviation is not listed: mode pixel: strength 0.5, published 0.8",
    ),
    "strength in text mode": (
        deep("modes", "text", "settings", "strength", to=0.5),
        "mode text: strength 0.5, published none",
    ),
    "steps that nothing tells": (
        lambda found: found["modes"]["full"]["settings"].pop("steps"),
        "mode full: steps is not told, published 40",
    ),
    "True for a seed": (deep("modes", "text", "settings", "seed", to=True), "mode text: seed True, published 42"),
    "a hidden LoRA": (
        deep("modes", "full", "settings", "lora", to="folder:1"),
        "a deviation is not listed: mode full: lora 'folder:1', which the published runs did not use",
    ),
    "two checkpoints": (
        deep("modes", "full", "settings", "checkpoint", to="hub:other/x"),
        "the modes were made by more than one checkpoint: 'hub:SG161222/RealVisXL_V4.0', 'hub:other/x'",
    ),
    "another prompt": (
        deep("modes", "image", "inputs", "odd", "prompt", to="0" * 16),
        "mode image: 1 images were not made with the fixed prompt",
    ),
    "another caption decoded": (
        deep("modes", "text", "inputs", "odd", "prompt", to="0" * 16),
        "odd.png, mode text: was decoded from another caption than that in captions.csv",
    ),
    "no prompt": (
        lambda found: found["modes"]["text"]["inputs"]["odd"].pop("prompt"),
        "odd.png, mode text: manifest.json does not tell from which prompt",
    ),
    "a size that is none": (
        deep("modes", "text", "inputs", "odd", "size", to="0x0"),
        "odd.png, mode text: manifest.json does not tell from which prompt and at which size",
    ),
    "no inputs": (
        lambda found: found["modes"]["text"]["inputs"].pop("odd"),
        "odd.png, mode text: manifest.json does not tell from which prompt",
    ),
    "an environment that is none": (deep("environment", to=[1]), "manifest.json: $.environment: type"),
    "a hidden baseline": (deep("baseline", to=True), "the decoder is a baseline, no generative model"),
    "a codec": (deep("codec", to="vvc"), "the pictures come from 'vvc', not from a decoder of the benchmark"),
    "no modes": (lambda found: found.pop("modes"), "manifest.json: $: required"),
    "settings that are none": (deep("modes", "full", "settings", to=[]), "manifest.json: $.modes.full.settings: type"),
}
SUBMISSION = {
    "Overall": (deep("overall", "t2i", to=3.1), "submission.json: overall is "),
    "a deviation left out": (
        lambda found: found["deviations"].pop(0),
        "submission.json: a deviation is not listed: ground truth of 7 images",
    ),
    "a deviation that is none": (
        lambda found: found["deviations"].append("less is more"),
        "a deviation is listed that the files do not show: 'less is more'",
    ),
    "a name that leads away": (deep("target", to="../x"), "the target '../x' is not a plain name"),
    "something said to be absent": (
        deep("absent", "rates.csv", to="lost"),
        "absent names ['rates.csv'], and [] are not there",
    ),
    "an unknown key": (deep("note", to="please"), "submission.json: $: additionalProperties"),
    "another format": (deep("format", to=2), "submission.json: $.format: const 1 does not hold"),
    "a weight's hash": (deep("weights", "topiq_fr", "sha256", to="0" * 64), "not with the weights of submission.json"),
    "weights of another name": (
        deep("weights", "topiq_fr", "file", to="../x"),
        "$.weights.topiq_fr.file: const 'topiq-fr.pth' does not hold",
    ),
    "images": (deep("images", to=1000), "submission.json: images is 1000, and summary.json says 7"),
}
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
