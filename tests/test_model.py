"""What a model predicts, and that a file gives back what was saved."""

import dataclasses

import numpy as np
import pytest
from scipy.io import loadmat

import fastnn
from fastnn import files


@pytest.fixture(params=["numbers", "text"])
def trained(request):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.integers(0, 3, 40)
    labels = y * 10 if request.param == "numbers" else np.array(["ant", "bee", "caterpillar"])[y]
    return fastnn.train(X, labels, (4, 3), maxiter=4), X, labels


def test_predictions(trained):
    model, X, labels = trained
    A = model.predict_proba(X)
    assert np.array_equal(A, fastnn.forward(model.weights, X))
    assert ((A > 0) & (A < 1)).all()
    got = model.predict(X)
    assert np.array_equal(got, model.classes[A.argmax(axis=1)])
    assert model.score(X, labels) == np.mean(got == labels)
    assert model.score(X[:1], [got[0]]) == 1.0
    assert "3-4-3-3" in repr(model)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_round_trip(trained, tmp_path, suffix):
    model, X, _ = trained
    path = tmp_path / f"model{suffix}"
    model.save(path)
    again = fastnn.load(str(path))
    assert np.array_equal(fastnn.pack(again.weights), fastnn.pack(model.weights))
    assert np.array_equal(again.classes, model.classes)
    assert again.classes.dtype.kind == model.classes.dtype.kind
    assert again.lmbda == model.lmbda
    assert again.outcome == model.outcome
    assert np.array_equal(again.history, model.history)
    assert np.array_equal(again.predict(X), model.predict(X))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    got = fastnn.read_weights(path)
    assert all(np.array_equal(g, w) for g, w in zip(got, model.weights, strict=True))


def test_mat_is_the_courses(trained, tmp_path):
    model, _, _ = trained
    model.save(tmp_path / "model.mat")
    file = loadmat(tmp_path / "model.mat")
    assert np.array_equal(file["Theta1"], model.weights[0])
    assert np.array_equal(file["Theta3"], model.weights[2])


def test_a_failed_save_leaves_the_old_file(trained, tmp_path, monkeypatch):
    model, _, _ = trained
    path = tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()

    def full_disk(*arguments, **keywords):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def damaged(content, kind):
    if kind == "empty":
        return b""
    if kind == "cut":
        return content[: len(content) // 2]
    if kind == "text":
        return b"Theta1 = 1 2 3"
    return content[:200] + bytes(64) + content[264:]


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".npz", "empty"), (".npz", "cut"), (".npz", "text"), (".npz", "zeros")]
    + [(".mat", "empty"), (".mat", "cut"), (".mat", "text")],  # .mat has no checksum that zeros would break
)
def test_damaged_files_are_refused(trained, tmp_path, kind, suffix):
    model, _, _ = trained
    path = tmp_path / f"model{suffix}"
    model.save(path)
    path.write_bytes(damaged(path.read_bytes(), kind))
    with pytest.raises(ValueError, match=r"path is .*model"):
        fastnn.load(path)


def test_header_that_asks_for_too_much(tmp_path):
    import io
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("Theta1.npy", header.getvalue() + bytes(64))
    with pytest.raises(ValueError, match="announces shape"):
        fastnn.load(tmp_path / "bomb.npz")


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "model.npz", Theta1=np.array([None, {}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        fastnn.load(tmp_path / "model.npz")


def test_weights_alone_are_not_a_model(tmp_path):
    np.savez(tmp_path / "weights.npz", Theta1=np.ones((2, 3)))
    assert len(fastnn.read_weights(tmp_path / "weights.npz")) == 1
    with pytest.raises(ValueError, match="not a saved model: KeyError"):
        fastnn.load(tmp_path / "weights.npz")


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([1, 2], r"classes has shape \(2,\); \(3,\) is wanted, a label for each of the 3 outputs"),
        ([[1, 2, 3]], r"classes has shape \(1, 3\)"),
        ([1, 2, 1], "classes holds .*1.* more than once; different labels are wanted"),
        (["a", "b", "a"], "classes holds .*'a'.* more than once"),
        ([1.0, 2.0, np.nan], "classes holds nan at index 2"),
    ],
)
def test_classes_must_fit(trained, tmp_path, suffix, classes, message):
    """When they are saved, and when they are loaded."""
    model, _, _ = trained
    path = tmp_path / f"model{suffix}"
    model.save(path)
    arrays = files.read_arrays(path)
    model.classes = classes
    with pytest.raises(ValueError, match=f"^{message}"):
        model.save(path)
    assert fastnn.load(path).sizes == model.sizes
    del arrays["classes_dtype"]
    files.write_arrays(path, arrays | {"classes": np.array(classes[:2] + classes[:1])})
    if len(classes) > 1:
        with pytest.raises(ValueError, match="path is .*, which is not a saved model: ValueError.*classes h"):
            fastnn.load(path)


def test_missing_file(tmp_path):
    for suffix in (".npz", ".mat"):
        with pytest.raises(FileNotFoundError, match="missing"):
            fastnn.load(tmp_path / f"missing{suffix}")


def test_outcome_is_plain(trained):
    assert set(dataclasses.asdict(trained[0].outcome)) >= {"status", "message", "cost", "iterations", "evaluations"}
