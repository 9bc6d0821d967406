"""Training from data to model."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn.inputs import validation
from fastnn.training import checkpoint
from fastnn.training.solvers import SOLVERS

from .conftest import ENGINES


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    return np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])[y] + 0.5 * rng.standard_normal((120, 2)), y


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_fifty_iterations_reach_the_courses_accuracy(digits, seed):
    model = fastnn.train(*digits, 25, 1.0, maxiter=50, seed=seed)
    assert model.outcome.status == "iteration limit"
    assert model.score(*digits) >= 0.953


@pytest.mark.slow
def test_four_hundred_iterations_know_every_digit(digits):
    model = fastnn.train(*digits, lmbda=0.1, maxiter=400)
    assert model.score(*digits) == 1.0
    assert model.outcome.cost < 0.08


@pytest.mark.slow
def test_l_bfgs(digits):
    model = fastnn.train(*digits, solver="l-bfgs")
    assert model.score(*digits) >= 0.953
    assert model.outcome.iterations <= 50


@pytest.mark.parametrize("alias", validation.ALIASES)
def test_scikit_learns_name_trains_the_same_model(blobs, tmp_path, alias):
    own = validation.ALIASES[alias]
    arguments = ["solver"] if own in SOLVERS else ["activation", "output"]
    want = fastnn.train(*blobs, 4, 0.1, maxiter=5, **dict.fromkeys(arguments, own))
    path = tmp_path / "training.npz"
    got = fastnn.train(*blobs, 4, 0.1, maxiter=5, **dict.fromkeys(arguments, alias), checkpoint=path)
    assert np.array_equal(fastnn.pack(got.weights), fastnn.pack(want.weights))
    got.save(tmp_path / "model.npz")
    for model in (got, fastnn.load(tmp_path / "model.npz"), fastnn.load(path)):
        assert (model.activation, model.output) == (want.activation, want.output)
    _, config, _ = checkpoint.read(path)
    assert config.solver == (own if own in SOLVERS else "cg")
    if own not in SOLVERS:
        family = {"activation": alias, "output": alias}
        assert np.array_equal(fastnn.forward(want.weights, blobs[0], **family), want.predict_proba(blobs[0]))
        cost, _ = fastnn.cost_and_gradient(want.weights, *blobs, 0.1, **family)
        assert cost == want.outcome.cost


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


@pytest.mark.slow
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


@pytest.mark.slow
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


# ---- numbers, and several labels at once


@pytest.fixture(scope="module")
def curve():
    """A smooth function of two inputs, and another."""
    rng = np.random.default_rng(2)
    X = rng.uniform(-2, 2, (200, 2))
    return X, np.column_stack([np.sin(X[:, 0]) + 0.5 * X[:, 1], 3.0 - X[:, 0] * X[:, 1]])


@pytest.mark.parametrize("shape", ["(m,)", "(m, 1)", "(m, 2)"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_regression(curve, shape, activation, tmp_path):
    X, Y = curve
    y = {"(m,)": Y[:, 0], "(m, 1)": Y[:, :1], "(m, 2)": Y}[shape]
    model = fastnn.train(X, y, 20, 1e-3, output="identity", activation=activation, solver="l-bfgs", maxiter=400)
    got = model.predict(X)
    assert got.shape == (Y.shape if shape == "(m, 2)" else (200,))
    want = fastnn.forward(model.weights, X, activation=activation, output="identity")
    assert np.array_equal(got.reshape(want.shape), want)
    T = y.reshape(200, -1)
    R2 = 1 - ((T - want) ** 2).sum(axis=0) / ((T - T.mean(axis=0)) ** 2).sum(axis=0)
    assert model.score(X, y) == pytest.approx(R2.mean(), rel=1e-12)
    assert model.score(X, y) > 0.99
    assert model.classes is None
    decay = 1e-3 / 400 * sum((W[:, 1:] ** 2).sum() for W in model.weights)
    assert model.outcome.cost == pytest.approx(((T - want) ** 2).sum() / 400 + decay, rel=1e-12)
    for name in ("m.npz", "m.mat"):
        model.save(tmp_path / name)
        again = fastnn.load(tmp_path / name)
        assert again.classes is None
        assert np.array_equal(again.predict(X), got)
    with pytest.raises(ValueError, match="the model predicts numbers, without probabilities; predict has them"):
        model.predict_proba(X)


def test_integers_and_lists_are_numbers(curve):
    y = np.arange(200) % 3
    costs = [fastnn.train(curve[0], same, 3, output="identity").outcome.cost for same in (y + 0.0, y, y.tolist())]
    assert len(set(costs)) == 1


@pytest.mark.parametrize("K", [1, 4])
def test_several_labels(blobs, K, tmp_path):
    X, y = blobs
    labels = np.column_stack([y == 0, y != 1, X[:, 0] > 0, X[:, 1] > 0])[:, :K]
    model = fastnn.train(X, labels, 6, 0.01, multilabel=True, maxiter=200)
    A = model.predict_proba(X)
    assert A.shape == (120, K)
    got = model.predict(X)
    assert got.dtype == np.int64
    assert np.array_equal(got, A > 0.5)
    assert model.score(X, labels) == (got == labels).all(axis=1).mean() > 0.95
    assert model.classes.tolist() == list(range(K))
    J = fastnn.cost_and_gradient(model.weights, X, labels.astype(float), 0.01)[0]
    assert model.outcome.cost == pytest.approx(J, rel=1e-14)
    model.save(tmp_path / "m.npz")
    again = fastnn.load(tmp_path / "m.npz")
    assert again.multilabel
    assert np.array_equal(again.predict(X), got)


def test_a_frame_of_labels_names_them(blobs):
    pandas = pytest.importorskip("pandas")
    X, y = blobs
    labels = pandas.DataFrame({"red": y == 0, "round": y != 1})
    model = fastnn.train(X, labels, 3, multilabel=True, maxiter=2)
    assert model.classes.tolist() == ["red", "round"]
    assert model.score(X, labels) == model.score(X, labels.to_numpy())


@pytest.mark.parametrize(
    ("y", "options", "sentence"),
    [
        (np.zeros(120), {"multilabel": True}, "y has shape (120,); (120, K) of 0 and 1 is wanted with multilabel=True"),
        (np.full((120, 2), 0.5), {"multilabel": True}, "y holds 0.5 at index (0, 0); 0 and 1 are wanted"),
        (np.eye(120, 3), {"multilabel": True, "output": "softmax"}, "output is 'softmax', with multilabel=True"),
        (
            np.eye(120, 3),
            {"multilabel": True, "class_weight": "balanced"},
            "class_weight is 'balanced', but y holds no",
        ),
        (np.zeros((119, 2)), {"output": "identity"}, "y has shape (119, 2); (120,) or (120, K) is wanted, numbers for"),
        (np.zeros((120, 2, 1)), {"output": "identity"}, "y has shape (120, 2, 1); (120,) or (120, K) is wanted"),
        (["a"] * 120, {"output": "identity"}, "y has dtype <U1; real numbers are wanted"),
        ([None] * 120, {"output": "identity"}, "y holds None at index 0; a finite number is wanted there"),
        ([np.inf] * 120, {"output": "identity"}, "y holds inf at index 0; finite numbers are wanted"),
        (
            np.zeros(120),
            {"output": "identity", "class_weight": {0: 1}},
            "class_weight is {0: 1}, but y holds no classes",
        ),
    ],
)
def test_answers_that_do_not_fit(blobs, y, options, sentence):
    with pytest.raises((ValueError, TypeError)) as caught:
        fastnn.train(blobs[0], y, 3, **options)
    assert str(caught.value).startswith(sentence)


# ---- class weights


def test_balanced_is_repeated_examples(blobs):
    """Of 10, 20 and 40 examples: 4, 2 and 1 times each; lmbda goes with the number of examples."""
    X, y = blobs
    some = np.r_[0:10, 40:60, 80:120]
    X, y = X[some], y[some]
    times = np.array([4, 2, 1])[y]
    repeated = fastnn.train(X.repeat(times, axis=0), y.repeat(times), 4, 120 / 70, maxiter=4)
    for options in ({"class_weight": "balanced"}, {"class_weight": {0: 70 / 30, 1: 70 / 60, 2: 70 / 120}}):
        model = fastnn.train(X, y, 4, 1.0, maxiter=4, **options)
        np.testing.assert_allclose(model.history.cost, repeated.history.cost, rtol=1e-12)
    # and with example weights, which the balance counts
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = fastnn.train(X, y, 4, 1.0, maxiter=4, class_weight="balanced", sample_weight=weight)
    counted = fastnn.train(X.repeat(weight, axis=0), y.repeat(weight), 4, 1.0, maxiter=4, class_weight="balanced")
    np.testing.assert_allclose(weighted.history.cost, counted.history.cost, rtol=1e-12)


def test_class_weights_go_by_the_label(blobs):
    X, y = blobs
    text = np.array(["a", "b", "c"])[y]
    weights = np.array([1.0, 3.0, 0.5])[y]
    want = fastnn.train(X, y, 4, maxiter=5, sample_weight=weights).history.cost.tolist()
    assert fastnn.train(X, y, 4, maxiter=5, class_weight={1: 3, 2: 0.5}).history.cost.tolist() == want
    assert fastnn.train(X, text, 4, maxiter=5, class_weight={"c": 0.5, "b": 3.0}).history.cost.tolist() == want
    ones = fastnn.train(X, y, 4, maxiter=5, class_weight={1: 3}, sample_weight=np.where(y == 1, 1 / 3, 1)).history.cost
    np.testing.assert_allclose(ones, fastnn.train(X, y, 4, maxiter=5).history.cost, rtol=1e-12)


def test_class_weights_count_in_the_validation_cost_and_not_in_its_score(blobs):
    X, y = blobs
    model = fastnn.train(X[::2], y[::2], 4, maxiter=5, class_weight={1: 5}, validation=(X[1::2], y[1::2]))
    weights = np.array([1.0, 5.0, 1.0])[y[1::2]]
    want, _ = fastnn.cost_and_gradient(model.weights, X[1::2], y[1::2], sample_weight=weights)
    assert model.history.validation_cost[-1] == pytest.approx(want, rel=1e-14)
    assert model.history.validation_score[-1] == model.score(X[1::2], y[1::2])


@pytest.mark.parametrize(
    ("class_weight", "sentence"),
    [
        ("balance", "class_weight is 'balance'; a dict {label: weight} or 'balanced' is wanted"),
        ([1, 2, 3], "class_weight is [1, 2, 3]; a dict"),
        ({3: 1.0}, "class_weight has 3, which is no label in y; of 0, 1, 2 some are wanted"),
        ({"0": 1.0}, "class_weight has '0', which is no label in y"),
        ({0: -1.0}, "class_weight[0] is -1.0; a finite number of at least 0 is wanted"),
        ({0: "1"}, "class_weight[0] is '1'; a finite number"),
        ({0: 0, 1: 0, 2: 0}, "class_weight, times sample_weight, has the sum 0; a positive, finite one is wanted"),
    ],
)
def test_class_weights_that_do_not_fit(blobs, class_weight, sentence):
    with pytest.raises((ValueError, TypeError)) as caught:
        fastnn.train(*blobs, 4, class_weight=class_weight)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_gets_there(blobs, solver):
    """The minimum of a problem that has one only."""
    X, y = blobs
    model = fastnn.train(X, y, (), 1.0, solver=solver, maxiter=2000, output="softmax")
    assert model.outcome.status == "converged"
    assert model.outcome.cost == pytest.approx(fastnn.train(X, y, (), 1.0, maxiter=2000, output="softmax").outcome.cost)


def test_weights_of_examples_held_out(blobs):
    """Whole numbers are as good as so many examples, in the cost and in the score."""
    X, y = blobs
    rows, weight = np.arange(0, 120, 3), np.arange(40) % 4
    others = np.repeat(rows, weight)
    got, want = (
        fastnn.train(X, y, 3, maxiter=4, validation=validation).history
        for validation in ((X[rows], y[rows], weight), (X[others], y[others]))
    )
    # The sums of some 60 losses, added in another order.
    assert np.allclose(got.validation_cost, want.validation_cost, rtol=60 * np.finfo(float).eps, atol=0.0)
    assert np.allclose(got.validation_score, want.validation_score, rtol=60 * np.finfo(float).eps, atol=0.0)
    assert len(set(got.validation_score)) > 1
    with pytest.raises(ValueError, match=r"validation: sample_weight has shape \(39,\); \(40,\) is wanted"):
        fastnn.train(X, y, 3, validation=(X[rows], y[rows], weight[1:]))


def test_class_weights_of_one_output_for_two_classes(blobs):
    """Its 0 and 1 are classes; they count in the cost and not in the score."""
    X, y = blobs
    yes = (y == 1).astype(int)[:, None]
    given = {"hidden": 3, "maxiter": 4, "multilabel": True, "validation": (X[::2], yes[::2])}
    for class_weight, factors in (({1: 3.0}, (1.0, 3.0)), ("balanced", (0.75, 1.5))):
        weight = np.array(factors)[yes[:, 0]]
        got = fastnn.train(X, yes, class_weight=class_weight, **given).history
        want = fastnn.train(
            X, yes, sample_weight=weight, **given | {"validation": (X[::2], yes[::2], weight[::2])}
        ).history
        assert got.cost.tolist() == want.cost.tolist()
        assert got.validation_cost.tolist() == want.validation_cost.tolist()
    plain = fastnn.train(X, yes, class_weight={1: 1.0}, **given).history
    assert plain.validation_score[0] == got.validation_score[0]
    with pytest.raises(ValueError, match="class_weight is 'balanced', but y holds no classes"):
        fastnn.train(X, np.column_stack([yes, yes]), 3, multilabel=True, class_weight="balanced")
