"""The numbers that the course publishes, on the rebuilt digits."""

import numpy as np
import pytest

import fastnn
from fastnn.engines.numpy import sigmoid_gradient

from ..conftest import ENGINES, debug_case


def test_hidden_preactivations_are_the_courses(digits, course, oracle):
    X, _ = digits
    weights, _ = course
    got = X @ weights[0][:, 1:].T + weights[0][:, 0]
    assert np.abs(got - oracle["hidden_preactivation"]).max() <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_are_the_courses(digits, course, oracle, engine):
    got = fastnn.forward(course[0], digits[0], engine=engine)
    assert np.abs(got - oracle["output_activation"]).max() <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("lmbda", "want", "tolerance"),
    [(0.0, 0.287629165161319, 1e-13), (1.0, 0.38376985909092354, 1e-13), (3.0, 0.576051, 1e-6)],
)
def test_cost(digits, course, engine, lmbda, want, tolerance):
    weights, units = course
    got, _ = fastnn.cost_and_gradient(weights, digits[0], units, lmbda, engine=engine)
    assert abs(got - want) <= tolerance * want


@pytest.mark.parametrize("engine", ENGINES)
def test_accuracy(digits, course, engine):
    weights, units = course
    right = fastnn.forward(weights, digits[0], engine=engine).argmax(axis=1) == units
    assert right.sum() == 4876  # 97.52 % of 5,000


def test_sigmoid_gradient_at_zero():
    assert sigmoid_gradient(np.zeros(1))[0] == 0.25


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lmbda", [0.0, 3.0])
def test_debug_network_checks_below_the_courses_bound(engine, lmbda):
    _, weights, X, y = debug_case()
    report = fastnn.check_gradient(weights, X, y, lmbda, engine=engine, step=1e-4)
    assert report.passed
    assert report.relative_norm_error < 1e-9
