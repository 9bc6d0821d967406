"""The ladder: what is timed is right, and shares add up."""

import numpy as np
import pytest

import fastnn
from fastnn.benchmark import comparison, ladder, timing
from fastnn.objective import Objective

SMALL = ladder.random_task(60, (7, 5, 3))._replace(maxiter=4)


@pytest.mark.parametrize("engine", comparison.RUNGS)
@pytest.mark.parametrize("workload", ladder.WORKLOADS)
def test_rungs_give_the_references_numbers(workload, engine):
    _, error = ladder.first_call(ladder.WORKLOADS[workload](SMALL, engine))
    assert 0.0 <= error <= 1e-9


def test_gradient_moves_on_between_calls():
    """An implementation that remembers its last point would be timed doing nothing."""
    timed = ladder.gradient(SMALL, "fused")
    costs = [timed.call()[0] for _ in range(4)]
    assert costs[0] == costs[2] != costs[1] == costs[3]


def test_part_of_a_task():
    X, y = fastnn.load_digits()
    part = ladder.task(X, y, (400, 25, 10)).part(100)
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
    _, gradient = Objective.of(SMALL.problem).cost_and_gradient(SMALL.theta)
    timed = ladder.differences(SMALL, "numpy")
    assert timed.share == 10 / len(gradient)
    want = gradient[np.argsort(-np.abs(gradient))[:10]]
    np.testing.assert_allclose(timed.call(), want, rtol=1e-6)


def test_textbook_cost():
    want = Objective.of(SMALL.problem).cost(SMALL.theta)
    A = fastnn.forward(SMALL.weights, SMALL.X)
    assert ladder.cross_entropy(A, SMALL) + ladder.penalty(SMALL.theta, SMALL) == pytest.approx(want, rel=1e-14)


def test_a_wrong_implementation_is_refused():
    timed = ladder.forward(SMALL, "fused")
    wrong = timed._replace(numbers=lambda returned: 1.001 * returned.ravel())
    with pytest.raises(ArithmeticError, match=r"differs from the reference by 1\.0e-03; at most .* is wanted"):
        ladder.first_call(wrong)


def test_first_call(monkeypatch):
    """By a clock of the test: only the call is timed, not what it is compared with."""
    monkeypatch.setattr(ladder.time, "perf_counter", iter([1.0, 1.75]).__next__)
    assert ladder.first_call(ladder.Timed(lambda: np.full(1, 1.5), lambda: np.ones(1), tolerance=1.0)) == (0.75, 0.5)


def test_measure_scales_and_separates_the_first_call(monkeypatch):
    """By a clock of the test."""

    def interleave(calls, rounds, progress):
        times = dict(zip(calls, (0.25, 0.125, 0.0625), strict=True))
        return {name: np.full(rounds, seconds) for name, seconds in times.items()}

    monkeypatch.setattr(timing, "interleave", interleave)
    call = ladder.Timed(lambda: None, want=lambda: np.ones(1), tolerance=1.0, share=0.5, operations=10.0)
    group = ladder.measure("title", {"NumPy": call}, {"NumPy": (1.0, 0.5)}, np.float64, rounds=2)
    got = group.results["NumPy"]
    assert got.seconds.tolist() == [0.5, 0.5]
    assert got.compile_seconds == 0.75
    assert (got.error, got.share, got.operations) == (0.5, 0.5, 10.0)
    assert group.gemm.seconds.tolist() == [0.125, 0.125]
    assert group.gemm.operations == 2 * timing.GEMM_WIDTH**3
    assert group.peak.seconds.tolist() == [0.0625, 0.0625]


@pytest.mark.slow
def test_measure_all(monkeypatch):
    monkeypatch.setattr(ladder, "examples_checked", lambda task: 30)
    monkeypatch.setattr(ladder, "TRAINING_SECONDS", np.inf)
    monkeypatch.setattr(timing, "REST", 0.0)
    monkeypatch.setattr(timing, "BLOCK", 1e-3)
    steps = []
    groups = ladder.measure_all(SMALL, lambda what, done: steps.append((what, done)))
    assert sum(done for _, done in steps) == ladder.STEPS
    assert [what for what, done in steps if not done] == list(ladder.WORKLOADS)
    titles = [group.title for group in groups]
    assert titles[:2] == ["forward, 60 x 7-5-3, float64", "cost and gradient, 60 x 7-5-3, float64"]
    assert titles[2:] == ["gradient check, 30 x 7-5-3, float64", "training, 4 iterations, 60 x 7-5-3, float64"]
    assert all(set(group.results) == set(comparison.RUNGS.values()) for group in groups)


def test_examples_checked(monkeypatch):
    """By a clock of the test: 60 examples in half a second are 180 in 1.5; and one is always checked."""
    monkeypatch.setattr(ladder.time, "perf_counter", iter([0.0, 0.5, 0.0, 1e6]).__next__)
    monkeypatch.setattr(ladder, "CHECK_SECONDS", 1.5)
    assert ladder.examples_checked(SMALL) == 180
    assert ladder.examples_checked(SMALL) == 1


def test_examples_within_limit():
    assert ladder.examples_within_limit((400, 25, 10)) == 24_307
    assert ladder.examples_within_limit((100_000, 100_000, 10)) == 1
