"""MATLAB's files, of both kinds, as MATLAB writes them."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.io import savemat

import fastnn
from fastnn import files

X = np.array([[1.0, 2.5], [3.0, -4.0], [0.0, 1e-3]])


def cells(*texts):
    array = np.empty((len(texts), 1), dtype=object)
    array[:, 0] = texts
    return array


def write_recent(path, variables):
    """As MATLAB's version 7.3: HDF5 behind 512 bytes that say so, axes reversed, classes as attributes."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(place, name, value):
            if isinstance(value, str):
                codes = np.frombuffer(value.encode("utf-16-le"), np.uint16)
                value = codes[:, None] if len(codes) else np.zeros(2, np.uint64)
                kind = "char"
            elif value.dtype.kind == "U":
                value, kind = np.array([[ord(c) for c in line] for line in value], np.uint16).T, "char"
            elif value.dtype == object:
                for i, text in enumerate(value.flat):
                    put(file.require_group("#refs#"), f"{name}{i}", text)
                references = [file[f"#refs#/{name}{i}"].ref for i in range(value.size)]
                value, kind = np.array(references, dtype=h5py.ref_dtype).reshape(value.shape[::-1]), "cell"
            else:
                kind = {"b": "logical", "f": "double"}.get(value.dtype.kind, value.dtype.name)
                value = value.astype(np.uint8 if kind == "logical" else value.dtype).T
            data = place.create_dataset(name, data=value)
            data.attrs["MATLAB_class"] = np.bytes_(kind)
            if value.dtype == np.uint64 and kind == "char":
                data.attrs["MATLAB_empty"] = np.uint8(1)

        for name, value in variables.items():
            put(file, name, value)
    content = bytearray(path.read_bytes())
    content[:19] = b"MATLAB 7.3 MAT-file"
    content[124:128] = b"\0\x02IM"
    path.write_bytes(content)


def write_old(path, variables):
    savemat(path, variables)


@pytest.mark.parametrize("write", [write_recent, write_old])
@pytest.mark.parametrize(
    ("y", "want", "kind"),
    [
        (np.array([[0.0], [1.0], [10.0]]), [0.0, 1.0, 10.0], "float64"),
        (np.array([[0], [9], [10]], np.uint8), [0, 9, 10], "int64"),
        (np.array([[-1, 1, 2]], np.int16), [-1, 1, 2], "int64"),
        (np.array([[True], [False], [True]]), [True, False, True], "bool"),
        (np.array([[True, False, True]]), [True, False, True], "bool"),
        (cells("cat", "dog ", "cat"), ["cat", "dog ", "cat"], None),
        (cells("naïve", "", "日本"), ["naïve", "", "日本"], None),
        (np.array(["ant", "bee", "ant"]), ["ant", "bee", "ant"], None),
    ],
)
def test_labels_keep_their_kind(tmp_path, write, y, want, kind):
    write(tmp_path / "a.mat", {"X": X, "y": y})
    got_X, got = fastnn.read_data(tmp_path / "a.mat")
    assert np.array_equal(got_X, X)
    assert got.tolist() == want
    assert got.dtype == kind if kind else got.dtype.kind == "U"


@pytest.mark.parametrize("write", [write_recent, write_old])
def test_weights_and_logical_inputs(tmp_path, write):
    Theta1 = np.arange(6.0).reshape(2, 3)
    write(tmp_path / "a.mat", {"Theta1": Theta1, "X": X > 0, "y": np.array([[0], [1], [1]], np.int8)})
    assert np.array_equal(fastnn.read_weights(tmp_path / "a.mat")[0], Theta1)
    assert np.array_equal(fastnn.read_data(tmp_path / "a.mat")[0], X > 0)


def test_cells_of_anything_else_and_structures_are_left_out(tmp_path):
    savemat(tmp_path / "a.mat", {"X": X, "y": cells("cat", np.eye(2), "dog"), "s": {"a": 1}})
    with pytest.raises(ValueError, match=r"a\.mat', which holds no y"):
        fastnn.read_data(tmp_path / "a.mat")


def test_sparse_of_version_73_is_refused_by_that_word(tmp_path):
    h5py = pytest.importorskip("h5py")
    write_recent(tmp_path / "a.mat", {"y": np.ones((3, 1))})
    with h5py.File(tmp_path / "a.mat", "r+") as file:
        matrix = file.create_group("X")
        matrix.attrs["MATLAB_class"], matrix.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(3)
        for name, value in {"data": [1.0, 2.0], "ir": [0, 2], "jc": [0, 1, 2]}.items():
            matrix[name] = value
    with pytest.raises(ValueError, match="whose X is sparse"):
        fastnn.read_data(tmp_path / "a.mat")


def test_version_73_without_h5py_is_one_sentence(tmp_path):
    write_recent(tmp_path / "a.mat", {"X": X, "y": np.ones((3, 1))})
    code = "import sys, fastnn; sys.modules['h5py'] = None; fastnn.read_data(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "a.mat")], capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().split("\n")[-1]
    assert "a.mat', which cannot be read as .mat: its version 7.3 needs h5py: python -m pip install h5py" in last
    assert last.endswith(", or save it with -v7")


@pytest.mark.parametrize("size", [0, 5, 600, 2000])
def test_damaged_files_of_version_73_are_one_sentence(tmp_path, size):
    write_recent(tmp_path / "a.mat", {"X": X, "y": np.ones((3, 1))})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content[:size])
    with pytest.raises(ValueError, match=r"a\.mat', which cannot be read as \.mat") as caught:
        files.read_examples(tmp_path / "a.mat", files.Options())
    assert "\n" not in str(caught.value)
