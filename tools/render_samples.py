#!/usr/bin/env python3
"""Render the screen-content sample images (SCI_*.png) of samples/GT.

Everything is drawn with Pillow and matplotlib, with the DejaVu fonts that ship with
matplotlib and with fixed seeds: two runs on one machine with the same library versions
give the same bytes.  All names, texts and numbers in the pictures are invented.

Usage: python tools/render_samples.py --output samples/GT
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sample_scenes import chess_game, movie_frame
from sample_windows import settings_window, terminal, web_page


def plot():
    """A line plot with error bands beside a bar chart, as in a paper."""
    rng = np.random.RandomState(3)
    days = np.arange(1, 366, 7)
    style = {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.35,
    }
    stations = (
        ("Harbour", 9.5, 6.0, "#1f77b4", "o"),
        ("Greyfell", 5.5, 8.5, "#d9541e", "s"),
        ("Upper valley", 2.0, 10.5, "#2a9d5c", "^"),
    )
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(7.68, 4.48), dpi=100, width_ratios=(1.75, 1), layout="constrained"
        )
        for name, mean, swing, color, marker in stations:
            curve = mean - swing * np.cos(2 * np.pi * (days - 25) / 365)
            curve += rng.normal(0, 0.7, days.size)
            left.fill_between(days, curve - 1.6, curve + 1.6, color=color, alpha=0.16, lw=0)
            left.plot(days, curve, color=color, marker=marker, ms=3.2, lw=1.3, label=name)
        left.axhline(0, color="#555555", lw=0.9, ls="--")
        left.annotate(
            "first frost", xy=(316, 0), xytext=(262, -7.5), arrowprops={"arrowstyle": "->", "color": "#333333"}
        )
        left.set(
            xlim=(0, 370),
            ylim=(-12, 22),
            xlabel="Day of the year",
            ylabel="Mean temperature (\u00b0C)",
            title="(a) Weekly mean with one std. dev.",
        )
        left.legend(loc="upper left", title="Station", framealpha=0.9)
        seasons, places = ("Winter", "Spring", "Summer", "Autumn"), np.arange(4)
        for i, (name, _, _, color, _) in enumerate(stations):
            rain = rng.uniform(90, 260, 4) * (1 + 0.35 * i)
            right.bar(
                places + 0.27 * (i - 1),
                rain,
                0.25,
                yerr=rain * 0.08,
                color=color,
                error_kw={"lw": 0.8, "capsize": 2},
                label=name,
            )
        right.set_xticks(places, seasons, size=7.5)
        right.set(ylabel="Rainfall (mm)", title="(b) Rain by season", ylim=(0, 480))
        right.grid(axis="x", visible=False)
        right.legend(loc="upper right", fontsize=7.5)
        figure.suptitle("Climate of three imaginary weather stations", fontweight="bold", size=12)
        figure.canvas.draw()
        picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
        plt.close(figure)
    return picture


PICTURES = {
    "SCI_screen_000.png": web_page,
    "SCI_screen_001.png": terminal,
    "SCI_screen_002.png": settings_window,
    "SCI_screen_003.png": plot,
    "SCI_game_000.png": chess_game,
    "SCI_movie_000.png": movie_frame,
}


def main():
    """Parse the command line and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder that receives the PNG files (made if missing)"
    )
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for name, render in PICTURES.items():
        picture = render()
        picture.save(folder / name, optimize=True)
        print(f"{folder / name}: {picture.width}x{picture.height}, {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
