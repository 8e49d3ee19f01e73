"""Nothing of the machine goes with a submission."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest
from submitted import edit, faults, packed

from cmcbench.files.anonymous import anonymous, leaks
from cmcbench.submission import submit as submit_module


@pytest.mark.parametrize(
    "text, expected",
    [
        ("SG161222/RealVisXL_V4.0", "SG161222/RealVisXL_V4.0"),
        ("hub:stabilityai/sdxl", "hub:stabilityai/sdxl"),
        ("/home/alice/my models/real", "(path)/real"),
        ("~/models/real", "(path)/real"),
        ("../alice/real", "(path)/real"),
        ("C:\\Users\\bob\\real", "(path)/real"),
        ("\\\\server\\share\\real", "(path)/real"),
        (
            "Generate an informative paragraph in 10 words based on the image.",
            "Generate an informative paragraph in 10 words based on the image.",
        ),
    ],
)
def test_paths_keep_their_last_part(text, expected):
    assert anonymous({"model_dir": text}) == {"model_dir": expected}


def test_keys_addresses_and_names_are_taken_out(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(socket, "gethostname", lambda: "gpu-07.lab.example")
    command = (
        "OPENAI_API_KEY=abc python3 /home/alice/run.py --token tok3n --url http://gpu-07:8000/v1 --who"
        " alice@gpu-07.lab.example sk-abcdefghijklmnop1234"
    )
    assert (
        anonymous({"command": command})["command"]
        == "OPENAI_API_KEY=(removed) python3 (path)/run.py --token (removed) --url (address) --who (name)@(name)"
        " (removed)"
    )
    command = "docker run -v /data/bob:/mnt gpu:/export/bob/x cc -I/home/bob/include org/model-1"
    assert (
        anonymous({"command": command})["command"]
        == "docker run -v (path)/mnt gpu:(path)/x cc -I(path)/include org/model-1"
    )
    document = {
        "settings": {"api_key": "abc", "words": 10, "list": ["/root/x/y", None]},
        "images": {"a.png": {"usage": {"output_tokens": 7}}},
    }
    assert anonymous(document) == {
        "settings": {"api_key": "(removed)", "words": 10, "list": ["(path)/y", None]},
        "images": {"a.png": {"usage": {"output_tokens": 7}}},
    }


def test_a_machine_without_users(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert anonymous({"command": "run it"}) == {"command": "run it"}


def test_nothing_of_the_machine_goes_with_it(made, monkeypatch, capsys):
    """Whatever the manifest says; and what no rule takes out stops the submission."""
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/alice"))
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwx")

    def private(found):
        found["model_dir"] = "/home/alice/secret project/real"
        for each in found["modes"].values():
            each["settings"]["command"] = "/home/alice/run.sh --token hf_abcdefghijklmnopqrstuvwx"

    edit(made / "manifest.json", private)
    edit(
        made.parent.parent / "Text/mine.json",
        lambda found: found["settings"].update(command="ssh alice@host /home/alice/x"),
    )
    contents = packed(made)
    everything = b"".join(contents.values())
    assert b"alice" not in everything and b"hf_abcd" not in everything and b"secret project" not in everything
    assert b"(path)/real" in contents["mail.txt"]
    (made / "submission.zip").unlink()
    edit(
        made / "manifest.json",
        lambda found: found["environment"].update(note="x/home/alice and hf_abcdefghijklmnopqrstuvwx"),
    )
    monkeypatch.setattr(submit_module, "anonymous", lambda value: value)
    found = faults(made, capsys)
    assert any("manifest.json would give away the path of the home folder" in each for each in found)
    assert any("manifest.json would give away the value of the environment variable HF_TOKEN" in each for each in found)
    assert not list(leaks(b"nothing"))
