"""A scored result with everything that a submission needs, made without a network or a model, and ways to tamper with
it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from cmcbench.bitstream.bits import bpp, caption_bits, grid_bits
from cmcbench.files import captions, rates, scores
from cmcbench.files.rates import Cost
from cmcbench.files.scores import ScoreRow
from cmcbench.files.store import digest, png_bytes, write_json
from cmcbench.files.target import find
from cmcbench.protocol import IMAGE_PROMPT, MODES, i2t_prompt
from cmcbench.score.summary import summarise
from cmcbench.submission import archive
from cmcbench.submission.mail import SUMS, mail, sums

NAMES = [f"NSI_pgc_{number:03}.png" for number in range(4)] + ["SCI_game_000.png", "AIGI_MJ_007.png", "odd.png"]
WIDTH, HEIGHT = 130, 70
IMAGE_BITS = 184  # 0.0202 bpp


def picture(seed: str, size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG that depends on `seed`; small, since nothing looks at it but checksums."""
    image = Image.new("RGB", size, tuple(hashlib.sha256(seed.encode()).digest()[:3]))
    image.putpixel((0, 0), tuple(hashlib.sha256(seed.encode()).digest()[3:6]))
    return png_bytes(image)


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def result(place: Path, names: list[str] = NAMES, modes: tuple[str, ...] = tuple(MODES)) -> Path:
    """GT/, Text/, Weight/ and the scored Result/real below `place`. Returns the folder of the result."""
    folder = place / "Result" / "real"
    for name in names:
        write(place / "GT" / name, picture(f"truth {name}"))
    for kind in ("fr", "nr"):
        write(place / "Weight" / f"topiq-{kind}.pth", f"weights {kind}".encode())
    texts = {name: f"a picture, called {name}, with an ü" for name in names}
    captions.write(place / "Text" / "mine.csv", texts)
    write_json(
        place / "Text" / "mine.json", {"settings": {"words": 10, "prompt": i2t_prompt(10), "command": ""}, "images": {}}
    )
    made_of = {"file": "mine.csv", "sha256": digest((place / "Text" / "mine.csv").read_bytes()), "baseline": False}
    record: dict[str, Any] = {
        "t2i": "real",
        "model_dir": "SG161222/RealVisXL_V4.0",
        "captions": made_of,
        "baseline": False,
    }
    record |= {"environment": {"python": "3"}, "modes": {mode: _mode(mode, texts) for mode in modes}}
    write_json(folder / "manifest.json", record)
    spent = {}
    for mode in modes:
        for name in names:
            write(folder / mode / name, picture(f"{mode} {name}"))
            spent[Path(name).stem, mode] = _spent(name, mode, texts[name])
    rates.write(folder / "rates.csv", spent)
    score(place, names, modes)
    return folder


def _mode(mode: str, texts: dict[str, str]) -> dict[str, Any]:
    settings = {
        "model": "real",
        "checkpoint": "hub:SG161222/RealVisXL_V4.0",
        "captions": "mine.csv",
        "steps": 40,
        "seed": 42,
        "dtype": "fp16",
    }
    settings |= {
        "strength": MODES[mode].strength,
        "guidance": "own",
        "negative_prompt": "",
        "lora": "",
        "long_prompts": False,
    }
    prompts = {name: texts[name] if MODES[mode].captioned else IMAGE_PROMPT for name in texts}
    inputs = {
        Path(name).stem: {"prompt": digest(prompt.encode()), "size": f"{WIDTH}x{HEIGHT}"}
        for name, prompt in prompts.items()
    }
    return {"settings": settings | {"vae_tiling": False}, "inputs": inputs}


def _spent(name: str, mode: str, text: str) -> Cost:
    parts = {"caption_bits": caption_bits(text) if MODES[mode].captioned else None}
    parts["pixel_bits"] = grid_bits(WIDTH, HEIGHT) if mode == "pixel" else None
    parts["image_bits"] = IMAGE_BITS if mode in ("full", "image") else None
    bits = sum(value or 0 for value in parts.values())
    kind = "nominal" if mode == "full" else "measured"
    return Cost(
        name,
        mode,
        bits,
        kind,
        **parts,
        decode_seconds=1.25,
        peak_memory=1 << 30,
        sha256=digest(picture(f"{mode} {name}")),
    )


def score(place: Path, names: list[str] = NAMES, modes: tuple[str, ...] = tuple(MODES)) -> None:
    """scores.csv and summary.json as the scorer writes them, with scores from a random generator."""
    target = find("real", place / "Result" / "real")
    chance = random.Random(1)
    rows = {}
    for name in names:
        for mode in modes:
            seen = digest((target.folder / mode / name).read_bytes())
            row = ScoreRow(
                name,
                mode,
                digest((place / "GT" / name).read_bytes()),
                seen,
                {"topiq_fr": chance.uniform(1, 3), "topiq_nr": chance.uniform(1, 4)},
            )
            row.spent = target.spent(name, mode, seen)
            row.bpp = round(bpp(row.spent.bits, WIDTH, HEIGHT), 6) if row.spent else None
            rows[Path(name).stem, mode] = row
    scores.write(target.folder / "scores.csv", rows)
    metrics = {
        f"topiq_{kind}": {
            "kind": kind.upper(),
            "lower_is_better": False,
            "identity": f"weights {digest((place / 'Weight' / f'topiq-{kind}.pth').read_bytes())}",
        }
        for kind in ("fr", "nr")
    }
    truth = {Path(name).stem: digest((place / "GT" / name).read_bytes()) for name in names}
    write_json(target.folder / "summary.json", {**summarise(target, truth, rows, metrics), "i2t_table": False})


Contents = dict[str, bytes]


def resealed(contents: Contents) -> Contents:
    """A forger's last step: checksums and mail made anew, so that they do not betray what was changed."""
    contents = {name: data for name, data in contents.items() if name not in (SUMS, "mail.txt")}
    contents[SUMS] = sums(contents)
    documents = [
        json.loads(contents.get(name, b"null"))
        for name in ("submission.json", "summary.json", "manifest.json", "captions.json")
    ]
    return contents | {"mail.txt": mail(*documents, contents[SUMS])}


def changed(contents: Contents, name: str, change: Callable[[Any], Any]) -> Contents:
    """The contents with one JSON document changed in place by `change`."""
    document = json.loads(contents[name])
    change(document)
    return contents | {name: json.dumps(document).encode()}


def zip_file(path: Path, contents: Contents) -> Path:
    path.write_bytes(archive.pack(contents))
    return path


def rows_changed(contents: Contents, name: str, change: Callable[[list[dict[str, str]]], Any]) -> Contents:
    """The contents with the rows of one CSV changed in place by `change`."""
    lines = csv.DictReader(io.StringIO(contents[name].decode("utf-8-sig"), newline=""))
    rows = list(lines)
    change(rows)
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else lines.fieldnames, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return contents | {name: buffer.getvalue().encode()}
