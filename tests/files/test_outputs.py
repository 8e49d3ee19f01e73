"""What reading and writing do with links, pipes, other people's files, and file systems without locks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cmcbench.errors import BadInput
from cmcbench.files import store


def test_only_regular_files_are_read_and_no_more_than_asked_for(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert store.read_bytes(tmp_path / "x", 5) == b"12345"
    for path, words in (
        (tmp_path / "pipe", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path, "it is a folder"),
    ):
        with pytest.raises(OSError, match=words):
            store.read_bytes(path, 5)
    with pytest.raises(OSError, match="more than 4 bytes"):
        store.read_bytes(tmp_path / "x", 4)
    with pytest.raises(FileNotFoundError):
        store.read_bytes(tmp_path / "dangling", 5)


def test_json_that_cannot_be_read_now_is_told_from_broken_json(tmp_path, monkeypatch):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BadInput) as broken:
        store.read_json(tmp_path / "x.json")
    assert not isinstance(broken.value, store.Unreadable)

    def fail(path, largest):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(store, "read_bytes", fail)
    with pytest.raises(store.Unreadable, match=r"x.json is not readable \(Input/output error\)"):
        store.read_json(tmp_path / "x.json")


def test_a_new_file_takes_no_other_s_place(tmp_path):
    path = tmp_path / "x"
    store.put_new(path, b"one", overwrite=False)
    before = path.stat().st_mtime_ns
    store.put_new(path, b"one", overwrite=True)
    assert path.stat().st_mtime_ns == before
    for data in (b"two", b"on", b"onee", b""):
        with pytest.raises(BadInput, match="is there with other content.*--overwrite"):
            store.put_new(path, data, overwrite=False)
    assert path.read_bytes() == b"one"
    store.put_new(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"


@pytest.mark.parametrize("target", ["theirs", "nowhere", "."])
def test_a_new_file_does_not_follow_a_link(tmp_path, target):
    (tmp_path / "theirs").write_bytes(b"ours")  # even where it holds the same
    (tmp_path / "x").symlink_to(target)
    with pytest.raises(BadInput, match="other content"):
        store.put_new(tmp_path / "x", b"ours", overwrite=False)
    store.put_new(tmp_path / "x", b"ours", overwrite=True)
    assert not (tmp_path / "x").is_symlink() and (tmp_path / "x").read_bytes() == b"ours"
    assert (tmp_path / "theirs").read_bytes() == b"ours" and not (tmp_path / "nowhere").exists()


def test_links_below_an_output_folder_are_refused_and_above_it_allowed(tmp_path):
    (tmp_path / "disk" / "real").mkdir(parents=True)
    (tmp_path / "Result").symlink_to("disk")
    root = tmp_path / "Result" / "real"
    store.refuse_links(root, root, root / "full", root / "full" / "deeper")
    (root / "full").symlink_to(tmp_path)
    for folder in (root / "full", root / "full" / "deeper"):
        with pytest.raises(BadInput, match="real/full is a link"):
            store.refuse_links(root, folder)


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / ".lock").symlink_to("theirs")
    with pytest.raises(BadInput, match=r"\.lock is a link.*Remove it"), store.only_writer(tmp_path / ".lock", "x"):
        pytest.fail("the lock was taken")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOLCK, "No locks available"), OSError(errno.EOPNOTSUPP, "x"), NotImplementedError("no flock")],
    ids=repr,
)
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, error):
    import filelock

    def fail(self, *_, **__):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    with pytest.raises(BadInput, match="is on a file system without locks"), store.only_writer(tmp_path / ".l", "x"):
        pytest.fail("the lock was taken")


def test_an_error_of_the_work_under_a_lock_stays_what_it_is(tmp_path):
    with pytest.raises(OSError, match="full"), store.only_writer(tmp_path / ".lock", "x"):
        raise OSError(errno.ENOLCK, "full")
    with store.only_writer(tmp_path / ".lock", "x"):
        pass
