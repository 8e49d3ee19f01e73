"""The deflate dictionaries: the shipped files, the folds, hostile bytes, and the tool that trains them."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import subprocess
import sys

import pytest
from bench import ROOT, write_captions

from cmcbench.bitstream import dictionary
from cmcbench.errors import BadInput

spec = importlib.util.spec_from_file_location("train_dictionary", ROOT / "tools" / "train_dictionary.py")
train_dictionary = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train_dictionary)

WORDS = (
    "a the red blue house tree stands near under bright sky with people walking slowly past several small boats".split()
)


def captions(count: int, seed: int = 0) -> dict[str, str]:
    chance = random.Random(seed)
    return {f"NSI_pgc_{number:03}": " ".join(chance.choices(WORDS, k=18)) + "." for number in range(count)}


@pytest.mark.parametrize("fold", [0, 1])
def test_the_shipped_files_are_what_the_module_and_the_page_state(fold):
    data = (ROOT / "cmcbench" / "bitstream" / "dictionary" / f"fold{fold}.dict").read_bytes()
    stated = dictionary.SHA256[fold]
    assert hashlib.sha256(data).hexdigest() == stated and 30_000 < len(data) <= 32_000 and dictionary.load(fold) == data
    page = (ROOT / "docs" / "rates.md").read_text(encoding="utf-8")
    assert stated in page and f"{len(data):,}" in page
    assert "MIT License" in (ROOT / "cmcbench" / "bitstream" / "dictionary" / "LICENSE.md").read_text()


def test_the_fold_is_of_the_name_alone_and_fixed_for_ever():
    stems = ("NSI_pgc_000", "NSI_pgc_001", "AIGI_DALLE3_000", "日本", "\ud800")
    first = [hashlib.sha256(stem.encode("utf-8", "surrogatepass")).digest()[0] for stem in stems]
    assert [dictionary.fold(stem) for stem in stems] == [byte % 2 for byte in first]
    assert dictionary.fold("NSI_pgc_000") == 1 and dictionary.fold("NSI_pgc_002") == 0
    assert 400 < sum(dictionary.fold(f"image{number}") for number in range(1000)) < 600


def test_deflate_is_raw_and_uses_the_dictionary():
    import zlib

    text = "The image depicts a serene landscape with a lake surrounded by trees."
    data = dictionary.deflate(text, dictionary.load(0))
    assert zlib.decompressobj(-15, dictionary.load(0)).decompress(data) == text.encode()
    assert len(data) < 0.5 * len(text) < len(dictionary.deflate(text, b""))
    assert dictionary.deflate_bits(text, "NSI_pgc_002") == 8 * len(data)


@pytest.mark.parametrize("text", ["", "x", "ü" * 3000, "🏠\u202e\0\n", "no word of it is in there: zqxj " * 40])
@pytest.mark.parametrize("fold", [0, 1])
def test_what_is_deflated_comes_back(text, fold):
    data = dictionary.deflate(text, dictionary.load(fold))
    assert dictionary.inflate(data, dictionary.load(fold), 1 << 16).decode() == text


def test_hostile_bytes_are_refused_and_bounded():
    shared = dictionary.load(0)
    bomb = dictionary.deflate("a" * 10_000_000, shared)
    good = dictionary.deflate("A red house.", shared)
    assert len(bomb) < 20_000
    for data, words in (
        (bomb, "more than 5000 bytes"),
        (good[:-1], "too early"),
        (good + b"\0", "too late"),
        (b"", "too early"),
        (b"\xff" * 9, "damaged"),
    ):
        with pytest.raises(dictionary.Undecodable, match=words):
            dictionary.inflate(data, shared, 5000)


def test_another_file_in_a_dictionary_s_place_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dictionary, "FOLDER", tmp_path)
    dictionary.load.cache_clear()
    try:
        for data in (None, b"another"):
            if data:
                dictionary.store(tmp_path, 1, data)
            with pytest.raises(BadInput, match="git checkout"):
                dictionary.load(1)
    finally:
        dictionary.load.cache_clear()


# The tool


def test_a_dictionary_has_seen_no_caption_of_the_images_it_codes():
    tables = [captions(40, 1), captions(40, 2)]
    for fold in (0, 1):
        texts = train_dictionary.training_set(tables, fold)
        others = {stem for stem in tables[0] if dictionary.fold(stem) != fold}
        assert texts == [table[stem].encode() for stem in sorted(others) for table in tables] and len(others) > 10


def test_phrases_stand_in_two_captions_and_the_most_frequent_last():
    often, twice, once = b"a common ending of it", b"of two captions only.", b"0123456789 stands once"
    texts = [b"1" + often, b"2" + often, b"3" + often, b"x" + twice, b"y" + twice, once]
    found = train_dictionary.train(texts)
    assert found.endswith(often) and found.startswith(twice) and len(found) == len(often) + len(twice)
    assert train_dictionary.train(texts, limit=25) == often
    assert train_dictionary.train([]) == train_dictionary.train([b"short", b""]) == b""


def test_a_dictionary_of_other_captions_helps():
    table = captions(80)
    shared = {fold: train_dictionary.train(train_dictionary.training_set([table], fold)) for fold in (0, 1)}
    assert train_dictionary.measure(table, shared) < 0.7 * train_dictionary.measure(table, {0: b"", 1: b""})


def test_the_tool_is_deterministic_and_says_what_it_made(tmp_path):
    file = write_captions(tmp_path / "Text" / "some.csv", {f"{stem}.png": text for stem, text in captions(30).items()})
    said = []
    for seed in ("1", "2"):
        command = [
            sys.executable,
            str(ROOT / "tools" / "train_dictionary.py"),
            str(file),
            "--output",
            str(tmp_path / seed),
        ]
        said.append(
            subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
        )
    for fold in (0, 1):
        one, two = ((tmp_path / seed / f"fold{fold}.dict").read_bytes() for seed in ("1", "2"))
        assert one == two and hashlib.sha256(one).hexdigest() in said[0]
    assert said[0] == said[1] and "30 captions, " in said[0]


def test_the_tool_measures_the_shipped_dictionaries(tmp_path, monkeypatch, capsys):
    file = write_captions(tmp_path / "some.csv", {"NSI_pgc_000.png": "The image depicts a serene landscape."})
    monkeypatch.setattr(sys, "argv", ["train_dictionary.py", str(file)])
    train_dictionary.main()
    said = capsys.readouterr().out
    assert dictionary.SHA256[0] in said and dictionary.SHA256[1] in said and "1 captions" in said
