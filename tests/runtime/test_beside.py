"""Reading ahead of a model and writing behind it: order, bounds, errors, interruptions."""

from __future__ import annotations

import threading
import time

import pytest

from cmcbench.runtime import beside
from cmcbench.runtime.beside import Ahead, Behind, threads


def test_there_are_as_many_threads_as_the_cores_allow(monkeypatch):
    for cores, expected in ((1, 2), (2, 2), (3, 2), (4, 3), (9, 8), (64, 8)):
        monkeypatch.setattr(beside, "cores", lambda cores=cores: cores)
        assert threads() == expected


def test_items_come_prepared_and_in_order_whichever_is_ready_first():
    def slow_first(item):
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    with Ahead(slow_first, range(30), 8) as ahead:
        found = [(item, future.result()) for item, future in ahead]
    assert found == [(item, item * item) for item in range(30)]


def test_items_are_taken_a_batch_at_a_time_and_none_is_lost_between():
    with Ahead(str, range(7), 3) as ahead:
        batches = [[future.result() for _, future in ahead.take(3)] for _ in range(4)]
    assert batches == [["0", "1", "2"], ["3", "4", "5"], ["6"], []]


def test_preparing_begins_before_the_first_is_asked_for():
    begun = threading.Event()
    with Ahead(lambda item: begun.set(), [1], 4):
        assert begun.wait(5)


def test_an_error_belongs_to_its_item_alone():
    def prepare(item):
        if item == 1:
            raise ValueError("no picture")
        return item

    with Ahead(prepare, range(3), 4) as ahead:
        futures = [future for _, future in ahead]
    assert [futures[0].result(), futures[2].result()] == [0, 2]
    with pytest.raises(ValueError, match="no picture"):
        futures[1].result()


def test_no_more_items_wait_than_allowed():
    begun = []
    with Ahead(begun.append, range(100), 5, workers=2) as ahead:
        for taken, _ in enumerate(ahead, 1):
            assert len(begun) <= taken + 5
    assert len(begun) == 100


def test_large_results_that_wait_stay_within_the_bound(monkeypatch):
    monkeypatch.setattr(beside, "HELD", 1000)
    waiting, most, guard = 0, 0, threading.Lock()

    def prepare(item):
        nonlocal waiting, most
        with guard:
            waiting += 1
            most = max(most, waiting)
        return 300

    with Ahead(prepare, range(40), 20, weight=lambda size: size, workers=2) as ahead:
        for _ in ahead:
            time.sleep(0.002)
            with guard:
                waiting -= 1
    assert most <= 2 + 1000 // 300  # the one in use, the one needed next, and those that fit


def test_a_result_beyond_the_bound_comes_by_itself(monkeypatch):
    monkeypatch.setattr(beside, "HELD", 10)
    with Ahead(lambda item: 300, range(5), 20, weight=lambda size: size, workers=2) as ahead:
        assert len(list(ahead)) == 5


def test_leaving_early_cancels_what_has_not_begun():
    begun = []

    def prepare(item):
        begun.append(item)
        time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt), Ahead(prepare, range(1000), 500, workers=2) as ahead:
        for _ in ahead:
            raise KeyboardInterrupt
    assert len(begun) < 100


def test_results_are_settled_in_order_by_the_caller_s_thread():
    here, settled = threading.get_ident(), []

    def finish(number):
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number, threading.get_ident()

    def settle(found):
        assert threading.get_ident() == here != found[1]
        settled.append(found[0])

    with Behind(4) as behind:
        for number in range(20):
            behind.put(lambda number=number: finish(number), settle)
            assert number + 1 - len(settled) <= 4
    assert settled == list(range(20))


def test_a_failed_write_ends_the_run_and_what_went_well_is_settled():
    settled = []

    def fail():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), Behind(8) as behind:
        for number in range(3):
            behind.put(lambda number=number: time.sleep(0.01) or number, settled.append)
        behind.put(fail, settled.append)
        for number in range(3, 6):
            behind.put(lambda number=number: time.sleep(0.01) or number, settled.append)
    assert settled == list(range(6))


def test_an_interruption_waits_for_what_is_in_flight():
    settled = []
    with pytest.raises(KeyboardInterrupt), Behind(8) as behind:
        for number in range(5):
            behind.put(lambda number=number: time.sleep(0.02) or number, settled.append)
        raise KeyboardInterrupt
    assert settled == list(range(5))


def test_the_error_of_the_run_comes_before_that_of_a_write():
    def fail():
        time.sleep(0.05)
        raise OSError(5, "failing disk")

    with pytest.raises(KeyboardInterrupt), Behind(8) as behind:
        behind.put(fail, print)
        raise KeyboardInterrupt


def test_all_is_settled_when_asked_for():
    settled = []
    with Behind(8) as behind:
        for number in range(5):
            behind.put(lambda number=number: number, settled.append)
        behind.settle()
        assert settled == list(range(5))
