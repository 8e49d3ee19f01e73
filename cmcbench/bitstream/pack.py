"""python -m cmcbench pack: captions and references as one small file an image and mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import codecs
from ..errors import BadInput, ImageProblem, RunFailed
from ..files import captions, manifest, rates
from ..files.images import read_rgb
from ..files.names import as_typed, folder_name, plain_name
from ..files.references import RATES, stream_file
from ..files.store import only_writer, read_bytes, read_json, refuse_links, sweep, write_bytes
from ..protocol import MODES, REFERENCES, Mode
from ..runtime.cli import add_choice, parser
from ..runtime.messages import RunLog, progress, say
from . import container
from .container import LARGEST_FILE, Sent
from .grid import grid_from
from .inputs import GROUND_TRUTH, DecoderInput, DecoderInputs

DEFAULTS = {"input_path": "./Text/gpt4v.csv", "ref_dir": "./Ref/"}


@dataclass(frozen=True)
class Packer:
    """Turns jobs into files below `folder`. deflated: whether captions are."""

    sources: DecoderInputs
    folder: Path
    deflated: bool

    def pack(self, mode: Mode, job: DecoderInput) -> int:
        """Write one file. Returns its length in bytes. Raises ImageProblem and RunFailed where there is no
        bitstream.
        """
        sent = Sent(mode.name, job.size, job.prompt if mode.captioned else None)
        if mode.reference == "pixel":
            sent = replace(sent, grid=self._grid(job))
        if mode.reference == "image":
            sent = self._with_stream(sent, job)
        data = container.encode(sent, job.stem, self.deflated)
        path = self.folder / mode.name / f"{job.stem}{container.ENDING}"
        if not (path.is_file() and path.read_bytes() == data):
            if sent.stream:
                self._check_stream(sent, job)
            write_bytes(path, data)
        return len(data)

    def _grid(self, job: DecoderInput) -> bytes:
        assert job.guide is not None, "a mode with a reference"
        picture, _ = read_rgb(job.guide)
        grid = grid_from(picture)
        if grid is None:
            raise ImageProblem(
                f"{job.stem}: no grid of 8-bit blocks gives exactly {job.guide}, so that it has no bitstream"
            )
        return grid

    def _with_stream(self, sent: Sent, job: DecoderInput) -> Sent:
        rate = self.sources.rates.get(("image", job.stem))
        if job.spent.kind == rates.NOMINAL or rate is None:
            raise ImageProblem(
                f"{job.stem}: {self.sources.folder / RATES} has no row for {job.guide}, so that its bitstream is not"
                " known and its rate nominal; python script-i2t.py --model_name none --references makes references with"
                " streams"
            )
        try:
            path = stream_file(self.sources.folder, job.stem, codecs.extension(rate.codec))
            return replace(sent, codec=rate.codec, scale=rate.scale, stream=read_bytes(path, LARGEST_FILE))
        except BadInput as error:  # an unknown codec
            raise ImageProblem(f"{job.stem}: {error}") from None
        except FileNotFoundError:
            raise ImageProblem(
                f"{job.stem}: its reference's stream {path} is not there; make it with: python script-i2t.py "
                f"--model_name none --references --ref_dir {self.sources.folder}"
            ) from None
        except OSError as error:
            raise ImageProblem(f"{job.stem}: its reference's stream {path} cannot be read ({error.strerror})") from None

    def _check_stream(self, sent: Sent, job: DecoderInput) -> None:
        found = codecs.decode_stream(sent.codec, sent.stream, sent.size, sent.scale)
        assert job.guide is not None, "a mode with a reference"
        picture, _ = read_rgb(job.guide)
        if found.tobytes() != picture.tobytes():
            raise ImageProblem(f"{job.stem}: its reference's stream does not decode to {job.guide}")


def main(argv: list[str]) -> int:
    """Pack. Returns the exit code."""
    options = _parser().parse_args(argv)
    report = RunLog()
    if options.result:
        options.result = folder_name(as_typed(options.result, Path(options.output_path)), "--result")
    result = Path(options.output_path) / options.result if options.result else None
    made = _manifest(result) if result else {}
    file, references = _inputs(options, result, made)
    modes = _modes(made, references, file) if options.mode == "all" else [MODES[options.mode]]
    texts = captions.read(file) if any(mode.captioned for mode in modes) else None
    name = folder_name(options.name or options.result or file.stem, "--name")
    sources = DecoderInputs(references, options.ground_truth, texts, report)
    packer = Packer(sources, Path(options.packed_path) / name, options.text == "deflate")
    jobs = [(mode, job) for mode in modes for job in sources.plan(mode, options.images, options.subset)]
    lengths: dict[tuple[str, str], int] = {}
    refuse_links(Path(options.packed_path), *(packer.folder / mode.name for mode in modes))
    with only_writer(packer.folder / ".lock", str(packer.folder)):
        for mode in modes:
            sweep(packer.folder / mode.name)
        wanted = [pair for pair in jobs if not result or _same_inputs(made["modes"], *pair, report)]
        lengths.update(_pack_all(packer, wanted, report))
    if result and lengths:
        _enter(result, lengths)
    total = sum(lengths.values())
    return report.close(f"{len(lengths)} of {len(jobs)} files are in {packer.folder}, {total} bytes, headers included.")


def _pack_all(
    packer: Packer, jobs: list[tuple[Mode, DecoderInput]], report: RunLog
) -> Iterator[tuple[tuple[str, str], int]]:
    """((stem, mode), bytes) of each file; failures go to the report. Several at once: streams are decoded by other
    programs.
    """

    def one(pair: tuple[Mode, DecoderInput]) -> Any:
        try:
            return packer.pack(*pair)
        except (ImageProblem, RunFailed) as error:
            return error

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress(len(jobs), 0, "packing") as bar:
        try:
            for (mode, job), found in zip(jobs, pool.map(one, jobs)):
                bar.update()
                if isinstance(found, int):
                    yield (job.stem, mode.name), found
                else:
                    reason = str(found) if str(found).startswith(job.stem) else f"{job.stem}: {found}"
                    report.fail(f"{mode.name}/{job.stem}", f"{reason} (mode {mode.name})")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _manifest(result: Path) -> dict[str, Any]:
    record = read_json(result / "manifest.json")
    if record is None:
        raise BadInput(
            f"{result} has no manifest.json, which records what its pictures were made from; it cannot be packed."
        )
    if "codec" in record:
        raise BadInput(
            f"{result} is a codec's: its stream is all that its decoder needs, and there is nothing to pack."
        )
    return {**record, "modes": manifest.modes(record, result / "manifest.json")}


def _inputs(options: Any, result: Path | None, made: dict[str, Any]) -> tuple[Path, Path]:
    """The captions' file and the references' folder: as told, else those that the manifest names, beside the results'
    folder.
    """
    captioned = made.get("captions")
    encoder = captioned if isinstance(captioned, dict) else {}
    named = {"input_path": ("Text", encoder.get("file")), "ref_dir": (None, made.get("references"))}
    found = {}
    for flag, (folder, name) in named.items():
        given = getattr(options, flag)
        if given is None and result and isinstance(name, str) and plain_name(name):
            above = Path(options.output_path).resolve().parent
            given = os.path.relpath(above / folder / name if folder else above / name)
        found[flag] = Path(given or DEFAULTS[flag])
    return found["input_path"], found["ref_dir"]


def _modes(made: dict[str, Any], references: Path, file: Path) -> list[Mode]:
    """What `--mode all` means: the modes that the result has, without one those whose inputs are there."""
    there = {kind for kind in REFERENCES if any((references / kind).glob("*.*"))}
    modes = [
        mode
        for mode in MODES.values()
        if (
            mode.name in made["modes"]
            if made
            else mode.reference in (None, *there) and (file.exists() or not mode.captioned)
        )
    ]
    if not modes:
        raise BadInput(f"there is nothing to pack: neither captions in {file} nor references in {references}.")
    return modes


def _same_inputs(made: dict[str, Any], mode: Mode, job: DecoderInput, report: RunLog) -> bool:
    """Whether a reconstruction was made from this caption and reference. One that was made from others is reported."""
    seen = made.get(mode.name, {}).get("inputs", {}).get(job.stem)
    if seen is None:
        return False  # not among the result's pictures
    seen = seen if isinstance(seen, dict) else {}
    inputs = (("prompt", "caption"), ("guide", "reference"), ("size", "size"))
    other = " and ".join(what for key, what in inputs if seen.get(key) != job.inputs[key])
    if other:
        report.fail(
            f"{mode.name}/{job.stem}", f"{job.stem}: the result was made from another {other} (mode {mode.name})"
        )
    return not other


def _enter(result: Path, lengths: dict[tuple[str, str], int]) -> None:
    """Enter the files' lengths in the result's rates.csv, as packed_bits."""
    file = result / rates.FILE
    with only_writer(result / ".rates.lock", str(file), wait=30):
        sweep(result, rates.FILE)
        rows = rates.read(file)
        known = {key: replace(rows[key], packed_bits=8 * length) for key, length in lengths.items() if key in rows}
        rates.write(file, {**rows, **known})
    if len(known) < len(lengths):
        lost = len(lengths) - len(known)
        say(
            f"note: {file} has no row of {lost} picture(s) that were packed; script-t2i.py with the same flags adds"
            " rows."
        )


def _parser():
    options = parser("Pack captions and references: one file an image and mode, all that its decoder needs.", "pack")
    options.add_argument(
        "--result",
        metavar="NAME",
        default=None,
        help="pack what this result was made from, and enter the lengths in its rates.csv",
    )
    options.add_argument("--output_path", default="./Result/", help="folder of --result")
    options.add_argument(
        "--input_path", default=None, help=f"captions (None: those of --result, else {DEFAULTS['input_path']})"
    )
    options.add_argument(
        "--ref_dir", default=None, help=f"references (None: those of --result, else {DEFAULTS['ref_dir']})"
    )
    options.add_argument(
        "--ground_truth",
        default=None,
        help=f"read for sizes and names only, never for pixels; none: without one (None: {GROUND_TRUTH})",
    )
    options.add_argument(
        "--mode",
        choices=(*MODES, "all"),
        default="all",
        help="all: every mode of --result, else every mode whose inputs are there",
    )
    options.add_argument(
        "--text",
        choices=("raw", "deflate"),
        default="raw",
        help="captions as UTF-8, or deflated with the shared dictionary",
    )
    options.add_argument(
        "--packed_path", default="./Packed/", help="folder that the files go to, as NAME/MODE/IMAGE.cmc"
    )
    options.add_argument(
        "--name", default=None, help="folder in --packed_path (None: that of --result, else the captions' name)"
    )
    add_choice(options)
    return options
