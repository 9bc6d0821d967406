"""The course's digits."""

import hashlib

import numpy as np
import pytest

from fastnn.digits import _resize_matrix

from .conftest import ROOT


def test_digits(digits):
    X, y = digits
    assert X.shape == (5000, 400)
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert y.dtype == np.int64
    assert np.array_equal(y, np.repeat(np.arange(10), 500))


def test_digits_have_the_courses_fingerprint(digits):
    X, _ = digits
    assert X.min() == pytest.approx(-0.13196323019852385, abs=1e-14)
    assert X.max() == pytest.approx(1.127688299158888, abs=1e-14)
    assert np.flatnonzero(X[0])[0] == 67
    want = [8.56059680e-06, 1.94035948e-06, -7.37438725e-04, -8.13403799e-03]
    np.testing.assert_allclose(X[0, 67:71], want, rtol=1e-8)


def test_images_are_the_documented_ones():
    content = (ROOT / "data" / "digits.npz").read_bytes()
    assert f"`{hashlib.sha256(content).hexdigest()}`" in (ROOT / "data" / "README.md").read_text()


def test_resize_matrix():
    R = _resize_matrix(28, 20)
    np.testing.assert_allclose(R.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(R, R[::-1, ::-1], rtol=0, atol=1e-14)
    assert np.array_equal(_resize_matrix(7, 7), np.eye(7))
