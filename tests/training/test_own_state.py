"""A solver with a state of its own, which sees a batch of the examples at each step, fits into a training."""

import math

import numpy as np
import pytest

import fastnn
from fastnn.network import sizes_of
from fastnn.training.solvers import SOLVERS, Solver

from .test_checkpoint import Killed, assert_same

BATCH = 16
RATE = 0.5
MOMENTUM = 0.9
SIZES = (3, 4, 3)


def blobs(m, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, m)
    return np.array([[2.0, 0.0, 1.0], [-2.0, 1.0, 0.0], [0.0, -2.0, 1.0]])[y] + rng.standard_normal((m, 3)), y


DATA = blobs(90)
OTHERS = blobs(40, seed=1)


def descend(objective, theta, observer):
    """Gradient descent with momentum over batches, in an order drawn for each epoch."""
    X, y = DATA
    state = observer.state or {
        "theta": theta,
        "velocity": np.zeros_like(theta),
        "epoch": np.array(0),
        "cost": np.array(objective.evaluate(theta)[0]),
    }
    theta, velocity, epoch, cost = (state[name].copy() for name in ("theta", "velocity", "epoch", "cost"))
    while True:
        state = {"theta": theta, "velocity": velocity, "epoch": epoch, "cost": cost}
        observer.iteration(theta, float(cost), state=state)
        costs = []
        order = np.random.default_rng(int(epoch)).permutation(len(X))
        for batch in np.array_split(order, len(X) // BATCH):
            some = fastnn.Objective(X[batch], y[batch], objective.sizes, objective.lmbda * len(batch) / len(X))
            cost, gradient = some.cost_and_gradient(theta)
            costs.append(cost)
            observer.batch(cost)
            velocity *= MOMENTUM
            velocity -= RATE * (1.0 - MOMENTUM) * gradient
            theta += velocity
        epoch, cost = epoch + 1, np.array(np.mean(costs))


STEPS = len(DATA[0]) // BATCH


@pytest.fixture(autouse=True)
def solver(monkeypatch):
    """Registered by a line."""
    monkeypatch.setitem(SOLVERS, "descent", Solver(descend, has_state=True))


def train(**options):
    return fastnn.train(*DATA, **{"hidden": 4, "lmbda": 0.1, "solver": "descent", "maxiter": 12} | options)


def ended_at_batch(monkeypatch, k, error):
    """The k-th evaluation of a batch raises that error."""
    evaluate, count = fastnn.Objective.cost_and_gradient, iter(range(1, 10**6))

    def counted(self, theta):
        if next(count) == k:
            raise error
        return evaluate(self, theta)

    monkeypatch.setattr(fastnn.Objective, "cost_and_gradient", counted)


def test_history_has_a_row_for_each_epoch_and_the_best_one_comes_back():
    states = []
    model = train(callback=states.append, validation=OTHERS)
    history = model.history
    assert (model.outcome.status, model.outcome.iterations, len(history)) == ("iteration limit", 12, 13)
    assert [state.iteration for state in states] == list(range(1, 13))
    assert history.evaluations.tolist() == [STEPS * epoch for epoch in range(13)]
    assert history.cost[-1] < 0.5 * history.cost[0]
    assert np.isnan(history.gradient_norm).all()
    assert np.isfinite(history.validation_cost).all()
    assert model.outcome.cost == history.cost.min()
    best = states[int(history.cost[1:].argmin())].weights
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(best))
    assert model.outcome.message.startswith("stopped at the limit of 12 iterations; a higher maxiter")
    assert sizes_of(model.weights) == SIZES


def test_patience_keeps_the_weights_of_lowest_validation_cost():
    states = []
    model = train(validation=OTHERS, patience=3, maxiter=300, callback=states.append)
    costs = model.history.validation_cost
    assert model.outcome.status == "no improvement"
    assert len(costs) == costs.argmin() + 4
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(states[costs.argmin() - 1].weights))


@pytest.mark.parametrize(
    ("limits", "status", "evaluations"),
    [
        ({"max_evaluations": 2 * STEPS + 1}, "evaluation limit", 2 * STEPS + 1),
        ({"max_seconds": 1e-9}, "time limit", 1),
        ({"target_cost": 1.5}, "target reached", None),
    ],
    ids=["evaluations", "seconds", "target"],
)
def test_limits_end_it(limits, status, evaluations):
    outcome = train(**limits).outcome
    assert outcome.status == status
    assert evaluations in (None, outcome.evaluations)
    assert "nan" not in outcome.message


def test_ctrl_c_in_a_batch_gives_the_best_weights_back(monkeypatch):
    with monkeypatch.context() as patched:
        ended_at_batch(patched, 3 * STEPS + 2, KeyboardInterrupt())
        model = train()
    assert (model.outcome.status, model.outcome.iterations) == ("interrupted", 3)
    assert np.array_equal(fastnn.pack(model.weights), fastnn.pack(train(maxiter=3).weights))
    assert model.outcome.remedy == "start"


def test_what_is_not_finite_ends_it(monkeypatch):
    evaluate = fastnn.Objective.cost_and_gradient
    with monkeypatch.context() as patched:
        patched.setattr(fastnn.Objective, "cost_and_gradient", lambda self, theta: (math.nan, evaluate(self, theta)[1]))
        outcome = train().outcome
    assert (outcome.status, outcome.evaluations) == ("non-finite", 1)
    assert math.isfinite(outcome.cost)


@pytest.mark.parametrize("more", [{}, {"validation": OTHERS, "patience": 9}], ids=["plain", "validation"])
@pytest.mark.parametrize("k", [1, STEPS + 1, 3 * STEPS, 7 * STEPS + 2])
@pytest.mark.parametrize("every", [1, 3, 60.0])
def test_killed_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, more, k, every):
    path, want = tmp_path / "training.npz", train(**more)
    with monkeypatch.context() as patched:
        ended_at_batch(patched, k, Killed())
        with pytest.raises(Killed):
            train(**more, checkpoint=path, checkpoint_every=every)
    if k <= STEPS:  # there is nothing to keep before the first epoch
        assert not path.exists()
        return
    validation = {"validation": more["validation"]} if more else {}
    assert fastnn.load(path).outcome.status == "interrupted"
    got = fastnn.resume(path, *DATA, **validation)
    assert_same(got, want)
    assert_same(fastnn.resume(path, *DATA, **validation), want)  # it has ended, and stays so


def test_resumed_training_goes_on_with_the_state_and_evaluates_nothing_again(tmp_path, monkeypatch):
    path, want = tmp_path / "training.npz", train()
    train(maxiter=5, checkpoint=path)
    count = []
    evaluate = fastnn.Objective.cost_and_gradient
    monkeypatch.setattr(fastnn.Objective, "cost_and_gradient", lambda *some: count.append(1) or evaluate(*some))
    assert_same(fastnn.resume(path, *DATA, maxiter=12), want)
    assert len(count) == 7 * STEPS
