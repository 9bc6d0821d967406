"""The exercise's usual mistakes, each made here on purpose: the product does it right, and the
comparison that shows it would notice the mistake."""

import numpy as np
import pytest

import fastnn
from fastnn.spec import sigmoid

from .conftest import ENGINES, debug_case, random_case

pytestmark = pytest.mark.parametrize("engine", ENGINES)


def textbook(case, targets, lmbda=0.0):
    """Cost and gradient by the equations, for a given (m, K) matrix of targets."""
    (W0, W1), X, m = case.weights, case.X, len(case.X)
    a1 = np.column_stack([np.ones(m), X])
    a2 = np.column_stack([np.ones(m), sigmoid(a1 @ W0.T)])
    h = sigmoid(a2 @ W1.T)
    cost = -(targets * np.log(h) + (1 - targets) * np.log(1 - h)).sum() / m
    cost += lmbda / (2 * m) * ((W0[:, 1:] ** 2).sum() + (W1[:, 1:] ** 2).sum())
    d3 = h - targets
    d2 = (d3 @ W1 * a2 * (1 - a2))[:, 1:]
    gradient = [d2.T @ a1 / m, d3.T @ a2 / m]
    for dW, W in zip(gradient, (W0, W1), strict=True):
        dW[:, 1:] += lmbda / m * W[:, 1:]
    return cost, gradient


def one_hot(case):
    return np.eye(case.sizes[-1])[case.y]


def same(got, want):
    return all(np.allclose(g, w, rtol=1e-12, atol=1e-15) for g, w in zip(got, want, strict=True))


def test_1_one_hot_targets(engine):
    """Targets are 1 at the example's class; the notebook wrote the label's value, one place off."""
    case = random_case((6, 4, 3), 30)
    cost, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, engine=engine)
    want_cost, want = textbook(case, one_hot(case))
    assert cost == pytest.approx(want_cost, rel=1e-13)
    assert same(gradient, want)
    values = one_hot(case) * case.y[:, None]
    shifted = np.roll(one_hot(case), 1, axis=1)
    assert not same(gradient, textbook(case, values)[1])
    assert not same(gradient, textbook(case, shifted)[1])


def test_2_both_halves_of_the_cost(engine):
    """-y log h - (1 - y) log(1 - h), finite where log(1 - h) is not; the notebook dropped the first half."""
    case = random_case((6, 4, 3), 30)
    cost, _ = fastnn.cost_and_gradient(case.weights, case.X, case.y, engine=engine)
    h = fastnn.forward(case.weights, case.X)
    half = -((1 - one_hot(case)) * np.log(1 - h)).sum() / 30
    other = -(one_hot(case) * np.log(h)).sum() / 30
    assert cost == pytest.approx(half + other, rel=1e-13)
    assert cost != pytest.approx(half, rel=1e-3)
    sure = (case.weights[0], 1e4 * case.weights[1])
    assert np.isfinite(fastnn.cost_and_gradient(sure, case.X, case.y, engine=engine)[0])
    with np.errstate(divide="ignore"):
        assert np.isinf(np.log(1 - fastnn.forward(sure, case.X))).any()


def test_3_deltas_from_one_hot_targets(engine):
    """The notebook subtracted the raw labels from every output."""
    case = random_case((6, 4, 3), 30)
    _, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, engine=engine)
    raw = np.repeat(case.y[:, None], 3, axis=1)
    assert same(gradient, textbook(case, one_hot(case))[1])
    assert not same(gradient, textbook(case, raw)[1])


def test_4_bias_columns_and_regularisation(engine):
    """The gradient has both bias columns, unregularised, and the other columns' lmbda/m theta."""
    case = random_case((6, 4, 3), 30)
    _, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, 2.0, engine=engine)
    want = textbook(case, one_hot(case), 2.0)[1]
    assert [dW.shape for dW in gradient] == [(4, 7), (3, 5)]
    assert same(gradient, want)
    biases_too = [
        dW + 2.0 / 30 * np.where(np.arange(W.shape[1]) == 0, W, 0) for dW, W in zip(want, case.weights, strict=True)
    ]
    assert not same(gradient, biases_too)
    assert not same(gradient, textbook(case, one_hot(case), 0.0)[1])


def test_5_one_order_for_parameters_and_gradient(engine):
    """Both are raveled row by row; the course's order is there for both when asked for."""
    case = random_case((6, 4, 3), 30)
    objective = fastnn.Objective(case.X, case.y, case.sizes, 1.0, engine=engine)
    theta = fastnn.pack(case.weights)
    flat = objective.gradient(theta)
    direction = np.random.default_rng(0).standard_normal(theta.shape)
    slope = (objective.cost(theta + 1e-5 * direction) - objective.cost(theta - 1e-5 * direction)) / 2e-5
    assert flat @ direction == pytest.approx(slope, rel=1e-7)
    mixed = fastnn.pack(fastnn.unpack(flat, case.sizes), order="F")
    assert mixed @ direction != pytest.approx(slope, rel=1e-3)
    for order in ("C", "F"):
        again = fastnn.unpack(fastnn.pack(case.weights, order), case.sizes, order)
        assert all(np.array_equal(g, w) for g, w in zip(again, case.weights, strict=True))


def test_6_the_data_passed_in_is_the_data_used(engine):
    """The notebook's function read a global X: here other data give another answer, and leave no trace."""
    case = random_case((6, 4, 3), 30)
    first = fastnn.cost_and_gradient(case.weights, case.X, case.y, engine=engine)
    other = fastnn.cost_and_gradient(case.weights, case.X[:11] + 1.0, case.y[:11], engine=engine)
    again = fastnn.cost_and_gradient(case.weights, case.X, case.y, engine=engine)
    part = case._replace(X=case.X[:11] + 1.0, y=case.y[:11])
    assert same(other[1], textbook(part, one_hot(part))[1])
    assert not same(other[1], first[1])
    assert first[0] == again[0]


def test_7_differences_move_one_parameter_at_a_time(engine):
    """The notebook moved all at once and got one number: the slope along (1, ..., 1)."""
    case = debug_case()
    got = fastnn.numerical_gradient(case.weights, case.X, case.y, 3.0)
    _, want = fastnn.cost_and_gradient(case.weights, case.X, case.y, 3.0, engine=engine)
    assert [dW.shape for dW in got] == [dW.shape for dW in want]
    assert np.linalg.norm(fastnn.pack(got) - fastnn.pack(want)) < 1e-9 * np.linalg.norm(fastnn.pack(want))
    all_at_once = np.full(38, fastnn.pack(want).sum())
    assert np.linalg.norm(all_at_once - fastnn.pack(want)) > 0.1


@pytest.mark.slow
def test_8_training_trains(engine):
    """From random weights to a lower cost and most examples right; the notebook never got there."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])[y] + 0.5 * rng.standard_normal((120, 2))
    model = fastnn.train(X, y, 4, 0.1, engine=engine)
    untrained = fastnn.forward(fastnn.init_weights((2, 4, 3)), X).argmax(axis=1)
    assert model.history.cost[-1] < 0.5 * model.history.cost[0]
    assert model.score(X, y) > 0.95
    assert (untrained == y).mean() < 0.9
