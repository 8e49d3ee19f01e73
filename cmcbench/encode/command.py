"""The command line of script-i2t.py."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models import create, sources

from ..errors import BadInput
from ..files.images import Listing, list_images
from ..files.manifest import own_adapter
from ..files.names import folder_name, short_name
from ..files.references import references_at
from ..files.subset import choose
from ..protocol import SEED, WORDS
from ..runtime.cli import add_choice, add_compute, bits_per_pixel, parser, positive
from ..runtime.messages import RunLog
from ..runtime.ranks import Ranks, join

if TYPE_CHECKING:
    from models.base import I2TModel

MODEL_OPTIONS = (  # handed to the adapter as they are
    "trust_remote_code",
    "api_base",
    "concurrency",
    "command",
    "max_tokens",
    "image_max",
    "no_probe",
    "convert",
    "sampling",
)


@dataclass(frozen=True)
class _Chosen:
    """The images of a run. images: stem -> path. order: the file names of the whole ground truth.
    listing: what the folder holds besides.
    """

    images: dict[str, Path]
    order: list[str]
    listing: Listing


@dataclass(frozen=True)
class _Encoder:
    """The model that makes the captions, under the name that they get."""

    model: I2TModel
    name: str
    model_dir: str | None


def main(argv: list[str]) -> int:
    """Make captions, references, or both. Returns the exit code."""
    options = _parser().parse_args(argv)
    report = RunLog()
    if options.model_name.lower() == "none" and not options.references:
        raise BadInput("--model_name none makes no captions; add --references to make references, or name a model.")
    chosen = _chosen(options)
    places = _places(Path(options.ref_dir), options.bpp)
    encoder = _encoder(options)  # its name is checked before minutes go into references
    ranks = join()
    if ranks.first:
        chosen.listing.tell(report, options.images)
    done = []
    if options.references and ranks.first:
        done.append(_make_references(options, chosen, places, report))
    if encoder is not None:
        done.append(_make_captions(options, chosen, encoder, ranks, report))
    return report.close(" ".join(done)) if ranks.first else 0  # process 0 tells how it ended


def _chosen(options: Namespace) -> _Chosen:
    folder = Path(options.ground_truth)
    everything = list_images(folder, "--ground_truth")
    chosen = choose(everything, options.images, options.subset)
    if not chosen:
        raise BadInput(_nothing(everything, options.images))
    images = {stem: everything[stem] for stem in chosen}
    return _Chosen(images, [path.name for path in everything.values()], everything)


def _encoder(options: Namespace) -> _Encoder | None:
    """The model, nothing loaded yet; None where no captions are asked for."""
    name = options.model_name
    if name.lower() == "none":
        return None
    model = create("i2t", name, options.model_dir)
    _check_options(model, options)
    model_dir = options.model_dir or model.default_dir
    if model.runs_on == "here":
        model_dir = sources.canonical(model_dir)
    return _Encoder(model, name, model_dir)


def _make_references(options: Namespace, chosen: _Chosen, places: dict[Path, float], report: RunLog) -> str:
    """Make references into each place. Returns the sentence that says so."""
    from .references import make

    for place, bpp in places.items():
        make(chosen.images, place, bpp, options.overwrite, report)
    return f"References of {len(chosen.images)} images are in {', '.join(map(str, places))}."


def _make_captions(options: Namespace, chosen: _Chosen, encoder: _Encoder, ranks: Ranks, report: RunLog) -> str:
    """Make captions into Text/NAME.csv. Returns the sentence that says so."""
    from .captioning import make
    from .request import EncodeRequest

    flag = "--result_name" if options.result_name else "--model_name"
    result = folder_name(options.result_name or short_name(encoder.name), flag)
    request = EncodeRequest(
        model=encoder.model,
        model_name=short_name(encoder.name),
        model_dir=encoder.model_dir,
        images=chosen.images,
        order=chosen.order,
        file=Path(options.output_path) / f"{result}.csv",
        words=options.explen,
        seed=options.seed,
        device=options.device,
        dtype=options.dtype,
        batch_size=options.batch_size or encoder.model.batch_size,
        overwrite=options.overwrite,
        options={name: getattr(options, name) for name in MODEL_OPTIONS},
        adapter=own_adapter(encoder.name),
        same_model=options.same_model,
        ranks=ranks,
        report=report,
    )
    made = make(request)
    count = len(chosen.images)
    return f"{made} captions made, {request.file} has those of this run's {count} images but for what failed."


def _check_options(model: I2TModel, options: Namespace) -> None:
    """Raise BadInput for an option that the model would not heed."""
    if options.sampling == "published" and model.published is None:
        raise BadInput(f"--sampling published: {options.model_name} has none; leave it out.")
    if options.convert and not model.converts:
        raise BadInput(f"--convert: {options.model_name} reads no pickled weights that could be kept; leave it out.")


def _places(folder: Path, budgets: list[float]) -> dict[Path, float]:
    """folder -> bits per pixel of the references that go there: `folder` itself, or one beside it for each of several
    rates.
    """
    if len(budgets) == 1:
        return {folder: budgets[0]}
    places = {references_at(folder, bpp): bpp for bpp in budgets}
    if len(places) < len(budgets) or any(float(f"{bpp:g}") != bpp for bpp in budgets):
        raise BadInput(
            f"--bpp {' '.join(map(str, budgets))}: folders are named by six digits, and these are not told apart by"
            " them."
        )
    return places


def _nothing(found: Listing, pattern: str | None) -> str:
    folder = found.folder
    if found:
        return f"--images {pattern!r} matches none of the {len(found)} images in {folder}."
    what = "holds no images" if folder.is_dir() else "does not exist"
    return (
        f"--ground_truth: {folder} {what}.{found.hint} Fetch the benchmark's with: python -m cmcbench download gt, "
        "or try: --ground_truth samples/GT"
    )


def _parser() -> ArgumentParser:
    options = parser("Encode: captions from images, and references with --references.", "encode")
    options.add_argument("--ground_truth", default="./GT/", help="folder of the images")
    options.add_argument("--output_path", default="./Text/", help="folder that the captions go to, as MODEL_NAME.csv")
    options.add_argument("--model_name", default="Qwen", help="encoder; 'none' makes references only")
    options.add_argument(
        "--model_dir",
        default=None,
        help="checkpoint: a folder, a hub name, or NAME@REVISION (None: the model's own; Qwen: Qwen/Qwen-VL-Chat)",
    )
    options.add_argument("--explen", type=positive, default=WORDS, help="number of words to ask for")
    options.add_argument(
        "--references", action="store_true", help="also make Ref/pixel and Ref/image from the ground truth"
    )
    options.add_argument("--ref_dir", default="./Ref/", help="folder that the references go to")
    options.add_argument(
        "--bpp",
        type=bits_per_pixel,
        nargs="+",
        default=[0.02],
        help="bits per pixel that an image reference may take; several: REF_DIR@VALUE each",
    )
    add_choice(options)
    add_compute(options)
    options.add_argument(
        "--seed", type=int, default=SEED, help="seed of models that sample; captions are greedy by default"
    )
    options.add_argument("--overwrite", action="store_true", help="make the chosen images' outputs again")
    options.add_argument(
        "--result_name", default=None, help="name of the captions' file in --output_path (None: MODEL_NAME)"
    )
    options.add_argument(
        "--sampling",
        choices=("greedy", "published"),
        default="greedy",
        help="published: draw tokens as the model's authors do, with a seed of each image's own",
    )
    options.add_argument(
        "--convert", action="store_true", help="keep pickled weights (*.bin) as safetensors beside them"
    )
    options.add_argument(
        "--api_base", metavar="URL", default=None, help="OpenAI-compatible server, e.g. http://localhost:8000/v1"
    )
    options.add_argument("--concurrency", type=positive, default=8, help="requests to a server at the same time")
    options.add_argument(
        "--max_tokens",
        metavar="N",
        type=positive,
        default=None,
        help="most tokens of an answer, thoughts included (None: plenty for a caption, four times that for thoughts)",
    )
    options.add_argument(
        "--image_max",
        metavar="PX",
        type=positive,
        default=None,
        help="send a server JPEGs whose long side has at most PX pixels (None: the whole image, losslessly)",
    )
    options.add_argument(
        "--same_model", action="store_true", help="go on although the server of the same model has another address now"
    )
    options.add_argument(
        "--no_probe", action="store_true", help="do not test with two images whether the model sees images"
    )
    return options
