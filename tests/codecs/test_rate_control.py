"""Rate control: budgets that are used and never exceeded, in few trials."""

from __future__ import annotations

import math

import pytest
from coded_pictures import CODECS, error, noise, photo
from PIL import Image

from cmcbench import codecs
from cmcbench.codecs import Codec, Coded, NoRoom, Search, decoded, scaled, to_budget
from cmcbench.errors import RunFailed


@pytest.mark.parametrize("name, rate", [*((name, 0.3) for name in CODECS), ("avif", 1.0), ("webp", 1.0), ("jpeg", 1.0)])
def test_a_budget_is_used_and_never_exceeded(name, rate):
    codec, picture = CODECS[name], photo(96, 96)
    budget = rate * 96 * 96
    coded = to_budget(codec, picture, budget)
    assert coded.scale in ((1, 2) if rate < 1 else (1,)) and 0.8 * budget <= coded.bits <= budget and coded.seconds > 0
    small = picture if coded.scale == 1 else picture.resize((48, 48), Image.Resampling.LANCZOS)
    assert coded.stream == codec.encode(small, coded.level) and coded.bits == codec.bits(coded.stream)


def test_a_rate_below_the_codec_s_floor_is_reached_by_downscaling():
    codec, picture = CODECS["avif"], photo(127, 128)
    coded = to_budget(codec, picture, 0.06 * 127 * 128)
    assert coded.scale == 2 and 0.8 * 0.06 * 127 * 128 <= coded.bits <= 0.06 * 127 * 128
    assert codec.decode(coded.stream, (64, 64)).size == (64, 64)
    again = decoded(codec, coded, picture.size)
    assert again.size == picture.size and error(picture, again) < 25


@pytest.mark.parametrize("name", ["vvc", "avif"])
def test_a_rate_that_cannot_be_reached_is_over_the_budget_and_the_smallest_found(name):
    codec, picture, budget = CODECS[name], photo(64, 64), 0.02 * 64 * 64
    coded = to_budget(codec, picture, budget)
    smaller = [picture.resize(scaled((64, 64), scale), Image.Resampling.LANCZOS) for scale in codecs.SCALES]
    floors = [codec.bits(codec.encode(each, 0)) for each in smaller]
    assert coded.bits == min(floors) > budget and coded.level == 0
    assert decoded(codec, coded, picture.size).size == (64, 64)


def test_vvc_above_8_bits_per_pixel_has_no_room_and_a_larger_budget_is_no_failure():
    """ffmpeg gives libvvenc a buffer of width x height bytes."""
    with pytest.raises(NoRoom):
        CODECS["vvc"].encode(noise(32), 63)
    coded = to_budget(CODECS["vvc"], noise(32), 24 * 32 * 32)
    assert 6 * 32 * 32 < coded.bits <= 8 * 32 * 32 and coded.scale == 1
    assert error(noise(32), decoded(CODECS["vvc"], coded, (32, 32))) < 60


class Ruler(Codec):
    """A codec whose bits are known: (level + floor) x pixels / 100, and that may have no room above a level."""

    name, extension, unit, settings = "ruler", "cm", "mark", range(64)

    def __init__(self, floor: int = 1, room: int = 63) -> None:
        self.floor, self.room, self.levels = floor, room, []

    def compress(self, image, level):
        self.levels.append(level)
        if level > self.room:
            raise NoRoom("no room")
        return f"{level} {image.width} {image.height}".encode()

    def decode(self, stream, size):
        level, width, height = map(int, stream.split())
        assert (width, height) == size
        return Image.new("RGB", size, (level,) * 3)

    def bits(self, stream):
        level, width, height = map(int, stream.split())
        return math.ceil((level + self.floor) * width * height / 100)


@pytest.mark.parametrize("room", [63, 40, 8, 0])
def test_rate_control_finds_the_finest_level_in_few_trials(room):
    picture = Image.new("RGB", (100, 100))  # so that level L takes 100 (L + 1) bits
    for budget in [100, 101, 199, 200, 850, 900, 901, 950, 2499, 2500, 3333, 5599, 6300, 6400, 6401, 1e9]:
        codec = Ruler(room=room)
        coded = to_budget(codec, picture, budget)
        assert coded.level == min(int(budget // 100) - 1, room, 63) and coded.scale == 1
        assert coded.bits == 100 * (coded.level + 1) <= budget
        assert len(codec.levels) <= 11 + 4 * (coded.bits < 0.8 * budget) and len(set(codec.levels)) == len(codec.levels)


def test_several_budgets_cost_little_more_than_one_and_do_not_change_each_other():
    picture, budgets = Image.new("RGB", (100, 100)), [1000, 2000, 4000, 6000]
    codec = Ruler()
    search = Search(codec, picture)
    together = [search.within(budget) for budget in budgets]
    alone = [to_budget(Ruler(), picture, budget) for budget in budgets]
    assert together == alone and len(set(codec.levels)) == len(codec.levels) <= 20
    backwards = Search(Ruler(), picture)
    assert [backwards.within(budget) for budget in budgets[::-1]] == alone[::-1]


class Jagged(Ruler):
    """A codec whose bits do not only grow: above level 20, each fourth level takes a tenth more than its place."""

    def bits(self, stream):
        level, width, height = map(int, stream.split())
        return 100 * (level + 1) + (level > 20 and level % 4 == 1) * 2000


@pytest.mark.parametrize("budget", [100, 2100, 2600, 3000, 4200, 5000, 6400, 9000])
def test_rate_control_of_a_codec_that_is_not_monotone_is_never_above_the_budget(budget):
    coded = to_budget(Jagged(), Image.new("RGB", (100, 100)), budget)
    assert coded.bits <= budget and coded.bits >= 0.8 * min(budget, 6400)


@pytest.mark.parametrize(
    "budget, scale, level",
    [(1000, 1, 0), (999, 2, 29), (250, 2, 0), (249, 4, 29), (63, 4, 0), (62, 4, 0), (0, 4, 0)],
)
def test_rate_control_scales_where_level_0_is_over_the_budget(budget, scale, level):
    coded = to_budget(Ruler(floor=10), Image.new("RGB", (100, 100)), budget)
    assert (coded.scale, coded.level) == (scale, level)
    assert (coded.bits <= budget) == (budget >= 63)


class Empty(Ruler):
    """A codec that needs no bits at its coarsest levels."""

    def bits(self, stream):
        return 100 * max(0, int(stream.split()[0]) - 20)


@pytest.mark.parametrize("budget, level", [(0, 20), (99, 20), (100, 21), (2050, 40), (9000, 63)])
def test_rate_control_gets_past_levels_of_no_bits(budget, level):
    assert to_budget(Empty(), Image.new("RGB", (100, 100)), budget).level == level


def test_no_room_at_the_coarsest_level_is_a_failure():
    with pytest.raises(RunFailed, match="no room for this picture"):
        to_budget(Ruler(room=-1), Image.new("RGB", (8, 8)), 1e9)


@pytest.mark.parametrize("size", [(100, 100), (101, 99), (1, 1), (3, 5)], ids=str)
def test_the_decoder_gets_the_size_of_the_ground_truth(size):
    for scale in codecs.SCALES:
        stream = Ruler().encode(Image.new("RGB", scaled(size, scale)), 9)
        again = decoded(Ruler(), Coded(stream, 9, scale, 1), size)
        assert again.size == size and again.getpixel((0, 0)) == (9, 9, 9)


@pytest.mark.parametrize(
    "size, scale, expected", [((7, 8), 2, (4, 4)), ((1, 1), 4, (1, 1)), ((9, 5), 4, (3, 2)), ((6, 4), 1, (6, 4))]
)
def test_scaled_sides_are_rounded_up(size, scale, expected):
    assert scaled(size, scale) == expected
