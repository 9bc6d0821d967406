"""The estimators: scikit-learn's checks, its tests, its loss; and what they add."""

import copy
import importlib.util
import inspect
import math
import pickle
import subprocess
import sys
import warnings
from unittest import mock

import numpy as np
import pandas
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn.estimator import FastNNClassifier, FastNNRegressor, base
from fastnn.training.solvers import SOLVERS

from ..conftest import ROOT

# Most fits here end at a limit on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = [FastNNClassifier, FastNNRegressor]
HIDDEN = ("identity", "logistic", "tanh", "relu")  # scikit-learn's names
PEERS = {FastNNClassifier: MLPClassifier, FastNNRegressor: MLPRegressor}

rng = np.random.default_rng(0)
X = rng.standard_normal((90, 4))
NUMBERS = X @ rng.standard_normal((4, 3)) + 0.1 * rng.standard_normal((90, 3))
CLASSES = NUMBERS.argmax(axis=1)
LABELS = (NUMBERS > 0.0).astype(int)
WEIGHT = rng.uniform(0.5, 2.0, 90)
EPSILON = np.finfo(np.float64).eps


@pytest.mark.slow
@parametrize_with_checks(
    [kind(**parameters) for parameters in ({}, {"standardize": True, "solver": "cg"}) for kind in ESTIMATORS]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# ---- The same network as scikit-learn's

KINDS = {
    "two classes": (FastNNClassifier, np.array(["no", "yes"])[LABELS[:, 0]]),
    "three classes": (FastNNClassifier, np.array(["a", "b", "c"])[CLASSES]),
    "several labels": (FastNNClassifier, LABELS),
    "one class": (FastNNClassifier, np.full(90, 7)),
    "numbers": (FastNNRegressor, NUMBERS[:, 0]),
    "several numbers": (FastNNRegressor, NUMBERS),
}
kinds = pytest.mark.parametrize(("kind", "y"), KINDS.values(), ids=KINDS)


def peers_loss(fitted, X, y, weight):
    """scikit-learn's loss, by its own function, at the coefficients of a fitted estimator."""
    peer = fitted.to_sklearn()
    targets = peer._label_binarizer.transform(y) if hasattr(peer, "classes_") else y.reshape(len(y), -1)
    L = len(peer.coefs_)
    loss, *_ = peer._backprop(X, targets, weight, [X, *[None] * L], *([None] * L for _ in range(3)))
    return loss


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("activation", HIDDEN)
@kinds
def test_loss(kind, y, activation, weight):
    got = kind((6, 5), activation, alpha=0.5, max_iter=3, random_state=0).fit(X, y, weight)
    want = peers_loss(got, X, y, weight)
    assert abs(got.loss_ - want) <= 1e-12 * want
    assert got.loss_curve_ == got.history_.cost[1:].tolist()
    assert got.loss_ == min(got.history_.cost) == got.best_loss_ == got.outcome_.cost


def test_loss_of_the_digits(digits):
    X, y = digits
    for labels in (y, y % 2, np.column_stack([y % 2, y > 4])):
        got = FastNNClassifier((25,), "logistic", max_iter=5, random_state=0).fit(X, labels)
        want = peers_loss(got, X, labels, None)
        assert abs(got.loss_ - want) <= 1e-12 * want


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_the_same_path_from_the_same_start(digits, activation):
    X, y = digits[0][::5], digits[1][::5]
    parameters = {"activation": activation, "hidden_layer_sizes": (25,), "max_iter": 30, "random_state": 3}
    got = FastNNClassifier(**parameters).fit(X, y)
    want = MLPClassifier(solver="lbfgs", **parameters).fit(X, y)
    assert abs(got.loss_ - want.loss_) <= 1e-6  # 1e-15 and 1e-14 here
    assert got.n_iter_ == want.n_iter_ == 30
    assert np.array_equal(got.predict(X), want.predict(X))


@pytest.mark.parametrize("name", sorted({*KINDS} - {"several numbers"}))  # where its gradient is of another function
def test_start(name):
    """Drawn as scikit-learn draws it, whatever the activation: so is what comes after an iteration."""
    kind, y = KINDS[name]
    for activation in HIDDEN:
        parameters = {"activation": activation, "hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 5}
        got = kind(**parameters).fit(X, y)
        want = PEERS[kind](solver="lbfgs", **parameters).fit(X, y)
        for ours, theirs in zip(got.coefs_ + got.intercepts_, want.coefs_ + want.intercepts_, strict=True):
            assert ours.shape == theirs.shape
            assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@kinds
def test_from_scikit_learn_and_back(kind, y, solver, dtype):
    parameters = {"hidden_layer_sizes": (6, 5), "activation": "tanh", "alpha": 0.3, "random_state": 0, "max_iter": 5}
    peer = PEERS[kind](solver=solver, **parameters)
    peer.fit(X.astype(dtype), y)
    ours = kind.from_sklearn(peer)
    again = ours.to_sklearn()
    assert ours.solver == "lbfgs"
    assert parameters.items() <= ours.get_params().items()
    assert again.get_params() == peer.get_params() | {"solver": "lbfgs"}
    method = "predict_proba" if kind is FastNNClassifier else "predict"
    want = getattr(peer, method)(X.astype(dtype))
    for other in (ours, again):
        got = getattr(other, method)(X.astype(dtype))
        # Sums of at most 6 products in each of 3 layers, and the outputs, of size 1.
        assert np.abs(got - want).max() <= 100 * np.finfo(dtype).eps
        assert np.array_equal(other.predict(X), peer.predict(X)) or kind is FastNNRegressor
    ours.coefs_[0][:] = 0.0
    assert peer.coefs_[0].all()


@kinds
def test_to_scikit_learn(kind, y):
    """What standardises goes into the first layer."""
    far = 1e3 + 100.0 * X
    ours = kind((6,), standardize=True, random_state=0, max_iter=20, verbose="bar").fit(far, y)
    peer = ours.to_sklearn()
    assert peer.verbose is True
    # The first layer's sums lose the digits of 1e3 against 100, one, and add up four products.
    assert np.allclose(peer.predict_proba(far) if kind is FastNNClassifier else peer.predict(far),
                       ours.predict_proba(far) if kind is FastNNClassifier else ours.predict(far),
                       rtol=1e-11, atol=1e-11)  # fmt: skip
    assert not np.array_equal(peer.coefs_[0], ours.coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_names_of_train_fit_the_same_network(kind):
    """They go to scikit-learn by its own names."""
    y = CLASSES if kind is FastNNClassifier else NUMBERS
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0}
    want = kind(activation="logistic", solver="lbfgs", **parameters).fit(X, y)
    got = kind(activation="sigmoid", solver="L-BFGS-B", **parameters).fit(X, y)
    assert got.get_params()["activation"] == "sigmoid"  # as clone and set_params want it
    assert all(map(np.array_equal, got.coefs_ + got.intercepts_, want.coefs_ + want.intercepts_))
    assert np.array_equal(got.predict(X), want.predict(X))
    peer = got.to_sklearn()
    assert (peer.activation, peer.solver) == ("logistic", "lbfgs")
    assert np.allclose(peer.predict(X), got.predict(X), rtol=1e-12, atol=1e-12)
    assert kind.from_sklearn(peer.fit(X, y)).activation == "logistic"


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_conversions_of_what_is_not_fitted(kind):
    assert repr(kind.from_sklearn(PEERS[kind](alpha=0.5, learning_rate_init=0.1))) == f"{kind.__name__}(alpha=0.5)"
    assert repr(kind(alpha=0.5, solver="cg").to_sklearn()) == f"{PEERS[kind].__name__}(alpha=0.5, solver='lbfgs')"
    for unfitted in (kind.from_sklearn(PEERS[kind]()), kind().to_sklearn()):
        with pytest.raises(NotFittedError):
            unfitted.predict(X)


def test_conversions_that_are_refused():
    message = "mlp is a MLPRegressor; scikit-learn's MLPClassifier is wanted"
    with pytest.raises(TypeError, match=message):
        FastNNClassifier.from_sklearn(MLPRegressor())
    with pytest.raises(TypeError, match="mlp is a FastNNRegressor; scikit-learn's MLPRegressor is wanted"):
        FastNNRegressor.from_sklearn(FastNNRegressor())
    with pytest.raises(ValueError, match=r"mlp has the loss 'poisson', .*'squared_error' is wanted"):
        FastNNRegressor.from_sklearn(MLPRegressor(loss="poisson"))


# ---- scikit-learn's own tests, with our classes in the place of theirs

# What only "sgd" and "adam" use, and so does nothing with "lbfgs": it is dropped. So is "squared_error", the only loss.
DROPPED = {"batch_size", "learning_rate", "learning_rate_init", "power_t", "shuffle", "momentum", "nesterovs_momentum"}
LEFT_OUT = {
    "test_partial_fit_classes_error": "partial_fit",
    "test_partial_fit_classification": "partial_fit",
    "test_partial_fit_errors": "partial_fit",
    "test_partial_fit_regression": "partial_fit",
    "test_partial_fit_unseen_classes": "partial_fit",
    "test_mlp_partial_fit_after_fit": "partial_fit",
    "test_mlp_loading_from_joblib_partial_fit": "partial_fit",
    "test_fit": "partial_fit, one step of sgd",
    "test_verbose_sgd": "partial_fit in its second half; `test_lines` here has the first",
    "test_multilabel_classification": "partial_fit in its second half; `test_several_labels` here has the first",
    "test_adaptive_learning_rate": "the learning rate of sgd",
    "test_learning_rate_warmstart": "the learning rate of sgd",
    "test_shuffle": "the shuffling of adam",
    "test_mlp_diverging_loss": "a loss that diverges by sgd's learning rate",
    "test_n_iter_no_change": "sgd's patience with the training loss",
    "test_n_iter_no_change_inf": "sgd's patience with the training loss",
    "test_early_stopping": "sgd's tolerance of scores; `test_early_stopping` here",
    "test_warm_start_full_iteration": "with sgd every fit takes max_iter; lbfgs may converge before (no seed is set)",
    "test_gradient": "a private method; `test_loss` here, and fastnn.check_gradient",
    "test_mlp_vs_poisson_glm_equivalent": "the loss of Poisson",
    "test_mlp_regressor_dtypes_casting": "float32 to 5e-4 after 100 steps in raw pixels: not by its own lbfgs either",
}


def _in_their_place(kind):
    def make(*args, **parameters):
        if parameters.get("solver") in ("sgd", "adam"):
            parameters["solver"] = "lbfgs"
        return kind(*args, **{name: value for name, value in parameters.items() if name not in DROPPED})

    make.__name__ = kind.__name__
    return make


def _their_tests():
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    places = {peer.__name__: _in_their_place(kind) for kind, peer in PEERS.items()}
    with mock.patch.multiple("sklearn.neural_network", **places):
        spec.loader.exec_module(module)
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


THEIR_TESTS = _their_tests()


class TestTheirs:
    """Each test of theirs that is not left out, under its name."""


for _name, _test in THEIR_TESTS.items():
    if _name not in LEFT_OUT:
        setattr(TestTheirs, _name, staticmethod(_test))


def test_what_is_left_out_is_there():
    assert set(LEFT_OUT) <= set(THEIR_TESTS)
    assert len(THEIR_TESTS) - len(LEFT_OUT) >= 20


# ---- Beyond it


@pytest.mark.parametrize("y", [LABELS[:, 0], CLASSES], ids=["two", "three"])
def test_class_weight_is_as_many_examples(y):
    """Whole numbers: those of the class repeated; balanced: classes repeated until they are alike."""
    K = y.max() + 1
    fit = FastNNClassifier((5,), "tanh", alpha=0.0, max_iter=8, random_state=0)
    factors = np.array([3, 1, 2])[:K]
    repeated = np.repeat(np.arange(90), factors[y])
    want = clone(fit).fit(X[repeated], y[repeated])
    got = clone(fit).set_params(class_weight=dict(enumerate(factors))).fit(X, y)
    # Sums in another order; eight steps multiply that by less than 1e3.
    assert abs(got.loss_ - want.loss_) <= 1e3 * EPSILON
    alike = np.concatenate([np.resize(np.flatnonzero(y == k), np.lcm.reduce(np.bincount(y))) for k in range(K)])
    want = clone(fit).fit(X[alike], y[alike])
    got = clone(fit).set_params(class_weight="balanced").fit(X, y)
    assert abs(got.loss_ - want.loss_) <= 1e3 * EPSILON
    assert abs(got.loss_ - clone(fit).fit(X, y).loss_) > 1e-6


def test_class_weight_and_sample_weight():
    """Both multiply; balanced classes weigh the same together, whatever their examples weigh."""
    fit = FastNNClassifier((5,), max_iter=4, random_state=0)
    y = np.array(["a", "b", "c"])[CLASSES]
    got = clone(fit).set_params(class_weight={"b": 3.0}).fit(X, y, WEIGHT)
    want = clone(fit).fit(X, y, WEIGHT * np.where(y == "b", 3.0, 1.0))
    assert got.loss_ == want.loss_
    totals = np.bincount(CLASSES, WEIGHT)
    got = clone(fit).set_params(class_weight="balanced").fit(X, y, WEIGHT)
    want = clone(fit).fit(X, y, WEIGHT * (WEIGHT.sum() / (3 * totals))[CLASSES])
    assert abs(got.loss_ - want.loss_) <= 100 * EPSILON


def test_class_weight_of_classes_that_a_part_lacks():
    """As in cross-validation; but what names not even the classes that are there is a slip."""
    y = np.array(["a", "b"])[LABELS[:, 0]]
    fit = FastNNClassifier((3,), max_iter=2, random_state=0)
    got = clone(fit).set_params(class_weight={"a": 2.0, "b": 3.0, "rare": 9.0}).fit(X, y)
    assert got.loss_ == clone(fit).set_params(class_weight={"a": 2.0, "b": 3.0}).fit(X, y).loss_
    with pytest.raises(ValueError, match="class_weight has 'B', which is no label in y"):
        clone(fit).set_params(class_weight={"a": 2.0, "B": 3.0}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight is 'balanced', but y holds no classes"):
        clone(fit).set_params(class_weight="balanced").fit(X, LABELS)


def with_weights(fitted, weights):
    """A copy with other coefficients, in the form of `fastnn.train`."""
    other = copy.copy(fitted)
    other.coefs_ = [W[:, 1:].T for W in weights]
    other.intercepts_ = [W[:, 0] for W in weights]
    return other


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@kinds
def test_early_stopping(kind, y, weight, standardize, monkeypatch):
    """Scores are those of the examples held out at each iteration; the best by their loss is kept."""
    seen, parts = [], []

    def split(*args, **parameters):
        parts.extend(estimator_split(*args, **parameters))
        return parts

    estimator_split = base.train_test_split
    monkeypatch.setattr(base, "train_test_split", split)
    fit = kind((8,), random_state=1, early_stopping=True, validation_fraction=0.3, n_iter_no_change=3)
    fit.set_params(callback=lambda state: seen.append(state.weights), max_iter=500, standardize=standardize)
    noisy = X + 2.0 * np.random.default_rng(1).standard_normal(X.shape)
    fit.fit(noisy if not standardize else 3.0 * noisy + 5.0, y, weight)
    other_X, other_y = parts[1], parts[3]
    other_weight = parts[5] if weight is not None else None
    assert len(other_X) == 27
    best = int(fit.history_.validation_cost.argmin())
    if fit.outcome_.status == "no improvement":
        assert fit.n_iter_ == best + 3
    else:
        assert (kind, fit.outcome_.status) == (FastNNClassifier, "converged")
        assert len(np.unique(y)) == 1
    assert len(seen) == len(fit.validation_scores_) == len(fit.loss_curve_) == fit.n_iter_ > 0
    assert all(map(np.array_equal, with_weights(fit, seen[best - 1]).coefs_, fit.coefs_))
    labels = other_y.ravel() if hasattr(fit, "classes_") and other_y.shape[-1] == 1 else other_y
    if hasattr(fit, "classes_") and labels.ndim == 1:
        labels = fit.classes_[labels]
    for weights, got in zip(seen, fit.validation_scores_, strict=True):
        want = with_weights(fit, weights).score(other_X, labels, other_weight)
        assert abs(got - want) <= 100 * EPSILON * max(1.0, abs(want))
    assert fit.best_validation_score_ == max(fit.validation_scores_)
    assert fit.best_loss_ is None


def test_early_stopping_keeps_the_shares_of_classes(monkeypatch):
    parts = []
    monkeypatch.setattr(
        base, "train_test_split", lambda *args, **given: parts.append(given["stratify"]) or split(*args, **given)
    )
    split = sys.modules["sklearn.model_selection"].train_test_split
    for y, want in ((LABELS[:, 0], LABELS[:, :1]), (CLASSES, CLASSES), (LABELS, None)):
        FastNNClassifier((3,), early_stopping=True, max_iter=1, validation_fraction=0.2).fit(X, y)
        assert np.array_equal(parts.pop(), want)


def test_patience_without_end():
    """All iterations are run, and still the best on the examples held out comes back."""
    fit = FastNNClassifier(
        (30,), early_stopping=True, validation_fraction=0.3, n_iter_no_change=math.inf, max_iter=40, random_state=0
    )
    fit.fit(X + 2.0 * np.random.default_rng(1).standard_normal(X.shape), CLASSES)
    assert fit.outcome_.status == "iteration limit"
    best = fit.history_.validation_cost.argmin()
    assert best < 30
    assert fit.loss_ == fit.history_.cost[best]


def test_a_class_that_would_be_held_out_whole():
    y = np.repeat([0, 1, 2], [86, 2, 2])
    message = (
        "validation_fraction is 0.93, which leaves no example of the class .* to train on; a smaller one is wanted"
    )
    with pytest.raises(ValueError, match=message):
        FastNNClassifier(early_stopping=True, validation_fraction=0.93, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"max_iter": 2}, "iteration limit"),
        ({"max_fun": 3}, "evaluation limit"),
        ({"max_seconds": 1e-9}, "time limit"),
    ],
)
@pytest.mark.parametrize("solver", ["lbfgs", "cg"])
def test_limits(parameters, status, solver):
    fit = FastNNRegressor((3,), random_state=0, solver=solver, **parameters)
    with pytest.warns(ConvergenceWarning, match="stopped at the limit of .* would lower the cost further"):
        fit.fit(X, NUMBERS)
    assert fit.outcome_.status == status
    assert fit.n_iter_ == len(fit.loss_curve_) == len(fit.history_) - 1
    assert fit.outcome_.evaluations <= {"max_fun": 3, "max_seconds": 1, "max_iter": 20}[next(iter(parameters))]


def test_rounding_that_hides_the_minimum():
    fit = FastNNRegressor((), tol=0.0, max_iter=10_000, random_state=0)
    with pytest.warns(ConvergenceWarning, match="rounding hides any further decrease .* a larger alpha"):
        fit.fit(X, NUMBERS)
    assert fit.outcome_.status == "precision loss"


def test_a_network_that_cannot_learn_is_not_silent():
    """In scikit-learn's names."""
    with pytest.warns(ConvergenceWarning, match=r"X wants scaling: .*; train again with standardize=True$"):
        FastNNClassifier((3,), "logistic", random_state=0).fit(1e4 + 255.0 * X, CLASSES)
    with pytest.warns(ConvergenceWarning, match="a higher max_iter would"):
        FastNNClassifier((3,), max_iter=1).fit(X, CLASSES)


def test_standardize():
    """It reaches what plain columns reach; a constant column does no harm."""
    fit = FastNNClassifier((5,), "logistic", random_state=0, max_iter=50)
    columns = np.column_stack([X, np.full(90, 3.0)])
    want = clone(fit).set_params(standardize=True).fit(columns, CLASSES)
    got = clone(fit).set_params(standardize=True).fit(1e4 + 255.0 * columns, CLASSES)
    assert np.allclose(got.mean_, 1e4 + 255.0 * want.mean_, rtol=1e-12)
    assert np.allclose(got.scale_[:4], 255.0 * want.scale_[:4], rtol=1e-9)
    assert got.scale_[4] == want.scale_[4] == 1.0
    assert abs(got.score(1e4 + 255.0 * columns, CLASSES) - want.score(columns, CLASSES)) < 0.05
    assert want.score(columns, CLASSES) > 0.9
    assert clone(fit).fit(columns, CLASSES).mean_ is None


@pytest.mark.parametrize("raised", [KeyboardInterrupt, StopIteration, None])
def test_ends_by_the_callback(raised):
    """The best coefficients stay, and a callback that changes what it gets harms nothing."""
    states = []

    def callback(state):
        states.append(state)
        for W in state.weights:
            W[:] = 0.0
        if state.iteration == 4 and raised:
            raise raised
        return state.iteration == 4

    fit = FastNNClassifier((5,), random_state=0, callback=callback)
    if raised is KeyboardInterrupt:
        with pytest.warns(ConvergenceWarning, match=r"interrupted .* best weights so far; warm_start=True goes on"):
            fit.fit(X, CLASSES)
    else:
        fit.fit(X, CLASSES)
    assert fit.outcome_.status == ("interrupted" if raised is KeyboardInterrupt else "stopped by callback")
    assert fit.n_iter_ == 4
    assert [state.cost for state in states] == fit.loss_curve_
    want = FastNNClassifier((5,), random_state=0, max_iter=4).fit(X, CLASSES)
    assert fit.loss_ == want.loss_
    assert all(map(np.array_equal, fit.coefs_, want.coefs_))


def test_losses_of_several_numbers(capsys):
    """The callback's, the lines' and the history's are those of `loss_`, the mean over the outputs."""
    states = []
    fit = FastNNRegressor((5,), max_iter=3, random_state=0, verbose=1, early_stopping=True, callback=states.append)
    fit.fit(X, NUMBERS)
    assert [state.cost for state in states] == fit.loss_curve_ == fit.history_.cost[1:].tolist()
    assert [state.validation_cost for state in states] == fit.history_.validation_cost[1:].tolist()
    assert f"Iteration 3, loss = {states[2].cost:.8f}, validation score = " in capsys.readouterr().out


def test_lines(capsys):
    fit = FastNNClassifier((3,), max_iter=2, random_state=0)
    for verbose in (False, 0):
        clone(fit).set_params(verbose=verbose).fit(X, CLASSES)
        assert capsys.readouterr() == ("", "")
    for verbose in (True, 10):
        loss = clone(fit).set_params(verbose=verbose).fit(X, CLASSES).loss_curve_
        out, err = capsys.readouterr()
        assert out == f"Iteration 1, loss = {loss[0]:.8f}\nIteration 2, loss = {loss[1]:.8f}\n"
        assert err == ""
    clone(fit).set_params(verbose="bar").fit(X, CLASSES)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err


@pytest.mark.parametrize("standardize", [False, True])
@kinds
def test_warm_start(kind, y, standardize):
    """It goes on from the same network, also where other data are standardised otherwise."""
    fit = kind((5,), random_state=0, warm_start=True, max_iter=3, standardize=standardize).fit(X, y)
    rows = np.concatenate([np.arange(30), np.arange(90)])
    want = peers_loss(fit.set_params(alpha=0.0), X[rows], y[rows], None)
    fit.fit(X[rows], y[rows])
    assert abs(fit.history_.cost[0] - want) <= 1e-12 * max(1.0, want)
    assert fit.loss_ <= want
    fit.set_params(standardize=not standardize)
    want = peers_loss(fit, X, y, None)
    fit.fit(X, y)
    assert abs(fit.history_.cost[0] - want) <= 1e-12 * max(1.0, want)
    with pytest.raises(ValueError, match=r"warm_start goes on from the layers \(4, 5, .\), but .* make \(4, 6, .\)"):
        fit.set_params(hidden_layer_sizes=6).fit(X, y)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_float32(kind):
    """Its coefficients and predictions; parameters are float64 until then."""
    y = CLASSES if kind is FastNNClassifier else NUMBERS[:, 0]
    got = kind((5,), max_iter=5, random_state=0).fit(X.astype(np.float32), y)
    want = kind((5,), max_iter=5, random_state=0).fit(X, y)
    assert {part.dtype for part in got.coefs_ + got.intercepts_} == {np.dtype(np.float32)}
    method = "predict_proba" if kind is FastNNClassifier else "predict"
    ours, theirs = getattr(got, method)(X.astype(np.float32)), getattr(want, method)(X)
    assert (ours.dtype, theirs.dtype) == (np.float32, np.float64)
    # Five steps multiply what products lose, 6e-8, by less than 1e3.
    assert np.abs(ours - theirs).max() <= 1e3 * np.finfo(np.float32).eps


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_array"])
@pytest.mark.parametrize("standardize", [False, True])
def test_sparse(kind, standardize, monkeypatch):
    """The same as dense, in blocks of a few rows too."""
    holes = np.where(X > 0.0, X, 0.0)
    sparse = getattr(scipy.sparse, kind)(holes)
    fit = FastNNClassifier((5,), max_iter=5, random_state=0, standardize=standardize)
    want, got = clone(fit).fit(holes, CLASSES), clone(fit).fit(sparse, CLASSES)
    assert all(map(np.array_equal, got.coefs_, want.coefs_))
    assert np.array_equal(got.predict_proba(sparse), want.predict_proba(holes))
    monkeypatch.setattr(base, "BLOCK", 4 * 7)
    blocks, right = [], base.Predictor.__call__
    monkeypatch.setattr(base.Predictor, "__call__", lambda self, X: blocks.append(len(X)) or right(self, X))
    assert np.array_equal(got.predict_proba(sparse), want.predict_proba(holes))
    assert blocks == [7] * 12 + [6, 90]


def test_frames():
    frame = pandas.DataFrame(X, columns=list("abcd"))
    fit = FastNNClassifier((3,), max_iter=3, random_state=0).fit(frame, pandas.Series(CLASSES))
    assert fit.feature_names_in_.tolist() == list("abcd")
    assert np.array_equal(fit.predict(frame), clone(fit).fit(X, CLASSES).predict(X))
    assert FastNNClassifier.from_sklearn(fit.to_sklearn()).feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match=r"(?s)feature names should match.*must be in the same order"):
        fit.predict(frame[list("bacd")])


def test_several_labels():
    """Also of a sparse matrix; a row is right if all its labels are."""
    fit = FastNNClassifier((10,), random_state=0, max_iter=100)
    got = clone(fit).fit(X, LABELS)
    assert got.out_activation_ == "logistic"
    assert np.array_equal(got.classes_, [0, 1, 2])
    assert np.array_equal(got.predict(X), got.predict_proba(X) > 0.5)
    assert got.score(X, LABELS) == (got.predict(X) == LABELS).all(axis=1).mean() > 0.9
    sparse = clone(fit).fit(X, scipy.sparse.csr_array(LABELS)).predict(X)
    assert np.array_equal(sparse.toarray(), got.predict(X))


def test_probabilities_stay_inside():
    """However sure an output is: no probability is 0 or 1, and none has an infinite logarithm."""
    for y in (LABELS[:, 0], CLASSES, LABELS):
        for dtype in (np.float64, np.float32):
            fit = FastNNClassifier((3,), "identity", max_iter=3, random_state=0).fit(X.astype(dtype), y)
            fit.coefs_[-1] *= 1e4
            got = fit.predict_proba(X.astype(dtype))
            assert ((got > 0.0) & (got < 1.0)).all()
            assert got.dtype == dtype
            assert np.array_equal(fit.predict_log_proba(X.astype(dtype)), np.log(got))


@pytest.mark.parametrize("solver", ["lbfgs", *SOLVERS])
def test_solvers(solver):
    fit = FastNNRegressor((2,), "tanh", solver=solver, max_iter=20, random_state=0).fit(X, NUMBERS[:, 0])
    assert fit.loss_ < 0.5 * fit.history_.cost[0]


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"hidden_layer_sizes": 0}, ValueError, "hidden_layer_sizes is 0; a positive integer is wanted"),
        ({"hidden_layer_sizes": (3, -1)}, ValueError, r"hidden_layer_sizes\[1\] is -1; a positive integer is wanted"),
        ({"hidden_layer_sizes": np.array([2.5])}, TypeError, r"hidden_layer_sizes\[0\] is 2.5; a positive integer"),
        ({"hidden_layer_sizes": "ten"}, TypeError, "hidden_layer_sizes is 'ten'; an integer or a tuple of integers"),
        (
            {"activation": "softmax"},
            ValueError,
            "activation is 'softmax'; one of 'sigmoid', 'tanh', 'relu', 'identity', 'logistic' is wanted",
        ),
        ({"solver": "adam"}, ValueError, "solver is 'adam', .* fastnn is full-batch, and 'lbfgs' or 'cg' is wanted"),
        ({"solver": "sgd"}, ValueError, "solver is 'sgd', .* fastnn is full-batch, and 'lbfgs' or 'cg' is wanted"),
        ({"solver": "newton"}, ValueError, "solver is 'newton'; one of 'cg', .*, 'lbfgs' is wanted"),
        ({"alpha": -1}, ValueError, "alpha is -1; a finite number of at least 0 is wanted"),
        ({"max_iter": 0}, ValueError, "max_iter is 0; a positive integer is wanted"),
        ({"max_fun": 1.5}, TypeError, "max_fun is 1.5; a positive integer is wanted"),
        ({"max_seconds": 0}, ValueError, "max_seconds is 0; a finite number greater than 0 is wanted"),
        ({"tol": -1e-3}, ValueError, "tol is -0.001; a finite number of at least 0 is wanted"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction is 1.0; .* greater than 0 and less than 1 is"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change is 0; a positive integer is wanted"),
        ({"warm_start": "yes"}, TypeError, "warm_start is 'yes'; True or False is wanted"),
        ({"early_stopping": 2}, TypeError, "early_stopping is 2; True or False is wanted"),
        ({"standardize": None}, TypeError, "standardize is None; True or False is wanted"),
        ({"callback": 3}, TypeError, "callback is 3; a function is wanted"),
        ({"verbose": "yes"}, ValueError, "verbose is 'yes'; True, False, a number or 'bar' is wanted"),
        ({"verbose": None}, TypeError, "verbose is None; True, False, a number or 'bar' is wanted"),
        ({"random_state": "a"}, ValueError, "'a' cannot be used to seed"),
    ],
)
def test_bad_parameters(parameters, error, message):
    """They are refused in fit, not before."""
    for kind in ESTIMATORS:
        bad = kind(**parameters)
        with pytest.raises(error, match=message):
            bad.fit(X, CLASSES)


def test_bad_weights():
    for kind in ESTIMATORS:
        with pytest.raises(ValueError, match=r"sample_weight holds -0\.5; weights of at least 0 are wanted"):
            kind().fit(X, CLASSES, np.full(90, -0.5))
        with pytest.raises(ValueError, match="sample_weight is zero for every example; a positive weight is wanted"):
            kind().fit(X, CLASSES, np.zeros(90))
    with pytest.raises(ValueError, match="class_weight, times sample_weight, has the sum 0; a positive"):
        FastNNClassifier(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(X, CLASSES)
    fit = FastNNClassifier((3,), max_iter=2).fit(X, CLASSES)
    fit.coefs_[0] = fit.coefs_[0][:3]
    with pytest.raises(ValueError, match=r"X has 4 columns; 3 are wanted, as coefs_\[0\] has rows"):
        fit.predict(X)


REFUSED = {
    "NaN": np.where(np.eye(90, 4), np.nan, X),
    "infinite": np.where(np.eye(90, 4), np.inf, X).astype(np.float32),
    "columns": X[:, :3],
    "one row": X[0],
    "no row": X[:0],
    "three axes": X[None],
    "complex": X + 0j,
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predict_refuses_what_scikit_learn_refuses(method, name):
    """In its words, whichever way X is validated."""
    ours = FastNNClassifier((3,), max_iter=2, random_state=0).fit(X, CLASSES)
    errors = []
    for fitted in (ours, ours.to_sklearn()):
        with pytest.raises(ValueError) as raised:
            getattr(fitted, method)(REFUSED[name])
        errors.append(str(raised.value).replace("MLPClassifier", "FastNNClassifier"))
    assert errors[0] == errors[1]


@kinds
def test_predict_of_a_plain_array_skips_scikit_learns_validation(kind, y, monkeypatch):
    """The shortcut gives the same bits as validated input."""
    for dtype in (np.float64, np.float32):
        fitted = kind((3,), max_iter=5, random_state=0).fit(X.astype(dtype), y)
        plain = np.array(X, dtype)
        others = [np.asfortranarray(plain), plain.view(np.ma.MaskedArray), np.repeat(plain, 2, axis=0)[::2]]
        want = [fitted.predict(other) for other in others]
        with monkeypatch.context() as patch:
            patch.setattr(base, "validate_data", None)
            got = fitted.predict(plain)
            with pytest.raises(TypeError, match="'NoneType' object is not callable"):
                fitted.predict(others[0])
        assert got.dtype == want[0].dtype
        assert all(np.array_equal(got, other) for other in want)


def test_predict_by_coefficients_alone():
    fitted = FastNNRegressor((3,), max_iter=2, random_state=0).fit(X, X[:, 0])
    made = FastNNRegressor((3,))
    made.coefs_, made.intercepts_, made.out_activation_ = fitted.coefs_, fitted.intercepts_, fitted.out_activation_
    assert np.array_equal(made.predict(X), fitted.predict(X))


def test_predict_of_an_array_warns_where_a_frame_was_fitted():
    frame = pandas.DataFrame(X, columns=list("abcd"))
    fitted = FastNNClassifier((3,), max_iter=2, random_state=0).fit(frame, CLASSES)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but FastNNClassifier was fitted with"):
        fitted.predict(X)


def test_predict_looks_at_coefficients_that_a_user_sets():
    for value in (np.nan, np.inf):
        fitted = FastNNClassifier((3,), "identity", max_iter=2, random_state=0).fit(X, CLASSES)
        fitted.coefs_[0][2, 1] = value
        with pytest.raises(ValueError, match=r"weights\[0\] holds (nan|inf) at index \(1, 3\)"):
            fitted.predict(X[:1])


# ---- Common use


@pytest.mark.slow
def test_search_in_processes():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FastNNClassifier((5,), max_iter=20, random_state=0)),
        {"fastnnclassifier__alpha": [0.01, 1.0]}, cv=2, n_jobs=2, error_score="raise",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's, of semaphores
        got = search.fit(X, CLASSES).cv_results_["mean_test_score"]
        want = search.set_params(n_jobs=1).fit(X, CLASSES).cv_results_["mean_test_score"]
    assert np.array_equal(got, want)
    assert search.best_score_ > 0.8


def test_common_use():
    fit = FastNNClassifier((5,), max_iter=30, random_state=0, class_weight="balanced")
    assert clone(fit.fit(X, CLASSES)).get_params() == fit.get_params()
    assert cross_val_score(fit, X, CLASSES, cv=3).mean() > 0.8
    assert np.array_equal(pickle.loads(pickle.dumps(fit)).predict_proba(X), fit.predict_proba(X))
    calibrated = CalibratedClassifierCV(clone(fit), cv=2).fit(X, CLASSES)
    assert calibrated.score(X, CLASSES) > 0.8
    importance = permutation_importance(fit, np.column_stack([X, 0.0 * X[:, 0]])[:, :4], CLASSES, random_state=0)
    assert importance.importances_mean.max() > 0.1
    frame = pandas.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), FastNNRegressor((5,), max_iter=30, random_state=0))
    pipeline.set_output(transform="pandas").fit(frame, NUMBERS)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")
    assert pipeline.score(frame, NUMBERS) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("standardize", [False, True])
@kinds
def test_skops_and_pickle_keep_a_fitted_estimator(kind, y, standardize, tmp_path):
    """skops needs to be told of its class alone; a pipeline goes as well."""
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    fit = kind((5,), max_iter=5, random_state=0, early_stopping=True, standardize=standardize).fit(X, y)
    pipeline = make_pipeline(StandardScaler(), clone(fit)).fit(X, y)
    own = [f"fastnn.estimator.{kind.__name__}"]
    for fitted in (fit, pipeline):
        io.dump(fitted, tmp_path / "fitted.skops")
        assert io.get_untrusted_types(file=tmp_path / "fitted.skops") == own
        for again in (io.load(tmp_path / "fitted.skops", trusted=own), pickle.loads(pickle.dumps(fitted))):
            assert np.array_equal(again.predict(X), fitted.predict(X))
            if kind is FastNNClassifier:
                assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
            network, want = (one[-1] if fitted is pipeline else one for one in (again, fitted))
            assert network.outcome_ == want.outcome_
            assert np.array_equal(network.history_, want.history_)
            assert network.history_.validation_cost.tolist() == network.history_["validation_cost"].tolist()
            assert repr(network.model_) == repr(want.model_)
            assert network.get_params() == want.get_params()


def test_values_that_overflow():
    with pytest.raises(ValueError, match=r"Solver produced non-finite .* preprocessed\. \(weights give a cost that is"):
        FastNNRegressor().fit(1e307 * X, NUMBERS[:, 0])


def test_without_scikit_learn():
    code = "import sys; sys.modules['sklearn'] = None; import fastnn.estimator"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip().endswith(
        'ImportError: fastnn.estimator needs scikit-learn 1.7 or later: python -m pip install "scikit-learn>=1.7"'
    )


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_docstrings(kind):
    """Every parameter and attribute; and nothing is left to be put in."""
    lines = inspect.getdoc(kind).split("\n")
    assert not [line for line in lines if line.startswith("{")]
    documented = {
        name for line in lines if " : " in line and line[0] != " " for name in line.split(" : ")[0].split(", ")
    }
    public = {name for name in vars(kind(max_iter=1).fit(X, CLASSES)) if not name.startswith("_")}
    assert public | {"feature_names_in_", "model_"} == documented


@pytest.mark.slow
def test_import_without_docstrings():
    code = "from fastnn.estimator import FastNNClassifier; print(FastNNClassifier().solver)"
    done = subprocess.run([sys.executable, "-P", "-OO", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("lbfgs\n", "")
