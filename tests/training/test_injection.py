"""NaN and infinities at any evaluation, under every solver: never taken for success, and the best point comes back."""

import numpy as np
import pytest

import fastnn
from fastnn.training.control import Limits
from fastnn.training.minimize import minimize
from fastnn.training.solvers import SOLVERS

from ..conftest import random_case, with_slow

# Where evaluation k is spoilt. Of the last two the sum of cost and norm is NaN, or infinite, in another way.
PLACES = ("cost", "one entry", "all entries", "both", "against")
LAST = 200
FEW = (1, 2, 3, 4, 5, 8, 13, 34, 89, LAST)


@pytest.fixture(scope="module")
def data():
    """From here no solver is at its end after LAST evaluations."""
    return random_case((4, 6, 3), 60, scale=3.0)


def objective_of(case):
    return fastnn.Objective(case.X, case.y, case.sizes, 1e-4)


class Spoilt:
    """An objective whose evaluation number k, or every one from there on, has something that is not finite."""

    def __init__(self, case, k, value, place, lasting):
        self.objective, self.k, self.value, self.place, self.lasting = objective_of(case), k, value, place, lasting
        self.sizes, self.P = self.objective.sizes, self.objective.P
        self.sound, self.spoilt = [], 0

    @property
    def evaluations(self):
        return self.objective.evaluations

    def evaluate(self, theta):
        before = self.evaluations
        cost, gradient = self.objective.evaluate(theta)
        gradient = gradient.copy()
        if self.evaluations == self.k or (self.lasting and self.evaluations > self.k):
            self.spoilt += self.evaluations > before
            if self.place in ("cost", "both", "against"):
                cost = self.value
            if self.place == "one entry":
                gradient[self.k % self.P] = self.value
            if self.place in ("all entries", "both"):
                gradient[:] = self.value
            if self.place == "against":
                gradient[:] = -self.value
        elif self.evaluations > before:
            self.sound.append((cost, np.abs(gradient).max(), np.array(theta)))
        return cost, gradient


def check(case, solver, k, value, place, lasting):
    """One training; the limits are such that each of them could be mistaken for reached."""
    limits = Limits(10**6, tol=1e-300, target_cost=-1e300, max_evaluations=LAST + 50)
    made, states = Spoilt(case, k, value, place, lasting), []
    if k == 1:
        with pytest.raises(ValueError, match="weights give a cost that is not finite"):
            minimize(made, case.theta, solver, limits)
        return
    theta, outcome, history = minimize(made, case.theta, solver, limits, callbacks=[states.append])
    assert (outcome.status, outcome.evaluations, made.spoilt) == ("non-finite", k, 1)
    assert "infinite or NaN" in outcome.message
    cost, norm, _ = min(made.sound, key=lambda point: point[0])
    assert (outcome.cost, outcome.gradient_norm) == (cost, norm)
    assert any(np.array_equal(theta, point) for lowest, _, point in made.sound if lowest == cost)
    assert objective_of(case).cost(theta) == cost
    assert np.isfinite([*history.cost, *history.gradient_norm]).all()
    assert np.isfinite([(state.cost, state.gradient_norm) for state in states]).all()
    assert history.evaluations.max() < k


@pytest.mark.parametrize("solver", with_slow(["cg", "l-bfgs"], SOLVERS))
def test_no_solver_is_content_with_what_is_not_finite(solver, data, long):
    """Once, or from there on; each time elsewhere."""
    turn = 0
    for k in range(1, LAST + 1) if long else FEW:
        for value in (np.nan, np.inf, -np.inf):
            check(data, solver, k, value, PLACES[turn % len(PLACES)], lasting=turn % 2 == 0)
            turn += 1


@pytest.mark.parametrize("solver", ["cg", "l-bfgs", "trust-constr"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_training_ends_with_the_best_weights_before(solver, value, data, monkeypatch):
    evaluate = fastnn.Objective._evaluate

    def spoilt(objective, theta, gradient):
        cost = evaluate(objective, theta, gradient)
        return cost if objective.evaluations != 6 else value

    monkeypatch.setattr(fastnn.Objective, "_evaluate", spoilt)
    options = {"solver": solver, "weights": data.weights, "target_cost": -1e300}
    model = fastnn.train(data.X, data.y, lmbda=1e-4, **options)
    monkeypatch.undo()
    assert (model.outcome.status, model.outcome.evaluations) == ("non-finite", 7)
    cost, _ = fastnn.cost_and_gradient(model.weights, data.X, data.y, 1e-4)
    assert cost == model.outcome.cost
    assert np.isfinite(model.history.cost).all()
