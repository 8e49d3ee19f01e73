"""python -m cmcbench codec: codecs as targets, Result/CODEC@RATE, with the streams that are counted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ..errors import BadInput, ImageProblem
from ..files.images import digests, list_images
from ..files.store import only_writer
from ..files.subset import choose
from ..runtime.messages import SHOWN, RunLog
from .flags import arguments, is_learned
from .learned import LearnedCodec
from .output import Output
from .picture_codecs import PictureCodecs


def main(argv: list[str]) -> int:
    """Code pictures with codecs. Returns the exit code."""
    options = arguments(argv)
    codecs: LearnedCodec | PictureCodecs = LearnedCodec(options) if is_learned(options) else PictureCodecs(options)
    folder = Path(options.ground_truth)
    everything = list_images(folder, "--ground_truth")
    images = {stem: everything[stem] for stem in choose(everything, options.images, options.subset)}
    if not images:
        found = f"of the {len(everything)} images in {folder} none is chosen"
        raise BadInput(
            f"--ground_truth: {found}.{'' if everything else everything.hint} Try: --ground_truth samples/GT"
        )
    report = RunLog()
    everything.tell(report, options.images)
    truth, readable = _digests(images, report)
    with ExitStack() as locks:
        targets = codecs.targets(truth, report)
        for target in targets:
            locks.enter_context(only_writer(target.output.lock, str(target.output.folder)))
        for target in targets:  # all are checked before the first is worked on
            target.missing = set(target.output.begin(options.overwrite))
        try:
            codecs.run(targets, readable, report)
        finally:  # also when it is interrupted
            for target in targets:
                target.output.end()
    return report.close(f"{_made([target.output for target in targets], list(images))} in {options.output_path}.")


def _made(outputs: list[Output], stems: list[str]) -> str:
    """Which targets have how many of this run's images: "3 images as jpeg@0.05; 2 of 3 as jpeg@0.02"."""
    there = {each.folder.name: sum(each.picture(stem).is_file() for stem in stems) for each in outputs}
    whole = [name for name, count in there.items() if count == len(stems)]
    images = "1 image" if len(stems) == 1 else f"{len(stems)} images"
    found = [f"{images} as {', '.join(whole)}"] if whole else []
    found += [f"{count} of {len(stems)} as {name}" for name, count in there.items() if 0 < count < len(stems)]
    if not found:
        return "No target was made"
    return "; ".join(found[:SHOWN]) + (f"; {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def _digests(images: dict[str, Path], report: RunLog) -> tuple[dict[str, str], dict[str, Path]]:
    """(stem -> digest, stem -> path) of the ground truths whose files can be read at all."""
    truth = {}
    for stem, seen in digests(images).items():
        if isinstance(seen, ImageProblem):
            report.fail(stem, str(seen))
        else:
            truth[stem] = seen
    return truth, {stem: images[stem] for stem in truth}
