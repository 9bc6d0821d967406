"""How a minimisation ends, in plain words, and that the best point comes back."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import fastnn
from fastnn.outcome import REMEDIES, Finding
from fastnn.training.control import GRADIENT_TOLERANCE, Limits
from fastnn.training.minimize import minimize
from fastnn.training.solvers import SOLVERS, cg

from ..conftest import random_case

# Those that search along a line by the cost; the others go by the gradient where the cost says nothing.
SEARCHING = ["cg", "l-bfgs", "L-BFGS-B", "BFGS", "TNC"]


class Made:
    """An objective made of a function of theta that returns cost and gradient."""

    def __init__(self, function, P):
        self.function, self.P, self.evaluations = function, P, 0
        self.sizes = (P - 1, 1)
        self.seen = []

    def evaluate(self, theta):
        self.evaluations += 1
        cost, gradient = self.function(np.asarray(theta))
        self.seen.append((cost, theta.copy()))
        return cost, gradient


def bowl(theta):
    return 0.5 * theta @ theta, theta.copy()


def run(function, start, solver, maxiter=100):
    made = Made(function, len(start))
    steps = []
    theta, outcome, history = minimize(
        made, np.array(start), solver, Limits(maxiter), callbacks=[lambda state: steps.append(state.iteration)]
    )
    assert steps == list(range(1, outcome.iterations + 1))
    assert len(history) == outcome.iterations + 1
    assert history.evaluations[-1] <= outcome.evaluations == made.evaluations
    assert outcome.cost == min(cost for cost, _ in made.seen if np.isfinite(cost))
    assert any(np.array_equal(theta, point) for cost, point in made.seen if cost == outcome.cost)
    return theta, outcome, history


@pytest.mark.parametrize("solver", SOLVERS)
def test_converged(solver):
    theta, outcome, history = run(bowl, [3.0, -4.0], solver)
    assert outcome.status == "converged"
    assert outcome.message.startswith("converged: the largest gradient entry is")
    assert np.abs(theta).max() <= GRADIENT_TOLERANCE
    assert history.cost[0] == 12.5
    assert history.gradient_norm[0] == 4.0
    assert (np.diff(history.seconds) >= 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_iteration_limit(solver):
    scale = 10.0 ** np.arange(6)

    def valley(theta):
        return 0.5 * (scale * theta) @ theta, scale * theta

    _, outcome, _ = run(valley, np.ones(6), solver, maxiter=3)
    assert outcome.status == "iteration limit"
    assert outcome.iterations == 3
    assert "limit of 3 iterations" in outcome.message


@pytest.mark.parametrize("solver", ["Newton-CG", "SLSQP"])
def test_what_has_converged_comes_back_though_its_cost_is_no_lower(solver):
    """These go by the gradient where the cost is flat to rounding."""

    def flat(theta):
        return 1e20 + 0.5 * theta @ theta, theta.copy()

    theta, outcome, _ = run(flat, [3.0, -4.0], solver)
    assert outcome.status == "converged"
    assert outcome.gradient_norm == np.abs(theta).max() <= GRADIENT_TOLERANCE


@pytest.mark.parametrize("solver", SEARCHING)
def test_precision_loss(solver):
    """A cost that is flat to rounding, with a gradient that says it is not."""

    def flat(theta):
        return 1e20 + 0.5 * theta @ theta, theta.copy()

    _, outcome, _ = run(flat, [3.0, -4.0], solver)
    assert outcome.status == "precision loss"
    assert "rounding hides" in outcome.message
    assert outcome.message.endswith("try another solver or a larger lmbda")


@pytest.mark.parametrize("solver", SEARCHING)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite(solver, bad):
    """Downhill towards a cliff behind which there is no number."""

    def cliff(theta):
        return (-theta[0], np.array([-1.0])) if theta[0] < 1.4 else (bad, np.array([bad]))

    theta, outcome, _ = run(cliff, [0.0], solver)
    assert outcome.status == "non-finite"
    assert "infinite or NaN" in outcome.message
    assert outcome.message.endswith("try smaller starting weights or a larger lmbda")
    assert np.isfinite(theta).all()
    assert np.isfinite([outcome.cost, outcome.gradient_norm]).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_non_finite_at_the_start(solver):
    made = Made(lambda theta: (np.nan, theta), 1)
    with pytest.raises(ValueError, match="weights give a cost that is not finite"):
        minimize(made, np.zeros(1), solver, Limits(5))


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_wrong_takes_the_place_of_what_to_try(solver):
    """It is asked of the best point, once."""
    asked = []

    def diagnose(theta):
        asked.append(theta.copy())
        return Finding("all is wrong: there is another", "solver")

    scale = 10.0 ** np.arange(6)
    made = Made(lambda theta: (0.5 * (scale * theta) @ theta, scale * theta), 6)
    theta, outcome, _ = minimize(made, np.ones(6), solver, Limits(3), diagnose=diagnose)
    assert outcome.advice == f"all is wrong: there is another; {REMEDIES['solver']}"
    assert outcome.message.endswith(f"; {outcome.advice}")
    assert "maxiter" not in outcome.message
    assert len(asked) == 1
    assert np.array_equal(asked[0], theta)


@pytest.mark.parametrize("solver", SOLVERS)
def test_best_point_survives_a_bad_end(solver):
    """The cost counts its calls up, so that every point after the third looks worse."""
    calls = []

    def worse(theta):
        calls.append(theta)
        return 0.5 * theta @ theta + max(0, len(calls) - 3), theta.copy()

    _, outcome, _ = run(worse, [3.0, -4.0], solver)
    assert outcome.cost <= 12.5


@pytest.mark.parametrize("solver", SOLVERS)
def test_start_is_not_changed(solver):
    start = np.array([3.0, -4.0])
    minimize(Made(bowl, 2), start, solver, Limits(5))
    assert start.tolist() == [3.0, -4.0]


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_is_in_the_documentation(solver):
    assert f'"{solver}"' in fastnn.train.__doc__


def test_cg_is_fmin_cg():
    """The same points as SciPy's fmin_cg called by hand, to the rounding of its dot products."""
    from scipy.optimize import fmin_cg

    case = random_case((6, 4, 3), 30)
    objective = fastnn.Objective(case.X, case.y, case.sizes, 0.5)
    start = fastnn.pack(case.weights)
    want = fmin_cg(objective.cost, start, objective.gradient, maxiter=10, disp=False)
    got, outcome, _ = minimize(objective, start, "cg", Limits(10))
    assert outcome.iterations == 10
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_dot_products_do_not_depend_on_blas_threads():
    a, b = np.random.default_rng(0).standard_normal((2, 10285)).view(cg._Vector)
    got = set()
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            got.add((float(np.dot(a, b)), float(np.linalg.norm(a))))
    assert len(got) == 1
    want = float(np.asarray(a) @ np.asarray(b)), float(np.linalg.norm(np.asarray(a)))
    assert got.pop() == pytest.approx(want, rel=1e-12)
