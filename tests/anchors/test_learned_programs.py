"""The programs in docs/learned-codecs.md run as they stand there, by the commands that stand beside them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import ROOT
from codec_authors import clone
from PIL import Image

from cmcbench.anchors import codec
from cmcbench.files import rates

PAGE = (ROOT / "docs" / "learned-codecs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PROGRAMS = {
    text.partition("\n")[0].removeprefix("# "): text for kind, text in BLOCKS if kind == "python" and text[0] == "#"
}
SIZE = (192, 160)
CASES = {  # program -> repository, target, bits of each stream
    "ms_illm.py": ("NeuralCompression", "ms-illm@q3", 8 * (2 + 6 + 1)),
    "stablecodec.py": ("StableCodec", "stablecodec@q8", 8 * (12 + 4 + 1 + 4 + 1)),
    "perco.py": ("PerCo", "perco-sd@q0.0313", 8 * (2 + 1 + 18)),
    "cod_program.py": ("GenCodec/CoD", "cod-latent@0.0039", 8),
    "vtm.py": ("VVCSoftware_VTM", "vtm@q42", 8 * 6 * SIZE[0] * SIZE[1]),
}


def page_command(program: str) -> list[str]:
    """The page's command that runs a program, without `python -m cmcbench codec`, at one quality."""
    lines = [line for kind, text in BLOCKS if not kind for line in re.split(r"\n(?=\S)", text)]
    (line,) = [line for line in lines if line.startswith("python -m") and program in line]
    words = shlex.split(line.replace("\n", " "))
    assert words[:4] == ["python", "-m", "cmcbench", "codec"]
    return words[4:]


@pytest.mark.parametrize("program", CASES)
def test_the_page_s_programs_code_by_their_authors_interface(tmp_path, monkeypatch, capsys, program):
    repository, target, bits = CASES[program]
    clone(tmp_path, repository)
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    truth = tmp_path / "GT"
    truth.mkdir()
    ramp = np.linspace(90, 150, SIZE[0]).round().astype(np.uint8)
    for place in range(2):
        pixels = np.broadcast_to((ramp + 20 * place)[None, :, None], (SIZE[1], SIZE[0], 3))
        Image.fromarray(np.ascontiguousarray(pixels)).save(truth / f"{place}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    arguments = [os.path.expandvars(word) for word in page_command(program)]
    if "--quality" in arguments:  # one of the page's
        quality = target.partition("@q")[2]
        first = arguments.index("--quality") + 1
        last = next(place for place in range(first, len(arguments)) if arguments[place].startswith("--"))
        assert quality in arguments[first:last]
        arguments[first:last] = [quality]
    assert codec.main([*arguments, "--device", "cpu", "--output_path", "Result"]) == 0, capsys.readouterr().err
    assert "repeat itself" not in capsys.readouterr().err
    rows = rates.read(tmp_path / "Result" / target / "rates.csv")
    assert [row.bits for row in rows.values()] == [bits, bits]
    for place in range(2):
        with Image.open(tmp_path / "Result" / target / "image" / f"{place}.png") as image:
            assert image.size == SIZE and image.mode == "RGB"
            with Image.open(truth / f"{place}.png") as original:
                apart = np.asarray(image).astype(float) - np.asarray(original)
            # The stand-ins send the mean, but for VTM's, which sends all
            assert np.abs(apart if program == "vtm.py" else apart.mean()).max() <= (0 if program == "vtm.py" else 10)


def test_the_page_s_programs_are_all_here_and_short():
    assert set(PROGRAMS) == {"codec_loop.py", *CASES}
    assert max(len(text.splitlines()) for text in PROGRAMS.values()) <= 60
