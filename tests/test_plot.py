"""Pictures."""

import sys

import numpy as np
import pytest

from fastnn import plot


def test_mosaic():
    images = np.array([[[1.0, -2.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 0.0]]])
    want = np.zeros((7, 7))
    want[1:3, 1:3] = [[0.5, -1.0], [0.0, 0.5]]
    want[4, 1] = 1.0
    assert np.array_equal(plot._mosaic(images), want)


@pytest.mark.parametrize("order", ["F", "C"])
def test_orientation(tmp_path, order):
    """A bar down the left edge is drawn down the left edge, whichever way the pixels are stored."""
    from matplotlib.image import imread

    bar = np.zeros((20, 20))
    bar[:, :4] = 1.0
    plot.save_images(bar.ravel(order=order)[None], tmp_path / "bar.png", order=order)
    picture = imread(tmp_path / "bar.png")[..., 0]
    height, width = picture.shape
    assert picture[height // 2, width // 10] == 1.0
    assert picture[height // 10, width // 2] < 0.6


def test_hundred_digits(digits, tmp_path):
    from matplotlib.image import imread

    plot.save_images(digits[0][::50], tmp_path / "digits.png")
    picture = imread(tmp_path / "digits.png")
    assert min(picture.shape[:2]) >= 630
    assert picture.std() > 0.05


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r'pictures need matplotlib; python -m pip install "fastnn\[plot\]" brings it'
    ):
        plot.save_images(np.ones((1, 4)), tmp_path / "a.png")
