"""models/_weights: authors' files in every form, the broken ones among them, and the accounting of names."""

import json
import os
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models._weights import empty, fill, find, read
from models.base import ModelError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 1234567890\n"


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(3, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.register_buffer("places", torch.arange(4.0), persistent=False)


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """The names and sizes of Network as authors may have them: `net.` before each."""
    generator = torch.Generator().manual_seed(seed)
    made = {"net.first.weight": (4, 3), "net.first.bias": (4,)}
    made |= {f"net.norm.{name}": (4,) for name in ("weight", "bias", "running_mean", "running_var")}
    found = {name: torch.randn(size, generator=generator) for name, size in made.items()}
    return found | {"net.norm.num_batches_tracked": torch.tensor(7)}


def shards(folder, suffix=".bin", index=True):
    """Two shards, the way transformers of 2023 named them."""
    items, names = list(tensors().items()), [f"pytorch_model-0000{number}-of-00002{suffix}" for number in (1, 2)]
    for name, part in zip(names, (items[:3], items[3:])):
        (torch.save if suffix == ".bin" else save_file)(dict(part), folder / name)
    if index:
        places = {key: names[place >= 3] for place, (key, _) in enumerate(items)}
        (folder / f"pytorch_model{suffix}.index.json").write_text(json.dumps({"weight_map": places}))
    return [folder / name for name in names]


def same(found, expected=None):
    found, expected = dict(found), tensors() if expected is None else expected
    return found.keys() == expected.keys() and all(found[name].equal(expected[name]) for name in found)


def refusal(files, **how) -> str:
    with pytest.raises(ModelError) as caught:
        for _ in read(files, **how):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_shards_are_found_and_read_in_order(tmp_path, suffix, index):
    paths = shards(tmp_path, suffix, index)
    assert find(tmp_path) == paths and same(read(paths))


def test_safetensors_go_before_a_pickle_of_the_same_folder(tmp_path):
    torch.save({}, tmp_path / "model.bin")
    save_file(tensors(), tmp_path / "model.safetensors")
    assert find(tmp_path) == [tmp_path / "model.safetensors"]


@pytest.mark.parametrize("index", [True, False])
def test_a_missing_shard_is_named(tmp_path, index):
    shards(tmp_path, index=index)[0].unlink()
    with pytest.raises(ModelError, match=r"lacks 1 \(pytorch_model-00001-of-00002.bin\) of its 2 weight files: fetch"):
        find(tmp_path)


def test_a_folder_without_weights_and_a_broken_index_are_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no weights"):
        find(tmp_path)
    for content, reason in (("{", "no index"), ('{"weight_map": {"a": "../b.bin"}}', "outside its folder")):
        (tmp_path / "model.safetensors.index.json").write_text(content)
        with pytest.raises(ModelError, match=reason):
            find(tmp_path)


@pytest.mark.parametrize("name", ["w.bin", "w.pth", "w.pt", "w.ckpt"])
@pytest.mark.parametrize("modern", [True, False])
def test_every_pickle_of_tensors_is_read(tmp_path, name, modern):
    torch.save(tensors(), tmp_path / name, _use_new_zipfile_serialization=modern)
    assert same(read(tmp_path / name))


def test_the_first_dictionary_asked_for_counts(tmp_path):
    torch.save({"params": tensors(1), "params_ema": tensors(2)}, tmp_path / "w.pth")
    assert same(read(tmp_path / "w.pth", inside=("params_ema", "params")), tensors(2))
    assert "holds more than tensors (2 (params, params_ema))" in refusal(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.bin", "w.safetensors"])
def test_a_git_lfs_pointer_is_told_from_weights(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    assert f"{name} is a Git-LFS pointer" in refusal(tmp_path / name) and "git lfs pull" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["w.bin", "w.safetensors"])
@pytest.mark.parametrize("left", [0, 0.01, 0.4, 0.9, 0.99])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, name, left):
    path = tmp_path / name
    (torch.save if name == "w.bin" else save_file)(tensors(), path)
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    assert "w.bin is truncated" in refusal(path).replace(".safetensors", ".bin")


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("convert", [True, False])
def test_code_in_a_pickle_never_runs(tmp_path, modern, convert):
    canary, path = tmp_path / "canary", tmp_path / "w.bin"
    torch.save({"net.first.bias": Canary(canary)}, path, _use_new_zipfile_serialization=modern)
    assert "would run code (posix.mkdir)" in refusal(path, convert=convert)
    path.write_bytes(pickle.dumps(Canary(canary), protocol=2))
    refusal(path, convert=convert)
    assert not canary.exists() and [each.name for each in tmp_path.iterdir()] == ["w.bin"]


def test_the_callback_of_a_lightning_checkpoint_is_allowed(tmp_path, monkeypatch):
    import sys
    import types

    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = types.ModuleType(name)
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": name})
    with monkeypatch.context() as there:
        for part in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
            there.setitem(sys.modules, part, module)
        whole = {"state_dict": tensors(), "epoch": 3, "callbacks": {module.ModelCheckpoint: {"best": 1.5}}}
        torch.save(whole, tmp_path / "w.ckpt")
    assert same(read(tmp_path / "w.ckpt", inside=("state_dict",)))
    with pytest.raises(pickle.UnpicklingError):  # and only while we read
        torch.load(tmp_path / "w.ckpt", weights_only=True)


def test_convert_keeps_safetensors_that_later_runs_read(tmp_path):
    paths = shards(tmp_path)
    assert same(read(paths, convert=True))
    kept = [path.with_name(path.name + ".safetensors") for path in paths]
    assert all(path.is_file() for path in kept) and not list(tmp_path.glob(".*"))
    assert [path.stat().st_mode for path in kept] == [path.stat().st_mode for path in paths]
    times = [path.stat().st_mtime_ns for path in kept]
    for path in paths:
        path.unlink()
    assert find(tmp_path) == paths and same(read(paths, convert=True))
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_nothing_is_kept_unasked(tmp_path):
    paths = shards(tmp_path)
    assert same(read(paths)) and not list(tmp_path.glob("*.safetensors"))


def test_what_was_kept_of_another_file_or_is_damaged_is_not_used(tmp_path):
    path = tmp_path / "w.bin"
    torch.save(tensors(1), path)
    assert same(read(path, convert=True), tensors(1))
    torch.save(tensors(2), path)  # of the same size
    assert same(read(path), tensors(2)) and same(read(path, convert=True), tensors(2))
    kept = tmp_path / "w.bin.safetensors"
    kept.write_bytes(kept.read_bytes()[:-8])
    assert same(read(path), tensors(2))


def test_tensors_that_share_memory_are_kept(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": whole, "b": whole[1], "c": whole.T}, tmp_path / "w.bin")
    found = dict(read(tmp_path / "w.bin", convert=True))
    assert found["a"].equal(whole) and found["b"].equal(whole[1]) and found["c"].equal(whole.T)


def test_keeping_that_fails_leaves_no_piece(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    torch.save(tensors(), tmp_path / "w.bin")
    monkeypatch.setattr("os.replace", full)
    assert "No space left on device" in refusal(tmp_path / "w.bin", convert=True)
    assert [path.name for path in tmp_path.iterdir()] == ["w.bin"]


def test_safetensors_are_the_users_own_and_never_written_over(tmp_path):
    save_file(tensors(), tmp_path / "w.safetensors")
    assert same(read(tmp_path / "w.safetensors", convert=True))
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata() is None


RENAMES = [(r"net\.", "")]


@pytest.mark.parametrize("start", [Network, lambda: empty(Network)], ids=["in memory", "empty"])
def test_a_module_is_filled(start):
    module = start()
    fill(module, tensors().items(), RENAMES)
    assert same({f"net.{name}": value for name, value in module.state_dict().items()})
    assert module.places.equal(torch.arange(4.0))


def test_an_empty_module_takes_no_memory_and_is_filled_in_the_type_asked_for():
    module = empty(Network)
    assert all(part.is_meta for part in module.parameters()) and not module.places.is_meta
    fill(module, tensors().items(), RENAMES, dtype=torch.float16)
    assert {part.dtype for part in module.parameters()} == {torch.float16}
    assert module.norm.num_batches_tracked == 7 and module.norm.num_batches_tracked.dtype == torch.int64


def test_what_is_filled_does_not_stay_in_the_file(tmp_path):
    """A file that is changed while a model runs must not change the model."""
    torch.save(tensors(), tmp_path / "w.bin")
    module = empty(Network)
    fill(module, read(tmp_path / "w.bin"), RENAMES)
    with (tmp_path / "w.bin").open("r+b") as file:
        file.write(bytes((tmp_path / "w.bin").stat().st_size))
    assert module.first.weight.equal(tensors()["net.first.weight"])


def test_a_tensor_may_become_several():
    def split(name, tensor):
        if name == "both":
            return [("first.weight", tensor[:, :3]), ("first.bias", tensor[:, 3])]
        return [] if name == "mean" else [(name, tensor)]

    whole = {f"net.norm.{name}": tensors()[f"net.norm.{name}"] for name in torch.nn.BatchNorm1d(4).state_dict()}
    module = Network()
    fill(module, (whole | {"both": torch.ones(4, 4), "mean": torch.zeros(3)}).items(), RENAMES, split)
    assert module.first.weight.eq(1).all() and module.first.bias.eq(1).all()


def test_missing_and_left_over_names_are_listed_and_counted():
    given = tensors()
    del given["net.norm.weight"]
    given |= {f"other.{number}": torch.zeros(1) for number in range(7)} | {"net.head": torch.zeros(2)}
    with pytest.raises(ModelError) as caught:
        fill(Network(), given.items(), RENAMES, drop=[r"net\.head"], source="FOLDER")
    expected = (
        "FOLDER lacks 1 (norm.weight) and has, beyond this model's, 7 (other.0, other.1, other.2, other.3, other.4,"
    )
    assert str(caught.value).startswith(expected + " ...): ")


def test_dropped_and_computed_names_are_not_missed():
    given = tensors() | {"net.first.inv_freq": torch.ones(2)}
    del given["net.norm.bias"]
    fill(Network(), given.items(), RENAMES, drop=[r".*\.inv_freq"], computed=[r"norm\.bias"])


def test_a_name_that_comes_twice_is_left_over():
    given = [*tensors().items(), ("net.first.bias", torch.zeros(4))]
    with pytest.raises(ModelError, match=r"beyond this model's, 1 \(net.first.bias\)"):
        fill(Network(), given, RENAMES)


def test_weights_of_another_size_are_refused():
    given = tensors() | {"net.first.weight": torch.zeros(4, 5)}
    with pytest.raises(ModelError, match=r"net.first.weight is of size \[4, 5\], its configuration says \[4, 3\]"):
        fill(Network(), given.items(), RENAMES)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float8_e5m2])
def test_numbers_that_are_none_are_refused(value, kind):
    made = tensors()
    made["net.first.bias"] = torch.tensor([1.0, 2.0, value, 3.0]).to(kind)
    with pytest.raises(ModelError, match=r"net.first.bias has numbers that are none \(NaN or infinite\): fetch it"):
        fill(Network(), made.items(), [(r"net\.", "")])
    made["net.first.bias"] = torch.ones(4).to(kind)
    fill(Network(), made.items(), [(r"net\.", "")])


def test_quantised_weights_are_refused():
    made = tensors()
    made["net.first.weight"] = torch.ones(4, 3, dtype=torch.int8)
    with pytest.raises(ModelError, match="net.first.weight is of type int8: quantised weights are not run here"):
        fill(Network(), made.items(), [(r"net\.", "")])
