"""The peak: what is timed are the multiply-adds that are counted, and nothing else."""

import re

import numba
import numpy as np
import pytest

from fastnn.kernels import jit, peak
from fastnn.kernels.peak import multiply_adds


@numba.njit
def run(steps, factors, sums):
    multiply_adds(steps, factors, sums, 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums(dtype):
    """Whole numbers, so that every step is exact: as the same recurrence by NumPy."""
    sums = peak.zeros(dtype)
    assert sums.dtype == dtype
    sums += np.arange(sums.size).reshape(sums.shape)
    want, factors = sums.copy(), np.array([3, -2], dtype)
    peak.on_all_threads(1000, factors, sums)
    for _ in range(1000):
        want += factors[0] * factors[1]
    assert np.array_equal(sums, want)


@pytest.mark.skipif("+fma" not in jit.cpu_features().split(","), reason="this machine has no fused multiply-add")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inner_loop(dtype):
    """A loop of one multiply-add for each vector of sums, without loads and stores."""
    sums = peak.zeros(dtype)[0]
    run(1, np.ones(2, dtype), sums)
    body = next(text for arguments, text in run.inspect_asm().items() if arguments[1].dtype == numba.from_dtype(dtype))
    loops = re.findall(r"^(\S+):\n((?:\t.*\n)+?)\tj\w+\t\1$", body, re.MULTILINE)
    (loop,) = [lines for _, lines in loops if "vfmadd" in lines]
    assert loop.count("\tvfmadd") == peak.SUMS
    assert loop.count("\n") <= peak.SUMS + 2  # and counts
    assert "(" not in loop
