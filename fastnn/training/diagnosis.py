"""What keeps a network from learning: the scale of X, and hidden layers that say the same of every example."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..inputs.streams import Stored
from ..kernels.arguments import arithmetic
from ..network import matrices
from ..outcome import Finding
from ..problem import Data, Network
from ..runtime import blas
from ..spec import HIDDEN, Array

# That many evenly spaced examples are looked at, which takes 1.0 ms for the digits; all of them only where these
# raise a suspicion that no sample can prove.
EXAMPLES = 500

# Of what is not in memory, or would take more of it as float64, so many stand for all.
MANY = 5_000

# A first layer of h units starts with weights and biases of variance 2/(n + h) (`init_weights`), so over these the
# pre-activation of an example x has the root mean square r = sqrt(2 (|x|^2 + 1)/(n + h)). A sigmoid has a usable slope
# for |z| < 6 (`spec.Activation.flat`): from r = 7 on two fifths of all (unit, example) pairs start without one.
# Measured, cost after 50 iterations (cg, sigmoid, 25 units, lmbda 0.1), standardised columns against others, with r:
#   8 x 8 digits 0.06 (1.2); as they come, 0 to 16: 0.52 (9.3); with a level of 3, 10 deviations: 0.73 (3.8), 2.4 (12)
#   iris 0.18 (0.6); as it comes 0.30 (2.1); 10, 30 times as large 0.16 (5.3), 0.38 (16)
#   wine 0.06 (0.9); as it comes 1.1 (190)   breast cancer 0.04 (1.1); as it comes 0.64 (250)
# L-BFGS and the other activations suffer alike (identity: wine 0.02, as it comes 1.4), but relu seldom from a mere
# factor.
LARGEST = 7.0

# X is too large if r is above LARGEST for more than this share of the examples. Columns of mean square at most 1, like
# standardised ones, have a mean r^2 of at most 2, whatever their distribution: by Markov's inequality they never get
# there. A few wild examples do not either: it is the others that train the network.
SHARE = 2.0 / LARGEST**2

# X is too nearly constant if the farthest example from the mean of all is no farther than this share of what is
# constant in the inputs, sqrt(1 + |mean|^2), the 1 for the bias: the weights must grow to the inverse before outputs
# differ. Measured as above, standardised columns times 0.1, 0.01, 0.001 (shares 0.4, 0.04, 0.004 for iris): iris 0.66,
# 1.5, 1.9; 8 x 8 digits 0.29, 1.7, 3.1. Plus 10, 30 (0.2, 0.06): iris 0.96, 1.1. The farthest
# example, not the typical one: a column that is 1 for one example of a thousand is well scaled.
SMALLEST = 0.1


def advice(network: Network, data: Data, theta: Array, names: Sequence[str] | None = None) -> Finding | None:
    """Return what keeps this network from learning, and the remedy; None if nothing is seen.

    The finding begins with a few words that a colon ends. Columns of X go by their names, if they have some.
    """
    weight = data.weight
    word = HIDDEN[network.activation].stuck
    inputs = "X" if data.scale == 1.0 else f"X times scale={data.scale:g}"
    examples = np.flatnonzero(weight) if len(weight) else np.arange(len(data.X))
    sample = data.inputs(_spread(examples, EXAMPLES)).astype(np.float64, copy=False)
    # BLAS threads would go on spinning for a while, on the cores that the next training needs:
    # the digits, 20 iterations of L-BFGS, 65 -> 120 ms. Keeping from them takes 2 ms.
    with blas.one_thread(), np.errstate(over="ignore", invalid="ignore"):
        columns, verdict = _too_large(sample, network.sizes[1]), "too large"
        suspect = len(columns) or _nearly_constant(sample) or _constant_layer(network, theta, sample)
        if not suspect:
            return None
        if isinstance(data.X, Stored) or data.X.dtype != arithmetic(data.X.dtype) or data.scale != 1.0:
            X = data.inputs(_spread(examples, MANY))
        else:
            X = data.X if len(examples) == len(data.X) else data.X[examples]
        if not len(columns) and _nearly_constant(X):
            columns, verdict = _by_size(sample), "too nearly constant"
        if not np.ptp(X, axis=0).any():
            named = _named(X, _by_size(sample), names)
            return Finding(f"all examples in {inputs} are the same: {named} constant", "columns")
        if len(columns):
            stuck, units = _stuck(network, theta, sample)
            seen = f"{stuck} of {units} hidden units are {word}, " if stuck else ""
            named = _named(X, columns, names)
            remedy = "scale" if data.X.dtype == np.uint8 and data.scale == 1.0 else "standardize"
            return Finding(f"{seen}{inputs} wants scaling: {named} {verdict} for weights to learn from", remedy)
        layer = _constant_layer(network, theta, X)
        if not layer:
            return None
        return Finding(
            f"all {network.sizes[layer]} hidden units of layer {layer} are {word}: they give every example "
            "the same output, so that nothing is learned through them",
            "seed",
        )


def _spread(examples: Array, count: int) -> Array:
    """About `count` of them, evenly spaced."""
    return examples[:: -(-len(examples) // count)]


def _too_large(X: Array, h: int) -> Array:
    """The numbers of the columns that make X too large for a first layer of h units, the largest first."""
    n = X.shape[1]
    squares = X * X
    most = LARGEST**2 * (n + h) / 2.0 - 1.0  # of |x|^2
    far = squares.sum(axis=1) > most
    if far.mean() <= SHARE:
        return np.arange(0)
    columns = _by_size(X[far])
    wide: Array = columns[squares[far].mean(axis=0)[columns] > most / n]
    return wide  # never empty: these means add up to more than `most`


def _by_size(X: Array) -> Array:
    """The numbers of all columns, the one with the largest values first."""
    return np.argsort(-(X * X).mean(axis=0), kind="stable")


def _nearly_constant(X: Array) -> bool:
    mean = X.mean(axis=0, dtype=np.float64)
    farthest = ((X - mean) ** 2).sum(axis=1).max()
    return bool(farthest < SMALLEST**2 * (1.0 + mean @ mean))


def _named(X: Array, columns: Array, names: Sequence[str] | None) -> str:
    """The first three columns with the numbers in them, and how many more there are."""
    first = []
    for j in columns[:3]:
        low, high = float(X[:, j].min()), float(X[:, j].max())
        ends = f"{low:.6g}", f"{high:.6g}"
        name = repr(names[j]) if names else j
        if low == high:
            first.append(f"{name} (always {ends[0]})")
        elif ends[0] == ends[1]:
            first.append(f"{name} ({ends[0]}, differing by {high - low:.1g})")
        else:
            first.append(f"{name} ({ends[0]} to {ends[1]})")
    counted = "" if names else ", counted from 0,"
    if len(columns) == 1:
        return f"column {first[0]}{counted} is"
    more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
    return f"columns {', '.join(first)}{more}{counted} are"


def _flat_ends(network: Network, theta: Array, X: Array) -> Iterator[tuple[Array, Array]]:
    """Of each hidden layer two masks (m, units): units at their low flat end for an example, and at their high one."""
    activation = HIDDEN[network.activation]
    low, high = activation.flat
    A = X
    for W in matrices(theta, network.sizes)[:-1]:
        Z = A @ W[:, 1:].T + W[:, 0]
        yield low >= Z, high <= Z
        A = activation.value(Z)


def _stuck(network: Network, theta: Array, X: Array) -> tuple[int, int]:
    """Return the number of hidden units without usable slope for most examples, and the number of all."""
    share = HIDDEN[network.activation].stuck_share
    stuck = sum(int(((low | high).mean(axis=0) >= share).sum()) for low, high in _flat_ends(network, theta, X))
    return stuck, sum(network.sizes[1:-1])


def _constant_layer(network: Network, theta: Array, X: Array) -> int:
    """The first hidden layer, from 1, each of whose units is at the same flat end for every example; 0 if none is."""
    for l, (low, high) in enumerate(_flat_ends(network, theta, X), start=1):
        if (low.all(axis=0) | high.all(axis=0)).all():
            return l
    return 0
