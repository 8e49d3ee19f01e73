"""The journals of captions: what a kill leaves is read, what is no journal is refused, saving takes a small part of the
run.
"""

from __future__ import annotations

import errno
import io
import json

import pytest
from bench import write_truth

from cmcbench.encode import journal, ledger
from cmcbench.errors import BadInput
from cmcbench.files.captions import read
from cmcbench.runtime import pace

SETTINGS = {"model": "me", "words": 10}


@pytest.fixture
def file(tmp_path):
    """A journal of two captions."""
    one = journal.Journal(tmp_path / "Text" / "a[1].csv", 3, lasting=True)
    one.add(SETTINGS, "a.png", 'two\n"lines" \ud800', {"sha256": "0"})
    one.add(SETTINGS, "b.png", "second", {"sha256": "1"})
    one.close()
    return one.path


def test_what_is_added_is_read_and_a_later_line_counts(file):
    assert journal.read(file) == journal.Kept(
        SETTINGS,
        {"a.png": 'two\n"lines" \ud800', "b.png": "second"},
        {"a.png": {"sha256": "0"}, "b.png": {"sha256": "1"}},
    )
    with open(file, "a") as more:
        more.write(json.dumps({"name": "a.png", "text": "new", "made_of": {"seconds": 1}}) + "\n")
    assert journal.read(file).texts == {"a.png": "new", "b.png": "second"}


def test_a_journal_cut_anywhere_holds_its_whole_lines(file):
    whole = file.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert len(journal.read(file).texts) == max(0, sum(end <= length for end in ends) - 1)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        '{"name": "a.png", "text": "", "made_of": {}}',
        '{"name": "../a.png", "text": "x", "made_of": {}}',
        '{"name": 5, "text": "x", "made_of": {}}',
        '{"name": "a.png", "text": "x", "made_of": 5}',
        "[" * 100000,
        '{"name": "a.png", "text": "x", "made_of": {"seconds": NaN}}',
        '{"name": "a.png", "text": "x", "made_of": {"usage": [1]}}',
        '{"name": "a.png", "text": "x", "made_of": {"usage": {"usd": 1e999}}}',
    ],
)
def test_what_is_no_journal_is_refused(file, line):
    with open(file, "a") as more:
        more.write(line + "\n")
    with pytest.raises(BadInput, match="no journal of captions"):
        journal.read(file)


def test_journals_are_found_by_their_captions(file):
    text = file.parent
    for name in (".a[1].part-12.jsonl", ".a1.part-0.jsonl", ".a[1].part-0.part-1.jsonl", ".a[1].part-x.jsonl"):
        (text / name).touch()
    assert journal.found(text / "a[1].csv") == [text / ".a[1].part-12.jsonl", file]
    assert journal.found(text / "nowhere" / "a.csv") == []


def test_a_run_removes_its_own_journal_only_and_refuses_a_broken_one(faked):
    write_truth(faked.folder / "GT", 2)
    faked.encode("--model_name", "me")
    text = faked.folder / "Text"
    assert {path.name for path in text.iterdir()} <= {"me.csv", "me.json", ".me.lock"}
    broken = text / ".me.part-0.jsonl"
    broken.write_text("{}\n")
    before = faked.files("Text/*")
    assert "no journal of captions" in faked.encode("--model_name", "me", code=2).stderr and broken.exists()
    assert faked.files("Text/*") == before
    faked.encode("--model_name", "me", "--overwrite")
    assert not broken.exists()


def begun(folder, settings, texts):
    """The journal of a run that was killed before it saved anything."""
    lines = [{"settings": settings}, *({"name": name, "text": text, "made_of": {}} for name, text in texts.items())]
    (folder / "Text" / ".me.part-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_captions_anew_of_some_images_keep_those_that_a_killed_run_made_of_others(faked):
    """They may have been paid for; what of a journal cannot be kept stops the run, as it does where it stands in the
    CSV.
    """
    write_truth(faked.folder / "GT", 3)
    faked.encode("--model_name", "me")
    text = faked.folder / "Text"
    settings = json.loads((text / "me.json").read_text())["settings"]
    first, *others = read(text / "me.csv").texts
    (text / "me.csv").unlink(), (text / "me.json").unlink()
    begun(text.parent, {**settings, "words": 7}, dict.fromkeys(others, "paid"))
    refused = faked.encode("--model_name", "me", "--overwrite", "--images", first.split(".")[0], code=2).stderr
    assert "words was 7" in refused and "--overwrite without --subset and --images" in refused
    (text / ".me.part-0.jsonl").write_text("{}\n")
    faked.encode("--model_name", "me", "--overwrite", "--images", first.split(".")[0], code=2)
    begun(text.parent, settings, dict.fromkeys((first, *others), "paid"))
    faked.encode("--model_name", "me", "--overwrite", "--images", first.split(".")[0])
    texts = read(text / "me.csv").texts
    assert "picture" in texts[first] and [texts[name] for name in others] == ["paid", "paid"]
    begun(text.parent, {**settings, "words": 7}, dict.fromkeys(others, "old"))
    faked.encode("--model_name", "me", "--overwrite")
    assert "old" not in read(text / "me.csv").texts.values()


@pytest.mark.parametrize(
    "change",
    [
        {"settings": [1]},
        {"settings": None},
        {"images": [1]},
        {"images": {"x.png": 5}},
        {"images": {"x.png": {"usage": [1]}}},
        {"images": {"x.png": {"usage": {"usd": float("inf")}}}},
        {"images": {"x.png": {"seconds": float("nan")}}},
    ],
)
def test_what_is_no_manifest_of_captions_is_refused_and_costs_no_caption(faked, change):
    write_truth(faked.folder / "GT", 2)
    faked.encode("--model_name", "me")
    file = faked.folder / "Text" / "me.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    before = faked.files("Text/*")
    said = faked.encode("--model_name", "me", code=2).stderr
    assert "no manifest of captions" in said or "is not readable JSON" in said
    faked.encode("--model_name", "me", "--overwrite", "--subset", 1, code=2)
    assert faked.files("Text/*") == before
    faked.encode("--model_name", "me", "--overwrite")


def test_half_a_surrogate_pair_from_a_server_stops_no_saving(faked):
    write_truth(faked.folder / "GT", 1)
    faked.encode("--model_name", "me")
    text = faked.folder / "Text"
    settings, name = json.loads((text / "me.json").read_text())["settings"], next(iter(read(text / "me.csv").texts))
    (text / "me.csv").unlink(), (text / "me.json").unlink()
    line = json.dumps({"name": name, "text": "paid", "made_of": {"finish_reason": "\ud800"}})
    (text / ".me.part-0.jsonl").write_text(json.dumps({"settings": settings}) + f"\n{line}\n")
    faked.encode("--model_name", "me")
    assert read(text / "me.csv").texts == {name: "paid"}


def test_a_usage_that_cannot_be_summed_costs_no_caption(faked):
    write_truth(faked.folder / "GT", 2)
    (faked.folder / "mine.py").write_text(
        "from models.base import Caption, I2TModel\n"
        "class Model(I2TModel):\n"
        "    def load(self, *_, **options): pass\n"
        "    def caption(self, images, prompt, words):\n"
        "        usage = {'a': float('nan'), 'b': 10**400, 'c': [1], 'tokens': 2}\n"
        "        return [Caption('a picture', 'stop', usage) for _ in images]\n"
    )
    faked.fake = False
    faked.encode("--model_name", "./mine.py")
    record = json.loads((faked.folder / "Text" / "mine.json").read_text())
    assert record["usage"] == {"tokens": 4} and len(read(faked.folder / "Text" / "mine.csv").texts) == 2


def test_a_disk_that_takes_a_part_of_a_line_gets_the_rest_or_tells(tmp_path):
    class Part(io.BytesIO):
        room = 10**6

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, "full")
            taken = data[: min(5, self.room)]
            self.room -= len(taken)
            return super().write(taken)

    one = journal.Journal(tmp_path / "a.csv", 0, lasting=False)
    one._lines._file, one._lines.begun = Part(), True
    one.add({}, "a.png", "text", {})
    assert json.loads(one._lines._file.getvalue()) == {"name": "a.png", "text": "text", "made_of": {}}
    one._lines._file.room = 7
    with pytest.raises(OSError, match="full"):
        one.add({}, "b.png", "text", {})


def test_captions_are_saved_after_a_while_and_at_the_end(faked, monkeypatch):
    """With a long pause between savings there are two: after the first caption, and at the end."""
    write_truth(faked.folder / "GT", 6)
    saved = []
    write = ledger.captions.write
    monkeypatch.setattr(ledger.captions, "write", lambda path, texts: (saved.append(len(texts)), write(path, texts)))
    monkeypatch.setattr(pace, "PAUSE", 1e9)
    faked.encode("--model_name", "me")
    assert saved == [1, 6]
    monkeypatch.setattr(pace, "PAUSE", 0)
    faked.encode("--model_name", "often")
    assert saved[2:] == [1, 2, 3, 4, 5, 6]
    assert faked.files("Text/me.csv")["Text/me.csv"] == faked.files("Text/often.csv")["Text/often.csv"]


def test_how_long_a_caption_took_is_kept(faked):
    write_truth(faked.folder / "GT", 4)
    faked.encode("--model_name", "me", "--batch_size", 2, FAKE_SECONDS="0.2")
    images = json.loads((faked.folder / "Text" / "me.json").read_text())["images"]
    assert all(0.1 <= image["seconds"] < 1 for image in images.values()) and len(images) == 4
