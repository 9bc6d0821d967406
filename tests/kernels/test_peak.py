"""The peak: what is timed are the multiply-adds that are counted, and nothing else."""

import re

import numpy as np
import pytest
from llvmlite import ir

from fastnn.kernels import peak
from fastnn.runtime import cache, jit


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


@pytest.mark.skipif("+fma" not in cache.cpu_features().split(","), reason="this machine has no fused multiply-add")
@pytest.mark.parametrize("real", [ir.DoubleType(), ir.FloatType()], ids=str)
def test_inner_loop(real, monkeypatch):
    """A loop of one multiply-add for each vector of sums, without loads and stores."""
    monkeypatch.setenv("FASTNN_CACHE", "0")
    number, pointer, name = ir.IntType(64), real.as_pointer(), f"test of {real}"
    jit._compile_tile(name, ir.FunctionType(ir.VoidType(), [number, pointer, pointer, number]), peak._multiply_adds)
    body = jit._tiles[name].get_asm_str()
    loops = re.findall(r"^(\S+):\n((?:\t.*\n)+?)\tj\w+\t\1$", body, re.MULTILINE)
    (loop,) = [lines for _, lines in loops if "vfmadd" in lines]
    assert loop.count("\tvfmadd") == peak.SUMS
    assert loop.count("\n") <= peak.SUMS + 2  # and counts
    assert "(" not in loop
