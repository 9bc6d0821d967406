"""Files that users bring."""

import numpy as np
import pytest
from scipy.io import savemat

import fastnn
from fastnn import files

X = np.array([[1.0, 2.5], [3.0, -4.0], [0.0, 1e-3]])
Y = np.array([2, 1, 2])


def write(path, kind):
    if kind == "mat":
        savemat(path, {"X": X, "y": Y[:, None]})
    elif kind == "npz":
        np.savez(path, X=X, y=Y)
    else:
        header = "width,height,digit\n" if kind == "header.csv" else ""
        path.write_text(header + "1,2.5,2\n3,-4,1\n0,1e-3,2\n")


@pytest.mark.parametrize("kind", ["mat", "npz", "csv", "header.csv"])
def test_read_data(tmp_path, kind):
    path = tmp_path / f"file.{kind}"
    write(path, kind)
    got_X, got_y = fastnn.read_data(path)
    assert np.array_equal(got_X, X)
    assert got_y.tolist() == Y.tolist()
    assert got_y.dtype.kind in "iu"


def test_examples_may_lack_labels_where_the_inputs_are_known(tmp_path):
    np.savez(tmp_path / "a.npz", X=X)
    got = files.read_examples(tmp_path / "a.npz", 2)
    assert np.array_equal(got.X, X)
    assert got.y is None
    with pytest.raises(ValueError, match="X has 2 columns; the network has 3 inputs"):
        files.read_examples(tmp_path / "a.npz", 3)


@pytest.mark.parametrize("name", ["DATA.NPZ", "Data.Mat", "a.b.NPZ"])
def test_suffixes_in_capitals(tmp_path, name):
    arrays = {"X": X, "y": Y, "Theta1": np.ones((2, 3))}
    files.write_arrays(tmp_path / name, arrays)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert fastnn.read_data(tmp_path / name)[1].ravel().tolist() == Y.tolist()
    assert fastnn.read_weights(tmp_path / name)[0].shape == (2, 3)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint16", "int32", "uint64", ">i4"])
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_integers_come_as_int64(tmp_path, kind, suffix):
    """A digit 0 of uint8 would become 5 in (y - 1) % 10."""
    files.write_arrays(tmp_path / f"a{suffix}", {"X": X, "y": np.array([0, 1, 10]).astype(kind)})
    _, y = fastnn.read_data(tmp_path / f"a{suffix}")
    assert y.dtype == np.int64
    assert ((y - 1) % 10).tolist() == [9, 0, 9]


def test_integers_that_do_not_fit_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=np.array([0, 1, 2**63], np.uint64))
    with pytest.raises(ValueError, match=r"a\.npz', whose y holds 9223372036854775808; integers that fit 64 bits"):
        fastnn.read_data(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse_files_are_refused_by_that_word(tmp_path, kind):
    from scipy import sparse

    matrix = getattr(sparse, kind)(np.eye(3))
    savemat(tmp_path / "a.mat", {"X": matrix, "y": Y})
    sparse.save_npz(tmp_path / "a.npz", matrix)
    for name in ("a.mat", "a.npz"):
        with pytest.raises(ValueError, match=rf"{name}', whose .* is sparse; dense arrays are wanted"):
            fastnn.read_data(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"A": X}, "which holds arrays A; arrays X and y are wanted"),
        ({"X": X}, "holds no y"),
        ({"X": X, "y": Y[:2]}, "y has 2 labels; X has 3 examples"),
        ({"X": X[0], "y": Y}, "X has shape"),
    ],
)
def test_bad_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        fastnn.read_data(tmp_path / "file.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Theta2": X}, "which holds arrays Theta2; arrays Theta1, Theta2, ... are wanted"),
        ({"Theta1": X, "Theta2": X}, r"weights\[1\] has 2 columns; 4 are wanted"),
        ({"Theta1": X * np.nan}, r"weights\[0\] holds nan"),
        ({"Theta1": np.array(["a"])}, "dtype"),
    ],
)
def test_bad_weights(tmp_path, arrays, message):
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        fastnn.read_weights(tmp_path / "file.npz")


def test_read_weights_stops_at_the_first_gap(tmp_path):
    savemat(tmp_path / "file.mat", {"Theta1": np.ones((4, 3)), "Theta2": np.ones((2, 5)), "Theta4": np.ones((2, 5))})
    assert [matrix.shape for matrix in fastnn.read_weights(tmp_path / "file.mat")] == [(4, 3), (2, 5)]


def test_write_atomically_obeys_the_mask(tmp_path):
    files.write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    (tmp_path / "b").write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
