"""The ffmpeg behind the codecs: what it says, that it ends, and that it can do what is asked."""

from __future__ import annotations

import sys

import pytest

from cmcbench import codecs
from cmcbench.codecs import NoRoom, ffmpeg
from cmcbench.errors import RunFailed


def test_what_ffmpeg_says_stands_in_the_error():
    with pytest.raises(RunFailed, match="^ffmpeg failed: .*no_such_option") as failure:
        ffmpeg.ffmpeg("-no_such_option 1 -i - -f null -", b"")
    assert "\n" not in str(failure.value) and not isinstance(failure.value, NoRoom)


def test_an_ffmpeg_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(ffmpeg, "SECONDS", 0.3)
    with pytest.raises(RunFailed, match="ffmpeg took more than 0.3 seconds"):
        ffmpeg.ffmpeg("-re -f lavfi -i color=s=16x16:d=60 -f null -", b"")


def script(folder, body: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def found(monkeypatch, path: str) -> None:
    """imageio-ffmpeg's own way to name another ffmpeg, as a user has who set it."""
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: path)
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)


def test_an_ffmpeg_without_a_vvc_encoder_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "echo ' V....D libx264'"))
    with pytest.raises(RunFailed, match=r"has no VVC encoder \(libvvenc\); pip install -U imageio-ffmpeg"):
        codecs.ffmpeg_program()


def test_an_ffmpeg_that_does_not_start_is_refused(monkeypatch, tmp_path):
    found(monkeypatch, str(tmp_path / "missing"))
    with pytest.raises(RunFailed, match="there is no ffmpeg .* pip install 'imageio-ffmpeg>="):
        codecs.ffmpeg_program()


def test_without_imageio_ffmpeg_there_is_no_ffmpeg(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(ffmpeg, "_found", ffmpeg._found.__wrapped__)
    with pytest.raises(RunFailed, match="there is no ffmpeg"):
        codecs.ffmpeg_program()


def test_an_ffmpeg_that_fails_without_a_word_shows_its_exit_code(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "exit 9"))
    with pytest.raises(RunFailed, match="ffmpeg failed: exit code 9"):
        ffmpeg.ffmpeg("-i -", b"")


def test_an_ffmpeg_that_speaks_no_utf8(monkeypatch, tmp_path):
    found(monkeypatch, script(tmp_path, "printf 'caf\\351\\nmore\\n' >&2; exit 1"))
    with pytest.raises(RunFailed, match="ffmpeg failed: caf\ufffd$"):
        ffmpeg.ffmpeg("-i -", b"")
