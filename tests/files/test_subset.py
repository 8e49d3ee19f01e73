"""The stable choice among images, and what a name says of its content."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from cmcbench.files.subset import choose
from cmcbench.protocol import SOURCES, content


@pytest.mark.parametrize(
    "name, expected",
    [
        ("NSI_pgc_000.png", ("NSI", "pgc")),
        ("NSI_ugc_199", ("NSI", "ugc")),
        ("SCI_screen_7.jpg", ("SCI", "screen")),
        ("AIGI_DALLE3_049.png", ("AIGI", "DALLE3")),
        ("AIGI_pgc_000.png", ("other", "")),  # a source of another type
        ("NSI_PGC_000.png", ("other", "")),
        ("nsi_pgc_000.png", ("other", "")),
        ("NSI_pgc_.png", ("other", "")),
        ("NSI_pgc", ("other", "")),
        ("xNSI_pgc_000.png", ("other", "")),
        ("kodim01.png", ("other", "")),
        ("", ("other", "")),
        ("_" * 5000, ("other", "")),
    ],
)
def test_content(name, expected):
    assert content(name) == expected


EACH = {"NSI": 200, "SCI": 100, "AIGI": 50}
BENCHMARK = [f"{kind}_{source}_{i:03}" for kind in EACH for source in SOURCES[kind] for i in range(EACH[kind])]


def types(names: list[str]) -> dict[str, int]:
    return dict(Counter(content(name)[0] for name in names))


def test_the_benchmark_has_a_thousand_pictures():
    assert len(set(BENCHMARK)) == 1000 and types(BENCHMARK) == {"NSI": 400, "SCI": 300, "AIGI": 300}


def test_a_smaller_choice_is_part_of_every_larger_one():
    smaller: set[str] = set()
    for size in [*range(1, 40), *range(40, 1001, 40)]:
        chosen = choose(BENCHMARK, subset=size)
        assert len(chosen) == size and smaller < set(chosen) and chosen == sorted(chosen)
        smaller = set(chosen)


@pytest.mark.parametrize("size", [10, 20, 50, 100, 200, 500, 700, 1000])
def test_a_choice_has_exactly_the_benchmark_s_mix_of_types(size):
    tenth = size // 10
    assert types(choose(BENCHMARK, subset=size)) == {"NSI": 4 * tenth, "SCI": 3 * tenth, "AIGI": 3 * tenth}


def test_a_choice_of_any_size_is_within_one_picture_of_the_mix():
    shares = {"NSI": 0.4, "SCI": 0.3, "AIGI": 0.3}
    for size in [*range(1, 40), *range(41, 1000, 37)]:
        found = types(choose(BENCHMARK, subset=size))
        assert all(abs(found.get(kind, 0) - share * size) <= 1 for kind, share in shares.items()), (size, found)


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_a_small_choice_has_all_types(size):
    assert set(types(choose(BENCHMARK, subset=size))) == {"NSI", "SCI", "AIGI"}


def test_the_sources_of_a_type_are_mixed():
    found = Counter(content(name)[1] for name in choose(BENCHMARK, subset=100))
    assert {found[source] for source in SOURCES["NSI"]} == {20}
    assert {found[source] for source in SOURCES["SCI"]} == {10}
    assert {found[source] for source in SOURCES["AIGI"]} == {5}
    assert {content(name)[1] for name in choose(BENCHMARK, "AIGI_*", 6)} == set(SOURCES["AIGI"])


def test_the_choice_within_a_source_is_not_its_first_pictures():
    numbers = [int(name[-3:]) for name in choose(BENCHMARK, "NSI_pgc_*", 20)]
    assert max(numbers) > 100 and numbers != list(range(20))


def test_the_choice_depends_on_names_alone():
    expected = choose(BENCHMARK, subset=37)
    shuffled = BENCHMARK.copy()
    random.Random(1).shuffle(shuffled)
    for same in (shuffled, reversed(BENCHMARK), set(BENCHMARK)):
        assert choose(same, subset=37) == expected
    # Fixed for ever: a run that is widened with another version must keep what it has
    assert choose(BENCHMARK, subset=5) == [
        "AIGI_DALLE3_006",
        "AIGI_MJ_007",
        "NSI_pgc_008",
        "NSI_ugc_134",
        "SCI_game_017",
    ]


def test_file_names_and_stems_are_chosen_alike():
    files = [f"{stem}.png" for stem in BENCHMARK]
    assert [Path(name).stem for name in choose(files, subset=37)] == choose(BENCHMARK, subset=37)


def test_a_type_of_few_pictures_is_not_left_to_the_end():
    names = ["NSI_pgc_001", "NSI_pgc_002", "NSI_pgc_003", "SCI_game_001"]
    assert types(choose(names, subset=2)) == {"NSI": 1, "SCI": 1}


def test_pictures_outside_the_scheme_are_chosen_too():
    names = [f"kodim{i:02}" for i in range(24)]
    assert len(choose(names, subset=7)) == 7 and set(choose(names, subset=3)) < set(choose(names, subset=7))
    assert types(choose(names + BENCHMARK[:24], subset=10)) == {"other": 5, "NSI": 5}


@pytest.mark.parametrize(
    "names, pattern, subset, expected",
    [
        (["b", "a"], None, None, ["a", "b"]),
        (["b", "a"], "", None, ["a", "b"]),
        (["b", "a"], None, 2, ["a", "b"]),
        (["b", "a"], None, 99, ["a", "b"]),
        ([], None, 3, []),
        ([], "*", None, []),
        (["SCI_game_0.png", "NSI_pgc_0.png"], "SCI_*", None, ["SCI_game_0.png"]),
        (["SCI_game_0.png", "NSI_pgc_0.png"], "SCI_game_0", None, ["SCI_game_0.png"]),
        (["SCI_game_0.png", "SCI_game_1.jpg"], "*.jpg", None, ["SCI_game_1.jpg"]),
        (["a1", "a2", "a3"], "a[12]", None, ["a1", "a2"]),
        (["a1", "a2", "a3"], "a[!1]", None, ["a2", "a3"]),
        (["a1", "a22"], "a?", None, ["a1"]),
        (["A1", "a1"], "a*", None, ["a1"]),  # on every system
        (["a1"], "nothing*", None, []),
        (["a1"], "[", None, []),
        (["a1"], "../*", None, []),
    ],
)
def test_globs_and_limits(names, pattern, subset, expected):
    assert choose(names, pattern, subset) == expected


def test_a_glob_comes_before_the_subset():
    chosen = choose(BENCHMARK, "SCI_*", 9)
    assert types(chosen) == {"SCI": 9}
    assert Counter(content(name)[1] for name in chosen) == {"game": 3, "movie": 3, "screen": 3}
