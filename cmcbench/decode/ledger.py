"""Result/NAME/rates.csv while reconstructions are made: what each cost, kept as it goes, by several processes and runs.

A picture is written before its row. One whose row a kill took gets it in the next run, without its seconds and memory.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..bitstream.inputs import DecoderInput
from ..errors import BadInput
from ..files import rates
from ..files.rates import Cost, Rates
from ..files.store import digest, only_writer, sweep
from ..runtime.beside import Behind
from ..runtime.messages import say
from ..runtime.pace import Pace
from ..runtime.ranks import Ranks

PART = ".rates.part-"  # begins the names of the files of processes other than 0


class CostLedger:
    """The rows of one result's rates.csv. Process 0 writes that file, each other one a part, which process 0 takes
    over.

    Another run may be at other modes of the same result, so that saving replaces the rows of this run's modes alone.
    """

    def __init__(self, folder: Path, jobs: dict[str, list[DecoderInput]], ranks: Ranks) -> None:
        self.folder, self.jobs, self.ranks = folder, jobs, ranks
        self.file = folder / rates.FILE
        self.parts = f"{PART}{'+'.join(sorted(jobs))}-"
        self.rows: Rates = {}
        self._unsaved, self._saving, self._pace = False, False, Pace()

    def open(self, missing: dict[str, list[DecoderInput]]) -> None:
        """Process 0: settle the rows of what is there, before anything is made.

        Rows of pictures that will be made are dropped, parts of a killed run taken over, pictures without a row get
        one, and what was sent is counted again, since a reference may have got its rate by now. Raises BadInput for a
        broken table.
        """
        self.rows = self._mine(rates.read(self.file))
        before = dict(self.rows)
        self._join(trusted=False)
        for mode, planned in self.jobs.items():
            gone = {job.stem for job in missing[mode]}
            for job in planned:
                key = job.stem, mode
                if job.stem in gone:
                    self.rows.pop(key, None)
                elif key in self.rows:
                    self.rows[key] = _sent(self.rows[key], job.spent)
                elif seen := self._seen(key):
                    self.rows[key] = replace(job.spent, sha256=seen)
        if self.rows != before:
            self._save()
        self._drop_parts()
        sweep(self.folder, self.parts)

    def add(self, job: DecoderInput, seen: str, seconds: float | None, memory: int | None) -> None:
        """A reconstruction is there. seen: digest of its file. seconds: its share of its batch's time. memory: peak, in
        bytes.
        """
        seconds = None if seconds is None else round(seconds, 6)
        row = replace(job.spent, sha256=seen, decode_seconds=seconds, peak_memory=memory)
        self.rows[row.key] = row
        self._unsaved = True

    def save_if_due(self, behind: Behind) -> None:
        """Save behind the model's back, unless it was done a moment ago: all savings together stay below a hundredth
        of the run. Where saving fails, `end` tries again.
        """
        if self._unsaved and not self._saving and self._pace.due:
            rows, self._saving, self._unsaved = dict(self.rows), True, False
            behind.put(lambda: self._write(rows), self._saved)

    def _saved(self, nothing: None) -> None:
        self._saving = False

    def end(self) -> None:
        """Save what is not saved yet, however the run ends. Nothing may be in flight."""
        if self._unsaved or self._saving:
            self._save()

    def take_over(self) -> None:
        """Process 0, when all have ended: the rows of the others."""
        self._join(trusted=True)
        if self._unsaved:
            self._save()
        self._drop_parts()

    def _save(self) -> None:
        self._write(self.rows)
        self._unsaved = self._saving = False

    def _write(self, rows: Rates) -> None:
        with self._pace.saving():
            if self.ranks.first:
                with only_writer(self.folder / ".rates.lock", str(self.file), wait=30):
                    sweep(self.folder, rates.FILE)
                    others = {key: row for key, row in rates.read(self.file).items() if key[1] not in self.jobs}
                    rates.write(self.file, {**others, **rows})
            else:
                rates.write(self.folder / f"{self.parts}{self.ranks.number}.csv", rows)

    def _mine(self, found: Rates) -> Rates:
        return {key: row for key, row in found.items() if key[1] in self.jobs}

    def _seen(self, key: tuple[str, str]) -> str | None:
        try:
            return digest((self.folder / key[1] / f"{key[0]}.png").read_bytes())
        except OSError:
            return None

    def _parts(self) -> list[Path]:
        """The parts whose modes are all among this run's, which nobody else can be writing."""
        paths = sorted(self.folder.glob(f"{PART}*.csv"))
        return [
            path for path in paths if set(path.name.removeprefix(PART).rpartition("-")[0].split("+")) <= set(self.jobs)
        ]

    def _join(self, trusted: bool) -> None:
        """Enter the rows of the parts; those of a killed run only where they are of the picture that is there."""
        spent = {(job.stem, mode): job.spent for mode, planned in self.jobs.items() for job in planned}
        for path in self._parts():
            try:
                found = self._mine(rates.read(path))
            except BadInput as error:
                say(f"note: {error}")
                continue
            for key, row in found.items():
                if trusted or self._seen(key) == row.sha256:
                    self.rows[key] = _sent(row, spent.get(key, row))
                    self._unsaved = True

    def _drop_parts(self) -> None:
        for path in self._parts():
            path.unlink(missing_ok=True)


def _sent(row: Cost, now: Cost) -> Cost:
    """A row with what was sent as it is known now."""
    return replace(
        row,
        bits=now.bits,
        kind=now.kind,
        caption_bits=now.caption_bits,
        deflate_bits=now.deflate_bits,
        pixel_bits=now.pixel_bits,
        image_bits=now.image_bits,
        encode_seconds=now.encode_seconds,
    )
