"""exp, sigmoid and softplus without branches, so that loops over them vectorise.

libm's exp and log1p are calls, and a loop with a call in it stays scalar. These are
arithmetic only; both sides of each choice are computed and one is selected.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .jit import EXACT, inner

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.693147180559662956511601805687  # the leading 42 bits of ln 2: k * _LN2_HIGH is exact
_LN2_LOW = 0.28235290563031577122588448175013e-12
_LN2 = 0.6931471805599453
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, held in the low bits
_ROUND_BITS = np.int64(0x4338000000000000)


@intrinsic
def _bits(typing_context, x):
    """The 64 bits of a double as an integer."""
    return types.int64(types.float64), lambda context, builder, signature, values: builder.bitcast(
        values[0], ir.IntType(64)
    )


@intrinsic
def _double(typing_context, bits):
    """The double with these 64 bits."""
    return types.float64(types.int64), lambda context, builder, signature, values: builder.bitcast(
        values[0], ir.DoubleType()
    )


@inner(EXACT)
def exp(x):
    """exp(x) to 1 ULP for every double: x = k ln 2 + r, exp(x) = 2**k exp(r), |r| <= ln(2)/2.

    Cody and Waite's two-part ln 2 (1980); exp(r) by its Taylor polynomial of degree 13, whose
    remainder at ln(2)/2 is 4e-18 of the sum. 2**k is applied in two halves: only the second
    product can round, so that subnormal results come out right.
    """
    x = -746.0 if x < -746.0 else x  # exp is 0 from -745.14 down, infinite from 709.79 up
    x = 710.0 if x > 710.0 else x
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
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
    p = p * r * r + r + 1.0
    biased = _bits(shifted) - _ROUND_BITS + 2046  # k + 2 * 1023: positive, so that >> 1 needs no sign
    half = biased >> 1
    return p * _double(half << 52) * _double((biased - half) << 52)


@inner(EXACT)
def log1p(e):
    """log(1 + e) to 2 ULP for 0 <= e <= 1.

    For 1 + e above sqrt(2), 1 + e = 2 (1 + f) with f = (e - 1)/2 exact, else f = e. Then with
    s = f/(2 + f): log(1 + f) = 2 artanh(s) = f - s (f - 2 sum s**(2i) / (2i + 1)), |s| <= 0.172;
    the series is cut where its next term is under 1e-18 of the first.
    """
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
    return log + _LN2 if upper else log


@inner(EXACT)
def sigmoid(z):
    """1/(1 + exp(-z)), for every z: the exponential is never of a positive number."""
    e = exp(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@inner(EXACT)
def softplus(z):
    """log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|)), for every z."""
    return (z if z > 0.0 else 0.0) + log1p(exp(-abs(z)))
