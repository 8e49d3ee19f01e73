"""What may not be mixed in Result/NAME, and what its manifest keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmcbench.errors import BadInput
from cmcbench.files.result_manifest import ResultManifest, system_of
from cmcbench.files.store import read_json


def nothing(before, stems) -> str:
    return ""


def picture(folder: Path, mode: str, *stems: str) -> None:
    for stem in stems:
        (folder / mode).mkdir(parents=True, exist_ok=True)
        (folder / mode / f"{stem}.png").write_bytes(b"x")


def recorded(folder: Path, **settings) -> ResultManifest:
    """The manifest of a folder in which `settings` made two pictures of mode text."""
    ResultManifest(folder, "--out").record({"text": (settings, {"b": {"n": 1}, "a": {"n": 2}})}, {}, False)
    picture(folder, "text", "a", "b")
    return ResultManifest(folder, "--out")


def test_what_is_recorded_joins_what_was_recorded(tmp_path):
    recorded(tmp_path, steps=40)
    (tmp_path / ".tmp-manifest.json-x").write_bytes(b"half")
    ResultManifest(tmp_path, "--out").record(
        {"full": ({"steps": 40}, {"a": {"n": 3}}), "text": ({"steps": 40}, {"c": {"n": 4}})}, {"t2i": "real"}, True
    )
    ResultManifest(tmp_path, "--out").record({"full": ({"steps": 40}, {})}, {"t2i": None}, True)
    record = read_json(tmp_path / "manifest.json")
    assert list(record["modes"]) == ["full", "text"] and record["t2i"] == "real" and record["baseline"] is True
    assert record["modes"]["text"]["inputs"] == {"a": {"n": 2}, "b": {"n": 1}, "c": {"n": 4}}
    assert not list(tmp_path.glob(".tmp-*"))


def test_other_settings_are_refused_while_their_pictures_are_there(tmp_path):
    manifest = recorded(tmp_path, steps=40)
    inputs = {"a": {"n": 2}, "b": {"n": 1}}
    manifest.check_mode("text", {"steps": 40}, inputs, False, nothing)
    with pytest.raises(BadInput, match="holds 2 image.s. made otherwise: steps was 40 and is 20 now.*another --out"):
        manifest.check_mode("text", {"steps": 20}, inputs, False, nothing)
    with pytest.raises(BadInput, match=r"holds 1 image.s. made otherwise"):  # replaced in part, it would hold both
        manifest.check_mode("text", {"steps": 20}, {"a": {}}, True, nothing)
    manifest.check_mode("text", {"steps": 20}, inputs, True, nothing)


def test_only_inputs_of_pictures_that_are_there_are_compared(tmp_path):
    manifest, asked = recorded(tmp_path, steps=40), []
    manifest.check_mode("text", {"steps": 40}, {"a": {}, "new": {}}, False, lambda _, stems: asked.extend(stems) or "")
    assert asked == ["a"]
    with pytest.raises(BadInput, match="made otherwise: 1 changed"):
        manifest.check_mode("text", {"steps": 40}, {"a": {}}, False, lambda before, stems: f"{len(stems)} changed")


def test_pictures_without_a_manifest_are_nobody_s(tmp_path):
    picture(tmp_path, "full", "a", "scene.v2")
    manifest = ResultManifest(tmp_path, "--out")
    with pytest.raises(BadInput, match="full holds 2 image.s. and no manifest says what made them"):
        manifest.check_mode("full", {}, {"a": {}}, False, nothing)
    with pytest.raises(BadInput, match="full holds 1 image"):
        manifest.check_mode("full", {}, {"a": {}}, True, nothing)
    manifest.check_mode("full", {}, {"a": {}, "scene.v2": {}}, True, nothing)
    manifest.check_mode("text", {}, {"a": {}}, False, nothing)


def test_other_modes_must_agree_in_what_they_share(tmp_path):
    manifest = recorded(tmp_path, model="real", strength=0.5)
    manifest.check_other_modes(["text", "full"], {"model": "sdxl"})
    manifest.check_other_modes(["full"], {"model": "real"})
    with pytest.raises(BadInput, match="text holds 2 .*model was real and is sdxl now.*--mode all --overwrite"):
        manifest.check_other_modes(["full"], {"model": "sdxl"})


@pytest.mark.parametrize("content", ["{", "[]", '{"modes": 3}', '{"modes": {"text": {"settings": 1, "inputs": {}}}}'])
def test_a_broken_manifest_is_refused_and_not_touched(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match="manifest.json"):
        ResultManifest(tmp_path, "--out")
    assert (tmp_path / "manifest.json").read_text() == content


def made(seed: object = 42, modes: tuple[str, ...] = ("full", "text"), inputs: object = None, **settings) -> dict:
    """A manifest whose modes were made with these settings."""
    each = {"settings": {"model": "real", "steps": 40, "seed": seed, **settings}, "inputs": inputs or {"a": {"n": 1}}}
    return {"modes": dict.fromkeys(modes, each)}


def test_results_of_one_system_differ_in_their_seed_alone():
    modes = ["full", "text"]
    told = system_of(made(), modes)
    assert told["seed"] == 42 and len(told["system"]) == 16
    assert system_of(made(43), modes) == {**told, "seed": 43}
    assert system_of(made(base=None), modes) == told  # what an earlier version did not have
    assert system_of(made(modes=("text", "pixel", "full")), ["text", "full"]) == told
    others = [
        {**made(), "t2i": "other"},
        made(steps=20),
        made(lora="x"),
        made(inputs={"a": {"n": 2}}),
        made(inputs={"a": {"n": 1}, "b": {"n": 1}}),
    ]
    systems = {system_of(each, modes)["system"] for each in others} | {system_of(made(), ["full"])["system"]}
    assert len(systems) == 6 and told["system"] not in systems


@pytest.mark.parametrize("seed", [None, True, "42", 4.5, [1], 10**18, -(10**18)])
def test_what_is_no_seed_tells_no_system(seed):
    assert system_of(made(seed), ["full", "text"]) == {}


def test_manifests_that_tell_no_system():
    two = made()
    two["modes"] = {"full": made(1)["modes"]["full"], "text": made(2)["modes"]["text"]}
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    for record in (two, {}, {"modes": 3}, {"modes": {"full": 1, "text": []}}, made(x=deep), {"modes": {"full": {}}}):
        assert system_of(record, ["full", "text"]) == {}
    assert system_of(made(modes=("full",)), ["full", "images"]) == {} == system_of(made(), [])
    assert system_of(two, ["text"])["seed"] == 2
