"""Files of safetensors: what is written comes back to the bit, and what others wrote is read or refused."""

import io
import json
import struct
import sys

import numpy as np
import pytest

from fastnn.files import safetensors

LITTLE = 1 << 20


def again(arrays):
    file = io.BytesIO()
    safetensors.write(file, arrays)
    file.seek(0)
    return safetensors.read(file, LITTLE)


@pytest.mark.parametrize("kind", "?bBhHiIqQefd")
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (1, 0, 2)])
def test_numbers_come_back(kind, shape):
    want = np.arange(np.prod(shape, dtype=int)).astype(kind).reshape(shape)
    got = again({"a": want})["a"]
    assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())


def test_whatever_lies_otherwise_in_memory():
    want = np.arange(12.0).reshape(3, 4)
    for array in (want.T, want[::2, ::-1], want.astype(">f8"), np.asfortranarray(want)):
        np.testing.assert_array_equal(again({"a": array})["a"], array)


@pytest.mark.parametrize("text", ["", "naïve", "日本", "a\0b", "\udc80", '"\\n{}', " a "])
def test_text_comes_back(text):
    for want in (np.array(text), np.array([text, "x" * 7]), np.array([["a"], [text]])):
        got = again({"a": want, "numbers": np.ones(2)})["a"]
        assert (got.dtype, got.shape, got.tolist()) == (want.dtype, want.shape, want.tolist())


def test_a_width_that_no_text_fills_stays():
    assert again({"a": np.array(["a"], "U20")})["a"].dtype == "<U20"


@pytest.mark.parametrize("array", [np.ones(2, complex), np.array([None]), np.array(["2026-01-02"], "datetime64[D]")])
def test_other_types_are_refused(array):
    with pytest.raises(ValueError, match=r"a is of .*, which \.safetensors cannot keep; \.npz is wanted"):
        safetensors.write(io.BytesIO(), {"a": array})


def file_with(metadata, names=("a",)):
    """As the format's page has it: the length of a header in JSON, the header, the numbers."""
    tensor = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": metadata} | dict.fromkeys(names, tensor)).encode()
    return io.BytesIO(struct.pack("<Q", len(header)) + header + struct.pack("<d", 2.5))


def test_a_file_made_by_hand():
    assert safetensors.read(file_with({}), LITTLE) == {"a": [2.5]}


def about(**changes):
    return json.dumps({"dtype": "<U3", "shape": [2], "text": ["abc", "d"]} | changes)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": about()}, "it holds a twice"),
        ({"b": about(dtype="<U3a")}, "its text is damaged"),
        ({"b": about(dtype="<U3000000")}, "it announces much more text than it holds"),
        ({"b": about(shape=[3])}, "it announces much more text than it holds"),
        ({"b": about(text=["abc", 1])}, "its text is damaged"),
    ],
)
def test_text_that_is_damaged(metadata, message):
    assert safetensors.read(file_with({"b": about()}), LITTLE)["b"].tolist() == ["abc", "d"]
    with pytest.raises(ValueError, match=message):
        safetensors.read(file_with(metadata), LITTLE)


@pytest.mark.parametrize("metadata", [{"format": "pt"}, {"b": "[]"}, {"b": "{}"}, {"b": "1"}, {"b": ""}])
def test_words_of_others_are_left_alone(metadata):
    """As torch's own, the first of these."""
    assert safetensors.read(file_with(metadata), LITTLE) == {"a": [2.5]}


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    message = r"^a \.safetensors file needs safetensors: python -m pip install safetensors$"
    with pytest.raises(ImportError, match=message):
        safetensors.read(io.BytesIO(), LITTLE)
    with pytest.raises(ImportError, match=message):
        safetensors.write(io.BytesIO(), {})
