"""Every reader of a table or JSON file that travels, on damaged versions of one: refused by name, or read as a whole.

CMCBENCH_FUZZ=N in the environment tries N versions of each file.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mutations import mutations, share
from whole_tables import READERS

from cmcbench.anchors.imported_costs import read_costs
from cmcbench.errors import BadInput
from cmcbench.files import captions, manifest, rates, references, scores, store
from cmcbench.files.names import plain_name, stem


@pytest.fixture(params=READERS)
def table(request, tmp_path) -> tuple[Callable[[Path], Any], Path]:
    read, write = READERS[request.param]
    write(tmp_path / request.param)
    return read, tmp_path / request.param


def damaged(tmp_path: Path, name: str, data: bytes) -> Iterator[bytes]:
    """Each damaged version of a file, written to a path."""
    for changed in mutations(data, share(150)):
        (tmp_path / name).write_bytes(changed)
        yield changed


def harmless(message: str) -> bool:
    """Whether a message holds no control character and no half of a character."""
    return not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in message}


def test_damaged_tables_are_refused_or_come_back_as_they_were_read(table, tmp_path):
    read, path = table
    name, whole_table = path.name, path.read_bytes()
    write = {
        "rates.csv": rates.write,
        "rate.csv": references.write_rates,
        "sizes.csv": lambda path, found: references.write_sizes(path.parent, found),
        "scores.csv": scores.write,
    }[name]
    taken = 0
    for _ in damaged(tmp_path, name, whole_table):
        try:
            found = read(path)
        except (BadInput, ValueError) as error:
            assert harmless(str(error))
            continue
        taken += 1
        write(path, found)
        found = read(path) if name == "scores.csv" else found  # whose bpp has six decimals
        write(path, found)
        assert read(path) == found
        for row in found.values() if name == "rates.csv" else ():
            assert plain_name(row.name) and row.kind in ("measured", "nominal")
    assert taken


def test_damaged_captions_are_refused_or_every_text_is_a_plain_name_s(tmp_path):
    texts = {"a.png": "A red barn, two horses", "b.png": 'He said "so"', "scene.v2": "é 日本\nlines", "d.jpg": "x" * 50}
    captions.write(tmp_path / "x.csv", texts)
    for _ in damaged(tmp_path, "x.csv", (tmp_path / "x.csv").read_bytes()):
        try:
            found = captions.read(tmp_path / "x.csv")
        except BadInput as error:
            assert harmless(str(error))
            continue
        assert all(map(plain_name, found.texts)) and all(found.texts.values())
        assert len(set(map(stem, found.texts))) == len(found.texts)
        assert all(map(harmless, found.problems.values()))
        captions.write(tmp_path / "y.csv", found.texts)
        assert captions.read(tmp_path / "y.csv") == captions.Captions(found.texts, {})


def test_damaged_tables_of_bits_are_refused_or_every_value_is_a_number(tmp_path):
    rows = "name,bits,decode_seconds\na.png,100,1.5\nb.bin,204,\nscene.v2.png,8.0,2\n"
    for _ in damaged(tmp_path, "bits.csv", rows.encode()):
        try:
            _, costs, problems = read_costs(tmp_path / "bits.csv")
        except BadInput as error:
            assert harmless(str(error))
            continue
        assert all(0 <= cost.value < 1e15 for cost in costs.values()) and not costs.keys() & problems.keys()
        assert all(map(harmless, problems.values()))


def test_damaged_json_is_refused_or_can_be_written_again(tmp_path):
    value = {
        "modes": {"full": {"settings": {"steps": 40, "lora": ""}, "inputs": {"a": {"size": "5x6"}}}},
        "n": [1.5, None],
    }
    store.write_json(tmp_path / "x.json", value)
    taken = 0
    for _ in damaged(tmp_path, "x.json", (tmp_path / "x.json").read_bytes()):
        try:
            found = store.read_json(tmp_path / "x.json")
            modes = manifest.modes(found, tmp_path / "x.json")
        except BadInput as error:
            assert "x.json" in str(error) and len(str(error)) < 1000
            continue
        taken += 1
        store.write_json(tmp_path / "y.json", found)
        again = store.read_json(tmp_path / "y.json")  # half a surrogate pair is written as "?"
        assert again == json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        assert all(isinstance(mode["settings"], dict) and isinstance(mode["inputs"], dict) for mode in modes.values())
    assert taken
