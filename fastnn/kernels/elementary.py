"""exp, log1p, sigmoid, softplus and tanh without branches, so that loops over them vectorise.

libm's exp and log1p are calls, and a loop with a call in it stays scalar. These are arithmetic
only; both sides of each choice are computed and one is selected. float32 in, float32 out.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ..runtime.jit import EXACT, inner

EXACTLY = {"fastmath": EXACT, "error_model": "numpy"}

# Range reduction: x = k ln 2 + r. The high part of ln 2 ends in zeros, so that k times it is
# exact (Cody and Waite, 1980). Adding ROUND rounds to an integer, which is then in the low bits.
LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180559662956511601805687, 0.28235290563031577122588448175e-12
LN2, ROUND = 0.6931471805599453, 1.5 * 2.0**52
LOG2E_32, LN2_HIGH_32, LN2_LOW_32 = (np.float32(c) for c in (LOG2E, 0.693145751953125, 1.428606765330187045e-06))
LN2_32, ROUND_32 = np.float32(LN2), np.float32(1.5 * 2.0**23)
EXP_32 = tuple(np.float32(1 / c) for c in (40320, 5040, 720, 120, 24, 6))
LOG_32 = tuple(np.float32(2 / c) for c in (9, 7, 5, 3))
LOW_32, HIGH_32, HALF_32, ONE_32, TWO_32 = (np.float32(c) for c in (-104, 89, 0.5, 1, 2))
SQRT2_1_32 = np.float32(2**0.5 - 1)

# Of the types: (bits of the whole, of the fraction, the exponent's bias).
FORMAT = {types.float64: (64, 52, 1023), types.float32: (32, 23, 127)}


@intrinsic
def _times_power(typing_context, p, shifted):
    """p * 2**k, with the integer k = shifted - ROUND taken from the bits of `shifted`.

    In two halves: only the second product can round, so that subnormal results come out right.
    """
    width, fraction, bias = FORMAT[p]
    integer = ir.IntType(width)

    def emit(context, builder, signature, values):
        p, shifted = values
        round_bits = (bias + fraction) << fraction | 1 << (fraction - 1)
        # k + 2 bias is positive, so that halving it needs no sign.
        biased = builder.add(builder.bitcast(shifted, integer), integer((2 * bias - round_bits) % 2**width))
        half = builder.lshr(biased, integer(1))
        for exponent in (half, builder.sub(biased, half)):
            p = builder.fmul(p, builder.bitcast(builder.shl(exponent, integer(fraction)), p.type))
        return p

    return p(p, p), emit


@intrinsic
def like(typing_context, x, value):
    """`value` as a number of x's type."""
    return x(x, value), lambda context, builder, signature, values: context.cast(builder, values[1], value, x)


def _within(x):
    """x, cut to where exp(x) is neither 0 nor infinite, and a little beyond."""
    raise NotImplementedError("for kernels")


def _within_64(x):
    x = -746.0 if x < -746.0 else x  # exp is 0 from -745.14 down, infinite from 709.79 up
    return 710.0 if x > 710.0 else x


def _within_32(x):
    x = LOW_32 if x < LOW_32 else x
    return HIGH_32 if x > HIGH_32 else x


overload(_within, jit_options=EXACTLY)(lambda x: _within_32 if x == types.float32 else _within_64)


def _shifted(x):
    """ROUND + k, with k = x / ln 2 rounded to an integer."""
    raise NotImplementedError("for kernels")


def _shifted_64(x):
    return x * LOG2E + ROUND


def _shifted_32(x):
    return x * LOG2E_32 + ROUND_32


overload(_shifted, jit_options=EXACTLY)(lambda x: _shifted_32 if x == types.float32 else _shifted_64)


def _expm1_of_rest(x, shifted):
    """exp(r) - 1 for r = x - k ln 2, |r| <= ln(2)/2, by Taylor's polynomial.

    `low` is what rounding took from r; without it one exponential in 15 million is 1.002 ULP off (0.87 with it).
    Degree 13 leaves 4e-18 of exp(r), in float32 degree 8 2e-10 (5e-9 with 7: 1.007 ULP).
    """
    raise NotImplementedError("for kernels")


def _expm1_of_rest_64(x, shifted):
    k = shifted - ROUND
    high = x - k * LN2_HIGH
    r = high - k * LN2_LOW
    low = (high - r) - k * LN2_LOW
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    return (p * r * r + low) + r


def _expm1_of_rest_32(x, shifted):
    k = shifted - ROUND_32
    high = x - k * LN2_HIGH_32
    r = high - k * LN2_LOW_32
    low = (high - r) - k * LN2_LOW_32
    p = EXP_32[0]
    p = p * r + EXP_32[1]
    p = p * r + EXP_32[2]
    p = p * r + EXP_32[3]
    p = p * r + EXP_32[4]
    p = p * r + EXP_32[5]
    p = p * r + HALF_32
    return (p * r * r + low) + r


overload(_expm1_of_rest, jit_options=EXACTLY)(
    lambda x, shifted: _expm1_of_rest_32 if x == types.float32 else _expm1_of_rest_64
)


@inner(EXACT)
def exp(x):
    """exp(x) = 2**k exp(r) to 1 ULP, for every x."""
    x = _within(x)
    shifted = _shifted(x)
    return _times_power(_expm1_of_rest(x, shifted) + like(x, 1.0), shifted)


def log1p(e):
    """log(1 + e) to 2 ULP for -0.29 <= e <= 1.

    For 1 + e above sqrt(2), 1 + e = 2 (1 + f) with f = (e - 1)/2 exact, else f = e. Then with
    s = f/(2 + f): log(1 + f) = 2 artanh(s) = f - s (f - 2 sum s**(2i) / (2i + 1)), |s| <= 0.172;
    the series is cut where its next term is under 1e-18 of the first, in float32 under 3e-9.
    """
    raise NotImplementedError("for kernels")


def _log1p_64(e):
    upper = e > 0.41421356237309503
    f = (e - 1.0) * 0.5 if upper else e
    s = f / (2.0 + f)
    z = s * s
    p = 2 / 23
    p = p * z + 2 / 21
    p = p * z + 2 / 19
    p = p * z + 2 / 17
    p = p * z + 2 / 15
    p = p * z + 2 / 13
    p = p * z + 2 / 11
    p = p * z + 2 / 9
    p = p * z + 2 / 7
    p = p * z + 2 / 5
    p = p * z + 2 / 3
    log = f - s * (f - z * p)
    return log + LN2 if upper else log


def _log1p_32(e):
    upper = e > SQRT2_1_32
    f = (e - ONE_32) * HALF_32 if upper else e
    s = f / (TWO_32 + f)
    z = s * s
    p = LOG_32[0]
    p = p * z + LOG_32[1]
    p = p * z + LOG_32[2]
    p = p * z + LOG_32[3]
    log = f - s * (f - z * p)
    return log + LN2_32 if upper else log


overload(log1p, jit_options=EXACTLY)(lambda e: _log1p_32 if e == types.float32 else _log1p_64)


@inner(EXACT)
def sigmoid(z):
    """1/(1 + exp(-z)), for every z: the exponential is never of a positive number."""
    one = like(z, 1.0)
    e = exp(-abs(z))
    return (one if z >= like(z, 0.0) else e) / (one + e)


@inner(EXACT)
def softplus(z):
    """log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|)), for every z; its derivative is the sigmoid."""
    zero = like(z, 0.0)
    return (z if z > zero else zero) + log1p(exp(-abs(z)))


@inner(EXACT)
def expm1(x):
    """exp(x) - 1 to 2 ULP, for every x.

    2**k (exp(r) - 1) + (2**k - 1) loses nothing near 0, where k is 0, nor elsewhere. Half of it is
    computed: 2**1024 would be infinite, though times exp(r) it may not be.
    """
    x = _within(x)
    shifted = _shifted(x)
    power = _times_power(like(x, 0.5), shifted)
    return like(x, 2.0) * (power * _expm1_of_rest(x, shifted) + (power - like(x, 0.5)))


# Where |x| is at most this, exp(x) - 1 is the Taylor polynomial below to |x|**3 / 24 = 2.3e-18 of itself.
TINY = 2.0**-18


@inner(EXACT)
def expm1_of_tiny(x):
    """exp(x) - 1 to 1 ULP for |x| <= TINY, in three operations instead of twenty and a power of two."""
    return x + (x * x) * (0.5 + x * (1 / 6))


@inner(EXACT)
def tanh(z):
    """-t/(2 + t) with t = exp(-2 |z|) - 1, and the sign of z."""
    one = like(z, 1.0)
    t = expm1(like(z, -2.0) * abs(z))
    value = -t / (one + (one + t))
    return value if z >= like(z, 0.0) else -value
