"""python -m cmcbench codec: codecs as targets, Result/CODEC@RATE, with the streams that are counted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ..errors import BadInput, ImageProblem
from ..files.images import digests, list_images
from ..files.store import only_writer
from ..files.subset import choose
from ..runtime.messages import RunLog
from .flags import arguments, is_learned
from .learned import LearnedCodec
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
    names = [target.output.folder.name for target in targets]
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    where = f"{len(names)} target(s) in {options.output_path}"
    return report.close(f"{len(images)} images; {where}: {listed or 'none'}.")


def _digests(images: dict[str, Path], report: RunLog) -> tuple[dict[str, str], dict[str, Path]]:
    """(stem -> digest, stem -> path) of the ground truths whose files can be read at all."""
    truth = {}
    for stem, seen in digests(images).items():
        if isinstance(seen, ImageProblem):
            report.fail(stem, str(seen))
        else:
            truth[stem] = seen
    return truth, {stem: images[stem] for stem in truth}
