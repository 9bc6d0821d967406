"""What ends a training, what watches it, and that the best weights come back whatever happens."""

import numpy as np
import pytest

import fastnn
from fastnn import engines
from fastnn.runtime import notice
from fastnn.targets import Classes, Values
from fastnn.training.control import State, ValidationSet

from ..conftest import random_case

SOLVERS = ["cg", "l-bfgs", "Newton-CG", "TNC"]


@pytest.fixture(scope="module")
def data():
    """Three classes that overlap, of 60, 30 and 15 examples."""
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1, 2], [60, 30, 15])
    order = rng.permutation(len(y))
    return (rng.standard_normal((105, 2)) + np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])[y])[order], y[order]


def train(data, **options):
    return fastnn.train(*data, **({"hidden": 4, "lmbda": 0.1, "maxiter": 300, "tol": 1e-9} | options))


def cost_at(weights, data, lmbda=0.1, **family):
    return fastnn.cost_and_gradient(weights, *data, lmbda, **family)[0]


def assert_refused(sentence, function, **arguments):
    with pytest.raises((ValueError, TypeError)) as caught:
        function(**arguments)
    assert str(caught.value).startswith(sentence)


def assert_best(model, data):
    """The cost is that of the weights, and no cost of the history is lower."""
    assert model.outcome.cost == cost_at(model.weights, data)
    assert model.outcome.cost <= model.history.cost.min()


@pytest.mark.parametrize("solver", SOLVERS)
def test_target_cost(data, solver):
    whole = train(data, solver=solver).history
    target = float(whole.cost[0] + whole.cost[-1]) / 2
    model = train(data, solver=solver, target_cost=target)
    assert model.outcome.status == "target reached"
    assert model.outcome.cost <= target
    assert "the target of" in model.outcome.message
    assert_best(model, data)
    costs = fastnn.train(*data, 4, 0.1, solver=solver, target_cost=1e9).history.cost
    assert costs.tolist() == [whole.cost[0]]  # reached before the first step


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("limit", [1, 2, 7, 20])
def test_evaluation_limit(data, solver, limit):
    model = train(data, solver=solver, max_evaluations=limit)
    assert model.outcome.status == "evaluation limit"
    assert model.outcome.evaluations == limit
    assert model.history.evaluations[-1] <= limit
    assert f"limit of {limit} evaluations" in model.outcome.message
    assert_best(model, data)


@pytest.mark.parametrize("solver", SOLVERS)
def test_time_limit_is_seen_after_the_evaluation_that_passes_it(data, solver, monkeypatch):
    """By a clock that each evaluation moves on by a second."""
    ticks = []
    evaluate = fastnn.Objective.evaluate

    def counted(self, theta):
        before = self.evaluations
        result = evaluate(self, theta)
        ticks.extend([1.0] * (self.evaluations - before))
        return result

    monkeypatch.setattr(fastnn.Objective, "evaluate", counted)
    monkeypatch.setattr("fastnn.training.observer.time.perf_counter", lambda: sum(ticks))
    model = train(data, solver=solver, max_seconds=9.5)
    assert model.outcome.status == "time limit"
    assert model.outcome.evaluations == 10
    assert model.outcome.seconds == 10.0
    assert_best(model, data)


@pytest.fixture
def slow_kernels(monkeypatch):
    """A clock on which an evaluation takes a second, and the first one waits for its kernels 100 seconds more."""
    ticks = []
    evaluate = fastnn.Objective._evaluate

    def timed(self, theta, gradient):
        if not ticks:
            with notice.waiting_for_kernels():
                ticks.append(100.0)
        ticks.append(1.0)
        return evaluate(self, theta, gradient)

    monkeypatch.setattr(fastnn.Objective, "_evaluate", timed)
    monkeypatch.setattr("fastnn.training.observer.time.perf_counter", lambda: sum(ticks))


def test_compilation_time_is_reported_apart(data, slow_kernels):
    states = []
    model = train(data, maxiter=5, callback=states.append)
    assert model.outcome.compile_seconds == 100.0
    assert model.outcome.seconds == model.outcome.evaluations
    assert model.history.seconds.tolist() == model.history.evaluations.tolist()
    assert [state.seconds for state in states] == model.history.seconds.tolist()[1:]
    assert train(data, maxiter=5).outcome.compile_seconds == 0.0


def test_time_limit_counts_compilation_and_says_so(data, slow_kernels):
    outcome = train(data, max_seconds=50.0).outcome
    assert (outcome.status, outcome.evaluations, outcome.seconds) == ("time limit", 1, 1.0)
    assert outcome.message.startswith("stopped at the limit of 50 seconds (compiling or loading kernels took 100) with")


def test_compilation_time_is_kept_in_files(data, slow_kernels, tmp_path):
    path = tmp_path / "training.npz"
    train(data, maxiter=5, checkpoint=path)
    assert fastnn.load(path).outcome.compile_seconds == 100.0
    model = fastnn.resume(path, *data, maxiter=8)
    assert model.outcome.compile_seconds == 100.0
    assert model.outcome.seconds == model.outcome.evaluations


@pytest.mark.parametrize("solver", SOLVERS)
def test_tolerance(data, solver):
    model = train(data, solver=solver, tol=1e-2, lmbda=1.0)
    assert model.outcome.status == "converged"
    assert model.outcome.gradient_norm <= 1e-2
    assert (model.history.gradient_norm[:-1] > 1e-2).all()
    again = train(data, weights=model.weights, tol=1e-2, lmbda=1.0)
    assert (again.outcome.status, again.outcome.iterations, again.outcome.evaluations) == ("converged", 0, 1)
    assert np.array_equal(fastnn.pack(again.weights), fastnn.pack(model.weights))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("by", [True, 1, np.True_, "text", StopIteration])
def test_a_callback_that_stops(data, solver, by):
    seen = []

    def callback(state):
        seen.append(state)
        if state.iteration == 3:
            if by is StopIteration:
                raise StopIteration
            return by
        return None

    model = train(data, solver=solver, callback=callback)
    assert model.outcome.status == "stopped by callback"
    assert model.outcome.iterations == len(seen) == 3
    assert model.outcome.evaluations == seen[-1].evaluations
    assert_best(model, data)
    for row, state in zip(model.history[1:], seen, strict=True):
        assert (state.cost, state.gradient_norm, state.evaluations, state.seconds) == tuple(row)
        assert cost_at(state.weights, data) == state.cost  # long after its iteration


def test_an_error_in_a_callback_is_the_users(data):
    def callback(state):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(data, callback=callback)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_callback_that_keeps_and_changes_what_it_gets(data, solver):
    kept = []

    def callback(state):
        kept.append(state)
        for W in state.weights:
            W[:] = np.nan
        with pytest.raises(AttributeError):
            state.cost = 0.0
        object.__getattribute__(state, "_theta")[:] = 7.0

    want = train(data, solver=solver, maxiter=12)
    got = train(data, solver=solver, maxiter=12, callback=callback)
    assert len(kept) == 12
    assert np.array_equal(fastnn.pack(got.weights), fastnn.pack(want.weights))
    assert got.history.cost.tolist() == want.history.cost.tolist()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("when", [1, 2, 3, 10])
def test_ctrl_c_in_an_evaluation(data, solver, when, monkeypatch):
    """It is raised in the middle of the evaluation of that number."""
    evaluate = fastnn.Objective._evaluate

    def interrupted(self, theta, gradient):
        cost = evaluate(self, theta, gradient)
        if self.evaluations + 1 == when:
            raise KeyboardInterrupt
        return cost

    with monkeypatch.context() as patch:
        patch.setattr(fastnn.Objective, "_evaluate", interrupted)
        if when == 1:  # nothing is known yet
            with pytest.raises(KeyboardInterrupt):
                train(data, solver=solver)
            return
        model = train(data, solver=solver)
    assert model.outcome.status == "interrupted"
    assert model.outcome.evaluations == when - 1
    assert "best weights so far" in model.outcome.message
    assert_best(model, data)
    on = train(data, solver=solver, weights=model.weights, maxiter=3)
    assert on.history.cost[0] == model.outcome.cost


@pytest.mark.parametrize(
    "where", ["callback", "fastnn.training.diagnosis.advice", "fastnn.training.control.ValidationSet.measure"]
)
def test_ctrl_c_elsewhere(data, where, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    if where != "callback":
        monkeypatch.setattr(where, interrupt)
    model = train(data, callback=interrupt if where == "callback" else None, validation=0.2, maxiter=3)
    assert model.outcome.status == "interrupted"
    assert np.isfinite(model.outcome.cost)
    assert len(model.history) == {"callback": 2, "fastnn.training.diagnosis.advice": 4}.get(where, 1)


def test_an_interrupted_evaluation_is_forgotten(data, monkeypatch):
    """Its point is evaluated anew when it is asked for again."""
    X, y = data
    theta = fastnn.pack(fastnn.init_weights((2, 4, 3)))
    want = fastnn.Objective(X, y, (2, 4, 3)).cost_and_gradient(theta)
    objective = fastnn.Objective(X, y, (2, 4, 3))

    def interrupted(self, theta, gradient):
        gradient[:] = 0.0
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fastnn.Objective, "_evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            objective.cost(theta)
    got = objective.cost_and_gradient(theta)
    assert got[0] == want[0]
    assert np.array_equal(got[1], want[1])


# ---- examples held out


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
def test_a_fraction_is_held_out_of_each_class(data, fraction):
    X, y = data
    seen = {}
    model = train((X, y), validation=fraction, maxiter=5, callback=lambda state: seen.update({state.iteration: state}))
    chosen = held_out_by(fraction, y, seed=0)
    assert np.array_equal(model.held_out, chosen)
    for k in range(3):
        assert chosen[y == k].sum() == round(fraction * (y == k).sum())
    part, rest = (X[~chosen], y[~chosen]), (X[chosen], y[chosen])
    assert model.outcome.cost == pytest.approx(cost_at(model.weights, part), rel=1e-14)
    assert len(model.history) == 6
    for i, state in seen.items():
        want = cost_at(state.weights, rest, 0.0)
        assert state.validation_cost == model.history.validation_cost[i] == pytest.approx(want, rel=1e-14)
        right = fastnn.forward(state.weights, rest[0]).argmax(axis=1) == rest[1]
        assert state.validation_score == model.history.validation_score[i] == right.mean()
    assert model.history.validation_score[-1] == model.score(*rest)


def held_out_by(fraction, y, seed):
    """Which examples `train` holds out: the first of each class in an order drawn after the weights."""
    rng = np.random.default_rng(seed)
    fastnn.init_weights((2, 4, 3), rng)
    order = rng.permutation(len(y))
    chosen = np.zeros(len(y), bool)
    for k in range(3):
        members = order[y[order] == k]
        chosen[members[: round(fraction * len(members))]] = True
    return chosen


def test_a_class_keeps_an_example_to_train_on():
    X = np.arange(24.0).reshape(12, 2) / 10
    y = np.array([0] * 10 + [1] * 2)
    model = fastnn.train(X, y, 2, validation=0.9, maxiter=2)
    assert model.classes.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"validation is 0.01, which leaves no example to hold out; another .* of 12"):
        fastnn.train(X, y, 2, validation=0.01)


def test_examples_of_ones_own(data):
    X, y = data
    own = (X[:40] + 0.1).tolist(), y[:40].tolist()
    model = train(data, validation=own, maxiter=5)
    assert model.held_out is None
    assert model.outcome.cost == cost_at(model.weights, data)
    assert model.history.validation_cost[-1] == pytest.approx(cost_at(model.weights, own, 0.0), rel=1e-14)
    assert model.history.validation_score[-1] == model.score(*own)
    text = np.array(["a", "b", "c"])
    named = train((X, text[y]), validation=(own[0], text[y[:40]]), maxiter=5)
    assert named.history.validation_cost.tolist() == model.history.validation_cost.tolist()


def test_validation_that_does_not_fit(data):
    X, y = data
    for validation, sentence in [
        (0.0, "validation is 0.0; a fraction between 0 and 1, (X, y) or (X, y, sample_weight) is wanted"),
        (1.5, "validation is 1.5; a fraction"),
        (np.nan, "validation is nan; a fraction"),
        (True, "validation is True; a fraction"),
        ("half", "validation is 'half'; a fraction"),
        ((X, y, y, y), "validation is a tuple; a fraction"),
        ((X[:, :1], y), "validation: X has 1 columns; the network has 2 inputs"),
        ((X, y[:5]), "validation: y has 5 labels; X has 105 examples"),
        ((X, y + 1), "validation: y holds 3, a label that the network has no output for; 0, 1, 2 are wanted"),
        ((X, y.astype(str)), "validation: y has dtype <U21; labels like the model's classes"),
        ((np.full_like(X, np.inf), y), "validation: X holds inf at index (0, 0)"),
    ]:
        assert_refused(sentence, train, data=data, validation=validation)
    assert_refused("patience is 5, but there is no validation; both are wanted", train, data=data, patience=5)
    assert_refused("patience is 0; a positive integer is wanted", train, data=data, patience=0, validation=0.2)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("patience", [1, 3, 8])
def test_patience(data, solver, patience):
    """Too many units for too few examples: the validation cost rises sooner or later."""
    X, y = data
    options = {"hidden": 20, "lmbda": 0.0, "validation": (X[60:], y[60:]), "solver": solver}
    model = train((X[:60], y[:60]), patience=patience, **options)
    costs = model.history.validation_cost
    assert model.outcome.status == "no improvement"
    assert model.outcome.iterations - costs.argmin() == patience
    assert cost_at(model.weights, (X[60:], y[60:]), 0.0) == costs.min()
    assert model.outcome.cost == model.history.cost[costs.argmin()]
    assert f"these are the weights of iteration {costs.argmin()}" in model.outcome.message


def test_with_patience_the_weights_of_lowest_validation_cost_come_back_whatever_the_end(data):
    X, y = data
    options = {"hidden": 20, "lmbda": 0.0, "validation": (X[60:], y[60:]), "patience": 10_000}

    def interrupt(state):
        if state.iteration == 60:
            raise KeyboardInterrupt

    for more, status in [
        ({"maxiter": 60}, "iteration limit"),
        ({"callback": lambda state: state.iteration == 60}, "stopped by callback"),
        ({"callback": interrupt}, "interrupted"),
        ({"max_evaluations": 150}, "evaluation limit"),
    ]:
        model = train((X[:60], y[:60]), **(options | more))
        assert model.outcome.status == status
        assert model.history.validation_cost.argmin() < 50
        assert cost_at(model.weights, (X[60:], y[60:]), 0.0) == model.history.validation_cost.min()
        without = train((X[:60], y[:60]), **(options | more | {"patience": None}))
        assert cost_at(without.weights, (X[:60], y[:60]), 0.0) <= without.history.cost.min()


@pytest.mark.parametrize("more", [{}, {"class_weight": "balanced"}, {"standardize": True}], ids=str)
def test_history_cost_without_regularisation_is_that_of_lmbda_0(data, more):
    X, y = data
    weight = np.linspace(0.5, 1.5, 60)
    options = {"hidden": (4, 3), "lmbda": 3.0, "maxiter": 6, "sample_weight": weight, "validation": (X[60:], y[60:])}
    kept = []
    model = train((X[:60], y[:60]), callback=lambda state: kept.append(state.weights), **(options | more))
    if more.get("class_weight"):
        counts = np.bincount(y[:60], weight)
        weight = weight * (weight.sum() / (3 * counts))[y[:60]]
    inputs = model.scaling.apply(X[:60]) if model.scaling else X[:60]
    want = [cost_at(weights, (inputs, y[:60]), 0.0, sample_weight=weight) for weights in kept]
    np.testing.assert_allclose((model.history.cost - model.history.regularisation)[1:], want, rtol=1e-13)
    assert (model.history.regularisation > 0.0).all()


def test_history_of_an_earlier_version_has_no_regularisation(data, tmp_path):
    from fastnn.files import write_arrays

    model = train(data, validation=0.2, maxiter=3)
    arrays = model.arrays(tmp_path / "old.npz")
    del arrays["history_regularisation"]
    write_arrays(tmp_path / "old.npz", arrays)
    old = fastnn.load(tmp_path / "old.npz")
    assert np.isnan(old.history.regularisation).all()
    assert old.history.validation_cost.tolist() == model.history.validation_cost.tolist()


def test_history_with_validation_is_kept_in_files(data, tmp_path):
    model = train(data, validation=0.2, patience=5)
    for name in ("m.npz", "m.mat"):
        model.save(tmp_path / name)
        again = fastnn.load(tmp_path / name)
        assert again.history.dtype == model.history.dtype
        assert again.history.tolist() == model.history.tolist()
        assert again.outcome == model.outcome


@pytest.mark.parametrize("engine", ["numpy", "loop", "fused"])
@pytest.mark.parametrize("family", [("sigmoid", 3), ("softmax", 3), ("identity", 2)], ids=str)
def test_held_out_is_cost_and_score(engine, family):
    output, K = family
    case = random_case((5, 4, K), 30)
    y = np.random.default_rng(0).standard_normal((30, K)) if output == "identity" else case.y
    problem = case._replace(y=y).problem(0.0, output=output)
    kind = Values(K) if output == "identity" else Classes(np.arange(K))
    cost, score = ValidationSet(*problem, kind, np.empty(0), engine).measure(case.theta)
    want = fastnn.cost_and_gradient(case.weights, case.X, y, output=output, engine="numpy")[0]
    assert cost == pytest.approx(want, rel=1e-14)
    A = np.empty((30, K))
    engines.module("numpy").forward(case.theta, problem.network.layers, problem.data.X, 1.0, A)
    if output == "identity":
        residual, spread = ((A - y) ** 2).sum(axis=0), ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        assert score == pytest.approx((1 - residual / spread).mean(), rel=1e-12)
    else:
        assert score == np.mean(A.argmax(axis=1) == y)


def test_state_in_a_line():
    state = State(3, 0.5, 1e-3, 7, 0.25, np.nan, np.nan, np.zeros(1), (1, 1))
    assert str(state) == "iteration    3  cost 0.500000  gradient 1.0e-03  evaluations 7  0.25 s"
    with_validation = State(3, 0.5, 1e-3, 7, 0.25, 0.75, 0.875, np.zeros(1), (1, 1))
    assert str(with_validation) == f"{state}  validation cost 0.750000, score 0.8750"


def test_verbose(data, capsys):
    lines = []
    train(data, maxiter=4, verbose=True, validation=0.2, callback=lambda state: lines.append(str(state)))
    shown = capsys.readouterr()
    assert shown.out.splitlines() == lines
    assert len(lines) == 4
    assert shown.err == ""


def test_arguments_that_do_not_fit(data):
    for options, sentence in [
        ({"callback": 3}, "callback is 3; a function is wanted, or None"),
        ({"max_seconds": 0}, "max_seconds is 0; a finite number greater than 0 is wanted"),
        ({"max_evaluations": 0}, "max_evaluations is 0; a positive integer is wanted"),
        ({"target_cost": np.nan}, "target_cost is nan; a finite number is wanted"),
        ({"tol": -1e-9}, "tol is -1e-09; a finite number of at least 0 is wanted"),
        ({"verbose": 2}, "verbose is 2; True or False is wanted"),
        ({"standardize": "yes"}, "standardize is 'yes'; True or False is wanted"),
        ({"multilabel": None}, "multilabel is None; True or False is wanted"),
        ({"solver": "sgd"}, "solver is 'sgd'; one of 'cg', 'l-bfgs'"),
    ]:
        assert_refused(sentence, train, data=data, **options)
