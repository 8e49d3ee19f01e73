"""Flags that the scripts share: numbers, devices, precisions and names; and what a run says of itself."""

from __future__ import annotations

import argparse

import pytest
import torch

from cmcbench.errors import BadInput
from cmcbench.files import names
from cmcbench.runtime import cli, devices
from cmcbench.runtime.messages import SHOWN, RunLog, did_you_mean, printable, progress


@pytest.mark.parametrize("text, value", [("1", 1), ("+7", 7), ("007", 7), ("1000000", 1_000_000)])
def test_a_whole_number(text, value):
    assert cli.positive(text) == value


@pytest.mark.parametrize(
    "text", ["0", "-1", "", " ", "1.5", "1e3", "ten", "++1", "1_0x", "²", "٣.", "9" * 5000, "nan", "0x10"]
)
def test_what_is_no_whole_number(text):
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):  # either becomes a message of argparse
        cli.positive(text)


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("A step.")
    cli.add_choice(parser)
    cli.add_compute(parser)
    return parser


def test_defaults():
    assert vars(arguments().parse_args([])) == {
        "images": None,
        "subset": None,
        "device": "auto",
        "dtype": "auto",
        "batch_size": None,
        "trust_remote_code": False,
        "command": None,
    }


@pytest.mark.parametrize(
    "given",
    [
        ["--subset", "0"],
        ["--subset", "-3"],
        ["--subset", "²"],
        ["--batch_size", "0"],
        ["--batch_size", "x"],
        ["--dtype", "fp64"],
        ["--sub", "3"],
        ["--batch", "3"],
        ["--nothing"],
        ["word"],
        ["--subset"],
    ],
    ids=" ".join,
)
def test_a_wrong_flag_ends_with_2(given, capsys):
    with pytest.raises(SystemExit) as end_of_script:
        arguments().parse_args(given)
    lines = capsys.readouterr().err.splitlines()  # two lines, not the whole usage
    assert end_of_script.value.code == 2 and len(lines) == 2 and lines[0].startswith("error: "), lines
    assert lines[1].startswith("All flags: ") and lines[1].endswith(" --help")


def test_a_mistyped_flag_and_value_get_a_hint(capsys):
    for given, hint in (
        (["--subsett", "3"], "there is no '--subsett' here. Did you mean --subset"),
        (["--dtype", "fp166"], "Did you mean fp16"),
        (["--gt_pth", "x"], "Did you mean --gt_path"),
    ):
        parser = arguments()
        parser.add_argument("--gt_path")
        with pytest.raises(SystemExit):
            parser.parse_args(given)
        assert hint in capsys.readouterr().err, given


def test_a_hint_is_what_is_much_nearer_than_the_rest():
    flags = ["--metrics", "--modes", "--strict", "--device", "--target", "--results"]
    assert did_you_mean("--metric", flags) == " Did you mean --metrics?"
    assert did_you_mean("--xyz", flags) == ""
    assert set(did_you_mean("sdx", ["sdxl", "sd15", "sdx1"])[len(" Did you mean ") : -1].split(" or ")) == {
        "sdxl",
        "sdx1",
    }


@pytest.mark.parametrize(
    "called, command, shown",
    [
        ("/x/cmcbench/__main__.py", "evaluate", "python -m cmcbench evaluate"),
        ("/usr/bin/cmcbench", "evaluate", "cmcbench evaluate"),
        ("cmcbench.exe", "report", "cmcbench report"),
        ("script-evaluate.py", "evaluate", "script-evaluate.py"),
        ("script-evaluate.py", "report", "python -m cmcbench report"),
    ],
)
def test_a_wrong_flag_names_the_command_that_was_called(monkeypatch, capsys, called, command, shown):
    monkeypatch.setattr("sys.argv", [called])
    with pytest.raises(SystemExit):
        cli.parser("A command.", command).parse_args(["word"])
    said = capsys.readouterr().err
    assert said == f"error: there is no 'word' here. A value stands behind its flag.\nAll flags: {shown} --help\n"


def test_flags_by_the_names_that_they_have_elsewhere():
    parser = arguments()
    for flag in ("--ground_truth", "--results", "--target"):
        parser.add_argument(flag)
    found = parser.parse_args(["--gt_path", "a", "--output_path=b", "--targets", "c"])
    assert (found.ground_truth, found.results, found.target) == ("a", "b", "c")
    both = cli.parser("A command that has both.")
    for flag in ("--results", "--output_path"):
        both.add_argument(flag)
    assert vars(both.parse_args(["--output_path", "a", "--results", "b"])) == {"output_path": "a", "results": "b"}


def test_quiet_and_strict_hold_for_one_command_line(capsys):
    arguments().parse_args(["--quiet", "--strict"])
    report = RunLog()
    report.gather("jpeg cannot reach 0.01 bpp", "a.png", 13, lacking=True)
    assert report.close("done") == 1 and capsys.readouterr().err == "done\n"
    arguments().parse_args([])
    report = RunLog()
    for number in range(13):
        report.gather("jpeg cannot reach 0.01 bpp", f"{number}.png", 13, lacking=True)
    assert report.close("done") == 0
    said = capsys.readouterr().err
    assert said == "note: jpeg cannot reach 0.01 bpp on 13 of 13 images (0.png, 1.png, 2.png, ...).\ndone\n"


def test_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit):
        arguments().parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: auto)" in shown and "--images GLOB" in shown


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_device_that_is_there(device):
    assert devices.resolve_device(device) == device


def test_auto_is_a_device_that_computes():
    found = devices.resolve_device("auto")
    assert found in ("cpu", "cuda", "mps") and torch.ones(2, device=found).sum().item() == 2


@pytest.mark.parametrize(
    "device", ["cuda:99", "gpu", "", "0", "cuda:", "cuda:-1", "xpu:77", "hpu", "meta", "vulkan", "\x1b[2J"]
)
def test_a_device_that_is_not_there(device):
    with pytest.raises(BadInput, match=r"this machine has no such device. It has: cpu, \d+ CUDA device\(s\)"):
        devices.resolve_device(device)


@pytest.mark.parametrize(
    "dtype, device, expected",
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cpu:0", torch.float32),
        ("auto", "cuda", torch.float16),
        ("auto", "cuda:1", torch.float16),
        ("auto", "mps", torch.float16),
        ("fp32", "cuda", torch.float32),
        ("fp16", "cpu", torch.float16),
        ("bf16", "cpu", torch.bfloat16),
    ],
)
def test_dtype(dtype, device, expected):
    name, found = devices.resolve_dtype(dtype, device)
    assert (
        found is expected and name == {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}[expected]
    )


@pytest.mark.parametrize("name", ["Qwen", "gpt4v", "real+gpt4v", "my model", "InternVL2.5", "日本"])
def test_a_name_that_may_be_a_folder(name):
    assert names.folder_name(name, "--model_name") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../up", "/abs", "C:\\x", "a\nb", "a:b", "\x1b[2J", "nul"]
)
def test_a_name_that_may_not_be_a_folder(name):
    with pytest.raises(BadInput, match="^--model_name ") as refusal:
        names.folder_name(name, "--model_name")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain ä 日本 🎨", "plain ä 日本 🎨"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
        ("\u202egnp", "\\u202egnp"),
        ("\udce9", "\\udce9"),
        ("back\\slash 'quoted'", "back\\slash 'quoted'"),
    ],
    ids=ascii,
)
def test_text_is_made_safe_for_a_terminal(text, shown):
    assert printable(text) == shown


def test_a_report_without_failures(capsys):
    report = RunLog()
    assert report.close("4 captions made.") == 0
    assert capsys.readouterr().err == "4 captions made.\n"


def test_a_report_lists_failures_and_counts_the_rest(capsys):
    report = RunLog()
    report.fail("a", "a.png: is empty")
    assert capsys.readouterr().err == "failed: a.png: is empty\n"
    report.fail_all((f"x{i}", f"x{i}.png: no caption") for i in range(SHOWN + 5))
    assert capsys.readouterr().err == ""
    assert report.close("done") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["done", f"{SHOWN + 6} failed:", "  a.png: is empty"]
    assert len(lines) == 2 + SHOWN + 1 and lines[-1] == "  ... and 6 more"


def test_an_image_that_fails_twice_counts_once():
    report = RunLog()
    report.fail("a", "first")
    report.fail("a", "second")
    assert report.failures == {"a": "second"}


def test_a_note_is_said_once_for_each_kind(capsys):
    report = RunLog()
    for name in ("a.png", "b.png"):
        report.converted(name, "was in mode L, converted to RGB")
        report.converted(name, "had an alpha channel (mode RGBA), dropped")
        report.converted(name, None)
    assert capsys.readouterr().err.splitlines() == [
        "note: a.png was in mode L, converted to RGB; the same holds for every such picture.",
        "note: a.png had an alpha channel (mode RGBA), dropped; the same holds for every such picture.",
    ]


def test_progress_does_not_count_what_was_there_before(capsys):
    with progress(10, 4, "captions") as bar:
        bar.update()
        assert (bar.n, bar.initial, bar.total) == (5, 4, 10)
    assert "captions" in capsys.readouterr().err
