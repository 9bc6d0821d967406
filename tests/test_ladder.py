"""The ladder: what is timed is right, shares add up, and the summary says what was measured."""

import time

import numpy as np
import pytest

import fastnn
from fastnn import ladder, network
from fastnn.ladder import Group, Result

SMALL = ladder.random_problem(60, (7, 5, 3))._replace(maxiter=4)


@pytest.mark.parametrize("engine", ladder.RUNGS)
@pytest.mark.parametrize("workload", ladder.WORKLOADS)
def test_rungs_give_the_references_numbers(workload, engine):
    seconds, error = ladder.first_call(ladder.WORKLOADS[workload](SMALL, engine))
    assert seconds > 0.0
    assert 0.0 <= error <= 1e-9


def test_gradient_moves_on_between_calls():
    """A contestant that remembers its last point would be timed doing nothing."""
    timed = ladder.gradient(SMALL, "fused")
    costs = [timed.call()[0] for _ in range(4)]
    assert costs[0] == costs[2] != costs[1] == costs[3]


def test_part_of_a_problem():
    X, y = fastnn.load_digits()
    part = ladder.Problem((400, 25, 10), X, y, np.empty(0)).part(100)
    assert np.bincount(part.y).tolist() == [10] * 10
    assert np.array_equal(part.X[1], X[50])
    assert len(part.part(1000).X) == 100


def test_the_python_loop_has_a_share(monkeypatch):
    monkeypatch.setattr(ladder, "PYTHON_EXAMPLES", 20)
    for workload in (ladder.forward, ladder.gradient):
        timed = workload(SMALL, "python")
        assert timed.share == 20 / 60
        ladder.first_call(timed)  # compared with the reference on the same part
    assert ladder.training(SMALL, "python").share < 20 / 60
    assert ladder.training(SMALL, "loop").share == 1.0


def test_differences_of_the_largest_entries():
    gradient = network.pack(fastnn.cost_and_gradient(SMALL.weights, SMALL.X, SMALL.y, SMALL.lmbda)[1])
    timed = ladder.differences(SMALL, "numpy")
    assert timed.share == 10 / len(gradient)
    want = gradient[np.argsort(-np.abs(gradient))[:10]]
    np.testing.assert_allclose(timed.call(), want, rtol=1e-6)


def test_textbook_cost():
    want = fastnn.Objective(SMALL.X, SMALL.y, SMALL.sizes, 1.0).cost(SMALL.theta)
    A = fastnn.forward(SMALL.weights, SMALL.X)
    assert ladder.cross_entropy(A, SMALL) + ladder.penalty(SMALL.theta, SMALL) == pytest.approx(want, rel=1e-14)


def test_a_wrong_contestant_is_refused():
    timed = ladder.forward(SMALL, "fused")
    wrong = timed._replace(numbers=lambda returned: 1.001 * returned.ravel())
    with pytest.raises(ArithmeticError, match=r"differs from the reference by 1\.0e-03; at most .* is wanted"):
        ladder.first_call(wrong)


def result(*seconds, **fields):
    return Result(
        np.array(seconds), **{"error": 1e-16, "compile_seconds": 0.0, "operations": 1e9, "share": 1.0} | fields
    )


GROUP = Group(
    "work",
    {
        "Python loop": result(40.0, 40.0, 40.0, share=0.1),
        "NumPy": result(4.0, 6.0, 8.0, error=0.0),
        "fused": result(2.0, 2.0, 2.0),
        "PyTorch": result(3.0, 3.0, 4.0, operations=None),
        "JAX": result(5.0, 5.0, 5.0),
    },
    np.array([6.75, 6.75, 6.75]),  # 1 GFLOP/s: the square product is 6.75e9 operations
)


def test_ratios_are_of_rounds():
    got = ladder.ratio(GROUP.results["NumPy"], GROUP.results["fused"])
    assert got == (3.0, 2.0, 4.0)
    assert str(got) == "3.00 (2.00 - 4.00)"
    assert ladder.ranked(GROUP) == ["fused", "PyTorch", "JAX", "NumPy", "Python loop"]
    assert ladder.best_peer(GROUP) == "PyTorch"
    assert ladder.gflops(GROUP, "fused") == 0.5
    assert ladder.share_of_square(GROUP, "fused") == pytest.approx(0.5)


def test_summary():
    """Every number of it by hand."""
    assert ladder.summary(GROUP) == [
        "work",
        "                      time       x NumPy (rounds)       x PyTorch (rounds)  GFLOP/s  of BLAS      error",
        "  1.  fused         2.00 s     3.00 (2.00 - 4.00)       1.50 (1.50 - 2.00)    0.500     50 %      1e-16",
        "  2.  PyTorch       3.00 s     2.00 (1.33 - 2.00)       1.00 (1.00 - 1.00)                        1e-16",
        "  3.  JAX           5.00 s    1.20 (0.800 - 1.60)    0.600 (0.600 - 0.800)    0.200     20 %      1e-16",
        "  3.  NumPy         6.00 s     1.00 (1.00 - 1.00)    0.500 (0.500 - 0.750)    0.167     17 %  reference",
        "  5.  Python loop  40.0 s*  0.150 (0.100 - 0.200)  0.0750 (0.0750 - 0.100)   0.0250      2 %      1e-16",
    ]
    assert ladder.headline(GROUP) == (
        "work: fused takes 2.00 s, 3.00 times as fast as NumPy and 1.50 times as fast as PyTorch"
    )


def test_summary_without_peers():
    group = Group("work", {name: GROUP.results[name] for name in ("fused", "NumPy")}, GROUP.square)
    assert "PyTorch" not in "".join(ladder.summary(group))
    assert ladder.headline(group) == "work: fused takes 2.00 s, 3.00 times as fast as NumPy"


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0.0, "0.00 us"), (1.234e-6, "1.23 us"), (9.994e-4, "999 us"), (0.01234, "12.3 ms"), (1234.5, "1,234 s")],
)
def test_duration(seconds, want):
    assert ladder.duration(seconds) == want


def test_measure_scales_and_separates_the_first_call():
    slow = ladder.Timed(lambda: time.sleep(0.02), want=lambda: np.ones(1), tolerance=1.0, share=0.1)
    group = ladder.measure("sleep", {"NumPy": slow}, {"NumPy": (1.0, 0.5)}, np.float64, rounds=2)
    got = group.results["NumPy"]
    assert got.seconds.shape == group.square.shape == (2,)
    assert (got.seconds >= 0.2).all()
    assert 0.9 <= got.compile_seconds <= 0.98
    assert got.error == 0.5
    assert group.square.min() > 0.0


def test_climb(monkeypatch):
    monkeypatch.setattr(ladder, "CHECK_LIMIT", 30 * len(SMALL.theta))
    steps = []
    groups = ladder.climb(SMALL, lambda what, done: steps.append((what, done)))
    assert sum(done for _, done in steps) == ladder.STEPS
    assert [what for what, done in steps if not done] == list(ladder.WORKLOADS)
    titles = [group.title for group in groups]
    assert titles[:2] == ["forward, 60 x 7-5-3, float64", "cost and gradient, 60 x 7-5-3, float64"]
    assert titles[2:] == ["gradient check, 30 x 7-5-3, float64", "training, 4 iterations, 60 x 7-5-3, float64"]
    assert all(set(group.results) == set(ladder.RUNGS.values()) for group in groups)


def test_examples_within_limit():
    assert ladder.examples_within_limit((400, 25, 10)) == 48_614
    assert ladder.examples_within_limit((100_000, 100_000, 10)) == 1
