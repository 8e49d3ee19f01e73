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
        # The image has not arrived
        "I don't see an image",
        "I don't see any image attached to your message. Please upload it.",
        "I do not see an image in our conversation.",
        "Please provide the image.",
        "Please provide the image you would like me to describe.",
        "Please upload an image so I can describe it.",
        "Could you please provide the image?",
        "I'd be happy to help! Please upload the image you'd like described.",
        "It seems that no image was attached.",
        "It looks like you haven't attached an image. Please upload one.",
        "There is no image provided.",
        "There doesn't appear to be an image attached to your message.",
        "No image was provided.",
        "The image did not come through.",
        "I'm sorry, but no image was provided.",
        "Sure! Please share the picture.",
        "I'm unable to see the image.",
        "I did not receive an image.",
        "I'm ready to help. Please provide the image.",
        "As a text-based AI, I cannot view images.",
        "\u62b1\u6b49\uff0c\u6211\u65e0\u6cd5\u67e5\u770b\u56fe\u7247\u3002",
        "\u6211\u770b\u4e0d\u5230\u56fe\u7247",
        "\u8bf7\u4e0a\u4f20\u56fe\u7247",
        "Es tut mir leid, ich kann das nicht beschreiben.",
        "Lo siento, no puedo ver la imagen.",
        "Unfortunately, I can't see the image.",
        "It seems I can't view the picture.",
        "I would love to help, but could you please upload the image?",
        "Okay, please send me the image first.",
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
        "No image of the moon is as bright as this one, a silver disc.",
        "Please mind the gap, says a sign on a platform.",
        "A dialog asks: please upload an image.",
        "The image is displayed on a large screen in a dark hall.",
        "Please provide feedback form on a website with blue buttons.",
        "The image provided shows a barn.",
        "There is no one in the wide hall, only light.",
        'An image upload page with the text "No image selected".',
        "The picture was loaded with colour and light: a red barn in a field.",
        "I see a red house.",
        "Could you see the sea from here? A cliff at dusk.",
        "You didn't say, reads the caption of a cartoon with two cats.",
        "There is an image in the middle of the page.",
        "The image is loaded with vivid reds and deep shadow.",
        "The photo was shared on a phone screen in a dark room.",
        "Sharing a meal, four friends sit under warm light.",
        "Unable to load: an error dialog on a grey screen.",
        "",
    ],
)
def test_captions(text):
    assert not is_refusal(text)
