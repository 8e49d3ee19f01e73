"""python -m cmcbench prepare: sets that are not themselves, broken pictures, and files of others in the output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from set_files import KODAK, manifest, picture, prepared

from cmcbench.data import prepare
from cmcbench.errors import BadInput
from cmcbench.files.manifest import read_prepared
from cmcbench.files.store import digest

WRONG = {  # what is done to the folder -> what is said
    "a picture too many": (lambda at: picture(at / "kodim25.png", (768, 512), 9), "kodim25.png: is not of the set"),
    "a picture missing": (lambda at: (at / "kodim12.png").unlink(), "kodim12: is missing; kodak has 24 pictures"),
    "another size": (
        lambda at: picture(at / "kodim12.png", (384, 256), 9),
        "kodim12.png: is 384x256; the set's pictures",
    ),
    "a lossy copy": (
        lambda at: Image.open((at / "kodim12.png").rename(at / "x.png")).save(at / "kodim12.jpg"),
        "kodim12.jpg: is a lossy copy",
    ),
    "no picture inside": (lambda at: (at / "kodim12.png").write_bytes(b"text"), "kodim12.png: is no picture"),
    "an empty file": (lambda at: (at / "kodim12.png").write_bytes(b""), "kodim12.png: is an empty file"),
    "two of one name": (lambda at: picture(at / "kodim12.bmp", (768, 512), 9), "differ only in their ending"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_set_that_is_not_itself_is_refused_before_anything_is_written(copy, tmp_path, capsys, what):
    spoil, said = WRONG[what]
    spoil(copy)
    with pytest.raises(BadInput) as error:
        prepared(tmp_path / "GT", "kodak", "--from", copy, "--crop", 64)
    assert said in capsys.readouterr().err + str(error.value)
    assert not (tmp_path / "GT").exists()


def test_every_problem_has_a_line(copy, tmp_path, capsys):
    (copy / "kodim01.png").unlink()
    picture(copy / "holiday.png", (768, 512), 1)
    with pytest.raises(BadInput, match="2 problem.*Nothing was written.*r0k.us"):
        prepared(tmp_path / "GT", "kodak", "--from", copy)
    lines = [line.split(":")[0].strip() for line in capsys.readouterr().err.splitlines()]
    assert lines == ["holiday.png", "kodim01"]


def test_pictures_smaller_than_asked_for(tmp_path, capsys):
    mine = picture(tmp_path / "mine" / "a.png", (40, 30), 1).parent
    picture(mine / "b.png", (90, 80), 2)
    with pytest.raises(BadInput):
        prepared(tmp_path / "GT", mine, "--crop", 64)
    assert "a.png: is 40x30, smaller than the crop of 64x64" in capsys.readouterr().err
    with pytest.raises(BadInput):
        prepared(tmp_path / "GT", mine, "--short", 60, "--crop", 64)
    said = capsys.readouterr().err
    assert "a.png: is 40x30, and --short 60 would enlarge it" in said
    assert "b.png: is 90x80, 68x60 when resized, smaller than the crop of 64x64" in said
    assert prepared(tmp_path / "GT", mine, "--short", 60, "--crop", 60, "--enlarge") == 0
    with Image.open(tmp_path / "GT" / "a.png") as image:
        assert image.size == (60, 60)


def test_a_broken_picture_is_named_and_the_others_are_made(tmp_path, capsys):
    """Its header is whole, so that only decoding tells. The folder stays unfinished; mended, the run goes on."""
    mine = tmp_path / "mine"
    for name in "abc":
        picture(mine / f"{name}.png", (50, 50), ord(name))
    whole = (mine / "b.png").read_bytes()
    (mine / "b.png").write_bytes(whole[: len(whole) // 2])
    assert prepared(tmp_path / "GT", mine) == 1
    said = capsys.readouterr().err
    assert "failed: b.png: " in said and "2 of 3 pictures" in said
    assert manifest(tmp_path / "GT")["unfinished"] and sorted(manifest(tmp_path / "GT")["pictures"]) == [
        "a.png",
        "c.png",
    ]
    (mine / "b.png").write_bytes(whole)
    assert prepared(tmp_path / "GT", mine) == 0
    assert manifest(tmp_path / "GT")["name"] == "mine original"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["kodak"], "download it from https://r0k.us.*--from"),
        (["nowhere"], "neither a folder nor one of the sets kodak"),
        (["mine", "--from", "mine"], "--from goes with one of the sets"),
        (["cmc-bench"], "without being compared with that set"),
        (["n" * 101], "more than 100 characters. Rename it"),
        (["kodak", "--from", "nowhere"], "does not exist"),
        (["kodak", "--from", "empty"], "holds no pictures"),
        (["kodak", "--from", "."], "holds no pictures.*Its sub-folder"),
    ],
)
def test_what_cannot_be_prepared_is_said(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "cmc-bench", "n" * 101):
        picture(Path(name) / "a.png", (9, 9), 1)
    Path("empty").mkdir()
    with pytest.raises(BadInput, match=said):
        prepare.main(arguments)


def test_pictures_of_others_in_the_output_are_left_alone(photos, tmp_path):
    to = tmp_path / "GT"
    alien = picture(to / "holiday.png", (60, 60), 1)
    before = alien.read_bytes()
    for more in ([], ["--overwrite"]):
        with pytest.raises(BadInput, match="holds 1 picture.* that are not of the set .first: holiday.png"):
            prepared(to, "kodak", "--from", photos, "--crop", 64, *more)
    assert alien.read_bytes() == before
    alien.rename(to / "kodim05.png")
    with pytest.raises(BadInput, match="that prepare did not write .first: kodim05.png"):
        prepared(to, "kodak", "--from", photos, "--crop", 64)
    assert (to / "kodim05.png").read_bytes() == before
    assert prepared(to, "kodak", "--from", photos, "--crop", 64, "--overwrite") == 0
    assert (to / "kodim05.png").read_bytes() != before
    with pytest.raises(BadInput, match="is the folder that is read"):
        prepared(to, to, "--crop", 32)


def test_other_settings_and_changed_pictures_are_refused(copy, tmp_path):
    to, arguments = tmp_path / "GT", ("kodak", "--from", copy, "--crop", 64)
    prepared(to, *arguments)
    sealed = manifest(to)["digest"]
    with pytest.raises(BadInput, match="preparation was crop64 and is original now; make them anew with --overwrite"):
        prepared(to, "kodak", "--from", copy)
    with pytest.raises(BadInput, match="preparation was crop64 and is short512 crop64 now"):
        prepared(to, *arguments, "--short", 512)
    whole = (to / "kodim02.png").read_bytes()
    Image.new("RGB", (64, 64)).save(to / "kodim02.png")
    with pytest.raises(BadInput, match="kodim02.png has changed since it was prepared; make them anew"):
        prepared(to, *arguments)
    assert prepared(to, *arguments, "--overwrite") == 0
    assert (to / "kodim02.png").read_bytes() == whole and manifest(to)["digest"] == sealed


def test_another_original_is_told_by_name(copy, tmp_path, capsys):
    to, arguments = tmp_path / "GT", ("kodak", "--from", copy, "--crop", 64)
    prepared(to, *arguments)
    picture(copy / "kodim02.png", (768, 512), 99)
    assert prepared(to, *arguments) == 1
    assert "kodim02.png: is not what" in capsys.readouterr().err
    with pytest.raises(BadInput, match="not prepared whole"):
        read_prepared(to, {})


def test_a_manifest_of_a_stranger_does_no_harm(photos, tmp_path):
    to, arguments = tmp_path / "GT", ("kodak", "--from", photos, "--crop", 64)
    prepared(to, *arguments)
    good = manifest(to)
    seen = {name: digest((to / f"{name}.png").read_bytes()) for name in KODAK}
    assert read_prepared(to, seen).name == "kodak crop64"
    bad = [
        b"{",
        b"[]",
        b"\xff",
        json.dumps({**good, "name": "\x1b[2J"}).encode(),
        json.dumps({**good, "digest": "../../x"}).encode(),
        json.dumps({**good, "pictures": ["kodim01.png"]}).encode(),
        json.dumps({**good, "pictures": {"kodim01.png": 3}}).encode(),
    ]
    for data in bad:
        (to / ".prepared.json").write_bytes(data)
        with pytest.raises(BadInput, match="prepared.json"):
            read_prepared(to, seen)
    (to / ".prepared.json").write_text(json.dumps({**good, "pictures": {**good["pictures"], "../x.png": {}}}))
    assert prepared(to, *arguments) == 0  # it is not of the set, so that nothing is done with it
    assert sorted(manifest(to)["pictures"]) == [f"{name}.png" for name in KODAK] and not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda seen: {**seen, "kodim03": "0" * 16}, "kodim03 .changed"),
        (lambda seen: {**seen, "holiday": "0" * 16}, "holiday .not of the set"),
        (lambda seen: {name: each for name, each in seen.items() if name != "kodim24"}, "kodim24 .missing"),
    ],
)
def test_pictures_that_are_not_the_prepared_ones_do_not_go_by_its_name(photos, tmp_path, change, said):
    prepared(tmp_path / "GT", "kodak", "--from", photos, "--crop", 64)
    seen = {name: digest((tmp_path / "GT" / f"{name}.png").read_bytes()) for name in KODAK}
    with pytest.raises(BadInput, match=said):
        read_prepared(tmp_path / "GT", change(seen))


def test_a_folder_without_a_manifest_is_not_stated(tmp_path):
    assert read_prepared(tmp_path, {"a": "b"}) is None
