"""Chat templates: the day is fixed, the prompt recorded, a loop ended; thoughts and cut captions of local models."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import tiny_i2t
import torch
from PIL import Image

from models.base import Caption, ModelError
from models.i2t._transformers import model as family
from models.i2t._transformers import template

pytestmark = pytest.mark.usefixtures("one_thread")
PROMPT = "Generate an informative paragraph in 10 words based on the image."
IMAGE = Image.linear_gradient("L").convert("RGB")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tiny_i2t.qwen2_5_vl(tmp_path_factory.mktemp("i2t") / "qwen")


@pytest.fixture
def copy(original, tmp_path):
    """copy(change) is that checkpoint with a changed chat template."""

    def make(change):
        folder = tmp_path / "copy"
        shutil.copytree(original, folder)
        file = folder / "chat_template.jinja"
        file.write_text(change(file.read_text()))
        return folder

    return make


def load(folder, **options):
    model = family.Model()
    model.load(str(folder), "cpu", torch.float32, prompt=PROMPT, words=10, **options)
    return model


DATED = "{%- set day = strftime_now('%d %b %Y') if strftime_now is defined %}Today is {{ day }}. "


def test_the_day_is_the_same_every_day(copy, original):
    model = load(copy(lambda text: DATED + text))
    prompt = template.rendered(model.processor, model.template, PROMPT, "x")
    assert prompt.startswith("Today is 13 Jun 2024. ") and PROMPT in prompt
    assert model.identity["rendered_prompt"] == template.digest(prompt)
    assert model.identity != load(original).identity
    assert isinstance(model.caption([IMAGE], PROMPT, 10)[0], Caption)


@pytest.mark.parametrize(
    "form, said", [("%Y-%m-%d", "2024-06-13"), ("%A, %-d %B", "Thursday, 13 June"), ("%H:%M", "00:00")]
)
def test_other_forms_of_the_day(original, form, said):
    model = load(original)
    text = f"{{{{ strftime_now('{form}') }}}} image"
    model.processor.chat_template = text
    assert template.rendered(model.processor, template.chat_template(model.processor), "", "x") == f"{said} image"


@pytest.mark.parametrize(
    "loop",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in 'x' * 99999 %}{% for b in 'x' * 99999 %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% for a in range(99) %}{{ f(n - 1) if n }}{% endfor %}{% endmacro %}{{ f(9) }}",
    ],
)
def test_loops_without_end_are_ended(copy, monkeypatch, loop):
    monkeypatch.setattr(template, "SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ModelError, match="does not end"):
        load(copy(lambda text: loop + text))
    assert time.monotonic() - began < 60


def test_a_template_that_fails_is_told(copy):
    with pytest.raises(ModelError, match="chat template of .* fails: no images"):
        load(copy(lambda text: "{{ raise_exception('no images') }}" + text))


# Thoughts, with the answers that a thinking model would generate


class Thinker:
    """`generate` of a model whose answers are given; longer ones are cut at the budget."""

    def __init__(self, model, answers):
        self.model, self.answers, self.budgets = model, answers, []
        self.device, self.dtype, self.config = model.model.device, model.model.dtype, model.model.config

    def generate(self, input_ids, max_new_tokens, **_):
        tokenizer = self.model.processor.tokenizer
        self.budgets.append(max_new_tokens)
        rows = []
        for _ in range(len(input_ids)):
            ids = tokenizer(self.answers.pop(0), add_special_tokens=False).input_ids + [tokenizer.eos_token_id]
            rows.append((ids + [tokenizer.pad_token_id] * max_new_tokens)[:max_new_tokens])
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)


@pytest.fixture
def thinker(original):
    def make(answers, **options):
        model = load(original, **options)
        model.model = Thinker(model, answers)
        return model

    return make


def test_thoughts_of_a_local_model_are_cut(thinker):
    model = thinker(["<think>red?</think>a red barn", "hm</think>a red barn"])
    assert [answer.text for answer in model.caption([IMAGE] * 2, PROMPT, 10)] == ["a red barn"] * 2


def test_a_thought_that_the_template_began_is_ended_by_the_model(thinker):
    model = thinker(["hm", "hm</think>a barn"])
    model._opening = "<think>"
    first, second = model.caption([IMAGE] * 2, PROMPT, 10)
    assert isinstance(first, ModelError) and second.text == "a barn"


def test_a_refusal_after_a_thought_is_a_refusal(thinker):
    (answer,) = thinker(["<think>x</think>I don't see an image."]).caption([IMAGE], PROMPT, 10)
    assert isinstance(answer, ModelError) and "refused" in str(answer)


def test_a_local_model_that_only_thinks_is_stopped(thinker):
    thought = "<think>" + "hm " * 3000
    model = thinker([thought] * 20)
    for _ in range(10):
        (answer,) = model.caption([IMAGE], PROMPT, 10)
        assert isinstance(answer, ModelError) and "--max_tokens" in str(answer)
    assert "10 images in a row" in model.stopped
    assert model.model.budgets[0] < model.model.budgets[1] == model.model.budgets[-1]


def test_a_caption_that_is_cut_says_so(thinker):
    (answer,) = thinker(["a red barn in a field"], max_tokens=3).caption([IMAGE], PROMPT, 10)
    assert answer.finish_reason == "length" and answer.text and answer.usage == {"output_tokens": 3}


def test_a_revision_of_the_cache_is_known(original, tmp_path, monkeypatch):
    commits = ["a" * 40, "b" * 40]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commits[1])
    for commit in commits:
        shutil.copytree(original, repository / "snapshots" / commit)
    assert load("owner/tiny").revision == commits[1]
    assert load(f"owner/tiny@{commits[0]}").revision == commits[0]
    assert load(repository).revision == commits[1]
    assert load(original).revision is None


def test_one_weight_file_is_no_checkpoint(original):
    with pytest.raises(ModelError, match="single file: name the folder"):
        load(original / "model.safetensors")


def test_the_configuration_is_read_with_bounds(copy):
    folder = copy(lambda text: text)
    (folder / "config.json").write_text(json.dumps({}) + " " * (5 << 20))
    with pytest.raises(ModelError, match="larger than"):
        load(folder)
