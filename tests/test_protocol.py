"""The protocol's facts, against the published prompts, strengths and tables."""

import published
import pytest

from cmcbench import protocol
from cmcbench.bitstream import bits

PROMPT = "Generate an informative paragraph in {} words based on the image."


@pytest.mark.parametrize(
    "words, hints",
    [
        (5, ""),
        (10, "Considering Light and Color"),
        (20, "Considering Light and Color, Clarity"),
        (30, "Considering Light and Color, Clarity, Dense Caption"),
        (40, "Considering Light and Color, Clarity, Dense Caption, and Region Semantic"),
        (400, "Considering Light and Color, Clarity, Dense Caption, and Region Semantic"),
    ],
)
def test_request_to_the_encoder(words, hints):
    assert protocol.i2t_prompt(words) == PROMPT.format(words) + hints


def test_modes():
    known = {mode.name: (mode.reference, mode.captioned, mode.strength) for mode in protocol.MODES.values()}
    assert known == {
        "full": ("image", True, 0.5),
        "image": ("image", False, 0.5),
        "pixel": ("pixel", True, 0.8),
        "text": (None, True, None),
    }
    assert protocol.IMAGE_PROMPT == "High quality, masterpiece, clean, high-resolution, 8k"
    assert (protocol.STEPS, protocol.SEED) == (40, 42)


@pytest.mark.parametrize("row", published.T2I, ids=lambda row: row[0])
def test_published_overall_of_t2i_models(row):
    _, fr, nr, expected = row
    assert protocol.overall_t2i(fr, nr) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("row", published.I2T, ids=lambda row: row[0])
def test_published_overall_of_i2t_models(row):
    _, fr, nr, expected = row
    assert protocol.overall_i2t(fr, nr) == pytest.approx(expected, abs=1e-4)


def test_overall_is_none_where_it_is_not_defined():
    assert protocol.overall_t2i({}, {}) is None
    assert protocol.overall_t2i({"full": 1.0}, {"text": 1.0}) is None
    assert protocol.overall_i2t({"full": 1.0, "text": 1.0}, {"full": 1.0, "text": 1.0}) is None


def test_seed_depends_on_seed_and_name_alone():
    seeds = {protocol.image_seed(seed, name) for seed in (0, 42) for name in ("a", "b", "NSI_pgc_000")}
    assert len(seeds) == 6 and all(0 <= seed < 2**63 for seed in seeds)
    # Fixed for ever: another derivation would give other pictures than those already made
    assert protocol.image_seed(42, "NSI_pgc_000") == 5666086201021272663


@pytest.mark.parametrize(
    "size, working",
    [((512, 341), (1024, 682)), ((341, 512), (682, 1024)), ((1, 4096), (1, 1024)), ((64, 64), (1024, 1024))],
)
def test_working_size(size, working):
    assert protocol.working_size(*size) == working


def test_rates():
    assert bits.caption_bits("A red house.") == 96
    assert bits.caption_bits("naïve") == 48  # six bytes in UTF-8
    assert bits.grid_size(512, 341) == (8, 6) and bits.grid_bits(512, 341) == 384
    assert bits.grid_bits(1, 1) == 8
    assert bits.bpp(8, 64, 64) == pytest.approx(0.00195, abs=1e-5)  # the published rate of pixel mode less text mode
