"""Network and data: every value is looked at once, on the way in."""

from collections import Counter

import numpy as np
import pytest

import fastnn
from fastnn.inputs import validation
from fastnn.kernels.arguments import Targets
from fastnn.problem import ARGUMENTS, Data, Network, Problem, documented, validated

from .conftest import random_case

CASE = random_case((6, 4, 3), 30)
WEIGHT = np.arange(30.0)
DATA = CASE.weights, CASE.X, CASE.y


@pytest.mark.parametrize(
    ("call", "values"),
    [
        (lambda: fastnn.train(CASE.X, CASE.y, 4, maxiter=3, sample_weight=WEIGHT), {"X", "sample_weight"}),
        (lambda: fastnn.train(CASE.X, CASE.y, weights=CASE.weights, maxiter=3), {"X", "weights[0]", "weights[1]"}),
        (lambda: fastnn.forward(CASE.weights, CASE.X), {"X", "weights[0]", "weights[1]"}),
        (
            lambda: fastnn.cost_and_gradient(*DATA, sample_weight=WEIGHT),
            {"X", "weights[0]", "weights[1]", "sample_weight"},
        ),
        (lambda: fastnn.cost_and_gradient_sums(*DATA), {"X", "weights[0]", "weights[1]"}),
        (lambda: fastnn.check_gradient(*DATA), {"X", "weights[0]", "weights[1]"}),
        (lambda: fastnn.check_gradient(*DATA, directions=2), {"X", "weights[0]", "weights[1]"}),
        (lambda: fastnn.numerical_gradient(*DATA), {"X", "weights[0]", "weights[1]"}),
        (lambda: fastnn.Objective(CASE.X, np.eye(3)[CASE.y], CASE.sizes), {"X", "y"}),
    ],
)
def test_every_value_is_looked_at_once(call, values, monkeypatch):
    """All that looks for NaN goes through one function: it meets each argument once."""
    seen = Counter()
    look = validation.numbers

    def counted(value, name, *arguments, **keywords):
        seen[name] += 1
        return look(value, name, *arguments, **keywords)

    monkeypatch.setattr(validation, "numbers", counted)
    call()
    assert seen == dict.fromkeys(values, 1)


def test_predicting_looks_once(monkeypatch):
    model = fastnn.train(CASE.X, CASE.y, 4, maxiter=2)
    names = []
    look = validation.numbers
    monkeypatch.setattr(
        validation,
        "numbers",
        lambda value, name, *rest, **more: names.append(name) or look(value, name, *rest, **more),
    )
    model.predict(CASE.X)
    assert names.count("X") == 1


def test_derived_by_hand():
    """A network 2-1, two examples of weights 1 and 3, lmbda 5: theta is (bias, w, w)."""
    network = Network((2, 1), 5.0, output="softmax")
    data = Data(np.eye(2), Targets(np.array([0, 0]), np.empty((0, 1))), np.array([1.0, 3.0]))
    assert network.P == 3
    assert network.layers.tolist() == [[2, 1, 3]]
    assert network.decay.tolist() == [0.0, 5.0, 5.0]
    assert network.without_regularisation().decay.tolist() == [0.0, 0.0, 0.0]
    assert data.total == 4.0
    assert str(Problem(network, data)) == "2 x 2-1, float64"


@pytest.mark.parametrize("y", [CASE.y, np.eye(3)[CASE.y]], ids=["classes", "numbers"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_subset(y, weight):
    some = np.array([5, 5, 17])
    problem = CASE._replace(y=y).problem(0.5, sample_weight=weight)
    part = problem.subset(some)
    assert np.array_equal(part.data.X, CASE.X[some])
    rows = part.data.targets.classes if y.ndim == 1 else part.data.targets.values
    assert np.array_equal(rows, y[some])
    assert part.data.total == (3.0 if weight is None else 27.0)
    assert part.network is problem.network


def test_documented():
    def function():
        """Does it.

        {X, raises}
        Notes {here} stay.
        """

    got = documented(function).__doc__
    assert (
        got
        == "Does it.\n\n" + ARGUMENTS["X"].strip("\n") + "\n" + ARGUMENTS["raises"].strip("\n") + "\nNotes {here} stay."
    )
    with pytest.raises(KeyError, match="nothing"):

        @documented
        def other():
            """{nothing}"""


def test_kernels_see_one_kind_of_array():
    """Numba takes read-only arrays for another type, and would compile everything twice."""
    X, y, weight = np.eye(3), np.array([0, 1, 2]), np.ones(3)
    for writeable in (True, False):
        X.flags.writeable = y.flags.writeable = weight.flags.writeable = writeable
        _, data = validated(X, y, (3, 2, 3), sample_weight=weight)
        arrays = [data.X, *data.targets, data.weight]
        assert not any(array.flags.writeable for array in arrays)
        assert X.flags.writeable == y.flags.writeable == weight.flags.writeable == writeable
    assert np.shares_memory(data.X, X)
