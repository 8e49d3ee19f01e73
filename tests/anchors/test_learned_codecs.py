"""python -m cmcbench codec --command: what is counted and scored, who is told what, and what is told twice."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import pytest
import warm
from bench import Bench
from codec_programs import ENCODE, codec_program
from made_targets import SIZE, STEMS, files, run
from PIL import Image
from programs import gone

from cmcbench.errors import BadInput
from cmcbench.files import rates
from cmcbench.files.store import digest


def said(folder: Path) -> list[tuple[int, str, dict]]:
    return [tuple(json.loads(line)) for line in (folder / "log").read_text().splitlines()]


def code(truth: Path, folder: Path, *arguments: object, command: str = "") -> int:
    command = command or codec_program(folder)
    return run(truth, folder / "Result", "--command", command, "--name", "mine", "--device", "cpu", *arguments)


def test_the_stream_is_counted_and_the_decoded_picture_is_scored(truth, tmp_path):
    assert code(truth, tmp_path, "--quality", 20, 60) == 0
    for quality in (20, 60):
        folder = tmp_path / "Result" / f"mine@q{quality}"
        rows = rates.read(folder / "rates.csv")
        assert set(rows) == {(stem, "image") for stem in STEMS}
        for (stem, _), row in rows.items():
            stream = (folder / "stream" / f"{stem}.bin").read_bytes()
            png = (folder / "image" / f"{stem}.png").read_bytes()
            assert (row.bits, row.image_bits, row.kind) == (8 * len(stream), 8 * len(stream), "measured")
            assert (row.level, row.scale, row.sha256) == (str(quality), 1, digest(png))
            assert row.encode_seconds > 0 and row.decode_seconds > 0
            with Image.open(truth / f"{stem}.png") as image, Image.open(io.BytesIO(stream)) as coded:
                buffer = io.BytesIO()
                image.convert("RGB").save(buffer, format="JPEG", quality=quality)
                assert buffer.getvalue() == stream and coded.size == SIZE
                assert Image.open(io.BytesIO(png)).tobytes() == coded.convert("RGB").tobytes()
    manifest = json.loads((tmp_path / "Result" / "mine@q20" / "manifest.json").read_text())
    assert (manifest["codec"], manifest["t2i"], manifest["baseline"]) == ("mine", "mine", False)


def test_who_decodes_is_another_process_and_never_hears_of_the_image(truth, tmp_path):
    assert code(truth, tmp_path, "--quality", 20) == 0
    log = said(tmp_path)
    encoders, decoders = ({pid for pid, task, _ in log if task == which} for which in ("encode", "decode"))
    assert len(encoders) == 1 and len(decoders) == 2 and not encoders & decoders  # the second decodes the first again
    for _, task, told in log:
        text = json.dumps(told)
        assert not any(stem in text for stem in STEMS)
        if "id" in told:
            path = Path(told["image" if task == "encode" else "stream"])
            assert told["there"] == [path.name] and path.parent != truth
            assert set(told) == {
                "id",
                "output",
                "there",
                *(["image"] if task == "encode" else ["stream", "width", "height"]),
            }
    settings = [told for _, _, told in log if "kind" in told]
    assert {(each["kind"], each["quality"], each["device"], each["dtype"], each["seed"]) for each in settings} == {
        ("codec", 20.0, "cpu", "float32", 42)
    }
    folders = {Path(told["output"]).parent for _, _, told in log if "id" in told}
    assert len(folders) == 3 and not any(folder.exists() for folder in folders)


def test_a_command_that_is_its_own_rate_needs_no_quality(truth, tmp_path):
    assert code(truth, tmp_path, "--images", "SCI*") == 0
    (row,) = rates.read(tmp_path / "Result" / "mine" / "rates.csv").values()
    assert row.level == "" and row.bits > 0


NOISY = {
    "each time": ("import random", 0),
    "from picture to picture": ("import random; random.seed(1)", 0),
    "from process to process": ("import random; noise = os.getpid()", 1),
}


@pytest.mark.parametrize("case", NOISY)
def test_a_decoder_that_does_not_repeat_itself_is_told(truth, tmp_path, capsys, case):
    start, place = NOISY[case]
    noise = "noise" if place else "random.randrange(1 << 24)"
    decode = f"Image.new('RGB', (request['width'], request['height']), {noise} % (1 << 24)).save(request['output'])"
    assert code(truth, tmp_path, "--quality", 20, command=codec_program(tmp_path, decode=decode, start=start)) == 0
    told = capsys.readouterr().err
    assert f"mine@q20: the decoder does not repeat itself: a second run on the stream of {STEMS[place]}" in told
    assert "of 255 away" in told


def test_a_decoder_that_repeats_itself_is_not(truth, tmp_path, capsys):
    assert code(truth, tmp_path, "--quality", 20) == 0
    assert "repeat itself" not in capsys.readouterr().err


def test_a_second_run_makes_nothing_and_damage_is_made_again(truth, tmp_path):
    assert code(truth, tmp_path, "--quality", 20) == 0
    whole = files(tmp_path / "Result")
    (tmp_path / "log").unlink()
    assert code(truth, tmp_path, "--quality", 20) == 0
    assert not (tmp_path / "log").exists()  # no program was started
    (tmp_path / "Result" / "mine@q20" / "stream" / f"{STEMS[1]}.bin").unlink()
    assert code(truth, tmp_path, "--quality", 20) == 0
    assert files(tmp_path / "Result") == whole


def test_another_command_quality_or_seed_is_not_mixed_in(truth, tmp_path):
    assert code(truth, tmp_path, "--images", "SCI*") == 0
    for others in (["--seed", 1], ["--dtype", "bf16"]):
        with pytest.raises(BadInput, match="made otherwise"):
            code(truth, tmp_path, *others)
    with pytest.raises(BadInput, match="made otherwise: setup .*--fast"):
        code(truth, tmp_path, command=codec_program(tmp_path) + " --fast")
    (tmp_path / "Result" / "mine").rename(tmp_path / "Result" / "other")
    with pytest.raises(BadInput, match="holds results of mine, not of other"):
        run(truth, tmp_path / "Result", "--command", "x", "--name", "other", "--device", "cpu")


def test_secrets_of_the_command_are_not_kept(truth, tmp_path):
    secret = "sk-" + "a1B2c3D4" * 4
    assert code(truth, tmp_path, "--images", "SCI*", command=f"{codec_program(tmp_path)} --api_key {secret}") == 0
    manifest = (tmp_path / "Result" / "mine" / "manifest.json").read_text()
    assert secret not in manifest and "my codec.py" in manifest


@pytest.mark.parametrize("number, ends", [(signal.SIGKILL, -9), (signal.SIGTERM, 130)], ids=["kill -9", "SIGTERM"])
def test_a_run_that_is_killed_and_run_again_equals_one_that_was_not(truth, tmp_path, number, ends):
    """All but the first picture wait for the signal."""
    pids = str(tmp_path / "pids")
    start = f'open({pids!r}, "a").write(f"{{os.getpid()}}\\n")'
    held = f"while request['id'] > 1 and not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n{ENCODE}"
    slow = codec_program(tmp_path, encode=held, start=start)
    arguments = ["--command", slow, "--name", "mine", "--quality", "20", "--device", "cpu"]
    arguments += ["--ground_truth", str(truth), "--output_path", "Result"]
    process = warm.Program(["-m", "cmcbench", "codec", *arguments], tmp_path, dict(os.environ))
    folder = tmp_path / "Result" / "mine@q20" / "image"
    Bench(tmp_path).until(lambda: list(folder.glob("[!.]*.png")), process)
    process.send_signal(number)
    assert process.wait() == ends
    (tmp_path / "go").touch()
    if number == signal.SIGTERM:
        assert gone(pids)  # a killed run cannot end its programs; their stdin ends, and so do they
    made = set(folder.glob("*.png"))
    assert len(made) < 3
    assert code(truth, tmp_path, "--quality", 20, command=slow) == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    assert run(truth, whole, "--command", slow, "--name", "mine", "--quality", 20, "--device", "cpu") == 0
    assert files(tmp_path / "Result") == files(whole)
