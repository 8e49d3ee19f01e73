"""python -m cmcbench curves: names of strangers, figures of many curves and of one point, and help."""

from __future__ import annotations

import subprocess
import sys

import made_results
from bench import ROOT

from cmcbench.board.curves import command
from cmcbench.board.curves.collect import collect
from cmcbench.board.curves.figures import draw

HOSTILE = (
    "$x_1^2${\\frac",
    "_private",
    "<script>alert(1)</script>",
    "a|b`c*d",
    "=cmd",
    "\u4e2d\u6587\U0001f600",
    "n" * 150,
)


def test_names_of_strangers_do_no_harm(tmp_path):
    """As targets and as metrics: drawn as they are, escaped where they would mean something."""
    results = tmp_path / "Result"
    metrics = {"m_": ("FR", False), "n__": ("NR", True)}
    for place, name in enumerate(name for name in HOSTILE if "/" not in name):
        for rate in (0.01, 0.03):
            made_results.target(results, f"{name}@{rate}", {"image": (rate, 0.5 + rate * place)}, metrics=metrics)
    command.main(["--results", str(results), "--anchor", "_private", "--resamples", "50"])
    markdown = (results / "curves" / "bd.md").read_text()
    assert "&#124;" in markdown and "a|b" not in markdown and "`" not in markdown
    text = (results / "curves" / "points.csv").read_text()
    assert "'=cmd" in text and text.count("\n") == 1 + 2 * 6
    svg = (results / "curves" / "rate-log.svg").read_text()
    assert "<script" not in svg
    assert draw(collect(results), "linear")["png"].startswith(b"\x89PNG")


def test_figures_of_many_curves_and_of_one_point(tmp_path):
    results = tmp_path / "Result"
    for number in range(17):
        made_results.target(
            results, f"codec{number}@0.02", {"image": (0.01 * (number + 1), 0.5)}, codec=number % 2 == 0
        )
    whole = draw(collect(results), "log")
    assert draw(collect(results), "log") == whole
    single = draw(collect(results, ["codec3"]), "linear")
    assert single["png"] != whole["png"] and all(single.values())


def test_help_is_quick():
    """Neither matplotlib nor numpy is imported for it."""
    program = (
        "import sys; from cmcbench.board.curves import command; sys.argv=['x']\ntry:"
        " command.main(['--help'])\nexcept SystemExit: pass\n"
    )
    program += "print([name for name in ('matplotlib', 'numpy', 'scipy', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
