"""The pictures of the report page: a thumbnail of each, made once, and the picture itself as a copy or a link."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageProblem
from ...files.images import bare_copy, picture_bytes, read_rgb
from ...files.names import stem
from ...files.store import digest, write_bytes
from ...runtime.messages import RunLog, progress
from ...runtime.pace import Pace

SIDE = 256  # pixels of a thumbnail's long side
SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}  # what browsers show; the rest becomes PNG
COPIES, LINKS, THUMBS, NONE = "copies", "links", "thumbs", "none"
MOST_THREADS = 64
SAVED = 1.0  # seconds at least between two saves of the record; longer where saving takes long (Pace)
RECIPE = f"webp 80, {SIDE}, sRGB"  # changes when thumbnails are made in another way


@dataclass(frozen=True)
class Picture:
    """source: the file. place: its folder below the report's pictures, parts that are plain names: ("targets", "real",
    "full").
    """

    source: Path
    place: tuple[str, ...]

    @property
    def thumb(self) -> str:
        return "/".join(("pictures", "thumbs", *self.place, f"{stem(self.source.name)}.webp"))

    @property
    def copy(self) -> str:
        name = self.source.name if self.source.suffix.lower() in SHOWN else f"{stem(self.source.name)}.png"
        return "/".join(("pictures", "full", *self.place, name))


@dataclass(frozen=True)
class Made:
    """thumb, full: paths from the report's folder, "" where there is none. digest: of the file, "" where it was not
    read. width, height: in pixels, upright.
    """

    thumb: str
    full: str
    digest: str
    width: int
    height: int


class Album:
    """Makes what is missing. `known` is what an earlier run recorded: thumbnail's path -> [recipe, size, mtime, digest,
    w, h].
    """

    def __init__(self, output: Path, how: str, known: dict[str, Any], report: RunLog) -> None:
        self.output, self.how, self.report = output, how, report
        self.known = {path: record for path, record in known.items() if _is_record(record)}
        self.records: dict[str, list[Any]] = {}
        self.files: set[str] = set()  # what belongs to the page, for the sweep

    def missing(self, pictures: list[Picture]) -> int:
        """How many pictures would have to be read."""
        return sum(self._kept(picture) is None for picture in pictures)

    def make(self, pictures: list[Picture], skip_missing: bool, save: Callable[[], None]) -> dict[Picture, Made]:
        """Thumbnails and copies of all pictures, in threads. A picture that cannot be read is recorded as failed and
        left out.

        skip_missing: make nothing; a picture without a thumbnail is shown by a link to itself. save: called now and
        then.
        """
        made: dict[Picture, Made] = {}
        todo = []
        for picture in pictures:
            kept = self._kept(picture)
            if kept:
                made[picture] = kept
            elif skip_missing:
                link = self._link(picture)
                if link:
                    made[picture] = Made("", link, "", 0, 0)
            else:
                todo.append(picture)
        if todo:
            self._run(todo, made, save)
        return made

    def _run(self, todo: list[Picture], made: dict[Picture, Made], save: Callable[[], None]) -> None:
        # Threads on all cores, since decoders hold no lock; more of them, since they wait for the disk now and then
        pool = ThreadPoolExecutor(max_workers=min(MOST_THREADS, 2 * (os.cpu_count() or 1)))
        try:
            with progress(len(todo), 0, "thumbnails", "picture") as bar:
                pace = Pace(SAVED)  # the record holds all pictures: cost must not grow with their square
                for picture, result in zip(todo, pool.map(self._try, todo)):
                    bar.update()
                    if pace.due:
                        with pace.saving():
                            save()
                    if isinstance(result, Made):
                        made[picture] = result
                    else:
                        self.report.fail(
                            "/".join((*picture.place, picture.source.name)), f"{'/'.join(picture.place)}/{result}"
                        )
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C waits for the pictures in work, not for the queue

    def _try(self, picture: Picture) -> Made | str:
        try:
            return self._make(picture)
        except (ImageProblem, OSError) as error:
            if isinstance(error, OSError) and error.filename and Path(error.filename) != picture.source:
                raise  # not the picture's fault: a full disk, no permission to write
            return str(error)

    def _kept(self, picture: Picture) -> Made | None:
        """What an earlier run made of the same file, by its size and time; None where something is missing."""
        record = self.known.get(picture.thumb)
        try:
            found = picture.source.stat()
        except OSError:
            return None
        if record is None or record[:3] != [RECIPE, found.st_size, found.st_mtime_ns]:
            return None
        return self._whole(picture, record)

    def _whole(self, picture: Picture, record: list[Any]) -> Made | None:
        if not (self.output / picture.thumb).is_file() or (
            self._copies(picture) and not (self.output / picture.copy).is_file()
        ):
            return None
        return self._enter(picture, record)

    def _enter(self, picture: Picture, record: list[Any]) -> Made:
        self.records[picture.thumb] = record
        self.files.add(picture.thumb)
        full = picture.copy if self._copies(picture) else self._link(picture) if self.how == LINKS else ""
        if self._copies(picture):
            self.files.add(full)
        return Made(picture.thumb, full, record[3], record[4], record[5])

    def _make(self, picture: Picture) -> Made:
        data = picture_bytes(picture.source)
        found = picture.source.stat()
        seen, before = digest(data), self.known.get(picture.thumb)
        if before is not None and before[0] == RECIPE and before[3] == seen:  # only its time is another
            kept = self._whole(picture, [RECIPE, found.st_size, found.st_mtime_ns, *before[3:]])
            if kept:
                return kept
        image, note = read_rgb(data, picture.source.name)
        width, height = image.size
        if self._copies(picture):
            write_bytes(self.output / picture.copy, bare_copy(data, picture.copy, image, note))
        image.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        image.save(buffer, format="WEBP", quality=80, method=2)
        write_bytes(self.output / picture.thumb, buffer.getvalue())
        return self._enter(picture, [RECIPE, found.st_size, found.st_mtime_ns, seen, width, height])

    def _copies(self, picture: Picture) -> bool:
        return self.how == COPIES or (self.how == LINKS and not self._link(picture))

    def _link(self, picture: Picture) -> str:
        """The way from the report to the file itself, "" where there is none (another drive, a format no browser
        shows).
        """
        if picture.source.suffix.lower() not in SHOWN:
            return ""
        try:
            return Path(os.path.relpath(picture.source.absolute(), self.output.absolute())).as_posix()
        except ValueError:
            return ""


def _is_record(record: Any) -> bool:
    return (
        isinstance(record, list)
        and len(record) == 6
        and isinstance(record[3], str)
        and all(isinstance(value, int) for value in (*record[1:3], *record[4:]))
    )
