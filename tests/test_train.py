"""Training from data to model."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastnn

from .conftest import ENGINES


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    return np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])[y] + 0.5 * rng.standard_normal((120, 2)), y


@pytest.mark.parametrize("seed", range(10))
def test_fifty_iterations_reach_the_courses_accuracy(digits, seed):
    model = fastnn.train(*digits, 25, 1.0, maxiter=50, seed=seed)
    assert model.outcome.status == "iteration limit"
    assert model.score(*digits) >= 0.953


def test_four_hundred_iterations_know_every_digit(digits):
    model = fastnn.train(*digits, lmbda=0.1, maxiter=400)
    assert model.score(*digits) == 1.0
    assert model.outcome.cost < 0.08


def test_l_bfgs(digits):
    model = fastnn.train(*digits, solver="l-bfgs")
    assert model.score(*digits) >= 0.953
    assert model.outcome.iterations <= 50


def test_engines_train_alike(blobs):
    costs = [fastnn.train(*blobs, 4, 0.1, engine=engine, maxiter=20).history.cost for engine in ENGINES]
    for cost in costs[1:]:
        np.testing.assert_allclose(cost, costs[0], rtol=1e-6)


def test_same_seed_same_bits(blobs):
    first, again = fastnn.train(*blobs, 4, seed=3), fastnn.train(*blobs, 4, seed=3)
    other = fastnn.train(*blobs, 4, seed=4)
    assert np.array_equal(fastnn.pack(first.weights), fastnn.pack(again.weights))
    assert not np.array_equal(fastnn.pack(first.weights), fastnn.pack(other.weights))


@pytest.mark.parametrize("hidden", [1, (5,), [5, 4], (3, 4, 3), ()])
def test_any_number_of_hidden_layers(blobs, hidden):
    model = fastnn.train(*blobs, hidden, 0.1, maxiter=5)
    want = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    assert model.sizes == (2, *want, 3)
    assert model.outcome.cost < model.history.cost[0]


@pytest.mark.parametrize(
    "names", [np.array([10, 1, 2]), np.array([-0.5, 0.5, 2.5]), np.array(["cat", "ant", "bee"]), ["b", "a", "c"]]
)
def test_labels_of_any_kind(blobs, names):
    X, y = blobs
    labels = np.asarray(names)[y]
    model = fastnn.train(X, labels, 4, 0.1)
    assert model.classes.tolist() == sorted(names)
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) == np.mean(model.predict(X) == labels) > 0.95


def test_labels_in_an_object_array_and_booleans(blobs):
    X, y = blobs
    text = np.array(["a", "b", "c"], dtype=object)[y]
    assert fastnn.train(X, text, 4, maxiter=2).classes.tolist() == ["a", "b", "c"]
    assert fastnn.train(X, y == 1, 4, maxiter=2).classes.tolist() == [False, True]


def test_starting_weights(blobs):
    first = fastnn.train(*blobs, 4, 0.1, maxiter=10)
    before = fastnn.pack(first.weights)
    second = fastnn.train(*blobs, lmbda=0.1, maxiter=10, weights=first.weights)
    assert second.sizes == first.sizes
    assert second.history.cost[0] == first.outcome.cost
    assert second.outcome.cost < first.outcome.cost
    assert np.array_equal(fastnn.pack(first.weights), before)


def test_history(blobs):
    model = fastnn.train(*blobs, 4, 0.1, maxiter=12)
    history = model.history
    assert history.dtype.names == ("cost", "gradient_norm", "evaluations", "seconds")
    assert len(history) == model.outcome.iterations + 1
    assert (np.diff(history.cost) <= 0).all()
    assert history["cost"][-1] == model.outcome.cost
    assert history.evaluations[0] == 1
    J, gradient = fastnn.cost_and_gradient(model.weights, blobs[0], blobs[1], 0.1)
    assert history.cost[-1] == J
    assert history.gradient_norm[-1] == max(np.abs(dW).max() for dW in gradient)


def test_progress(digits, capsys):
    fastnn.train(*digits, maxiter=3)
    assert capsys.readouterr().err == ""
    fastnn.train(*digits, progress=True)
    shown = capsys.readouterr().err
    assert "training" in shown
    assert "cost" in shown


def test_data_are_left_alone(blobs):
    X, y = (np.copy(part) for part in blobs)
    X.setflags(write=False)
    y.setflags(write=False)
    fastnn.train(X, y, 4, maxiter=2)
    assert np.array_equal(X, blobs[0])


TRAINED = """
import hashlib, fastnn
X, y = fastnn.load_digits()
for options in ({"solver": "cg"}, {"solver": "l-bfgs", "output": "softmax"}):
    for kind in ("float64", "float32"):
        model = fastnn.train(X.astype(kind), y, maxiter=15, **options)
        print(hashlib.sha256(fastnn.pack(model.weights)).hexdigest())
"""


def test_the_same_bits_however_it_runs():
    """Any number of threads, of the kernels and of BLAS, and another threading layer: the same trained weights."""
    got = set()
    for environment in (
        {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"NUMBA_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"NUMBA_NUM_THREADS": "3", "NUMBA_THREADING_LAYER": "workqueue"},
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-c", TRAINED],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        got.add(done.stdout)
    assert len(got) == 1
    assert len(set(got.pop().split())) == 4
