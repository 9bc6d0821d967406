"""How examples are cut: the same bits for any number of threads and runs, and a share for every thread."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from fastnn.engines import fused, loop
from fastnn.kernels import batches
from fastnn.kernels.arguments import equal_runs

from ..conftest import random_case
from ..engines.test_engines import evaluate

FLOAT64 = np.dtype(np.float64)


def cut(m, sizes, threads, most=None):
    """Block, groups and runs of the fused engine."""
    P = sum((below + 1) * units for below, units in pairwise(sizes))
    block, serial = fused._cut(m, sizes[0], FLOAT64, P)
    groups = batches.group_count(m, -(-m // block), P)
    return block, groups, batches.runs(m, block, groups, P, 1 if serial else threads, most)


def longest_share(m, sizes, threads):
    """How long the thread with the most examples takes, against an even share of them.

    Lanes go to threads as numba deals a parallel loop: to each a piece of the range, all about as long.
    """
    block, groups, runs = cut(m, sizes, threads)
    lanes = min(runs[0].groups, fused.LANES * threads)
    starts = [batches._start(g, groups, m, block) for g in range(groups + 1)]
    examples = 0
    for run in runs:
        ends = [run.first + run.groups * (lanes * thread // threads) // lanes for thread in range(threads + 1)]
        examples += max(starts[end] - starts[first] for first, end in pairwise(ends))
    return examples / (m / threads)


@pytest.mark.parametrize("m", [1, 7, 100, 624, 5_000, 5_001, 20_000, 1_000_000])
@pytest.mark.parametrize("sizes", [(400, 25, 10), (784, 2048, 10), (2, 3, 2)])
def test_runs_hold_all_groups_in_order(m, sizes):
    for threads in (1, 2, 3, 64):
        for most in (None, 1, 1_000, m):
            block, groups, runs = cut(m, sizes, threads, most)
            assert [run.start for run in runs] + [m] == [0] + [run.stop for run in runs]
            assert [run.first for run in runs] + [groups] == [0] + [run.first + run.groups for run in runs]
            assert runs[0].groups == max(run.groups for run in runs)
            assert (groups, block) == cut(m, sizes, 1)[1::-1]  # whatever the threads and runs are
            if groups > threads and block * groups * 3 > fused.FEW:  # else one thread does all of it
                assert all(run.groups % threads == 0 for run in runs[:-1])


def test_groups_grow_with_the_examples():
    counts = [cut(m, (400, 25, 10), 1)[1] for m in (100, 1_000, 5_000, 20_000, 60_000, 1_000_000)]
    assert counts == [2, 8, 16, 32, 64, 256]
    assert cut(1_000, (784, 2048, 10), 1)[1] == 2  # its buffers take 13 MB each


@pytest.mark.parametrize("m", [5_000, 20_000, 60_000, 1_000_000])
@pytest.mark.parametrize("threads", [2, 4, 8, 16, 64])
@pytest.mark.parametrize("sizes", [(400, 25, 10), (784, 128, 10), (784, 512, 10)])
def test_every_thread_has_its_share(sizes, m, threads):
    """The longest share of the examples, by simulation; where there are fewer groups than threads, some have none."""
    groups = cut(m, sizes, threads)[1]
    assert longest_share(m, sizes, threads) <= 1.06 * max(1.0, threads / groups)
    if m >= 60_000 and sizes[1] < 512:
        assert groups >= 64


def test_memory_does_not_grow_with_the_examples():
    for m in (5_000, 10_000_000):
        _, _, runs = cut(m, (784, 512, 10), 2)
        assert runs[0].groups * 8 * 407_050 <= batches.BUFFER_BYTES * 1.3


@pytest.mark.parametrize("engine", [fused, loop])
@pytest.mark.parametrize("m", [300, 5_000, 9_001])
def test_the_same_bits_in_any_runs(engine, m):
    case = random_case((30, 20, 10), m)
    cost, gradient = evaluate(engine, case, 0.5)
    for most in (1, 700, 2_000, m):
        got, got_gradient = evaluate(engine, case, 0.5, most)
        assert got == cost
        assert np.array_equal(got_gradient, gradient)


def test_equal_runs():
    assert [(run.start, run.stop) for run in equal_runs(10, 4)] == [(0, 3), (3, 6), (6, 10)]
    assert [(run.start, run.stop) for run in equal_runs(10, None)] == [(0, 10)]


@pytest.mark.slow
def test_the_same_bits_on_16_and_64_threads(tmp_path):
    """More threads than cores, in another process: numba fixes their highest number when it starts."""
    code = """
import json, numba, fastnn, numpy as np
from fastnn.objective import Objective
found = {}
for m, sizes in ((9_001, (30, 20, 10)), (40_000, (12, 8, 3)), (700, (300, 200, 10))):
    rng = np.random.default_rng(m)
    X, y = rng.standard_normal((m, sizes[0])), rng.integers(0, sizes[-1], m)
    for dtype in (np.float64, np.float32):
        for engine in ("fused", "loop"):
            bits = set()
            for threads in (1, 2, 16, 64):
                numba.set_num_threads(threads)
                objective = Objective(X.astype(dtype), y, sizes, 1.0, engine=engine)
                cost, gradient = objective.cost_and_gradient(fastnn.pack(fastnn.init_weights(sizes)))
                A = fastnn.forward(fastnn.init_weights(sizes), X.astype(dtype), engine=engine)
                bits.add((cost, gradient.tobytes(), A.tobytes()))
            found[f"{m} {np.dtype(dtype)} {engine}"] = len(bits)
print(json.dumps(found))
"""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "64"}
    run = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=300
    )
    found = json.loads(run.stdout.strip().splitlines()[-1])
    assert len(found) == 12
    assert set(found.values()) == {1}, found
