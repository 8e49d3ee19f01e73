"""One file of the published data set on its way: what of it is here, what is to be fetched, and bringing it to its
place.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..errors import BadInput, RunFailed
from ..files.images import list_images
from ..files.names import plain_name
from ..files.store import only_writer, read_json, sweep, write_bytes, write_json
from ..published.dataset import HIDDEN, Published, is_whole
from ..runtime.messages import RunLog, say
from . import github, hub
from .unzip import Members, compare, sweep_of, total_size, unpack

REPLACE = "With --overwrite it is replaced."


class Item(ABC):
    """settled: nothing is left to do. state: what of the file is here, in words. size: bytes of the published file.

    to_fetch: bytes still to come. to_unpack: bytes of pictures still to be written. zip_size: bytes that are free again
    in
    the end.
    """

    settled = False
    to_fetch = to_unpack = zip_size = size = 0
    state = ""

    def __init__(self, published: Published, root: Path, overwrite: bool) -> None:
        self.published, self.overwrite = published, overwrite
        self.part, self.file = published.part, published.file
        self.folder = root / published.folder
        if self.folder.exists() and not self.folder.is_dir():
            raise RunFailed(f"{self.file}: {self.folder} is a file, and a folder is needed. Move it away.")

    @abstractmethod
    def finish(self, keep_zips: bool, report: RunLog) -> None:
        """Bring the file to its place. Failures go to the report. Raises RunFailed."""

    def _left_alone(self, report: RunLog, names: list[str]) -> None:
        paths = [self.folder / name for name in names]
        report.fail_all(
            (str(path), f"{path}: differs from the published file and was left alone. {REPLACE}") for path in paths
        )


class CaptionItem(Item):
    """A caption file, whose hash is known beforehand."""

    def __init__(self, published: Published, root: Path, overwrite: bool, base: str) -> None:
        super().__init__(published, root, overwrite)
        self.base, self.target = base, self.folder / self.file
        self.size = round(published.megabytes * 1e6)
        self.differs = False
        if os.path.lexists(self.target):
            right = self.target.is_file() and self.target.stat().st_size == self.size
            self.settled = right and hashlib.sha256(self.target.read_bytes()).hexdigest() == published.sha256
            self.differs = not self.settled
        self.state = "is here" if self.settled else "another file is here" if self.differs else "to fetch"
        self.to_fetch = 0 if self.settled or (self.differs and not overwrite) else self.size

    def finish(self, keep_zips: bool, report: RunLog) -> None:
        if self.settled:
            return
        if self.differs and not self.overwrite:
            self._left_alone(report, [self.file])
            return
        data = github.fetch(self.published, self.base)
        sweep_of(self.folder, (self.file,))
        write_bytes(self.target, data)


class HubItem(Item):
    """A file on the hub: weights, or a zip of pictures. What is unfinished lies in HIDDEN below its folder."""

    def __init__(self, published: Published, root: Path, overwrite: bool, revision: str) -> None:
        super().__init__(published, root, overwrite)
        self.remote = hub.look_up(self.file, revision)
        self.size = self.remote.size
        mark = (self.remote.sha256 or self.remote.commit)[
            :16
        ]  # what came of another version is no beginning of this one
        self.hidden = self.folder / HIDDEN
        self.part_file, self.whole = self.hidden / f"{self.file}.{mark}.part", self.hidden / self.file
        self.record_file = self.hidden / f"{self.file}.json"
        self.mark = mark
        (self._look_zip if published.zipped else self._look_plain)()

    def _look_plain(self) -> None:
        target = self.folder / self.file
        self.kept: list[str] = []
        if target.is_file() and target.stat().st_size == self.size and self._is_right(target):
            self.settled, self.state = True, "is here"
        elif os.path.lexists(target) and (not self.overwrite or target.is_dir()):
            self.kept, self.state = [self.file], "another file is here"
        else:
            self._plan_fetch()

    def _look_zip(self) -> None:
        """Whether the pictures are here: those that an earlier run recorded, or of names that make it
        whole.
        """
        members, self.kept = self._record(), []
        if members is not None:
            missing, changed = compare(self.folder, members)
            if not missing and not changed:
                self.settled, self.state = True, f"is here, {len(members):,} images"
                return
            if changed and not missing and not self.overwrite:
                self.kept, self.state = changed, f"{len(changed)} of {len(members):,} images differ"
                return
        elif not self.overwrite and not self.hidden.exists() and self._names_are_whole():
            self.settled, self.state = True, "images of all its names are here; not compared (--overwrite fetches them)"
            return
        self._plan_fetch()

    def _names_are_whole(self) -> bool:
        try:
            return is_whole(path.name for path in list_images(self.folder, str(self.folder)).values())
        except BadInput:
            return False

    def _plan_fetch(self) -> None:
        here = self.part_file.stat().st_size if self.part_file.is_file() else 0
        if self.whole.is_file() and self.whole.stat().st_size == self.size:
            here = self.size
        self.to_fetch = max(0, self.size - here)
        self.state = "to fetch" if not here else "to unpack" if here == self.size else f"{here / self.size:.0%} is here"
        if self.published.zipped:
            self.zip_size = self.size
            unpacked = total_size(self.whole) if self.whole.is_file() and here == self.size else round(1.02 * self.size)
            self.to_unpack = max(0, unpacked - _bytes_of(self.folder))

    def finish(self, keep_zips: bool, report: RunLog) -> None:
        self._left_alone(report, self.kept)
        if self.settled and not keep_zips:
            self._remove_leftover()
        if self.settled or self.kept:
            return
        with only_writer(self.hidden / ".lock", str(self.folder)):
            sweep(self.hidden)
            self._forget_others()
            if not self.published.zipped:
                hub.fetch(self.remote, self.part_file)
                os.replace(self.part_file, self.folder / self.file)
                return
            if not (self.whole.is_file() and self.whole.stat().st_size == self.size and self._is_right(self.whole)):
                hub.fetch(self.remote, self.part_file)
                os.replace(self.part_file, self.whole)
            self._unpack(keep_zips, report)

    def _remove_leftover(self) -> None:
        """Remove a zip that was unpacked by a run that was killed before it could do so itself."""
        if self.whole.is_file() and (read_json(self.record_file) or {}).get("keep_zip") is False:
            with only_writer(self.hidden / ".lock", str(self.folder)):
                say(f"note: {self.whole}: is unpacked, and was left by a run that was killed; removed.")
                self.whole.unlink(missing_ok=True)

    def _unpack(self, keep_zips: bool, report: RunLog) -> None:
        done = unpack(self.whole, self.folder, self.overwrite)
        if done.skipped:
            say(f"note: {self.file}: what is no picture was left out ({len(done.skipped)}, first: {done.skipped[0]}).")
        self._left_alone(report, done.kept)
        record = {
            "file": self.file,
            "commit": self.remote.commit,
            "mark": self.mark,
            "keep_zip": keep_zips,
            "members": done.members,
        }
        write_json(self.record_file, record)
        before = len(done.members) - done.written
        also = f", {before:,} were there before" if before else ""
        say(f"{self.folder}: {done.written:,} images of {self.file} written{also}.")
        if not keep_zips and not done.kept:
            self.whole.unlink()

    def _is_right(self, path: Path) -> bool:
        return self.remote.sha256 is None or hub.sha256(path, self.file) == self.remote.sha256

    def _forget_others(self) -> None:
        """Remove what came of other versions of the file."""
        for path in self.hidden.glob(f"{self.file}.*.part"):
            if path != self.part_file:
                path.unlink()

    def _record(self) -> Members | None:
        """The pictures of this version of the zip, as the run that unpacked it noted them; None where none did."""
        try:
            record: Any = read_json(self.record_file) or {}
            if record.get("mark") != self.mark:
                return None
            members = {name: (int(size), int(checksum)) for name, (size, checksum) in record["members"].items()}
            return members if all(map(plain_name, members)) else None
        except (BadInput, KeyError, TypeError, ValueError, AttributeError):
            return None


def _bytes_of(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())
