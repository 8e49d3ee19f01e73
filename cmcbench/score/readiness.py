"""What must be there before a score is made: the metrics that something lacks, loaded and checked.

A metric that this machine cannot run is reported by name and left out; its scores of earlier runs stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import BadInput, RunFailed
from ..protocol import OVERALL_METRICS
from ..runtime.devices import resolve_device
from ..runtime.messages import RunLog
from .ledger import ScoreLedger
from .metrics.base import Metric, SetMetric
from .request import ScoreRequest
from .set_scores import Missing, missing, refused

MOST_AT_ONCE = 32  # pairs: more make no metric faster
BYTES_A_PIXEL = (
    1500  # of a GPU's memory that a pair takes in TOPIQ FR, the largest of the usual metrics; one that takes
)
# more has its batches halved
Problems = dict[str, BadInput | RunFailed]  # metric -> why it cannot be used


class Readiness:
    """metrics, measures: what can be used, of single images and of whole sets. sets: measures that modes lack, for
    process 0 to make.
    """

    def __init__(self, request: ScoreRequest, ledgers: Sequence[ScoreLedger]) -> None:
        self.request, self.ledgers = request, list(ledgers)
        self.metrics = [metric for metric in request.metrics if isinstance(metric, Metric)]
        self.measures = [metric for metric in request.metrics if isinstance(metric, SetMetric)]
        self.sets: list[Missing] = []
        self.device = ""  # once something is loaded
        self._at_once: dict[tuple[int, int], int] = {}

    @property
    def ready(self) -> list[Metric | SetMetric]:
        """The metrics that can be used, in the order asked for."""
        return [metric for metric in self.request.metrics if metric in self.metrics or metric in self.measures]

    def keys(self, ledger: ScoreLedger) -> list[tuple[str, str]]:
        """(stem, mode) of what this run was asked to score of a target."""
        paired = ledger.target.modes
        modes = self.request.modes[ledger.target.name]
        return [(stem, mode) for stem in self.request.chosen for mode in modes if stem in paired[mode]]

    def load(self) -> None:
        """Load the metrics that something lacks, or all with --overwrite. For process 0, which knows what is there.

        Raises RunFailed where none is left, BadInput for a file that is there and damaged, which its user would want to
        mend before hours of scoring. Nothing was changed then.
        """
        problems = self._choose_sets()
        wanted = {work.metric for work in self.sets}
        needed: list[Metric | SetMetric] = [metric for metric in self.metrics if self._needs(metric)]
        needed += [metric for metric in self.measures if metric.name in wanted]
        self._load(needed, problems)
        for ledger in self.ledgers:
            ledger.renew([metric for metric in needed if metric in self.ready], self.keys(ledger))

    def load_as_told(self, names: set[str], sets: list[Missing]) -> None:
        """Load what process 0 says that something lacks: metrics of single images by name, and measures of sets."""
        self.sets = sets
        names = names | {work.metric for work in sets}
        self._load([metric for metric in self.request.metrics if metric.name in names], {})

    def at_once(self, size: tuple[int, int]) -> int | None:
        """How many pairs of this size (width, height) go through the metrics together; None: those of one ground truth.

        On an accelerator as many as half of its free memory holds, where the user does not say.
        """
        if self.request.batch_size is not None or self.device in ("", "cpu"):
            return self.request.batch_size
        if size not in self._at_once:
            self._at_once[size] = max(
                1, min(MOST_AT_ONCE, _free(self.device) // 2 // (BYTES_A_PIXEL * size[0] * size[1]))
            )
        return self._at_once[size]

    def _load(self, needed: list[Metric | SetMetric], problems: Problems) -> None:
        self.device = self.request.ranks.device(resolve_device(self.request.device)) if needed else ""
        for metric in needed:
            try:
                metric.load(self.device)
            except RunFailed as error:
                problems[metric.name] = error
        self._leave_out(problems)

    def _needs(self, metric: Metric) -> bool:
        return self.request.overwrite or any(
            ledger.lacks(ledger.rows[key], metric) for ledger in self.ledgers for key in self.keys(ledger)
        )

    def _choose_sets(self) -> Problems:
        """Note what is to be measured of whole sets. Returns why, of a measure that makes no sense for any of them."""
        problems: Problems = {}
        wanted = missing(self.ledgers, self.measures, self.request.modes, self.request.overwrite)
        smallest = {metric.name: metric.smallest for metric in self.measures}
        reasons = {
            work: refused(work, self.ledgers, smallest[work.metric], set(self.request.chosen)) for work in wanted
        }
        self.sets = [work for work in wanted if not reasons[work]]
        for work in wanted:
            reason = reasons[work]
            if reason and (any(each.metric == work.metric for each in self.sets) or self._has_sets(work.metric)):
                if self.request.ranks.first:
                    self.request.report.lack(f"{reason}. It is left out there.")
            elif reason:
                problems.setdefault(work.metric, BadInput(f"{reason}."))
        return problems

    def _has_sets(self, name: str) -> bool:
        """Whether some mode has the measure already."""
        return any(name in measures for ledger in self.ledgers for measures in ledger.sets.values())

    def _leave_out(self, problems: Problems) -> None:
        self.metrics = [metric for metric in self.metrics if metric.name not in problems]
        self.measures = [metric for metric in self.measures if metric.name not in problems]
        self.sets = [work for work in self.sets if work.metric not in problems]
        if problems and not self.ready:
            raise next(iter(problems.values()))
        if self.request.ranks.first:
            leave_out(self.request.report, {name: str(error) for name, error in problems.items()})


def leave_out(report: RunLog, reasons: Mapping[str, str]) -> None:
    """Say which metrics are left out: of the benchmark's own two a failure, of others a property of this machine; those
    of one reason in one line. reasons: metric -> why, of which most begin with "metric NAME".
    """
    grouped: dict[str, list[str]] = {}
    for name, why in reasons.items():
        why = why.rstrip(".")
        if name in OVERALL_METRICS:
            report.fail(f"metric {name}", f"{why}. It is left out.")
        else:
            grouped.setdefault(why.removeprefix(f"metric {name}"), []).append(name)
    for why, names in grouped.items():
        begins = f"metric {names[0]}" if reasons[names[0]].startswith(f"metric {names[0]}") else ""
        if len(names) > 1:
            report.lack(f"metrics {', '.join(names)}{why if begins else f': {why}'}. They are left out.")
        else:
            report.lack(f"{begins}{why}. It is left out.")


def _free(device: str) -> int:
    """Bytes of memory that are free on an accelerator; a GiB where it does not tell."""
    import torch

    return torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else 1 << 30
