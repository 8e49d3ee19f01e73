"""The command line of script-t2i.py."""

from __future__ import annotations

import argparse
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import create, sources
from models.base import T2IModel
from models.secrets import without_secrets, without_secrets_in

from ..bitstream.inputs import DecoderInputs
from ..errors import BadInput
from ..files import captions, manifest
from ..files.manifest import own_adapter
from ..files.names import folder_name, short_name, stem, target_name
from ..files.store import digest, read_json
from ..protocol import MODES, STEPS, Mode
from ..runtime.messages import RunLog, say
from ..runtime.ranks import Ranks, join
from . import sweep
from .decoding import make
from .flags import CAPTIONS, MODEL, decode_parser
from .request import DecodeRequest
from .sweep import SweepPoint

MODEL_OPTIONS = (  # handed to the adapter as they are
    "guidance",
    "negative_prompt",
    "lora",
    "long_prompts",
    "offload",
    "vae_tiling",
    "compile",
    "trust_remote_code",
    "command",
    "base",
)
PUBLISHED_ENCODER = "gpt4v"  # results of its captions carry no encoder in their name, as published


def main(argv: list[str]) -> int:
    """Make reconstructions. Returns the exit code."""
    options = decode_parser().parse_args(argv)
    points = sweep.points(options.strength, options.bpp, options.seed, options.ref_dir)
    given = manifest.expanded(options.model_dir) or None
    model = create("t2i", options.model_name or MODEL, given)
    name = short_name(options.model_name or MODEL)
    model_dir = given or model.default_dir
    if model.runs_on == "here":
        model_dir = sources.canonical(model_dir)
    sweep.check_takes_seeds(points, model, name)
    _modes(options.mode, model, name)  # what the model is known to lack is refused before its checkpoint is looked at
    options.base = _base(options.base, model, name)
    model.inspect(model_dir)
    options.steps = options.steps or model.steps or STEPS
    modes = sweep.narrowed(_modes(options.mode, model, name), options.mode, points, model)
    for point in points:
        _check_strength(point.strength, options.steps, modes, model)

    report, ranks = RunLog(), join()
    file = captions.as_typed(options.input_path or CAPTIONS)
    texts = _Captions(file, captions.read(file), _captions_record(file)) if any(map(_captioned, modes)) else None
    system = _System(
        model, name, model_dir, _result_name(options, name, file), _shared(options, model, name, model_dir)
    )
    requests = [_request(point, modes, system, texts, options, ranks, report) for point in points]
    if ranks.first:
        say(_begins(requests, texts, Path(options.ref_dir), modes))
    made = make(*requests)
    if not ranks.first:
        return 0  # process 0 tells how it ended
    wanted = sum(len(planned) for request in requests for planned in request.jobs.values())
    folders = ", ".join(str(request.folder) for request in requests)
    return report.close(
        f"{made} images made; {folders} {'has' if len(requests) == 1 else 'have'} the {wanted} of this run but for what"
        " failed."
    )


def _begins(requests: list[DecodeRequest], texts: _Captions | None, references: Path, modes: list[Mode]) -> str:
    """What this run decodes from, and where to, in one line."""
    source = f"{len(texts.found.texts):,} captions of {texts.file}" if texts else "no captions"
    guides = f"references of {references}" if any(mode.reference for mode in modes) else "no references"
    to = f"{requests[0].folder}" + (f" and {len(requests) - 1} more" if len(requests) > 1 else "")
    return f"From {source}, {guides}; mode {', '.join(mode.name for mode in modes)}; to {to}."


@dataclass(frozen=True)
class _System:
    """What decodes, the same at every point of a sweep. result: the name of its results, but for the point's suffix.

    settings: those that all modes and points share, as the manifest keeps them.
    """

    model: T2IModel
    name: str
    model_dir: str | None
    result: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class _Captions:
    """A file of captions. record: its manifest, {} where there is none."""

    file: Path
    found: captions.Captions
    record: dict[str, Any]


def _captioned(mode: Mode) -> bool:
    return mode.captioned


def _result_name(options: argparse.Namespace, name: str, file: Path) -> str:
    encoder = folder_name(file.stem, "--input_path")
    return options.result_name or (name if encoder == PUBLISHED_ENCODER else f"{name}+{encoder}")


def _request(
    point: SweepPoint,
    modes: list[Mode],
    system: _System,
    texts: _Captions | None,
    options: argparse.Namespace,
    ranks: Ranks,
    report: RunLog,
) -> DecodeRequest:
    """What is to be made at one point of a sweep."""
    flag = "--result_name" if options.result_name else "--model_name"
    folder = Path(options.output_path) / target_name(system.result + point.suffix, flag)
    sources = DecoderInputs(
        point.references,
        options.ground_truth,
        texts.found if texts else None,
        report,
        _seconds(texts.record) if texts else {},
        system.model.image_prompt,
    )
    sweep.check_references(point, sources.rates)
    return DecodeRequest(
        model=system.model,
        model_dir=system.model_dir,
        jobs={mode.name: sources.plan(mode, options.images, options.subset) for mode in modes},
        folder=folder,
        settings={mode.name: _settings(mode, point, system, texts) for mode in modes},
        facts=_facts(system, point, texts),
        device=options.device,
        dtype=options.dtype,
        batch_size=options.batch_size or 1,
        overwrite=options.overwrite,
        options={name: getattr(options, name) for name in MODEL_OPTIONS},
        ranks=ranks,
        report=report,
    )


def _base(given: str | None, model: T2IModel, name: str) -> str | None:
    """The checkpoint that the model is put into, where the user names one, which the model then takes."""
    if not given:
        return None
    if model.base is None:
        raise BadInput(f"--base {given} has no effect: {name} is put into no other checkpoint. Leave it out.")
    model.base = sources.canonical(manifest.expanded(given))
    return model.base


def _modes(asked: str, model: T2IModel, name: str) -> list[Mode]:
    if asked == "all":
        return [mode for mode in MODES.values() if mode.name in model.modes]
    if asked not in model.modes:
        has = ", ".join(mode for mode in MODES if mode in model.modes)
        raise BadInput(f"{name} has no mode {asked}. It has: {has}. Use one of them, or --mode all.")
    return [MODES[asked]]


def _check_strength(strength: float, steps: int, modes: list[Mode], model: T2IModel) -> None:
    """Img2img runs steps x strength denoising steps; none at all is refused before anything is loaded."""
    if strength and not any(model.accepts_strength and mode.strength is not None for mode in modes):
        what = "this model takes none" if not model.accepts_strength else "mode text has no reference to start from"
        raise BadInput(f"--strength {strength:g} has no effect: {what}. Leave it out.")
    for mode in modes:
        own = strength or mode.strength
        if model.accepts_strength and mode.strength is not None and int(steps * own) < 1:
            least = next(count for count in itertools.count(steps) if int(count * own) >= 1)
            raise BadInput(
                f"--steps {steps} at strength {own:g} (mode {mode.name}) leaves no step. Give --steps {least} or more, "
                "or a larger --strength."
            )


def _shared(options: argparse.Namespace, model: T2IModel, name: str, model_dir: str | None) -> dict[str, Any]:
    """The settings that all modes and points share. Checkpoints are hashed here, once."""
    checkpoint, revision = sources.unpinned(model_dir)
    lora, lora_revision = sources.unpinned(sources.canonical(options.lora))
    return {
        "model": name.lower(),
        "checkpoint": manifest.checkpoint(checkpoint),
        "revision": model.revision or revision,
        "base": manifest.checkpoint(options.base or model.base),
        "captions": None,  # a mode's own
        "steps": options.steps,
        "seed": None,  # a point's own
        "dtype": None if options.dtype == "auto" else options.dtype,
        "strength": None,  # a mode's own
        # Not None, which would not be compared
        "guidance": "own" if options.guidance is None else options.guidance,
        "negative_prompt": options.negative_prompt or "",
        "lora": manifest.checkpoint(lora) or "",
        "lora_revision": lora_revision,
        "long_prompts": options.long_prompts,
        "vae_tiling": options.vae_tiling,
        "command": without_secrets(options.command or ""),
        "adapter": own_adapter(options.model_name or MODEL),
    }


def _settings(mode: Mode, point: SweepPoint, system: _System, texts: _Captions | None) -> dict[str, Any]:
    takes_strength = system.model.accepts_strength and mode.strength is not None
    return {
        **system.settings,
        "captions": texts.file.name if texts and mode.captioned else None,
        "seed": point.seed,
        "strength": (point.strength or mode.strength) if takes_strength else None,
    }


def _captions_record(file: Path) -> dict[str, Any]:
    """The captions' own manifest, {} where there is none: whether their encoder is a baseline, what each took."""
    try:
        return read_json(file.with_suffix(".json")) or {}
    except BadInput:
        return {}


def _seconds(record: dict[str, Any]) -> dict[str, float]:
    """stem -> seconds that an image's caption took, of those in the captions' manifest."""
    images = record.get("images")
    found = {
        stem(name): made["seconds"]
        for name, made in (images.items() if isinstance(images, dict) else ())
        if isinstance(made, dict) and isinstance(made.get("seconds"), (int, float))
    }
    return {image: seconds for image, seconds in found.items() if math.isfinite(seconds) and seconds >= 0}


def _facts(system: _System, point: SweepPoint, texts: _Captions | None) -> dict[str, Any]:
    """What a reader of the manifest wants to know besides; not compared."""
    encoder = None
    if texts is not None:
        seen = digest(texts.file.read_bytes())
        encoder = {"file": texts.file.name, "sha256": seen, "baseline": bool(texts.record.get("baseline"))}
    references = point.references.resolve().name
    return {
        "t2i": system.name,
        "model_dir": without_secrets_in(system.model_dir),
        "captions": encoder,
        "references": references,
    }
