"""Layer sizes, flat parameters and weight matrices, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .inputs import validation
from .spec import HIDDEN, OUTPUTS, Array

Weights = tuple[Array, ...]


def sizes_of(weights: Weights) -> tuple[int, ...]:
    """The layer sizes (n, hidden..., K) of a network with these weights."""
    return (weights[0].shape[1] - 1, *(matrix.shape[0] for matrix in weights))


def shapes(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """The shape of every weight matrix."""
    return [(above, below + 1) for below, above in pairwise(sizes)]


def parameter_count(sizes: tuple[int, ...]) -> int:
    """P."""
    return sum(rows * columns for rows, columns in shapes(sizes))


def parameter_table(sizes: tuple[int, ...]) -> Array:
    """Of every parameter its layer, row and column, int64 (P, 3)."""
    tables = []
    for l, shape in enumerate(shapes(sizes)):
        rows, columns = np.indices(shape).reshape(2, -1)
        tables.append(np.column_stack([np.full_like(rows, l), rows, columns]))
    return np.concatenate(tables)


def theta_of(weights: Weights) -> Array:
    """All weights as one flat vector, a copy."""
    return np.concatenate([matrix.ravel() for matrix in weights])


def weights_of(theta: Array, sizes: tuple[int, ...]) -> Weights:
    """The weight matrices in theta, as copies."""
    return tuple(matrix.copy() for matrix in matrices(theta, sizes))


def matrices(theta: Array, sizes: tuple[int, ...]) -> Weights:
    """The weight matrices inside theta: views, not copies."""
    ends = np.cumsum([rows * columns for rows, columns in shapes(sizes)])
    return tuple(part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), shapes(sizes), strict=True))


def decay(sizes: tuple[int, ...], lmbda: float) -> Array:
    """What multiplies each parameter's square in the cost's m-fold, halved: lmbda, and 0 for a bias."""
    factors = np.full(parameter_count(sizes), lmbda)
    for matrix in matrices(factors, sizes):
        matrix[:, 0] = 0.0
    return factors


def layer_table(sizes: tuple[int, ...], activation: str, output: str) -> Array:
    """What kernels know of a network: int64 (L, 3), for each layer its inputs, its units, its activation's code."""
    activation = validation.choice(activation, HIDDEN, "activation")
    output = validation.choice(output, OUTPUTS, "output")
    return _layer_table(sizes, activation, output)


@lru_cache
def _layer_table(sizes: tuple[int, ...], activation: str, output: str) -> Array:
    """Made once for each network: it takes longer than an example does."""
    codes = [HIDDEN[activation].code] * (len(sizes) - 2) + [OUTPUTS[output].activation.code]
    return np.array([sizes[:-1], sizes[1:], codes], dtype=np.int64).T.copy()


def init_weights(
    sizes: Sequence[int], seed: int | np.random.Generator | None = 0, epsilon: float | None = None
) -> Weights:
    """Random weights to start from, uniform between -epsilon and epsilon.

    Parameters
    ----------
    sizes : sequence of int
        Layer sizes (n, hidden..., K).
    seed : int, None or numpy.random.Generator
        The same integer gives the same weights; None gives others every time.
    epsilon : float, optional
        Greater than 0. Default: sqrt(6)/sqrt(fan_in + fan_out) for each layer, the course's 0.12 for 400-25.

    Returns
    -------
    tuple of L float64 arrays
        weights[l] has shape (s[l+1], s[l] + 1).

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    See Also
    --------
    train : starts from these weights, by its `seed`.

    Notes
    -----
    Were all weights equal, the units of a layer would stay equal for ever. The default is that of Glorot and Bengio
    (2010), eq. 16.

    Examples
    --------
    >>> weights = fastnn.init_weights((400, 25, 10), seed=1)
    >>> [W.shape for W in weights]
    [(25, 401), (10, 26)]
    >>> f"{weights[0].min():.2f} .. {weights[0].max():.2f}"
    '-0.12 .. 0.12'
    """
    sizes = validation.sizes(sizes)
    generator = validation.seed(seed)
    if epsilon is not None:
        epsilon = validation.real(epsilon, "epsilon", above=0.0, below=float(np.finfo(np.float64).max) / 2.0)
    weights = []
    for rows, columns in shapes(sizes):
        width = epsilon if epsilon is not None else np.sqrt(6.0) / np.sqrt(rows + columns - 1)
        weights.append(generator.uniform(-width, width, (rows, columns)))
    return tuple(weights)


def pack(weights: Sequence[ArrayLike], order: Literal["C", "F"] = "C") -> Array:
    """All weights as one flat float64 vector, a copy.

    Parameters
    ----------
    weights : tuple of L arrays
        Matrices, first layer first; weights[l] is (s[l+1], s[l] + 1).
    order : {"C", "F"}
        How each is raveled: "C" row by row, as everywhere in fastnn; "F" column by column, the
        course's Octave `[Theta1(:); Theta2(:)]`.

    Returns
    -------
    float64 array (P,)

    Raises
    ------
    ValueError, TypeError
        If the matrices do not fit together, hold what is not finite, or `order` is another.

    See Also
    --------
    unpack : the way back.

    Examples
    --------
    >>> W = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])  # two inputs and a bias, two outputs
    >>> fastnn.pack((W,))
    array([0., 1., 2., 3., 4., 5.])
    >>> fastnn.pack((W,), order="F")
    array([0., 3., 1., 4., 2., 5.])
    """
    validation.choice(order, ("C", "F"), "order")
    return np.concatenate([matrix.ravel(order=order) for matrix in validation.weights(weights)])


def unpack(theta: ArrayLike, sizes: Sequence[int], order: Literal["C", "F"] = "C") -> Weights:
    """The weight matrices that a flat vector holds, as copies; the inverse of `pack`.

    Parameters
    ----------
    theta : array (P,)
        All weights, first layer first.
    sizes : sequence of int
        Layer sizes (n, hidden..., K).
    order : {"C", "F"}
        How each matrix was raveled, as `pack` says.

    Returns
    -------
    tuple of L float64 arrays
        weights[l] is (s[l+1], s[l] + 1), C-contiguous.

    Raises
    ------
    ValueError, TypeError
        If theta has another length than these sizes have parameters, or an argument does not fit.

    See Also
    --------
    pack : the way back.

    Examples
    --------
    >>> fastnn.unpack([0.0, 1.0, 2.0, 3.0, 4.0], (2, 1, 1))
    (array([[0., 1., 2.]]), array([[3., 4.]]))
    """
    sizes = validation.sizes(sizes)
    validation.choice(order, ("C", "F"), "order")
    theta = validation.theta(theta, parameter_count(sizes))
    return tuple(part.ravel().reshape(part.shape, order=order).copy(order="C") for part in matrices(theta, sizes))
