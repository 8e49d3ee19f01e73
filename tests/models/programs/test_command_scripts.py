"""--command through the scripts: what stops a run, and that no program outlives it."""

from __future__ import annotations

import signal
import time

import pytest
from PIL import Image
from programs import DRAW, gone, ready

import models
from models.base import ModelError


def test_a_run_by_command_and_what_stops_it(bench, program):
    truth = ready(bench)
    fail = f"if request['name'] == {truth[1].stem!r}:\n    sys.exit('cannot do this one')\n{DRAW}"
    done = bench.decode(
        "--model_name", "command", "--command", program(fail), "--mode", "image", "--device", "cpu", code=1
    )
    assert f"failed: {truth[1].stem}" in done.stderr and "cannot do this one" in done.stderr
    assert set(bench.files("Result/**/*.png")) == {f"Result/command/image/{path.name}" for path in (truth[0], truth[2])}
    assert gone()


@pytest.mark.parametrize("name", ["diffbir", "pasd", "stablesr"])
def test_restorers_have_no_mode_without_a_picture(bench, name):
    """Refused before the command, the captions or the references are looked at."""
    assert models.create("t2i", name).modes == {"full", "image"} and not models.create("t2i", name).accepts_strength
    for mode in ("text", "pixel"):
        refused = bench.decode("--model_name", name, "--mode", mode, code=2)
        assert f"has no mode {mode}" in refused.stderr and "--mode all" in refused.stderr
    assert not bench.files()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_no_program_outlives_the_run(bench, program, number, code):
    ready(bench)
    # After a kill nobody can end it: it ends at the end of its stdin, once it has done what it is at
    slow = "open('busy', 'w')\ntime.sleep(1 if os.environ['NUMBER'] == '9' else 600)\n" + DRAW
    arguments = ["--model_name", "command", "--command", program(slow), "--mode", "text", "--device", "cpu"]
    process = bench.start("script-t2i.py", *arguments, NUMBER=str(int(number)), TMPDIR=str(bench.folder))
    bench.until((bench.folder / "busy").exists, process)
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait() == code and time.monotonic() - began < 100
    assert gone()
    assert number == signal.SIGKILL or not list(bench.folder.glob("cmcbench-*"))


def test_what_a_program_writes_is_read_upright_and_starts_no_other_program(tmp_path, monkeypatch):
    from picture_files import with_exif

    from models.t2i.command import read_output

    Image.new("RGB", (4, 2)).save(tmp_path / "a.png", "JPEG", exif=with_exif(6))
    assert read_output(tmp_path / "a.png").size == (2, 4)
    Image.new("RGB", (4, 2)).save(tmp_path / "b.png", "TIFF", tiffinfo={274: 6})
    assert read_output(tmp_path / "b.png").size == (2, 4)
    (tmp_path / "c.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(ModelError, match="wrote no readable picture"):
        read_output(tmp_path / "c.png")
