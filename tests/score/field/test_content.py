"""CLIPScore with the captions that were sent, DINOv2's likeness, and what OCR still reads."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
import torch
from bench import write_captions
from paper_scores import summary
from PIL import Image, ImageDraw, ImageFilter

from cmcbench.errors import RunFailed
from cmcbench.files.store import digest
from cmcbench.score.metrics.content.clipscore import Clipscore
from cmcbench.score.metrics.content.dino import Dino
from cmcbench.score.metrics.content.ocr import edits, normalised
from cmcbench.score.metrics.dinov2 import WholePictures
from cmcbench.score.metrics.pairs import Pair, Pairs, Picture

TEXTS = {f"NSI_pgc_00{place}.png": text for place, text in enumerate(["a cat", "the red boat", "a lake on the cat"])}


@pytest.fixture
def sent(bench):
    """Result/real of three pictures in the modes full and image, with the manifest and the captions of step 2."""
    bench.inside = True
    random = np.random.default_rng(1)
    for name in TEXTS:
        image = Image.fromarray(random.integers(0, 256, (6, 5, 3), dtype=np.uint8)).resize((60, 50))
        for folder, radius in (("GT", 0), ("Result/real/full", 2), ("Result/real/image", 5)):
            (bench.folder / folder).mkdir(parents=True, exist_ok=True)
            image.filter(ImageFilter.GaussianBlur(radius)).save(bench.folder / folder / name)
    write_captions(bench.folder / "Text/gpt4v.csv", TEXTS)
    inputs = {name[:-4]: {"prompt": digest(text.encode())} for name, text in TEXTS.items()}
    modes = {
        "full": {"settings": {}, "inputs": inputs},
        "image": {"settings": {}, "inputs": {name: {"prompt": "0"} for name in inputs}},
    }
    record = {"captions": {"file": "gpt4v.csv"}, "modes": modes}
    (bench.folder / "Result/real/manifest.json").write_text(json.dumps(record))
    return bench


def rows(bench, folder="Result/real") -> dict[tuple[str, str], dict[str, str]]:
    with open(bench.folder / folder / "scores.csv", newline="") as file:
        return {(row["name"], row["mode"]): row for row in csv.DictReader(file)}


def test_clipscore_is_the_cosine_with_the_caption_that_was_sent(sent, clip):
    from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

    sent.score("--metrics", "clipscore,clipscore_truth,psnr", "--clip_model", clip, "--no_report")
    found = rows(sent)
    network, cut = CLIPModel.from_pretrained(clip).eval(), CLIPImageProcessor.from_pretrained(clip)
    words = AutoTokenizer.from_pretrained(clip)
    for name, text in TEXTS.items():
        tokens = words([text], return_tensors="pt")
        for column, folder in (("clipscore", "Result/real/full"), ("clipscore_truth", "GT")):
            pixels = cut(Image.open(sent.folder / folder / name), return_tensors="pt")
            with torch.no_grad():
                both = network(**pixels, input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            expected = float(both.image_embeds[0] @ both.text_embeds[0])
            assert float(found[name, "full"][column]) == pytest.approx(expected, abs=1e-5)
            assert found[name, "image"][column] == ""  # no caption is sent in this mode
    means = summary(sent)
    assert means["modes"]["full"]["metrics"]["clipscore"]["n"] == 3 and means["metrics"]["clipscore"]["kind"] == "NR"
    assert "clipscore" not in means["modes"]["image"]["metrics"]
    before = sent.files("Result/real/*")
    sent.score("--metrics", "clipscore,clipscore_truth,psnr", "--clip_model", "/nowhere/" + clip.name, "--no_report")
    sent.score("--metrics", "clipscore,clipscore_truth,psnr", "--clip_model", clip, "--no_report")
    assert sent.files("Result/real/*") == before


def test_long_captions_are_cut(clip):
    metric = Clipscore(str(clip))
    metric.load("cpu")
    image = Picture(Image.new("RGB", (50, 60), "red"))
    short, long, longer = (
        metric.score_pairs(Pairs([Pair(image, image, " ".join(text))], None))
        for text in (["cat"] * 3, ["cat"] * 6 + ["boat"] * 9, ["cat"] * 6 + ["lake"] * 40)
    )
    assert long == longer != short


def test_captions_that_are_not_those_that_were_sent(sent, clip):
    write_captions(sent.folder / "Text/gpt4v.csv", {**TEXTS, "NSI_pgc_001.png": "another text"})
    done = sent.score("--metrics", "clipscore", "--clip_model", clip, "--no_report", code=1)
    assert "clipscore of real: 1 picture(s) were made of other captions than the file has now" in done.stderr
    found = rows(sent)
    assert found["NSI_pgc_001.png", "full"]["clipscore"] == "" != found["NSI_pgc_000.png", "full"]["clipscore"]


EMPTY = {  # the captions' file -> why the first of them has none
    "an empty one": (
        ",name,text\n0,NSI_pgc_000.png,a cat\n1,NSI_pgc_001.png, \n",
        "line 3: NSI_pgc_001.png has no caption",
    ),
    "no row": (",name,text\n0,NSI_pgc_000.png,a cat\n", "NSI_pgc_001 is not in Text/gpt4v.csv"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_a_picture_without_a_caption_is_told(sent, clip, case):
    text, why = EMPTY[case]
    (sent.folder / "Text/gpt4v.csv").write_text(text)
    asked = ["--metrics", "clipscore,psnr", "--clip_model", clip, "--no_report"]
    done = sent.score(*asked, code=1)
    said = "clipscore of real: 2 picture(s) have no caption (first: "
    assert said in done.stderr and why in done.stderr.replace(f"{sent.folder}/", "")
    found = rows(sent)
    assert found["NSI_pgc_001.png", "full"]["clipscore"] == "" != found["NSI_pgc_000.png", "full"]["clipscore"]
    assert "have no caption" not in sent.score(*asked, "--images", "NSI_pgc_000*").stderr  # none that is asked for
    (sent.folder / "Text/gpt4v.csv").write_text(",name,text\n0,NSI_pgc_000.png,\n")
    done = sent.score(*asked[:1], "clipscore", *asked[2:], code=2)
    assert "none of its pictures was made of the captions in" in done.stderr and "has no caption" in done.stderr


def test_captions_that_are_no_file_never_wait(sent):
    os.mkfifo(sent.folder / "pipe.csv")
    (sent.folder / "folder.csv").mkdir()
    (sent.folder / "utf16.csv").write_bytes(",name,text\n".encode("utf-16"))
    for name, why in {"pipe": "not a regular file", "folder": "it is a folder", "utf16": "is not UTF-8"}.items():
        done = sent.score("--metrics", "clipscore", "--captions", f"{name}.csv", "--no_report", code=2)
        assert why in done.stderr and f"{name}.csv" in done.stderr


def test_a_target_without_captions_says_so_before_anything_is_scored(sent, clip, monkeypatch):
    asked = ["--metrics", "clipscore", "--no_report"]  # a checkpoint that would have to be downloaded
    (sent.folder / "Text/gpt4v.csv").rename(sent.folder / "moved.csv")
    done = sent.score(*asked, code=2)
    assert "clipscore of real cannot be made: its captions" in done.stderr and "gpt4v.csv, are missing" in done.stderr
    assert "--captions FILE.csv" in done.stderr and not (sent.folder / "Result/real/scores.csv").exists()
    assert "get no caption" in sent.score(*asked, "--modes", "image", code=2).stderr
    (sent.folder / "Result/real/manifest.json").unlink()
    assert "its manifest.json names no captions" in sent.score(*asked, code=2).stderr
    for name in ("../moved.csv", 3, None):
        record = {"captions": {"file": name}}
        (sent.folder / "Result/real/manifest.json").write_text(json.dumps(record))
        assert "its manifest.json names no captions" in sent.score(*asked, code=2).stderr
    done = sent.score("--metrics", "clipscore,psnr", "--no_report", code=1)
    assert done.stderr.index("clipscore of real cannot be made") < done.stderr.index("Scores are in")
    assert summary(sent)["modes"]["full"]["metrics"].keys() == {"psnr"}
    sent.score(*asked, "--captions", "moved.csv", "--clip_model", clip)
    assert summary(sent)["modes"]["full"]["metrics"]["clipscore"]["n"] == 3
    assert "captions " in summary(sent)["metrics"]["clipscore"]["identity"]
    assert "--captions nowhere.csv cannot be read" in sent.score(*asked, "--captions", "nowhere.csv", code=2).stderr


def test_dino_is_the_cosine_of_features_of_whole_pictures(dinov2, small_truth):
    from torchvision.transforms import functional as change
    from transformers import Dinov2Model

    network = Dinov2Model.from_pretrained(dinov2).eval()

    def seen(image):
        pixels = change.to_tensor(change.resize(image, [224, 224], change.InterpolationMode.BICUBIC))
        pixels = change.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        with torch.no_grad():
            return network(pixel_values=pixels[None]).pooler_output[0]

    metric = Dino(str(dinov2))
    metric.load("cpu")
    truth = Image.open(sorted(small_truth.iterdir())[1]).convert("RGB")
    pictures = [truth.filter(ImageFilter.GaussianBlur(3)), truth]
    expected = [float(torch.cosine_similarity(seen(truth), seen(each), dim=0)) for each in pictures]
    assert metric.score(truth, pictures) == pytest.approx(expected, abs=1e-5)
    assert expected[1] == pytest.approx(1) and Dino().identity == "DINOv2 hub:facebook/dinov2-base, 224 px"
    features = WholePictures(str(dinov2))
    features.load("cpu")
    features.device = "cpu"
    assert features.embed(features.prepare(truth))[0] == pytest.approx(seen(truth).numpy(), abs=1e-5)
    assert WholePictures().identity == "DINOv2 hub:facebook/dinov2-large, 224 px"


def test_what_is_no_dinov2_checkpoint(clip, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (clip, tmp_path / "empty"):
        with pytest.raises(RunFailed, match="--dino_model"):
            WholePictures(str(folder)).load("cpu")


def test_fid_of_dinov2_by_the_script(sent, dinov2):
    done = sent.score("--metrics", "fid_dinov2,dino", "--dino_model", dinov2, "--no_report")
    found = summary(sent)["modes"]["full"]["metrics"]
    assert found["fid_dinov2"]["n"] == 3 and found["dino"]["n"] == 3 and "fid_dinov2 of 3 images" in done.stderr


def test_edits_are_levenshteins():
    def slow(one, other):
        row = list(range(len(other) + 1))
        for place, letter in enumerate(one, 1):
            before, row = row, [place]
            for column, expected in enumerate(other, 1):
                row.append(min(before[column - 1] + (letter != expected), before[column] + 1, row[-1] + 1))
        return row[-1]

    random = np.random.default_rng(2)
    for _ in range(60):
        one, other = ("".join(random.choice(list("abc"), random.integers(0, 9))) for _ in range(2))
        assert edits(one, other) == slow(one, other), (one, other)
    assert edits("kitten", "sitting") == 3
    assert normalised(" File\u3000Ed\uff49t\n") == "fileedit"


def test_ocr_cer_of_screen_content(bench):
    """Text stays readable, is lost, or was never there; other pictures are not read at all."""
    pytest.importorskip("rapidocr")
    bench.inside = True
    for name in ("SCI_screen_000", "SCI_screen_001", "NSI_pgc_000"):
        image = Image.new("RGB", (360, 96), "white")
        if name != "SCI_screen_001":
            draw = ImageDraw.Draw(image)
            for line, text in enumerate(("Open the settings", "Save 27 files")):
                draw.text((12, 8 + 42 * line), text, "black", font_size=30)
        for folder, radius in (("GT", 0), ("Result/real/full", 0.6), ("Result/real/text", 14)):
            (bench.folder / folder).mkdir(parents=True, exist_ok=True)
            image.filter(ImageFilter.GaussianBlur(radius)).save(bench.folder / folder / f"{name}.png")
    done = bench.score("--metrics", "ocr_cer,psnr", "--no_report")
    found = {key: row["ocr_cer"] for key, row in rows(bench).items()}
    assert float(found["SCI_screen_000.png", "full"]) < 0.1 and float(found["SCI_screen_000.png", "text"]) > 0.7
    assert {value for (name, _), value in found.items() if name != "SCI_screen_000.png"} == {""}
    assert (
        "ocr_cer leaves SCI_screen_001.png out: OCR reads 0 characters in its ground truth, fewer than 8" in done.stderr
    )
    assert "partial" not in done.stderr and summary(bench)["metrics"]["ocr_cer"]["lower_is_better"]


def test_ocr_without_its_package(monkeypatch, sent):
    from importlib import metadata

    known = metadata.version

    def version(name):
        if name == "rapidocr":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    done = sent.score("--metrics", "ocr_cer,psnr", "--no_report")
    assert "note: metric ocr_cer: rapidocr is not installed: pip install -r requirements-field.txt" in done.stderr
    assert "ocr_cer" not in summary(sent)["metrics"]
