"""python -m cmcbench import: reconstructions that another program made, with their bits, as a target in Result/."""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem
from ..files import csv_tables
from ..files.csv_tables import file_name, number, whole
from ..files.images import digests, image_size, list_images, read_rgb
from ..files.names import plain_name, stem, target_name
from ..files.store import only_writer
from ..files.subset import choose
from ..protocol import MODES
from ..runtime.beside import Behind, threads
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
        raise BadInput(f"{options.folder} holds no images to import.{found.hint}")
    truth.tell(report, options.images)
    found.tell(report, options.images)
    unit, costs, problems = read_costs(Path(options.bits))
    report.fail_all(problems.items())
    chosen = choose(truth, options.images, options.subset)
    known = _paired(chosen, truth, found, costs, options, report)
    if not known:
        raise BadInput(
            f"no image of {options.ground_truth} is both in {options.folder} and in {options.bits} (of those chosen); "
            f"they are paired by name. {next(iter(report.failures.values()), '')}".rstrip()
        )
    inputs = _inputs(known, truth, found, costs, unit, report)
    if not inputs:
        raise BadInput(next(iter(report.failures.values())))
    settings = {"codec": name, "unit": unit}
    group = name.partition("@")[0] or name
    facts = {"t2i": group, "codec": group, "model_dir": None, "captions": None, "imported": True}
    output = Output(Path(options.output_path) / name, options.mode, settings, inputs, "", facts)
    with only_writer(output.lock, str(output.folder)):
        missing = output.begin(options.overwrite)
        try:
            with (
                progress(len(inputs), len(inputs) - len(missing), "import") as bar,
                Behind(2 * threads()) as behind,
            ):
                for image in missing:
                    bring = functools.partial(_bring, image, truth[image], found[image], costs[image], unit, output)
                    behind.put(
                        bring, lambda brought, image=image: _enter(image, found[image], brought, output, report, bar)
                    )
        finally:  # also when it is interrupted
            output.end()
    return report.close(f"{output.folder / options.mode} has the {len(inputs)} reconstructions but for what failed.")


def _paired(
    chosen: list[str],
    truth: dict[str, Path],
    found: dict[str, Path],
    costs: dict[str, ImportedCost],
    options: argparse.Namespace,
    report: RunLog,
) -> list[str]:
    """The stems that have a ground truth, a reconstruction and a row; what lacks one is reported once, by name."""
    wanted = set(chosen)
    unknown = sorted((set(found) | set(costs)) - set(truth) - report.failures.keys())
    report.fail_all((image, f"{image}: there is no such ground truth in {options.ground_truth}") for image in unknown)
    for image in sorted(wanted & set(costs) - set(found)):
        report.fail(image, f"{image}: is in {options.bits} and not in {options.folder}")
    for image in sorted(wanted & set(found) - set(costs) - report.failures.keys()):
        report.fail(image, f"{image}: is in {options.folder} and has no row in {options.bits}")
    return [image for image in chosen if image in found and image in costs]


def _inputs(
    known: list[str],
    truth: dict[str, Path],
    found: dict[str, Path],
    costs: dict[str, ImportedCost],
    unit: str,
    report: RunLog,
) -> dict[str, dict[str, object]]:
    """stem -> what its reconstruction is made of, as the manifest keeps it, of the images whose files can be read."""
    inputs = {}
    seen = [digests({image: folder[image] for image in known}) for folder in (truth, found)]
    for image in known:
        of = {"ground_truth": seen[0][image], "reconstruction": seen[1][image]}
        problem = next((each for each in of.values() if isinstance(each, ImageProblem)), None)
        if problem is not None:
            report.fail(image, str(problem))
            continue
        own = {name: getattr(costs[image], name) for name in COSTS}
        inputs[image] = {**of, unit: costs[image].value, **own}
    return inputs


@dataclass(frozen=True)
class _Brought:
    """A reconstruction that is in its place. seen: digest of its file there. note: of its conversion."""

    seen: str
    bits: int
    costs: dict[str, Any]
    note: str | None


def _bring(
    name: str, truth: Path, found: Path, cost: ImportedCost, unit: str, output: Output
) -> _Brought | ImageProblem | ValueError:
    """Bring a reconstruction to its place, in a thread; or why it cannot be."""
    try:
        image, note = read_rgb(found)
        size = image_size(truth)
        if image.size != size:
            raise ImageProblem(f"has {image.size[0]}x{image.size[1]} pixels, its ground truth {size[0]}x{size[1]}")
        bits = cost.bits(unit, *size)
    except (ImageProblem, ValueError) as error:
        return error
    return _Brought(output.put(name, image, None), bits, {column: getattr(cost, column) for column in COSTS}, note)


def _enter(
    name: str, found: Path, brought: _Brought | ImageProblem | ValueError, output: Output, report: RunLog, bar: Any
) -> None:
    if isinstance(brought, Exception):
        report.fail(name, f"{found.name}: {str(brought).removeprefix(f'{found.name}: ')}")
    else:
        report.converted(found.name, brought.note)
        output.enter(name, brought.seen, bits=brought.bits, image_bits=brought.bits, **brought.costs)
    bar.update()


def read_costs(path: Path) -> tuple[str, dict[str, ImportedCost], dict[str, str]]:
    """A table of rates: its unit, stem -> ImportedCost, and stem (or the name, of one that is not a plain file name) ->
    why its row cannot be used.

    Columns: name, one of bits, bytes, bpp, and perhaps encode_seconds, decode_seconds, peak_memory (bytes); others are
    left alone. Raises BadInput for a table that is missing, not UTF-8, not a CSV, or lacks a column.
    """
    try:
        columns, rows = csv_tables.read(path)
    except FileNotFoundError:
        raise BadInput(f"--bits: {path} cannot be read (No such file or directory).") from None
    except BadInput as error:
        raise BadInput(f"--bits: {error}") from None
    unit = _unit(columns, path)
    costs: dict[str, ImportedCost] = {}
    problems: dict[str, str] = {}
    for row in rows:
        name = row.cells["name"].strip()
        here = stem(name) if plain_name(name) else ascii(name[:80])
        try:
            cost = _cost(row, name, unit)
            if costs.setdefault(here, cost) != cost:
                raise ValueError(f"{name} is in the table twice, with different values")
        except ValueError as error:
            problems.setdefault(here, f"{path.name}, line {row.line}: {error}")
    return unit, {image: cost for image, cost in costs.items() if image not in problems}, problems


def _unit(columns: list[str], path: Path) -> str:
    units = [unit for unit in RATES if unit in columns]
    if "name" not in columns or len(units) != 1:
        raise BadInput(
            f"--bits: {path} needs a column name and one of {', '.join(RATES)}; its columns are:"
            f" {csv_tables.shown(columns)}."
        )
    return units[0]


def _cost(row: csv_tables.Row, name: str, unit: str) -> ImportedCost:
    """What a row says. Raises ValueError, whose text names the image."""
    file_name(name)
    readers = {unit: number if unit == "bpp" else whole, "peak_memory": whole}
    cells = {column: row.cells.get(column, "").strip() for column in (unit, *COSTS)}
    try:
        if row.problem:
            raise ValueError(row.problem)
        values = {column: readers.get(column, number)(text) for column, text in cells.items() if text or column == unit}
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return ImportedCost(values.pop(unit), **values)


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
    options.add_argument("--overwrite", action="store_true", help="import the chosen images again")
    add_choice(options)
    return options
