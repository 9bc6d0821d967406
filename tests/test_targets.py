"""Targets as numbers beside class indices: soft labels, several labels at once, distributions, regression."""

import mpmath
import numpy as np
import pytest

import fastnn
from fastnn import spec
from fastnn.engines import numpy as reference
from fastnn.spec import STEP

from .conftest import ENGINES, random_case
from .engines.test_engines import COMPILED, assert_same
from .test_check import differences_of

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_output = pytest.mark.parametrize("output", spec.OUTPUTS)


def numbers(output, m, K, seed=0):
    """Targets (m, K) that suit the output; for sigmoids a third of them exactly 0 or 1."""
    rng = np.random.default_rng([seed, m, K])
    if output == "identity":
        return 3.0 * rng.standard_normal((m, K))
    T = rng.random((m, K))
    if output == "softmax":
        return T / T.sum(axis=1, keepdims=True)
    return np.where(rng.random((m, K)) < 1 / 3, np.round(T), T)


def evaluated(case, y, lmbda=0.7, **family):
    """Cost and flat gradient by the public function."""
    cost, gradient = fastnn.cost_and_gradient(case.weights, case.X, y, lmbda, **family)
    return cost, fastnn.pack(gradient)


@every_engine
@every_output
@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("dtype", [float, int, bool])
def test_one_hot_targets_are_class_indices(engine, output, scale, kind, dtype):
    """To rounding, also where outputs are sure (scale 30)."""
    case = random_case((9, 5, 4), 300, scale=scale)
    case = case._replace(X=case.X.astype(kind))
    weight = np.random.default_rng(1).uniform(0.1, 2.0, 300)
    family = {"engine": engine, "output": output, "sample_weight": weight}
    cost, gradient = evaluated(case, np.eye(4, dtype=dtype)[case.y], **family)
    want_cost, want = evaluated(case, case.y, **family)
    tolerance = 1e-15 if kind == np.float64 else 1e-7
    assert abs(cost - want_cost) <= tolerance * want_cost
    assert np.linalg.norm(gradient - want) <= tolerance * np.linalg.norm(want)


@every_engine
@every_output
@pytest.mark.parametrize("sizes", [(4, 3), (5, 4, 3), (6, 5, 4, 1), (3, 7, 2, 5, 6)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_against_the_complex_step(engine, output, sizes, weighted):
    case = random_case(sizes, 70, scale=2.0)
    T = np.ones((70, 1)) if output == "softmax" and sizes[-1] == 1 else numbers(output, 70, sizes[-1])
    weight = np.random.default_rng(2).uniform(0.0, 3.0, 70) if weighted else None
    family = {"activation": "tanh", "output": output, "sample_weight": weight}
    problem = case._replace(y=T).problem(0.7, **family)
    want = np.empty(problem.network.P)
    reference.complex_step_gradient(case.theta, problem, np.arange(problem.network.P), want)
    cost, gradient = evaluated(case, T, engine=engine, **family)
    assert cost == pytest.approx(reference.cost(case.theta, problem), rel=1e-14)
    assert np.linalg.norm(gradient - want) <= 1e-13 * np.linalg.norm(want)


@every_engine
def test_soft_labels_by_hand(engine):
    """Outputs z = (log 3, 0), h = (3/4, 1/2), targets (1/4, 1): deltas (1/2, -1/2).

    Losses log(4) - 1/4 log 3 and log 2.
    """
    weights = (np.array([[np.log(3.0), 0.0], [0.0, 0.0]]),)
    cost, (gradient,) = fastnn.cost_and_gradient(weights, [[2.0]], [[0.25, 1.0]], engine=engine)
    assert cost == pytest.approx(3 * np.log(2.0) - np.log(3.0) / 4, rel=1e-15)
    np.testing.assert_allclose(gradient, [[0.5, 1.0], [-0.5, -1.0]], rtol=1e-15)


@every_engine
def test_a_distribution_by_hand(engine):
    """Probabilities (1/3, 1/2, 1/6), targets (1/2, 1/2, 0): loss log(6)/2, deltas (-1/6, 0, 1/6)."""
    weights = (np.array([[np.log(2.0), 0.0], [np.log(3.0), 0.0], [0.0, 0.0]]),)
    cost, (gradient,) = fastnn.cost_and_gradient(weights, [[5.0]], [[0.5, 0.5, 0.0]], engine=engine, output="softmax")
    assert cost == pytest.approx(np.log(6.0) / 2, rel=1e-15)
    np.testing.assert_allclose(gradient[:, 0], [-1 / 6, 0.0, 1 / 6], rtol=1e-15, atol=2e-16)


@every_engine
def test_regression_by_hand(engine):
    """y = 2 + 3 x at x = 1 and -1, targets 4 and 1: errors 1 and -2, the mean of halves of squares 5/4.

    Gradients: the mean of the errors, -1/2, and of errors times x, 3/2; lmbda 2 adds 2 * 3 / 2 and 9 / 2.
    """
    weights = (np.array([[2.0, 3.0]]),)
    data = weights, [[1.0], [-1.0]], [[4.0], [1.0]]
    cost, (gradient,) = fastnn.cost_and_gradient(*data, 2.0, engine=engine, output="identity")
    assert cost == 5 / 4 + 9 / 2
    np.testing.assert_array_equal(gradient, [[-1 / 2, 3 / 2 + 3.0]])
    np.testing.assert_array_equal(fastnn.forward(*data[:2], engine=engine, output="identity"), [[5.0], [-1.0]])


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("z", [1.0, -40.0, 40.0, 700.0, -1e5])
@pytest.mark.parametrize("t", [0.0, 2.0**-30, 0.5, 1 - 2.0**-30, 1.0])
def test_sure_outputs_with_soft_labels(engine, z, t):
    """Every digit, against 60 of them; a delta is a difference of two terms, each right to the last bits."""
    with mpmath.workdps(60):
        h, rest = 1 / (1 + mpmath.exp(mpmath.mpf(-z))), 1 / (1 + mpmath.exp(mpmath.mpf(z)))
        want = float(mpmath.log1p(mpmath.exp(mpmath.mpf(-abs(z)))) + (1 - t if z > 0 else t) * abs(z))
        terms = (1 - t) * h, t * rest
        delta = float(terms[0] - terms[1])
    weights = (np.array([[z, 0.0]]),)
    cost, (gradient,) = fastnn.cost_and_gradient(weights, [[0.0]], [[t]], engine=engine)
    assert cost == pytest.approx(want, rel=1e-15)
    assert abs(gradient[0, 0] - delta) <= 3e-16 * float(max(terms))


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("z", [1.0, 40.0, 700.0])
def test_sure_softmax_with_a_distribution(engine, z):
    weights = (np.array([[z, 0.0], [0.0, 0.0], [-z, 0.0]]),)
    t = [0.75, 0.25 - 2.0**-30, 2.0**-30]
    with mpmath.workdps(400):
        e = [mpmath.exp(value) for value in (z, 0, -z)]
        h = [value / sum(e) for value in e]
        want = float(-sum(share * mpmath.log(value) for share, value in zip(t, h, strict=True)))
        deltas = [float(value - share) for share, value in zip(t, h, strict=True)]
    cost, (gradient,) = fastnn.cost_and_gradient(weights, [[0.0]], [t], engine=engine, output="softmax")
    assert cost == pytest.approx(want, rel=1e-15)
    np.testing.assert_allclose(gradient[:, 0], deltas, rtol=1e-15, atol=1e-16)


@every_engine
@every_output
def test_float32(engine, output):
    """As for class indices: rounded products of n + (block) terms."""
    case = random_case((30, 17, 5), 300)
    narrow = case._replace(X=case.X.astype(np.float32))
    wide = case._replace(X=narrow.X.astype(np.float64))
    T = numbers(output, 300, 5)
    cost, gradient = evaluated(narrow, T, engine=engine, output=output)
    want_cost, want = evaluated(wide, T, engine="numpy", output=output)
    bound = np.sqrt(330) * np.finfo(np.float32).eps
    assert abs(cost - want_cost) <= bound * want_cost
    assert np.linalg.norm(gradient - want) <= bound * np.linalg.norm(want)


@every_engine
@every_output
def test_nan_reaches_the_caller(engine, output):
    case = random_case((6, 5, 3), 150)
    theta = case.theta
    theta[8] = np.nan
    with np.errstate(invalid="ignore"):
        objective = fastnn.Objective(case.X, numbers(output, 150, 3), case.sizes, engine=engine, output=output)
        cost, gradient = objective.evaluate(theta)
    assert np.isnan(cost)
    assert np.isnan(gradient).any()


def random_member(number):
    """Networks, data and targets of every kind in turn, at the edges of the kernel's blocks."""
    rng = np.random.default_rng(number)
    sizes = tuple(int(size) for size in rng.integers(1, 8, rng.integers(2, 6)))
    m = int(rng.choice([1, 7, 33, 511, 513]))
    case = random_case(sizes, m, seed=number, scale=rng.choice([0.3, 1.0, 3.0]))
    case.X[rng.random(case.X.shape) < 0.3] = 0.0
    output = [*spec.OUTPUTS][number % 3]
    T = numbers(output, m, sizes[-1], seed=number)
    if output == "identity" and rng.random() < 0.5:
        T = case.y
    weight = rng.uniform(0.01, 3.0, m) if rng.random() < 0.5 else None
    family = {"activation": [*spec.HIDDEN][number // 3 % 4], "output": output, "sample_weight": weight}
    return case._replace(y=T), family, rng.choice([0.0, 0.7])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(48))
def test_differences(number):
    """Whole evaluations at large steps, and the complex step at the small one, agree with the kernel."""
    case, family, lmbda = random_member(number)
    problem, theta = case.problem(lmbda, **family), case.theta
    cost, want = reference.cost(theta, problem), np.empty(problem.network.P)
    for step in (2.0**-4, 2.0**-8):
        reference.numerical_gradient(theta, problem, step, np.arange(problem.network.P), want)
        got, _ = differences_of(problem, theta, step)
        assert np.abs(got - want).max() <= 2e-15 * (1 + cost + np.abs(want).max()) / step
    reference.complex_step_gradient(theta, problem, np.arange(problem.network.P), want)
    got, kinks = differences_of(problem, theta, STEP)
    assert not kinks.any()
    assert np.linalg.norm(got - want) <= 1e-13 * np.linalg.norm(want)


@pytest.mark.slow
def test_right_gradients_pass():
    for number in range(300):
        case, family, lmbda = random_member(number)
        for how in ({}, {"directions": 10, "seed": number}):
            report = fastnn.check_gradient(
                case.weights, case.X, case.y, lmbda, engine=ENGINES[number // 12 % 4], **family, **how
            )
            assert report.passed, (number, report)


def planted(case, T, output):
    """Wrong gradients of targets that are numbers, by name."""
    lmbda, m = 2.0, len(T)
    data = case.weights, case.X

    def of(targets, **family):
        return fastnn.cost_and_gradient(*data, targets, lmbda, **{"output": output, **family})[1]

    right = of(T)
    yield "classes instead", of(T.argmax(axis=1))
    yield "rounded targets", of(np.eye(T.shape[1])[T.argmax(axis=1)] if output == "softmax" else np.round(T))
    yield "columns reversed", of(T[:, ::-1])
    yield "rows rolled", of(np.roll(T, 1, axis=0))
    yield "one example left out", fastnn.cost_and_gradient(case.weights, case.X[1:], T[1:], lmbda, output=output)[1]
    yield "twice the error", tuple(2 * dW for dW in right)
    yield "mean over outputs too", tuple(dW / T.shape[1] for dW in right)
    yield "no regularisation", fastnn.cost_and_gradient(*data, T, output=output)[1]
    yield "sum instead of mean", tuple(m * dW for dW in right)
    for other in spec.OUTPUTS:
        if other != output:
            suitable = numbers("softmax", m, T.shape[1]) if other == "softmax" else np.clip(T, 0.0, 1.0)
            yield f"the output {other}", of(suitable, output=other)
    wrong = [dW.copy() for dW in right]
    wrong[0][2, 3] *= 1 + 1e-6
    yield "one weight off by 1e-6 relative", tuple(wrong)
    wrong = [dW.copy() for dW in right]
    wrong[1][1, 0] *= 1 + 1e-6
    yield "one bias off by 1e-6 relative", tuple(wrong)


@every_output
@pytest.mark.parametrize("how", [{}, {"directions": 10}], ids=["whole", "quick"])
def test_planted_errors_are_caught(output, how):
    for seed in range(5):
        case = random_case((6, 5, 4), 40, seed=seed)
        T = numbers(output, 40, 4, seed=seed)
        found = {}
        for name, gradient in planted(case, T, output):
            report = fastnn.check_gradient(case.weights, case.X, T, 2.0, output=output, gradient=gradient, **how)
            found[name] = not report.passed
        assert len(found) >= 12
        missed = [name for name, caught in found.items() if not caught]
        assert (
            not missed
            if not how
            else set(missed) <= {"one weight off by 1e-6 relative", "one bias off by 1e-6 relative"}
        )


@pytest.mark.parametrize(
    ("y", "output", "error", "message"),
    [
        (np.full((4, 3), 0.5), "sigmoid", ValueError, r"y has shape \(4, 3\); \(5,\) or \(5, 3\) is wanted"),
        (np.full((5, 2), 0.5), "sigmoid", ValueError, r"y has shape \(5, 2\); \(5,\) or \(5, 3\) is wanted"),
        (np.zeros((5, 1), int), "sigmoid", ValueError, r"y has shape \(5, 1\); .*y.ravel\(\) has it"),
        (np.eye(5, 3) * 2, "sigmoid", ValueError, r"y holds 2 at index \(0, 0\); numbers in \[0, 1\]"),
        (np.eye(5, 3) - 0.1, "sigmoid", ValueError, r"y holds -0.1 at index \(0, 1\); numbers in \[0, 1\]"),
        (np.full((5, 3), 0.33), "softmax", ValueError, r"y has in row 0 the sum 0.99 and the least entry 0.33"),
        (np.array([[1.0, 1, -1]] * 5), "softmax", ValueError, "y has in row 0 the sum 1 and the least entry -1"),
        (np.full((5, 3), np.nan), "identity", ValueError, r"y holds nan at index \(0, 0\)"),
        (np.full((5, 3), "a"), "identity", TypeError, "y has dtype <U1; real numbers"),
        (
            np.arange(5.0),
            "identity",
            TypeError,
            r"y has dtype float64; integer class indices \(m,\), or numbers \(m, K\)",
        ),
    ],
)
def test_bad_targets(y, output, error, message):
    case = random_case((4, 3, 3), 5)
    for function in (fastnn.cost_and_gradient, fastnn.cost_and_gradient_sums, fastnn.check_gradient):
        with pytest.raises(error, match=message):
            function(case.weights, case.X, y, output=output)
    with pytest.raises(error, match=message):
        fastnn.Objective(case.X, y, case.sizes, output=output)


def test_distributions_may_have_been_float32():
    T = numbers("softmax", 50, 7).astype(np.float32)
    case = random_case((4, 3, 7), 50)
    got = evaluated(case, T, output="softmax")
    assert_same(got, evaluated(case, T.astype(np.float64), output="softmax"))
    assert fastnn.check_gradient(case.weights, case.X, T, output="softmax").passed
