"""Cost, gradient and outputs of any finite numbers: right to a bound that is computed beside them, or refused.

The oracle computes in long double, whose exponents reach 1e4932, and carries along how far rounding in the arithmetic
of X may lead: a running error bound (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3). So
"right" has a meaning for weights of 1e300 too. Where a sum leaves the range of floats the answer is a clear error, or
infinite; it is never NaN, and never a wrong finite number.
"""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn
from fastnn import network
from fastnn.engines import fused
from fastnn.inputs import streams
from fastnn.kernels.arguments import arithmetic
from fastnn.runtime.pool import at_most
from fastnn.spec import HIDDEN, OUTPUTS

from .conftest import ENGINES, ROOT, Case, examples
from .engines.test_engines import in_50_digits
from .inputs.test_streams import Slices

LONG = np.longdouble
OVERFLOW = "too large together: their sums overflow"
FINITE = [0.0, 5e-324, 1e-308, 1e-45, 1e-16, 0.5, 1.0, 1.0 + 2**-52, 36.8, 88.8, 709.8, 745.2, 1e16, 3e38, 1e154, 1e308]


@dataclass(frozen=True)
class Drawn:
    """A problem: everything that the public functions take."""

    weights: tuple
    X: np.ndarray
    y: np.ndarray
    lmbda: float
    family: dict  # activation, output, sample_weight, scale

    @property
    def arguments(self):
        return {"weights": self.weights, "X": self.X, "y": self.y, "lmbda": self.lmbda, **self.family}

    @property
    def forward(self):
        family = {name: self.family[name] for name in ("activation", "output", "scale")}
        return {"weights": self.weights, "X": self.X, **family}


def numbers(rng, kind, shape):
    """Finite numbers, float64, of one of a few kinds."""
    sign = rng.choice([-1.0, 1.0], shape)
    if kind == "zero":
        return np.zeros(shape)
    if kind == "any exponent":
        return sign * 2.0 ** rng.uniform(-1074, 1023.9, shape)
    if kind == "special":
        return sign * rng.choice(FINITE, shape)
    largest = {"normal": 1.0, "sure": 100.0, "large": 1e30, "huge": 1.7e308, "tiny": 1e-300}[kind]
    return largest * np.clip(rng.standard_normal(shape), -1.0, 1.0)


KINDS = ["normal", "normal", "normal", "sure", "large", "huge", "tiny", "zero", "any exponent", "special"]


@st.composite
def problems(draw, kinds=KINDS):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, K = draw(st.sampled_from([1, 2, 3, 5, 9, 33])), draw(st.sampled_from([1, 2, 3, 5, 9]))
    sizes = (n, *draw(st.lists(st.sampled_from([1, 2, 3, 8, 17]), max_size=2)), K)
    m = draw(st.sampled_from([1, 2, 3, 7, 8, 16, 17, 33, 70]))
    dtype = draw(st.sampled_from([np.float64, np.float64, np.float32, np.float16, np.uint8]))
    X = numbers(rng, draw(st.sampled_from(kinds)), (m, n))
    if dtype == np.uint8:
        X = rng.integers(0, 256, (m, n)) * (rng.random((m, n)) < 0.5)
    elif dtype != np.float64:
        X = np.clip(X, *np.finfo(dtype).max * np.array([-1.0, 1.0]))
    weights = tuple(numbers(rng, draw(st.sampled_from(kinds)), shape) for shape in network.shapes(sizes))
    output = draw(st.sampled_from([*OUTPUTS]))
    y = rng.integers(0, K, m)
    if draw(st.booleans()):
        y = numbers(rng, draw(st.sampled_from(kinds)), (m, K)) if output == "identity" else rng.random((m, K))
        if output != "identity":
            y = np.where(rng.random((m, K)) < 0.3, np.round(y), y)
        if output == "softmax":
            y[y.sum(axis=1) == 0.0] = 1.0
            y /= y.sum(axis=1, keepdims=True)
    family = {
        "activation": draw(st.sampled_from([*HIDDEN])),
        "output": output,
        "scale": draw(st.sampled_from([1.0, 1.0, 1.0 / 255.0, 3.0, *([1e-200, 1e200] if len(kinds) > 2 else [])])),
        "sample_weight": None,
    }
    if draw(st.booleans()):
        largest = draw(st.sampled_from([1.0, 1e-15, 1e15]))
        family["sample_weight"] = w = largest * rng.random(m) * (rng.random(m) < 0.7) * rng.choice([1.0, 1e-100], m)
        w[0] = largest
    lmbda = draw(st.sampled_from([0.0, 0.0, 1.0, 1e-300, 1e300][: 5 if len(kinds) > 2 else 3]))
    return Drawn(weights, X.astype(dtype), y, lmbda, family)


class Unit(NamedTuple):
    """How engines round: the compiled ones, or those in NumPy, whose softmax and small sigmoids are less exact."""

    eps: LONG
    tiny: LONG  # what an underflow loses; 1 / (1 + exp(-z)) where the exponential overflows, too
    exact: bool

    @classmethod
    def of(cls, dtype, exact):
        limits = np.finfo(dtype)
        return cls(LONG(limits.eps), LONG(limits.smallest_subnormal) if exact else 1 / LONG(limits.max), exact)

    def rounded(self, size, error, count):
        """The bound, and what so many roundings, and underflows, of terms that sum to that size may add."""
        return error + count * (self.eps * np.abs(size) + self.tiny)


def slope_sup(z, error):
    """The largest slope of the sigmoid within that distance of z."""
    e = np.exp(-np.maximum(np.abs(z) - error, 0))
    return e / (1 + e) ** 2


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def activated(z, dz, activation, unit):
    """Of a hidden layer its values and their bound, the slopes and theirs."""
    if activation == "sigmoid":
        a, slope = sigmoid(z), sigmoid(z) * sigmoid(-z)
        da = unit.rounded(a, np.minimum(slope_sup(z, dz) * dz, 1), 8)
        return a, da, slope, unit.rounded(slope, da, 8)
    if activation == "tanh":
        a, slope = np.tanh(z), 4 * sigmoid(2 * z) * sigmoid(-2 * z)
        da = unit.rounded(a, np.minimum(4 * slope_sup(2 * z, 2 * dz) * dz, 2), 8)
        return a, da, slope, unit.rounded(slope, 2 * da, 8)
    if activation == "relu":
        return np.maximum(z, 0), dz, LONG(1) * (z > 0), LONG(1) * (np.abs(z) <= dz)
    return z, dz, np.ones_like(z), np.zeros_like(z)


def losses(z, dz, T, output, unit):
    """Losses (m, K), their derivatives by z and the outputs, each with its bound."""
    K = z.shape[1]
    if output == "identity":
        delta, ddelta = z - T, unit.rounded(np.abs(z) + np.abs(T), dz, 4)
        loss = delta**2 / 2
        return (loss, unit.rounded(loss, np.abs(delta) * ddelta + ddelta**2, 8)), (delta, ddelta), (z, dz)
    if output == "sigmoid":
        h, loss, moved = sigmoid(z), np.zeros_like(z), np.minimum(slope_sup(z, dz) * dz, 1)
        for t, s in ((T, -z), (1 - T, z)):
            loss += np.where(t > 0, t * (np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))), 0)
        up, down = (1 - T) * h, T * sigmoid(-z)
        steepness = np.minimum((1 - T) * sigmoid(z + dz) + T * sigmoid(dz - z), 1)
        delta = up - down, unit.rounded(up + down, moved, 16)
        return (loss, unit.rounded(loss, steepness * dz, 16)), delta, (h, unit.rounded(h, moved, 8))
    top, far = z.max(axis=1, keepdims=True), 2 * dz.max(axis=1, keepdims=True)
    e = np.exp(z - top)
    whole, total = e.sum(axis=1, keepdims=True), T.sum(axis=1, keepdims=True)
    h, others = e / whole, np.stack([np.delete(e, k, axis=1).sum(axis=1) for k in range(K)], axis=1) / whole
    rest = np.delete(np.sort(e, axis=1), -1, axis=1).sum(axis=1, keepdims=True)
    loss = T * ((top - z) + np.log1p(rest))
    up, down = (total - T) * h, T * others
    dh = np.minimum(h * np.expm1(np.minimum(far, 100)), 1)
    size, size_of_delta = loss + T * np.log1p(rest), up + down
    if not unit.exact:  # log(sum) + top - z, and h - t
        size, size_of_delta = size + T * (np.abs(z).max(axis=1, keepdims=True) + 1), up + down + T
    delta = up - down, unit.rounded(size_of_delta, total * dh, 8 * K)
    return (loss, unit.rounded(size, T * far, 8 * K)), delta, (h, unit.rounded(h, dh, 8 * K))


@np.errstate(all="ignore")
def oracle(case, exact):
    """Cost, flat gradient and outputs, each with its bound; and whether a sum on the way may overflow."""
    unit, result = Unit.of(arithmetic(case.X.dtype), exact), Unit.of(np.float64, exact)
    sizes, weights = network.sizes_of(case.weights), [W.astype(LONG) for W in case.weights]
    m, K, L = len(case.X), sizes[-1], len(weights)
    T = np.eye(K, dtype=LONG)[case.y] if case.y.ndim == 1 else case.y.astype(LONG)
    w = np.ones(m) if case.family["sample_weight"] is None else case.family["sample_weight"]
    w, total = w.astype(LONG)[:, None], LONG(w.sum())
    a = case.X.astype(LONG) * LONG(case.family["scale"])
    sums = [a, *weights, T]  # and whatever is summed, with all terms positive: in the arithmetic of X
    values, errors, slopes = [a], [unit.rounded(a, 0, 2)], []
    for l, W in enumerate(weights):
        a, da, bias, W = values[-1], errors[-1], W[:, 0], W[:, 1:]
        size = np.abs(a) @ np.abs(W).T + np.abs(bias)
        z = a @ W.T + bias
        # Weights are rounded too, to float32, and may underflow.
        error = da @ np.abs(W).T + unit.tiny * np.abs(a).sum(axis=1, keepdims=True)
        dz = unit.rounded(size, error, 2 * len(W.T) + 4)
        sums.append(size + dz)
        if l < L - 1:
            a, da, *slope = activated(z, dz, case.family["activation"], unit)
            values.append(a), errors.append(da), slopes.append(slope)
    (loss, dloss), (D, dD), A = losses(z, dz, T, case.family["output"], unit)
    sums.append(loss + dloss)
    dloss = unit.rounded(loss, dloss, m * K + 16) * w + unit.tiny * (1 + loss)
    D, dD = D * w, unit.rounded(D, dD, 4) * w + unit.tiny * (1 + np.abs(D))
    sums += [loss * w, D + dD]
    gradient, bound = [], []
    for l in range(L - 1, -1, -1):
        a, da = (np.column_stack([np.full(m, one, LONG), some]) for one, some in ((1, values[l]), (0, errors[l])))
        size = np.abs(D).T @ np.abs(a)
        error = dD.T @ (np.abs(a) + da) + np.abs(D).T @ da
        gradient.insert(0, D.T @ a), bound.insert(0, unit.rounded(size, error, 2 * m + 8)), sums.append(size + error)
        if l > 0:
            W, (slope, dslope) = weights[l][:, 1:], slopes[l - 1]
            size = np.abs(D) @ np.abs(W)
            error = dD @ np.abs(W) + unit.tiny * np.abs(D).sum(axis=1, keepdims=True)
            error = unit.rounded(size, error, 2 * len(W) + 4)
            sums.append(size + error)
            D, dD = (D @ W) * slope, unit.rounded(size * slope, error * (slope + dslope) + size * dslope, 4)
    theta, gradient, bound = (np.concatenate([W.ravel() for W in some]) for some in (weights, gradient, bound))
    decay = network.decay(sizes, case.lmbda).astype(LONG)
    squares, shrinking = decay * theta**2 / 2, decay * theta
    wide = [gradient + shrinking, squares, (theta * (decay > 0)) ** 2]  # summed in float64, whatever X is
    cost, dcost = (loss * w).sum() + squares.sum(), result.rounded(squares.sum(), dloss.sum(), len(theta) + 8)
    dcost += result.tiny * np.abs(theta).sum()
    bound = result.rounded(np.abs(gradient) + np.abs(shrinking), bound, 8)
    cost, dcost, gradient, bound = (some / total for some in (cost, dcost, gradient + shrinking, bound))
    wide += [cost, gradient, bound]
    overflows = any(
        np.abs(some).max() * 16 * m * max(sizes) > np.finfo(dtype).max
        for dtype, list_of in ((arithmetic(case.X.dtype), sums), (np.float64, wide))
        for some in list_of
    )
    return (cost, result.rounded(cost, dcost, 8)), (gradient, result.rounded(gradient, bound, 8)), A, overflows


def within(got, want, overflows):
    """Each number is within its bound; where sums may overflow it may be infinite, but never NaN."""
    value, bound = want
    got = np.asarray(got)
    assert not np.isnan(got).any()
    finite = np.isfinite(got)
    assert finite.all() or overflows
    near = np.abs(got.astype(LONG) - value) <= bound
    wrong = np.broadcast_to(finite & ~near, got.shape)
    assert not wrong.any(), (got[wrong][:3], np.broadcast_to(value, got.shape)[wrong][:3], bound)


def or_refused(call, overflows=True, sentence=OVERFLOW, **arguments):
    """What it returns; None if it says that a sum overflows, where that may be."""
    found = None
    try:
        found = call(**arguments)
    except ValueError as error:
        if not (overflows and re.search(sentence, str(error))):
            raise
    return found


@st.composite
def blocks(draw):
    """How fused cuts examples: of the smallest blocks, 70 examples make many, which threads share."""
    return draw(st.sampled_from([None, 1, 4, 16]))


def cut_small(block):
    """Blocks of so many examples at most, and none of the calls so short that one thread does it all."""
    if block is None:
        return nullcontext()
    return mock.patch.multiple(fused, BLOCK_MAX=block, BLOCK_MIN=1, FEW=0)


@given(problems(), blocks())
def test_every_engine_is_right_or_says_that_a_sum_overflows(case, block):
    for engines in (("fused", "loop"), ("numpy", "python")):
        cost, gradient, A, overflows = oracle(case, exact=engines[0] == "fused")
        for engine in engines:
            with cut_small(block):
                found = or_refused(fastnn.cost_and_gradient, overflows, **case.arguments, engine=engine)
                outputs = or_refused(fastnn.forward, overflows, **case.forward, engine=engine)
            if found is not None:
                within(found[0], cost, overflows)
                within(network.theta_of(found[1]), gradient, overflows)
            if outputs is not None:
                within(outputs, A, overflows)


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_the_oracle_has_the_numbers_of_50_digits(seed):
    """Which are rounded to 1.1e-16, in the end; and its bound is no wider than a few hundred roundings here."""
    rng = np.random.default_rng(seed)
    sizes = (3, 4, 2)
    weights = tuple(2.0 * rng.standard_normal(shape) for shape in network.shapes(sizes))
    X, y = rng.standard_normal((5, 3)), rng.integers(0, 2, 5)
    family = {"activation": "sigmoid", "output": "sigmoid", "sample_weight": None, "scale": 1.0}
    (cost, dcost), (gradient, bound), _, _ = oracle(Drawn(weights, X, y, 0.5, family), exact=True)
    want, want_gradient = in_50_digits(Case(sizes, weights, X, y), 0.5)
    assert abs(cost - want) <= 1.2e-16 * want
    assert (np.abs(gradient - want_gradient) <= 1.2e-16 * np.abs(gradient)).all()
    assert 1e-16 * cost <= dcost <= 1e-13 * cost
    assert bound.max() <= 1e-13 * np.abs(gradient).max()


def bits(result):
    """Of cost and gradient, with all zeros alike."""
    cost, gradient = result
    return np.array([cost, *network.theta_of(gradient)]).tobytes()


def layouts(X):
    """The same numbers, otherwise in memory."""
    wide = np.zeros((2 * len(X), 3 * X.shape[1]), X.dtype)
    wide[::2, 1::3] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + X.tobytes(), X.dtype.newbyteorder("="), offset=1).reshape(X.shape)
    yield from (np.asfortranarray(X), wide[::2, 1::3], X[::-1].copy()[::-1], frozen, unaligned)
    if X.dtype != np.float32:  # these become float64
        yield from (X.astype(X.dtype.newbyteorder()), X.tolist())


@given(problems(), blocks(), st.sampled_from(["fused", "loop"]), st.integers(1, 20), st.integers(0, 8))
@examples(300)
def test_every_path_has_the_same_bits(case, block, engine, rows, path):
    """In any layout, run by run, as an objective, on one thread."""
    arguments = case.arguments | {"engine": engine}
    other = [Slices(case.X), Slices(case.X), *layouts(case.X)]
    X = {"X": other[path % len(other)]}
    with cut_small(block), mock.patch.object(streams, "RUN_BYTES", rows * case.X[0].nbytes):
        found = or_refused(fastnn.cost_and_gradient, **arguments)
        if found is None:
            with pytest.raises(ValueError, match=OVERFLOW):
                fastnn.cost_and_gradient(**arguments | X)
            return
        want = bits(found)
        with at_most(1):
            assert bits(fastnn.cost_and_gradient(**arguments | X)) == want
        own = {name: arguments[name] for name in ("X", "y", "lmbda", "engine", *case.family)}
        objective = fastnn.Objective(**own, sizes=network.sizes_of(case.weights))
        theta = fastnn.pack(case.weights)
        gradient = network.matrices(objective.gradient(theta), objective.sizes)
        assert bits((objective.cost(theta), gradient)) == want
        forward = case.forward | {"engine": engine}
        assert np.array_equal(fastnn.forward(**forward), fastnn.forward(**forward | X))


@given(problems(), st.sampled_from(ENGINES), st.lists(st.integers(0, 70), max_size=3))
@examples(300)
def test_parts_added_in_order_are_the_whole(case, engine, cuts):
    """To the rounding that the oracle allows the whole."""
    cost, gradient, _, overflows = oracle(case, exact=engine in ("fused", "loop"))
    arguments, w = case.arguments | {"engine": engine}, case.family["sample_weight"]
    lmbda = arguments.pop("lmbda")
    loss, total, dtheta = 0.0, 0.0, 0.0
    ends = sorted({0, *(cut for cut in cuts if cut < len(case.X)), len(case.X)})
    with np.errstate(all="ignore"):
        for start, stop in pairwise(ends):
            some = slice(start, stop)
            part = {"X": case.X[some], "y": case.y[some], "sample_weight": None if w is None else w[some]}
            # A part may weigh too little for its floats, where the whole does not.
            light = w is not None and part["sample_weight"].max() < 1e-15
            sentence = f"{OVERFLOW}|sample_weight, times class_weight, has the largest entry"
            sums = or_refused(fastnn.cost_and_gradient_sums, overflows or light, sentence, **arguments | part)
            if sums is None:
                return
            loss, dtheta, total = loss + sums[0], dtheta + network.theta_of(sums[1]), total + sums[2]
        theta, decay = fastnn.pack(case.weights), network.decay(network.sizes_of(case.weights), lmbda)
        whole = (loss + (decay * theta) @ theta / 2) / total, (dtheta + decay * theta) / total
    if not overflows:
        within(whole[0], cost, overflows)
        within(whole[1], gradient, overflows)


@given(problems(["normal", "sure"]), st.sampled_from(ENGINES), st.randoms(use_true_random=False))
@examples(300)
def test_what_must_change_nothing(case, engine, random):
    """Classes in another order; an example that weighs nothing; halves and doubles, which are exact; copies."""
    arguments = case.arguments | {"engine": engine}
    cost, gradient = fastnn.cost_and_gradient(**arguments)
    want_cost, want, _, overflows = oracle(case, exact=engine in ("fused", "loop"))
    m, K = len(case.X), len(case.weights[-1])

    def same(got):
        within(got[0], want_cost, overflows)
        within(network.theta_of(got[1]), want, overflows)

    order = random.sample(range(K), K)
    moved = {
        "weights": (*case.weights[:-1], case.weights[-1][order]),
        "y": np.argsort(order)[case.y] if case.y.ndim == 1 else case.y[:, order],
    }
    got_cost, got = fastnn.cost_and_gradient(**arguments | moved)
    same((got_cost, (*got[:-1], got[-1][np.argsort(order)])))

    w = np.ones(m) if case.family["sample_weight"] is None else case.family["sample_weight"]
    more = {name: np.concatenate([some, some[:1]]) for name, some in (("X", case.X), ("y", case.y))}
    same(fastnn.cost_and_gradient(**arguments | more | {"sample_weight": np.append(w, 0.0)}))
    twice = {name: np.concatenate([some, some]) for name, some in (("X", case.X), ("y", case.y))}
    twice |= {"sample_weight": np.concatenate([w, w]), "lmbda": 2.0 * case.lmbda}
    same(fastnn.cost_and_gradient(**arguments | twice))

    def equal(**changed):
        """Powers of two change no digit, but of what underflows; sums of that are divided by the weight of all."""
        got_cost, got = fastnn.cost_and_gradient(**arguments | changed)
        differences = np.array([got_cost - cost, *(network.theta_of(got) - network.theta_of(gradient))])
        assert np.abs(differences).max() <= 1e6 * np.finfo(arithmetic(case.X.dtype)).tiny / min(1.0, w.sum())

    if case.family["sample_weight"] is not None:
        equal(sample_weight=8.0 * w, lmbda=8.0 * case.lmbda)
    if case.X.dtype in (np.float64, np.float32):
        equal(X=case.X * case.X.dtype.type(0.25), scale=4.0 * case.family["scale"])


THREADS = """
import hashlib, warnings
import numba, numpy as np
from hypothesis import HealthCheck, given, settings
import fastnn
from tests.test_properties import blocks, cut_small, network, problems
warnings.simplefilter("error")
counts = []

@settings(max_examples={examples}, derandomize=True, database=None, deadline=None,
          suppress_health_check=list(HealthCheck))
@given(problems(), blocks())
def test(case, block):
    for engine in ("fused", "loop"):
        found = set()
        for threads in {threads}:
            numba.set_num_threads(threads)
            with cut_small(block):
                try:
                    cost, gradient = fastnn.cost_and_gradient(**case.arguments, engine=engine)
                    A = fastnn.forward(**case.forward, engine=engine)
                    found.add((np.float64(cost).tobytes(), network.theta_of(gradient).tobytes(), A.tobytes()))
                except ValueError as error:
                    found.add(str(error))
        assert len(found) == 1, (case, block, engine)
        counts.append(type(found.pop()) is tuple)
test()
print(len(counts), sum(counts))
"""


@pytest.mark.slow
def test_the_same_bits_on_1_to_16_threads(long):
    """In another process: numba fixes the highest number of threads when it starts."""
    code = THREADS.format(examples=2_000 if long else 150, threads=list(range(1, 17)) if long else [1, 2, 3, 7, 16])
    environment = {**os.environ, "NUMBA_NUM_THREADS": "16", "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, timeout=1_500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cases, numbers = map(int, done.stdout.split())
    assert cases >= 300
    assert numbers >= cases / 3
