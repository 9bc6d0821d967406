"""One evaluation per point, and nothing shared with the caller."""

from functools import partial

import numpy as np
import pytest

import fastnn
from fastnn.engines import ENGINES as TABLE
from fastnn.objective import Objective, Shard
from fastnn.problem import validated

from .conftest import ENGINES, random_case


def make(engine="fused"):
    case = random_case((6, 4, 3), 30)
    return fastnn.Objective(case.X, case.y, case.sizes, 0.5, engine=engine), fastnn.pack(case.weights)


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
    case = random_case((6, 4, 3), 30)
    objective, theta = make()
    cost, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, 0.5)
    assert objective.cost(theta) == cost
    assert np.array_equal(objective.gradient(theta), fastnn.pack(gradient))


@pytest.mark.parametrize("lmbda", [0.0, 2.0])
def test_cost_is_what_differences_of_it_say(lmbda):
    """The gradient is the cost's: along a random direction, by a five-point stencil."""
    case = random_case((6, 4, 3), 30)
    objective = fastnn.Objective(case.X, case.y, case.sizes, lmbda)
    theta = fastnn.pack(case.weights)
    direction = np.random.default_rng(1).standard_normal(theta.shape)
    step = 1e-3
    at = {k: objective.cost(theta + k * step * direction) for k in (-2, -1, 1, 2)}
    slope = (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * step)
    assert slope == pytest.approx(objective.gradient(theta) @ direction, rel=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("output", ["sigmoid", "softmax", "identity"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_parts_make_the_whole(engine, output, weighted):
    """As several machines would: their sums added, divided by the weight, and regularised."""
    case, lmbda = random_case((6, 4, 3), 30), 0.5
    weight = np.random.default_rng(0).uniform(0.0, 2.0, 30) if weighted else None
    family = {"engine": engine, "output": output}
    loss = total = 0.0
    dtheta = np.zeros(43)
    for rows in (slice(0, 7), slice(7, 8), slice(8, 30)):
        part = fastnn.cost_and_gradient_sums(
            case.weights, case.X[rows], case.y[rows], sample_weight=None if weight is None else weight[rows], **family
        )
        loss, dtheta, total = loss + part[0], dtheta + fastnn.pack(part[1]), total + part[2]
    cost, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, lmbda, sample_weight=weight, **family)
    squares = sum((W[:, 1:] ** 2).sum() for W in case.weights)
    regularised = [np.column_stack([0 * W[:, :1], lmbda * W[:, 1:]]) for W in case.weights]
    assert loss / total + lmbda / (2 * total) * squares == pytest.approx(cost, rel=1e-14)
    got = (dtheta + fastnn.pack(regularised)) / total
    assert np.linalg.norm(got - fastnn.pack(gradient)) <= 1e-14 * np.linalg.norm(got)


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_by_hand(engine):
    """One output at z = 0, targets 1: losses log 2, deltas -1/2; of weights 3 and 0."""
    data = (np.zeros((1, 2)),), [[1.0], [2.0]], [0, 0]
    loss, (gradient,), weight = fastnn.cost_and_gradient_sums(*data, engine=engine)
    assert (loss, weight) == (2 * np.log(2.0), 2.0)
    assert gradient.tolist() == [[-1.0, -1.5]]
    loss, (gradient,), weight = fastnn.cost_and_gradient_sums(*data, engine=engine, sample_weight=[3, 0])
    assert (loss, weight) == (3 * np.log(2.0), 3.0)
    assert gradient.tolist() == [[-1.5, -1.5]]


def test_a_part_may_weigh_nothing():
    """The whole may not; and of a part no other fault is let pass."""
    data = (np.zeros((1, 2)),), [[1.0], [2.0]], [0, 0]
    loss, (gradient,), weight = fastnn.cost_and_gradient_sums(*data, sample_weight=[0, 0])
    assert (loss, weight, gradient.tolist()) == (0.0, 0.0, [[0.0, 0.0]])
    for wrong in ([-1, 1], [np.nan, 1], [1e308, 1e308], [1]):
        with pytest.raises(ValueError, match="sample_weight"):
            fastnn.cost_and_gradient_sums(*data, sample_weight=wrong)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("activation", "output"), [("sigmoid", "sigmoid"), ("tanh", "softmax"), ("relu", "identity")])
@pytest.mark.parametrize("sizes", [(400, 25, 10), (28, 64, 2), (13, 7, 5, 3), (1, 1), (90, 130, 21)], ids=str)
def test_a_row_has_the_same_bits_alone_and_in_a_batch(sizes, activation, output, dtype):
    case = random_case(sizes, 700)
    X = case.X.astype(dtype)
    run = partial(fastnn.forward, case.weights, activation=activation, output=output)
    want = run(X)
    for rows in (slice(0, 1), slice(699, 700), slice(3, 5), slice(100, 133), slice(1, 300)):
        assert np.array_equal(run(X[rows]), want[rows])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
@pytest.mark.parametrize("sizes", [(9, 4, 3), (30, 2), (6, 33, 3)], ids=str)
def test_the_pass_tells_of_what_is_not_finite(sizes, activation, dtype, wrong):
    """Wherever it is: in any column of any example, or in any weight of any layer, also where it meets a 0."""
    m = 5
    weights = [matrix.copy() for matrix in random_case(sizes, m).weights]
    weights[0][0, :4] = 0.0
    X = np.zeros((m, sizes[0]), dtype)
    X[0] = 1.0
    for i, k in np.ndindex(X.shape):
        broken = X.copy()
        broken[i, k] = wrong
        with pytest.raises(ValueError, match=rf"X holds {wrong} at index \({i}, {k}\)"):
            fastnn.forward(weights, broken, activation=activation)
    for l, matrix in enumerate(weights):
        for place in np.ndindex(matrix.shape):
            before, matrix[place] = matrix[place], wrong
            with pytest.raises(ValueError, match=rf"weights\[{l}\] holds {wrong} at index"):
                fastnn.forward(weights, X[::-1], activation=activation)
            matrix[place] = before


def test_the_pass_tells_of_every_block():
    X = np.zeros((3000, 40))
    for i in (0, 1, 639, 640, 1500, 2999):
        broken = X.copy()
        broken[i, 39] = np.nan
        with pytest.raises(ValueError, match=rf"X holds nan at index \({i}, 39\)"):
            fastnn.forward([np.ones((20, 41)), np.ones((2, 21))], broken)


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_that_overflow_are_refused(engine):
    """z = 2e400 - 1e400: a fused multiply-add gives the infinity of its first term, whichever sign the sum has."""
    for weights in ([[1e200, 1e200, -2e200]], [[-1e200, -1e200, 2e200]]):
        network = np.array(weights), np.array([[0.0, 1.0], [0.0, -1.0]])
        X = np.full((2, 2), 1e200)
        for call in (fastnn.forward, partial(fastnn.cost_and_gradient, y=[0, 1])):
            with pytest.raises(ValueError, match=r"weights, X.* are too large together: their sums overflow"):
                call(network, X, engine=engine)


@pytest.mark.parametrize(("progress", "disable"), [(None, None), (True, False)])
def test_the_bar_inside_a_long_evaluation(progress, disable, monkeypatch):
    """By default on a terminal (None says so to tqdm), from a second on; it counts the examples."""
    made = []

    class Bar:
        def __init__(self, **options):
            made.append(options)
            self.done = 0

        def __enter__(self):
            return self

        def __exit__(self, *error):
            made.append(self.done)

        def update(self, examples):
            self.done += examples

    case = random_case((6, 4, 3), 9_001)
    Objective.of(case.problem(0.0)).evaluate(case.theta)  # compiles, which has a bar of its own
    monkeypatch.setattr("fastnn.runtime.notice.progress_bar", Bar)
    monkeypatch.setattr("fastnn.inputs.streams.RUN_BYTES", 1_000)

    class Slices:
        shape, dtype = case.X.shape, case.X.dtype

        def __getitem__(self, rows):
            return case.X[rows]

    problem = validated(Slices(), case.y, case.sizes)
    Objective.over(Shard(*problem, "fused"), "fused", progress).evaluate(case.theta)
    assert made[0]["disable"] is disable
    assert made[0]["delay"] == 1.0
    assert made[1:] == [9_001]
    Objective.over(Shard(*problem, "fused"), "fused", False).evaluate(case.theta)
    assert len(made) == 2
