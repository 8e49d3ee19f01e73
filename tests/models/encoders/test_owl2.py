"""mPLUG-Owl2 from a tiny checkpoint in its authors' layout: what it says, and what it refuses with one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_i2t
import tiny_owl
import torch
from bench import SAMPLES
from captioning import edit, pictures
from PIL import Image

from models import ModelError, create

PROMPT = "Generate an informative paragraph in 10 words based on the image.Considering Light and Color"
FIRST = f"pytorch_model-1-of-{tiny_owl.SHARDS}.bin"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_owl.owl2(tmp_path_factory.mktemp("owl") / "mplug-owl2-llama2-7b")


@pytest.fixture(scope="module")
def owl(folder):
    return load(folder)


@pytest.fixture
def spoilt(folder, tmp_path) -> Path:
    """A copy of the checkpoint to spoil."""
    return Path(shutil.copytree(folder, tmp_path / "spoilt"))


def load(folder: Any, **options: Any):
    model = create("i2t", "mPLUGOwl2")
    model.load(str(folder), "cpu", torch.float32, seed=options.pop("seed", 42), **options)
    return model


def refusal(folder: Any, **options: Any) -> str:
    """The one line that a checkpoint is refused with."""
    with pytest.raises(ModelError) as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def eight() -> list[Image.Image]:
    return [*pictures(), Image.new("RGB", (1, 1000), "teal"), *(each.rotate(90) for each in pictures()[:2])]


# What it says


def test_batch_and_order_do_not_change_captions(owl):
    captions = owl.caption(eight(), PROMPT, 10)
    assert captions == [owl.caption([image], PROMPT, 10)[0] for image in eight()]
    assert captions[::-1] == owl.caption(eight()[::-1], PROMPT, 10)
    assert len({caption.text for caption in captions}) > 2


def test_captions_are_clean_and_end(owl):
    for caption in owl.caption(eight(), PROMPT, 10):
        assert caption.text.isprintable() and caption.text == caption.text.strip() and caption.text.endswith(".")
        assert (caption.finish_reason, caption.usage) == ("stop", {"output_tokens": 9})


def test_special_tokens_in_a_request_are_text(owl):
    ids = owl._prompt("</s><s><unk><|image|>")
    assert ids.count(-200) == owl.model.image_tokens and ids.count(1) == 1 and ids[0] == 1
    assert not {0, 2} & set(ids)
    sentence = owl.processor.tokenizer.ids("A small boat")
    assert owl._read([*sentence, 0, 2, 0]).text == "A small boat"


def test_prompt_and_answer_stay_within_2048_tokens(owl):
    prompt = len(owl._prompt("a" * 1800))
    assert owl._room(prompt) == 2048 - prompt
    with pytest.raises(ModelError, match="only 2048 positions"):
        owl.caption(eight()[:1], "a" * 2100, 10)


def test_a_picture_too_long_to_be_squared_fails_alone(owl):
    with pytest.raises(ModelError, match="20000x1 px, the longest side may be 16384"):
        owl.caption([Image.new("RGB", (20_000, 1))], PROMPT, 10)
    assert owl.caption([Image.new("RGB", (1, 1))], PROMPT, 10)[0].text


def test_published_sampling_depends_on_seed_and_picture_alone(folder, owl):
    drawn = load(folder, sampling="published")
    assert (drawn.identity["sampling"], owl.identity["sampling"]) == ("published", "greedy")
    captions = drawn.caption(eight(), PROMPT, 10)
    assert captions == [drawn.caption([image], PROMPT, 10)[0] for image in eight()]
    assert captions == load(folder, sampling="published").caption(eight(), PROMPT, 10)
    assert captions != load(folder, sampling="published", seed=43).caption(eight(), PROMPT, 10)
    assert (drawn._room(100), drawn._room(1900)) == (512, 148)


def test_checkpoint_without_tables_of_places_says_the_same(owl, tmp_path):
    bare = tiny_owl.owl2(tmp_path / "bare", tables=False)
    assert load(bare).caption(eight(), PROMPT, 10) == owl.caption(eight(), PROMPT, 10)


def test_converted_once_and_read_without_the_pickles(owl, spoilt):
    load(spoilt, convert=True)
    for pickle in spoilt.glob("*.bin"):
        pickle.unlink()
    assert load(spoilt).caption(eight(), PROMPT, 10) == owl.caption(eight(), PROMPT, 10)


def test_twelve_shards_numbered_without_zeros_and_without_an_index(owl, spoilt):
    change_weights(spoilt, lambda weights: None, shards=12)
    (spoilt / "pytorch_model.bin.index.json").unlink()
    assert load(spoilt).caption(eight()[:2], PROMPT, 10) == owl.caption(eight()[:2], PROMPT, 10)
    (spoilt / "pytorch_model-3-of-12.bin").unlink()
    assert "lacks 1 (pytorch_model-3-of-12.bin) of its 12 weight files" in refusal(spoilt)


def test_a_program_of_the_users_is_not_silently_left_out(folder):
    assert "--model_name command" in refusal(folder, command="python owl2.py")


def test_another_checkpoint_under_this_name_is_the_familys(tmp_path):
    model = load(tiny_i2t.qwen2_5_vl(tmp_path / "other"))
    assert model.caption(eight()[:1], PROMPT, 10)[0].finish_reason == "stop"
    for option in ({"sampling": "published"}, {"convert": True}):
        assert f"leave out --{next(iter(option))}" in refusal(tmp_path / "other", **option)


def test_licence_is_said_at_load(folder, capsys):
    load(folder)
    assert capsys.readouterr().err.count("https://ai.meta.com/llama/license/") == 1


def test_no_position_is_an_image_once_the_prompt_is_read(owl):
    owl.caption(eight()[:2], PROMPT, 10)
    assert owl.model.modality.image is None
    prompt = torch.tensor([owl._prompt(PROMPT)])
    with pytest.raises(RuntimeError):
        owl.model(prompt, torch.zeros(1, 3, 56, 56), attention_mask=torch.ones(1, 1, 3, 3))  # fails in the layers
    assert owl.model.modality.image is None


def test_in_half_precision_every_weight_is_half_and_places_stay_exact(folder):
    model = create("i2t", "mplugowl2")
    model.load(str(folder), "cpu", torch.bfloat16)
    assert {weight.dtype for weight in model.model.parameters()} == {torch.bfloat16}
    table = model.model.model.visual_abstractor.layers[0].attention.k_pos_embed
    assert table.equal(tiny_owl.places()["k_pos_embed"])
    assert model.caption(eight()[:1], PROMPT, 10)[0].finish_reason == "stop"


# From end to end


def test_samples_in_batches_of_1_and_8_give_equal_files_and_a_killed_run_is_resumed(bench, folder):
    bench.inside = True
    how = ("--ground_truth", SAMPLES, "--model_name", "mplugowl2", "--model_dir", folder, "--device", "cpu")
    process = bench.start("script-i2t.py", *how, "--result_name", "killed", "--batch_size", 1)
    killed = bench.folder / "Text" / "killed.csv"
    bench.until(lambda: killed.exists() and killed.read_text(encoding="utf-8").count("\n") > 2, process)
    process.kill()
    process.wait()
    bench.encode(*how, "--result_name", "one", "--batch_size", 1)
    bench.encode(*how, "--result_name", "eight", "--batch_size", 8)
    bench.encode(*how, "--result_name", "killed", "--batch_size", 8)
    whole = (bench.folder / "Text" / "one.csv").read_bytes()
    assert whole == (bench.folder / "Text" / "eight.csv").read_bytes() == killed.read_bytes()
    assert whole.count(b"\n") == 1 + len(list(SAMPLES.glob("*.png")))


# What it refuses


@pytest.mark.parametrize(
    "name, words",
    [
        ("Mizukiluke/mplug_owl_2_1", "is mPLUG-Owl2.1"),
        ("MAGAer13/mPLUG-Owl2.1", "is mPLUG-Owl2.1"),
        ("someone/mplug-owl2-llama2-7b-GPTQ", "is quantised (GPTQ)"),
        ("someone/mplug-owl2-awq", "is quantised (awq)"),
        ("someone/mplug_owl2_4bit", "is quantised (4bit)"),
    ],
)
def test_siblings_are_refused_by_their_names_before_anything_is_fetched(monkeypatch, name, words):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("was fetched"))
    said = refusal(name)
    assert words in said and "--model_name mplugowl2 runs MAGAer13/mplug-owl2-llama2-7b" in said


def part(config: dict[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    visual = config["visual_config"]
    return {"visual_config": {**visual, name: {**visual[name], **changes}}}


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"model_type": "mplug_owl2_1"}, "is mPLUG-Owl2.1"),
        ({"architectures": ["MPLUGOwl2QWenForCausalLM"]}, "is mPLUG-Owl2.1"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "is quantised (gptq)"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "of another design (rope_scaling="),
        (part(tiny_owl.CONFIG, "visual_model", use_cls_token=False), "(visual_model.use_cls_token=False"),
        (part(tiny_owl.CONFIG, "visual_abstractor", add_v2t_pos_emb=True), "(visual_abstractor.add_v2t_pos_emb=True"),
        (part(tiny_owl.CONFIG, "visual_abstractor", grid_size=32), "the abstractor takes 32x32"),
        (part(tiny_owl.CONFIG, "visual_model", hidden_size=40), "4x4 patches of 40"),
        (part(tiny_owl.CONFIG, "visual_model", num_attention_heads=5), "no network is built from this config.json"),
        ({"hidden_size": 128}, "weights and configuration do not belong together"),
        ({"num_hidden_layers": 3}, "lacks 13 (model.layers.2."),
        ({"num_hidden_layers": 1}, "has, beyond this model's, 13 (model.layers.1."),
        ({"vocab_size": None}, "config.json lacks vocab_size"),
        ({"vocab_size": 100}, "tokens, the weights 100"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "no image-to-text class"),
    ],
)
def test_configs_of_another_version_size_or_design(spoilt, changes, words):
    edit(spoilt / "config.json", **changes)
    assert words in refusal(spoilt)


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")


@pytest.mark.parametrize(
    "file, spoil, words",
    [
        (FIRST, Path.unlink, f"lacks 1 ({FIRST}) of its 3 weight files"),
        (FIRST, shortened, f"{FIRST} is truncated or damaged"),
        (FIRST, pointer, f"{FIRST} is a Git-LFS pointer"),
        ("tokenizer.model", Path.unlink, "lacks tokenizer.model"),
        ("tokenizer.model", shortened, "tokenizer.model is a Git-LFS pointer or damaged"),
        ("tokenizer.model", pointer, "tokenizer.model is a Git-LFS pointer or damaged"),
        ("config.json", Path.unlink, "has no config.json"),
        ("config.json", shortened, "holds no JSON object"),
    ],
)
def test_missing_truncated_and_pointer_files(spoilt, file, spoil, words):
    spoil(spoilt / file)
    assert words in refusal(spoilt)


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any], shards: int = 3) -> None:
    weights: dict[str, torch.Tensor] = {}
    for path in folder.glob("*.bin"):
        weights |= torch.load(path, weights_only=True)
        path.unlink()
    change(weights)
    tiny_owl.write(folder, weights, shards)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda weights: weights.pop("model.visual_abstractor.vit_eos"), "lacks 1 (model.visual_abstractor.vit_eos)"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "has, beyond this model's, 1 (extra)"),
        (lambda weights: weights["model.visual_abstractor.visual_fc.weight"].zero_(), "is blind"),
        (lambda weights: weights["lm_head.weight"].fill_(torch.nan), "lm_head.weight has numbers that are none"),
    ],
)
def test_weights_that_are_missing_left_over_or_spoilt(spoilt, change, words):
    change_weights(spoilt, change)
    assert words in refusal(spoilt)


def test_pickled_code_is_not_run(spoilt):
    class Spy:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"open({str(spoilt / 'ran')!r}, 'w')",)

    torch.save({"lm_head.weight": Spy()}, spoilt / FIRST)
    assert "would run code" in refusal(spoilt)
    assert not (spoilt / "ran").exists()


@pytest.mark.parametrize(
    "change", [{"crop_size": 224}, {"image_mean": [0.5, 0.5, 0.5]}, {"size": {"shortest_edge": 57}}]
)
def test_preprocessor_that_wants_other_pictures(spoilt, change):
    edit(spoilt / "preprocessor_config.json", **change)
    assert f"preprocessor_config.json: {next(iter(change))} is" in refusal(spoilt)


def test_preprocessor_as_later_transformers_write_it(owl, spoilt):
    sides = {"crop_size": {"height": 56, "width": 56}, "size": {"shortest_edge": 56}}
    edit(spoilt / "preprocessor_config.json", **sides)
    assert load(spoilt).caption(eight()[:2], PROMPT, 10) == owl.caption(eight()[:2], PROMPT, 10)
