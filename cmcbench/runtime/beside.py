"""What goes on beside a model's work, in threads: pictures read ahead of it, results written behind it.

A model on an accelerator leaves the processor free. `Ahead` prepares what the model gets next, in order and within a
bound on memory; `Behind` finishes what it gave (compressing, hashing, writing) and hands each result back to the thread
that the model works in, in order, so that ledgers, reports and progress bars belong to one thread alone.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
HELD = 1 << 29  # bytes of prepared results that wait for the model


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """How many threads work beside a model: one core is left to it. Two at least, since one may wait for the disk."""
    return max(2, min(8, cores() - 1))


class Ahead(Generic[Item, Result]):
    """`prepare` of each item, in the items' order, in threads that begin at once. Use it in a `with` block.

    most: items that are prepared and not taken yet. weight: bytes of a result; those that wait for the model stay below
    HELD, but for the one that it needs next. One thread at a time may take results.
    """

    def __init__(
        self,
        prepare: Callable[[Item], Result],
        items: Iterable[Item],
        most: int,
        weight: Callable[[Result], int] = lambda result: 0,
        workers: int | None = None,
    ) -> None:
        self._prepare, self._items, self._most, self._weight = prepare, iter(items), most, weight
        self._workers = workers or threads()
        self._pool = ThreadPoolExecutor(self._workers, "ahead")
        self._waiting: deque[tuple[Item, Future[Result]]] = deque()
        self._largest: int | None = None  # bytes of a result, once one is known
        self._guard, self._ended = threading.RLock(), False
        self._fill()

    def __enter__(self) -> Ahead[Item, Result]:
        return self

    def __exit__(self, *error: object) -> None:
        with self._guard:
            self._ended = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[Item, Future[Result]]]:
        """(item, its prepared result); `result()` raises what `prepare` raised for this item alone."""
        while self._waiting:
            with self._guard:
                item, future = self._waiting.popleft()
                self._fill()
            future.exception()  # waits
            yield item, future

    def take(self, count: int) -> list[tuple[Item, Future[Result]]]:
        """The next `count` items, fewer at the end."""
        return list(itertools.islice(self, count))

    def _fill(self, done: object = None) -> None:
        """Begin what there is room for: when a result is taken, and when one is done and its size known."""
        with self._guard:
            while not self._ended and len(self._waiting) < self._most and self._fits():
                try:
                    item = next(self._items)
                except StopIteration:
                    return
                future = self._pool.submit(self._prepare, item)
                self._waiting.append((item, future))
                future.add_done_callback(self._fill)

    def _fits(self) -> bool:
        """Whether one more stays within HELD: unfinished ones count as the largest so far."""
        known, unknown = 0, 0
        for _, future in self._waiting:
            if future.done() and future.exception() is None:
                size = self._weight(future.result())
                self._largest = max(self._largest or 0, size)
                known += size
            else:
                unknown += 1
        if self._largest is None:
            return unknown < self._workers
        return not self._waiting or known + (unknown + 1) * self._largest <= HELD


class Behind:
    """Finishes results in threads while the model goes on. Use it in a `with` block, which waits for what is in flight.

    However the block ends, what was finished well is settled. The first error of a thread is raised in the caller's,
    by `put`, `settle` or the end of the block.
    """

    def __init__(self, most: int, workers: int | None = None, drop: bool = False) -> None:
        """most: results in flight; `put` waits while there are as many. workers: threads, None: `threads()`.

        drop: whether what has not begun is left undone when the block ends by an error.
        """
        self._most, self._drop = most, drop
        self._pool = ThreadPoolExecutor(workers or threads(), "behind")
        self._flying: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        first: BaseException | None = None
        if kind is not None and self._drop:
            self._flying = deque(each for each in self._flying if not each[0].cancel())
        while self._flying:
            try:
                self._settle_one()
            except Exception as error:  # the others may have gone well
                first = first or error
        self._pool.shutdown(wait=True)
        if first is not None and kind is None:
            raise first

    def put(self, finish: Callable[[], Result], settle: Callable[[Result], None]) -> None:
        """Call `finish` in a thread, and `settle` with what it gave later in this one, in the order of the calls."""
        while len(self._flying) >= self._most:
            self._settle_one()
        self._flying.append((self._pool.submit(finish), settle))
        while self._flying and self._flying[0][0].done():
            self._settle_one()

    def settle(self) -> None:
        """Wait for all that is in flight, and settle it."""
        while self._flying:
            self._settle_one()

    def _settle_one(self) -> None:
        future, settle = self._flying[0]
        future.exception()  # waits; where that is interrupted, the end of the block settles it
        self._flying.popleft()
        settle(future.result())
