"""How often a growing file is saved."""

from __future__ import annotations

import pytest

from cmcbench.runtime import pace
from cmcbench.runtime.pace import Pace


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def save(each: Pace, clock: list[float], took: float) -> None:
    with each.saving():
        clock[0] += took


def test_the_first_saving_is_due_at_once_and_the_next_after_a_second(clock):
    each = Pace()
    assert each.due
    save(each, clock, 0.001)
    assert not each.due
    clock[0] += 0.999
    assert not each.due
    clock[0] += 0.002
    assert each.due


def test_a_slow_saving_is_followed_by_a_long_pause(clock):
    each = Pace()
    save(each, clock, 0.5)
    clock[0] += 49
    assert not each.due
    clock[0] += 2
    assert each.due


@pytest.mark.parametrize("files", [1, 20])
def test_all_files_together_take_less_than_a_hundredth_of_the_time(clock, files):
    """As 20 targets are scored: after each image, each file is saved if it is due."""
    paces, saving = [Pace(files=files) for _ in range(files)], 0.0
    for _ in range(20_000):
        clock[0] += 0.2
        for each in paces:
            if each.due:
                save(each, clock, 0.014)
                saving += 0.014
    assert 0.001 < saving / (clock[0] - 100) < 0.0101


def test_a_saving_that_fails_is_due_again(clock):
    each = Pace()
    with pytest.raises(OSError), each.saving():
        raise OSError(28, "No space left on device")
    assert each.due
