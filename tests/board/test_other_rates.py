"""Codecs at other rates, and whatever else takes no place: the row says why, and stands below those that have one."""

from __future__ import annotations

from pathlib import Path

import pytest
import scored
from board_tables import NAMES, cells_of, made_by, row, table

from cmcbench.board.leaderboard import collect, update
from cmcbench.board.page.board_data import entries_data
from cmcbench.board.page.targets import page_target
from cmcbench.board.scored import folders, read_all

RATES = (0.05, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)  # nine dashes
FIELD = {"metrics": ["ms_ssim", "piqe"], "lower": ["piqe"]}


def spent(bpp: float, kind: str = "measured", image: float | None = None) -> dict:
    """Bits of `scored`'s pictures, of 250,000 pixels. image: bits per pixel of the reference alone."""
    return {
        "bits": round(bpp * 250_000),
        "kind": kind,
        "image_bits": round((bpp if image is None else image) * 250_000),
    }


def codec(results: Path, rate: float, seed: int, **how) -> Path:
    # The more bits, the better: without a rule for rates a codec at 0.5 bpp would be the first of image mode
    return scored.write(
        results / f"jpeg@{rate}", scored.noisy(seed, 10 * rate), NAMES, ("image",), spent=spent(rate), **how
    )


def board(results: Path, **how) -> Path:
    """A decoder of two modes, one of more bits, a partial one, and codecs at the mode's rate and above it."""
    two = {"modes": ("full", "image"), **how}
    made = {"spent": spent(0.02), "manifest": made_by("real", "gpt4v")}
    scored.write(results / "real", scored.noisy(1), NAMES, **made, **two)
    scored.write(
        results / "real@bpp=0.1", scored.noisy(2, 1.0), NAMES, **{**made, "spent": spent(0.102, image=0.1)}, **two
    )
    scored.write(results / "half", scored.noisy(3, 2.0), NAMES[1:], truth=NAMES, **made, **two)
    for seed, rate in enumerate((0.02, *RATES), 4):
        codec(results, rate, seed, **how)
    update(results)
    return results


@pytest.fixture(scope="module", params=["topiq", "field"])
def results(tmp_path_factory, request):
    return board(tmp_path_factory.mktemp("Result"), **(FIELD if request.param == "field" else {}))


def first(results: Path) -> str:
    return "topiq_fr" if "topiq_fr_rank" in table(results)[0] else "ms_ssim"


def test_what_has_more_bits_than_the_mode_takes_no_place_from_those_that_have_not(results):
    rows, column = table(results), f"{first(results)}_rank"
    assert {row(rows, "real", "image")[column], row(rows, "jpeg@0.02", "image")[column]} == {"1", "2"}
    for name in (*(f"jpeg@{rate}" for rate in RATES), "real@bpp=0.1"):
        found = row(rows, name, "image")
        assert (found["status"], found["n"]) == ("other rate", "20")
        assert not any(value for key, value in found.items() if "_rank" in key)
    assert row(rows, "real@bpp=0.1", "full")["status"] == "other rate"  # its reference has 0.1 bpp, caption apart
    total = row(rows, "real@bpp=0.1", "overall")
    assert total["status"] == "other rate" and total["overall_rank"] == total[column] == ""
    assert row(rows, "jpeg@0.02", "overall")["status"] == row(rows, "jpeg@0.5", "overall")["status"] == "single mode"
    assert row(rows, "half", "image")["status"] == "partial"


def test_no_row_without_a_place_stands_above_one_that_has_one(results):
    """In every file: the long table by target, the views by mode, type and source within each section."""
    whole = [each for each in table(results) if each["status"] != "published"]
    assert (whole[0]["target"], whole[1]["mode"]) == ("real", "image")
    ranks = [name for name in whole[0] if name.endswith("_rank")]
    placed = {each["target"] for each in whole if any(each[name] for name in ranks)}
    order = list(dict.fromkeys(each["target"] for each in whole))
    assert placed == {"real", "jpeg@0.02"} and order[0] == "real"
    sections: dict[tuple, list[bool]] = {}
    for view in ("modes", "types", "sources"):
        for each in table(results, f"leaderboard-{view}.csv"):
            if each["status"] != "published":
                has = any(each[name] for name in ranks)
                sections.setdefault((view, each["mode"], each["content"]), []).append(has)
    assert len(sections) > 8 and all(found == sorted(found, reverse=True) for found in sections.values())
    text = (results / "leaderboard.md").read_text(encoding="utf-8")
    listed = [
        line.split("|")[1].strip(" *") for line in text[text.rindex("| target") :].splitlines()[2:] if "|" in line
    ]
    assert listed[0] == "real" and listed.index("jpeg@0.5") > listed.index("real")


def test_the_row_says_why(results):
    text = (results / "leaderboard.md").read_text(encoding="utf-8")
    assert text.count("*other rate*") >= len(RATES) + 2 and "references above the protocol's 0.02 bpp" in text
    assert (
        "jpeg@0.5 (other rate)" in (results / "leaderboard.tex").read_text(encoding="utf-8")
        or first(results) != "ms_ssim"
    )
    found = {(each.target, each.mode): each.unranked for each in collect(results)[0] if not each.published}
    assert found["jpeg@0.5", "image"] == "not ranked: references of 0.5000 bpp, the protocol's have 0.02"
    assert found["jpeg@0.5", "overall"] == "not ranked: single mode (image), a submission has two"
    assert found["half", "image"] == found["half", "overall"] == "not ranked: partial 19/20"
    assert found["real", "image"] == found["real", "overall"] == found["jpeg@0.02", "image"] == ""
    targets = read_all(folders(results), "the report")
    page = entries_data(targets, [page_target(each, results / "Text") for each in targets])
    said = {(each["name"], each["mode"], each.get("content", "")): each.get("why", "") for each in page}
    assert {key[:2]: why for key, why in said.items() if key[:2] in found and not key[2]} == found
    assert said["jpeg@0.5", "image", "NSI"] == found["jpeg@0.5", "image"]


def test_the_table_of_decoders_says_why(tmp_path):
    notes = {
        cells[2]: cells[-2] for cells in cells_of((board(tmp_path) / "leaderboard.md").read_text(), "Decoders (T2I)")
    }
    assert notes["real@bpp=0.1"] == "not ranked: references of 0.1000 bpp, the protocol's have 0.02"
    assert notes["jpeg@0.5"].startswith("not ranked: single mode") and notes["real"] == ""


@pytest.mark.parametrize(
    "modes, cost, ranked",
    [
        (["image"], spent(0.025), True),  # VVC's levels leave so much
        (["image"], spent(0.0251), False),
        (["image"], spent(0.001), True),  # with fewer bits it is harder
        (["image"], {"bits": 12_500, "kind": "measured"}, False),  # no part is told: all of it is the reference
        (["image"], {"bits": 12_500, "kind": "nominal", "image_bits": 5000}, True),
        (["image"], {}, True),  # not known, as in tables of earlier versions
        (["full"], spent(0.2, image=0.02), True),  # a long caption
        (["full"], {"bits": 12_500, "kind": "measured"}, True),
        (["text"], spent(0.2, image=0.0), True),
        (["pixel"], spent(0.2, image=0.0), True),
    ],
)
def test_the_rate_of_the_references_decides(tmp_path, modes, cost, ranked):
    scored.write(tmp_path / "mine", scored.noisy(1), NAMES, modes, spent=cost)
    entry = next(each for each in collect(tmp_path)[0] if each.mode == modes[0] and not each.published)
    assert bool(entry.ranks) == ranked and ("other rate" == entry.status) != ranked


def test_a_place_in_a_later_metric_does_not_stand_beside_one_in_the_first(tmp_path):
    """No Overall, and the second by FR: below the last that has an Overall."""
    metrics = [*scored.PAIR, "lpips"]
    for place, name in enumerate(("a", "b", "c")):
        scored.write(tmp_path / name, scored.noisy(place, -place), NAMES, metrics=metrics)
    scored.write(tmp_path / "extra", scored.noisy(9, 5.0), NAMES, metrics=["lpips"])
    update(tmp_path)
    order = dict.fromkeys(each["target"] for each in table(tmp_path) if each["status"] != "published")
    assert list(order) == ["a", "b", "c", "extra"]
