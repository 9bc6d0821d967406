"""exp, expm1, log1p, sigmoid, softplus and tanh in units in the last place, against long double and mpmath."""

import os

import mpmath
import numpy as np
import pytest
from numba import vectorize

from fastnn.kernels import elementary

# Zeros, subnormals, where the second sigmoid rounds away (36.7), where exp turns subnormal
# (-708.4), where it ends, and the ties of its range reduction.
EDGES = np.array(
    [0, -0.0, 5e-324, -5e-324, 1e-300, 1e-17, -1e-17, 0.5, -0.5, 1, -1, 36.7, 36.8, -36.8, 700, -700, 708.3, -708.3]
    + [-708.5, -720, -740, -745.1, 709.7, np.log(2) / 2, -np.log(2) / 2, 1.5 * np.log(2)]
)
# Random points of each kind; FASTNN_POINTS=100000000 pytest tests/kernels/test_elementary.py for a long run.
POINTS = int(os.environ.get("FASTNN_POINTS", "500000"))
BOUNDS = {"exp": 1.0, "expm1": 2.0, "log1p": 2.0, "sigmoid": 3.0, "softplus": 3.0, "tanh": 3.0}
EXACT = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "tanh": mpmath.tanh,
}
LONG = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "sigmoid": lambda z: np.where(z < 0, np.exp(-np.abs(z)), 1) / (1 + np.exp(-np.abs(z))),
    "softplus": lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
    "tanh": np.tanh,
}


def compiled(name, kind="float64"):
    scalar = getattr(elementary, name)
    return vectorize([f"{kind}({kind})"])(lambda z: scalar(z))


def points(name, count):
    rng = np.random.default_rng(0)
    if name == "log1p":
        return np.concatenate(
            [
                rng.uniform(-0.29, 1, count),
                -(10.0 ** rng.uniform(-320, -0.6, count)),
                10.0 ** rng.uniform(-320, 0, count),
                [0.0, 1.0, 2**0.5 - 1],
            ]
        )
    wide = rng.uniform(-745.0, 709.0, count)
    return np.concatenate([wide, rng.uniform(-2, 2, count), 10.0 ** rng.uniform(-20, 2, count), EDGES])


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_many_points_against_long_double(name):
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("long double is no longer than double here")
    z = points(name, POINTS)
    got = compiled(name)(z)
    want = LONG[name](z.astype(np.longdouble))
    ulps = np.abs(got - want) / np.spacing(np.abs(want).astype(np.float64))
    assert ulps.max() <= BOUNDS[name]


def test_expm1_of_tiny_numbers():
    """One rounding, and next to nothing of the others: 1 ULP. Beyond TINY the polynomial is cut too early."""
    rng = np.random.default_rng(1)
    x = np.concatenate([10.0 ** rng.uniform(-300, np.log10(elementary.TINY), 2000), [elementary.TINY, 0.0]])
    x = np.concatenate([x, -x])
    got = compiled("expm1_of_tiny")(x)
    want = [mpmath.expm1(mpmath.mpf(number)) for number in x]
    with mpmath.workdps(50):
        ulps = [abs(g - w) / np.spacing(abs(g)) for g, w in zip(got, want, strict=True)]
    assert max(ulps) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_many_points_of_float32(name):
    z = points(name, POINTS).astype(np.float32)
    z = z[(z >= -103.9) & (z <= 88.7)]
    got = compiled(name, "float32")(z)
    assert got.dtype == np.float32
    want = LONG[name](z.astype(np.float64))
    ulps = np.abs(got - want) / np.spacing(np.abs(want).astype(np.float32))
    assert ulps.max() <= BOUNDS[name]


@pytest.mark.parametrize("name", BOUNDS)
def test_some_points_against_mpmath(name):
    z = points(name, 300)
    got = compiled(name)(z)
    with mpmath.workdps(60):
        for value, result in zip(z, got, strict=True):
            want = EXACT[name](mpmath.mpf(float(value)))
            assert abs(mpmath.mpf(float(result)) - want) <= BOUNDS[name] * float(np.spacing(abs(float(want))))


def test_ends():
    exp, sigmoid, softplus, tanh = (compiled(name) for name in ("exp", "sigmoid", "softplus", "tanh"))
    with np.errstate(over="ignore", under="ignore"):
        assert exp(np.array([-1e308, -np.inf, 710.0, np.inf])).tolist() == [0.0, 0.0, np.inf, np.inf]
        assert sigmoid(np.array([-np.inf, 0.0, np.inf])).tolist() == [0.0, 0.5, 1.0]
        assert softplus(np.array([-np.inf, 1e308])).tolist() == [0.0, 1e308]
        assert tanh(np.array([-np.inf, -0.0, 1e-300, np.inf])).tolist() == [-1.0, 0.0, 1e-300, 1.0]
    with np.errstate(invalid="ignore"):
        for function in (exp, sigmoid, softplus, tanh):
            assert np.isnan(function(np.array([np.nan]))).all()
