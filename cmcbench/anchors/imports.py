"""python -m cmcbench import: reconstructions that another program made, with their bits, as a target in Result/."""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, ImageProblem
from ..files.captions import LARGEST_CELL
from ..files.images import image_size, list_images, read_rgb
from ..files.names import plain_name, target_name
from ..files.store import digest, only_writer
from ..files.subset import choose
from ..protocol import MODES
from ..runtime.cli import add_choice, parser
from ..runtime.messages import RunLog, progress
from .output import Output

RATES = ("bits", "bytes", "bpp")
COSTS = ("encode_seconds", "decode_seconds", "peak_memory")
MOST = (48, 8_000_000)  # bits a pixel and bits besides: more than any codec needs for a picture


@dataclass(frozen=True)
class ImportedCost:
    """What one reconstruction cost. value: in the unit of the table's column; peak_memory in bytes."""

    value: float
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    peak_memory: int | None = None

    def bits(self, unit: str, width: int, height: int) -> int:
        """The bits of a picture of this size. Raises ValueError for more than a picture can take."""
        bits = self.value * {"bits": 1, "bytes": 8, "bpp": width * height}[unit]
        if bits > MOST[0] * width * height + MOST[1]:
            raise ValueError(f"{self.value:g} {unit} is more than a picture of {width}x{height} can take")
        return round(bits)


def main(argv: list[str]) -> int:
    """Bring a folder of reconstructions into Result/. Returns the exit code."""
    options = _parser().parse_args(argv)
    name = target_name(options.name, "--name")
    report = RunLog()
    truth = list_images(Path(options.ground_truth), "--ground_truth")
    found = list_images(Path(options.folder), "FOLDER")
    if not found:
        raise BadInput(f"{options.folder} holds no images to import.")
    unit, costs, problems = read_costs(Path(options.bits))
    report.fail_all(problems.items())
    chosen = choose(truth, options.images, options.subset)
    known = _paired(chosen, truth, found, costs, options, report)
    if not known:
        raise BadInput(
            f"no image of {options.ground_truth} is both in {options.folder} and in {options.bits} (of those chosen); "
            f"they are paired by name. {next(iter(report.failures.values()), '')}".rstrip()
        )
    inputs = {stem: _input(truth[stem], found[stem], costs[stem], unit) for stem in known}
    settings = {"codec": name, "unit": unit}
    group = name.partition("@")[0] or name
    facts = {"t2i": group, "codec": group, "model_dir": None, "captions": None, "imported": True}
    output = Output(Path(options.output_path) / name, options.mode, settings, inputs, "", facts)
    with only_writer(output.lock, str(output.folder)):
        missing = output.begin(options.overwrite)
        with progress(len(known), len(known) - len(missing), "import") as bar:
            for stem in missing:
                try:
                    _bring(stem, truth[stem], found[stem], costs[stem], unit, output, report)
                except (ImageProblem, ValueError) as error:
                    report.fail(stem, f"{found[stem].name}: {error}")
                bar.update()
    return report.close(f"{output.folder / options.mode} has the {len(known)} reconstructions but for what failed.")


def _paired(
    chosen: list[str],
    truth: dict[str, Path],
    found: dict[str, Path],
    costs: dict[str, ImportedCost],
    options: argparse.Namespace,
    report: RunLog,
) -> list[str]:
    """The stems that have a ground truth, a reconstruction and a row; what lacks one is reported by name."""
    wanted = set(chosen)
    strangers = sorted((set(found) | set(costs)) - set(truth))
    report.fail_all((stem, f"{stem}: there is no such ground truth in {options.ground_truth}") for stem in strangers)
    for stem in sorted(wanted & set(costs) - set(found)):
        report.fail(stem, f"{stem}: stands in {options.bits} and is not in {options.folder}")
    for stem in sorted(wanted & set(found) - set(costs)):
        if stem not in report.failures:
            report.fail(stem, f"{stem}: is in {options.folder} and has no row in {options.bits}")
    return [stem for stem in chosen if stem in found and stem in costs]


def _input(truth: Path, found: Path, cost: ImportedCost, unit: str) -> dict[str, object]:
    return {
        "ground_truth": digest(truth.read_bytes()),
        "reconstruction": digest(found.read_bytes()),
        unit: cost.value,
        **{name: getattr(cost, name) for name in COSTS},
    }


def _bring(stem: str, truth: Path, found: Path, cost: ImportedCost, unit: str, output: Output, report: RunLog) -> None:
    image, note = read_rgb(found)
    size = image_size(truth)
    if image.size != size:
        raise ImageProblem(f"has {image.size[0]}x{image.size[1]} pixels, its ground truth {size[0]}x{size[1]}")
    report.converted(found.name, note)
    bits = cost.bits(unit, *size)
    output.write(stem, image, None, bits=bits, image_bits=bits, **{name: getattr(cost, name) for name in COSTS})


def read_costs(path: Path) -> tuple[str, dict[str, ImportedCost], dict[str, str]]:
    """A table of rates: its unit, stem -> Cost, and name -> why a row cannot be used.

    Columns: name, one of bits, bytes, bpp, and perhaps encode_seconds, decode_seconds, peak_memory (bytes); others are
    left alone. Raises BadInput for a table that is missing, no UTF-8, no CSV, or lacks a column.
    """
    csv.field_size_limit(LARGEST_CELL)
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        unit = _unit(list(rows.fieldnames or []), path)
        costs: dict[str, ImportedCost] = {}
        problems: dict[str, str] = {}
        for row in rows:
            _take(row, unit, f"{path.name}, line {rows.line_num}", costs, problems)
    except OSError as error:
        raise BadInput(f"--bits: {path} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"--bits: {path} is not a readable UTF-8 CSV ({error}).") from None
    return unit, costs, problems


def _unit(columns: list[str], path: Path) -> str:
    units = [unit for unit in RATES if unit in columns]
    if "name" not in columns or len(units) != 1 or len(set(columns)) != len(columns):
        shown = ", ".join(ascii(column[:40]) for column in columns[:12]) or "none"
        raise BadInput(
            f"--bits: {path} needs a column name and one of {', '.join(RATES)}, each once; its columns are: {shown}."
        )
    return units[0]


def _take(row: dict[str, str], unit: str, where: str, costs: dict[str, ImportedCost], problems: dict[str, str]) -> None:
    name = (row["name"] or "").strip()
    shown, stem = ascii(name[:80]), Path(name).stem
    if not plain_name(name):
        problems[shown] = f"{where}: {shown} is not a plain file name"
        return
    try:
        readers: dict[str, Callable[[str], float]] = {unit: _number if unit == "bpp" else _whole, "peak_memory": _whole}
        cells = {column: (row.get(column) or "").strip() for column in (unit, *COSTS)}
        values = {
            column: readers.get(column, _number)(text) for column, text in cells.items() if text or column == unit
        }
    except ValueError as error:
        problems[name] = f"{where}: {name}: {error}"
        costs.pop(stem, None)
        return
    cost = ImportedCost(values.pop(unit), **values)
    if stem in costs and costs[stem] != cost:
        problems[name] = f"{where}: {name} stands in the table twice, with different values"
    if any(Path(each).stem == stem for each in problems):
        costs.pop(stem, None)
    else:
        costs[stem] = cost


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError(f"{ascii(text[:40])} is not a whole number of at least 0")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 <= value < 1e15):
        raise ValueError(f"{ascii(text[:40])} is not a number of at least 0")
    return value


def _parser() -> argparse.ArgumentParser:
    options = parser("Reconstructions of another program, with their bits, as a target in Result/.", "import")
    options.add_argument(
        "folder", metavar="FOLDER", help="the reconstructions, named as the ground truth (endings may differ)"
    )
    options.add_argument(
        "--bits",
        metavar="FILE.csv",
        required=True,
        help=(
            "table with the columns name and bits (or bytes, or bpp), and perhaps encode_seconds, decode_seconds,"
            " peak_memory (bytes)"
        ),
    )
    options.add_argument(
        "--name", required=True, help="the target's folder, e.g. cdc@0.02: what stands before @ is one curve"
    )
    options.add_argument("--mode", choices=tuple(MODES), default="image", help="what its decoder gets")
    options.add_argument("--ground_truth", default="./GT/", help="folder of the images")
    options.add_argument("--output_path", default="./Result/", help="folder that results go to")
    options.add_argument("--overwrite", action="store_true", help="import the chosen images anew")
    add_choice(options)
    return options
