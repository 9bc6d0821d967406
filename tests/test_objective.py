"""One evaluation per point, and nothing shared with the caller."""

import numpy as np
import pytest

import fastnn
from fastnn.objective import ENGINES as TABLE

from .conftest import ENGINES, random_problem


def make(engine="fused"):
    problem = random_problem((6, 4, 3), 30)
    return fastnn.Objective(problem.X, problem.y, problem.sizes, 0.5, engine=engine), fastnn.pack(problem.weights)


def test_the_table_of_engines_is_the_documented_one():
    assert set(TABLE) == set(ENGINES)


@pytest.mark.parametrize("engine", ENGINES)
def test_cost_then_gradient_is_one_evaluation(engine):
    objective, theta = make(engine)
    cost, gradient = objective.cost(theta), objective.gradient(theta.copy())
    assert objective.evaluations == 1
    both = objective.cost_and_gradient(theta)
    assert objective.evaluations == 1
    assert both[0] == cost
    assert np.array_equal(both[1], gradient)
    objective.cost(theta + 1.0)
    assert objective.evaluations == 2
    assert objective.cost(theta) == cost
    assert objective.evaluations == 3


def test_a_theta_changed_in_place_is_another_point():
    objective, theta = make()
    cost = objective.cost(theta)
    theta[3] += 1.0
    assert objective.cost(theta) != cost
    assert objective.evaluations == 2


def test_results_are_the_callers_own():
    objective, theta = make()
    gradient = objective.gradient(theta)
    want = gradient.copy()
    gradient[:] = 0.0
    assert np.array_equal(objective.gradient(theta), want)
    objective.gradient(theta + 1.0)
    assert not gradient.any()


def test_agrees_with_cost_and_gradient():
    problem = random_problem((6, 4, 3), 30)
    objective, theta = make()
    cost, gradient = fastnn.cost_and_gradient(problem.weights, problem.X, problem.y, 0.5)
    assert objective.cost(theta) == cost
    assert np.array_equal(objective.gradient(theta), fastnn.pack(gradient))


@pytest.mark.parametrize("lmbda", [0.0, 2.0])
def test_cost_is_what_differences_of_it_say(lmbda):
    """The gradient is the cost's: along a random direction, by a five-point stencil."""
    problem = random_problem((6, 4, 3), 30)
    objective = fastnn.Objective(problem.X, problem.y, problem.sizes, lmbda)
    theta = fastnn.pack(problem.weights)
    direction = np.random.default_rng(1).standard_normal(theta.shape)
    step = 1e-3
    at = {k: objective.cost(theta + k * step * direction) for k in (-2, -1, 1, 2)}
    slope = (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * step)
    assert slope == pytest.approx(objective.gradient(theta) @ direction, rel=1e-8)
