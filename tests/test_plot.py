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


def test_ladder(tmp_path):
    """Bars as long as times are: each decade of them is as far from the next."""
    from matplotlib.image import imread

    from fastnn.benchmark import comparison

    def result(seconds):
        return comparison.Result(np.full(3, seconds), 0.0, 0.0, None, 1.0)

    names = {"fused": 0.001, "NumPy": 0.01, "Python loop": 0.1}
    group = comparison.Group("work", {name: result(seconds) for name, seconds in names.items()}, np.ones(3))
    plot.save_ladder([group], tmp_path / "ladder.png", note="here")
    picture = imread(tmp_path / "ladder.png")[..., :3]
    lengths = []
    for colour in (plot._FUSED, plot._RUNG):
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        rows = (np.abs(picture - rgb).max(axis=2) < 0.02).sum(axis=1)
        lengths += sorted(set(rows[rows > 40]))
    assert len(lengths) >= 3
    assert lengths[1] - lengths[0] == pytest.approx(lengths[-1] - lengths[1], abs=4)


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r'pictures need matplotlib; python -m pip install "fastnn\[plot\]" brings it'
    ):
        plot.save_images(np.ones((1, 4)), tmp_path / "a.png")
