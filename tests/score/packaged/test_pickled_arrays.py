"""Pickled dictionaries of arrays are read without running them; everything else in a pickle is refused."""

from __future__ import annotations

import collections
import os
import pickle

import numpy as np
import pytest
from mutations import mutations, share

from cmcbench.score.metrics.pickled_arrays import NotArrays, read

ARRAYS = {
    "net": {
        "Conv_0": {"kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "bias": np.float32([1.5, -2.0])},
        "Conv_1": {"kernel": np.full((1, 1, 300, 1), np.pi, np.float32)},
    },
    "head": {"kernel": np.float32([[7.0]])},
}


def flat(found: dict, before: str = "") -> dict[str, np.ndarray]:
    opened = {}
    for key, value in found.items():
        opened.update(flat(value, f"{before}/{key}") if isinstance(value, dict) else {f"{before}/{key}": value})
    return opened


def test_arrays_are_those_that_were_pickled():
    found, expected = flat(read(pickle.dumps(ARRAYS, protocol=3))), flat(ARRAYS)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == np.float32 and np.array_equal(found[name], array), name


def test_numpys_names_of_before_its_version_2_are_known():
    data = pickle.dumps(ARRAYS, protocol=3)
    old = data.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    new = old.replace(b"cnumpy.core.multiarray", b"cnumpy._core.multiarray")
    assert list(flat(read(old))) == list(flat(read(new))) == list(flat(ARRAYS)) and old != new


class Runs:
    """What a pickle can do: this one makes a file where it is unpickled."""

    def __init__(self, called, *arguments) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self):
        return self.called, self.arguments


def test_nothing_that_a_pickle_names_is_run(tmp_path):
    mark = tmp_path / "mark"
    hostile = [(os.system, f"touch {mark}"), (exec, f"open({str(mark)!r}, 'w').close()"), (os.mkdir, str(mark))]
    for called, argument in hostile:
        data = pickle.dumps({"a": Runs(called, argument)}, protocol=3)
        with pytest.raises(NotArrays, match="names '.*and may name numpy's arrays only"):
            read(data)
        assert not mark.exists()
    pickle.loads(data)  # it is no empty threat: unpickled, the last one makes a folder
    assert mark.exists()


OTHERS = {
    "doubles": {"a": np.zeros(2)},
    "integers": {"a": np.zeros(2, np.int32)},
    "big endian": {"a": np.zeros(2, ">f4")},
    "columns first": {"a": np.asfortranarray(np.zeros((2, 3), np.float32))},
    "objects": {"a": np.array([{}, []], dtype=object)},
    "a number": {"a": 1},
    "a text": {"a": "b"},
    "a list": {"a": [1]},
    "a key that is no text": {1: np.float32([1])},
    "no dictionary": np.float32([1]),
    "an ordered one": collections.OrderedDict(a=np.float32([1])),
    "a number type": {"a": np.float32(1)},
    "an empty array": {"a": np.zeros((0, 2), np.float32)},
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("protocol", [0, 3, 5])
def test_what_is_no_dictionary_of_float32_arrays_is_refused(what, protocol):
    with pytest.raises(NotArrays):
        read(pickle.dumps(OTHERS[what], protocol=protocol))


def test_a_dictionary_within_itself_and_one_that_multiplies_are_refused():
    inside: dict = {}
    inside["a"] = inside
    with pytest.raises(NotArrays, match="too deeply"):
        read(pickle.dumps(inside, protocol=3))
    many: dict = {"a": np.float32([1])}
    for _ in range(6):
        many = {str(number): many for number in range(100)}
    with pytest.raises(NotArrays, match="too many entries"):
        read(pickle.dumps(many, protocol=3))


def test_a_shape_that_its_bytes_do_not_fill_is_refused():
    data = pickle.dumps({"a": np.zeros((3, 5), np.float32)}, protocol=3)
    assert data.count(b"K\x03K\x05") == 1
    for shape in (b"K\x03K\x06", b"K\xffK\xff", b"K\x00K\x05"):
        with pytest.raises(NotArrays, match="bytes are not as many"):
            read(data.replace(b"K\x03K\x05", shape))


def test_a_file_that_is_cut_off_is_refused():
    data = pickle.dumps(ARRAYS, protocol=3)
    for end in range(len(data)):
        with pytest.raises(NotArrays):
            read(data[:end])


def test_mutated_files_give_arrays_or_are_refused():
    data = pickle.dumps(ARRAYS, protocol=3)
    refused = 0
    for changed in mutations(data, share(300)):
        try:
            assert all(each.dtype == np.float32 for each in flat(read(changed)).values())
        except NotArrays as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 100
