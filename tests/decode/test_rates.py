"""rates.csv: what each reconstruction cost, through killed runs, several processes, and into scores and summaries."""

from __future__ import annotations

import csv
import json
import signal
import sys
import types
from dataclasses import fields, replace
from pathlib import Path

import pytest
from bench import write_captions, write_truth
from PIL import Image

from cmcbench.bitstream.dictionary import deflate_bits
from cmcbench.bitstream.inputs import DecoderInput
from cmcbench.decode import clock, ledger
from cmcbench.decode.clock import Clock
from cmcbench.decode.ledger import CostLedger
from cmcbench.errors import BadInput
from cmcbench.files import rates, scores
from cmcbench.files.captions import read as read_captions
from cmcbench.files.rates import Cost
from cmcbench.files.scores import ScoreRow
from cmcbench.files.store import digest
from cmcbench.files.target import Target
from cmcbench.runtime import pace
from cmcbench.runtime.ranks import Ranks
from cmcbench.score.summary import by_mode

MODES = ("full", "image", "pixel", "text")
MEASURED_COLUMNS = ("encode_seconds", "decode_seconds", "peak_memory")


pytestmark = pytest.mark.usefixtures("avif")


@pytest.fixture
def ready(faked, small_truth):
    """GT and captions of four images; no references yet."""
    write_captions(
        faked.folder / "Text" / "gpt4v.csv",
        {path.name: f"caption of {path.stem}" for path in sorted(small_truth.iterdir())},
    )
    return faked


@pytest.fixture
def published(ready, small_truth):
    """With references that no rate.csv tells of, as the published ones."""
    for kind, colour in (("image", "red"), ("pixel", "blue")):
        (ready.folder / "Ref" / kind).mkdir(parents=True)
        for path in small_truth.iterdir():
            with Image.open(path) as image:
                Image.new("RGB", image.size, colour).save(ready.folder / "Ref" / kind / path.name)
    return ready


def table_of(bench, name="real") -> rates.Rates:
    return rates.read(bench.folder / "Result" / name / "rates.csv")


def untimed(found: rates.Rates) -> rates.Rates:
    return {key: replace(row, **dict.fromkeys(MEASURED_COLUMNS)) for key, row in found.items()}


def test_every_part_is_counted(faked, small_truth):
    faked.encode("--model_name", "me", "--references", "--bpp", "0.2")
    faked.decode("--mode", "all", "--input_path", "Text/me.csv")
    with open(faked.folder / "Ref" / "rate.csv", newline="") as file:
        references = {(row["reference"], Path(row["name"]).stem): row for row in csv.DictReader(file)}
    captions = {Path(name).stem: text for name, text in read_captions(faked.folder / "Text" / "me.csv").texts.items()}
    took = {
        Path(name).stem: made["seconds"]
        for name, made in json.loads((faked.folder / "Text/me.json").read_text())["images"].items()
    }
    found = table_of(faked, "real+me")
    assert set(found) == {(path.stem, mode) for path in small_truth.iterdir() for mode in MODES}
    for (stem, mode), row in found.items():
        reference = {"full": "image", "image": "image", "pixel": "pixel"}.get(mode)
        coded = references.get((reference, stem))
        expected = {
            "caption_bits": 8 * len(captions[stem].encode()) if mode != "image" else 0,
            "deflate_bits": deflate_bits(captions[stem], stem) if mode != "image" else 0,
            "pixel_bits": int(coded["bits"]) if reference == "pixel" else 0,
            "image_bits": int(coded["bits"]) if reference == "image" else 0,
        }
        assert {name: getattr(row, name) for name in expected} == expected
        assert (
            row.bits == row.caption_bits + row.pixel_bits + row.image_bits
            and row.kind == "measured"
            and row.packed_bits is None
        )
        assert row.sha256 == digest((faked.folder / "Result/real+me" / mode / row.name).read_bytes())
        encode = (took[stem] if mode != "image" else 0) + (float(coded["seconds"]) if coded else 0)
        assert row.encode_seconds == pytest.approx(encode, abs=1e-5)
        assert 10e6 < row.peak_memory < 100e9


def test_nothing_of_it_is_in_the_manifest(published):
    published.decode("--mode", "all")
    modes = json.loads((published.folder / "Result/real/manifest.json").read_text())["modes"]
    assert {key for mode in modes.values() for made_of in mode["inputs"].values() for key in made_of} == {
        "prompt",
        "guide",
        "size",
    }


def test_published_references_are_nominal_and_said_once(published, small_truth):
    done = published.decode("--mode", "all")
    assert done.stderr.count("marked nominal") == 1 and "0.02 bpp for image and 8 bits a block for pixel" in done.stderr
    for (stem, mode), row in table_of(published).items():
        with Image.open(small_truth / f"{stem}.png") as image:
            width, height = image.size
        image_bits = round(0.02 * width * height) if mode in ("full", "image") else 0
        pixel_bits = 8 * -(-width // 64) * -(-height // 64) if mode == "pixel" else 0
        assert (row.image_bits, row.pixel_bits) == (image_bits, pixel_bits)
        assert row.bits == row.caption_bits + image_bits + pixel_bits
        assert row.kind == ("measured" if mode == "text" else "nominal")
        assert row.encode_seconds is None  # nobody knows what making the references took
    assert "nominal" not in published.decode("--mode", "text", "--result_name", "words").stderr


def test_a_reference_that_another_row_tells_of_is_nominal(faked, small_truth):
    """rate.csv tells of another file than the one that is there."""
    faked.encode("--model_name", "none", "--references")
    path = sorted((faked.folder / "Ref" / "image").iterdir())[0]
    with Image.open(path) as image:
        Image.new("RGB", image.size, "white").save(path)
    assert f"rate.csv has no row for 1 reference(s) (first: {path.stem})" in faked.decode("--mode", "image").stderr
    assert {stem for (stem, _), row in table_of(faked).items() if row.kind == "nominal"} == {path.stem}


def test_a_rate_that_becomes_known_replaces_the_nominal_one(faked, small_truth):
    faked.encode("--model_name", "none", "--references")
    file = faked.folder / "Ref" / "rate.csv"
    whole = file.read_bytes()
    file.unlink()
    faked.decode("--mode", "image")
    nominal = table_of(faked)
    file.write_bytes(whole)
    faked.decode("--mode", "image")
    measured = table_of(faked)
    assert {row.kind for row in nominal.values()} == {"nominal"} and {row.kind for row in measured.values()} == {
        "measured"
    }
    for key, row in measured.items():
        kept = ("decode_seconds", "peak_memory", "sha256")
        assert [getattr(row, name) for name in kept] == [getattr(nominal[key], name) for name in kept]


def test_order_batch_and_subset_change_no_bits(published):
    published.decode("--mode", "all")
    published.decode("--mode", "text", "--images", "SCI*", "--result_name", "parts")
    for mode in reversed(MODES):
        published.decode("--mode", mode, "--batch_size", 3, "--result_name", "parts")
    assert untimed(table_of(published)) == untimed(table_of(published, "parts"))


def test_a_picture_without_a_row_gets_one_without_seconds(published):
    published.decode("--mode", "all")
    whole = table_of(published)
    file = published.folder / "Result/real/rates.csv"
    lost = sorted(whole)[1]
    rates.write(file, {key: row for key, row in whole.items() if key != lost})
    published.decode("--mode", "all")
    found = table_of(published)
    assert untimed(found) == untimed(whole) and found[lost].decode_seconds is None and found[lost].peak_memory is None
    file.unlink()
    published.decode("--mode", "text")
    assert untimed(table_of(published)) == {key: row for key, row in untimed(whole).items() if key[1] == "text"}


def test_a_picture_made_anew_loses_the_old_row_first(published):
    """A run killed after the picture and before its row must not leave the row of the picture before."""
    published.decode("--mode", "text")
    before = table_of(published)
    victim = sorted(before)[0]
    (published.folder / "Result/real/text" / f"{victim[0]}.png").unlink()
    process = published.start("script-t2i.py", "--mode", "text", FAKE_SECONDS="30")
    published.until(lambda: victim not in table_of(published), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert set(table_of(published)) == set(before) - {victim}


def test_overwrite_with_a_model_that_does_not_load_keeps_the_rows(published):
    published.decode("--mode", "text")
    before = table_of(published)
    published.decode("--mode", "text", "--overwrite", "--model_dir", "broken", code=2)
    assert table_of(published) == before
    published.decode("--mode", "text", "--overwrite")
    assert untimed(table_of(published)) == untimed(before)


def test_an_interrupted_run_keeps_the_rows_of_what_it_made(faked):
    truth = write_truth(faked.folder / "GT", 10)
    write_captions(faked.folder / "Text" / "gpt4v.csv", {path.name: "a caption" for path in truth.iterdir()})
    folder = faked.folder / "Result/real/text"
    process = faked.start("script-t2i.py", "--mode", "text", FAKE_SECONDS="0.2")
    faked.until(lambda: len(list(folder.glob("*.png"))) > 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    found = table_of(faked)
    assert {stem for stem, _ in found} == {path.stem for path in folder.glob("*.png")}
    timed = [row.decode_seconds for row in found.values() if row.decode_seconds is not None]
    assert len(timed) == len(found) - 1 and all(0.2 <= seconds < 2 for seconds in timed)  # the first one warmed up


BROKEN = {
    "no CSV": b'"',
    "no UTF-8": b"\xff\xfe",
    "another table": b"a,b\n1,2\n",
    "no count": b"name,mode,bits\nx.png,text,many\n",
    "below 0": b"name,mode,bits\nx.png,text,-8\n",
    "beyond all pictures": b"name,mode,bits\nx.png,text," + b"9" * 400 + b"\n",
    "no time": b"name,mode,decode_seconds\nx.png,text,nan\n",
    "no kind": b"name,mode,kind\nx.png,text,guessed\n",
    "a short row": b"mode,name\ntext\n",
    "a long row": b"name,mode\nx.png,text,3\n",
    "a name that leads elsewhere": b"name,mode\n../x.png,text\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_refused_and_not_touched(tmp_path, data):
    (tmp_path / "rates.csv").write_bytes(data)
    with pytest.raises(BadInput, match="rates.csv is not a table of rates of this program .*Move it away"):
        rates.read(tmp_path / "rates.csv")


def test_a_broken_table_stops_decoding_and_scoring_before_the_work(published):
    published.decode("--mode", "text")
    file = published.folder / "Result/real/rates.csv"
    file.write_bytes(b"a,b\n1,2\n")
    done = published.decode("--mode", "all", code=2)
    assert "is not a table of rates" in done.stderr and "loaded" not in done.stderr
    assert "is not a table of rates" in published.score("--metrics", "psnr", code=2).stderr
    assert file.read_bytes() == b"a,b\n1,2\n" and not (published.folder / "Result/real/scores.csv").exists()


def test_rows_come_back(tmp_path):
    found = {
        row.key: row
        for row in (
            Cost("b, x.png", "image", 8, "nominal", 0, 0, 0, 8, 96, 0.25, 1e-06, 1 << 40, "37", 2, "0" * 16),
            Cost("日本.png", "text", sha256="1" * 16),
            Cost("日本.png", "full", 0),
        )
    }
    rates.write(tmp_path / "rates.csv", found)
    assert rates.read(tmp_path / "rates.csv") == found and rates.read(tmp_path / "none.csv") == {}
    assert (tmp_path / "rates.csv").read_text().splitlines()[0].split(",") == [each.name for each in fields(Cost)]


# Several processes and runs, without starting any


def jobs_of(folder: Path, mode: str, count: int = 4) -> dict[str, list[DecoderInput]]:
    """Jobs whose pictures are there."""
    jobs = []
    for number in range(count):
        stem = f"p{number}"
        (folder / mode).mkdir(parents=True, exist_ok=True)
        (folder / mode / f"{stem}.png").write_bytes(f"{mode} {stem}".encode())
        jobs.append(DecoderInput(stem, "x", None, (1, 1), {}, Cost(f"{stem}.png", mode, 8, caption_bits=8)))
    return {mode: jobs}


def made(work: CostLedger, jobs: dict[str, list[DecoderInput]], seconds: float) -> None:
    for mode, planned in jobs.items():
        for job in planned:
            work.add(job, f"{mode} {job.stem}".encode(), seconds, 7)


def test_each_process_writes_its_own_rows_and_the_first_takes_them_over(tmp_path):
    jobs = jobs_of(tmp_path, "text")
    works = [CostLedger(tmp_path, jobs, Ranks(number, 2)) for number in range(2)]
    works[0].open({"text": jobs["text"]})
    for number, work in enumerate(works):
        made(work, {"text": jobs["text"][number::2]}, float(number))
        work.end()
    assert {stem for stem, _ in rates.read(tmp_path / "rates.csv")} == {"p0", "p2"} and len(
        list(tmp_path.glob(".rates.part-*"))
    ) == 1
    works[0].take_over()
    found = rates.read(tmp_path / "rates.csv")
    assert {stem: row.decode_seconds for (stem, _), row in found.items()} == {"p0": 0, "p1": 1, "p2": 0, "p3": 1}
    assert not list(tmp_path.glob(".rates.part-*"))


def test_a_killed_process_s_rows_are_taken_over_by_the_next_run_where_they_are_of_the_picture(tmp_path, capsys):
    jobs = jobs_of(tmp_path, "text")
    killed = CostLedger(tmp_path, jobs, Ranks(1, 2))
    made(killed, jobs, 3.0)
    killed.end()
    (tmp_path / "text" / "p2.png").write_bytes(b"another picture")
    (tmp_path / ".rates.part-text-5.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / ".rates.part-full+text-1.csv").write_bytes(b"of a run that may still be at it")
    work = CostLedger(tmp_path, jobs, Ranks())
    work.open({"text": jobs["text"][3:]})
    found = rates.read(tmp_path / "rates.csv")
    assert {stem: row.decode_seconds for (stem, _), row in found.items()} == {"p0": 3, "p1": 3, "p2": None}
    assert found["p2", "text"].sha256 == digest(b"another picture")
    assert [path.name for path in tmp_path.glob(".rates.part-*")] == [".rates.part-full+text-1.csv"]
    assert "note: " in capsys.readouterr().err


def test_two_runs_at_other_modes_keep_each_other_s_rows(tmp_path):
    works = []
    for mode in ("full", "text"):
        jobs = jobs_of(tmp_path, mode)
        works.append((CostLedger(tmp_path, jobs, Ranks()), jobs))
        works[-1][0].open(jobs)
    for work, jobs in works:
        made(work, jobs, 1.0)
    for work, _ in works:
        work.end()
    assert len(rates.read(tmp_path / "rates.csv")) == 8


def test_saving_is_a_bounded_share_of_the_run(tmp_path, monkeypatch):
    jobs = jobs_of(tmp_path, "text", 30)
    clock, saved = [0.0], []

    def write(path, rows):
        clock[0] += 0.05  # what saving takes
        saved.append(clock[0])

    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(ledger.rates, "write", write)
    monkeypatch.setattr(ledger.rates, "read", lambda path: {})
    work = CostLedger(tmp_path, jobs, Ranks())
    for job in jobs["text"]:
        work.add(job, b"", 0.58, None)
        clock[0] += 0.58
        work.save_if_due()
    work.end()
    assert 2 <= len(saved) <= 2 + clock[0] / 5


# What is timed


def test_the_first_batch_is_no_time_where_others_follow():
    for batches, expected in ((3, [False, True, True]), (1, [True]), (0, [])):
        clock = Clock(batches, "cpu", here=True)
        found = []
        for _ in range(batches):
            clock.start()
            found.append(clock.stop(2) is not None)
        assert found == expected


def test_memory_is_the_device_s_the_process_s_or_nobody_s(monkeypatch):
    calls = []
    cuda = types.SimpleNamespace(
        reset_peak_memory_stats=lambda device: calls.append(device),
        max_memory_allocated=lambda device: 123 if device == "cuda:1" else 0,
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    clock = Clock(1, "cuda:1", here=True)
    clock.start()
    assert clock.memory() == 123 and calls == ["cuda:1"]
    own = Clock(1, "cpu", here=True)
    own.start()
    assert 10e6 < own.memory() < 100e9 and calls == ["cuda:1"]
    assert Clock(1, "cuda:1", here=False).memory() is None  # the model is in another process


def test_memory_where_the_system_tells_it_otherwise(monkeypatch):
    """macOS tells bytes, other systems KiB, Windows nothing by this way."""

    def absent(path):
        raise FileNotFoundError(path)

    exact = clock.own_peak()
    monkeypatch.setattr(clock.Path, "read_text", absent)
    usage = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=3000))
    monkeypatch.setitem(clock.sys.modules, "resource", usage)
    for platform, expected in (("linux", 3_072_000), ("darwin", 3000)):
        monkeypatch.setattr(clock.sys, "platform", platform)
        assert clock.own_peak() == expected
    monkeypatch.setitem(clock.sys.modules, "resource", None)
    assert clock.own_peak() is None and exact > 10e6


# Into scores and summaries


def score(bench, *more):
    bench.score("--metrics", "psnr", *more)
    with open(bench.folder / "Result/real/scores.csv", newline="") as file:
        return list(csv.DictReader(file)), json.loads((bench.folder / "Result/real/summary.json").read_text())


def test_scores_and_summary_mark_what_is_nominal(published):
    published.decode("--mode", "all")
    rows, summary = score(published)
    spent = table_of(published)
    for row in rows:
        known = spent[Path(row["name"]).stem, row["mode"]]
        assert row["kind"] == known.kind == ("measured" if row["mode"] == "text" else "nominal")
        for column in ("bits", "caption_bits", "deflate_bits", "pixel_bits", "image_bits", "peak_memory"):
            assert int(row[column]) == getattr(known, column)
        assert row["packed_bits"] == row["encode_seconds"] == ""
    for mode, each in summary["modes"].items():
        assert each["rate"]["kind"] == ("measured" if mode == "text" else "nominal")
        assert each["rate"]["ratio"] == pytest.approx(24 / each["bpp"]["mean"])
        parts = [each["rate"][part] for part in ("caption", "pixel", "image")]
        assert sum(parts) == pytest.approx(each["bpp"]["mean"], abs=1e-6)
        assert (
            each["rate"]["packed"] is None
            and each["cost"]["encode_seconds"] is None
            and each["cost"]["peak_memory"] > 10e6
        )


def test_another_picture_inherits_no_row(published):
    published.decode("--mode", "text")
    victim = sorted((published.folder / "Result/real/text").glob("*.png"))[0]
    with Image.open(victim) as image:
        Image.new("RGB", image.size, "white").save(victim)
    rows, summary = score(published)
    assert {row["name"]: row["bits"] == "" for row in rows} == {row["name"]: row["name"] == victim.name for row in rows}
    assert summary["modes"]["text"]["bpp"]["n"] == 3


def test_rates_written_after_scoring_reach_the_table_without_scoring_again(published):
    published.decode("--mode", "text")
    file = published.folder / "Result/real/rates.csv"
    whole = file.read_bytes()
    file.unlink()
    rows, summary = score(published)
    assert {row["bits"] for row in rows} == {""} and summary["modes"]["text"]["rate"] is None
    file.write_bytes(whole)
    done = published.score("--metrics", "psnr")
    assert "scores:" not in done.stderr
    rows, summary = score(published)
    assert "" not in {row["bits"] for row in rows} and summary["modes"]["text"]["rate"]["kind"] == "measured"


def test_a_score_table_from_before_there_were_kinds_keeps_its_scores(tmp_path):
    head = "name,type,source,mode,psnr,bits,bpp,ground_truth,reconstruction"
    (tmp_path / "scores.csv").write_text(f"{head}\nNSI_pgc_000.png,NSI,pgc,text,31.5,80,0.001,aa,bb\n")
    row = scores.read(tmp_path / "scores.csv")["NSI_pgc_000", "text"]
    assert row.scores == {"psnr": 31.5} and row.spent is None and row.bpp == 0.001
    scores.write(tmp_path / "scores.csv", {("NSI_pgc_000", "text"): row})
    assert scores.read(tmp_path / "scores.csv")["NSI_pgc_000", "text"] == row


def test_spent_comes_back_from_a_score_table(tmp_path):
    spent = Cost("a.png", "full", 100, "nominal", 20, 9, 0, 80, None, None, 0.5, 1 << 33)
    row = ScoreRow("a.png", "full", "aa", "bb", {"psnr": 1.0}, spent, 0.25)
    scores.write(tmp_path / "scores.csv", {("a", "full"): row})
    assert scores.read(tmp_path / "scores.csv") == {("a", "full"): row} and row.nominal


def test_rate_and_cost_of_a_mode():
    def row(number: int, **spent) -> ScoreRow:
        bpp = spent["bits"] / 1000 if spent["bits"] else None
        return ScoreRow(f"NSI_pgc_{number:03}.png", "full", "", "", {}, Cost("x", "full", **spent), bpp)

    rows = [
        row(
            1,
            bits=30,
            caption_bits=10,
            deflate_bits=4,
            image_bits=20,
            packed_bits=40,
            decode_seconds=1.0,
            peak_memory=5,
        ),
        row(2, bits=10, caption_bits=10, deflate_bits=6, image_bits=0, decode_seconds=2.0, encode_seconds=4.0),
        row(3, bits=None, decode_seconds=6.0, peak_memory=9),
        ScoreRow("NSI_pgc_004.png", "full", "", ""),
    ]
    found = by_mode(rows, ["full"], [])["full"]
    assert found["bpp"] == {"mean": pytest.approx(0.02), "n": 2}
    assert found["rate"] == {
        "kind": "measured",
        "ratio": pytest.approx(1200),
        "caption": pytest.approx(0.01),
        "deflate": pytest.approx(0.005),
        "pixel": None,
        "image": pytest.approx(0.01),
        "packed": None,
    }
    assert found["cost"] == {"encode_seconds": 4.0, "decode_seconds": 3.0, "peak_memory": 9}
    nominal = replace(rows[0], spent=replace(rows[0].spent, kind="nominal"))
    assert by_mode([nominal, rows[1]], ["full"], [])["full"]["rate"]["kind"] == "nominal"
    nothing = by_mode(rows[3:], ["full"], [])["full"]
    assert nothing["rate"] is None and nothing["cost"] == {
        "encode_seconds": None,
        "decode_seconds": None,
        "peak_memory": None,
    }


def test_a_target_s_row_is_found_by_name_mode_and_content(tmp_path):
    row = Cost("a.png", "full", 100, level="37", scale=2, sha256="s")
    target = Target("t", tmp_path, {}, {}, {row.key: row})
    assert target.spent("a.jpg", "full", "s") == Cost("a.jpg", "full", 100)
    assert (
        target.spent("a.jpg", "text", "s")
        is target.spent("a.jpg", "full", "other")
        is target.spent("b.jpg", "full", "s")
        is None
    )
