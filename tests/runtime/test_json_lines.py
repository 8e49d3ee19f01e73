"""Files of JSON lines: what was added stays, half lines of killed runs do no harm, and links are not followed."""

from __future__ import annotations

import json
import os

from cmcbench.runtime.json_lines import JsonLines


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.endswith(b"}")]


def test_lines_outlive_the_process_as_soon_as_they_are_added(tmp_path):
    file = JsonLines(tmp_path / "sub" / "x.jsonl")
    assert not file.begun and not file.path.exists()
    file.add({"a": 1}, {"b": "é"})
    assert file.begun and lines(file.path) == [{"a": 1}, {"b": "é"}]
    file.close()
    file.add({"c": 3})
    file.close()
    file.close()
    assert lines(file.path) == [{"a": 1}, {"b": "é"}, {"c": 3}]


def test_a_file_is_gone_on_with_or_begun_again(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"old": 1}\n{"ha')
    JsonLines(path).add({"new": 2})
    assert lines(path) == [{"old": 1}, {"new": 2}]
    fresh = JsonLines(path, fresh=True)
    fresh.add({"only": 3})
    fresh.close()
    fresh.add({"and": 4})
    assert lines(path) == [{"only": 3}, {"and": 4}]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    for fresh in (True, False):
        path = tmp_path / f"{fresh}.jsonl"
        os.symlink(theirs, path)
        JsonLines(path, fresh).add({"a": 1})
        assert theirs.read_text() == "precious" and not path.is_symlink() and lines(path) == [{"a": 1}]
