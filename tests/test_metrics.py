"""Scores against what scikit-learn gives, and by hand."""

import numpy as np
import pytest

from fastnn.kernels.arguments import Targets
from fastnn.targets import Classes, MultiLabel, Values

NONE = np.empty(0)


def of_classes(A, y, weight=NONE):
    A = np.array(A)
    return Classes(np.arange(A.shape[1])).score(A, Targets(np.array(y), np.empty((0, 2))), weight)


def of_values(A, T, weight=NONE, kind=None):
    A = np.array(A)
    kind = kind or Values(A.shape[1])
    return kind.score(A, kind.to_targets(np.array(T)), weight)


def several(K):
    return MultiLabel(np.arange(K))


def test_by_hand():
    A = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]]
    assert of_classes(A, [0, 1, 0, 1]) == 0.75  # the first of equal ones is the answer
    assert of_classes(A, [0, 1, 1, -1]) == 0.5  # -1 is never right
    assert of_classes(A, [0, 1, 1, 1], np.array([1.0, 0.0, 2.0, 1.0])) == 0.25
    assert of_values(A, [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]], kind=several(2)) == 0.75
    # errors 0, 1, 0 of squares 2; errors 0, 0, 2 of squares 8
    assert of_values([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0]], [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]) == pytest.approx(0.5)


def test_r2_of_constant_numbers():
    """1 if they are met, else 0: there is no variance to be predicted. 0.1 has a mean that rounds."""
    T = np.full((7, 1), 0.1)
    assert of_values(T, T) == 1.0
    assert of_values(T + 0.5, T) == 0.0
    assert of_values(np.hstack([T, T + 0.5]), np.hstack([T, T])) == 0.5


def test_like_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for weight in (NONE, rng.random(40)):
        own = weight if len(weight) else None
        A, T = rng.standard_normal((2, 40, 3))
        want = metrics.r2_score(T, A, sample_weight=own)
        assert of_values(A, T, weight) == pytest.approx(want, rel=1e-13)
        A, y = rng.random((40, 3)), rng.integers(0, 3, 40)
        assert of_classes(A, y, weight) == pytest.approx(metrics.accuracy_score(y, A.argmax(1), sample_weight=own))
        labels = rng.integers(0, 2, (40, 3)).astype(float)
        want = metrics.accuracy_score(labels, A > 0.5, sample_weight=own)
        assert of_values(A, labels, weight, several(3)) == pytest.approx(want)
