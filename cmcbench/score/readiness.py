"""What must be there before a score is made: the metrics that something lacks, loaded and checked.

A metric that this machine cannot run is reported by name and left out; its scores of earlier runs stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import BadInput, RunFailed
from ..runtime.devices import resolve_device
from .ledger import ScoreLedger
from .metrics.base import Metric, SetMetric
from .request import ScoreRequest
from .set_scores import Missing, missing, refused

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
        """Load the metrics that something lacks, or all with --overwrite.

        Raises RunFailed where none is left, BadInput for a file that is there and damaged, which its user would want to
        mend before hours of scoring. Nothing was changed then.
        """
        needed: list[Metric | SetMetric] = [metric for metric in self.metrics if self._needs(metric)]
        problems: Problems = {}
        if self.request.ranks.first:
            problems.update(self._choose_sets())
            needed += [metric for metric in self.measures if any(work.metric is metric for work in self.sets)]
        device = self.request.ranks.device(resolve_device(self.request.device)) if needed else ""
        for metric in needed:
            try:
                metric.load(device)
            except RunFailed as error:
                problems[metric.name] = error
        self._leave_out(problems)
        for ledger in self.ledgers:
            ledger.renew([metric for metric in needed if metric in self.ready], self.keys(ledger))

    def _needs(self, metric: Metric) -> bool:
        return self.request.overwrite or any(
            ledger.lacks(ledger.rows[key], metric) for ledger in self.ledgers for key in self.keys(ledger)
        )

    def _choose_sets(self) -> Problems:
        """Note what is to be measured of whole sets. Returns why, of a measure that makes no sense for any of them."""
        problems: Problems = {}
        wanted = missing(self.ledgers, self.measures, self.request.modes, self.request.overwrite)
        reasons = {id(work): refused(work, set(self.request.chosen)) for work in wanted}
        self.sets = [work for work in wanted if not reasons[id(work)]]
        for work in wanted:
            name, reason = work.metric.name, reasons[id(work)]
            if reason and (any(each.metric is work.metric for each in self.sets) or self._has_sets(name)):
                self.request.report.fail(f"{name}/{work.where}", reason)
            elif reason:
                problems.setdefault(name, BadInput(f"{reason}."))
        return problems

    def _has_sets(self, name: str) -> bool:
        """Whether some mode has the measure already."""
        return any(name in measures for ledger in self.ledgers for measures in ledger.sets.values())

    def _leave_out(self, problems: Problems) -> None:
        self.metrics = [metric for metric in self.metrics if metric.name not in problems]
        self.measures = [metric for metric in self.measures if metric.name not in problems]
        self.sets = [work for work in self.sets if work.metric.name not in problems]
        if problems and not self.ready:
            raise next(iter(problems.values()))
        for name, error in problems.items():
            if self.request.ranks.first:
                self.request.report.fail(f"metric {name}", f"{str(error).rstrip('.')}. It is left out.")
            else:
                self.request.report.fail_all([(f"metric {name}", str(error))])
