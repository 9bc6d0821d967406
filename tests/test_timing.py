"""Contestants in turns, block by block."""

import time

import numpy as np
import pytest

from fastnn.benchmark import timing


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


def contestant(clock, name, seconds, calls):
    durations = iter(seconds)

    def call():
        calls.append(name)
        clock.sleep(next(durations, seconds[-1]))

    return call


def test_median_of_a_block_without_its_first_calls(clock):
    calls = []
    times = [5 * timing.BLOCK / 6] * timing.WARM + [0.01, 0.03, 0.02] + [0.02] * 20
    got = timing.interleave({"a": contestant(clock, "a", times, calls)}, rounds=1)
    assert got["a"] == pytest.approx([0.02])
    assert calls.count("a") == timing.WARM + 8  # 0.01 + 0.03 + 6 * 0.02 >= 0.15


def test_a_long_call_stands_alone(clock):
    """And one longer than a block has one call before it that does not count."""
    calls = []
    got = timing.interleave({"a": contestant(clock, "a", [0.3, 0.2], calls)}, rounds=1)
    assert got["a"].tolist() == pytest.approx([0.2])
    clock.now = 0.0
    got = timing.interleave({"a": contestant(clock, "a", [2.0, 3.0], calls)}, rounds=2)
    assert got["a"].tolist() == [2.0, 3.0]
    assert clock.now == pytest.approx(5.0 + 2 * timing.REST)


def test_turns_and_progress(clock):
    calls, done = [], []
    names = ("a", "b", "c")
    timing.interleave(
        {name: contestant(clock, name, [1.0], calls) for name in names}, rounds=3, progress=lambda: done.append(1)
    )
    assert calls == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert len(done) == 9


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_square_product(dtype):
    product = timing.square_product(dtype)()
    assert product.shape == (timing.SQUARE, timing.SQUARE)
    assert product.dtype == dtype
    assert np.isfinite(product).all()


def test_machine():
    machine = timing.machine()
    assert tuple(machine) == timing.MACHINE
    assert machine["threads"] >= 1
    assert machine["vector_bits"] in (128, 256, 512)
    assert f"NumPy {np.__version__} with {machine['blas']}" in timing.described(machine)
