"""Models that are quick, exactly predictable and can be told to fail, for tests of what surrounds a model.

`python tests/support/fake.py script-i2t.py ARGUMENTS` runs a script with them; FAKE_SECONDS makes each call slow,
and FAKE_FAIL names the images that fail. FAKE_HOLD=N lets N calls pass, or N scores; then all waits for a file `go` in
the working folder, so that a test can kill the run in its middle, however fast or busy the machine is.
"""

from __future__ import annotations

import hashlib
import os
import runpy
import sys
import time
from pathlib import Path
from unittest import mock

from PIL import Image

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))  # also as a program of its own

import models  # noqa: E402
from models.base import Caption, I2TModel, Job, ModelError, T2IModel  # noqa: E402


def _fails(what: str) -> bool:
    return what in os.environ.get("FAKE_FAIL", "").split(",")


_passed = 0


def _work() -> None:
    global _passed
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    while "FAKE_HOLD" in os.environ and _passed >= int(os.environ["FAKE_HOLD"]) and not Path("go").exists():
        time.sleep(0.01)
    _passed += 1


class Encoder(I2TModel):
    """The caption tells the picture's size and pixels, so that a test sees which picture it was made from."""

    calls = 0

    def load(self, model_dir, device, dtype, **options):
        if model_dir == "broken":
            raise ModelError("the checkpoint 'broken' is broken; download it again")

    def caption(self, images, prompt, words):
        type(self).calls += 1
        _work()
        return [self._one(image) for image in images]

    def _one(self, image):
        seen = hashlib.sha256(image.tobytes()).hexdigest()[:8]
        if _fails(seen):
            raise RuntimeError(f"cannot see\nthis picture {seen}")
        if _fails(f"empty-{seen}"):
            return Caption("  \n", "content_filter")
        return Caption(f'A "{image.width}x{image.height}" picture,\n like {seen}', "stop", {"output_tokens": 7})


class Decoder(T2IModel):
    """A picture whose colour is a digest of all that the decoder was given."""

    accepts_seed = property(lambda self: "FAKE_NO_SEED" not in os.environ)

    def inspect(self, model_dir):
        self.modes = frozenset(os.environ.get("FAKE_MODES", "full,image,pixel,text").split(","))
        self.accepts_strength = "FAKE_NO_STRENGTH" not in os.environ

    def load(self, model_dir, device, dtype, modes, **options):
        if model_dir == "broken":
            raise ModelError("the checkpoint 'broken' is broken; download it again")
        print("loaded for", ",".join(sorted(modes)), file=sys.stderr)

    def generate(self, jobs: list[Job]):
        _work()
        assert len({(job.size, job.strength, job.steps) for job in jobs}) == 1
        return [self._one(job) for job in jobs]

    def _one(self, job: Job):
        if _fails(job.name):
            raise RuntimeError(f"no memory left\nfor {job.name}")
        guide = job.guide.tobytes() if job.guide else b""
        seen = hashlib.sha256(repr((job.prompt, job.size, job.seed, job.strength, job.steps)).encode() + guide).digest()
        picture = Image.new("RGB", job.size, tuple(seen[:3]))
        picture.putpixel((0, 0), tuple(seen[3:6]))
        return picture


MODELS = {"i2t": Encoder, "t2i": Decoder}


def run(script: str, arguments: list[str], fakes: dict[str, type] = MODELS) -> None:
    """Run a script in this process, every model name meaning a fake model, if any. Ends in SystemExit, as the script
    does.
    """
    create = lambda kind, name, model_dir=None: fakes[kind]() if fakes else models.create(kind, name, model_dir)  # noqa: E731
    if "FAKE_HOLD" in os.environ and script == "script-evaluate.py":
        _hold_scores()
    with (
        mock.patch("cmcbench.encode.command.create", create),
        mock.patch("cmcbench.decode.command.create", create),
        mock.patch.object(sys, "argv", [script, *arguments]),
    ):
        runpy.run_path(str(ROOT / script), run_name="__main__")


def _hold_scores() -> None:
    """Before a score is written down, and for the rest of the process, which is the test's own."""
    from cmcbench.score.journal import ScoreJournal

    add = ScoreJournal.add

    def held(*given):
        _work()
        add(*given)

    ScoreJournal.add = held


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
