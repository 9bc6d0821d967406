"""A photo or a drawing of one digit, made into what the shipped digits are."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ..files import printable
from ..inputs import validation
from ..spec import Array
from .digits import resize_matrix

# MNIST (LeCun, Cortes and Burges): the longer side of the ink takes 20 of 28 pixels, and its centre of mass lies in the
# middle, which is 14 of 0..27 in the shipped images (13.99 and 14.00 on average). At 13.5 the network below reads three
# of a hundred less.
_BOX, _FRAME, _MIDDLE = 20, 28, 14

# A picture is worked on at no more pixels than this along its longer side: strokes are still ten of them wide.
_LONGEST = 800

# Of the range from paper to the darkest ink: from here on a pixel is ink. Paper's grain and shadows stay below.
_INK = 0.45

# Ink is at least this much darker than paper, of 255: else there is none.
_CONTRAST = 25.0

# Spots of less than this share of the largest one are dirt.
_DIRT = 0.04

# Strokes are made so wide, as a share of the digit's longer side: scaling leaves a pen's less than a pixel. Of 300 of
# the shipped digits, written large as thin lines, a network that knows them reads 67 % without this, 88 % with 0.1, 91
# % with 0.14 and with 0.16; as they are, on grey paper in half shadow, 96 % each time.
_STROKE = 0.14


def read_digit(path: Path, n: int, order: str = "F") -> Array:
    """A picture of one digit as an example of n inputs, as `load_digits` makes them of MNIST's.

    Parameters
    ----------
    path : Path
        Whatever Pillow reads. Dark ink on light paper or light on dark; turned as the camera held it.
    n : int
        A square number.
    order : {"F", "C"}
        Whether the example holds the image column by column or row by row.

    Returns
    -------
    float64 array (1, n)
        0 is paper, 1 ink.

    Raises
    ------
    ValueError
        If it is no picture, or there is no ink in it.
    OSError
        If it cannot be read.
    """
    order = validation.choice(order, ("F", "C"), "order")
    side = round(n**0.5)
    if side * side != n:
        raise ValueError(f"IMAGE is given, but the model has {n} inputs; a square number, those of an image, is wanted")
    ink = _ink(_grey(path), path)
    framed = _framed(_strong(ink))
    if side != _FRAME:
        R = resize_matrix(_FRAME, side)
        framed = R @ framed @ R.T
    return (framed.T if order == "F" else framed).reshape(1, n)


def _grey(path: Path) -> Array:
    """Its grey values, upright, 255 white; what is transparent is white."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise ImportError(validation.needs("reading an image", "pillow")) from None
    with open(path, "rb"):
        pass  # what keeps the system from opening it, the system says best
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.draft("L", (_LONGEST, _LONGEST))  # a JPEG's: decoded no larger than needed
                upright: Any = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
                    values = np.asarray(upright, dtype=np.float64)
                    spread = float(values.max() - values.min())
                    return np.asarray(255.0 * (values - values.min()) / (spread or 1.0))
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, "white")
                flat = Image.alpha_composite(white, upright).convert("L")
                flat.thumbnail((_LONGEST, _LONGEST))
                return np.asarray(flat, dtype=np.float64)
    except UnidentifiedImageError:
        raise ValueError(
            f"IMAGE is {str(path)!r}, which is no picture that Pillow knows; a PNG or JPEG is wanted"
        ) from None
    except Exception as error:  # whatever a damaged picture leads to
        raise ValueError(f"IMAGE is {str(path)!r}, which cannot be read: {printable(str(error))}") from None


def _ink(grey: Array, path: Path) -> Array:
    """How much ink there is, 0 to 1: against the paper around it, which may lie half in shadow."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(edge) < 0.5 * (grey.min() + grey.max()):
        grey = 255.0 - grey  # light on dark
    # The paper is the lightest there is nearby, on a grid that is coarse enough to step over strokes.
    step = max(1, max(grey.shape) // 50)
    coarse = grey[: grey.shape[0] // step * step, : grey.shape[1] // step * step]
    coarse = coarse.reshape(coarse.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    paper = ndimage.gaussian_filter(ndimage.maximum_filter(coarse, 15, mode="nearest"), 4.0, mode="nearest")
    zoom = [large / small for large, small in zip(grey.shape, paper.shape, strict=True)]
    paper = ndimage.zoom(paper, zoom, order=1, mode="nearest", grid_mode=True)
    darker = np.clip(paper - grey, 0.0, None)
    top = np.percentile(darker[darker >= 0.5 * darker.max()], 50.0) if darker.max() > 0.0 else 0.0
    if top < _CONTRAST:
        raise ValueError(
            f"IMAGE is {str(path)!r}, in which there is no ink; a digit, darker or lighter than its paper, is wanted"
        )
    ink = np.clip(darker / top, 0.0, 1.0)
    spots, count = ndimage.label(ink > _INK, np.ones((3, 3)))
    sizes = ndimage.sum_labels(ink, spots, np.arange(1, count + 1))
    kept = np.flatnonzero(sizes >= _DIRT * sizes.max()) + 1
    inside = [spot for spot in kept if not _on_the_edge(spots == spot)]  # what comes in from outside is no digit
    near = ndimage.binary_dilation(np.isin(spots, inside or kept), iterations=2)
    return np.where(near, ink, 0.0)


def _on_the_edge(spot: Array) -> bool:
    return bool(spot[0].any() or spot[-1].any() or spot[:, 0].any() or spot[:, -1].any())


def _strong(ink: Array) -> Array:
    """Cut to the ink, and with strokes as thick as in the data."""
    rows, columns = (np.flatnonzero((ink > _INK).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    depth = ndimage.distance_transform_edt(np.pad(ink > _INK, 1))
    ridge = depth[(depth > 0) & (depth == ndimage.maximum_filter(depth, 3))]
    missing = round(0.5 * (_STROKE * max(ink.shape) - 2.0 * float(np.median(ridge))))
    if missing > 0:
        ink = ndimage.grey_dilation(np.pad(ink, missing), footprint=_disk(missing))
    return ink


def _disk(radius: int) -> Array:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius)


def _framed(ink: Array) -> Array:
    """Shrunk to MNIST's box, and with the centre of mass in the middle of its frame."""
    from PIL import Image

    height, width = (max(1, round(_BOX * size / max(ink.shape))) for size in ink.shape)
    small = Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    box = np.clip(np.asarray(small, dtype=np.float64), 0.0, 1.0)
    top, left = (round(_MIDDLE - centre) for centre in ndimage.center_of_mass(box))
    top, left = (min(max(0, start), _FRAME - size) for start, size in ((top, height), (left, width)))
    framed = np.zeros((_FRAME, _FRAME))
    framed[top : top + height, left : left + width] = box
    return framed
