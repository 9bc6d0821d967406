"""X as it is kept, and as it is computed with: bytes and halves become numbers block by block."""

import numpy as np
from numba import types
from numba.extending import overload

from ..runtime.jit import inner
from .arguments import FLOAT16


@inner()
def _half(bits):
    """The float32 that is equal to the float16 with these bits.

    Its exponent and fraction are moved to their places, and times 2**112, for the exponents' biases of 15 and 127, the
    numbers without a leading 1 come out right too; infinities and NaN have an exponent of all ones.
    """
    sign, moved = np.uint32(bits & 0x8000) << np.uint32(16), np.uint32(bits & 0x7FFF) << np.uint32(13)
    finite = np.uint32(moved).view(np.float32) * np.float32(2.0**112)
    other = np.uint32(moved | np.uint32(0x7F800000)).view(np.float32)
    value = other if bits & 0x7C00 == 0x7C00 else finite
    return -value if sign else value


def number(value):
    """A number of X as a float."""


@overload(number)
def _number(value):
    if value == types.uint16:
        return lambda value: _half(value)
    return lambda value: value


def widened(X, x, count, scale, row, view):
    """Where `count` numbers of X, from X[x] on, times scale are to be read: there, or in row, which view shows."""


@overload(widened)
def _widened(X, x, count, scale, row, view):
    if X.dtype == view.dtype:

        def read(X, x, count, scale, row, view):
            if scale == 1.0:
                return X, x
            own, out = X[x : x + count], row[:count]
            for i in range(count):
                out[i] = own[i] * scale
            return view, 0

        return read

    def convert(X, x, count, scale, row, view):
        own, out = X[x : x + count], row[:count]
        for i in range(count):
            out[i] = number(own[i]) * scale
        return view, 0

    return convert


def bits(X):
    """X as kernels take it: numba knows no float16, so that its bits are taken for integers."""
    return X.view(np.uint16) if X.dtype == FLOAT16 else X
