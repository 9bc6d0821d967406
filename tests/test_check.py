"""The gradient check: right gradients pass, wrong ones do not."""

import numpy as np
import pytest

import fastnn
from fastnn import network, reference
from fastnn.kernels import differences

from .conftest import ENGINES, debug_problem, random_problem


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sizes", [(4, 3), (5, 4, 3), (4, 6, 5, 2), (3, 2, 4, 3, 3), (3, 4, 2, 3, 2, 3)], ids=str)
@pytest.mark.parametrize("lmbda", [0.0, 1.5])
def test_backpropagation_passes(engine, sizes, lmbda):
    problem = random_problem(sizes, 12)
    report = fastnn.check_gradient(problem.weights, problem.X, problem.y, lmbda, engine=engine)
    assert report.passed
    assert report.relative_norm_error < 1e-8
    assert len(report.layers) == len(sizes) - 1


@pytest.mark.parametrize("sizes", [(4, 3), (5, 4, 3), (3, 2, 4, 3, 3)], ids=str)
def test_twin(sizes):
    """The kernel against whole evaluations in NumPy; those round a cost of about 1, 1e-16/1e-3 of it."""
    problem = random_problem(sizes, 12)
    arguments = problem.kernel_arguments(1.5)
    P = len(arguments[0])
    for first, count in ((0, P), (P - 3, 3), (5, 1)):
        got, want = np.full(count + 2, np.nan), np.empty(count)
        differences.numerical_gradient(*arguments, 1e-3, first, got[1:-1])
        reference.numerical_gradient(*arguments, 1e-3, first, want)
        np.testing.assert_allclose(got[1:-1], want, rtol=0, atol=1e-11)
        assert np.isnan(got[[0, -1]]).all()
    assert np.array_equal(arguments[0], fastnn.pack(problem.weights))


def test_central_differences_by_hand():
    """Logistic regression on x = 1, one class, weight w = 0, bias 0: J(w) = log(1 + exp(-w))."""
    step = 0.5
    got = fastnn.numerical_gradient((np.zeros((1, 2)),), [[1.0]], [0], step=step)
    want = (np.log1p(np.exp(-step)) - np.log1p(np.exp(step))) / (2 * step)
    np.testing.assert_allclose(got[0], [[want, want]], rtol=1e-14)


def planted(problem, lmbda):
    """Wrong gradients, by name."""
    _, right = fastnn.cost_and_gradient(problem.weights, problem.X, problem.y, lmbda)
    m = len(problem.X)

    def change(l, index, value):
        wrong = [dW.copy() for dW in right]
        wrong[l][index] = value(wrong[l][index])
        return tuple(wrong)

    biases = (slice(None), 0)
    yield "no bias column", change(0, biases, np.zeros_like)
    yield "regularised bias", change(1, biases, lambda dW: dW + lmbda / m * problem.weights[1][:, 0])
    yield "lmbda instead of lmbda/m", change(1, ..., lambda dW: dW + (lmbda - lmbda / m) * problem.weights[1])
    yield "no regularisation", fastnn.cost_and_gradient(problem.weights, problem.X, problem.y)[1]
    yield "sign", tuple(-dW for dW in right)
    yield "factor 2", tuple(2 * dW for dW in right)
    yield "one entry", change(0, (2, 3), lambda value: value + 1e-5)
    yield "two rows swapped", change(0, ..., lambda dW: dW[::-1].copy())
    one_left_out = fastnn.cost_and_gradient(problem.weights, problem.X[1:], problem.y[1:], lmbda * (m - 1) / m)[1]
    yield "one example left out", one_left_out
    off = fastnn.cost_and_gradient(problem.weights, problem.X, (problem.y + 1) % problem.sizes[-1], lmbda)[1]
    yield "labels off by one", off


def test_planted_errors_are_caught():
    problem = random_problem((6, 5, 4), 40)
    names = []
    for name, wrong in planted(problem, 2.0):
        report = fastnn.check_gradient(problem.weights, problem.X, problem.y, 2.0, gradient=wrong)
        assert not report.passed, name
        assert "FAILED" in str(report)
        names.append(name)
    assert len(names) == 10


def test_worst_entry_is_named():
    problem = random_problem((6, 5, 4), 40)
    _, right = fastnn.cost_and_gradient(problem.weights, problem.X, problem.y)
    wrong = tuple(dW.copy() for dW in right)
    wrong[1][2, 3] += 1e-3
    worst = fastnn.check_gradient(problem.weights, problem.X, problem.y, gradient=wrong).worst
    assert (worst.layer, worst.row, worst.column) == (1, 2, 3)
    assert worst.analytic == wrong[1][2, 3]
    assert worst.numerical == pytest.approx(right[1][2, 3], rel=1e-7)


def test_nothing_to_learn_passes():
    """All differences and all gradients zero: no division by zero."""
    weights = (np.array([[800.0, 0.0]]),)
    report = fastnn.check_gradient(weights, [[0.0]], [0])
    assert report.passed
    assert report.max_relative_error == 0.0


def test_report_prints_the_figures():
    _, weights, X, y = debug_problem()
    report = fastnn.check_gradient(weights, X, y)
    text = str(report)
    assert "gradient check passed: 38 parameters on 5 examples" in text
    assert f"{report.relative_norm_error:.2e}" in text


def test_progress(capsys):
    _, weights, X, y = debug_problem()
    fastnn.check_gradient(weights, X, y)
    assert capsys.readouterr().err == ""
    fastnn.check_gradient(weights, X, y, progress=True)
    assert "checking" in capsys.readouterr().err


def test_every_parameter_of_the_seeds_network(digits):
    X, y = digits
    weights = fastnn.init_weights((400, 25, 10))
    report = fastnn.check_gradient(weights, X[::250], y[::250], 1.0)
    assert report.parameters == network.parameter_count((400, 25, 10))
    assert report.relative_norm_error < 1e-9
