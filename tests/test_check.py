"""The gradient check: right gradients pass, wrong ones do not."""

from xml.etree import ElementTree

import mpmath
import numba
import numpy as np
import pytest

import fastnn
from fastnn import network, spec
from fastnn.engines import numpy as reference
from fastnn.kernels import differences
from fastnn.kernels.activations import move
from fastnn.kernels.elementary import TINY
from fastnn.kernels.losses import loss_ratios
from fastnn.objective import Objective
from fastnn.spec import STEP, sigmoid

from .conftest import ENGINES, Case, debug_case, in_pairs, random_case, with_long

FAMILY = [(activation, output) for activation in spec.HIDDEN for output in spec.OUTPUTS]


SHAPES = [(4, 3), (5, 4, 3), (4, 6, 5, 2), (3, 2, 4, 3, 3), (3, 4, 2, 3, 2, 3)]


@pytest.mark.parametrize(
    ("engine", "sizes", "lmbda", "activation"), in_pairs(ENGINES, SHAPES, [0.0, 1.5], spec.HIDDEN), ids=str
)
def test_backpropagation_passes(engine, sizes, lmbda, activation):
    case = random_case(sizes, 12)
    report = fastnn.check_gradient(case.weights, case.X, case.y, lmbda, engine=engine, activation=activation)
    assert report.passed
    assert report.relative_norm_error < 1e-8
    assert len(report.layers) == len(sizes) - 1


def differences_of(problem, theta, step, parameters=None):
    """By the kernel: of `parameters`, and how often a relu has passed its kink."""
    table = network.parameter_table(problem.network.sizes)[slice(None) if parameters is None else parameters]
    guarded = [np.full(len(table) + 2, fill) for fill in (np.nan, np.nan, -7)]
    found = differences.Differences(*(array[1:-1] for array in guarded))
    Z = differences.pre_activations(theta, problem.network.layers, problem.data.X)
    differences.numerical_gradient(theta, problem, Z, step, table, found)
    found.values[:] /= problem.data.total
    found.sizes[:] /= problem.data.total
    assert np.isnan([array[[0, -1]] for array in guarded[:2]]).all()
    assert (guarded[2][[0, -1]] == -7).all()
    assert (found.sizes >= np.abs(found.values) * (1 - 1e-14)).all()
    return found.values, found.kinks


def random_member(number):
    """A network of 0 to 4 hidden layers, of every kind in turn, with data; a third of its inputs 0.

    What else there is to choose is drawn, so that no kind always comes with the same of it.
    """
    rng = np.random.default_rng(number)
    sizes = tuple(int(size) for size in rng.integers(1, 9, 2 + number % 5))
    m = int(rng.choice([1, 2, 7, 31, 32, 33, 70, 255, 256, 257, 300]))
    family = FAMILY[number % len(FAMILY)]
    # Linear layers would multiply a scale of 3, to outputs of 500: a loss that falls by 25 within a step of 1/16
    # keeps only 5 digits (losses.py).
    scales = [0.3, 1.0] if family[0] == "identity" else [0.3, 1.0, 3.0]
    case = random_case(sizes, m, seed=number, scale=rng.choice(scales))
    case.X[rng.random(case.X.shape) < 0.3] = 0.0
    weight = rng.uniform(0.0, 3.0, m) + 0.01 if rng.random() < 0.5 else None
    return case, {"activation": family[0], "output": family[1], "sample_weight": weight}, rng.choice([0.0, 0.7])


@pytest.mark.parametrize("number", with_long(range(60), range(120)))
def test_twins(number):
    """What the kernel calls a difference is one, at steps of any size: whole evaluations in NumPy agree.

    Those subtract two costs, and so keep 1e-16 of the costs' size, over the step.
    """
    case, family, lmbda = random_member(number)
    problem, theta = case.problem(lmbda, **family), case.theta
    cost = reference.cost(theta, problem)
    for step in (2.0**-4, 2.0**-8):
        want = np.empty(problem.network.P)
        reference.numerical_gradient(theta, problem, step, np.arange(problem.network.P), want)
        got, _ = differences_of(problem, theta, step)
        assert np.abs(got - want).max() <= 2e-15 * (1 + cost + np.abs(want).max()) / step


@pytest.mark.parametrize("number", range(20))
def test_some_parameters(number):
    """In any order, twice the same one too: the bits of the full run."""
    case, family, lmbda = random_member(number)
    problem, theta = case.problem(lmbda, **family), case.theta
    every, _ = differences_of(problem, theta, STEP)
    some = np.random.default_rng(number).integers(0, problem.network.P, 1 + number)
    got, _ = differences_of(problem, theta, STEP, some)
    assert np.array_equal(got, every[some])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(60))
def test_slopes_are_differences(number):
    """Along a direction: against two whole costs."""
    case, family, lmbda = random_member(number)
    problem, theta = case.problem(lmbda, **family), case.theta
    V = np.random.default_rng(number).standard_normal((3, len(theta)))
    Z = differences.pre_activations(theta, problem.network.layers, problem.data.X)
    for step in (2.0**-6, 2.0**-9):
        got, sizes, kinks = np.full(3, np.nan), np.full(3, np.nan), np.empty(3, np.int64)
        differences.slopes(theta, problem, Z, step, V, differences.Differences(got, sizes, kinks))
        got /= problem.data.total
        sizes /= problem.data.total
        assert (sizes >= np.abs(got) * (1 - 1e-14)).all()
        costs = np.array([[reference.cost(theta + sign * step * v, problem) for v in V] for sign in (1, -1)])
        want = (costs[0] - costs[1]) / (2 * step)
        assert np.abs(got - want).max() <= 2e-15 * (1 + costs.max()) / step


@pytest.mark.slow
@pytest.mark.parametrize("number", range(24))
def test_small_steps_give_derivatives(number):
    """The complex step, which subtracts nothing either, agrees to the last digits."""
    case, family, lmbda = random_member(number)
    problem, theta = case.problem(lmbda, **family), case.theta
    want = np.empty(problem.network.P)
    reference.complex_step_gradient(theta, problem, np.arange(problem.network.P), want)
    got, kinks = differences_of(problem, theta, STEP)
    assert not kinks.any()
    assert np.linalg.norm(got - want) <= 1e-14 * np.linalg.norm(want)


@pytest.mark.slow
def test_complex_step_of_the_seeds_network(digits, long):
    """All 10,285 parameters or every tenth, on the first of each digit."""
    X, y = digits
    case = Case((400, 25, 10), fastnn.init_weights((400, 25, 10)), X[::500], y[::500])
    some = np.arange(0, 10_285, 1 if long else 10)
    want = np.empty(len(some))
    reference.complex_step_gradient(case.theta, case.problem(1.0), some, want)
    for engine in ENGINES:
        _, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, 1.0, engine=engine)
        assert np.linalg.norm(fastnn.pack(gradient)[some] - want) <= 1e-13 * np.linalg.norm(want)


def test_a_step_that_is_too_long_for_the_polynomial():
    """log1p beyond where the series serves: one loss moves from log 2 to 30 and to 1e-13."""
    got = fastnn.numerical_gradient((np.array([[0.0, 0.0]]),), [[30.0]], [0], step=1.0)
    want = (np.log1p(np.exp(-30.0)) - np.log1p(np.exp(30.0))) / 2
    assert got[0][0, 1] == pytest.approx(want, rel=1e-14)


@numba.njit
def moved(factors, z, p, q, code, tiny):
    d = np.full_like(p, np.nan)
    kinks = move(factors, z, p, q, code, tiny, d, z.shape[1] - 1)
    return d, kinks


@pytest.mark.slow
@pytest.mark.parametrize("activation", spec.HIDDEN)
@pytest.mark.parametrize("rows", [1, 7])
def test_tiny_moves_are_moves(activation, rows):
    """Up to the bound the short formula gives the numbers of the long one; both are right to some roundings."""
    rng, code = np.random.default_rng(rows), spec.HIDDEN[activation].code
    z, factors = 0.5 * TINY * rng.uniform(-1, 1, (rows, 50)), rng.uniform(-1, 1, 7)
    p, q = rng.uniform(0, 1, (2, 7, 50))
    z[:, :4] = 0.5 * TINY, -0.5 * TINY, 1e-300, 0.0
    factors[:2] = 1.0, -1.0
    (got, kinks), (long, same) = (moved(factors, z, p, q, code, tiny) for tiny in (True, False))
    assert kinks == same
    np.testing.assert_allclose(got[:, :-1], long[:, :-1], rtol=8 * np.finfo(float).eps, atol=0)
    assert np.isnan(got[:, -1]).all()
    if activation in ("sigmoid", "tanh"):
        scale, rows_of_z = 2 if activation == "tanh" else 1, np.broadcast_to(z, (7, 50))
        with mpmath.workdps(50):
            for r, i in np.ndindex(7, 49):
                E = mpmath.expm1(scale * mpmath.mpf(factors[r]) * mpmath.mpf(rows_of_z[r, i]))
                want = mpmath.mpf(q[r, i]) * E / (1 + mpmath.mpf(p[r, i]) * E)
                # half an ulp, at most 1.1e-16, for each of five roundings
                assert abs(got[r, i] - want) <= 5.5e-16 * abs(want)


@numba.njit
def ratios(d, p, own, moved, output, tiny):
    own_move, r = np.full(len(own), np.nan), np.full(len(own), np.nan)
    loss_ratios(d, p, own, moved, output, tiny, own_move, r)
    return r


@pytest.mark.slow
@pytest.mark.parametrize("output", spec.OUTPUTS)
@pytest.mark.parametrize("moved", [(0, 4), (1, 2)])
def test_tiny_moves_of_outputs(output, moved):
    """Of outputs that do not move nothing is read, NaN included. With 50 digits, short and long formula agree."""
    rng, code = np.random.default_rng(1), spec.OUTPUTS[output].loss.code
    d, p, own = np.full((4, 30), np.nan), rng.uniform(0, 1, (4, 30)), rng.integers(0, 4, 30)
    d[slice(*moved)] = 0.5 * TINY * rng.choice([-1.0, 1.0, 0.3, 0.0], (moved[1] - moved[0], 30))
    if output == "sigmoid":
        p[own, np.arange(30)] *= -1.0
    for tiny in (True, False):
        got = ratios(d.copy(), p, own, moved, code, tiny)
        for i in range(30):
            with mpmath.workdps(50):
                move = [mpmath.mpf(one) for one in np.nan_to_num(d[:, i])]
                share = [mpmath.mpf(one) for one in p[:, i]]
                if output == "sigmoid":
                    signs = [-1 if one < 0 else 1 for one in share]
                    terms = [abs(s) * mpmath.expm1(sign * m) for s, sign, m in zip(share, signs, move, strict=True)]
                    want = mpmath.fprod(1 + term for term in terms) - 1
                else:
                    terms = [s * mpmath.expm1(m - move[own[i]]) for s, m in zip(share, move, strict=True)]
                    want = mpmath.fsum(terms)
                want = 0 if output == "identity" else want
                # four roundings in a term, and one of each sum: relative to the terms, not to what they leave
                assert abs(got[i] - want) <= 9e-16 * mpmath.fsum(map(abs, terms))


@pytest.mark.slow
@pytest.mark.parametrize("output", spec.OUTPUTS)
def test_steps_on_both_sides_of_the_bound_between_short_and_long_formulas(output):
    """As the step shrinks the differences converge with its square; nothing jumps where the formulas change."""
    case = random_case((4, 6, 5, 3), 40, seed=2)
    problem, theta = case.problem(0.0, output=output), case.theta
    want, _ = differences_of(problem, theta, 2.0**-26)
    for step in 2.0 ** np.arange(-24, -9):
        got, _ = differences_of(problem, theta, step)
        # a third derivative is at most some tens of times the first here; rounding leaves some 1e-15
        assert np.linalg.norm(got - want) <= (100 * step**2 + 1e-14) * np.linalg.norm(want)


def test_memory_of_wide_networks():
    """Rows of all units are kept for as many teams, and as many examples, as the bounds allow."""
    for units in (1, 35, 106, 5000, 50_000):
        work = differences._column_workspace(1000, units)
        size = work.units.nbytes
        least = 2 * 32 * units * differences.BLOCK_MIN
        assert size <= max(differences.ALL_BYTES, least)
        assert len(work.units) >= 2
        assert differences.BLOCK_MIN <= work.units.shape[3] <= differences.BLOCK


def test_central_differences_by_hand():
    """Logistic regression on x = 1, one class, weight w = 0, bias 0: J(w) = log(1 + exp(-w))."""
    step = 0.5
    got = fastnn.numerical_gradient((np.zeros((1, 2)),), [[1.0]], [0], step=step)
    want = (np.log1p(np.exp(-step)) - np.log1p(np.exp(step))) / (2 * step)
    np.testing.assert_allclose(got[0], [[want, want]], rtol=1e-14)


# The slope of each activation of hidden layers, by its value.
SLOPES = {
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "relu": lambda a: a > 0,
    "identity": np.ones_like,
}


def backpropagation(case, lmbda, activation, *, delta=lambda D, h, T: D, slope=None, pixels=lambda X: X):
    """The exercise's gradient in NumPy, with places to put mistakes in."""
    (W0, W1), X, m = case.weights, pixels(case.X), len(case.X)
    T = np.eye(case.sizes[-1])[case.y]
    a = spec.HIDDEN[activation].value(X @ W0[:, 1:].T + W0[:, 0])
    h = sigmoid(a @ W1[:, 1:].T + W1[:, 0])
    D1 = delta(h - T, h, T)
    D0 = D1 @ W1[:, 1:] * (slope or SLOPES[activation])(a)
    dW = [np.column_stack([D.sum(axis=0), D.T @ below]) / m for D, below in ((D0, X), (D1, a))]
    for dW_l, W in zip(dW, (W0, W1), strict=True):
        dW_l[:, 1:] += lmbda / m * W[:, 1:]
    return tuple(dW)


def planted(case, lmbda, activation):
    """Wrong gradients, by name."""
    right = backpropagation(case, lmbda, activation)
    m, K = len(case.X), case.sizes[-1]

    def change(l, index, value):
        wrong = [dW.copy() for dW in right]
        wrong[l][index] = value(wrong[l][index])
        return tuple(wrong)

    biases, weights = (slice(None), 0), (slice(None), slice(1, None))
    yield "no bias column", change(0, biases, np.zeros_like)
    yield "no bias column above", change(1, biases, np.zeros_like)
    yield "regularised bias", change(1, biases, lambda dW: dW + lmbda / m * case.weights[1][:, 0])
    yield "lmbda instead of lmbda/m", backpropagation(case, lmbda * m, activation)
    yield "lmbda/2m", backpropagation(case, lmbda / 2, activation)
    yield "no regularisation", backpropagation(case, 0.0, activation)
    yield "first layer unregularised", change(0, weights, lambda dW: dW - lmbda / m * case.weights[0][:, 1:])
    yield "sign", tuple(-dW for dW in right)
    yield "factor 2", tuple(2 * dW for dW in right)
    yield "factor 1 + 1e-6", tuple((1 + 1e-6) * dW for dW in right)
    yield "sum instead of mean", tuple(m * dW for dW in right)
    for other, slope in SLOPES.items():
        if other != activation:
            yield f"derivative of {other}", backpropagation(case, lmbda, activation, slope=slope)
    yield (
        "derivative of the derivative's argument",
        backpropagation(case, lmbda, activation, slope=lambda z: sigmoid(z) * sigmoid(-z)),
    )
    yield "squared error's delta", backpropagation(case, lmbda, activation, delta=lambda D, h, T: D * h * (1 - h))
    yield "first term of the loss only", backpropagation(case, lmbda, activation, delta=lambda D, h, T: -T * (1 - h))
    yield "clipped deltas", backpropagation(case, lmbda, activation, delta=lambda D, h, T: np.clip(D, -0.5, 0.5))
    off = case._replace(y=(case.y + 1) % K)
    yield "labels off by one", backpropagation(off, lmbda, activation)
    raw = np.arange(K)[case.y][:, None]
    yield "raw labels", backpropagation(case, lmbda, activation, delta=lambda D, h, T: h - raw)
    part = case._replace(X=case.X[1:], y=case.y[1:])
    yield "one example left out", backpropagation(part, lmbda * (m - 1) / m, activation)
    other = (case.y != case.y[0]).argmax()
    swapped = np.arange(m)
    swapped[[0, other]] = other, 0
    yield (
        "two examples of different classes swapped",
        backpropagation(case, lmbda, activation, pixels=lambda X: X[swapped]),
    )
    middle = np.arange(case.sizes[0]) == case.sizes[0] // 2
    shifted = np.where(middle, np.roll(case.X, 1, axis=0), case.X)
    yield "one column of X shifted", backpropagation(case, lmbda, activation, pixels=lambda X: shifted)
    yield "two rows swapped", change(0, ..., lambda dW: dW[[1, 0, *range(2, len(dW))]])
    yield "units reversed", change(1, ..., lambda dW: dW[::-1].copy())
    yield "layer in the other order", change(0, ..., lambda dW: dW.T.reshape(dW.shape))
    yield "in float32", tuple(dW.astype(np.float32).astype(float) for dW in right)
    yield "one weight off by 1e-6 relative", change(0, (2, 3), lambda value: value * (1 + 1e-6))
    yield "one bias off by 1e-6 relative", change(1, (1, 0), lambda value: value * (1 + 1e-6))
    yield "one entry 0", change(1, (0, 1), np.zeros_like)


def caught(case, lmbda, activation="sigmoid", **how):
    """Which of the planted errors a check does not pass."""
    names = {}
    for name, wrong in planted(case, lmbda, activation):
        report = fastnn.check_gradient(
            case.weights, case.X, case.y, lmbda, gradient=wrong, activation=activation, **how
        )
        assert ("FAILED" in str(report)) == (not report.passed)
        names[name] = not report.passed
    assert len(names) >= 20
    return names


@pytest.mark.parametrize("activation", spec.HIDDEN)
def test_planted_errors_are_caught(activation):
    for seed in range(3):
        case = random_case((6, 5, 4), 40, seed=seed)
        right = backpropagation(case, 2.0, activation)
        report = fastnn.check_gradient(case.weights, case.X, case.y, 2.0, gradient=right, activation=activation)
        assert report.passed, report
        names = caught(case, 2.0, activation)
        assert all(names.values()), names


@pytest.mark.slow
@pytest.mark.parametrize("activation", spec.HIDDEN)
def test_quick_check_catches_planted_errors(activation):
    """Ten directions, twenty evaluations."""
    names = []
    for seed in range(5):
        found = caught(random_case((6, 5, 4), 40, seed=seed), 2.0, activation, directions=10, seed=seed)
        names += found.items()
    assert np.mean([found for _, found in names]) >= 0.95, [name for name, found in names if not found]


@pytest.mark.slow
def test_planted_errors_are_caught_on_digits(digits):
    X, y = digits
    case = Case((400, 25, 10), fastnn.init_weights((400, 25, 10)), X[::50], y[::50])
    names = caught(case, 1.0, directions=10)
    assert np.mean(list(names.values())) >= 0.95, names


def test_right_gradients_pass(long):
    """Checked entry by entry and along directions: each kind, each depth and each engine with any other of these."""
    for number in range(1000 if long else 240):
        case, family, lmbda = random_member(number)
        data = case.weights, case.X, case.y, lmbda
        keywords = {**family, "engine": ENGINES[number // len(FAMILY) % 4]}
        for how in ({}, {"directions": 10, "seed": number}):
            report = fastnn.check_gradient(*data, **keywords, **how)
            assert report.passed, (number, report)


@pytest.mark.parametrize("seed", with_long(range(2), range(4)))
def test_right_gradients_pass_at_an_optimum(seed):
    """There the gradient's terms cancel, and rounding is a larger part of what is left."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 20)
    X = rng.standard_normal((60, 4)) + 0.7 * y[:, None]
    theta = fastnn.pack(fastnn.train(X, y, 5, 1.0, solver="l-bfgs", maxiter=3000, seed=seed).weights)
    objective = fastnn.Objective(X, y, (4, 5, 3), 1.0)
    for _ in range(12):  # Newton's method from here on: the gradient becomes 1e-16
        gradient = objective.gradient(theta)
        H = np.array([objective.gradient(theta + 1e-6 * e) - objective.gradient(theta - 1e-6 * e) for e in np.eye(43)])
        theta = theta - np.linalg.lstsq(H / 2e-6, gradient, rcond=1e-7)[0]
    weights = fastnn.unpack(theta, (4, 5, 3))
    assert np.linalg.norm(objective.gradient(theta)) < 1e-12
    for how in ({}, {"directions": 10}):
        report = fastnn.check_gradient(weights, X, y, 1.0, **how)
        assert report.passed, report
        wrong = tuple(dW + 1e-9 for dW in fastnn.cost_and_gradient(weights, X, y, 1.0)[1])
        assert not fastnn.check_gradient(weights, X, y, 1.0, gradient=wrong, **how).passed


def test_worst_entry_is_named():
    case = random_case((6, 5, 4), 40)
    _, right = fastnn.cost_and_gradient(case.weights, case.X, case.y)
    wrong = tuple(dW.copy() for dW in right)
    wrong[1][2, 3] += 1e-3
    worst = fastnn.check_gradient(case.weights, case.X, case.y, gradient=wrong).worst
    assert (worst.layer, worst.row, worst.column) == (1, 2, 3)
    assert worst.analytic == wrong[1][2, 3]
    assert worst.numerical == pytest.approx(right[1][2, 3], rel=1e-7)


def test_nothing_to_learn_passes():
    """All differences and all gradients zero: no division by zero."""
    weights = (np.array([[800.0, 0.0]]),)
    report = fastnn.check_gradient(weights, [[0.0]], [0])
    assert report.passed
    assert report.max_relative_error == 0.0


def test_a_gradient_that_is_not_a_number_fails(monkeypatch):
    """NaN, of one entry or of all, is neither above nor below a tolerance."""
    right = Objective.evaluate
    case = debug_case()
    for wrong in (slice(None), slice(7, 8)):

        def evaluate(self, theta, wrong=wrong):
            cost, gradient = right(self, theta)
            gradient = gradient.copy()
            gradient[wrong] = np.nan
            return cost, gradient

        monkeypatch.setattr(Objective, "evaluate", evaluate)
        for how in ({}, {"directions": 3}):
            report = fastnn.check_gradient(case.weights, case.X, case.y, **how)
            assert not report.passed
            assert np.isnan(report.max_relative_error)


def test_report_prints_the_figures():
    _, weights, X, y = debug_case()
    report = fastnn.check_gradient(weights, X, y)
    text = str(report)
    assert "gradient check passed: 38 parameters on 5 examples" in text
    assert f"{report.relative_norm_error:.1e}" in text
    for l, layer in enumerate(report.layers):
        assert f"layer {l}" in text
        assert layer.worst.layer == l
    assert max(layer.max_relative_error for layer in report.layers) == report.max_relative_error


@pytest.mark.parametrize("how", [{}, {"directions": 3}], ids=["parameters", "directions"])
def test_report_in_a_notebook_tells_verdict_errors_and_place(how):
    _, weights, X, y = debug_case()
    _, gradient = fastnn.cost_and_gradient(weights, X, y)
    gradient[1][2, 3] *= 1.5
    for given, verdict in ((None, "passed"), (gradient, "FAILED")):
        report = fastnn.check_gradient(weights, X, y, gradient=given, **how)
        place = str(report.worst).partition(":")[0]
        norm, worst = f"{report.relative_norm_error:.1e}", f"{report.max_relative_error:.1e}"
        said = f"<fastnn.GradientReport {verdict}: norm ratio {norm}, worst error {worst} at {place}>"
        assert repr(report) == said
        shown = ["".join(row.itertext()) for row in ElementTree.fromstring(report._repr_html_())]
        ways = "along 3 random directions " if how else ""
        assert shown == [
            f"gradient check {verdict}",
            f"checked38 parameters {ways}on 5 examples, step 1.5e-08",
            f"norm ratio{norm}; at most {report.tolerance:.1e} passes",
            f"worst error{worst}; at most {100 * report.tolerance:.1e} passes",
            f"worst entry{report.worst}",
        ]
        if verdict == "FAILED" and not how:
            assert place == "layer 1, row 2, column 3"


def test_report_of_nothing_in_a_notebook():
    weights = [np.zeros((2, 3)), np.zeros((2, 3))]  # every relu is at its kink
    report = fastnn.check_gradient(weights, np.eye(2), [0, 1], activation="relu", parameters=[0])
    assert report.worst is None
    assert repr(report) == "<fastnn.GradientReport FAILED: nothing to compare>"
    assert "left out</th><td style='text-align:left'>1 parameters at which a relu" in report._repr_html_()


def test_progress(capsys):
    _, weights, X, y = debug_case()
    fastnn.check_gradient(weights, X, y)
    assert capsys.readouterr().err == ""
    fastnn.check_gradient(weights, X, y, progress=True)
    assert "checking" in capsys.readouterr().err


@pytest.mark.slow
def test_every_parameter_of_the_seeds_network(digits, course):
    """All 10,285 on all 5,000; at the course's weights, where the gradient is only 1e-3, too.

    Entries of 1e-6 are sums of 5,000 terms of 1e-3: 1e-16 of these is 1e-13 of the entry, and up to
    1e-10 of one that is 1e-3 of that.
    """
    X, _ = digits
    weights, units = course
    for at in (weights, fastnn.init_weights((400, 25, 10))):
        report = fastnn.check_gradient(at, X, units, 1.0)
        assert report.parameters == 10_285
        assert report.examples == 5_000
        assert report.relative_norm_error < 1e-13
        assert report.max_relative_error < 1e-10
        assert report.passed


def test_chosen_parameters(digits):
    X, y = digits
    weights = fastnn.init_weights((400, 25, 10))
    report = fastnn.check_gradient(weights, X, y, 1.0, parameters=[10_284, 0, 17])
    assert report.passed
    assert report.parameters == 3
    assert report.worst in [layer.worst for layer in report.layers]
    only_first = fastnn.check_gradient(weights, X, y, 1.0, parameters=[5])
    assert only_first.layers[1].worst is None
    assert np.isnan(only_first.layers[1].relative_norm_error)
    assert only_first.passed
    with pytest.raises(ValueError, match="parameters and directions are both given"):
        fastnn.check_gradient(weights, X, y, parameters=[0], directions=1)


def test_an_error_elsewhere_is_not_seen_by_chosen_parameters():
    case = random_case((6, 5, 4), 40)
    wrong = [dW.copy() for dW in fastnn.cost_and_gradient(case.weights, case.X, case.y)[1]]
    wrong[0][1, 2] += 1e-3  # position 9
    data = case.weights, case.X, case.y
    assert fastnn.check_gradient(*data, gradient=wrong, parameters=[8, 10]).passed
    assert not fastnn.check_gradient(*data, gradient=wrong, parameters=[9, 10]).passed


def test_the_quick_check_estimates_the_norm_ratio():
    """An error of 1e-3 in every entry, at random: the estimate is within a factor of 2."""
    case = random_case((6, 5, 4), 40)
    rng = np.random.default_rng(3)
    wrong = [
        dW + 1e-3 * rng.standard_normal(dW.shape) for dW in fastnn.cost_and_gradient(case.weights, case.X, case.y)[1]
    ]
    data = case.weights, case.X, case.y
    want = fastnn.check_gradient(*data, gradient=wrong).relative_norm_error
    got = fastnn.check_gradient(*data, gradient=wrong, directions=100)
    assert got.relative_norm_error == pytest.approx(want, rel=1.0, abs=0.5 * want)
    assert got.directions == 100
    assert "100 random directions" in str(got)


def test_float32_gradients_pass():
    """X or the matrices passed are float32: the tolerance is float32's, the differences stay float64."""
    case = random_case((30, 17, 5), 200)
    X = case.X.astype(np.float32)
    report = fastnn.check_gradient(case.weights, X, case.y, 0.5)
    assert report.passed
    assert report.relative_norm_error > 1e-10
    _, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y)
    mine = [dW.astype(np.float32) for dW in gradient]
    assert fastnn.check_gradient(case.weights, case.X, case.y, gradient=mine).passed
    wrong = [1.01 * dW for dW in mine]
    assert not fastnn.check_gradient(case.weights, case.X, case.y, gradient=wrong).passed


def test_relu_that_passes_its_kink_is_left_out():
    """Unit 0 stands at 0 exactly for the example x = (1, 0): its bias and first weight have two slopes."""
    weights = (np.array([[-1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), np.array([[0.0, 1.0, 1.0]]))
    data = weights, [[1.0, 0.0], [2.0, 1.0]], [0, 0]
    report = fastnn.check_gradient(*data, activation="relu")
    assert report.kinks == 2
    assert report.parameters == 9
    assert report.passed
    assert "left out: 2 parameters at which a relu passes its kink" in str(report)
    alone = fastnn.check_gradient(*data, activation="relu", parameters=[0])
    assert alone.worst is None
    assert not alone.passed
    quick = fastnn.check_gradient(*data, activation="relu", directions=2)
    assert quick.kinks == 2
    assert not quick.passed


@pytest.mark.slow
def test_directions_meet_hardly_a_kink_on_the_digits(digits):
    X, y = digits
    weights = fastnn.init_weights((400, 50, 20, 10))
    report = fastnn.check_gradient(weights, X, y, 1.0, directions=10, activation="relu", output="softmax")
    assert report.passed
    assert report.kinks == 0


def test_bits_do_not_depend_on_threads():
    import numba

    case = random_case((9, 7, 6, 4), 700)
    results = []
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        results.append(fastnn.pack(fastnn.numerical_gradient(case.weights, case.X, case.y, 1.0)))
        numba.set_num_threads(before)
    assert all(np.array_equal(result, results[0]) for result in results)
