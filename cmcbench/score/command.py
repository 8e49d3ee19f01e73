"""The command line of script-evaluate.py. (The leaderboard is the board's; the script itself joins the two.)"""

from __future__ import annotations

import argparse
import glob
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..files.images import list_images
from ..files.names import OUTPUTS, as_typed, folder_name, matching
from ..files.scores import ScoreRow
from ..files.submitted import submitter
from ..files.subset import choose
from ..files.target import Target, check_leaderboard, find, holds_images
from ..protocol import MODES, OVERALL_METRICS, PLAIN
from ..runtime.messages import RunLog, did_you_mean, say
from ..runtime.ranks import join
from .flags import DEFAULT_TARGET, GROUND_TRUTH, command_line
from .metrics.allocator import tune_allocator
from .metrics.base import Metric, SetMetric
from .metrics.registry import Models, resolve
from .readiness import leave_out
from .request import ScoreRequest
from .scoring import score
from .sent import Captionless, file_digest, needs_captions, sent_captions
from .summary import by_mode, over_modes, overall

LABELS = dict(zip(OVERALL_METRICS, ("FR", "NR")))  # how the published script calls them


def main(argv: list[str]) -> tuple[int, list[Path], argparse.Namespace]:
    """Score targets and print their means as the published script does.

    Returns the exit code, the targets' folders, whose summary.json is written, and the options.
    """
    options = command_line().parse_args(argv)
    tune_allocator()  # before anything imports torch
    report = RunLog()
    targets = _targets(options)
    _check_submit(options, targets)
    options.boards = _boards(options, targets)
    for parent in options.boards:
        check_leaderboard(parent)
    modes = {target.name: _modes(options.modes, target) for target in targets}
    truth = list_images(Path(options.gt_path or GROUND_TRUTH), "--gt_path")
    if not truth:
        raise BadInput(
            f"there is no ground truth: {options.gt_path or GROUND_TRUTH} holds no images.{truth.hint} Name its"
            " folder with --gt_path, or fetch the benchmark's with: python -m cmcbench download gt"
        )
    chosen = choose(truth, options.images, options.subset)
    for target in targets:
        if not any(stem in target.modes[mode] for mode in modes[target.name] for stem in chosen):
            raise BadInput(
                f"{target.folder} and the ground truth have no image in common (of those chosen); they are paired by"
                " file name."
            )
    absent: dict[str, str] = {}
    weights = Path(options.model_weight)
    models = Models(options.clip_model, options.dino_model, file_digest(options.captions))
    metrics = resolve(options.metrics, weights, options.fr_order, options.precision, models, absent)
    captions, unknown = sent_captions(targets, modes, metrics, chosen, options.captions)
    ranks = join()
    if ranks.first:
        truth.tell(report, options.images)
        for target in targets:
            for mode in modes[target.name]:
                target.modes[mode].tell(report, options.images, f"{target.name}/{mode}/")
        leave_out(report, {name: f"metric {name}: {reason}" for name, reason in absent.items()})
    metrics = [metric for metric in metrics if not needs_captions(metric) or captions]
    for name, error in unknown.items():
        if ranks.first and isinstance(error, Captionless):
            report.lack(str(error))
        elif ranks.first:
            report.fail(name, str(error))
    request = ScoreRequest(
        targets,
        truth,
        chosen,
        modes,
        metrics,
        options.device,
        options.overwrite,
        options.i2t_table,
        options.batch_size,
        ranks,
        report,
        captions,
    )
    results, ready = score(request)
    if not ranks.first:
        return 0, [], options  # process 0 tells
    among = set(chosen)
    for target, result in zip(targets, results):
        print(f"------Evaluating {target.name}------")
        wanted = [result.rows[key] for key in sorted(result.rows) if key[0] in among]
        _print(wanted, result.sets, modes[target.name], ready, len(chosen), options)
    files = ", ".join(str(target.folder) for target in targets)
    code = report.close(f"Scores are in scores.csv, means in summary.json in {files}.")
    return code, [target.folder for target in targets], options


def _check_submit(options: argparse.Namespace, targets: list[Target]) -> None:
    """Refuse before the work what could not be submitted after it. Raises BadInput."""
    if options.submit and len(targets) > 1:
        raise BadInput(
            f"--submit takes one target, and {len(targets)} are named: {', '.join(target.name for target in targets)}."
        )
    if options.submit_path and not options.submit:
        raise BadInput("--submit_path is where --submit writes; give --submit as well.")
    if options.submit_path and not options.submit_path.endswith(".zip"):
        raise BadInput(f"--submit_path {options.submit_path}: expected the name of a .zip file.")
    options.submitter = submitter.of(options)


def _targets(options: argparse.Namespace) -> list[Target]:
    """The targets that --target and --target_path name, each once, in the order given."""
    if options.target_path:
        folder = Path(options.target_path)
        if len(options.target) > 1:
            raise BadInput("--target_path is one folder; --target may then give it one name in what is printed.")
        return [find(folder.resolve().name if options.target == [DEFAULT_TARGET] else options.target[0], folder)]
    results = Path(options.results)
    names = [name for asked in options.target for name in _names(asked, results)]
    return [find(name, results / name) for name in dict.fromkeys(names)]


def _boards(options: argparse.Namespace, targets: list[Target]) -> list[Path]:
    """The results folders whose leaderboard and report are renewed. Beside a --target_path only with the user's
    consent: it lies in --results, or a leaderboard is there already.
    """
    parents = list(dict.fromkeys(target.folder.resolve().parent for target in targets))
    if not options.target_path or parents == [Path(options.results).resolve()]:
        return parents
    return [parent for parent in parents if (parent / "leaderboard.csv").exists()]


def _names(asked: str, results: Path) -> list[str]:
    """The folders in `results` that one --target means: a name, a pattern such as 'real*', or all. An existing name
    comes first, whatever characters it holds.

    `real` also means the only Result/real+CAPTIONS where there is no Result/real. Raises BadInput.
    """
    if asked == "all" or any(mark in asked for mark in "*?["):
        there = sorted(folder.name for folder in results.glob("*") if _may_be_target(folder))
        meant = there if asked == "all" else matching(asked, there)
        found = [name for name in meant if holds_images(results / name)]
        if not found:
            raise BadInput(
                f"--target {asked}: no folder in {results} with images in it is meant. It has:"
                f" {', '.join(there) or 'none'}."
            )
        return found
    name = folder_name(as_typed(asked, results), "--target")
    if (results / name).is_dir():
        return [name]
    found = sorted(folder.name for folder in results.glob(f"{glob.escape(name)}+*") if folder.is_dir())
    if len(found) > 1:
        raise BadInput(
            f"--target {name} may be {', '.join(found)}: there are results of several encoders. Name one of them."
        )
    if found:
        say(f"note: there is no {results / name}; {found[0]}, the only result of {name}, is meant.")
    if not found and (hint := did_you_mean(name, [each.name for each in results.glob("*") if _may_be_target(each)])):
        raise BadInput(f"--target {ascii(name)}: there is no folder {results / name}.{hint}")
    return found or [name]


def _may_be_target(folder: Path) -> bool:
    return folder.is_dir() and not folder.name.startswith(".") and folder.name not in OUTPUTS


def _modes(asked: str, target: Target) -> list[str]:
    """The modes to score, in the benchmark's order. Raises BadInput for one that is none or is not there."""
    wanted = [mode.strip() for mode in asked.split(",") if mode.strip()]
    for mode in wanted:
        if mode not in (*MODES, PLAIN):
            raise BadInput(f"--modes: there is no mode {mode!r}. The modes are: {', '.join(MODES)}.")
        if mode not in target.modes:
            raise BadInput(f"--modes: {target.folder} has no images in {mode}/. It has: {', '.join(target.modes)}.")
    return [mode for mode in target.modes if not wanted or mode in wanted]


def _print(
    rows: list[ScoreRow],
    sets: dict[str, Any],
    modes: list[str],
    metrics: list[Metric | SetMetric],
    wanted: int,
    options: argparse.Namespace,
) -> None:
    """Print the means of the images chosen, as the published script prints them, and the measures of whole sets."""
    means = by_mode(rows, modes, [metric.name for metric in metrics])
    for mode in modes:
        means[mode]["metrics"].update(sets.get(mode, {}))
    for mode in MODES if PLAIN not in modes else modes:
        if mode in modes:
            print(f"-------------------{mode}-------------------")
            print("\t".join(_cell(metric, means[mode]["metrics"].get(metric.name)) for metric in metrics))
            _tell_partial(mode, means[mode], metrics, wanted)
        elif not options.modes:
            print(f"{mode} does not exist. Jumped!")
    if {metric.name for metric in metrics} >= set(OVERALL_METRICS):
        both = overall(means)
        print(f"Overall: {_number(both['t2i'])}")
        if options.i2t_table:
            print(f"Overall (I2T table): {_number(both['i2t'])}")
    else:
        cells = {metric.name: over_modes(means, metric.name) for metric in metrics}
        print("Mean over modes: " + "\t".join(f"{name}: {_number(mean)}" for name, mean in cells.items()))


def _cell(metric: Metric | SetMetric, mean: dict[str, Any] | None) -> str:
    label = LABELS.get(metric.name, metric.name) + (" (lower is better)" if metric.lower_is_better else "")
    return f"{label}: {_number(mean['mean'] if mean else None)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _tell_partial(mode: str, found: dict[str, Any], metrics: list[Metric | SetMetric], wanted: int) -> None:
    """Note scores that images lack. TOPIQ alone makes a result partial; without TOPIQ, what most images have."""
    names = [metric.name for metric in metrics if _of_every_image(metric)]
    counts = {name: found["metrics"].get(name, {"n": 0})["n"] for name in names}
    topiq = [counts[name] for name in OVERALL_METRICS if name in counts]
    scored = min(topiq) if topiq else max(counts.values(), default=wanted)
    if scored < wanted:
        which = "all scores" if scored == min(counts.values()) else "FR and NR"
        say(f"note: {mode}: {scored} of {wanted} images have {which}; the result is partial.")
    fewer = [f"{name} of {count}" for name, count in counts.items() if count < scored]
    if fewer:
        say(f"note: {mode}: {', '.join(fewer)} of {wanted} images, which takes nothing from the other metrics.")


def _of_every_image(metric: Metric | SetMetric) -> bool:
    return isinstance(metric, Metric) and not metric.needs_caption and metric.of_every_image
