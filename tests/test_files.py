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


@pytest.mark.parametrize(
    ("labels", "kind"), [(["ant", "bee", "ant"], "U"), (["0.5", "1.5", "0.5"], "f"), (["10", "2", "10"], "i")]
)
def test_csv_labels(tmp_path, labels, kind):
    path = tmp_path / "file.csv"
    path.write_text("".join(f"{a},{b},{label}\n" for (a, b), label in zip(X, labels, strict=True)))
    _, y = fastnn.read_data(path)
    assert y.dtype.kind == kind
    assert [float(label) if kind != "U" else label for label in y] == [
        float(label) if kind != "U" else label for label in labels
    ]


def test_read_examples_without_labels(tmp_path):
    (tmp_path / "a.csv").write_text("1,2.5\n3,-4\n0,1e-3\n")
    np.savez(tmp_path / "a.npz", X=X)
    for name in ("a.csv", "a.npz"):
        got, y = files.read_examples(tmp_path / name, 2)
        assert np.array_equal(got, X)
        assert y is None
    (tmp_path / "b.csv").write_text("1,2.5,7\n")
    assert files.read_examples(tmp_path / "b.csv", 2)[1].tolist() == [7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("width,height,digit\n", "holds no rows"),
        ("1\n2\n", "holds no rows"),
        ("1,2,3\n4,5\n", "row 2 is not 2 numbers"),
        ("a,b,c\n1,2,3\n4,x,5\n", "row 3 is not 2 numbers"),
        ("1,2,3\n4,nan,5\n", r"X holds nan at index \(1, 1\)"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    (tmp_path / "file.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        fastnn.read_data(tmp_path / "file.csv")


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
