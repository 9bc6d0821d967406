"""What a model predicts, and that a file gives back what was saved."""

import copy
import dataclasses
import io
import json
import os
import pickle
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import loadmat, savemat

import fastnn
from fastnn import files

from ..conftest import COURSE, examples


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


def test_weights_are_read_only_and_others_may_be_assigned(trained):
    """The model keeps a copy of them in another form, which must not go stale without a word."""
    model, X, _ = trained
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="read-only"):
        model.weights[0][0, 0] = 1.0
    others = [2.0 * matrix for matrix in model.weights]
    model.weights = others
    want = fastnn.forward(others, X)
    assert not np.array_equal(want, before)
    assert np.array_equal(model.predict_proba(X), want)
    others[0][:] = 0.0  # the model has its own
    assert np.array_equal(model.predict_proba(X), want)
    model.activation = "tanh"
    assert np.array_equal(model.predict_proba(X), fastnn.forward(model.weights, X, activation="tanh"))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_models_too(trained, copied):
    model, X, _ = trained
    want = model.predict_proba(X)
    same = copied(model)
    assert np.array_equal(same.predict_proba(X), want)
    assert not any(matrix.flags.writeable for matrix in same.weights)
    assert [*vars(same)] == [*vars(model)]
    same.weights = [0.0 * matrix for matrix in same.weights]
    assert np.array_equal(model.predict_proba(X), want)


@pytest.mark.parametrize(
    ("known", "unknown", "words"),
    [
        (["ant", "bee"], ["owl"], "'owl': 1 of 3 examples"),
        (["ant", "bee"], ["yak", "owl", "fox", "cow", "owl"], "'cow', 'fox', 'owl' and 1 more: 5 of 7 examples"),
        ([1, 2], [3, 3], "3: 2 of 4 examples"),
        ([0.5, 1.0], [2], "2.0: 1 of 3 examples"),
    ],
)
def test_labels_never_seen_are_named(known, unknown, words):
    """They count as wrong, as before."""
    X = np.array([[-1.0], [1.0]])
    model = fastnn.train(X, known, 3, 0.0)
    assert model.score(X, known) == 1.0
    X = np.vstack([X, np.zeros((len(unknown), 1))])
    with pytest.warns(UserWarning, match="labels that the model has never seen") as told:
        assert model.score(X, known + unknown) == pytest.approx(2 / len(X))
    assert words in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])
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


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])
def test_a_failed_save_leaves_the_old_file(trained, tmp_path, monkeypatch, suffix):
    """Whenever the disk is full."""
    model, _, _ = trained
    path = tmp_path / f"model{suffix}"
    model.save(path)
    before = path.read_bytes()
    module = files.FORMATS[suffix]
    write = module.write

    def full_disk(room, file, arrays):
        if isinstance(file, io.BytesIO):  # of the checksum
            write(file, arrays)
        else:
            file.write(before[:room])
            raise OSError("no space left on device")

    for room in (0, 1, len(before) // 2, len(before)):
        monkeypatch.setattr(module, "write", partial(full_disk, room))
        with pytest.raises(OSError, match="no space"):
            model.save(path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])
def test_a_file_gets_its_name_when_it_is_whole(trained, tmp_path, monkeypatch, suffix):
    """And on the disk: whatever ends the process before that leaves what was there."""
    model, _, _ = trained
    path = tmp_path / f"model{suffix}"
    replace, sync, synced, seen = os.replace, os.fsync, [], []
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file).st_size), sync(file)))

    def looked_at(source, target):
        copied = tmp_path / f"copy{suffix}"
        copied.write_bytes(Path(source).read_bytes())
        seen.append((fastnn.load(copied).outcome, synced[-1] == copied.stat().st_size))
        copied.unlink()
        replace(source, target)

    monkeypatch.setattr(os, "replace", looked_at)
    for _ in range(2):
        model.save(path)
    assert seen == 2 * [(model.outcome, True)]


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "model.npz", Theta1=np.array([None, {}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        fastnn.load(tmp_path / "model.npz")


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".safetensors"])
def test_load_of_weights_alone_labels_the_outputs_as_the_course_does(tmp_path, suffix):
    weights = fastnn.init_weights((4, 3, 10), seed=0)
    arrays = {"Theta1": weights[0], "Theta2": weights[1]}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".mat":
        savemat(path, arrays)
    elif suffix == ".npz":
        np.savez(path, **arrays)
    else:
        pytest.importorskip("safetensors.numpy").save_file(arrays, path)
    X = np.random.default_rng(0).standard_normal((50, 4))
    model = fastnn.load(path)
    assert model.classes.tolist() == [*range(1, 11)]
    assert model.classes.dtype == np.int64
    assert model.predict(X).tolist() == (1 + fastnn.forward(weights, X).argmax(axis=1)).tolist()
    assert (model.activation, model.output, model.lmbda, model.scale) == ("sigmoid", "sigmoid", 0.0, 1.0)
    assert model.outcome.status == "unknown"
    assert np.isnan(model.outcome.cost)
    assert "4 - 3 - 10" in model._repr_html_()
    model.save(tmp_path / "model.npz")
    again = fastnn.load(tmp_path / "model.npz")
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.outcome.status == "unknown"
    pytest.importorskip("matplotlib")
    from fastnn import plot

    with pytest.raises(ValueError, match="trainings must have a history, got a model of weights alone"):
        plot.history(model)


def test_the_courses_weights_read_the_courses_labels(digits, course):
    """Digit 0 is 10 in ex4data1.mat: 97.52 % right, as the course says."""
    X, y = digits
    model = fastnn.load(COURSE / "ex4weights.mat")
    assert f"{100 * model.score(X, np.where(y == 0, 10, y)):.2f}" == "97.52"


def test_load_refuses_weights_beside_other_arrays_or_with_one_output(tmp_path):
    np.savez(tmp_path / "one.npz", Theta1=np.ones((1, 3)))
    with pytest.raises(fastnn.ModelFileError, match=r"one\.npz'.*the outputs must be at least 2, got 1"):
        fastnn.load(tmp_path / "one.npz")
    np.savez(tmp_path / "more.npz", Theta1=np.ones((2, 3)), lmbda=1.0)
    with pytest.raises(fastnn.ModelFileError, match=r"more\.npz', which is not a saved model: KeyError"):
        fastnn.load(tmp_path / "more.npz")


def model_of(classes, feature_names=None):
    """A model of one input, with these classes."""
    like = small()
    weights = fastnn.init_weights((1, len(classes)))
    return fastnn.Model(weights, classes, 1.0, like.history, like.outcome, feature_names=feature_names)


@cache
def small():
    return fastnn.train(np.eye(2), [0, 1], 1, maxiter=1)


def comes_back(classes, path):
    """What the file gives back is equal, of the same kind, and if numbers of the same size."""
    model_of(classes).save(path)
    got = fastnn.load(path).classes
    assert got.tolist() == classes.tolist()
    assert got.dtype.kind == classes.dtype.kind
    assert got.dtype.kind == "U" or got.dtype == classes.dtype
    assert got.shape == classes.shape
    return True


every_format = pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])
formats_of_before = pytest.mark.parametrize("suffix", [".npz", ".mat"])


@every_format
@pytest.mark.parametrize("kind", "?bBhHiIqQefd")
def test_classes_that_are_numbers_come_back(tmp_path, suffix, kind):
    path = tmp_path / f"model{suffix}"
    assert comes_back(np.array([0, 1]).astype(kind), path)
    if kind in "efd":
        assert comes_back(np.array([0.1, -2.5, np.finfo(kind).max, np.finfo(kind).tiny]).astype(kind), path)
    elif kind != "?":
        assert comes_back(np.array([np.iinfo(kind).max, np.iinfo(kind).min, 7], kind), path)


@every_format
@pytest.mark.parametrize(
    "classes",
    [
        ["PZ", "PZ "],
        [" a", "a", "a ", "  "],
        ["", "x"],
        ["naïve", "\u00a0", "日本", "e\u0301", "é"],
        ["😀", "a😀b"],
        ["a\tb", "a\nb", "\n", "\r\n"],
        ["x" * 10000, "y"],
        ["1", "01", "1.0", "True", "nan", "None"],
        ["'", '"', "\\", "{}", "[]"],
    ],
    ids=repr,
)
def test_classes_that_are_text_come_back(tmp_path, suffix, classes):
    assert comes_back(np.array(classes), tmp_path / f"model{suffix}")


@every_format
@pytest.mark.parametrize("classes", [["a\0b", "c"], ["\0a", "c"], ["c", "\ud800"]], ids=repr)
def test_classes_that_a_format_cannot_keep_are_refused(tmp_path, suffix, classes):
    """There is no file then, and one that was there stays."""
    path = tmp_path / f"model{suffix}"
    classes = np.array(classes)
    if suffix != ".mat":
        assert comes_back(classes, path)
        return
    lost = next(label for label in classes if label != "c")
    for left in ([], [path.name]):
        with pytest.raises(ValueError, match=r"path is .*, but \.mat cannot keep the class ") as caught:
            model_of(classes).save(path)
        assert repr(str(lost)) in str(caught.value)
        assert [file.name for file in tmp_path.iterdir()] == left
        path.write_bytes(b"before")
        assert path.read_bytes() == b"before"


def test_long_doubles_come_back_or_are_refused(tmp_path):
    """A .mat file has float64 at most."""
    third = np.array([1, 2], np.longdouble) / 3
    assert comes_back(third, tmp_path / "model.npz")
    assert comes_back(np.array([0.5, 0.25], np.longdouble), tmp_path / "model.mat")
    if third.itemsize > 8:
        with pytest.raises(ValueError, match=r"\.mat cannot keep the class .*0\.333"):
            model_of(third).save(tmp_path / "other.mat")
        with pytest.raises(ValueError, match=r"classes is of \S+, which \.safetensors cannot keep; \.npz is wanted"):
            model_of(third).save(tmp_path / "other.safetensors")


text = st.lists(st.text(max_size=6).filter(lambda label: not label.endswith("\0")), min_size=2, max_size=4, unique=True)
numbers = st.sampled_from("bBhHiIqQefd").flatmap(
    lambda kind: arrays(
        kind,
        st.integers(2, 4),
        elements={"allow_nan": False, "allow_infinity": False} if kind in "efd" else None,
        unique=True,
    )
)


@every_format
@settings(examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(classes=text.map(np.array) | numbers)
def test_classes_come_back_or_are_refused(tmp_path, suffix, classes):
    path = tmp_path / f"model{suffix}"
    if suffix == ".mat" and any("\0" in label for label in classes if isinstance(label, str)):
        with pytest.raises(ValueError, match="cannot keep the class"):
            comes_back(classes, path)
    else:
        assert comes_back(classes, path)


def test_octave_sees_a_cell_of_text(tmp_path):
    model_of(np.array(["PZ", "PZ ", ""])).save(tmp_path / "model.mat")
    cells = loadmat(tmp_path / "model.mat")["classes"]
    assert cells.shape == (1, 3)
    assert ["".join(cell) for cell in cells[0]] == ["PZ", "PZ ", ""]


def as_before(model, path):
    """As versions before classes_dtype and feature_names wrote it: text in a .mat as a matrix of characters."""
    file = {f"Theta{l + 1}": matrix for l, matrix in enumerate(model.weights)}
    file |= {
        "classes": model.classes,
        "lmbda": np.array(model.lmbda),
        "activation": np.array(model.activation),
        "output": np.array(model.output),
        "outcome": np.array(json.dumps(dataclasses.asdict(model.outcome))),
    }
    file |= {f"history_{name}": model.history[name] for name in ("cost", "gradient_norm", "evaluations", "seconds")}
    savemat(path, file) if path.suffix == ".mat" else np.savez(path, **file)


@formats_of_before
@pytest.mark.parametrize(
    "classes", [["a", "bcd"], ["é", "naïve"], [3, 1], [0.5, 1.5], [False, True], np.array([3, 4], np.uint8)], ids=repr
)
def test_files_of_earlier_versions_are_read(tmp_path, suffix, classes):
    path = tmp_path / f"model{suffix}"
    model = model_of(np.array(classes))
    as_before(model, path)
    got = fastnn.load(path)
    assert got.classes.tolist() == list(classes)
    assert got.feature_names is None
    assert (got.lmbda, got.outcome, got.sizes) == (model.lmbda, model.outcome, model.sizes)


def test_spaces_in_files_of_earlier_versions(tmp_path):
    """Those of a .npz are the labels' own; those of a .mat may be padding, and 'PZ' would be there twice."""
    model = model_of(np.array(["PZ", "PZ "]))
    as_before(model, tmp_path / "model.npz")
    assert fastnn.load(tmp_path / "model.npz").classes.tolist() == ["PZ", "PZ "]
    as_before(model, tmp_path / "model.mat")
    with pytest.raises(ValueError, match=r"not a saved model: ValueError.*classes holds .*'PZ'.* more than once"):
        fastnn.load(tmp_path / "model.mat")


@formats_of_before
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([1, 2, 3], r"classes has shape \(3,\); \(2,\) is wanted, a label for each of the 2 outputs"),
        ([1], r"classes has shape \(1,\); \(2,\)"),
        ([1, 1], "classes holds .*1.* more than once; different labels are wanted"),
        (["a", "a"], "classes holds .*a.* more than once"),
        ([1.0, np.nan], "classes holds nan at index 1"),
    ],
)
def test_classes_must_fit(tmp_path, suffix, classes, message):
    """When they are saved, and when they are loaded."""
    path = tmp_path / f"model{suffix}"
    model = model_of([0, 1])
    model.classes = classes
    with pytest.raises(ValueError, match=f"^{message}"):
        model.save(path)
    model.classes = np.array(classes)
    as_before(model, path)
    with pytest.raises(ValueError, match=f"path is .*, which is not a saved model: ValueError.*{message}"):
        fastnn.load(path)


@every_format
@pytest.mark.parametrize(
    "names",
    [None, ("a",), ("length (cm)",), (" b ",), ("",), ("é 😀 日本",), ("a\0",), ("\ud800",), ("None",), ("x" * 9999,)],
    ids=lambda names: repr(names)[:20],
)
def test_names_of_columns_come_back(tmp_path, suffix, names):
    path = tmp_path / f"model{suffix}"
    model_of([0, 1], names).save(path)
    got = fastnn.load(path).feature_names
    assert got == names
    assert got is None or type(got) is tuple


@every_format
@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("a", "b"), ValueError, "feature_names has 2 names; 1 are wanted, one for each input"),
        ("a", TypeError, "feature_names is 'a'; a tuple of text is wanted, or None"),
        ((1,), TypeError, r"feature_names is \(1,\); a tuple"),
    ],
)
def test_names_must_fit(tmp_path, suffix, names, error, message):
    path = tmp_path / f"model{suffix}"
    model = model_of([0, 1])
    model.feature_names = names
    with pytest.raises(error, match=message):
        model.save(path)
    model.feature_names = None
    model.save(path)
    files.write_arrays(path, files.read_arrays(path) | {"feature_names": np.array(json.dumps(names))})
    with pytest.raises(ValueError, match=f"not a saved model: .*{message.split(' is ')[0]}"):
        fastnn.load(path)


def test_columns_are_checked_by_name(tmp_path):
    """Those of any frame, before and after the model was saved; what has no names goes by position."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, y = pandas.DataFrame(rng.standard_normal((30, 3)), columns=["length", "width", "age"]), rng.integers(0, 2, 30)
    model = fastnn.train(X, y, 2, maxiter=3)
    assert model.feature_names == ("length", "width", "age")
    want = model.predict_proba(X)
    for suffix in (".npz", ".mat", ".safetensors"):
        model.save(tmp_path / f"model{suffix}")
        model = fastnn.load(tmp_path / f"model{suffix}")
        assert model.feature_names == ("length", "width", "age")
        other = X[["width", "length", "age"]]
        for call in (model.predict, model.predict_proba, partial(model.score, y=y)):
            with pytest.raises(ValueError, match="X has column 'width' where the model was trained on 'length'"):
                call(other)
            with pytest.raises(ValueError, match="X lacks 'age' and has 'years', which the model does not know"):
                call(X.rename(columns={"age": "years"}))
            with pytest.raises(ValueError, match="X lacks 'age'; the columns"):
                call(X.drop(columns="age"))
            with pytest.raises(ValueError, match="X has 'label', which the model does not know"):
                call(X.assign(label=y))
        assert np.array_equal(model.predict_proba(other[list(model.feature_names)]), want)
        for same in (X.to_numpy(), X.to_numpy().tolist(), X.set_axis(range(3), axis=1), X.astype("Float64")):
            assert np.array_equal(model.predict_proba(same), want)


@pytest.mark.parametrize(("library", "make"), [("polars", "DataFrame"), ("pyarrow", "table")])
def test_columns_of_other_frames_have_names_too(library, make):
    frame = getattr(pytest.importorskip(library), make)
    model = fastnn.train(frame({"a": [1.0, 2.0], "b": [0.0, 1.0]}), [0, 1], 2, maxiter=1)
    assert model.feature_names == ("a", "b")
    assert model.predict(frame({"a": [1.0], "b": [0.0]})).shape == (1,)
    with pytest.raises(ValueError, match="X has column 'b' where the model was trained on 'a'"):
        model.predict(frame({"b": [1.0], "a": [0.0]}))


def test_a_model_without_names_takes_any():
    pandas = pytest.importorskip("pandas")
    X = np.eye(3)
    for trained_on in (X, pandas.DataFrame(X)):
        model = fastnn.train(trained_on, [0, 1, 2], 2, maxiter=1)
        assert model.feature_names is None
        frame = pandas.DataFrame(X, columns=["a", "b", "c"])
        assert np.array_equal(model.predict(frame), model.predict(X))
    model.feature_names = ["a", "b", "c"]
    model.predict(frame)
    with pytest.raises(ValueError, match="X has column 'c' where the model was trained on 'a'"):
        model.predict(frame[["c", "b", "a"]])


def test_missing_file(tmp_path):
    for suffix in (".npz", ".mat", ".safetensors"):
        with pytest.raises(FileNotFoundError, match="missing"):
            fastnn.load(tmp_path / f"missing{suffix}")


def test_outcome_is_plain(trained):
    assert set(dataclasses.asdict(trained[0].outcome)) >= {"status", "message", "cost", "iterations", "evaluations"}


@pytest.mark.parametrize("row", ["array", "list", "series"])
def test_predict_of_one_row_proposes_what_makes_it_a_table(row):
    model = fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=2)
    x = np.eye(4)[0]
    if row == "series":
        x = pytest.importorskip("pandas").Series(x)
    x, remedy, right = {
        "array": (x, "X[None]", x[None] if row == "array" else None),
        "list": (list(x), "[X]", [list(x)]),
        "series": (x, "[X]", [x]),
    }[row]
    for call in (model.predict, model.predict_proba, lambda X: fastnn.forward(model.weights, X)):
        with pytest.raises(ValueError) as raised:
            call(x)
        assert str(raised.value) == f"X must have shape (m, 4), got (4,). For one example pass {remedy}."
        assert len(call(right)) == 1
    with pytest.raises(ValueError, match=r"X has shape \(3,\); \(m, n\), one example a row, is wanted"):
        model.predict(np.ones(3))


def test_pickle_of_an_earlier_version_loads():
    """Classes stood in other modules then, and a model had labels in place of a kind."""
    model = fastnn.train(np.eye(4), ["a", "b", "a", "b"], 3, maxiter=3, standardize=True)
    outcome = pickle.loads(pickle.dumps(model.outcome, 0).replace(b"fastnn.outcome", b"fastnn.solvers"))
    assert outcome == model.outcome
    scaling = pickle.loads(pickle.dumps(model.scaling, 0).replace(b"fastnn.inputs.scaling", b"fastnn.scaling"))
    state = model.__getstate__() | {
        "classes": model.classes,
        "multilabel": False,
        "outcome": outcome,
        "scaling": scaling,
    }
    del state["kind"]
    again = fastnn.Model.__new__(fastnn.Model)
    again.__setstate__(state)
    assert np.array_equal(again.predict_proba(np.eye(4)), model.predict_proba(np.eye(4)))
    assert again.predict(np.eye(4)).tolist() == model.predict(np.eye(4)).tolist()


def test_file_has_the_outcome_that_earlier_versions_read(tmp_path):
    fastnn.train(np.eye(4), [0, 1, 0, 1], 3, maxiter=3).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        names = set(json.loads(str(file["outcome"])))
    told = {"status", "message", "cost", "gradient_norm", "iterations", "evaluations", "seconds", "advice"}
    assert names == told | {"compile_seconds"}
