"""Pictures."""

import sys

import numpy as np
import pytest

from fastnn import plot
from fastnn.benchmark import comparison


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


def test_images_of_a_map(digits, tmp_path):
    """They are drawn as those in memory are."""
    np.save(tmp_path / "X.npy", digits[0][::500])
    for name, X in [("map", np.load(tmp_path / "X.npy", mmap_mode="r")), ("memory", digits[0][::500])]:
        plot.save_images(X, tmp_path / f"{name}.png")
    assert (tmp_path / "map.png").read_bytes() == (tmp_path / "memory.png").read_bytes()


def ladder_group(times):
    def result(seconds):
        return comparison.Result(np.full(3, seconds), 0.0, 0.0, None, 1.0)

    reference = comparison.Reference(np.ones(3), 1.0)
    return comparison.Group("work", {name: result(seconds) for name, seconds in times.items()}, reference, reference)


TIMES = {"fused": 0.001, "NumPy": 0.01, "PyTorch": 0.0125, "Python loop": 0.1}


def test_ladder(tmp_path):
    """A dot for each time, on a logarithmic axis, with the time and the ratio to NumPy beside it."""
    from matplotlib.image import imread

    figure = plot._ladder([ladder_group(TIMES)], "here")
    (axes,) = figure.axes
    line, *dots = axes.lines
    assert axes.get_xscale() == "log"
    assert axes.get_title(loc="left") == "Time of work"
    assert line.get_xdata()[0] == 0.01
    assert [dot.get_xdata()[0] for dot in dots] == [0.1, 0.0125, 0.01, 0.001]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Python loop", "PyTorch", "NumPy", "fused"]
    labels = ["100 ms, 0.100 x NumPy", "12.5 ms, 0.800 x NumPy", "10.0 ms", "1.00 ms, 10.0 x NumPy"]
    assert [text.get_text() for text in axes.texts] == labels
    styles = [(dot.get_color(), dot.get_marker()) for dot in dots]
    assert styles[0] == styles[2]  # engines of fastnn
    assert [len(set(kind)) for kind in zip(styles[0], styles[1], styles[3], strict=True)] == [3, 3]
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["fused", "other engines of fastnn", "other libraries", "NumPy, the baseline"]
    assert "here" in figure.get_supxlabel()
    plot.save_ladder([ladder_group(TIMES)], tmp_path / "ladder.png")
    assert imread(tmp_path / "ladder.png").shape[1] == 8 * 150


@pytest.mark.parametrize("spread", [1.0, 1.1, 10.0, 1e7])
def test_labels_stay_inside(spread):
    """Whatever the times, the labels end before their axes do, and there are ticks."""
    figure = plot._ladder(
        [ladder_group({"NumPy": 123e-6, "fused": 123e-6 * spread, "a peer": 122e-6 * spread})] * 2, ""
    )
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_window_extent()
        for text in axes.texts:
            assert text.get_window_extent().x1 < box.x1
        low, high = axes.get_xlim()
        assert any(low <= tick <= high for tick in axes.get_xticks())


@pytest.mark.parametrize(
    ("seconds", "want"), [(1e-6, "1 us"), (0.0002, "200 us"), (1e-3, "1 ms"), (0.02, "20 ms"), (1e3, "1,000 s")]
)
def test_ticks(seconds, want):
    assert plot._tick(seconds * (1.0 - 1e-12)) == want


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r'pictures need matplotlib; python -m pip install "fastnn\[plot\]" brings it'
    ):
        plot.save_images(np.ones((1, 4)), tmp_path / "a.png")
