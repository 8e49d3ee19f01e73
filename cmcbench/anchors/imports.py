"""python -m cmcbench import: reconstructions that another program made, with their bits, as a target in Result/."""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, ImageProblem
from ..files.images import digests, image_size, list_images
from ..files.names import target_name
from ..files.rates import ESTIMATED, MEASURED
from ..files.store import only_writer
from ..files.subset import choose
from ..protocol import MODES
from ..runtime.beside import Behind, threads
from ..runtime.cli import add_choice, parser
from ..runtime.messages import RunLog, progress
from .imported_costs import COSTS, ImportedCost, Streams, read_costs, read_stream, streams
from .output import Output


def main(argv: list[str]) -> int:
    """Bring a folder of reconstructions into Result/. Returns the exit code."""
    options = _parser().parse_args(argv)
    name = target_name(options.name, "--name")
    if options.estimated and options.streams:
        raise BadInput("--estimated is for rates that no stream backs, and --streams gives the streams. Leave one out.")
    report = RunLog()
    truth = list_images(Path(options.ground_truth), "--ground_truth")
    found = list_images(Path(options.folder), "FOLDER")
    if not found:
        raise BadInput(f"{options.folder} holds no images to import.{found.hint}")
    truth.tell(report, options.images)
    found.tell(report, options.images)
    sent = streams(Path(options.streams)) if options.streams else None
    unit, costs, problems = sent.costs if sent else read_costs(Path(options.bits))
    report.fail_all(problems.items())
    chosen = choose(truth, options.images, options.subset)
    known = _paired(chosen, truth, found, costs, options, report)
    if not known:
        raise BadInput(
            f"no image of {options.ground_truth} is both in {options.folder} and in"
            f" {options.streams or options.bits} (of those chosen); they are paired by name."
            f" {next(iter(report.failures.values()), '')}".rstrip()
        )
    inputs = _inputs(known, truth, found, costs, unit, report, sent)
    if not inputs:
        raise BadInput(next(iter(report.failures.values())))
    kind = ESTIMATED if options.estimated else MEASURED
    settings = {"codec": name, "unit": unit, "kind": kind}
    group = name.partition("@")[0] or name
    facts = {"t2i": group, "codec": group, "model_dir": None, "captions": None, "imported": True}
    extension = sent.extension if sent else ""
    output = Output(Path(options.output_path) / name, options.mode, settings, inputs, extension, facts)
    with only_writer(output.lock, str(output.folder)):
        missing = output.begin(options.overwrite)
        try:
            with (
                progress(len(inputs), len(inputs) - len(missing), "import") as bar,
                Behind(2 * threads()) as behind,
            ):
                for image in missing:
                    stream = sent.files[image] if sent else None
                    bring = functools.partial(
                        _bring, image, truth[image], found[image], costs[image], unit, output, stream
                    )
                    enter = functools.partial(_enter, image, found[image], kind, output, report, bar)
                    behind.put(bring, enter)
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
    """The stems that have a ground truth, a reconstruction and a rate; what lacks one is reported once, by name."""
    wanted = set(chosen)
    table = options.streams or options.bits
    unknown = sorted((set(found) | set(costs)) - set(truth) - report.failures.keys())
    forms = {image.casefold(): image for image in truth}
    for image in unknown:
        near = forms.get(image.casefold())
        hint = f"; {near} is there, and capitals count" if near else ""
        report.fail_all([(image, f"{image}: there is no such ground truth in {options.ground_truth}{hint}")])
    for image in sorted(wanted & set(costs) - set(found)):
        report.fail(image, f"{image}: is in {table} and not in {options.folder}")
    lacks = "no stream" if options.streams else "no row"
    for image in sorted(wanted & set(found) - set(costs) - report.failures.keys()):
        report.fail(image, f"{image}: is in {options.folder} and has {lacks} in {table}")
    return [image for image in chosen if image in found and image in costs]


def _inputs(
    known: list[str],
    truth: dict[str, Path],
    found: dict[str, Path],
    costs: dict[str, ImportedCost],
    unit: str,
    report: RunLog,
    sent: Streams | None,
) -> dict[str, dict[str, object]]:
    """stem -> what its reconstruction is made of, as the manifest keeps it, of the images whose files can be read."""
    inputs = {}
    folders = {"ground_truth": truth, "reconstruction": found, **({"stream": sent.files} if sent else {})}
    seen = {what: digests({image: folder[image] for image in known}) for what, folder in folders.items()}
    for image in known:
        of = {what: each[image] for what, each in seen.items()}
        problem = next((each for each in of.values() if isinstance(each, ImageProblem)), None)
        if problem is not None:
            report.fail(image, str(problem))
            continue
        own = {} if sent else {name: getattr(costs[image], name) for name in COSTS}
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
    name: str, truth: Path, found: Path, cost: ImportedCost, unit: str, output: Output, sent: Path | None
) -> _Brought | ImageProblem | ValueError:
    """Bring a reconstruction, and its stream where there is one, to its place, in a thread; or why it cannot be."""
    try:
        image, note = output.read(name, found, "reconstruction")
        size = image_size(truth)
        if image.size != size:
            raise ImageProblem(f"has {image.size[0]}x{image.size[1]} pixels, its ground truth {size[0]}x{size[1]}")
        bits = cost.bits(unit, *size)
        stream = None if sent is None else read_stream(sent, int(cost.value))
    except (ImageProblem, ValueError) as error:
        return error
    return _Brought(output.put(name, image, stream), bits, {column: getattr(cost, column) for column in COSTS}, note)


def _enter(
    name: str,
    found: Path,
    kind: str,
    output: Output,
    report: RunLog,
    bar: Any,
    brought: _Brought | ImageProblem | ValueError,
) -> None:
    if isinstance(brought, Exception):
        report.fail(name, f"{found.name}: {str(brought).removeprefix(f'{found.name}: ')}")
    else:
        report.converted(found.name, brought.note)
        output.enter(name, brought.seen, bits=brought.bits, image_bits=brought.bits, kind=kind, **brought.costs)
    bar.update()


def _parser() -> argparse.ArgumentParser:
    options = parser("Reconstructions of another program, with their bits, as a target in Result/.", "import")
    options.add_argument(
        "folder", metavar="FOLDER", help="the reconstructions, named as the ground truth (endings may differ)"
    )
    rate = options.add_mutually_exclusive_group(required=True)
    rate.add_argument(
        "--bits",
        metavar="FILE.csv",
        help=(
            "table with the columns name and bits (or bytes, or bpp), and perhaps encode_seconds, decode_seconds,"
            " peak_memory (bytes)"
        ),
    )
    rate.add_argument(
        "--streams",
        metavar="BIN/",
        help="instead: folder of the streams, named as the ground truth, whose bytes are counted and which are kept",
    )
    options.add_argument(
        "--estimated",
        action="store_true",
        help="the bits of --bits were computed from probabilities, and no stream backs them",
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
