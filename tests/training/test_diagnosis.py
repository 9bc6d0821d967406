"""That a training says what kept it from learning, and never says so of data that are well scaled."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fastnn
from fastnn.cli import main
from fastnn.training import diagnosis

from ..conftest import examples

ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")
STATUS = {"converged", "iteration limit", "precision loss", "non-finite"}


def normal(seed, m=200, n=4):
    """Standardised columns, and classes that can be told from them."""
    Z = np.random.default_rng([seed, m, n]).standard_normal((m, n))
    return Z, np.where(Z.sum(axis=1) > 0, "in", "out")


def told(outcome):
    """Whether it says that something is wrong; all of its words must agree on it."""
    assert outcome.status in STATUS
    assert outcome.advice in outcome.message
    words = re.search("scaling|saturated|dead|scale|same", outcome.message)
    assert bool(words) == bool(outcome.advice), outcome.message
    assert not (outcome.advice and "maxiter" in outcome.message)
    return bool(outcome.advice)


def with_column(Z, column):
    return np.column_stack([Z, column])


# Of standardised Z (m, 4) unscaled data, and the columns that must be named, the first ones of them in any order.
UNSCALED = {
    "all of 1e5": (lambda Z: 1e5 * Z, {0, 1, 2, 3}),
    "one of 1e5": (lambda Z: with_column(Z, 1e5 * Z[:, 0]), {4}),
    "uint8": (lambda Z: np.clip(128 + 60 * Z, 0, 255).astype(np.uint8), {0, 1, 2, 3}),
    "money": (lambda Z: with_column(Z, 30000 * np.exp(0.5 * Z[:, 0])), {4}),
    "years": (lambda Z: with_column(Z, np.round(2010 + 4 * Z[:, 0])), {4}),
    "kelvin, alone": (lambda Z: 290 + 5 * Z[:, :1], {0}),
    "wine-like": (lambda Z: with_column(3 + Z, 750 + 300 * Z[:, 1]), {4}),
    "1e-12 around 1e6 among good ones": (lambda Z: with_column(Z, 1e6 + 1e-12 * Z[:, 0]), {4}),
    "1e-12 among columns of 1e6": (lambda Z: with_column(1e6 * Z, 1e-12 * Z[:, 0]), {0, 1, 2, 3}),
    "1e-12, alone": (lambda Z: 1e-12 * Z[:, :1], {0}),
    "1e-12 around 1e6, alone": (lambda Z: 1e6 + 1e-12 * Z[:, :1], {0}),
    "all of 1e-6": (lambda Z: 1e-6 * Z, {0, 1, 2, 3}),
    "acidity, alone": (lambda Z: 7.2 + 0.05 * Z[:, :1], {0}),
    "all around 50": (lambda Z: 50 + 0.5 * Z, {0, 1, 2, 3}),
    "a third of the examples": (lambda Z: with_column(Z, np.where(Z[:, 0] > 0.4, 5e4, 0.0)), {4}),
    "float32": (lambda Z: (1e5 * Z).astype(np.float32), {0, 1, 2, 3}),
}


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize("name", UNSCALED)
def test_unscaled_columns_are_named(name, solver):
    change, want = UNSCALED[name]
    for seed in range(10):
        Z, y = normal(seed)
        X = change(Z)
        model = fastnn.train(X, y, solver=solver, seed=seed, maxiter=4, activation=ACTIVATIONS[seed % 4])
        assert told(model.outcome)
        assert "scaling" in model.outcome.message
        got = {int(number) for number in re.findall(r"(\d+) \((?:always )?-?\d", model.outcome.advice)}
        assert got <= want
        assert len(got) == min(3, len(want))
        assert ", but " in repr(model)


def unscaled_frame():
    pandas = pytest.importorskip("pandas")
    Z, y = normal(0)
    return pandas.DataFrame({"age": Z[:, 0], "in'come": 3e4 * np.exp(Z[:, 1]), "rooms": Z[:, 2]}), y


def test_columns_of_a_frame_go_by_their_names():
    X, y = unscaled_frame()
    advice = fastnn.train(X, y, 5, maxiter=3).outcome.advice
    assert re.search(r"""X wants scaling: column "in'come" \(\S+ to \S+\) is too large""", advice)
    advice = fastnn.train(1e5 * X, y, 5, maxiter=3).outcome.advice
    assert re.search(r"""columns "in'come" \(.*\), '(age|rooms)' \(.*\), '(age|rooms)' \(.*\) are too large""", advice)
    assert "counted" not in advice
    advice = fastnn.train(0.0 * X + 1.0, y, 5, maxiter=3).outcome.advice
    assert advice.startswith("all examples in X are the same: columns 'age' (always 1), ")


def test_columns_of_a_table_go_by_their_names_on_the_command_line(tmp_path, monkeypatch, capsys):
    X, y = unscaled_frame()
    monkeypatch.chdir(tmp_path)
    X.assign(kind=y).to_csv("a.csv", index=False)
    options = ["--data", "a.csv", "--maxiter", "3", "--checkpoint", "c.npz"]
    assert main(["train", *options]) == 0
    assert """X wants scaling: column "in'come" (""" in capsys.readouterr().out
    assert main(["resume", "c.npz", "--data", "a.csv", "--maxiter", "5"]) == 0
    assert """X wants scaling: column "in'come" (""" in capsys.readouterr().out
    assert fastnn.load("c.npz").feature_names == (*X.columns,)


def test_columns_of_a_frame_go_by_their_names_in_an_estimator():
    sklearn = pytest.importorskip("sklearn.exceptions")
    from fastnn.estimator import FastNNClassifier

    with pytest.warns(sklearn.ConvergenceWarning, match="""X wants scaling: column "in'come" """):
        FastNNClassifier((5,), max_iter=3).fit(*unscaled_frame())


def test_a_number_far_from_the_mean_is_told_with_the_name_of_its_column():
    X, y = unscaled_frame()
    model = fastnn.train(X, y, 5, maxiter=3, standardize=True)
    X.loc[3, "rooms"] = 1e20
    with pytest.warns(UserWarning, match="deviations from the mean in column 'rooms', whose deviation is"):
        model.predict(X)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
def test_digits_as_bytes(digits, solver):
    X = np.round(digits[0] * 255).clip(0, 255).astype(np.uint8)[::10]
    for seed in range(10):
        maxiter = 5 if seed else 50
        outcome = fastnn.train(X, digits[1][::10], solver=solver, seed=seed, maxiter=maxiter).outcome
        assert told(outcome)
        assert re.search(
            r"\d+ of 25 hidden units are saturated, X wants scaling: columns \d+ \(0 to 255\)", outcome.advice
        )
        assert re.search(r" and \d+ more, counted from 0, are too large", outcome.advice)


PIXELS = np.array([50, 70, 24, 49, 136, 255, 255, 255, 194, 30, 50, 25])[:, np.newaxis]


@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_one_saturated_column(solver, activation):
    for seed in range(10):
        model = fastnn.train(PIXELS, PIXELS[:, 0] > 250, 3, 0.0, solver=solver, seed=seed, activation=activation)
        assert re.search(
            r"[123] of 3 hidden units are saturated, X wants scaling: column 0 \(24 to 255\)", str(model.outcome)
        )
        assert "hidden units are saturated" in repr(model)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in UNSCALED if name != "1e-12 around 1e6, alone"])
def test_the_remedy_helps(name):
    Z, y = normal(0)
    X = UNSCALED[name][0](with_column(Z, np.ones(len(Z)))[:, [4, 0, 1, 2, 3]] if "alone" not in name else Z)
    y = y if "alone" not in name else np.where(Z[:, 0] > 0, "in", "out")
    before = fastnn.train(X, y, maxiter=50)
    assert told(before.outcome)
    remedy = "train again with standardize=True"
    remedy += ", or with scale=1/255 if these bytes are pixels" if name == "uint8" else ""
    assert before.outcome.message.endswith(remedy)
    after = fastnn.train(X, y, maxiter=50, standardize=True)
    assert not told(after.outcome)
    assert after.score(X, y) > 0.9


def test_examples_that_are_all_the_same():
    for X in (np.zeros((6, 2)), np.full((6, 1), 1e6), np.tile([0.1, 3.0, -7.0], (6, 1)).astype(np.float32)):
        outcome = fastnn.train(X, [0, 1, 0, 1, 0, 1], maxiter=2).outcome
        assert told(outcome)
        assert "all examples in X are the same" in outcome.message
        assert "standardize" not in outcome.message


def counts(rng, m, n):
    return rng.poisson(0.3, (m, n)) + 0.0


# Data that need no scaling.
SCALED = {
    "normal": lambda rng, m, n: rng.standard_normal((m, n)),
    "uniform": lambda rng, m, n: rng.random((m, n)),
    "binary": lambda rng, m, n: rng.integers(0, 2, (m, n)) + 0.0,
    "one-hot": lambda rng, m, n: np.eye(max(n, 2))[rng.integers(0, max(n, 2), m)],
    "counts": counts,
    "heavy tails": lambda rng, m, n: standardised(rng.standard_t(1.5, (m, n))),
    "lognormal": lambda rng, m, n: standardised(np.exp(2 * rng.standard_normal((m, n)))),
    "rare": lambda rng, m, n: (np.arange(m)[:, np.newaxis] == np.arange(n) % m) + 0.0,
    "constant columns": lambda rng, m, n: np.column_stack([rng.standard_normal((m, n)), np.ones(m), np.zeros(m)]),
    "nearly constant ones": lambda rng, m, n: np.column_stack([rng.standard_normal((m, n)), 1e-4 * rng.random((m, 3))]),
    "float32": lambda rng, m, n: rng.standard_normal((m, n)).astype(np.float32),
}


def standardised(X):
    std = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(std > 0, std, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize("name", SCALED)
def test_well_scaled_data_are_never_told(name, solver):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        m, n = [(2000, 8), (150, 1), (60, 300), (10, 3)][seed % 4]
        X = SCALED[name](rng, m, n)
        y = np.arange(m) % 3
        hidden = [(), 1, 25, (6, 5), 100][seed % 5]
        lmbda, activation = [0.0, 1.0][seed % 2], ACTIVATIONS[(seed + seed // 4) % 4]  # of several shapes each
        model = fastnn.train(X, y, hidden, lmbda, solver=solver, seed=seed, maxiter=5, activation=activation)
        if "are dead: " in model.outcome.advice:  # which small layers of relu may be, whatever X
            assert model.activation == "relu"
            continue
        assert not told(model.outcome), model.outcome.message
        assert "but" not in repr(model)


@examples(60)
@given(arrays(np.int16, st.tuples(st.integers(2, 40), st.integers(1, 12))), st.integers(1, 30))
def test_standardised_columns_are_never_too_large(X, h):
    assert len(diagnosis._too_large(standardised(X.astype(float)), h)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
def test_the_digits_are_never_told(digits, solver):
    X, y = digits
    for seed in range(10):
        for inputs in (X[::10], standardised(X[::10])):
            assert not told(fastnn.train(inputs, y[::10], solver=solver, seed=seed, maxiter=10).outcome)
    assert not told(fastnn.train(X[::10], y[::10], lmbda=0.0, solver=solver, maxiter=200).outcome)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_iris_and_wine(name, solver):
    """Standardised never, not with steep units of a long training either; iris as it comes neither, but wine does."""
    data = pytest.importorskip("sklearn.datasets")
    raw, y = getattr(data, f"load_{name}")(return_X_y=True)
    X = standardised(raw)
    for seed in range(10):
        assert not told(fastnn.train(X, y, solver=solver, seed=seed, maxiter=30).outcome)
        assert told(fastnn.train(raw, y, solver=solver, seed=seed, maxiter=5).outcome) == (name == "wine")
    for activation in ACTIVATIONS:
        assert not told(fastnn.train(X, y, 25, 0.0, solver=solver, maxiter=500, activation=activation).outcome)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_steep_units_of_separable_data_are_not_told(solver, activation):
    Z, y = normal(1)
    for seed in range(5):
        model = fastnn.train(Z, y, 4, 0.0, solver=solver, seed=seed, maxiter=2000, activation=activation)
        assert model.outcome.cost < 1e-3
        assert not told(model.outcome)


def test_hard_steps_are_not_told():
    """Every unit is saturated for every example, but not at the same end: such steps may be right."""
    Z, y = normal(2)
    Z[:, 0] += np.sign(Z[:, 0])
    y = Z[:, 0] > 0
    step = np.array([[0.0, 1e3, 0.0, 0.0, 0.0]])
    top = np.array([[20.0, -40.0], [-20.0, 40.0]])
    model = fastnn.train(Z, y, lmbda=0.0, weights=(step, top))
    assert model.outcome.status == "converged"
    assert model.score(Z, y) == 1.0
    assert not told(model.outcome)


@pytest.mark.parametrize("solver", ["cg", "l-bfgs"])
@pytest.mark.parametrize(
    ("activation", "bias", "word"),
    [
        ("sigmoid", 60.0, "saturated"),
        ("sigmoid", -60.0, "saturated"),
        ("tanh", 60.0, "saturated"),
        ("relu", -60.0, "dead"),
    ],
)
@pytest.mark.parametrize("layer", [1, 2])
def test_a_layer_that_is_the_same_for_every_example(layer, activation, bias, word, solver):
    Z, y = normal(3)
    weights = fastnn.init_weights((4, 6, 5, 2), 1)
    weights[layer - 1][:, 0] = bias
    model = fastnn.train(Z, y, weights=weights, activation=activation, lmbda=0.0, solver=solver, maxiter=200)
    units = (6, 5)[layer - 1]
    assert told(model.outcome)
    assert f"all {units} hidden units of layer {layer} are {word}" in model.outcome.message
    assert f"but all {units} hidden units" in repr(model)
    assert "X wants scaling" not in model.outcome.message
    weights[layer - 1][0, 0] = 0.0
    one = fastnn.train(Z, y, weights=weights, activation=activation, lmbda=0.0, solver=solver, maxiter=20)
    assert "all " not in one.outcome.advice


@pytest.mark.parametrize("bias", [0.0, 60.0, -60.0])
def test_linear_units_are_never_flat(bias):
    """Whatever their pre-activations are, they have their slope, and learn; X alone can keep them from it."""
    Z, y = normal(3)
    weights = fastnn.init_weights((4, 6, 5, 2), 1)
    weights[0][:, 0] = bias
    model = fastnn.train(Z, y, weights=weights, activation="identity", lmbda=0.0, maxiter=200)
    assert not told(model.outcome), model.outcome.message
    assert model.score(Z, y) > 0.95
    outcome = fastnn.train(1e5 * Z, y, weights=weights, activation="identity", maxiter=3).outcome
    assert told(outcome)
    assert outcome.advice.startswith("X wants scaling: ")


def test_what_a_sample_misses():
    """One of 5,000 examples is different, and it is none of those that are looked at first."""
    X = np.zeros((5000, 1))
    X[2] = 1.0
    y = X[:, 0] > 0
    assert not told(fastnn.train(X, y, 3, maxiter=3).outcome)
    step = np.array([[-30.0, 60.0]])
    assert not told(fastnn.train(X, y, lmbda=0.0, weights=(step, np.ones((2, 2))), maxiter=3).outcome)


def test_a_few_wild_examples_are_not_told():
    """It is the others that train the network; from one in ten on they are told."""
    Z, y = normal(4)
    Z[50] = 1e9
    assert not told(fastnn.train(Z, y, maxiter=5).outcome)
    Z[::10] = 1e4
    assert told(fastnn.train(Z, y, maxiter=5).outcome)


def test_examples_that_weigh_nothing_have_no_say():
    Z, y = normal(5)
    weight = np.arange(200) % 2 + 0.0
    X = np.where(weight[:, np.newaxis] > 0, Z, 1e6)
    assert not told(fastnn.train(X, y, sample_weight=weight, maxiter=5).outcome)
    outcome = fastnn.train(X, y, sample_weight=1.0 - weight, maxiter=5).outcome
    assert told(outcome)
    assert "(always 1e+06)" in outcome.message


@pytest.mark.parametrize("hidden", [(), 1, (5, 4, 3)])
def test_any_number_of_layers(hidden):
    Z, y = normal(6)
    assert told(fastnn.train(1e5 * Z, y, hidden, maxiter=3).outcome)
    assert told(fastnn.train(1e-5 * Z, y, hidden, maxiter=3).outcome)
    assert not told(fastnn.train(Z, y, hidden, maxiter=3).outcome)


def test_two_examples():
    assert not told(fastnn.train([[0.0], [1.0]], [0, 1], maxiter=3).outcome)
    assert told(fastnn.train([[0.0], [1e4]], [0, 1], maxiter=3).outcome)


def test_too_large_to_begin_with():
    """The cost is infinite at the start, and no weights were passed that could be to blame."""
    with pytest.raises(ValueError, match=r"not finite; X wants scaling: columns .* are too large"):
        fastnn.train(1e307 * normal(7)[0], normal(7)[1], (5, 5), activation="relu")


def test_a_scale_is_named():
    with pytest.raises(ValueError, match=r"not finite; .*X times scale=1e\+308 wants scaling: columns"):
        fastnn.train(*normal(7), 5, scale=1e308)
    outcome = fastnn.train(*normal(7), 5, maxiter=2, scale=1e3).outcome
    assert "X times scale=1000 wants scaling: columns" in outcome.message


def test_the_same_weights_as_without_it(monkeypatch):
    Z, y = normal(8)
    want = fastnn.train(1e3 * Z, y, maxiter=10)
    monkeypatch.setattr(diagnosis, "advice", lambda *arguments, names: None)
    got = fastnn.train(1e3 * Z, y, maxiter=10)
    assert np.array_equal(fastnn.pack(got.weights), fastnn.pack(want.weights))
    assert want.outcome.advice
    assert not got.outcome.advice


def test_files_keep_the_advice_and_old_ones_have_none(tmp_path):
    Z, y = normal(9)
    model = fastnn.train(1e5 * Z, y, maxiter=3)
    model.save(tmp_path / "new.npz")
    assert repr(fastnn.load(tmp_path / "new.npz")) == repr(model)
    with np.load(tmp_path / "new.npz") as archive:
        entries = {name: archive[name] for name in archive.files if name not in ("checksum", "scale")}
    outcome = json.loads(str(entries["outcome"]))
    del outcome["advice"]
    np.savez(tmp_path / "old.npz", **entries | {"outcome": np.array(json.dumps(outcome))})
    assert fastnn.load(tmp_path / "old.npz").outcome.advice == ""
