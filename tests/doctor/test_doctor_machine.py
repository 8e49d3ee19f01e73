"""What the doctor says of a machine: packages, Python, GPU, ffmpeg, the hub's cache, the disk."""

from __future__ import annotations

import shutil
import sys

from doctored import ready

from cmcbench.doctor import machine


def test_packages_are_compared_with_the_list(tmp_path, monkeypatch):
    for file in ("requirements.txt", "requirements-demo.txt"):
        (tmp_path / file).write_text("# a comment\npillow>=1.0  # another\nnumpy>=999\nno-such-package>=1\n")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    found = {finding.what: finding for finding in machine.look(tmp_path, False)}
    needed, demo = found["requirements.txt"], found["requirements-demo.txt"]
    assert (needed.state, demo.state) == ("missing", "note")
    assert needed.remedy == "pip install -r requirements.txt -c constraints.txt"
    assert len(needed.facts["problems"]) == 2 and needed.facts["packages"] == 3
    assert "no-such-package is not installed" in needed.text and ">=999 is needed" in needed.text
    (tmp_path / "requirements.txt").unlink()
    assert {finding.what: finding for finding in machine.look(tmp_path, False)}["requirements.txt"].state == "note"


def test_missing_packages_come_before_all_else(here, lines, monkeypatch):
    ready(here)
    monkeypatch.setattr(machine, "ROOT", here)
    (here / "requirements.txt").write_text("no-such-package\n")
    shown = lines()
    assert "pip install -r requirements.txt -c constraints.txt" in shown.split("what you can do now")[1]
    assert "script-i2t.py --model_name NAME" not in shown


def test_an_old_python_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.sys, "version_info", (3, 9, 1))
    found = next(iter(machine.look(tmp_path, False)))
    assert found.state == "missing" and "3.10 or newer" in found.text


def programs(monkeypatch, **answers: str | None) -> None:
    """Answers of other programs, by a word of their command line."""

    def run(command: list[str], **_: int) -> str | None:
        return next((text for word, text in answers.items() if word in " ".join(command)), None)

    monkeypatch.setattr(machine, "_run", run)


def test_gpu_and_torch_are_told_apart(tmp_path, monkeypatch):
    torch = '{"version": "2.9", "mps": false, "devices": [["A100", 80e9]]}'
    programs(monkeypatch, nvidia="NVIDIA A100, 81920\nNVIDIA A100, [N/A]\n", cuda=torch)
    found = {finding.what: finding for finding in machine.look(tmp_path, True)}
    assert found["GPU"].state == "ok" and found["GPU"].text.startswith("NVIDIA A100 (86 GB), NVIDIA A100 ([N/A])")
    assert found["torch"].state == "ok" and "computes on A100 (80 GB)" in found["torch"].text
    programs(monkeypatch, cuda='{"version": "2.9", "mps": false, "devices": []}')
    found = {finding.what: finding for finding in machine.look(tmp_path, True)}
    assert (found["GPU"].state, found["torch"].state) == ("note", "note") and "sees no GPU" in found["torch"].text
    programs(monkeypatch)
    found = {finding.what: finding for finding in machine.look(tmp_path, True)}
    assert found["torch"].state == "missing" and found["torch"].remedy
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")
    assert "Apple GPU" in {finding.what: finding for finding in machine.look(tmp_path, False)}["GPU"].text


def test_ffmpegs_encoders_are_told(tmp_path, monkeypatch):
    found = {finding.what: finding for finding in machine.look(tmp_path, False)}["ffmpeg"]
    assert found.state == "ok" and found.facts["encoders"] == ["libvvenc", "libx265", "libx264", "libaom-av1"]
    programs(monkeypatch, encoders=" V....D libx264              libx264 H.264\n V....D libx264rgb\n")
    found = {finding.what: finding for finding in machine.look(tmp_path, False)}["ffmpeg"]
    assert (
        found.state == "note"
        and found.text == "encodes AVC (libx264), not VVC (libvvenc), HEVC (libx265), AV1 (libaom-av1)"
    )
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    found = {finding.what: finding for finding in machine.look(tmp_path, False)}["ffmpeg"]
    assert found.state == "note" and found.remedy == "pip install -U imageio-ffmpeg"


def test_a_program_that_fails_or_is_not_there_says_nothing():
    assert machine._run(["no-such-program-here"]) is None
    assert machine._run([sys.executable, "-c", "print(1); exit(3)"]) is None
    assert machine._run([sys.executable, "-c", "import time; time.sleep(9)"], seconds=1) is None
    assert machine._run([sys.executable, "-c", "print(1)"]) == "1\n"


def test_checkpoints_of_the_cache_are_listed_and_little_disk_is_told(tmp_path, monkeypatch):
    import huggingface_hub.constants

    (tmp_path / "hub" / "models--someone--one" / "snapshots").mkdir(parents=True)
    (tmp_path / "hub" / "models--someone--empty").mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**10, 10**9, 10**9))
    found = {finding.what: finding for finding in machine.look(tmp_path / "not" / "there", False)}
    assert found["hub's cache"].facts["models"] == ["someone/one"]
    assert found["disk"].state == "note" and found["disk"].text.startswith(f"1.0 GB are free in {tmp_path};")
