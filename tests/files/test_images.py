"""Folders of pictures, as careless and as hostile users leave them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from picture_files import photo, save

from cmcbench.errors import BadInput
from cmcbench.files import names
from cmcbench.files.images import ENDINGS, list_images
from cmcbench.runtime.messages import RunLog


def test_listing_takes_whatever_pillow_reads_and_sorts_it_by_name(tmp_path):
    taken = ["B.PNG", "a.b.png", "a.jpg", "c.JPEG", "d.webp", "e.bmp", "f.tif", "g.TIFF", "ä ö.png", "z'$;.png"]
    taken += ["h.avif", "i.GIF", "j.ppm", "k.jp2", "l.jfif", "m.tga", "n.qoi", "o.psd", "p.mpo"]
    left = [".hidden.png", "._b.png", ".tmp-x.png-1", ".png", "x.png.part", "x", "Thumbs.db", "x.npy", "x.pdf", "x.eps"]
    for name in taken + left:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    found = list_images(tmp_path, "GT")
    assert [path.name for path in found.values()] == sorted(taken)
    assert list(found) == [Path(name).stem for name in sorted(taken)]
    assert all(path.parent == tmp_path for path in found.values())
    assert found.others == ["Thumbs.db", "x", "x.eps", "x.npy", "x.pdf", "x.png.part"]  # hidden files are not counted
    assert "6 file(s) that are no pictures (Thumbs.db, x, x.eps, ...)" in found.note and not found.problems


def test_every_ending_that_is_read_is_cut_off_a_name():
    assert ENDINGS <= names.ENDINGS


@pytest.mark.parametrize("name, stem", [("x", "x"), ("scene.v2", "scene.v2"), ("frame.0001", "frame.0001")])
def test_a_picture_without_an_ending_is_known_by_its_first_bytes(tmp_path, name, stem):
    for form in ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF"):
        save(tmp_path / name, photo(), form)
        assert list(list_images(tmp_path, "GT")) == [stem]


def test_half_a_download_is_no_picture(tmp_path):
    for name in ("a.png.part", "b.crdownload", "c.bak"):
        save(tmp_path / name, photo())
    assert list_images(tmp_path, "GT") == {}


def test_pictures_that_pillow_cannot_read_are_problems_with_a_remedy(tmp_path):
    for name in ("a.heic", "b.NEF", "c.jxl", "d.exr", "e.png"):
        (tmp_path / name).write_bytes(b"")
    found = list_images(tmp_path, "--ground_truth")
    assert list(found) == ["e"] and list(found.problems) == ["a.heic", "b.NEF", "c.jxl", "d.exr"]
    assert found.problems["a.heic"] == (
        "--ground_truth: a.heic: is HEIC, which Pillow cannot read. Convert it, e.g. to PNG"
    )


def test_pipes_sockets_and_links_to_devices_are_problems_and_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "no-ending")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "b.png"))
    server.close()
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (tmp_path / "d.png").symlink_to(tmp_path / "a.png")
    found = list_images(tmp_path, "GT")
    assert found == {} and list(found.problems) == ["a.png", "b.png", "c.png", "d.png"]
    assert all("no regular file" in problem for problem in found.problems.values())
    assert found.others == ["no-ending"]


def test_sub_folders_that_hold_pictures_are_named(tmp_path):
    for name in ("val", "train", ".cache", "notes"):
        (tmp_path / name).mkdir()
    for name in ("val/a.png", "train/b.JPG", ".cache/c.png", "notes/d.txt"):
        (tmp_path / name).write_bytes(b"")
    found = list_images(tmp_path, "GT")
    assert "sub-folder(s) that hold pictures (train, val)" in found.note
    assert found.hint == f" Its sub-folder(s) do: train, val. Name one of them, e.g. {tmp_path / 'train'}."


def test_what_is_passed_over_is_told_once_and_problems_fail(tmp_path, capsys):
    for name in ("a.png", "README.md", "b.heic"):
        (tmp_path / name).write_bytes(b"")
    report = RunLog()
    for _ in range(2):
        list_images(tmp_path, "GT").tell(report)
    said = capsys.readouterr().err
    assert said == f"note: GT: {tmp_path}: passed over 1 file(s) that are no pictures (README.md).\n"
    assert list(report.failures) == ["b.heic"] and report.close("done") == 1


def test_a_problem_outside_of_the_choice_is_not_reported(tmp_path):
    (tmp_path / "SCI_1.heic").write_bytes(b"")
    report = RunLog()
    list_images(tmp_path, "GT").tell(report, "NSI_*")
    assert not report.failures
    list_images(tmp_path, "GT").tell(report, "SCI_*")
    assert list(report.failures) == ["SCI_1.heic"]


def test_a_plain_folder_has_no_note(tmp_path):
    save(tmp_path / "a.png", photo())
    (tmp_path / ".DS_Store").write_bytes(b"")
    found = list_images(tmp_path, "GT")
    assert (found.note, found.hint, list_images(tmp_path / "missing", "GT").hint) == (None, "", "")


def test_a_dangling_link_is_listed_so_that_the_run_can_tell_of_it(tmp_path):
    (tmp_path / "x.png").symlink_to(tmp_path / "gone.png")
    assert list(list_images(tmp_path, "GT")) == ["x"]


def test_no_folder_and_an_empty_one_hold_nothing(tmp_path):
    assert list_images(tmp_path, "GT") == {} == list_images(tmp_path / "missing", "GT")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "GT").write_bytes(b"")
    with pytest.raises(BadInput, match="^--ground_truth: .*GT is a file, not a folder"):
        list_images(tmp_path / "GT", "--ground_truth")


@pytest.mark.parametrize("first, second", [("a.png", "a.jpg"), ("a.PNG", "a.png"), ("a.b.png", "a.b.webp")])
def test_two_files_of_one_stem_are_refused(tmp_path, first, second):
    for name in (first, second, "c.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInput) as refusal:
        list_images(tmp_path, "Ref/image")
    assert first in str(refusal.value) and second in str(refusal.value) and "Ref/image" in str(refusal.value)


@pytest.mark.parametrize(
    "name",
    [
        b"a\nb.png",
        b"\x1b[31mred.png",
        b"a\rb.png",
        b"tab\t.png",
        b'quote".png',
        b"a:b.png",
        b"back\\slash.png",
        b"star*.png",
        b"what?.png",
        b"pipe|.png",
        b"<a>.png",
        b"latin-\xe4.png",
        b"CON.png",
        b"nul.jpg",
        "\u202egnp.png".encode(),
        "\u200b.png".encode(),
        b"x" * 197 + b".png",
    ],
)
def test_a_hostile_name_is_left_out_and_shown_harmless(tmp_path, name):
    with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
        pass
    (tmp_path / "whole.png").write_bytes(b"")
    found = list_images(tmp_path, "GT")
    assert list(found) == ["whole"]
    (reason,) = found.problems.values()
    assert reason.isprintable() and reason.endswith("Rename it") and "its name cannot be used" in reason


@pytest.mark.parametrize("name", ["Screenshot 2024-01-01 at 9.41.00\u202fAM.png", "a\u00a0b.png", "👩\u200d🔬.png"])
def test_spaces_and_joiners_of_other_systems_are_allowed(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    found = list_images(tmp_path, "GT")
    assert [path.name for path in found.values()] == [name] and not found.problems


def test_the_longest_name(tmp_path):
    (tmp_path / ("x" * 196 + ".png")).write_bytes(b"")
    assert list(list_images(tmp_path, "GT")) == ["x" * 196]
