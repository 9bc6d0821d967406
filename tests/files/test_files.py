"""Files that users bring."""

import errno
import gc
import gzip
import os
import sys
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

import fastnn
from fastnn import files
from fastnn.files import npz

X = np.array([[1.0, 2.5], [3.0, -4.0], [0.0, 1e-3]])
Y = np.array([2, 1, 2])


def read_examples(path, **options):
    return files.read_examples(path, files.Options(**options))


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
    got = read_examples(tmp_path / "a.npz", n=2)
    assert np.array_equal(got.X, X)
    assert got.y is None
    with pytest.raises(ValueError, match="X has 2 columns; the network has 3 inputs"):
        read_examples(tmp_path / "a.npz", n=3)


@pytest.mark.parametrize("name", ["DATA.NPZ", "Data.Mat", "a.b.NPZ"])
def test_suffixes_in_capitals(tmp_path, name):
    arrays = {"X": X, "y": Y, "Theta1": np.ones((2, 3))}
    files.write_arrays(tmp_path / name, arrays)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert fastnn.read_data(tmp_path / name)[1].ravel().tolist() == Y.tolist()
    assert fastnn.read_weights(tmp_path / name)[0].shape == (2, 3)


@pytest.mark.parametrize("kind", ["int8", "uint8", "uint16", "int32", "uint64", ">i4"])
@pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])
def test_integers_come_as_int64(tmp_path, kind, suffix):
    """A digit 0 of uint8 would become 5 in (y - 1) % 10."""
    files.write_arrays(tmp_path / f"a{suffix}", {"X": X, "y": np.array([0, 1, 10]).astype(kind)})
    _, y = fastnn.read_data(tmp_path / f"a{suffix}")
    assert y.dtype == np.int64
    assert ((y - 1) % 10).tolist() == [9, 0, 9]


def write_exercise(path):
    """A file of the course's fifth exercise: three sets under names of their own, as many examples in each."""
    arrays = {"X": X, "y": Y, "Xval": X + 1.0, "yval": Y + 1, "Xtest": X + 2.0, "ytest": Y + 2}
    write_hdf5(path, **arrays) if path.suffix == ".h5" else files.write_arrays(path, arrays)
    return path


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5", ".safetensors"])
def test_read_data_reads_arrays_by_name(tmp_path, monkeypatch, suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = write_exercise(tmp_path / f"ex5data1{suffix}")
    for mapped in (npz.MAPPED, 0):
        monkeypatch.setattr(npz, "MAPPED", mapped)
        got, y = fastnn.read_data(path, inputs="Xval", label="yval")
        assert np.array_equal(got[:], X + 1.0)
        assert y.tolist() == (Y + 1).tolist()
        assert fastnn.read_data(path, label="ytest")[1].tolist() == (Y + 2).tolist()
        assert read_examples(path, n=2, inputs="Xtest").y is None  # y is of X, though it is as long
        assert read_examples(path, numbers=True, label="ytest").y.tolist() == (Y[:, None] + 2).tolist()
    np.save(tmp_path / "y.npy", Y + 3)
    got, y = fastnn.read_data(path, inputs="Xtest", labels=tmp_path / "y.npy")
    assert np.array_equal(got[:], X + 2.0)
    assert y.tolist() == (Y + 3).tolist()
    for message, options in [
        (r"inputs must name an array in '.*ex5.*', got 'Xv'\. It holds arrays X, Xtest, Xval, .*y", {"inputs": "Xv"}),
        (r"label must name an array in '.*', got 'target'\. It holds arrays X, Xtest", {"label": "target"}),
        (r"holds no y for Xval; it holds arrays .*Xval.*\. Set label to the name of its labels", {"inputs": "Xval"}),
        (r"label must be the name of an array in '.*', got 0$", {"label": 0}),
        ("label must be left out beside labels, got 'yval'$", {"label": "yval", "labels": tmp_path / "y.npy"}),
    ]:
        assert_refused(message, path, **options)


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_an_array_y_is_of_other_inputs_where_there_is_no_X(tmp_path, suffix):
    arrays = {"Xtrain": X, "y": Y}
    path = tmp_path / f"a{suffix}"
    write_hdf5(path, **arrays) if suffix == ".h5" else files.write_arrays(path, arrays)
    assert fastnn.read_data(path, inputs="Xtrain")[1].tolist() == Y.tolist()
    assert_refused("which holds arrays Xtrain, .*y; arrays X and y are wanted. Name others by inputs and label", path)


def test_inputs_name_no_columns(tmp_path):
    write(tmp_path / "a.csv", "csv")
    np.save(tmp_path / "a.npy", X)
    for name in ("a.csv", "a.npy"):
        assert_refused("inputs must be left out, got 'X': .* has no arrays with names", tmp_path / name, inputs="X")
    with pytest.raises(TypeError, match="inputs must be the name of an array, got 3"):
        fastnn.read_data(tmp_path / "a.csv", inputs=3)


def test_integers_that_do_not_fit_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=np.array([0, 1, 2**63], np.uint64))
    with pytest.raises(ValueError, match=r"a\.npz': y holds 9223372036854775808; integers that fit 64 bits"):
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
        ({"A": X}, "which holds arrays A; arrays X and y are wanted. Name others by inputs and label"),
        (
            {"X": X, "t": Y},
            "holds no y; it holds arrays X, t. Set label to the name of its labels, or labels to a file of labels",
        ),
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


@pytest.mark.parametrize("lacking", ["open", "fsync", "chmod"])
def test_write_atomically_where_system_lacks_a_folder_operation_succeeds(lacking, tmp_path, monkeypatch):
    """Windows opens no folder, and some network file systems sync none and change no mode; files they do sync."""
    operation, refused = getattr(os, lacking), []

    def refuse(target, *rest):
        if lacking == "chmod" or os.path.isdir(target):
            refused.append(target)
            raise PermissionError(errno.EACCES, "Permission denied", target)
        return operation(target, *rest)

    monkeypatch.setattr(os, lacking, refuse)
    files.write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    assert len(refused) == 1
    assert (tmp_path / "a").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX syncs folders")
def test_write_atomically_syncs_the_folder_after_the_name(tmp_path, monkeypatch):
    replace, sync, events = os.replace, os.fsync, []
    monkeypatch.setattr(os, "replace", lambda *names: (replace(*names), events.append("name")))
    monkeypatch.setattr(os, "fsync", lambda fd: (sync(fd), events.append("folder" if os.path.isdir(fd) else "file")))
    files.write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    assert events == ["file", "name", "folder"]


@pytest.fixture
def mapped_always(monkeypatch):
    """However small X in an .npz is."""
    monkeypatch.setattr(npz, "MAPPED", 0)


def write_labels(path, y=Y):
    """Labels in a file of any kind."""
    if path.suffix == ".npy":
        np.save(path, y)
    elif path.suffix in (".npz", ".mat"):
        files.write_arrays(path, {"y": y})
    else:
        path.write_text("".join(f"{label}\n" for label in y.tolist()))


def write_hdf5(path, **datasets):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def assert_refused(message, *arguments, **keywords):
    """With one sentence."""
    with pytest.raises(ValueError, match=message) as caught:
        fastnn.read_data(*arguments, **keywords)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "uint8", ">i2", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_mapped(tmp_path, kind, order):
    want = np.asarray(X.clip(0), kind, order=order)
    np.save(tmp_path / "X.npy", want)
    write_labels(tmp_path / "y.npy")
    got, y = fastnn.read_data(tmp_path / "X.npy", labels=tmp_path / "y.npy")
    assert type(got) is np.memmap
    assert not got.flags.writeable
    assert got.dtype == want.dtype
    assert np.array_equal(got, want)
    assert type(y) is np.ndarray
    assert y.dtype == np.int64
    assert y.tolist() == Y.tolist()


def test_npy_that_is_something_else_is_refused(tmp_path):
    path = tmp_path / "X.npy"
    for value, message in [
        (X[0], r"X\.npy', which holds an array \(2,\) of float64; numbers \(m, n\), m and n at least 1, are wanted"),
        (X[:0], r"which holds an array \(0, 2\) of float64"),
        (X.astype(complex), r"which holds an array \(3, 2\) of complex128"),
        (X.astype(str), r"which holds an array \(3, 2\) of <U"),
        (np.array([["a", 1]], dtype=object), r"X\.npy', which holds an array \(1, 2\) of object"),
    ]:
        np.save(path, value)
        assert_refused(message, path, labels="y.npy")
    np.savez(tmp_path / "a.npz", X=X)
    np.save(tmp_path / "a.npy", X)
    whole = (tmp_path / "a.npy").read_bytes()
    for content, message in [
        (b"", r"X\.npy', which cannot be read as \.npy: "),
        (b"1,2\n", r"which cannot be read as \.npy: "),
        ((tmp_path / "a.npz").read_bytes(), r"which cannot be read as \.npy: "),
        (whole[:-1], r"which cannot be read as \.npy: it announces shape \(3, 2\) of float64, more than it holds"),
        (whole.replace(b"(3, 2)", b"(-3, -2)").replace(b"  \n", b"\n"), r"its header is damaged"),
        (whole + b"\0", r"it announces shape \(3, 2\) of float64, less than it holds"),
    ]:
        path.write_bytes(content)
        assert_refused(message, path, labels="y.npy")
    with pytest.raises(FileNotFoundError):
        fastnn.read_data(tmp_path / "none.npy", labels="y.npy")


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_X_in_an_npz_is_mapped(tmp_path, monkeypatch, order):
    """Where it begins no member before it matters, nor that the zip stands behind other bytes."""
    want = np.random.default_rng(0).standard_normal((300, 7)).copy(order)
    y = np.arange(300) % 3
    monkeypatch.setattr(npz, "MAPPED", want.nbytes)
    np.savez(tmp_path / "a.npz", other=np.arange(5, dtype=np.int8), X=want, y=y)
    np.savez(tmp_path / "small.npz", X=want[1:], y=y[1:])
    np.savez_compressed(tmp_path / "packed.npz", X=want, y=y)
    (tmp_path / "behind.npz").write_bytes(b"#!/bin/sh\n" + (tmp_path / "a.npz").read_bytes())
    large = np.memmap if order == "C" else np.ndarray  # columns would have to be turned again and again
    for name, kind in [("a", large), ("behind", large), ("small", np.ndarray), ("packed", np.ndarray)]:
        got, labels = fastnn.read_data(tmp_path / f"{name}.npz")
        assert type(got) is kind, name
        assert np.array_equal(got, want[-len(got) :])
        assert labels.tolist() == y[-len(got) :].tolist()
    got, _ = fastnn.read_data(tmp_path / "a.npz")
    assert got.flags.writeable == (order == "F")
    options = {"hidden": 3, "maxiter": 3}
    trained = [fastnn.train(some, y, **options).weights[0] for some in (got, want)]
    assert np.array_equal(*trained)


def test_weights_and_models_are_never_mapped(tmp_path, mapped_always):
    model = fastnn.train(X, Y, 2, maxiter=2)
    model.save(tmp_path / "m.npz")
    assert type(fastnn.read_weights(tmp_path / "m.npz")[0]) is np.ndarray


def test_npz_that_holds_less_than_it_says_is_refused(tmp_path, mapped_always):
    np.save(tmp_path / "X.npy", X)
    for name, shape in [("a", b"(9, 2)"), ("b", b"(4, 2)")]:
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w") as archive:
            archive.writestr("X.npy", (tmp_path / "X.npy").read_bytes().replace(b"(3, 2)", shape))
        message = rf"{name}\.npz', which cannot be read as \.npz: X\.npy: it announces shape \(., 2\) of float64, more"
        assert_refused(message, tmp_path / f"{name}.npz")
    np.savez(tmp_path / "c.npz", X=X, y=Y)
    content = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(content[: len(content) // 2])
    assert_refused(r"c\.npz', which cannot be read as \.npz: ", tmp_path / "c.npz")


def test_what_cannot_be_mapped_is_read_and_refused(tmp_path, mapped_always):
    np.savez(tmp_path / "a.npz", X=X.astype(str), y=Y)
    with pytest.raises(TypeError, match="X has dtype <U"):
        fastnn.read_data(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", X=X[0], y=Y)
    assert_refused(r"X has shape \(2,\)", tmp_path / "b.npz")


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".H5"])
def test_hdf5_is_handed_on_as_a_dataset(tmp_path, suffix):
    """Which is open as long as it is in use."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / f"a{suffix}"
    write_hdf5(
        path, X=X.astype(np.float32), y=Y, **{"other/text": ["a", "b", "a"], "bytes": np.array([b"u", b"v", b"u"])}
    )
    got, y = fastnn.read_data(path)
    gc.collect()
    assert isinstance(got, h5py.Dataset)
    assert got.dtype == np.float32
    assert np.array_equal(got[1:3], X[1:3].astype(np.float32))
    assert y.dtype == np.int64
    assert y.tolist() == Y.tolist()
    assert fastnn.read_data(path, labels="other/text")[1].tolist() == ["a", "b", "a"]
    assert fastnn.read_data(path, labels="bytes")[1].tolist() == ["u", "v", "u"]
    got = read_examples(path, n=2, numbers=True)
    assert got.y.tolist() == Y[:, np.newaxis].tolist()


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({"data": X, "y": Y}, r"a\.h5', which holds arrays data, y; arrays X and y are wanted\. Name others by"),
        ({"group/inputs": X}, "which holds arrays group/inputs; arrays X and y"),
        ({}, "which holds no arrays; arrays X and y"),
        ({"X": X[0], "y": Y}, r"whose X is \(2,\) of float64; numbers \(m, n\), one example a row, are wanted"),
        ({"X": 3.0, "y": Y}, r"whose X is \(\) of float64"),
        ({"X": X.astype("S9"), "y": Y}, r"whose X is \(3, 2\) of \|S9"),
        ({"X": X[:0], "y": Y[:0]}, r"X has shape \(0, 2\)"),
        ({"X": X}, r"a\.h5', which holds no y; it holds arrays X. Set label to the name of its labels"),
        ({"X": X, "y": Y[:2]}, r"whose y is \(2,\) of int64; a label for each of the 3 examples of X is wanted"),
        ({"X": X, "y": X}, r"whose y is \(3, 2\) of float64; a label for each"),
    ],
)
def test_hdf5_without_X_and_y_is_refused(tmp_path, datasets, message):
    write_hdf5(tmp_path / "a.h5", **datasets)
    assert_refused(message, tmp_path / "a.h5")


def test_hdf5_that_is_none(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    (tmp_path / "a.h5").write_text("1,2\n")
    assert_refused(r"a\.h5', which cannot be read as \.h5: ", tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError):
        fastnn.read_data(tmp_path / "none.h5")
    write_hdf5(tmp_path / "a.h5", X=X, y=Y)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert_refused(r"a\.h5' needs h5py: python -m pip install h5py$", tmp_path / "a.h5")


@pytest.mark.parametrize("kind", ["X.npy", "a.npz", "a.mat", "a.h5", "a.csv"])
@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.mat", "y.csv", "y.tsv", "y.txt"])
def test_labels_of_their_own(tmp_path, kind, name):
    """They count, whatever stands beside X."""
    path, others = tmp_path / kind, np.array([7, 8, 7])
    if kind == "a.h5":
        write_hdf5(path, X=X, y=Y)
    elif kind == "X.npy":
        np.save(path, X)
    elif kind == "a.csv":
        path.write_text("width,height\n1,2.5\n3,-4\n0,1e-3\n")
    else:
        write(path, kind[2:])
    write_labels(tmp_path / name, others)
    got, y = fastnn.read_data(path, labels=str(tmp_path / name))
    assert np.array_equal(got[:], X)
    assert y.dtype == np.int64
    assert y.tolist() == others.tolist()
    got = read_examples(path, n=2, labels=tmp_path / name, numbers=True)
    assert got.y.tolist() == [[7.0], [8.0], [7.0]]


def test_a_table_beside_labels_has_inputs_only(tmp_path):
    """Unless it is said which column is none."""
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,2.5,2\n3,-4,1\n0,1e-3,2\n")
    write_labels(tmp_path / "y.txt", np.array(["u", "v", "u"]))
    own = {"labels": tmp_path / "y.txt"}
    assert fastnn.read_data(path, **own)[0].tolist() == np.column_stack([X, Y]).tolist()
    assert read_examples(path, n=3, **own).names == ("a", "b", "c")
    assert read_examples(path, n=2, **own).names == ("a", "b")
    got = read_examples(path, label="c", **own)
    assert (got.names, got.y.tolist()) == (("a", "b"), ["u", "v", "u"])
    (tmp_path / "bad.csv").write_text("1,2\n3\n")
    assert_refused(r"bad\.csv', whose row 2 has 1 fields", tmp_path / "bad.csv", **own)


@pytest.mark.parametrize("inputs", [1, 2])
def test_an_index_beside_labels_is_left_out(tmp_path, inputs):
    numbers = np.array([[0.5, 7.0], [2.5, 1.0], [0.25, 3.0]])[:, :inputs]
    rows = [",".join(map(str, [i, *row])) for i, row in enumerate(numbers.tolist())]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["", "a", "b"][: 1 + inputs]), *rows]))
    write_labels(tmp_path / "y.txt", np.array(["u", "v", "u"]))
    with pytest.warns(UserWarning, match=r"column 1 \(''\) is an unnamed row index; it is left out"):
        got, _ = fastnn.read_data(tmp_path / "a.csv", labels=tmp_path / "y.txt")
    assert got.tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("name", "text", "options", "want"),
    [
        ("y.csv", "digit\n2\n1\n2\n", {}, [2, 1, 2]),
        ("y.csv", "2\n1\n2\n", {"header": False}, [2, 1, 2]),
        ("y.csv", "9\n2\n1\n2\n", {"header": True}, [2, 1, 2]),
        ("y.csv", "kind\na\nb\na\n", {"header": True}, ["a", "b", "a"]),
        ("y.csv", "a\nb\na\n", {}, ["a", "b", "a"]),
        ("y.csv", '"a, b"\r\nb\r\n"a, b"\r\n', {}, ["a, b", "b", "a, b"]),
        ("y.txt", "a, b\nb\na, b\n", {}, ["a, b", "b", "a, b"]),
        ("y.csv", "02\n1\n02\n", {}, ["02", "1", "02"]),
        ("y.csv", "0.5\n1.5\n0.5", {}, [0.5, 1.5, 0.5]),
        ("y.tsv", "0,5\n1,5\n0,5\n", {}, [0.5, 1.5, 0.5]),
        ("y.csv", "\n2\n\n1\n2\n\n", {}, [2, 1, 2]),
        ("y.csv", ",0\n0,2\n1,1\n2,2\n", {}, [2, 1, 2]),
        ("y.csv", ",digit\n7,2\n8,1\n9,2\n", {"header": True}, [2, 1, 2]),
        ("y.tsv", '""\t"x"\n"1"\t"a"\n"2"\t"b"\n"3"\t"a"\n', {}, ["a", "b", "a"]),
        ("y.csv", "0\n2\n1\n2\n", {}, [2, 1, 2]),
        ("y.csv", "0\na\nb\na\n", {}, ["a", "b", "a"]),
        ("y.txt", "naïve\nb\nb\n".encode("cp1252"), {"encoding": "cp1252"}, ["naïve", "b", "b"]),
    ],
)
def test_a_column_of_labels(tmp_path, name, text, options, want):
    np.save(tmp_path / "X.npy", X)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    for path in (tmp_path / name, packed):
        got = read_examples(tmp_path / "X.npy", labels=path, **options)
        assert got.y.tolist() == want
        assert {type(label) for label in got.y.tolist()} == {type(want[0])}


def test_a_first_label_that_may_be_a_header_is_told(tmp_path):
    np.save(tmp_path / "X.npy", np.vstack([X, X[:1]]))
    write_labels(tmp_path / "y.csv", np.array(["kind", "a", "b", "a"]))
    with pytest.warns(UserWarning, match=r"y\.csv: row 1 is 'kind', as no other row; it is taken for a label"):
        fastnn.read_data(tmp_path / "X.npy", labels=tmp_path / "y.csv")


@pytest.mark.parametrize("index", [True, False])
def test_labels_as_pandas_writes_them(tmp_path, index):
    pandas = pytest.importorskip("pandas")
    np.save(tmp_path / "X.npy", X)
    pandas.Series(Y).to_csv(tmp_path / "y.csv", index=index)
    word = "column 1 counts the rows" if index else "row 1 is '0', above 3 others; it is taken for a header"
    with pytest.warns(UserWarning, match=word) as caught:
        _, y = fastnn.read_data(tmp_path / "X.npy", labels=tmp_path / "y.csv")
    assert y.tolist() == Y.tolist()
    assert len(caught) == 1


def test_numbers_in_a_column(tmp_path):
    """However they are written, as a table's."""
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "y.csv").write_text("price\n1.50\n2e3\n-1\n")
    got = read_examples(tmp_path / "X.npy", labels=tmp_path / "y.csv", numbers=True)
    assert got.y.tolist() == [[1.5], [2000.0], [-1.0]]
    (tmp_path / "y.csv").write_text("price\n1.50\nx\n-1\n")
    with pytest.raises(ValueError, match=r"y\.csv', whose row 3 has 'x'; a finite number is wanted"):
        read_examples(tmp_path / "X.npy", labels=tmp_path / "y.csv", numbers=True)
    np.save(tmp_path / "Y.npy", X)
    got = read_examples(tmp_path / "X.npy", labels=tmp_path / "Y.npy", numbers=True)
    assert got.y.tolist() == X.tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "y.csv",
            "2\n1\n",
            r"labels is '.*y\.csv': y has 2 labels; X has 3 examples, and one label for each is wanted",
        ),
        ("y.csv", ",2\n1,1\n3,2\n", r"y\.csv', whose row 1 has 2 fields; one label in each row is wanted"),
        ("y.csv", "0,2\n1,1\n2,2\n", r"y\.csv', whose row 1 has 2 fields; one label in each row is wanted"),
        ("y.csv", "2\nNA\n2\n", r"whose row 2 has the label 'NA'; one label in each row is wanted"),
        ("y.csv", "", r"which holds no labels; one for each example is wanted"),
        ("y.csv", '"2\n1\n2\n', r"whose row 1 cannot be split"),
        ("y.npy", Y[:2], r"labels is '.*y\.npy', an array \(2,\); one label for each of the 3 examples is wanted"),
        ("y.npy", X, r"an array \(3, 2\); one label for each of the 3 examples is wanted"),
        ("y.npy", np.array([1, "a", 2], object), r"which holds an array \(3,\) of object; labels \(m,\), m at least 1"),
        ("y.npy", np.array([0.0, np.nan, 1.0]), r"labels is '.*y\.npy': y holds nan at index 1; a label is wanted"),
        ("y.npy", np.array([0, 1, 2**63], np.uint64), r"y\.npy': y holds 9223372036854775808; integers that fit 64"),
        ("y.npz", {"labels": Y}, r"labels is '.*y\.npz', which holds arrays labels; an array y is wanted"),
        ("y.npz", b"PK", r"labels is '.*y\.npz', which cannot be read as \.npz"),
        ("y.json", "[]", r"labels is '.*y\.json'; a file that ends in \.npy, \.npz, .*\.txt\.gz, or a dataset in the"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, name, content, message):
    np.save(tmp_path / "X.npy", X)
    path = tmp_path / name
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_refused(message, tmp_path / "X.npy", labels=path)


def test_options_of_labels(tmp_path):
    np.save(tmp_path / "X.npy", X)
    write_labels(tmp_path / "y.csv")
    assert_refused("label is given, but .* is no table", tmp_path / "X.npy", labels=tmp_path / "y.csv", label=0)
    assert_refused("header is given, but .* is no table", tmp_path / "X.npy", labels=tmp_path / "y.npy", header=True)
    with pytest.raises(TypeError, match="labels is 3; a file name is wanted"):
        fastnn.read_data(tmp_path / "X.npy", labels=3)
    with pytest.raises(FileNotFoundError):
        fastnn.read_data(tmp_path / "X.npy", labels=tmp_path / "none.npy")
    assert_refused(r"X\.npy', which holds no y; labels, a file with them, is wanted", tmp_path / "X.npy")
    assert read_examples(tmp_path / "X.npy", n=2).y is None
    assert read_examples(tmp_path / "X.npy", labelled=False).y is None


def test_a_dataset_comes_before_a_file_of_that_name(tmp_path):
    write_hdf5(tmp_path / "a.h5", X=X, y=Y, **{"y.npy": Y + 1})
    np.save(tmp_path / "y.npy", Y + 2)
    assert fastnn.read_data(tmp_path / "a.h5", labels="y.npy")[1].tolist() == (Y + 1).tolist()
    assert fastnn.read_data(tmp_path / "a.h5", labels=tmp_path / "y.npy")[1].tolist() == (Y + 2).tolist()
