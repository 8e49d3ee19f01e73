"""What counts as an answer that declines, and what only looks like one."""

from __future__ import annotations

import pytest

from models.i2t._refusals import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I\u2019m sorry, I can\u2019t help with identifying or describing people in images.",
        "I'm sorry, but I can't assist with that request. However, I can help with another image.",
        "Sorry, I cannot describe this image.",
        "I cannot describe the image.",
        "I can not provide a description.",
        "I'm unable to view images directly.",
        "I am not able to identify real people based on their appearance.",
        "I'm not able to see the image you mention.",
        "I apologize, but I cannot fulfill this request.",
        "I apologize for the inconvenience, but I am unable to process this image.",
        "My apologies, but I can't comply with this.",
        "Unfortunately, I am unable to analyze the picture.",
        "As an AI language model, I cannot see images.",
        "I'm sorry, but as an AI assistant, I'm unable to access images.",
        "I don't have the ability to see images.",
        "I don't feel comfortable describing this.",
        "\"I'm sorry, I can't do that.\"",
        "  I'm sorry,\nbut I can't assist with that.  ",
    ],
)
def test_refusals(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "A sign that reads: I'm sorry, we are closed",
        "I'm sorry, we are closed, says a sign on a wooden door.",
        "A screenshot with the message \"I'm sorry, Dave. I'm afraid I can't do that.\"",
        "A sorry man looks down; he cannot see the sea.",
        "Sorry-looking dog sits in the rain under a street lamp.",
        "I can see a small boat on calm water.",
        "I can't help but notice the golden light over the hills.",
        "I can't identify the man, but the image shows him on a horse in warm light.",
        "I see a red house.",
        "I do not enter sign on a narrow street.",
        "We cannot see the forest for the fog.",
        "Apologies written in chalk on a wall.",
        "An AI assistant that cannot describe images, as a cartoon.",
        "Unable to load: an error dialog on a grey screen.",
        "",
    ],
)
def test_captions(text):
    assert not is_refusal(text)
