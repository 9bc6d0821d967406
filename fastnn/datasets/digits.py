"""The course's handwritten digits."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..inputs import validation as valid
from ..spec import Array

# Digits are generated from images on a grid three times as fine as their pixels, blurred no more than those of
# `load_digits`. Bilinear interpolation between 20 x 20 pixels would blur them again: neighbours then differ by 19.9
# grey values on average, here by 22.2, in `load_digits` by 22.6. As 3 is odd, every third point is the centre of a
# pixel.
_FINE = 3
_MARGIN = 2  # points of background on each side: a pixel that comes from outside lies between two of them
_SIDE = 20 * _FINE + 2 * _MARGIN

# The largest turn, as the tangent of half of 12 degrees; the largest stretch; the largest shift in pixels.
_HALF_TURN, _STRETCH, _SHIFT = 0.10510423526567647, 0.1, 1.5

# Digits that are made together. From 128 to 625 all are alike within the noise (EPYC, 1 MB of L2 a core); 1,000 took
# 1.2 to 1.4 times as long, 2,500 nearly three times. And 500 divides 5,000.
_BLOCK = 500

_GOLDEN = 0x9E3779B97F4A7C15  # splitmix64's step, 2**64 divided by the golden ratio, odd


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

    See Also
    --------
    generate_digits : more of them.

    Notes
    -----
    The images are those of the course's `ex4data1.mat` at MNIST's own 28 x 28 pixels
    (LeCun, Cortes and Burges); each axis is resized by bicubic interpolation with antialiasing
    (Keys, 1981, a = -1/2), which gives the course's numbers to 4e-14. About 0.1 s.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> X.shape, np.bincount(y).tolist()
    ((5000, 400), [500, 500, 500, 500, 500, 500, 500, 500, 500, 500])
    >>> image = X[1007].reshape(20, 20).T  # column by column, hence the transpose
    >>> for row in image[4:16:2]:
    ...     print("".join(" #"[int(ink > 0.5)] for ink in row).rstrip())
           ########
        ### #   ###
             #####
           ####
        ####      ####
        ###########
    """
    images, digits = _archive()
    R = resize_matrix(images.shape[1], 20)
    resized = R @ (images / 255.0) @ R.T
    return resized.transpose(0, 2, 1).reshape(len(images), -1), digits


def generate_digits(start: int, stop: int, *, seed: int = 0) -> tuple[Array, Array]:
    """As many handwritten digits as you like, turned, stretched and shifted at random.

    Each is made from one of `load_digits`.

    Parameters
    ----------
    start, stop : int
        Digits start .. stop - 1 are made, 0 <= start < stop <= 2**62. Digit i depends on i and the seed alone: any
        block can be made by itself, in any process, and has the same bytes.
    seed : int
        At least 0; another seed gives other digits.

    Returns
    -------
    X : uint8 array (stop - start, 400), C order
        20 x 20 grey values of each image, column by column; 0 is background, 255 ink. X / 255 looks like the X of
        `load_digits`.
    y : int64 array (stop - start,)
        The digits 0..9. The 5,000 from any multiple of 5,000 on show every image once, so 500 of each digit.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer, is negative, or stop is not greater than start.

    See Also
    --------
    load_digits : the 5,000 that these are made from.

    Notes
    -----
    A digit is turned by up to 12 degrees, its width and its height change by up to 10 % each, and it moves by up to 1.5
    pixels along each axis. The pixels come from the 28 x 28 ones of MNIST, resized as in `load_digits` but three times
    as fine, by bilinear interpolation. The random numbers are those of splitmix64 (Steele, Lea and Flood, 2014, "Fast
    splittable pseudorandom number generators"), a generator for each digit.

    Measured on one core of an EPYC: 200,000 digits a second. The first call takes 0.3 s more, and 20 MB that are kept;
    beside these and what is returned, a call needs 8 MB. A network trained on `load_digits` (25 hidden units, 50
    iterations) recognises 96 % of these and 67 % of 5,000 generated ones: it has seen digits in the middle only, and
    shifts alone leave it 70 %. One trained on those 5,000 recognises 91 % of `load_digits`. All generated digits come
    from the same 5,000 images: they do not tell how well a network reads other handwriting.

    Examples
    --------
    >>> X, y = fastnn.generate_digits(0, 10_000)
    >>> X.shape, str(X.dtype), np.bincount(y).tolist()
    ((10000, 400), 'uint8', [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000])
    >>> some, _ = fastnn.generate_digits(7_000, 8_000)  # the same, and no others were made
    >>> np.array_equal(some, X[7_000:8_000])
    True
    >>> model = fastnn.train(X, y, scale=1 / 255, maxiter=10)  # bytes stay bytes
    """
    start, stop = valid.span(start, stop)
    # A seed may be longer than 64 bits; what SeedSequence makes of it stays the same in every version of NumPy.
    key = np.random.SeedSequence(valid.natural(seed, "seed")).generate_state(1, np.uint64)[0]
    images, digits = _fine_images()
    X, y = np.empty((stop - start, 400), np.uint8), np.empty(stop - start, np.int64)
    m = len(digits)
    for base in range(start // m * m, stop, m):
        order = _order(base, m, key)
        end = min(base + m, stop)
        for first in range(max(base, start), end, _BLOCK):
            last = min(first + _BLOCK, end)
            which = order[first - base : last - base]
            u = _uniform(first, last - first, key)
            half_turn, stretch, shift = _HALF_TURN * u[0], 1.0 + _STRETCH * u[1:3], _SHIFT * u[3:]
            X[first - start : last - start] = _warped(images, which, half_turn, stretch, shift)
            y[first - start : last - start] = digits[which]
    return X, y


def _order(base: int, m: int, key: Array) -> Array:
    """Which image digits base .. base + m - 1 show, a permutation of all: y stays balanced."""
    return np.argsort(_outputs(base, m, 0, key), kind="stable")


def _uniform(first: int, count: int, key: Array) -> Array:
    """(5, count) numbers in [-1, 1) for digits first .. first + count - 1."""
    return np.array([(_outputs(first, count, k, key) >> np.uint64(11)) * 2.0**-52 - 1.0 for k in range(1, 6)])


def _outputs(first: int, count: int, k: int, key: Array) -> Array:
    """Output k of the splitmix64 generators that belong to digits first .. first + count - 1, uint64 (count,)."""
    index = np.uint64(first) + np.arange(count, dtype=np.uint64)
    states = _mixed(index * np.uint64(_GOLDEN) + key)
    return _mixed(states + np.uint64((k + 1) * _GOLDEN % 2**64))


def _mixed(z: Array) -> Array:
    """splitmix64's finaliser, one to one on uint64 (Steele, Lea and Flood, 2014, with Stafford's variant 13)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _warped(images: Array, which: Array, half_turn: Array, stretch: Array, shift: Array) -> Array:
    """Images `which` (m,) of the fine ones, stretched about the centre, then turned, then shifted: uint8 (m, 400).

    half_turn (m,) is the tangent of half the angle, anticlockwise; stretch and shift (2, m) are along x, to the right,
    and along y, down; shift in pixels. Each pixel is traced back to where it came from, so nothing is left unfilled.
    Only + - * / are used, which IEEE 754 rounds in one way: the bytes are the same on every machine, as with `np.cos`
    they would not be.
    """
    squared = half_turn * half_turn
    cosine, sine = (1.0 - squared) / (1.0 + squared), 2.0 * half_turn / (1.0 + squared)
    pixels = np.arange(20) - 9.5
    right, down = _FINE * (pixels - shift[:, :, None])  # (m, 20) each, in points of the grid from the centre
    centre = 0.5 * (_SIDE - 1)
    # A turn mixes the axes by sums of one number for the column and one for the row.
    x = _sums(centre + (cosine / stretch[0])[:, None] * right, -(sine / stretch[0])[:, None] * down)
    y = _sums(centre + (sine / stretch[1])[:, None] * right, (cosine / stretch[1])[:, None] * down)

    column, row = np.floor(x), np.floor(y)
    x -= column
    y -= row
    points = (column * np.float32(_SIDE) + row).astype(np.intp)  # exact: both are less than 64
    points += (which * _SIDE**2)[:, None, None]
    flat = images.reshape(-1)
    left = _between(flat, points, y)
    left += x * (_between(flat[_SIDE:], points, y) - left)
    left += np.float32(0.5)
    return left.astype(np.uint8).reshape(len(which), 400)


def _sums(of_column: Array, of_row: Array) -> Array:
    """Of (m, 20) each the sums float32 (m, 20, 20), kept inside the grid: outside it all is background."""
    sums = of_column.astype(np.float32)[:, :, None] + of_row.astype(np.float32)[:, None, :]
    return np.clip(sums, 0.0, _SIDE - 2.0, out=sums)


def _between(flat: Array, points: Array, fraction: Array) -> Array:
    """Grey values between each point and the next one down, float32."""
    # No point lies outside; with mode="raise" NumPy would look for one, and take another copy.
    upper = flat.take(points, mode="clip").astype(np.float32)
    lower = flat[1:].take(points, mode="clip").astype(np.float32)
    lower -= upper
    lower *= fraction
    lower += upper
    return lower


@cache
def _fine_images() -> tuple[Array, Array]:
    """The images on the fine grid, column by column, uint8 (5000, 64, 64), and their digits; made once, read only."""
    images, digits = _archive()
    R = resize_matrix(images.shape[1], 20, _FINE)
    fine = np.zeros((len(images), _SIDE, _SIDE), np.uint8)
    inside = slice(_MARGIN, -_MARGIN)
    for first in range(0, len(images), _BLOCK):
        resized = R @ images[first : first + _BLOCK] @ R.T
        # Libraries of matrix products differ by 1e-13 or so: with 1e-6 more, halves are rounded up by all of them.
        resized += 0.5 + 1e-6
        np.clip(resized, 0.0, 255.0, out=resized)
        fine[first : first + _BLOCK, inside, inside] = resized.transpose(0, 2, 1)
    fine.setflags(write=False)
    digits.setflags(write=False)
    return fine, digits


def _archive() -> tuple[Array, Array]:
    """Images, uint8, and their digits, int64: from a file inside an installed package; in a checkout, beside it."""
    path = Path(str(files("fastnn"))) / "digits.npz"
    with np.load(path if path.exists() else path.parent.parent / "data" / "digits.npz", allow_pickle=False) as archive:
        return archive["images"], archive["labels"].astype(np.int64)


def resize_matrix(old: int, new: int, fine: int = 1) -> Array:
    """The (new * fine, old) matrix that resizes one axis; each row sums to 1.

    Output pixel i is centred at (i + 1/2) old/new - 1/2; the kernel is stretched by old/new
    (antialiasing), and what it would take from outside the image it takes from the edge.
    With `fine` every pixel is cut into so many, and the kernel stays as wide.
    """
    scale = old / new
    R = np.zeros((new * fine, old))
    for i in range(new * fine):
        centre = (i + 0.5) * (scale / fine) - 0.5
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
