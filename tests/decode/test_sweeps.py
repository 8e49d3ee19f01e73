"""Sweeps over strength and bits per pixel: several results by one load, and the published flags as they were."""

from __future__ import annotations

import json
import shutil

import pytest
from bench import write_captions
from PIL import Image

from cmcbench.files import rates

pytestmark = pytest.mark.usefixtures("avif")


@pytest.fixture
def ready(faked, small_truth):
    """GT, captions, and references as the published ones: without rate.csv."""
    for kind, colour in (("image", "red"), ("pixel", "blue")):
        (faked.folder / "Ref" / kind).mkdir(parents=True)
        for path in small_truth.iterdir():
            with Image.open(path) as image:
                Image.new("RGB", image.size, colour).save(faked.folder / "Ref" / kind / path.name)
    write_captions(
        faked.folder / "Text" / "gpt4v.csv", {path.name: f"caption of {path.stem}" for path in small_truth.iterdir()}
    )
    return faked


def results(bench) -> set[str]:
    return {path.name for path in (bench.folder / "Result").iterdir()}


def modes_of(bench, result: str) -> dict:
    return json.loads((bench.folder / "Result" / result / "manifest.json").read_text())["modes"]


def pictures(bench, result: str) -> dict[str, bytes]:
    return {name.split("/", 2)[2]: data for name, data in bench.files(f"Result/{result}/*/*.png").items()}


def test_strengths_in_one_load(ready):
    done = ready.decode("--mode", "all", "--strength", "0.3", "0.50", "1")
    assert results(ready) == {"real@strength=0.3", "real@strength=0.5", "real@strength=1"}
    assert done.stderr.count("loaded for") == 1 and "loaded for full,image,pixel" in done.stderr
    assert "note: text mode takes no part in the sweep" in done.stderr and "36 images made" in done.stderr
    for value in (0.3, 0.5, 1.0):
        modes = modes_of(ready, f"real@strength={value:g}")
        assert list(modes) == ["full", "image", "pixel"] and {
            mode["settings"]["strength"] for mode in modes.values()
        } == {value}
    # each is what a run by itself makes
    for value in ("0.3", "1"):
        ready.decode("--mode", "full", "--strength", value, "--result_name", f"alone{value}")
        alone = pictures(ready, f"alone{value}")
        assert alone == {
            name: data for name, data in pictures(ready, f"real@strength={value}").items() if name.startswith("full/")
        }


def test_one_strength_is_what_it_always_was(ready):
    ready.decode("--mode", "image", "--strength", "0.6")
    assert results(ready) == {"real"} and modes_of(ready, "real")["image"]["settings"]["strength"] == 0.6
    ready.decode("--mode", "all", "--strength", "0", "--result_name", "own")
    assert {mode: each["settings"]["strength"] for mode, each in modes_of(ready, "own").items()} == {
        "full": 0.5,
        "image": 0.5,
        "pixel": 0.8,
        "text": None,
    }


def test_names_compose_with_captions_and_with_a_name_of_one_s_own(ready, small_truth):
    write_captions(ready.folder / "Text" / "qwen.csv", {path.name: "other" for path in small_truth.iterdir()})
    ready.decode("--strength", "0.3", "0.4", "--input_path", "Text/qwen.csv")
    ready.decode("--strength", "0.3", "0.4", "--result_name", "X")
    assert results(ready) == {f"{name}@strength={value}" for name in ("real+qwen", "X") for value in ("0.3", "0.4")}


def test_a_sweep_is_resumed_and_widened(ready):
    ready.decode("--mode", "image", "--strength", "0.3", "0.4")
    before = ready.files("Result/**/*")
    done = ready.decode("--mode", "image", "--strength", "0.3", "0.4")
    assert "loaded" not in done.stderr and ready.files("Result/**/*") == before
    sorted((ready.folder / "Result/real@strength=0.4/image").glob("*.png"))[0].unlink()
    done = ready.decode("--mode", "image", "--strength", "0.4", "0.3", "0.7")
    assert "5 images made" in done.stderr and done.stderr.count("loaded for") == 1
    assert {name: data for name, data in ready.files("Result/**/*.png").items() if "0.7" not in name} == {
        name: data for name, data in before.items() if name.endswith(".png")
    }


def test_whatever_is_refused_is_refused_for_all_points_before_the_load(ready):
    ready.decode("--mode", "image", "--strength", "0.4", "--result_name", "real@strength=0.3")  # not what its name says
    before = ready.files("Result/**/*")
    done = ready.decode("--mode", "image", "--strength", "0.5", "0.3", code=2)
    assert "strength was 0.4 and is 0.3 now" in done.stderr and "loaded" not in done.stderr
    assert ready.files("Result/**/*") == before


def test_failures_tell_their_point(ready, small_truth):
    stem = sorted(small_truth.iterdir())[0].stem
    done = ready.decode("--mode", "image", "--strength", "0.3", "0.4", code=1, FAKE_FAIL=stem)
    assert "2 failed:" in done.stderr
    for value in ("0.3", "0.4"):
        assert f"{stem}: no memory left (mode image of real@strength={value})" in done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--strength", "0.3", "1.5"], "must be above 0 and up to 1"),
        (["--strength", "0.3", "0.01"], "leaves no step"),
        (["--strength", "0", "0.3"], "no point of a sweep"),
        (["--strength", "0.3", "0.30"], "0.3 is given 2 times"),
        (["--strength", "0.3", "0.1234567"], "more than the six digits"),
        (["--strength", "0.3", "x"], "invalid float"),
        (["--strength"], "expected at least one argument"),
        (["--strength", "0.3", "0.4", "--mode", "text"], "takes a strength in no mode of --mode text"),
        (["--strength", "0.3", "0.4", "--bpp", "0.01", "0.02"], "Sweep one of them"),
        (["--bpp", "0.01", "--mode", "pixel"], "takes a reference picture in no mode of --mode pixel"),
        (["--bpp", "0"], "not a rate in bits per pixel"),
        (["--bpp", "0.01", "0.010"], "0.01 is given 2 times"),
        (["--bpp", "0.01"], "script-i2t.py --model_name none --references --ref_dir Ref@0.01 --bpp 0.01"),
        (["--bpp", "0.01", "--ref_dir", ".."], "has no name"),
    ],
)
def test_wrong_flags(ready, flags, message):
    done = ready.decode(*flags, code=2)
    assert message in done.stderr and "loaded" not in done.stderr and not (ready.folder / "Result").exists()


def test_a_decoder_that_takes_no_strength(ready):
    done = ready.decode("--mode", "all", "--strength", "0.3", "0.4", code=2, FAKE_NO_STRENGTH="1")
    assert "this decoder takes a strength in no mode of --mode all" in done.stderr


# Bits per pixel


def test_a_sweep_over_bits_per_pixel(ready, small_truth):
    shutil.rmtree(ready.folder / "Ref")
    done = ready.encode("--model_name", "none", "--references", "--bpp", "0.2", "0.4")
    assert "References of 4 images are in Ref@0.2, Ref@0.4." in done.stderr and not (ready.folder / "Ref").exists()
    done = ready.decode("--mode", "all", "--bpp", "0.2", "0.4", "--strength", "0.7")
    assert results(ready) == {"real@bpp=0.2", "real@bpp=0.4"} and done.stderr.count("loaded for full,image") == 1
    assert "pixel, text mode takes no part" in done.stderr
    spent = {}
    for value in ("0.2", "0.4"):
        spent[value] = rates.read(ready.folder / "Result" / f"real@bpp={value}" / "rates.csv")
        assert {row.kind for row in spent[value].values()} == {"measured"} and len(spent[value]) == 8
        record = json.loads((ready.folder / "Result" / f"real@bpp={value}" / "manifest.json").read_text())
        assert record["references"] == f"Ref@{value}" and record["modes"]["full"]["settings"]["strength"] == 0.7
    assert sum(row.bits for row in spent["0.2"].values()) < 0.8 * sum(row.bits for row in spent["0.4"].values())
    # a point alone, and references that were not made with its budget
    ready.decode("--mode", "image", "--bpp", "0.2", "--strength", "0.7")
    shutil.copytree(ready.folder / "Ref@0.2", ready.folder / "Ref@0.3")
    assert "Ref@0.3 were made with 0.2" in ready.decode("--mode", "image", "--bpp", "0.3", code=2).stderr


def test_one_rate_goes_to_the_folder_itself(faked, small_truth):
    faked.encode("--model_name", "none", "--references", "--bpp", "0.2", "--ref_dir", "mine/")
    assert (faked.folder / "mine" / "rate.csv").exists() and not list(faked.folder.glob("mine@*"))


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--bpp", "0.2", "0.20"], "not told apart"),
        (["--bpp", "0.2", "0.20000001"], "not told apart"),
        (["--bpp", "0.2", "25"], "not a rate"),
        (["--bpp", "0.1", "0.2", "--ref_dir", "."], "has no name"),
    ],
)
def test_wrong_rates(faked, small_truth, flags, message):
    assert message in faked.encode("--model_name", "none", "--references", *flags, code=2).stderr
    assert {path.name for path in faked.folder.iterdir()} == {"GT"}
