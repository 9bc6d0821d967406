"""The micro-kernels, at every size up to one more than a tile, with guards around the output."""

import itertools
import os
import platform
import subprocess
import sys

import numba
import numpy as np
import pytest

from fastnn.kernels.tiles import (
    SHAPE,
    SHAPES,
    Matrix,
    affine,
    affine_by_panels,
    dot_strip,
    outer_strip,
    panel,
    panel_count,
)

from ..conftest import ROOT

LANES = SHAPE.bytes // 8


@numba.njit
def run_dot(rows, columns, A, lda, B, ldb, bias, length, C, ldc):
    dot_strip(rows, columns, A, 1, lda, B, 1, ldb, bias, 0, length, C, 0, ldc)


@numba.njit
def run_outer(rows, columns, A, row_step, step, B, ldb, length, keep, K, ldk, C, ldc):
    outer_strip(rows, columns, A, 0, row_step, step, B, 1, ldb, length, keep, K, 0, ldk, C, 0, ldc, 0, 3)


def matrix(rng, rows, columns, ld):
    """A flat array with one element before the matrix, and a view of the matrix in it."""
    flat = rng.standard_normal(1 + rows * ld)
    return flat, np.lib.stride_tricks.as_strided(flat[1:], (rows, columns), (8 * ld, 8))


@pytest.mark.parametrize("length", [1, LANES - 1, LANES, LANES + 1, 3 * LANES + 1])
def test_dot_strip(length):
    rng = np.random.default_rng(length)
    for rows, columns in itertools.product(range(1, 3 * SHAPE.dot_rows + 2), range(1, SHAPE.dot_columns + 1)):
        lda, ldb, ldc = length + 2, length + 1, columns + 3
        A, left = matrix(rng, rows, length, lda)
        B, right = matrix(rng, columns, length, ldb)
        bias = rng.standard_normal(columns)
        C = np.full(rows * ldc, np.nan)
        run_dot(rows, columns, A, lda, B, ldb, bias, length, C, ldc)
        got = C.reshape(rows, ldc)
        np.testing.assert_allclose(got[:, :columns], left @ right.T + bias, rtol=0, atol=length * 1e-15)
        assert np.isnan(got[:, columns:]).all()


@pytest.mark.parametrize("kept", ["nothing", "what is there", "a row"])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_outer_strip(length, kept):
    rng = np.random.default_rng(length)
    for rows, columns in itertools.product(
        range(1, 3 * SHAPE.outer_rows + 2), range(1, SHAPE.outer_vectors * LANES + 1)
    ):
        ldb, ldc = columns + 2, columns + 3
        A = rng.standard_normal(rows * length)
        B, right = matrix(rng, length, columns, ldb)
        before = rng.standard_normal((rows, ldc))
        C = before.copy() if kept == "what is there" else np.full((rows, ldc), np.nan)
        C[:, columns:] = np.nan
        K, ldk = (before[0], 0) if kept == "a row" else (C.reshape(-1), ldc)
        run_outer(rows, columns, A, 1, rows, B, ldb, length, int(kept != "nothing"), K, ldk, C.reshape(-1), ldc)
        start = {"nothing": 0.0, "what is there": before[:, :columns], "a row": before[0, :columns]}[kept]
        want = A.reshape(length, rows).T @ right + start
        np.testing.assert_allclose(C[:, :columns], want, rtol=0, atol=(length + 1) * 2e-15)
        assert np.isnan(C[:, columns:]).all()


@numba.njit
def run_affine(examples, units, inputs, A, W, row, bias, Z):
    affine(examples, units, inputs, Matrix(A, 0, inputs, 1), Matrix(W, 0, row, 1), bias, Matrix(Z, 0, units, 1))


@numba.njit
def panels_of(units, size):
    count = panel_count(units, size)
    return [panel(units, number, count, size) for number in range(count)]


@numba.njit
def run_panels(examples, units, inputs, A, W, first, bias, Z):
    affine_by_panels(examples, units, inputs, Matrix(A, 0, inputs, 1), W, first, bias, Matrix(Z, 0, units, 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (7, 25), (40, 10), (33, 3 * LANES + 1), (5, 13 * LANES - 3)])
def test_affine_and_panels(inputs, units, dtype):
    """Whole numbers, so that nothing is rounded: both ways give NumPy's numbers."""
    rng = np.random.default_rng(inputs)
    row, panels = inputs + 3, inputs * (units + 16)
    W = rng.integers(-9, 9, (units, row)).astype(dtype)
    bias = rng.integers(-9, 9, units).astype(dtype)
    P = np.full(panels + units, np.nan, dtype)
    for v, width in panels_of(units, P.itemsize):
        for k in range(inputs):
            part = W[v : v + width, k]
            P[v * inputs + k * width :][: len(part)] = part
        assert (v + width) * inputs <= panels
    P[panels:] = bias
    for examples in (1, 2, 9, 17):
        A = rng.integers(-9, 9, (examples, inputs)).astype(dtype)
        want = A @ W[:, :inputs].T + bias
        for run, numbers, first in ((run_affine, np.concatenate([W.ravel(), bias]), row), (run_panels, P, 0)):
            Z = np.full(examples * units, np.nan, dtype)
            run(examples, units, inputs, A.reshape(-1), numbers, first, len(numbers) - units, Z)
            assert np.array_equal(Z.reshape(examples, units), want)


def test_sums_fit_the_registers():
    """One register for each sum, for a row of vectors of B, and one for A."""
    for name, registers in (("avx512f", 32), ("avx2", 16), ("", 16)):
        shape = SHAPES[name]
        assert shape.outer_rows * shape.outer_vectors + shape.outer_vectors + 1 <= registers
        assert shape.dot_rows * shape.dot_columns + shape.dot_columns + 1 <= registers


# Their names, features and vectors, and which tests of the fused engine: for one type of X, which takes half as long.
MACHINES = {
    "avx2": ("haswell", "+avx,+avx2,+fma", 32, "float32_data"),
    "none": ("generic", "", 16, "catalogue"),
}


@pytest.fixture(scope="module")
def on_other_machines(tmp_path_factory, long):
    """Of each its environment, and the tests that run compiled for it: all at once, as each has one thread mostly."""
    running = {}
    names = ("kernels/test_tiles.py", "engines/test_engines.py", "engines/test_activations_outputs.py")
    files = [ROOT / "tests" / name for name in names]
    for name, (cpu, features, _, some) in MACHINES.items():
        which = f"strip or ({'catalogue or float32_data' if long else some}) and fused"
        command = [sys.executable, "-P", "-m", "pytest", "--all", "-q", "-k", which, *files]
        environment = os.environ | {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
        environment["FASTNN_CACHE"] = str(tmp_path_factory.mktemp(name))
        options = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        running[name] = environment, subprocess.Popen(command, env=environment, **options)
    yield running
    for _, process in running.values():
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="features of x86")
def test_other_machines(name, on_other_machines):
    """Narrower vectors, other tile shapes: the same tests, compiled for another processor; all of them with --long."""
    environment, process = on_other_machines[name]
    code = "from fastnn.kernels.tiles import SHAPE; print(SHAPE.bytes)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{MACHINES[name][2]}\n"
    out, _ = process.communicate()
    assert process.returncode == 0, out
