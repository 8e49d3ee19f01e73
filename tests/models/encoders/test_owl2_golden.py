"""mPLUG-Owl2 against what its authors' code computed: tests/golden/owl_authors.npz.

The arrays were made once, outside this repository, with X-PLUG/mPLUG-Owl at commit 0f3068f, transformers 4.31.0 and
torch 2.14.1 on a CPU in float32. The authors' own loader read the folder that tiny_owl.owl2 makes (taught=False; for
`texts` with the grammar), their own functions made prompt and pixels of the 20 cases below, one by one, and their
`generate` ran greedily for 40 tokens. In the file:
tokenizer, the bytes of tokenizer.model; ids, the prompts (-200 stands for the image, -1 fills up); pixels of each
case, every 14th; vision, the tower's output of case 0 after its last norm; features, the abstractor's output of cases
0 and 5; logits at the last position of cases 0, 5 and 9; greedy, the ids generated; texts, decoded.
The authors' code is not asked for a batch: where prompts differ in length, its mask hides the wrong positions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_owl
import torch
from PIL import Image

from models import create

GOLDEN = Path(__file__).parents[2] / "golden" / "owl_authors.npz"
ASKED = "Generate an informative paragraph in {} words based on the image."
HINTS = ["Considering Light and Color", ", Clarity", ", Dense Caption", ", and Region Semantic"]
PROMPTS = [ASKED.format(words) + "".join(HINTS[: words // 10]) for words in (10, 20, 30, 40)]
PROMPTS += ["What is it?", "Describe the image.", "a", " two  spaces ", "Emoji \U0001f989 and \u00e9t\u00e9"]
PROMPTS += ["Line\nbreak\ttab", "\u0645\u0631\u062d\u0628\u0627 rtl", "e\u0301 combining", "1234567890 3.14", "w" * 60]
PROMPTS += ["Provide a one-sentence caption for the provided image.", "USER: ASSISTANT:"]
PROMPTS += ["A boat rests under calm water.", "\u65e5\u672c\u8a9e\u306e\u8aac\u660e", "x: y; z? 'q' \"r\"", "The end."]
SIZES = [(64, 64), (200, 90), (50, 170), (300, 300), (97, 131), (1, 1000), (640, 480), (448, 448), (56, 56), (57, 56)]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def folders(golden, tmp_path_factory) -> dict[str, Path]:
    base, tokenizer = tmp_path_factory.mktemp("owl"), golden["tokenizer"].tobytes()
    kinds = {"taught": {}, "raw": {"taught": False}, "bare": {"taught": False, "tables": False}}
    return {kind: tiny_owl.owl2(base / kind, tokenizer=tokenizer, **how) for kind, how in kinds.items()}


@pytest.fixture(scope="module")
def adapters(folders):
    return {kind: load(folder) for kind, folder in folders.items()}


def load(folder: Path):
    model = create("i2t", "mplugowl2")
    model.load(str(folder), "cpu", torch.float32)
    return model


def cases() -> list[tuple[str, Image.Image]]:
    """The prompts, each with a picture: 3x3 random colours enlarged by bicubic interpolation."""
    random, pictures = np.random.default_rng(7), []
    for size in SIZES * 2:
        colours = random.integers(0, 255, (3, 3, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))
    return list(zip(PROMPTS, pictures, strict=True))


def rows(array: np.ndarray) -> list[list[int]]:
    return [[value for value in row if value != -1] for row in array.tolist()]


def relative(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


def test_prompts_and_pixels_are_the_authors(adapters, golden):
    model = adapters["raw"]
    for (prompt, picture), expected, pixels in zip(cases(), rows(golden["ids"]), golden["pixels"], strict=True):
        inputs = model._inputs([picture], prompt)
        place = expected.index(-200)
        expected[place : place + 1] = [-200] * (tiny_owl.QUERIES + 1)  # ours: one place for each token of the image
        assert inputs["input_ids"].tolist() == [expected]
        assert np.abs(inputs["pixel_values"][0, :, ::14, ::14].numpy() - pixels).max() < 1e-6


@pytest.mark.parametrize("kind", ["raw", "bare"])  # the places of the abstractor from the file, or computed
def test_vision_and_abstractor_equal_the_authors(adapters, golden, kind):
    model, every = adapters[kind], cases()
    tower = model.model.model.vision_model
    with torch.inference_mode():
        pixels = torch.cat([model._inputs([every[case][1]], "a")["pixel_values"] for case in (0, 5)])
        assert relative(tower.post_layernorm(tower(pixels[:1]).last_hidden_state), golden["vision"]) < 1e-5
        assert relative(model.model.see(pixels), golden["features"]) < 1e-5


def test_logits_equal_the_authors(adapters, golden):
    model, every = adapters["raw"], cases()
    for case, expected in zip((0, 5, 9), golden["logits"], strict=True):
        prompt, picture = every[case]
        with torch.inference_mode():
            logits = model.model(**model._inputs([picture], prompt)).logits[0, -1]
        assert relative(logits, expected) < 1e-5


def test_greedy_ids_equal_the_authors_one_by_one(adapters, golden):
    model = adapters["raw"]
    for (prompt, picture), expected in zip(cases(), rows(golden["greedy"]), strict=True):
        inputs = model._inputs([picture], prompt)
        made = model.model.generate(**inputs, max_new_tokens=40)[0, inputs["input_ids"].shape[1] :]
        assert made.tolist() == expected


def test_greedy_ids_equal_the_authors_in_a_left_padded_batch(adapters, golden):
    model, every = adapters["raw"], [adapters["raw"]._inputs([picture], prompt) for prompt, picture in cases()]
    longest = max(inputs["input_ids"].shape[1] for inputs in every)
    pad = {"input_ids": 0, "attention_mask": 0}
    left = {
        name: torch.cat([fill_left(inputs[name], longest, value) for inputs in every]) for name, value in pad.items()
    }
    pixels = torch.cat([inputs["pixel_values"] for inputs in every])
    made = model.model.generate(**left, pixel_values=pixels, max_new_tokens=40)[:, longest:]
    for row, expected in zip(made.tolist(), rows(golden["greedy"]), strict=True):
        assert row[: len(expected)] == expected


def fill_left(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return torch.nn.functional.pad(row, (length - row.shape[1], 0), value=value)


def test_captions_are_the_authors(adapters, golden):
    for (prompt, picture), expected in zip(cases(), golden["texts"].tolist(), strict=True):
        assert adapters["taught"].caption([picture], prompt, 10)[0].text == expected


def test_image_positions_use_the_second_copy_and_text_the_first(adapters, golden):
    model, (prompt, picture) = adapters["bare"].model, cases()[0]
    inputs = adapters["bare"]._inputs([picture], prompt)
    layer = model.model.layers[0].input_layernorm.multiway
    seen: dict[int, torch.Tensor] = {}
    hooks = [
        copy.register_forward_hook(lambda _, __, out, way=way: seen.update({way: out}))
        for way, copy in enumerate(layer)
    ]
    outer = model.model.layers[0].input_layernorm.register_forward_hook(lambda _, __, out: seen.update({2: out}))
    with torch.inference_mode():
        model(**inputs)
    for hook in [*hooks, outer]:
        hook.remove()
    image = inputs["input_ids"][0] == -200
    assert image.sum() == tiny_owl.QUERIES + 1
    assert seen[2][0, image].equal(seen[1][0, image]) and seen[2][0, ~image].equal(seen[0][0, ~image])
    assert not seen[0].equal(seen[1])
