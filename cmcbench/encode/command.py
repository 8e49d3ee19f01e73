"""The command line of script-i2t.py."""

from __future__ import annotations

from pathlib import Path

from models import create

from ..errors import BadInput
from ..files.images import Listing, list_images
from ..files.manifest import own_adapter
from ..files.names import folder_name, short_name
from ..files.references import references_at
from ..files.subset import choose
from ..protocol import SEED, WORDS
from ..runtime.cli import add_choice, add_compute, bits_per_pixel, parser, positive
from ..runtime.messages import RunLog, say
from ..runtime.ranks import join

MODEL_OPTIONS = ("trust_remote_code", "api_base", "concurrency", "command")  # handed to the adapter as they are


def main(argv: list[str]) -> int:
    """Make captions, references, or both. Returns the exit code."""
    options = _parser().parse_args(argv)
    report = RunLog()
    captioning = options.model_name.lower() != "none"
    if not captioning and not options.references:
        raise BadInput("--model_name none makes no captions; add --references to make references, or name a model.")
    folder = Path(options.ground_truth)
    everything = list_images(folder, "--ground_truth")
    chosen = choose(everything, options.images, options.subset)
    if not chosen:
        raise BadInput(_nothing(everything, options.images))
    images = {stem: everything[stem] for stem in chosen}

    places = _places(Path(options.ref_dir), options.bpp)

    # The model's name is checked before minutes go into references
    model = create("i2t", options.model_name, options.model_dir) if captioning else None
    if model is not None and model.runs_instead and not options.model_dir:
        say(f"note: {model.why_instead}. {model.runs_instead} runs instead, under its own name.")
        options.model_name = model.runs_instead  # its captions must not pass for the other's
        model = create("i2t", options.model_name)
    ranks = join()
    if ranks.first:
        everything.tell(report, options.images)
    done = []
    if options.references and ranks.first:
        from .references import make as make_references

        for place, bpp in places.items():
            make_references(images, place, bpp, options.overwrite, report)
        done.append(f"References of {len(images)} images are in {', '.join(map(str, places))}.")
    if model is not None:
        from .captioning import make
        from .request import EncodeRequest

        name = options.result_name or short_name(options.model_name)
        file = (
            Path(options.output_path)
            / f"{folder_name(name, '--result_name' if options.result_name else '--model_name')}.csv"
        )
        order = [path.name for path in everything.values()]
        made = make(
            EncodeRequest(
                model,
                short_name(options.model_name),
                options.model_dir or model.default_dir,
                images,
                order,
                file,
                options.explen,
                options.seed,
                options.device,
                options.dtype,
                options.batch_size or model.batch_size,
                options.overwrite,
                {name: getattr(options, name) for name in MODEL_OPTIONS},
                own_adapter(options.model_name),
                ranks,
                report,
            )
        )
        done.append(f"{made} captions made, {file} has those of this run's {len(images)} images but for what failed.")
    return report.close(" ".join(done)) if ranks.first else 0  # process 0 tells how it ended


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


def _parser():
    options = parser("Encode: captions from images, and references with --references.")
    options.add_argument("--ground_truth", default="./GT/", help="folder of the images")
    options.add_argument("--output_path", default="./Text/", help="folder that the captions go to, as MODEL_NAME.csv")
    options.add_argument("--model_name", default="Qwen", help="encoder; 'none' makes references only")
    options.add_argument(
        "--model_dir",
        default=None,
        help="checkpoint: a folder or a hub name (None: the model's own; Qwen: Qwen/Qwen-VL-Chat)",
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
    options.add_argument("--overwrite", action="store_true", help="make the chosen images' outputs anew")
    options.add_argument(
        "--result_name", default=None, help="name of the captions' file in --output_path (None: MODEL_NAME)"
    )
    options.add_argument(
        "--api_base", metavar="URL", default=None, help="OpenAI-compatible server, e.g. http://localhost:8000/v1"
    )
    options.add_argument("--concurrency", type=positive, default=8, help="requests to a server at the same time")
    return options
