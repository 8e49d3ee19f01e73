"""Every command that README and docs print is one that this program takes: no flag and no word of it is unknown."""

from __future__ import annotations

import re
import shlex

import pytest
from bench import ROOT

from cmcbench import __main__ as program
from cmcbench.anchors import flags as codec
from cmcbench.runtime import cli

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SCRIPTS = {"script-i2t.py": "encode", "script-t2i.py": "decode", "script-evaluate.py": "evaluate"}


def commands() -> list[tuple[str, str]]:
    """(page, command) of all code blocks, lines that go on joined, comments left out."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:bash|sh)?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            lines = re.split(r"\n(?=\S)", block.replace("\\\n", " "))
            found += [(page.name, line.strip()) for line in lines if re.match(r"python (-m cmcbench|script-)", line)]
    return found


class Parsed(Exception):
    """What a command was asked, instead of doing it."""


@pytest.fixture
def parsing(monkeypatch, tmp_path):
    """A command's options are read, and nothing is done."""
    whole = cli.parser("").__class__.parse_args

    def parse(self, args=None, namespace=None):
        raise Parsed(whole(self, args, namespace))

    monkeypatch.setattr(cli.parser("").__class__, "parse_args", parse)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page, command", commands())
def test_a_printed_command_is_taken(parsing, page, command):
    _, *words = shlex.split(command, comments=True)
    words = [SCRIPTS[words[0]], *words[1:]] if words[0] in SCRIPTS else words[2:]
    with pytest.raises(Parsed) as parsed:
        program.main(words)
    if words[0] == "codec":
        codec.is_learned(parsed.value.args[0])  # names of codecs, too


FIELD = (
    "prepare kodak",
    "--metrics field",
    "compressai:",
    "codec cdc",
    "--streams",
    "--estimated",
    "--points",
    "--range",
)


@pytest.mark.parametrize("words", FIELD)
def test_what_the_field_needs_is_printed_somewhere(words):
    assert any(words in command for _, command in commands())
