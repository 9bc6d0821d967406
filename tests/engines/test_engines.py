"""The four engines are one: against each other, by hand, and against 50-digit arithmetic."""

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import engines
from fastnn import network as networks
from fastnn.engines import fused, loop
from fastnn.engines import numpy as reference
from fastnn.engines import python as python_loop
from fastnn.objective import Objective

from ..conftest import ENGINES, Case, examples, random_case

COMPILED = {"loop": loop, "fused": fused}
OTHERS = {"python": python_loop, **COMPILED}  # than the reference
B = fused._longest_block(5, np.dtype(np.float64))

# Sizes and m at the edges of tiles, vectors and blocks.
CATALOGUE = [
    ((1, 1, 1), 1),
    ((1, 2), 3),
    ((400, 25, 10), 50),
    ((400, 25, 10), 2 * B + 1),
    ((5, 3, 2), B - 1),
    ((5, 3, 2), B),
    ((5, 3, 2), B + 1),
    ((16 * B, 2, 2), 2),
    ((7, 11, 13, 2), 17 * B + 3),
    ((12, 4, 5, 6, 3), 2 * B),
    ((13, 5, 4, 7, 3, 5), 101),
    ((28, 64, 2), 300),
    ((3, 100, 26), 31),
]


def evaluate(module, case, lmbda, most=None, **family):
    """Cost and flat gradient by an engine's functions, with guards around what they may write.

    In runs of `most` examples.
    """
    problem, theta = case.problem(lmbda, **family), case.theta
    guarded = np.full(len(theta) + 17, np.nan)
    sums = guarded[8:-8]
    work, runs = module.workspace(
        problem.network.layers, len(problem.data.X), problem.data.X.dtype, problem.data.scale, most
    )
    assert [run.start for run in runs] + [len(problem.data.X)] == [0] + [run.stop for run in runs]
    for run in runs:
        part = problem.data.chunk(run, problem.data.X[run.start : run.stop])
        module.accumulate(theta, problem.network.layers, part.X, part.targets, part.weight, work, run, sums)
    cost = module.regularised_mean(theta, problem.network.decay, problem.data.total, sums[-1], sums[:-1])
    assert np.isnan(guarded[:8]).all()
    assert np.isnan(guarded[-8:]).all()
    return cost, sums[:-1]


def assert_same(got, want):
    """Rounding alone: a cost is a mean of terms each right to some units in the last place."""
    assert abs(got[0] - want[0]) <= 1e-14 * abs(want[0])
    assert np.linalg.norm(got[1] - want[1]) <= 1e-13 * np.linalg.norm(want[1])


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("sizes", "m"), CATALOGUE, ids=str)
def test_catalogue(engine, sizes, m):
    case = random_case(sizes, m)
    assert_same(evaluate(OTHERS[engine], case, 0.7), evaluate(reference, case, 0.7))


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("sizes", "m"), CATALOGUE, ids=str)
def test_catalogue_forward(engine, sizes, m):
    case = random_case(sizes, m)
    theta, problem = case.theta, case.problem(0.0)
    guarded = np.full((m + 2, sizes[-1]), np.nan)
    OTHERS[engine].forward(theta, problem.network.layers, problem.data.X, 1.0, guarded[1:-1])
    want = np.empty((m, sizes[-1]))
    reference.forward(theta, problem.network.layers, problem.data.X, 1.0, want)
    assert np.isnan(guarded[[0, -1]]).all()
    assert np.abs(guarded[1:-1] - want).max() <= 1e-14


@examples(60)
@given(
    hidden=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    n=st.integers(1, 70),
    K=st.integers(1, 12),
    m=st.integers(1, 200),
    lmbda=st.sampled_from([0.0, 1e-3, 1.0, 10.0]),
    seed=st.integers(0, 1000),
)
def test_random_networks(hidden, n, K, m, lmbda, seed):
    case = random_case((n, *hidden, K), m, seed)
    want = evaluate(reference, case, lmbda)
    for module in OTHERS.values():
        assert_same(evaluate(module, case, lmbda), want)


@pytest.mark.parametrize("engine", ENGINES)
def test_by_hand(engine):
    """Two inputs, one hidden unit, two classes, one example: every number on paper.

    x = (1, 2); hidden z = 0 + 2*1 - 1*2 = 0, a = 1/2, slope 1/4. Outputs z = (log 3 - 1 + 2 a,
    log 3 - 4 a + 2) = (log 3, log 3), h = (3/4, 3/4). Class 1: targets (0, 1), so the loss is
    -log(1/4) - log(3/4), the deltas (3/4, -1/4); the hidden one is
    (3/4 * 2 - 1/4 * (-4)) / 4 = 5/8. lmbda 2 adds (4 + 1 + 4 + 16) to the cost.
    """
    log3 = np.log(3.0)
    weights = (np.array([[0.0, 2.0, -1.0]]), np.array([[log3 - 1.0, 2.0], [log3 + 2.0, -4.0]]))
    cost, gradient = fastnn.cost_and_gradient(weights, [[1.0, 2.0]], [1], lmbda=2.0, engine=engine)
    assert cost == pytest.approx(np.log(4.0) + np.log(4.0 / 3.0) + 25.0, rel=1e-15)
    want_0 = [[5 / 8, 5 / 8 + 2 * 2, 5 / 4 - 2 * 1]]
    want_1 = [[3 / 4, 3 / 8 + 2 * 2], [-1 / 4, -1 / 8 - 2 * 4]]
    np.testing.assert_allclose(gradient[0], want_0, rtol=1e-14)
    np.testing.assert_allclose(gradient[1], want_1, rtol=1e-14)


def in_50_digits(case, lmbda):
    """Cost and gradient by the textbook's formulas, too precise for their cancellations to matter."""
    mp = mpmath.mp.clone()
    mp.dps = 50
    layers = [[[mp.mpf(float(w)) for w in row] for row in matrix] for matrix in case.weights]
    gradient = [[[mp.mpf(0)] * len(row) for row in matrix] for matrix in layers]
    m, cost = len(case.X), mp.mpf(0)
    for x, target in zip(case.X, case.y, strict=True):
        activations = [[mp.mpf(float(value)) for value in x]]
        for matrix in layers:
            z = [row[0] + mp.fdot(row[1:], activations[-1]) for row in matrix]
            activations.append([1 / (1 + mp.exp(-value)) for value in z])
        h = activations[-1]
        cost -= sum(mp.log(value) if k == target else mp.log(1 - value) for k, value in enumerate(h))
        delta = [value - (k == target) for k, value in enumerate(h)]
        for l in range(len(layers) - 1, -1, -1):
            for j, d in enumerate(delta):
                gradient[l][j][0] += d
                for k, a in enumerate(activations[l]):
                    gradient[l][j][k + 1] += d * a
            delta = [
                a * (1 - a) * sum(d * row[k + 1] for d, row in zip(delta, layers[l], strict=True))
                for k, a in enumerate(activations[l])
            ]
    lmbda = mp.mpf(lmbda)
    for matrix, rows in zip(layers, gradient, strict=True):
        for row, drow in zip(matrix, rows, strict=True):
            cost += lmbda / 2 * sum(w * w for w in row[1:])
            drow[1:] = [dw + lmbda * w for w, dw in zip(row[1:], drow[1:], strict=True)]
    flat = [dw / m for rows in gradient for drow in rows for dw in drow]
    return float(cost / m), np.array([float(dw) for dw in flat])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("sizes", "m"), [((3, 2), 40), ((9, 5, 3), 70), ((4, 6, 5, 2), 20), ((5, 4, 3, 3, 4, 2), 9)], ids=str
)
def test_against_50_digits(engine, sizes, m):
    case = random_case(sizes, m, scale=2.0)
    assert_same(evaluate(OTHERS.get(engine, reference), case, 0.5), in_50_digits(case, 0.5))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("z", [36.8, 100.0, 700.0, 1e5])
def test_sure_outputs(engine, z):
    """Where log(1 - h) is log(0): the wrong class costs z, the right one exp(-z)."""
    weights = (np.array([[z, 0.0], [-z, 0.0]]),)
    wrong, gradient = fastnn.cost_and_gradient(weights, [[0.0]], [1], engine=engine)
    assert wrong == pytest.approx(2.0 * z, rel=1e-15)
    np.testing.assert_allclose(gradient[0], [[1.0, 0.0], [-1.0, 0.0]])
    right, gradient = fastnn.cost_and_gradient(weights, [[0.0]], [0], engine=engine)
    assert right == pytest.approx(2.0 * np.exp(-z), rel=1e-13)
    np.testing.assert_allclose(gradient[0], [[-np.exp(-z), 0.0], [np.exp(-z), 0.0]], rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_reaches_the_caller(engine):
    case = random_case((6, 5, 3), 150)
    theta = case.theta
    theta[8] = np.nan
    with np.errstate(invalid="ignore"):
        cost, dtheta = Objective.of(case.problem(0.0), engine).evaluate(theta)
    assert np.isnan(cost)
    assert np.isnan(dtheta).any()


@pytest.mark.parametrize("engine", COMPILED)
def test_same_bits_for_any_number_of_threads(engine, digits):
    X, y = digits
    case = Case((400, 25, 10), fastnn.init_weights((400, 25, 10)), X, y)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, before, before):
            numba.set_num_threads(threads)
            results.append(evaluate(COMPILED[engine], case, 1.0))
    finally:
        numba.set_num_threads(before)
    for cost, gradient in results[1:]:
        assert cost == results[0][0]
        assert np.array_equal(gradient, results[0][1])


def test_assertion_notices_one_wrong_entry():
    """What `assert_same` is for: one weight's gradient off by 1e-6 of itself, in 10,285."""
    case = random_case((400, 25, 10), 100)
    cost, gradient = evaluate(reference, case, 1.0)
    wrong = gradient.copy()
    wrong[np.abs(gradient).argmax()] *= 1.0 + 1e-6
    with pytest.raises(AssertionError):
        assert_same((cost, wrong), (cost, gradient))
    with pytest.raises(AssertionError):
        assert_same((cost, gradient * np.nan), (cost, gradient))


def test_inputs_are_left_alone():
    case = random_case((6, 5, 3), 150)
    problem, theta = case.problem(0.3, sample_weight=np.arange(150.0)), case.theta
    arguments = [
        theta,
        problem.network.layers,
        problem.data.X,
        *problem.data.targets,
        problem.data.weight,
        problem.network.decay,
    ]
    before = [np.copy(argument) for argument in arguments]
    for engine in ENGINES:
        Objective.of(problem, engine).evaluate(theta)
        engines.module(engine).forward(theta, problem.network.layers, problem.data.X, 1.0, np.empty((150, 3)))
    for got, want in zip(arguments, before, strict=True):
        assert np.array_equal(got, want)


def test_no_hidden_layer_is_logistic_regression():
    case = random_case((4, 3), 20)
    h = fastnn.forward(case.weights, case.X)
    want = np.column_stack([np.ones(20), case.X])
    want = (h - np.eye(3)[case.y]).T @ want / 20
    _, (got,) = fastnn.cost_and_gradient(case.weights, case.X, case.y)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    assert networks.parameter_count(case.sizes) == 15
