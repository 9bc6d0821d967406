"""One reader for each suffix: a new type is a module and a line."""

import json

import numpy as np
import pytest

import fastnn
from fastnn.files import Examples, registry
from fastnn.files.reader import Reader


def read_json(path, options):
    return Examples(*map(np.array, json.loads(path.read_text())))


def test_a_reader_in_the_registry_is_all_that_a_file_type_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(registry.READERS, ".json", Reader(read_json))
    (tmp_path / "a.json").write_text("[[[1, 2], [3, 4]], [7, 8]]")
    X, y = fastnn.read_data(tmp_path / "a.json")
    assert X.tolist() == [[1, 2], [3, 4]]
    assert y.tolist() == [7, 8]
    (tmp_path / "a.json").write_text("[[[1, 2], [3, NaN]], [7, 8]]")
    with pytest.raises(ValueError, match=r"a\.json': X holds nan at index \(1, 1\)"):
        fastnn.read_data(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"header is given, but '.*a\.json' is no table"):
        fastnn.read_data(tmp_path / "a.json", header=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.json",
            r"a\.json'; a file that ends in \.npz, \.mat, \.safetensors or, for data, \.npy, \.h5, .* is wanted",
        ),
        ("a.txt", r"a\.txt'; a file that ends in \.npz"),
        ("a", r"a'; a file that ends in \.npz"),
    ],
)
def test_a_suffix_without_a_reader_is_refused(name, message, tmp_path):
    for read in (fastnn.read_data, fastnn.load, fastnn.read_weights):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / name)
