"""Models in other programs give what `predict` gives: in a fresh process, in ONNX Runtime, in C, in Octave."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.model.export import export

from ..conftest import in_process, with_slow

CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
CXX = shutil.which("c++")
OCTAVE = shutil.which("octave")

needs_cc = pytest.mark.skipif(not CC, reason="needs a C compiler, as cc")
needs_octave = pytest.mark.skipif(not OCTAVE, reason="needs Octave")


@cache
def digits_model():
    return fastnn.train(*fastnn.load_digits(), maxiter=20)


def table(y, **options):
    """A model of 90 random examples, with weights that matter."""
    X = np.random.default_rng(0).normal(3.0, 2.0, (90, 7))
    return fastnn.train(X, y, **{"hidden": 5, "lmbda": 0.01, "maxiter": 40, **options}), X


THREE = np.arange(90) % 3
TEXT = np.array(['a "b"', "naïve\\n?", "日本"])[THREE]
MODELS = {
    "integers": lambda: table(THREE * 10 - 5),
    "text": lambda: table(TEXT),
    "floats": lambda: table(THREE / 4.0),
    "booleans": lambda: table(THREE > 0),
    "two layers, tanh": lambda: table(THREE, hidden=(6, 4), activation="tanh"),
    "three layers, relu": lambda: table(THREE, hidden=(6, 1, 8), activation="relu"),
    "identity": lambda: table(THREE, activation="identity"),
    "softmax": lambda: table(TEXT, output="softmax"),
    "bytes": lambda: table(THREE, scale=1 / 255),
    "standardised": lambda: table(THREE, standardize=True),
    "standardised bytes": lambda: table(TEXT, standardize=True, scale=1 / 255, output="softmax"),
    "several labels": lambda: table(np.stack([THREE > 0, THREE < 2], axis=1), multilabel=True),
    "a number": lambda: table(np.sin(np.arange(90.0)), output="identity"),
    "numbers": lambda: table(np.sin(np.arange(180.0)).reshape(90, 2), output="identity", activation="tanh"),
    "saturated": lambda: saturated(THREE),
    "saturated softmax": lambda: saturated(THREE, output="softmax"),
}
every_model = pytest.mark.parametrize("name", MODELS)


def saturated(y, **options):
    """Weights of a thousand: outputs are 0 and 1, or between by luck."""
    model, X = table(y, **options)
    model.weights = tuple(1e3 * W for W in model.weights)
    return model, X


@cache
def case(name):
    return MODELS[name]()


def outputs(model, X):
    return model.predict(X).reshape(len(X), -1) if model.output == "identity" else model.predict_proba(X)


@pytest.mark.parametrize("suffix", with_slow([".npz"], [".npz", ".mat", ".safetensors"]))
def test_formats_of_ours_in_a_fresh_process(suffix, tmp_path):
    """To the bit."""
    for number, name in enumerate(MODELS):
        model, X = case(name)
        fastnn.export(model, tmp_path / f"{number}{suffix}")
        np.savez(tmp_path / f"want{number}.npz", X=X, A=outputs(model, X), said=model.predict(X))
    code = f"""
import fastnn, numpy as np
for number in range({len(MODELS)}):
    model = fastnn.load(f"{tmp_path}/{{number}}{suffix}")
    with np.load(f"{tmp_path}/want{{number}}.npz") as want:
        said = model.predict(want["X"])
        A = said.reshape(len(said), -1) if model.output == "identity" else model.predict_proba(want["X"])
        assert A.tobytes() == want["A"].tobytes(), number
        assert np.array_equal(said, want["said"]) and said.dtype.kind == want["said"].dtype.kind, number
print("same")
"""
    assert in_process(code).stdout == "same\n"


@pytest.mark.slow
def test_torch_and_others_find_the_weights(tmp_path):
    """As tensors under the names that they have in the course."""
    load_file = pytest.importorskip("safetensors.numpy").load_file
    model = digits_model()
    model.save(tmp_path / "a.safetensors")
    tensors = load_file(tmp_path / "a.safetensors")
    for l, W in enumerate(model.weights):
        np.testing.assert_array_equal(tensors[f"Theta{l + 1}"], W)


ONNX = """
import sys, numpy as np, onnxruntime
number, dtype, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for k in range(number):
    with np.load(f"{folder}/X{k}.npz") as data:
        X = data["X"].astype(dtype)
    session = onnxruntime.InferenceSession(f"{folder}/{k}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    got = dict(zip(names, session.run(None, {"X": X})))
    text = {name: np.array(value, "U") for name, value in got.items() if value.dtype == object}
    np.savez(f"{folder}/got{k}.npz", **(got | text))
"""


def by_onnx(folder, models, dtype):
    """What ONNX Runtime says in a process without fastnn: a dict for each (model, X)."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    for number, (model, X) in enumerate(models):
        fastnn.export(model, folder / f"{number}.onnx", dtype=dtype)
        np.savez(folder / f"X{number}.npz", X=X)
    command = [sys.executable, "-P", "-c", ONNX, str(len(models)), dtype, str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    found = []
    for number in range(len(models)):
        with np.load(folder / f"got{number}.npz") as archive:
            found.append({name: archive[name] for name in archive.files})
    return found


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 1e-12)])
def test_onnx_of_the_digits(dtype, bound, tmp_path):
    model, (X, _) = digits_model(), fastnn.load_digits()
    (got,) = by_onnx(tmp_path, [(model, X)], dtype)
    assert np.abs(got["probabilities"] - model.predict_proba(X)).max() <= bound
    np.testing.assert_array_equal(got["label"], model.predict(X))
    assert got["probabilities"].dtype == dtype


def test_onnx_of_every_kind(tmp_path):
    found = by_onnx(tmp_path, [case(name) for name in MODELS], "float64")
    for name, got in zip(MODELS, found, strict=True):
        model, X = case(name)
        said = model.predict(X)
        if model.output == "identity":
            assert [*got] == ["value"]
            np.testing.assert_allclose(got["value"], said, rtol=1e-12, atol=1e-12, err_msg=name)
            continue
        np.testing.assert_allclose(got["probabilities"], model.predict_proba(X), rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(got["label"], said, err_msg=name)
        assert got["label"].dtype.kind == said.dtype.kind, name


def test_onnx_in_float32_of_every_kind(tmp_path):
    """Labels are those of the model wherever its outputs differ by more than float32 can be off; values to 1e-5."""
    names = [name for name in MODELS if "saturated" not in name]
    found = by_onnx(tmp_path, [case(name) for name in names], "float32")
    for name, got in zip(names, found, strict=True):
        model, X = case(name)
        if model.output == "identity":
            np.testing.assert_allclose(got["value"], model.predict(X), rtol=0, atol=1e-5, err_msg=name)
            continue
        A = model.predict_proba(X)
        np.testing.assert_allclose(got["probabilities"], A, rtol=0, atol=1e-5, err_msg=name)
        if not model.multilabel:
            best = np.sort(A, axis=1)
            clear = best[:, -1] - best[:, -2] > 2e-5
            np.testing.assert_array_equal(got["label"][clear], model.predict(X)[clear], err_msg=name)


def test_a_large_mean_costs_no_digits_in_float32(tmp_path):
    """Standardised in float32, a column of a million and a half loses all that it says."""
    X = np.random.default_rng(1).integers(-8, 8, (60, 2)) / 4.0 + 1_500_000.0  # numbers that float32 has
    model = fastnn.train(X, X[:, 0] > X[:, 1], 4, 0.01, maxiter=50, standardize=True)
    (got,) = by_onnx(tmp_path, [(model, X)], "float32")
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(X), rtol=0, atol=1e-5)


def test_what_a_graph_says_of_itself(tmp_path):
    onnx = pytest.importorskip("onnx")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.eye(4)[:, :3], columns=["a", "b", "ü"])
    fastnn.export(fastnn.train(frame, [0, 1, 0, 1], 2, maxiter=2), tmp_path / "a.onnx")
    graph = onnx.load(tmp_path / "a.onnx")
    assert "a network 3-2-2, sigmoid and sigmoid" in graph.graph.doc_string
    assert {entry.key: entry.value for entry in graph.metadata_props} == {"feature_names": '["a", "b", "\\u00fc"]'}
    assert graph.opset_import[0].version == 13


PROGRAM = """
#include <stdio.h>
#include "net.h"
int main(void)
{
    net_real x[%d], outputs[%d];
    int i;
    while (fread(x, sizeof x, 1, stdin) == 1) {
        %s
        for (i = 0; i < %d; i++)
            printf("%%.17g ", (double)outputs[i]);
        puts("");
    }
    return 0;
}
"""


def by_c(folder, model, X, dtype="float64"):
    """Labels, or None, and outputs of a program that is compiled with the header."""
    fastnn.export(model, folder / "net.h", dtype=dtype)
    labelled = model.classes is not None and not model.multilabel
    call = "puts(net_classes[net_predict(x, outputs)]);" if labelled else "net_predict(x, outputs);"
    (folder / "main.c").write_text(PROGRAM % (X.shape[1], model.sizes[-1], call, model.sizes[-1]))
    strict = ["-std=c99", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = [CC, *strict, "main.c", "-o", "main", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([folder / "main"], input=X.astype(dtype).tobytes(), capture_output=True, check=True).stdout
    lines = said.decode().splitlines()
    numbers = lines[1::2] if labelled else lines
    return lines[::2] if labelled else None, np.array([line.split() for line in numbers], dtype=float)


@needs_cc
def test_c_of_the_digits(tmp_path):
    model, (X, _) = digits_model(), fastnn.load_digits()
    labels, A = by_c(tmp_path, model, X)
    assert np.abs(A - model.predict_proba(X)).max() <= 1e-12
    assert labels == [*map(str, model.predict(X))]


@needs_cc
@every_model
def test_c_of_every_kind(name, tmp_path):
    model, X = case(name)
    labels, A = by_c(tmp_path, model, X)
    np.testing.assert_allclose(A, outputs(model, X), rtol=1e-12, atol=1e-12)
    assert labels is None or labels == [*map(str, model.predict(X))]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_labels_of_sums_whose_float32_sigmoids_are_equal(output, dtype, tmp_path):
    """Of 20 and 25 `predict` says the second, and of -50 and -45; of 40 and 45, both 1 in float64 too, the first."""
    model = fastnn.train(np.eye(4), [0, 1, 0, 1], 1, maxiter=1, activation="identity", output=output)
    model.weights = (np.array([[0.0, 1.0, 0.0, 0.0, 0.0]]), np.array([[0.0, 1.0], [5.0, 1.0]]))
    X = np.zeros((3, 4))
    X[:, 0] = 20.0, -50.0, 40.0
    (got,) = by_onnx(tmp_path, [(model, X)], dtype)
    want = [1, 1, 1 if output == "softmax" else 0]
    assert model.predict(X).tolist() == got["label"].tolist() == want


@needs_cc
def test_of_equal_outputs_the_first_counts(tmp_path):
    """As in `predict`."""
    model, X = table(THREE)
    model.weights = (model.weights[0], np.repeat(model.weights[1][:1], 3, axis=0))
    assert set(model.predict(X)) == {0}
    (got,) = by_onnx(tmp_path, [(model, X)], "float64")
    assert set(got["label"]) == {0}
    assert set(by_c(tmp_path, model, X)[0]) == {"0"}


@needs_cc
def test_c_in_float32(tmp_path):
    """Of 400 inputs, each sum off by at most some 1e-6."""
    model, (X, _) = digits_model(), fastnn.load_digits()
    labels, A = by_c(tmp_path, model, X[::10], "float32")
    assert 1e-12 < np.abs(A - model.predict_proba(X[::10])).max() < 1e-5
    assert labels == [*map(str, model.predict(X[::10]))]


@pytest.mark.skipif(not CXX, reason="needs a C++ compiler, as c++")
def test_the_header_is_cpp_too(tmp_path):
    fastnn.export(case("text")[0], tmp_path / "net.h")
    (tmp_path / "main.cc").write_text(
        '#include "net.h"\nint f(const double *x, double *a) { return net_predict(x, a); }\n'
    )
    command = [CXX, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "main.cc"]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0


def test_the_function_is_short(tmp_path):
    """Forty lines, to be read."""
    for name in MODELS:
        fastnn.export(case(name)[0], tmp_path / "net.h")
        text = (tmp_path / "net.h").read_text()
        function = text[text.index("static inline") : text.index("#endif")]
        assert len(function.splitlines()) <= 40


@pytest.mark.parametrize(
    ("file", "prefix"), [("digits.h", "digits"), ("my net-2.h", "my_net_2"), ("3.h", "model_3"), ("naïve.h", "na_ve")]
)
def test_names_in_c(file, prefix, tmp_path):
    fastnn.export(case("integers")[0], tmp_path / file)
    assert f"int {prefix}_predict(const {prefix}_real *x," in (tmp_path / file).read_text()


OCTAVE_PROGRAM = """
load model.mat; load X.mat;
a = 1 ./ (1 + exp(-[ones(rows(X), 1) X] * Theta1'));
A = 1 ./ (1 + exp(-[ones(rows(X), 1) a] * Theta2'));
save("-6", "A.mat", "A");
"""


@needs_octave
def test_octave(tmp_path):
    from scipy.io import loadmat, savemat

    model, (X, _) = digits_model(), fastnn.load_digits()
    fastnn.export(model, tmp_path / "model.mat")
    savemat(tmp_path / "X.mat", {"X": X})
    subprocess.run([OCTAVE, "--norc", "--eval", OCTAVE_PROGRAM], cwd=tmp_path, check=True)
    np.testing.assert_allclose(loadmat(tmp_path / "A.mat")["A"], model.predict_proba(X), rtol=0, atol=1e-12)


def test_six_lines_of_the_course_read_the_mat(tmp_path):
    """What Octave would do, by SciPy."""
    from scipy.io import loadmat
    from scipy.special import expit

    model, (X, _) = digits_model(), fastnn.load_digits()
    fastnn.export(model, tmp_path / "model.mat")
    arrays = loadmat(tmp_path / "model.mat")
    ones = np.ones((len(X), 1))
    a = expit(np.hstack([ones, X]) @ arrays["Theta1"].T)
    A = expit(np.hstack([ones, a]) @ arrays["Theta2"].T)
    np.testing.assert_allclose(A, model.predict_proba(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda model: fastnn.export(model, "a.pb"),
            ValueError,
            "path is 'a.pb'; a name that ends in one of .onnx",
        ),
        (lambda model: fastnn.export(3, "a.h"), TypeError, "model must be a fastnn.Model, a fitted"),
        (lambda model: fastnn.export(model, "a.h", dtype="int8"), ValueError, "dtype is 'int8'"),
        (lambda model: fastnn.export(model, "a.onnx", dtype="float16"), ValueError, "dtype is 'float16'"),
        (
            lambda model: fastnn.export(model, "a.mat", dtype="float32"),
            ValueError,
            "dtype is 'float32', but .mat",
        ),
        (lambda model: fastnn.export(model, "no/a.h"), OSError, "No such file or directory"),
    ],
)
def test_refusals(call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        call(case("integers")[0])
    assert message in str(raised.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("file", ["a.onnx", "a.h"])
@pytest.mark.parametrize("what", ["classes", "weights"])
def test_what_cannot_be_represented(what, file, tmp_path):
    model, _ = table(np.array(["a", "b\udc80", "c"])[THREE] if what == "classes" else THREE)
    message = "model has the class 'b\\\\udc80', which is no text in Unicode"
    if what == "weights":
        model.weights = tuple(1e300 * W for W in model.weights)
        message = "dtype is 'float32', but the largest weight is .*e\\+300; 'float64' is wanted"
    with pytest.raises(ValueError, match=message):
        fastnn.export(model, tmp_path / file, dtype="float32")
    assert not [*tmp_path.iterdir()]


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "fastnn.model.export_onnx", raising=False)
    with pytest.raises(ImportError, match=r"^an \.onnx file needs onnx: python -m pip install onnx$"):
        fastnn.export(case("integers")[0], tmp_path / "a.onnx")
    assert not [*tmp_path.iterdir()]


def test_an_old_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.h"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        fastnn.export(case("integers")[0], path)
    assert path.read_text() == "old"


def test_command(tmp_path, monkeypatch, capsys):
    from fastnn.cli import main

    monkeypatch.chdir(tmp_path)
    model, _ = case("text")
    model.save("m.npz")
    for target in ("m.onnx", "m.h", "m.safetensors", "m.mat"):
        assert main(["export", "m.npz", target]) == 0
        assert capsys.readouterr().out == f"saved {target}: {Path(target).stat().st_size:,} bytes\n"
    assert main("export m.npz --c net.c --dtype float32".split()) == 0
    assert "typedef float net_real;" in Path("net.c").read_text()
    assert main("export m.npz m.pb".split()) == 2
    assert main("export missing.npz m.h".split()) == 2
    assert main("export m.npz no/m.h".split()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_all_suffixes_are_said():
    assert all(suffix in export.__doc__ for suffix in (".onnx", ".h", ".npz", ".mat", ".safetensors"))
