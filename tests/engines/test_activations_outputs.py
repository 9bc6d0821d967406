"""The networks beside the course's: other activations, a softmax, weighted examples, float32."""

import mpmath
import numpy as np
import pytest

import fastnn
from fastnn import network, spec
from fastnn.engines import fused
from fastnn.engines import numpy as reference
from fastnn.objective import Objective

from ..conftest import ENGINES, Case, random_case
from .test_engines import COMPILED, OTHERS, assert_same, evaluate

FAMILY = [(activation, output) for activation in spec.HIDDEN for output in spec.OUTPUTS]
SHAPES = [((6, 2), 1), ((5, 9, 3), 70), ((30, 17, 7, 5), 300)]
every_member = pytest.mark.parametrize(("activation", "output"), FAMILY)
every_engine = pytest.mark.parametrize("engine", ENGINES)


@every_member
@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("sizes", "m"), SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_twins(engine, sizes, m, activation, output, weighted):
    case = random_case(sizes, m)
    weight = np.random.default_rng(m).uniform(0.1, 3.0, m) if weighted else None
    member = {"activation": activation, "output": output, "sample_weight": weight}
    got = evaluate(OTHERS[engine], case, 0.7, **member)
    assert_same(got, evaluate(reference, case, 0.7, **member))


@every_member
@pytest.mark.parametrize("engine", OTHERS)
def test_forward(engine, activation, output):
    case = random_case((30, 17, 7, 5), 300, scale=3.0)
    options = {"activation": activation, "output": output}
    got = fastnn.forward(case.weights, case.X, engine=engine, **options)
    want = fastnn.forward(case.weights, case.X, engine="numpy", **options)
    assert np.abs(got - want).max() <= 1e-14 * max(1.0, np.abs(want).max())
    if output == "softmax":
        assert np.abs(got.sum(axis=1) - 1.0).max() <= 1e-15 * 5


@every_member
def test_gradient_is_the_costs(activation, output):
    case = random_case((6, 5, 4, 3), 40)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, 40)
    report = fastnn.check_gradient(
        case.weights, case.X, case.y, 0.3, activation=activation, output=output, sample_weight=weight
    )
    assert report.passed, report


@pytest.mark.slow
@every_member
@every_engine
def test_a_wrong_activation_is_noticed(engine, activation, output):
    """The check of one member's gradient with another member's differences fails."""
    case = random_case((6, 5, 3), 40)
    data = case.weights, case.X, case.y
    for other in FAMILY:
        if other != (activation, output):
            _, gradient = fastnn.cost_and_gradient(*data, engine=engine, activation=other[0], output=other[1])
            assert not fastnn.check_gradient(*data, gradient=gradient, activation=activation, output=output).passed


@every_engine
def test_softmax_by_hand(engine):
    """Pre-activations (log 2, log 3, 0): probabilities 1/3, 1/2, 1/6; the loss of class 0 is log 3."""
    weights = (np.array([[np.log(2.0), 0.0], [np.log(3.0), 0.0], [0.0, 0.0]]),)
    X = [[5.0]]
    A = fastnn.forward(weights, X, engine=engine, output="softmax")
    np.testing.assert_allclose(A, [[1 / 3, 1 / 2, 1 / 6]], rtol=1e-15)
    cost, (gradient,) = fastnn.cost_and_gradient(weights, X, [0], engine=engine, output="softmax")
    assert cost == pytest.approx(np.log(3.0), rel=1e-15)
    np.testing.assert_allclose(gradient[:, 0], [-2 / 3, 1 / 2, 1 / 6], rtol=1e-15)
    np.testing.assert_allclose(gradient[:, 1], 5.0 * gradient[:, 0], rtol=1e-15)


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("z", [1.0, 40.0, 700.0, 1e5])
def test_sure_softmax(engine, z):
    """The compiled engines keep every digit of a loss and of a delta that are nearly 0, or huge."""
    weights = (np.array([[z, 0.0], [0.0, 0.0], [-z, 0.0]]),)
    with mpmath.workdps(60):
        e = [mpmath.exp(value) for value in (z, 0, -z)]
        losses = [float(mpmath.log(sum(e) / value)) for value in e]
        sure = float(-(e[1] + e[2]) / sum(e))
    for target, want in enumerate(losses):
        cost, (gradient,) = fastnn.cost_and_gradient(weights, [[0.0]], [target], engine=engine, output="softmax")
        assert cost == pytest.approx(want, rel=1e-15)
        if target == 0:
            assert gradient[0, 0] == pytest.approx(sure, rel=1e-15)


@every_engine
def test_relu_by_hand(engine):
    """Hidden z = (2, -1), so a = (2, 0); one output z = 2 - 2 = 0: loss log 2, delta -1/2, hidden (-1/2, 0)."""
    weights = (np.array([[0.0, 1.0], [1.0, -1.0]]), np.array([[-2.0, 1.0, 4.0]]))
    cost, gradient = fastnn.cost_and_gradient(weights, [[2.0]], [0], engine=engine, activation="relu")
    assert cost == pytest.approx(np.log(2.0), rel=1e-15)
    np.testing.assert_allclose(gradient[0], [[-0.5, -1.0], [0.0, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(gradient[1], [[-0.5, -1.0, 0.0]], rtol=1e-15)


@every_engine
def test_identity_layers_are_the_product_of_their_matrices(engine):
    """Outputs P x, where P multiplies the matrices, to which a row for the constant 1 is added.

    By the chain rule the gradient of a layer is that of P between the matrices above and below it,
    both transposed. Each engine rounds sums of at most 8 terms in 4 layers: some 1e-15 of the result.
    """
    case = random_case((7, 5, 8, 6, 3), 90)
    T = np.random.default_rng(3).standard_normal((90, 3))
    X = np.column_stack([np.ones(90), case.X])
    matrices = [np.vstack([np.eye(1, W.shape[1]), W]) for W in case.weights]
    P = np.linalg.multi_dot(matrices[::-1])[1:]
    identity = {"engine": engine, "activation": "identity", "output": "identity"}
    got = fastnn.forward(case.weights, case.X, **identity)
    assert np.linalg.norm(got - X @ P.T) <= 1e-14 * np.linalg.norm(got)
    cost, gradient = fastnn.cost_and_gradient(case.weights, case.X, T, **identity)
    assert cost == pytest.approx(((X @ P.T - T) ** 2).sum() / 2 / 90, rel=1e-14)
    dP = np.vstack([np.zeros((1, 8)), (X @ P.T - T).T @ X / 90])
    for l, dW in enumerate(gradient):
        below, above = np.eye(8), np.eye(len(dP))
        for M in matrices[:l]:
            below = M @ below
        for M in matrices[:l:-1]:
            above = above @ M
        want = (above.T @ dP @ below.T)[1:]
        assert np.linalg.norm(dW - want) <= 1e-14 * np.linalg.norm(want)


@pytest.mark.parametrize("engine", COMPILED)
@every_member
def test_nan_passes_every_activation(engine, activation, output):
    case = random_case((6, 5, 3), 150)
    theta = case.theta
    theta[8] = np.nan
    cost, dtheta = Objective.of(case.problem(0.0, activation=activation, output=output), engine).evaluate(theta)
    assert np.isnan(cost)
    assert np.isnan(dtheta).any()


@every_engine
@pytest.mark.parametrize("output", spec.OUTPUTS)
def test_a_weight_is_a_number_of_copies(engine, output):
    case = random_case((6, 5, 3), 200)
    copies = np.random.default_rng(2).integers(0, 4, 200)
    X, y = np.repeat(case.X, copies, axis=0), np.repeat(case.y, copies)
    options = {"engine": engine, "output": output}
    got = fastnn.cost_and_gradient(case.weights, case.X, case.y, 0.3, sample_weight=copies, **options)
    want = fastnn.cost_and_gradient(case.weights, X, y, 0.3, **options)
    assert_same((got[0], network.pack(got[1])), (want[0], network.pack(want[1])))


def in_float32(case):
    return Case(case.sizes, case.weights, case.X.astype(np.float32), case.y)


@pytest.mark.slow
@every_member
@every_engine
@pytest.mark.parametrize(("sizes", "m"), [((400, 25, 10), 500), ((30, 17, 7, 5), 3000)], ids=str)
def test_float32_data(engine, sizes, m, activation, output):
    """Against float64 on the same numbers: a sum of n + (block) rounded products errs by sqrt of their number."""
    narrow = in_float32(random_case(sizes, m))
    wide = Case(narrow.sizes, narrow.weights, narrow.X.astype(np.float64), narrow.y)
    member = {"activation": activation, "output": output}
    cost, gradient = evaluate(OTHERS.get(engine, reference), narrow, 0.7, **member)
    want_cost, want = evaluate(reference, wide, 0.7, **member)
    terms = sizes[0] + (m if engine == "numpy" else 256)
    bound = np.sqrt(terms) * np.finfo(np.float32).eps
    assert abs(cost - want_cost) <= bound * want_cost
    assert np.linalg.norm(gradient - want) <= bound * np.linalg.norm(want)
    assert gradient.dtype == np.float64


@pytest.mark.slow
def test_fused_products_of_float32_are_in_float32():
    """It would be twice as slow otherwise; the error shows it."""
    narrow = in_float32(random_case((400, 25, 10), 500))
    wide = Case(narrow.sizes, narrow.weights, narrow.X.astype(np.float64), narrow.y)
    (cost, _), (want, _) = evaluate(fused, narrow, 0.0), evaluate(fused, wide, 0.0)
    assert 0.0 < abs(cost - want) <= 1e-6 * want


@pytest.mark.slow
def test_float32_trains_as_well(digits):
    X, y = digits
    model = fastnn.train(X.astype(np.float32), y, maxiter=20)
    want = fastnn.train(X, y, maxiter=20)
    assert model.weights[0].dtype == np.float64
    assert model.score(X, y) == pytest.approx(want.score(X, y), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("activation", spec.HIDDEN)
def test_training_and_files(activation, output, digits, tmp_path):
    X, y = digits
    X, y = X[::10], y[::10]
    model = fastnn.train(X, y, 10, 0.1, maxiter=40, activation=activation, output=output)
    assert model.score(X, y) >= 0.9
    for name in ("model.npz", "model.mat"):
        model.save(tmp_path / name)
        again = fastnn.load(tmp_path / name)
        assert (again.activation, again.output) == (activation, output)
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_weighted_training_follows_the_weights(digits):
    """With all weight on the zeros and ones, the others are not learnt."""
    X, y = digits
    X, y = X[::10], y[::10]
    weight = np.where(y < 2, 1.0, 0.0)
    model = fastnn.train(X, y, 10, 0.1, maxiter=30, sample_weight=weight)
    assert set(model.predict(X)) <= {0, 1}
    assert model.score(X[y < 2], y[y < 2]) >= 0.99
