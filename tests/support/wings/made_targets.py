"""Targets of codecs as the tests make them, and what lies in their folders."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PIL import Image

from cmcbench import codecs
from cmcbench.anchors import codec as targets
from cmcbench.codecs.video import FfmpegCodec
from cmcbench.files import rates
from cmcbench.files.store import digest

STEMS = ("NSI_pgc_000", "NSI_ugc_000", "SCI_game_000")
SIZE = (131, 97)  # odd on both sides


def run(truth: Path, result: Path, *arguments: object) -> int:
    return targets.main([*map(str, arguments), "--ground_truth", str(truth), "--output_path", str(result)])


def files(folder: Path) -> dict[str, bytes]:
    """Everything below but locks and what the scorer or a killed run leaves; seconds and memory in rates.csv are left
    out.
    """
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock"))
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    return {
        name: re.sub(rb",\d+\.\d+,\d+\.\d+,\d*", b"", text) if name.endswith("rates.csv") else text
        for name, text in content.items()
    }


def check(folder: Path, codec: str, rate: float) -> dict[str, rates.Cost]:
    """Every row tells of a stream that is there, within the budget, and decodes from its file to the picture that is
    scored.
    """
    found = {stem: row for (stem, _), row in rates.read(folder / "rates.csv").items()}
    for stem, row in found.items():
        stream = (folder / "stream" / f"{stem}.{codecs.extension(codec)}").read_bytes()
        png = folder / "image" / f"{stem}.png"
        assert (row.name, row.mode, row.kind, row.sha256) == (
            f"{stem}.png",
            "image",
            "measured",
            digest(png.read_bytes()),
        )
        assert row.bits == row.image_bits == 8 * len(stream) <= rate * SIZE[0] * SIZE[1]
        assert row.encode_seconds > 0 and row.decode_seconds > 0
        assert (row.caption_bits, row.pixel_bits) == (None, None)
        # ffmpeg's own memory, not this process's with all that the tests have loaded; Pillow has none of its own
        runs_ffmpeg = isinstance(codecs.create(codec), FfmpegCodec)
        assert (0 < row.peak_memory < 200 << 20) if runs_ffmpeg and sys.platform == "linux" else row.peak_memory is None
        with Image.open(png) as picture:
            assert picture.size == SIZE
            assert codecs.decode_stream(codec, stream, SIZE, row.scale).tobytes() == picture.tobytes()
    return found
