"""Scored targets for the board, whole, partial and of one mode."""

from __future__ import annotations

import pytest
import scored
from board_tables import NAMES, SPENT, made_by

from cmcbench.board.leaderboard.build import update


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Result")
    scored.write(
        folder / "real", scored.noisy(1), NAMES, spent=SPENT, manifest=made_by("real", "gpt4v"), i2t_table=True
    )
    scored.write(folder / "real+qwen", scored.noisy(2, 0.01), NAMES, manifest=made_by("real", "qwen"), i2t_table=True)
    scored.write(
        folder / "diffbir", scored.noisy(3, 0.5), NAMES, modes=("full", "image"), manifest=made_by("diffbir", "gpt4v")
    )
    scored.write(
        folder / "sdxl+qwen",
        scored.noisy(4, 0.3),
        NAMES[1:],
        truth=NAMES,
        manifest=made_by("sdxl", "qwen", baseline=True),
    )
    scored.write(folder / "single", scored.noisy(5, 0.3), NAMES, modes=["text"], manifest=made_by("single", "gpt4v"))
    scored.write(
        folder / "half",
        scored.noisy(6),
        NAMES,
        metrics=["topiq_fr@bf16", "topiq_nr@bf16"],
        manifest=made_by("half", "gpt4v"),
    )
    update(folder)
    return folder
