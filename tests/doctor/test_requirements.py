"""Lists of packages: what of them is missing or too old."""

from __future__ import annotations

import pytest

from cmcbench.doctor.requirements import problem, required


@pytest.mark.parametrize(
    "requirement, said",
    [
        ("pillow", None),
        ("Pillow[extra]>=1.0", None),
        ("pillow >= 11", None),
        ("no-such-package>=2", "no-such-package is not installed"),
        ("pillow>=999.1", ">=999.1 is needed"),
        ("pillow<2", "<2 is needed"),
    ],
)
def test_a_package_that_is_missing_or_of_another_version_is_named(requirement, said):
    found = problem(requirement)
    assert (found is None) if said is None else said in found


def test_comments_and_empty_lines_of_a_list_are_no_requirements(tmp_path):
    (tmp_path / "list.txt").write_text("# for the three steps\ntorch>=2.6\n\n  peft  # for --lora\n#\n")
    assert required(tmp_path / "list.txt") == ["torch>=2.6", "peft"] and required(tmp_path / "none.txt") == []
