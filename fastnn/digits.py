"""The course's handwritten digits."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from .validation import Array


def load_digits() -> tuple[Array, Array]:
    """The course's 5,000 handwritten digits, rebuilt from MNIST.

    Returns
    -------
    X : float64 array (5000, 400), C order
        20 x 20 grey values of each image, column by column; 0 is background, 1 ink, and the
        resampling overshoots a little on both sides (-0.13 .. 1.13).
    y : int64 array (5000,)
        The digits 0..9, 500 each, sorted. (The course writes 10 for a zero and puts it last;
        its class index is (y - 1) % 10.)

    Notes
    -----
    The images are those of the course's `ex4data1.mat` at MNIST's own 28 x 28 pixels
    (LeCun, Cortes and Burges); each axis is resized by bicubic interpolation with antialiasing
    (Keys, 1981, a = -1/2), which gives the course's numbers to 4e-14. About 0.1 s.
    """
    with np.load(_digits_path(), allow_pickle=False) as archive:
        images, digits = archive["images"], archive["labels"]
    R = _resize_matrix(images.shape[1], 20)
    resized = R @ (images / 255.0) @ R.T
    return resized.transpose(0, 2, 1).reshape(len(images), -1), digits.astype(np.int64)


def _digits_path() -> Path:
    """Inside an installed package; in a checkout, beside it."""
    installed = Path(str(files("fastnn"))) / "digits.npz"
    return installed if installed.exists() else installed.parent.parent / "data" / "digits.npz"


def _resize_matrix(old: int, new: int) -> Array:
    """The (new, old) matrix that resizes one axis; each row sums to 1.

    Output pixel i is centred at (i + 1/2) old/new - 1/2; the kernel is stretched by old/new
    (antialiasing), and what it would take from outside the image it takes from the edge.
    """
    scale = old / new
    R = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * scale - 0.5
        taps = np.arange(np.floor(centre - 2 * scale), np.ceil(centre + 2 * scale) + 1)
        values = _keys_cubic((taps - centre) / scale)
        np.add.at(R[i], np.clip(taps, 0, old - 1).astype(int), values / values.sum())
    return R


def _keys_cubic(t: Array) -> Array:
    """The cubic convolution kernel with a = -1/2 (Keys, 1981, eq. 15)."""
    t = np.abs(t)
    inner = (1.5 * t - 2.5) * t * t + 1.0
    outer = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return np.where(t < 1.0, inner, np.where(t < 2.0, outer, 0.0))
