"""PASD, DiffBIR and StableSR through script-t2i.py: modes, batches, killed and shared runs, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal

import pytest
import tiny_ldm
import torch
from bench import ROOT
from decoding_runs import untimed
from restoring import BSRNET, DECODERS, NAMES, made, most_apart, pixels, prepare
from torchrun import both, both_ended

ALL = {f"{mode}/{name}" for mode in ("full", "image") for name in NAMES}


@pytest.fixture(params=DECODERS)
def decoder(request):
    return request.param


@pytest.fixture
def ready(bench, decoder, monkeypatch):
    return prepare(bench, decoder, monkeypatch)


@pytest.fixture
def files(restorer, decoder):
    return restorer(decoder)


def settings(bench, result, mode="full"):
    return json.loads((bench.folder / "Result" / result / "manifest.json").read_text())["modes"][mode]["settings"]


def own(*flags):
    """The same run by the adapter in own.py, which can be told to die and sets the short side in other processes."""
    return ["own.py" if flag in DECODERS else flag for flag in flags]


def test_both_modes_batches_and_a_killed_run(ready, files):
    ready.decode(*files.flags("whole", "--mode", "all"))
    whole = made(ready, "whole")
    assert set(whole) == ALL and len(set(whole.values())) == 8  # the caption tells in mode full
    assert all(picture.shape == (24, 48, 3) and picture.std() > 5 for picture in pixels(ready, "whole").values())
    told = settings(ready, "whole")
    assert (told["steps"], told["strength"], told["model"]) == (2, None, files.name) and told["base"].startswith("fold")

    ready.decode(*files.flags("batched", "--mode", "all", "--batch_size", 4))
    assert most_apart(ready, "whole", "batched") <= 1

    killed = ready.start("script-t2i.py", *own(*files.flags("killed", "--mode", "all")), KILLED="1")
    assert killed.wait() == -signal.SIGKILL
    assert list(made(ready, "killed")) == [f"full/{min(NAMES)}"]
    done = ready.decode(*own(*files.flags("killed", "--mode", "all")))
    assert "7 images made" in done.stderr and made(ready, "killed") == whole


def test_two_processes_decode_as_one_does(ready, files):
    for result in ("one", "two"):
        flags = [ROOT / "script-t2i.py", *own(*files.flags(result, "--mode", "full"))]
        if result == "one":
            ready.decode(*flags[1:])
        else:
            assert "4 images made" in both_ended(both(ready.folder, *flags))
    one, two = (untimed(ready.files(f"Result/{result}/**/*")) for result in ("one", "two"))
    files_of = [{name.split("/", 2)[2]: data for name, data in each.items()} for each in (one, two)]
    assert files_of[0] == files_of[1] and {"rates.csv", "manifest.json", f"full/{NAMES[0]}"} <= files_of[0].keys()


def test_tiling_and_half_precision(ready, files):
    ready.decode(*files.flags("plain", "--images", NAMES[0]))
    ready.decode(*files.flags("tiled", "--images", NAMES[0], "--vae_tiling"))
    ready.decode(*files.flags("half", "--images", NAMES[0], "--dtype", "bf16"))
    assert settings(ready, "tiled")["vae_tiling"] is True and settings(ready, "half")["dtype"] == "bf16"
    plain, half = (pixels(ready, result)[f"full/{NAMES[0]}"] for result in ("plain", "half"))
    assert most_apart(ready, "plain", "tiled") < 255 and 0 < abs(plain - half).mean() < 40


@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_offload_without_a_gpu_is_refused_in_a_line(ready, files, kind):
    done = ready.decode(*files.flags("offloaded", "--offload", kind), code=2)
    assert (
        f"error: --offload {kind} needs an Nvidia or AMD GPU (--device cuda), not 'cpu': leave it out." in done.stderr
    )


@pytest.mark.parametrize("mode", ["text", "pixel"])
def test_modes_without_a_reference_are_refused_first(ready, decoder, mode):
    done = ready.decode("--model_name", decoder, "--model_dir", "nowhere", "--mode", mode, code=2)
    assert done.stderr.count("\n") == 1 and f"{decoder} has no mode {mode}. It has: full, image" in done.stderr
    assert not (ready.folder / "Result").exists()


OTHERS = {  # of another version, by name
    "pasd": ("pasd/checkpoint-100000", "has no unet/config.json"),
    "diffbir": ("v1_face.pth", "is none of v2.pth, v1_general.pth, DiffBIR_v2.1.pt"),
    "stablesr": ("stablesr_768v_000139.ckpt", "is StableSR 768v"),
}


def test_another_version_is_refused_first(ready, decoder):
    name, said = OTHERS[decoder]
    path = ready.folder / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if decoder == "pasd" else path.write_bytes(b"gigabytes that nobody reads")
    done = ready.decode("--model_name", decoder, "--model_dir", name, "--mode", "full", code=2)
    assert done.stderr.count("\n") == 1 and said in done.stderr and not (ready.folder / "Result").exists()


@pytest.mark.parametrize("decoder", ["diffbir"])
def test_a_first_stage_fetched_from_elsewhere_belongs_to_the_result(ready, files, tmp_path, monkeypatch):
    """Alone in its folder, the ControlNet says nothing of the file that torch's cache holds for it."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "alone").mkdir()
    alone = files._replace(model_dir=shutil.copy(files.model_dir, tmp_path / "alone"))
    kept = tmp_path / "hub" / "checkpoints" / "BSRNet.pth"
    kept.parent.mkdir(parents=True)
    shutil.copy(files.model_dir.parent / "BSRNet.pth", kept)
    ready.decode(*alone.flags("result", "--images", NAMES[0]))
    told = settings(ready, "result")["second_file"]
    assert told.startswith("BSRNet.pth ")
    ready.decode(*alone.flags("result", "--images", NAMES[0]))  # loads nothing, and forgets nothing
    assert settings(ready, "result")["second_file"] == told

    torch.save(tiny_ldm.filled(tiny_ldm.bsrnet(*BSRNET), 99), kept)
    done = ready.decode(*alone.flags("result"), code=2)
    assert f"was begun with second_file {told} and would go on with BSRNet.pth" in done.stderr
    assert list(made(ready, "result")) == [f"full/{NAMES[0]}"]
    ready.decode(*alone.flags("result", "--images", NAMES[0], "--overwrite"))
    assert settings(ready, "result")["second_file"] != told
