"""What of an answer is the caption: thoughts, channels, answer and box markers are not; words about them are."""

from __future__ import annotations

import time

import pytest

from models.i2t._thoughts import Unended, caption_in, is_open

HARMONY = "<|channel|>analysis<|message|>We need 10 words.<|end|><|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    "answer",
    [
        "A red barn.",
        "The user wants a caption.</think>\n\nA red barn.",
        "<think>The user</think> A red barn.",
        "<thinking>\nx\n</thinking>\n\nA red barn.",
        "<THOUGHT>x</THOUGHT>A red barn.",
        "<think time='3'>x</think>A red barn.",
        "<seed:think>x</seed:think>A red barn.",
        "[THINK]x[/THINK]A red barn.",
        "\u25c1think\u25b7x\u25c1/think\u25b7A red barn.",
        "<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>A red barn.<|END_RESPONSE|>",
        "<|channel>thought\nx<channel|>A red barn.",
        "<unused94>thought\nx<unused95>A red barn.",
        f"{HARMONY}A red barn.<|return|>",
        f"<|start|>assistant{HARMONY}A red barn.",
        "analysisThe user wants a caption.assistantfinalA red barn.",
        "<think>a</think>\n<think>b</think>\nA red barn.",
        "a</think>b</think>A red barn.",
        "<think>x</think>A red barn.<think>Ten words? No.</think>",
        "<think>x</think><answer>A red barn.</answer>",
        "<answer>A red barn.</answer> I hope this helps!",
        "<think>x</think>Here: <answer>A red barn.</answer>",
        "<think>x</think><response>\nA red barn.\n</response>",
        "<think>x</think><answer><|begin_of_box|>A red barn.<|end_of_box|></answer>",
        "\\boxed{A red barn.}",
        '<details type="reasoning" done="true">\n<summary>Thought for 3 s</summary>\nx</details>\nA red barn.',
        "<think>I could say `</think>` here</think>A red barn.",
        "<SUMMARY>x</SUMMARY><CAPTION>A red barn.</CAPTION><REASONING>y</REASONING><CONCLUSION>z</CONCLUSION>",
    ],
)
def test_the_caption_is_what_is_not_thought(answer):
    assert caption_in(answer) == "A red barn."


@pytest.mark.parametrize(
    "caption",
    [
        "A slide that explains the <think> tag of language models, on white",
        "A code editor with <think> and </think> tags in blue",
        "A poster: `</think>` in large red letters",
        'A page on the "<thinking>" element with a long text',
        "Analysis of a chart with two red lines",
        "analysis of a chart, assistant in the background",
        "<summary of a page> in a browser window",
        "A form with an <answer> field and a blue button",
        "A sum is in a box: \\boxed{42} on a blackboard",
        "[THINKING] is written over a door",
        "A <details> element, opened",
    ],
)
def test_a_caption_may_speak_of_tags(caption):
    assert caption_in(caption) == caption


@pytest.mark.parametrize(
    "answer",
    [
        "<think>The user wants",
        "<think>a</think><think>b",
        "<|channel|>analysis<|message|>We need",
        "<|channel|>analysis<|message|>We need<|end|><|start|>assistant<|channel|>commentary<|message|>x",
        "analysisThe user wants a caption in",
        "[THINK]So",
        "<thought>\n",
    ],
)
def test_a_thought_without_an_end_is_a_failure(answer):
    with pytest.raises(Unended):
        caption_in(answer)


def test_thoughts_alone_are_no_caption():
    assert caption_in("<think>x</think>") == caption_in(f"{HARMONY}<|return|>") == caption_in("x</think>") == ""


def test_a_prompt_may_begin_the_thought():
    assert is_open("<|im_start|>assistant\n<think>\n") and not is_open("assistant\n<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "<think ", "<", "<|channel|>analysis<|message|>", "'\"`<think>"]
)
def test_hostile_answers_take_no_time(piece):
    began = time.process_time()
    try:
        caption_in(piece * ((1 << 20) // len(piece)))
    except Unended:
        pass
    assert time.process_time() - began < 20  # quadratic work would take hours
