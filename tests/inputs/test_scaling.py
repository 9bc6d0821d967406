"""Columns of mean 0 and deviation 1: right to rounding far from 0, and kept by the model."""

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import files
from fastnn.inputs.scaling import ROWS, Scaling

NONE = np.empty(0)


def exact(X, weight=None):
    """In extended precision."""
    X = X.astype(np.longdouble)
    share = np.ones(len(X), np.longdouble) if weight is None else weight.astype(np.longdouble)
    share = (share / share.sum())[:, np.newaxis]
    mean = (share * X).sum(axis=0)
    return mean, np.sqrt((share * (X - mean) ** 2).sum(axis=0))


@pytest.mark.parametrize("m", [2, 3, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_and_deviation(m, weighted):
    """Levels and spans of all sizes; an error of m roundings at most, of the span for the mean."""
    rng = np.random.default_rng(m)
    X = rng.standard_normal((m, 5)) * [1.0, 1e-6, 1e150, 1e-150, 3.0] + [0.0, 1e3, 1e151, 0.0, 1e4]
    weight = rng.integers(1, 5, m).astype(float) if weighted else NONE
    got = Scaling.of(X, weight)
    mean, deviation = exact(X, weight if weighted else None)
    bound = m * np.finfo(float).eps
    assert (np.abs(got.mean - mean) <= bound * (deviation + np.abs(mean) * 4 / m)).all()
    np.testing.assert_allclose(got.deviation, deviation.astype(float), rtol=bound + 4e-16 * 1e9)
    Z = got.apply(X)
    assert Z.dtype == X.dtype
    np.testing.assert_allclose(Z, ((X - mean) / deviation).astype(float), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("level", [0.0, 0.1, -1e4, 1e30])
def test_a_constant_column_becomes_0(dtype, level):
    """Also one that differs by a rounding, which scaled up would be noise."""
    X = np.full((1000, 3), level, dtype)
    X[::3, 1] = np.nextafter(X[::3, 1], dtype(np.inf)) if level else 0.0
    X[:, 2] = np.arange(1000)
    scaling = Scaling.of(X, NONE)
    assert scaling.deviation[:2].tolist() == [1.0, 1.0]
    with warnings.catch_warnings():
        if level == 1e30:  # its rounding is 1e14, which is told of
            warnings.simplefilter("ignore")
        Z = scaling.apply(X)
    assert (Z[:, 0] == 0.0).all()
    assert np.abs(Z[:, 1]).max() <= 2 * np.spacing(np.abs(dtype(level)))
    assert Z[:, 2].std() == pytest.approx(1.0, rel=1e-5)


def test_examples_of_weight_0_do_not_count():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    weight = (np.arange(50) % 2).astype(float)
    wild = np.where(weight[:, np.newaxis] > 0, X, 1e9)
    for got, want in zip(Scaling.of(wild, weight), Scaling.of(X[1::2], NONE), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_digits_far_from_0_train_like_the_digits(digits, dtype):
    """Times 255 plus 10,000: the same standardised columns, to the rounding of such numbers."""
    X, y = digits
    far = (X * 255.0 + 10_000.0).astype(dtype)
    plain = fastnn.train(X, y, maxiter=30, standardize=True)
    model = fastnn.train(far, y, maxiter=30, standardize=True)
    assert not model.outcome.advice
    # Near 10,000 float64 holds 2e-12 and float32 1e-3: at the images' edges columns of that deviation are noise, or
    # constant. The first steps are the same but for those.
    rtol = 1e-3 if dtype == np.float64 else 1e-2
    np.testing.assert_allclose(model.history.cost[:4], plain.history.cost[:4], rtol=rtol)
    assert model.outcome.cost == pytest.approx(plain.outcome.cost, rel=0.05)
    assert model.score(far, y) > 0.97
    assert fastnn.train(far, y, maxiter=30).outcome.advice


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 3)) * [1.0, 100.0, 1e-3] + [0.0, 5e3, 1.0]
    X[:, 0] = 7.0
    y = np.where(X[:, 1] > 5e3, "high", "low")
    return fastnn.train(X, y, 4, 0.1, standardize=True, maxiter=40), X, y


def test_the_model_scales_whatever_it_sees(trained):
    model, X, y = trained
    Z = model.scaling.apply(X)
    want = fastnn.forward(model.weights, Z)
    assert np.array_equal(model.predict_proba(X), want)
    assert np.array_equal(model.predict(X), model.classes[want.argmax(axis=1)])
    assert model.score(X, y) == np.mean(model.predict(X) == y) > 0.95
    assert np.array_equal(model.predict_proba(X[:1]), want[:1])
    with pytest.raises(ValueError, match="X has 2 columns; the network has 3 inputs"):
        model.predict(X[:, :2])


@pytest.mark.parametrize("name", ["m.npz", "m.mat"])
def test_files_keep_it(trained, tmp_path, name):
    model, X, _ = trained
    model.save(tmp_path / name)
    again = fastnn.load(tmp_path / name)
    for got, want in zip(again.scaling, model.scaling, strict=True):
        assert np.array_equal(got, want)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(("array", "value"), [("mean", np.zeros(2)), ("deviation", np.full(3, np.nan)), ("mean", "a")])
def test_a_file_whose_scaling_does_not_fit(trained, tmp_path, array, value):
    model, _, _ = trained
    model.save(tmp_path / "m.npz")
    arrays = files.read_arrays(tmp_path / "m.npz")
    for changed in ({array: np.asarray(value)}, {"deviation": None}, {"deviation": np.zeros(3)}):
        some = {k: v for k, v in (arrays | changed).items() if v is not None}
        files.write_arrays(tmp_path / "other.npz", some)
        with pytest.raises(ValueError, match="which is not a saved model"):
            fastnn.load(tmp_path / "other.npz")


def test_integer_weights_are_repeated_examples(trained):
    _, X, y = trained
    times = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = fastnn.train(X, y, 4, 0.1, standardize=True, sample_weight=times, maxiter=3)
    repeated = fastnn.train(X.repeat(times, axis=0), y.repeat(times), 4, 0.1, standardize=True, maxiter=3)
    np.testing.assert_allclose(weighted.history.cost, repeated.history.cost, rtol=1e-12)
    for got, want in zip(weighted.scaling, repeated.scaling, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)


def test_held_out_examples_do_not_count_but_are_scaled(trained):
    _, X, y = trained
    model = fastnn.train(X[:40], y[:40], 4, 0.1, standardize=True, validation=(X[40:], y[40:]), maxiter=20)
    alone = fastnn.train(X[:40], y[:40], 4, 0.1, standardize=True, maxiter=20)
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(alone.weights))
    assert model.history.validation_score[-1] == model.score(X[40:], y[40:])


def test_numbers_unlike_all_that_were_seen_are_told_of(tmp_path):
    """Two columns of the digits are rounding noise, in the fifth of them that is seen here."""
    X, _ = fastnn.load_digits()
    ink = X.mean(axis=1)
    model = fastnn.train(X[::5], ink[::5], 3, output="identity", standardize=True, maxiter=3)
    model.predict(X[::5])  # without a warning
    np.save(tmp_path / "X.npy", X)
    for same in (X, X.astype(np.float32), np.load(tmp_path / "X.npy", mmap_mode="r")):
        with pytest.warns(
            UserWarning, match="X has a number 1e\\+17 deviations from the mean in column 398, counted from 0"
        ):
            model.predict(same)


@pytest.mark.parametrize("m", [2, 50])
def test_no_number_is_strange_to_its_own_deviation(m):
    """The farthest there can be: one number among m, sqrt(m - 1) deviations off."""
    X = np.zeros((m, 2))
    X[0] = 1e300, 1e-300
    scaled = Scaling.of(X, np.empty(0)).apply(X)
    np.testing.assert_allclose(scaled[0], np.sqrt(m - 1), rtol=1e-12)
