"""Stems, by which images pair, and names that cannot lead out of their folder; both as file systems hold them."""

from __future__ import annotations

import unicodedata

import pytest
from PIL import Image

from cmcbench.errors import BadInput
from cmcbench.files import names
from cmcbench.files.images import list_images
from cmcbench.files.names import folder_name, name_problem, plain_name, stem
from cmcbench.files.subset import choose

STEMS = {
    "NSI_pgc_000.png": "NSI_pgc_000",
    "x.PNG": "x",
    "x.jpeg": "x",
    "x.jfif": "x",
    "x.avif": "x",
    "scene.v2": "scene.v2",
    "scene.v2.png": "scene.v2",
    "scene.v3": "scene.v3",
    "IMG.2024.05.13": "IMG.2024.05.13",
    "crop_0.5": "crop_0.5",
    "crop_0.5.webp": "crop_0.5",
    "x.png.png": "x.png",
    "x.txt": "x.txt",
    "x.": "x.",
    ".png": ".png",
    "noending": "noending",
    "x.bin": "x",
    "x.cmc": "x",
    "e\u0301t\u00e9.png": "\u00e9t\u00e9",
    "\u1112\u1161\u11ab.png": "\ud55c",
    "a b.png": "a b",
}


@pytest.mark.parametrize("name, expected", STEMS.items(), ids=lambda text: ascii(text))
def test_only_a_picture_s_own_ending_is_cut(name, expected):
    assert stem(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "a.png",
        "NSI_pgc_000.png",
        "a b.png",
        "ä.png",
        "日本.png",
        "a'b.png",
        "$(rm).png",
        "-rf",
        "a;b",
        ".hidden",
        "...",
        "a..b",
        "x" * 200,
        "é" * 100,
        "%00.png",
        "contact.png",
        "a,b.png",
        "=1+1.png",
        "~",
        "&amp;",
    ],
)
def test_plain_names(name):
    assert names.plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "../x.png",
        "..\\x.png",
        "/etc/passwd",
        "C:\\x.png",
        "C:x.png",
        "\\\\server\\share",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\rb",
        "a\tb",
        "\x1b[2J",
        "\x7f",
        "\x9b31m",
        "a<b",
        "a>b",
        'a"b',
        "a|b",
        "a?b",
        "a*b",
        "file:x",
        "x" * 201,
        "é" * 101,
        "con",
        "CON",
        "nul.png",
        "com1",
        "lpt9.png",
        ".tmp-x",
        "\u202egnp.exe",
        "\u2028",
        "\ud800",
        "\udce4",
        "\ufeffa.png",
        "\u200ba",
    ],
    ids=ascii,
)
def test_names_that_are_not_plain(name):
    assert not names.plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 2024-05-13 at 9.41.12\u202fAM.png",
        "caf\u00e9\u00a0noir.png",
        "\u5168\u89d2\u3000.png",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467.png",
        "heart \u2764\ufe0f.png",
        "flag \U0001f3f4\U000e0067\U000e0062\U000e007f.png",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.png",  # a joiner that Persian spelling needs
        "soft\u00adhyphen.png",
        "\u05e9\u05dc\u05d5\u05dd\u200f.png",
    ],
    ids=ascii,
)
def test_spaces_and_format_characters_are_plain_and_can_be_written(tmp_path, name):
    assert plain_name(name)
    (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


REASONS = {
    "GT/x.png": "it is a path",
    "..\\x.png": "it is a path",
    "..": "it names no file",
    "": "it names no file",
    "10:30.png": "it holds ':', which some file systems do not take",
    "a\tb.png": "it holds a control character",
    "a\u2028b.png": "it holds a line end",
    "caf\udce9.png": "it holds bytes that are not UTF-8",
    "\u202egnp.exe": "it holds an invisible or unassigned character",
    "a\u200bb.png": "it holds an invisible or unassigned character",
    "a\u2066b\u2069.png": "it holds an invisible or unassigned character",
    " a.png": "it begins or ends with white space",
    "a.png\u00a0": "it begins or ends with white space",
    "x" * 197 + ".png": "it has more than 200 bytes",
    "\u00e9" * 99 + ".png": "it has more than 200 bytes",
    "nul.png": "Windows reserves it",
    ".tmp-x.png": ".tmp- begins the names of unfinished files",
}


@pytest.mark.parametrize("name, reason", REASONS.items(), ids=lambda text: ascii(text[:20]))
def test_why_a_name_is_not_plain(name, reason):
    assert name_problem(name) == reason and reason.isprintable()


def test_a_folder_s_name_is_refused_with_the_reason():
    with pytest.raises(BadInput, match=r"--name 'a:b': is not a plain name \(it holds ':'"):
        folder_name("a:b", "--name")
    with pytest.raises(BadInput, match="it begins with a dot"):
        folder_name(".git", "--name")


def test_pictures_are_listed_by_stem_in_one_unicode_form(tmp_path):
    for name in ("scene.v1.png", "scene.v2.png", unicodedata.normalize("NFD", "caf\u00e9.png")):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    assert set(list_images(tmp_path, "x")) == {"scene.v1", "scene.v2", "caf\u00e9"}


@pytest.mark.parametrize(
    "pattern, chosen",
    [
        ("sd[12]", ["sd[12]"]),
        ("sd[12].png", ["sd[12]"]),
        ("sd[1]", ["sd1"]),
        ("sd?", ["sd1", "sd2"]),
        ("sd*", ["sd1", "sd2", "sd[12]"]),
        ("caf\u00e9", ["caf\u00e9"]),
        ("cafe\u0301*", ["caf\u00e9"]),
        ("scene.v*", ["scene.v2"]),
    ],
)
def test_an_image_s_own_name_wins_over_a_pattern(pattern, chosen):
    assert choose(["sd1", "sd2", "sd[12]", "caf\u00e9", "scene.v2"], pattern) == chosen
