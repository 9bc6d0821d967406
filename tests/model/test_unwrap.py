"""Estimators and pipelines in the place of models."""

import sys

import numpy as np
import pandas
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

import fastnn
from fastnn.estimator import FastNNClassifier, FastNNRegressor
from fastnn.model.unwrap import to_model

from ..test_extras import without

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EPSILON = np.finfo(np.float64).eps

rng = np.random.default_rng(0)
X = rng.standard_normal((90, 4))
NUMBERS = X @ rng.standard_normal((4, 3)) + 0.1 * rng.standard_normal((90, 3))
CLASSES = NUMBERS.argmax(axis=1)
LABELS = (NUMBERS > 0.0).astype(int)
# Columns as people have them: of one unit, of another, far from zero, and constant.
RAW = np.column_stack([X[:, 0], 1e-3 * X[:, 1], 1e4 + 10.0 * X[:, 2], np.full(90, 3.0)])

KINDS = {
    "two classes": (FastNNClassifier, np.array(["no", "yes"])[LABELS[:, 0]]),
    "three classes": (FastNNClassifier, np.array(["a", "b", "c"], dtype=object)[CLASSES]),
    "several labels": (FastNNClassifier, LABELS),
    "one class": (FastNNClassifier, np.full(90, 7)),
    "numbers": (FastNNRegressor, NUMBERS[:, 0]),
    "several numbers": (FastNNRegressor, NUMBERS),
}
kinds = pytest.mark.parametrize(("kind", "y"), KINDS.values(), ids=KINDS)


def slack(model, X):
    """Bound how far rounding moves the sums of the last layer where inputs are (x - mean) / std, computed in any way.

    Each way takes at most ten roundings, of numbers no larger than (|x| + |mean|) / std. A layer adds those of its
    sums, and its weights multiply what comes in; no activation has a slope above 1, or a value above its sum's and 1.
    """
    scaling = model.scaling or fastnn.inputs.scaling.Scaling(np.zeros(4), np.ones(4))
    moved = 10 * EPSILON * (np.abs(X) + np.abs(scaling.mean)) / scaling.deviation
    A = np.abs(X - scaling.mean) / scaling.deviation
    for W in model.weights:
        A = A @ np.abs(W[:, 1:]).T + np.abs(W[:, 0])
        moved = moved @ np.abs(W[:, 1:]).T + 2 * W.shape[1] * EPSILON * A
        A = np.maximum(A, 1.0)
    return moved


# ---- Estimators


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("activation", ["logistic", "relu"])
@kinds
def test_model_of_an_estimator_predicts_and_costs_the_same(kind, y, activation, standardize, tmp_path):
    fitted = kind((5,), activation, alpha=0.3, max_iter=10, standardize=standardize, random_state=0).fit(RAW, y)
    model = fitted.model_
    assert np.array_equal(model.predict(RAW), fitted.predict(RAW))
    assert model.score(RAW, y) == pytest.approx(fitted.score(RAW, y), abs=1e-12)
    if kind is FastNNClassifier:
        want = fitted.predict_proba(RAW)[:, : len(fitted.classes_)]  # scikit-learn has two columns for one class
        assert (np.abs(model.predict_proba(RAW) - want).max(axis=1) <= 2 * slack(model, RAW).sum(axis=1)).all()
    inputs = model.scaling.apply(RAW) if standardize else RAW
    if kind is FastNNRegressor:
        targets = y.reshape(90, -1)
    else:
        targets = y if y.ndim == 2 else np.searchsorted(model.classes, y.astype(model.classes.dtype))
    family = {"activation": model.activation, "output": model.output}
    cost, _ = fastnn.cost_and_gradient(model.weights, inputs, targets, model.lmbda, **family)
    assert cost == pytest.approx(model.outcome.cost, rel=1e-12)
    assert model.history.cost.min() == pytest.approx(cost, rel=1e-12)
    model.save(tmp_path / "model.npz")
    assert np.array_equal(fastnn.load(tmp_path / "model.npz").predict(RAW), model.predict(RAW))


def test_model_follows_coefficients_that_a_user_sets():
    fitted = FastNNRegressor((3,), max_iter=3, random_state=0).fit(X, NUMBERS)
    before = fitted.model_
    fitted.coefs_[0][:] = 0.0
    assert not fitted.model_.weights[0][:, 1:].any()
    assert before.weights[0][:, 1:].all()


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@kinds
def test_model_of_scikit_learns_network(kind, y, solver, tmp_path):
    """Only the losses of its training are known; pictures and files can be made of it."""
    own = {FastNNClassifier: MLPClassifier, FastNNRegressor: MLPRegressor}[kind]
    peer = own(hidden_layer_sizes=(4,), activation="tanh", solver=solver, max_iter=5, random_state=0).fit(X, y)
    model = kind.from_sklearn(peer).model_
    if kind is FastNNRegressor:
        np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=1e-12)
    else:
        assert np.array_equal(model.predict(X), peer.predict(X))
    assert len(model.history) == 1 + peer.n_iter_
    assert repr(model).endswith("trained by scikit-learn>")
    fastnn.plot.save(fastnn.plot.history(model), tmp_path / "history.png")
    model.save(tmp_path / "model.npz")
    assert fastnn.load(tmp_path / "model.npz").outcome.status == "trained by scikit-learn"


def test_model_of_several_numbers_has_the_costs_that_were_minimised():
    """A regressor's loss is the mean over its outputs, a model's cost their sum."""
    y = np.column_stack([NUMBERS.ravel()[: len(X)], X[:, 0], X[:, 1]])
    fitted = FastNNRegressor((3,), alpha=5.0, early_stopping=True, max_iter=5, random_state=0).fit(X, y)
    for name in ("cost", "validation_cost", "regularisation"):
        np.testing.assert_allclose(fitted.model_.history[name], 3 * fitted.history_[name], rtol=1e-15)


@pytest.mark.slow
def test_functions_take_an_estimator_as_they_take_a_model(digits, tmp_path):
    X, y = digits[0][::10], digits[1][::10]
    fitted = FastNNClassifier((5,), max_iter=5, random_state=0).fit(X, y)
    pipeline = make_pipeline("passthrough", MaxAbsScaler(), FastNNClassifier((5,), max_iter=5, random_state=0)).fit(
        X, y
    )
    for given in (fitted, pipeline):
        model = to_model(given)
        for draw in (fastnn.plot.errors, fastnn.plot.confusion):
            assert title(draw(given, X, y)) == title(draw(model, X, y))
            assert f"{(given.predict(X) != y).sum()} of 500 wrong" in title(fastnn.plot.errors(given, X, y))
        assert title(fastnn.plot.units(given)) == title(fastnn.plot.units(model))
        assert title(fastnn.plot.history(given)) == title(fastnn.plot.history(model))
        figure = fastnn.plot.history({"ours": given, "theirs": model})
        assert [text.get_text() for text in figure.axes[0].get_legend().texts] == ["ours", "theirs"]
        for suffix in (".npz", ".mat", ".h"):
            written = []
            for value, folder in ((given, "a"), (model, "b")):
                (tmp_path / folder).mkdir(exist_ok=True)
                fastnn.export(value, tmp_path / folder / f"model{suffix}")
                written.append((tmp_path / folder / f"model{suffix}").read_bytes())
            assert suffix == ".mat" or written[0] == written[1]  # a .mat holds the time of writing
        assert np.array_equal(fastnn.load(tmp_path / "a" / "model.npz").predict(X), given.predict(X))


def title(figure):
    return figure.axes[0].get_title(loc="left")


CALLS = {
    "errors": lambda value: fastnn.plot.errors(value, X, CLASSES),
    "confusion": lambda value: fastnn.plot.confusion(value, X, CLASSES),
    "units": lambda value: fastnn.plot.units(value),
    "history": lambda value: fastnn.plot.history(value),
    "histories": lambda value: fastnn.plot.history({"a": value}),
    "export": lambda value: fastnn.export(value, "model.h"),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@calls
def test_what_is_not_fitted_is_refused(call):
    for value in (FastNNClassifier(), FastNNRegressor(), make_pipeline(StandardScaler(), FastNNClassifier())):
        with pytest.raises(NotFittedError, match=r"This FastNN(Classifier|Regressor) instance is not fitted yet"):
            call(value)


@calls
def test_what_is_no_network_of_ours_is_refused(call):
    for value in (None, 3, "model.npz", FastNNClassifier, LinearRegression().fit(X, CLASSES)):
        with pytest.raises(TypeError, match=r"^model must be a fastnn\.Model, a fitted FastNNClassifier or .*, got "):
            call(value)
    for peer in (MLPClassifier, MLPRegressor):
        fitted = peer(hidden_layer_sizes=(2,), max_iter=2).fit(X, CLASSES)
        name = peer.__name__
        remedy = rf"Convert it: FastNN{name[3:]}\.from_sklearn\(mlp\)$"
        with pytest.raises(TypeError, match=rf"^model must be .*, got a {name}\. {remedy}|got {name}\(.*\. {remedy}"):
            call(fitted)


# ---- Pipelines

SCALERS = {
    "standard": [StandardScaler()],
    "no mean": [StandardScaler(with_mean=False)],
    "no std": [StandardScaler(with_std=False)],
    "neither": [StandardScaler(with_mean=False, with_std=False)],
    "range": [MinMaxScaler()],
    "another range": [MinMaxScaler((-3.0, 5.0))],
    "largest": [MaxAbsScaler()],
    "none": ["passthrough"],
    "all": ["passthrough", MaxAbsScaler(), StandardScaler(), None, MinMaxScaler((-1.0, 1.0))],
    "nested": [MinMaxScaler()],
}


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("scalers", SCALERS)
@kinds
def test_pipeline_is_one_model_of_raw_inputs(kind, y, scalers, standardize):
    last = kind((5,), "tanh", max_iter=20, standardize=standardize, random_state=0)
    steps = [*SCALERS[scalers], make_pipeline(StandardScaler(), last) if scalers == "nested" else last]
    pipeline = make_pipeline(*steps).fit(RAW, y)
    model = to_model(pipeline)
    assert (model.scaling is None) == (scalers == "none" and not standardize)
    new = RAW[::-1] + rng.standard_normal(RAW.shape) * RAW.std(axis=0)
    moved = slack(model, new)
    if kind is FastNNRegressor:
        want = pipeline.predict(new)
        assert (np.abs(model.predict(new) - want).reshape(90, -1) <= moved).all()
    else:
        want = pipeline.predict_proba(new)[:, : len(model.classes)]
        # Both outputs of a softmax move with each sum, and its exponentials and quotient are rounded themselves.
        assert (np.abs(model.predict_proba(new) - want).max(axis=1) <= 2 * moved.sum(axis=1) + 10 * EPSILON).all()
        assert moved.max() < 1e-6
        assert np.array_equal(model.predict(new), pipeline.predict(new))
    assert np.array_equal(
        model.weights[0], pipeline[-1][-1].model_.weights[0] if scalers == "nested" else last.model_.weights[0]
    )


def test_pipeline_of_a_frame_keeps_its_names():
    frame = pandas.DataFrame(RAW, columns=["a", "b", "c", "d"])
    for scalers in ([StandardScaler()], ["passthrough", MinMaxScaler()], ["passthrough"]):
        pipeline = make_pipeline(*scalers, FastNNClassifier((3,), max_iter=3, random_state=0)).fit(frame, CLASSES)
        model = to_model(pipeline)
        assert model.feature_names == ("a", "b", "c", "d")
        assert np.array_equal(model.predict(frame), pipeline.predict(frame))
        with pytest.raises(ValueError, match="X has column 'd' where the model was trained on 'a'"):
            model.predict(frame[["d", "c", "b", "a"]])


def test_pipeline_of_float32_predicts_the_same():
    """Where nothing is far from zero: there float32 loses what float64 keeps."""
    raw = (3.0 + X).astype(np.float32)
    for scaler in (StandardScaler(), MinMaxScaler(), MaxAbsScaler()):
        pipeline = make_pipeline(scaler, FastNNClassifier((5,), "tanh", max_iter=10, random_state=0)).fit(raw, CLASSES)
        model = to_model(pipeline)
        moved = slack(model, raw).sum(axis=1) * np.finfo(np.float32).eps / EPSILON
        got = np.abs(model.predict_proba(raw) - pipeline.predict_proba(raw)).max(axis=1)
        assert (got <= 2 * moved + 1e-6).all()


def test_folding_leaves_the_pipeline_as_it_was():
    pipeline = make_pipeline(StandardScaler(), FastNNClassifier((3,), max_iter=3, random_state=0)).fit(X, CLASSES)
    want, before = pipeline.predict_proba(X), set(vars(pipeline[-1]))
    model = to_model(pipeline)
    model.scaling.mean[:] = 7.0
    assert np.array_equal(pipeline.predict_proba(X), want)
    assert set(vars(pipeline[-1])) == before


@calls
def test_pipeline_with_another_step_is_refused_by_its_name(call):
    network = FastNNClassifier((3,), max_iter=3, random_state=0)
    cases = [
        (
            make_pipeline(StandardScaler(), PCA(3), network),
            TypeError,
            r"step 'pca' of model must be a StandardScaler, ",
        ),
        (
            make_pipeline(MinMaxScaler(clip=True), network),
            ValueError,
            "step 'minmaxscaler' of model must have clip=False",
        ),
        (
            make_pipeline(StandardScaler(), MLPClassifier((2,), max_iter=2)),
            TypeError,
            "step 'mlpclassifier' of model must",
        ),
        (
            make_pipeline(StandardScaler(), LinearRegression()),
            TypeError,
            "step 'linearregression' of model must be a fast",
        ),
    ]
    for pipeline, error, message in cases:
        with pytest.raises(error, match=f"^{message}"):
            call(pipeline.fit(X, CLASSES))


def test_pipeline_that_does_not_fit_together_is_refused():
    network = FastNNClassifier((3,), max_iter=3, random_state=0).fit(X, CLASSES)
    with pytest.raises(NotFittedError, match="This StandardScaler instance is not fitted yet"):
        to_model(make_pipeline(StandardScaler(), network))
    with pytest.raises(ValueError, match=r"step 'standardscaler' of model must be fitted on 4 columns, .*, got 3"):
        to_model(make_pipeline(StandardScaler().fit(X[:, :3]), network))
    tiny = StandardScaler().fit(X)
    tiny.scale_ = np.full(4, 1e-200)
    with pytest.raises(ValueError, match=r"^model: deviation holds 0; numbers greater than 0 are wanted"):
        to_model(make_pipeline(tiny, tiny, network))


@pytest.mark.slow
def test_scikit_learn_is_not_imported_for_a_model(tmp_path):
    code = (
        "import fastnn, numpy as np, sys\n"
        "model = fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=2)\n"
        "fastnn.export(model, 'model.h')\n"
        "assert 'sklearn' not in sys.modules\n"
        "fastnn.export(3, 'model.h')\n"
    )
    done = without({"sklearn"}, code, tmp_path)
    assert "TypeError: model must be a fastnn.Model" in done.stderr
    assert (tmp_path / "model.h").exists()
    assert sys.modules["sklearn"]
