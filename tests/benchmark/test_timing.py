"""Implementations in turns, block by block."""

import os
import time

import numpy as np
import pytest

from fastnn.benchmark import timing
from fastnn.kernels import peak
from fastnn.runtime import cores, pool


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves, and what was slept."""

    class Clock:
        now = 0.0

        def sleep(self, seconds):
            self.now += seconds

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    return clock


def implementation(clock, name, seconds, calls):
    durations = iter(seconds)

    def call():
        calls.append(name)
        clock.sleep(next(durations, seconds[-1]))

    return call


def test_median_of_a_block_without_its_first_calls(clock):
    calls = []
    times = [5 * timing.BLOCK / 6] * timing.WARM + [0.01, 0.03, 0.02] + [0.02] * 20
    got = timing.interleave({"a": implementation(clock, "a", times, calls)}, rounds=1)
    assert got["a"] == pytest.approx([0.02])
    assert calls.count("a") == timing.WARM + 8  # 0.01 + 0.03 + 6 * 0.02 >= 0.15


def test_a_long_call_is_timed_alone(clock):
    """And a call longer than a block is timed after one that does not count."""
    calls = []
    got = timing.interleave({"a": implementation(clock, "a", [0.3, 0.2], calls)}, rounds=1)
    assert got["a"].tolist() == pytest.approx([0.2])
    clock.now = 0.0
    got = timing.interleave({"a": implementation(clock, "a", [2.0, 3.0], calls)}, rounds=2)
    assert got["a"].tolist() == [2.0, 3.0]
    assert clock.now == pytest.approx(5.0 + 2 * timing.REST)


def test_turns_and_progress(clock):
    calls, done = [], []
    names = ("a", "b", "c")
    timing.interleave(
        {name: implementation(clock, name, [1.0], calls) for name in names}, rounds=3, progress=lambda: done.append(1)
    )
    assert calls == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert len(done) == 9


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gemm(dtype, monkeypatch):
    monkeypatch.setattr(timing, "GEMM_WIDTH", 40)
    call, operations = timing.gemm(dtype)
    product = call()
    assert product.shape == (40, 40)
    assert product.dtype == dtype
    assert np.isfinite(product).all()
    assert operations == 2 * 40**3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_peak(dtype, monkeypatch):
    """Counted operations are those that run; tests/kernels/test_peak.py looks at the sums."""
    done = []
    right = peak.on_all_threads
    monkeypatch.setattr(peak, "on_all_threads", lambda *arguments: (done.append(arguments), right(*arguments)))
    call, operations = timing.peak(dtype)
    call()
    steps, factors, sums = done[-1]
    assert operations == 2 * steps * sums.size
    assert factors.dtype == sums.dtype == dtype
    assert len(sums) == pool.threads()
    assert np.isfinite(sums).all()
    assert sums.min() > 0.0


def test_machine():
    machine = timing.machine()
    assert tuple(machine) == timing.MACHINE
    assert machine["threads"] >= 1
    assert machine["vector_bits"] in (128, 256, 512)
    assert f"NumPy {np.__version__} with {machine['blas']}" in timing.described(machine)


LIBRARY = {"user_api": "blas", "architecture": "Zen", "num_threads": 4}
NUMPY = os.path.realpath(os.path.dirname(np.__file__))


@pytest.mark.parametrize(
    ("libraries", "want"),
    [
        ([("scipy.libs/a.so", "Haswell"), ("numpy.libs/b.so", "Zen")], " (Zen kernels, 4 threads), SciPy"),
        ([("lib/libblas.so", "Zen")], " (Zen kernels, 4 threads), SciPy"),
        ([("lib/libmkl.so", None)], " (4 threads), SciPy"),
        ([("scipy.libs/a.so", "Haswell"), ("torch/lib/b.so", "Zen")], ", SciPy"),  # which is NumPy's?
        ([], ", SciPy"),
    ],
)
def test_the_kernels_of_numpys_blas(libraries, want, monkeypatch):
    folder = NUMPY.removesuffix("numpy")
    found = [LIBRARY | {"filepath": folder + path, "architecture": kernels} for path, kernels in libraries]
    openmp = {"user_api": "openmp", "filepath": f"{NUMPY}.libs/gomp.so"}
    monkeypatch.setattr(timing, "threadpool_info", lambda: [openmp, *found])
    machine = timing.machine()
    assert f"{machine['blas']}{want}" in timing.described(machine)


def test_forced_kernels(monkeypatch):
    assert timing.forced_kernels(None) is None
    assert timing.forced_kernels("") is None
    sentence = timing.forced_kernels("Haswell")
    assert sentence.startswith("OPENBLAS_CORETYPE is 'Haswell', so that NumPy's BLAS may run kernels for an older")
    assert sentence.endswith("unset it before you measure")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert timing.machine()["openblas_coretype"] == "Haswell"
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert timing.machine()["openblas_coretype"] is None


@pytest.mark.parametrize(
    ("cpu_seconds", "said"),
    [([0.15, 0.15], None), ([0.14, 0.14], None), ([0.1, 0.08], "got 60%."), ([0.0, 0.0], "got 0%.")],
)
def test_busy_by_cpu_seconds_against_wall_seconds(cpu_seconds, said, monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: 1.5)
    monkeypatch.setattr(timing, "_keep_a_core_busy", lambda number: (cpu_seconds[number], 0.2))
    got = timing.busy()
    assert got == said or (got.startswith("The machine is busy: of 1.5 cores this process ") and said in got)


def test_cpu_seconds_of_a_busy_thread(monkeypatch):
    monkeypatch.setattr(timing, "BUSY_SECONDS", 0.05)
    cpu_seconds, seconds = timing._keep_a_core_busy(0)
    assert 0.0 < cpu_seconds <= seconds + 0.02  # the clock of threads steps by 16 ms on Windows
    assert seconds >= 0.05
