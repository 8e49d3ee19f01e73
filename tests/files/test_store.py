"""Whole files or none, and one writer at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench import ROOT
from PIL import Image

from cmcbench.errors import BadInput, RunFailed
from cmcbench.files import store

LIMITED = """
import resource, sys
from pathlib import Path
from cmcbench.files.store import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), bytes(5000))
except OSError as error:
    print(error.errno)
"""
HOLDER = """
import sys, time
from pathlib import Path
from cmcbench.files.store import only_writer
with only_writer(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def script(code: str, *arguments: object, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000], ids=len)
def test_a_file_is_written_whole_with_its_folders(tmp_path, data):
    path = tmp_path / "a" / "b" / "c.bin"
    store.write_bytes(path, data)
    assert path.read_bytes() == data and listed(path.parent) == ["c.bin"]
    store.write_bytes(path, data[::-1])
    assert path.read_bytes() == data[::-1] and listed(path.parent) == ["c.bin"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_failing_write_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, function, error):
    path = tmp_path / "x.csv"
    store.write_bytes(path, b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(store.os, function, fail)
    with pytest.raises(type(error)):
        store.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and listed(tmp_path) == ["x.csv"]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.csv"
    store.write_bytes(path, b"old")
    process = script(LIMITED, path)
    assert process.communicate(timeout=60)[0].strip() == "27"  # EFBIG, as OSError and not as a signal
    assert process.returncode == 0
    assert path.read_bytes() == b"old" and listed(tmp_path) == ["x.csv"]


def test_a_folder_in_the_place_of_the_file_stays(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(OSError):
        store.write_bytes(tmp_path / "x.csv", b"new")
    assert listed(tmp_path) == ["x.csv"] and (tmp_path / "x.csv").is_dir()


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0, 0o666)])
def test_rights_follow_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        store.write_bytes(tmp_path / "x", b"")
    finally:
        left = os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode
    assert left == mask  # asking for the umask did not change it


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "x").symlink_to(tmp_path / "theirs")
    store.write_bytes(tmp_path / "x", b"ours")
    assert (tmp_path / "theirs").read_bytes() == b"theirs" and (tmp_path / "x").read_bytes() == b"ours"


def test_json_comes_back_and_keeps_its_order(tmp_path):
    value = {"z": 1, "a": [1.5, None, True], "ä": "naïve 日本 🎨 \u2028 \x1b", "": {}}
    store.write_json(tmp_path / "x.json", value)
    assert store.read_json(tmp_path / "x.json") == value and list(store.read_json(tmp_path / "x.json")) == list(value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert text.endswith("}\n") and "naïve 日本" in text
    first = (tmp_path / "x.json").read_bytes()
    store.write_json(tmp_path / "x.json", json.loads(text))
    assert (tmp_path / "x.json").read_bytes() == first


def test_no_number_is_no_json(tmp_path):
    with pytest.raises(ValueError):
        store.write_json(tmp_path / "x.json", {"fr": float("nan")})
    assert listed(tmp_path) == []


def test_no_file_is_none(tmp_path):
    assert store.read_json(tmp_path / "x.json") is None


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "not readable"),
        (b"{", "not readable"),
        (b'{"a": 1', "not readable"),
        (b'{"a": 1} trailing', "not readable"),
        (b"\xff\xfe{\x00}\x00", "not readable"),
        (b"\0" * 64, "not readable"),  # what a crashed machine leaves
        (b"[" * 100_000, "not readable"),
        (b'{"a":' * 100_000, "not readable"),
        (b'{"a": NaN}', "not readable"),  # what could not be written again
        (b'{"a": [-Infinity]}', "not readable"),
        (b'{"a": 1e999}', "not readable"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"3", "no JSON object"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else "",
)
def test_what_is_no_json_object_is_refused_with_the_remedy(tmp_path, data, why):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(BadInput, match=why) as refusal:
        store.read_json(tmp_path / "x.json")
    assert "x.json" in str(refusal.value) and "Move it away" in str(refusal.value)
    assert (tmp_path / "x.json").read_bytes() == data


def test_a_folder_is_no_json(tmp_path):
    with pytest.raises(BadInput, match="not readable"):
        store.read_json(tmp_path)


def test_a_png_has_the_same_bytes_for_the_same_pixels(tmp_path):
    image = Image.linear_gradient("L").convert("RGB")
    data = store.png_bytes(image)
    (tmp_path / "x.png").write_bytes(data)
    assert data == store.png_bytes(image.copy()) == store.png_bytes(Image.frombytes("RGB", image.size, image.tobytes()))
    with Image.open(tmp_path / "x.png") as again:
        assert again.tobytes() == image.tobytes()


def test_digest():
    assert store.digest(b"abc") == "ba7816bf8f01cfea"  # FIPS 180-2, appendix B.1
    assert store.digest(b"") == "e3b0c44298fc1c14"


def test_sweep_removes_unfinished_files_alone(tmp_path):
    unfinished = [".tmp-a.csv-xyz", ".tmp-a.json-1", ".tmp-b.csv-2", ".tmp-"]
    finished = ["a.csv", "x.tmp-a", ".lock", "tmp-a", ".TMP-a"]
    for name in unfinished + finished:
        (tmp_path / name).write_bytes(b"")
    store.sweep(tmp_path, "a.")
    assert listed(tmp_path) == sorted([".tmp-b.csv-2", ".tmp-", *finished])
    store.sweep(tmp_path)
    assert listed(tmp_path) == sorted(finished)


def test_sweep_of_no_folder(tmp_path):
    store.sweep(tmp_path / "missing")
    (tmp_path / "file").write_bytes(b"")
    store.sweep(tmp_path / "file")
    assert listed(tmp_path) == ["file"]


def test_sweep_finds_what_a_killed_write_leaves(tmp_path, monkeypatch):
    """The name of an unfinished file is the one that `sweep` looks for."""
    seen = []
    monkeypatch.setattr(store.os, "replace", lambda temporary, path: seen.append(Path(temporary)))
    store.write_bytes(tmp_path / "qwen.csv", b"half")
    assert listed(tmp_path) == [seen[0].name]
    store.sweep(tmp_path, "gpt4v.")
    assert listed(tmp_path) == [seen[0].name]
    store.sweep(tmp_path, "qwen.")
    assert listed(tmp_path) == []


@pytest.fixture
def held(tmp_path):
    """held(seconds): another process holds the lock for so long."""
    started = []

    def hold(seconds: float) -> subprocess.Popen:
        started.append(script(HOLDER, tmp_path / "Text" / ".lock", seconds))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_writer_is_refused_at_once_until_the_first_is_killed(tmp_path, held):
    lock = tmp_path / "Text" / ".lock"
    first = held(120)
    began = time.monotonic()
    with pytest.raises(RunFailed) as refusal, store.only_writer(lock, "Text/qwen.csv"):
        pytest.fail("two writers at once")
    assert time.monotonic() - began < 60  # half of what the other one takes
    assert "another run is writing Text/qwen.csv" in str(refusal.value) and str(lock) in str(refusal.value)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=30)
    with store.only_writer(lock, "it"):
        pass


def test_a_second_writer_may_wait_for_the_first(tmp_path, held):
    held(0.4)
    with store.only_writer(tmp_path / "Text" / ".lock", "it", wait=60):
        pass


def test_waiting_has_an_end(tmp_path, held):
    held(120)
    began = time.monotonic()
    with pytest.raises(RunFailed), store.only_writer(tmp_path / "Text" / ".lock", "it", wait=0.3):
        pytest.fail("two writers at once")
    assert 0.25 < time.monotonic() - began < 60


def test_two_writers_of_one_process(tmp_path):
    with store.only_writer(tmp_path / ".a", "a"), store.only_writer(tmp_path / ".b", "b"):
        with pytest.raises(RunFailed, match="writing a"), store.only_writer(tmp_path / ".a", "a"):
            pytest.fail("two writers at once")


def test_a_lock_is_freed_by_an_error_and_a_stale_file_locks_nothing(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_bytes(b"left by a dead run")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), store.only_writer(lock, "it"):
            raise ZeroDivisionError
