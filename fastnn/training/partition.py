"""Examples of a training as shards, and what is done with each of them.

`LocalData` is one shard, in this process; `fastnn.training.dask.DaskData` has many, on the workers of a cluster.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..inputs import validation
from ..inputs.containers import Array
from ..inputs.scaling import Scaling, standardised
from ..inputs.streams import Standardised, Stored
from ..kernels.arguments import arithmetic
from ..objective import Shard, Source
from ..problem import Data, Network
from ..targets import Kind, kind_of

T = TypeVar("T")

# Up to so many numbers, 256 MB of float64, bytes and float16 become a standardised copy. With more of them they are
# standardised anew in every evaluation, which takes a tenth of the memory and some times as long.
COPIED = 1 << 25


class Dataset(Protocol):
    """Examples of a training.

    Attributes
    ----------
    kind : Kind
        Kind of y.
    n : int
        Columns of X.
    names : tuple of str, or None
        Names of the columns.
    held_out : bool array (m,), or None
        Examples that `split` has taken out, where this process knows them.
    """

    kind: Kind
    n: int
    names: tuple[str, ...] | None
    held_out: Array | None

    def each(self, function: Callable[..., Data], *more: object) -> None:
        """Replace the data of every shard by function(data, *more)."""

    def ask(self, function: Callable[..., T], *more: object) -> list[T]:
        """Return function(data, *more) of every shard."""

    def split(self, fraction: float, generator: np.random.Generator) -> Data:
        """Take a fraction of the examples out, of each class alike, and return them."""

    def sample(self) -> Data:
        """Return examples that show whether X should be scaled."""

    def source(self, network: Network, engine: str) -> Source:
        """Return the source of sums for an objective; the data cannot be changed afterwards."""


class LocalData:
    """Dataset in this process: one shard."""

    def __init__(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, output: str, multilabel: bool, scale: float
    ):
        self.names = validation.feature_names(X)
        inputs = validation.inputs(X)
        m, self.n = inputs.shape
        kind = kind_of(output, multilabel)
        values = kind.read(y, m)
        self.kind = kind.joined([kind.summary(values)], y, m)
        self._data = Data(inputs, self.kind.to_targets(values), validation.sample_weight(sample_weight, m), scale)
        self.held_out: Array | None = None

    def each(self, function: Callable[..., Data], *more: object) -> None:
        self._data = function(self._data, *more)

    def ask(self, function: Callable[..., T], *more: object) -> list[T]:
        return [function(self._data, *more)]

    def split(self, fraction: float, generator: np.random.Generator) -> Data:
        data, m = self._data, len(self._data)
        classes = data.targets.classes  # empty for a single column of 0 and 1, which is not split by its value
        (shares,) = shares_of(fraction, [class_counts(classes, m, self.kind.K)])
        held_out = chosen(classes, m, shares, generator)
        refuse_split(fraction, m, weight_of(data, held_out), weight_of(data, ~held_out))
        self.held_out = held_out
        self._data, taken = data.subset(~held_out), data.subset(held_out)
        small = isinstance(taken.X, Stored) and taken.X.shape[0] * taken.X.shape[1] <= COPIED
        return taken.in_memory() if small else taken

    def sample(self) -> Data:
        return self._data

    def source(self, network: Network, engine: str) -> Source:
        return Shard(network, self._data, engine)


def weight_of(data: Data, chosen: Array) -> float:
    """Return the weight of these examples together."""
    return float(data.weight[chosen].sum() if len(data.weight) else np.count_nonzero(chosen))


def one_class(classes: Array, m: int) -> Array:
    """Return the classes of m examples; without classes all are in one."""
    return classes if len(classes) else np.zeros(m, np.int64)


def class_counts(classes: Array, m: int, K: int) -> Array:
    """Return the number of examples of each class."""
    return np.bincount(one_class(classes, m), minlength=max(2, K))


def class_totals(data: Data, kind: Kind) -> Array | None:
    """Return the weight of each class's examples together; None without classes."""
    classes = kind.strata(data.targets)
    if not len(classes):
        return None
    return np.bincount(classes, data.weight if len(data.weight) else None, max(2, kind.K)).astype(np.float64)


def reweighted(data: Data, kind: Kind, factors: Array) -> Data:
    """Return the data with each weight times the factor of its class."""
    weight = factors[kind.strata(data.targets)]
    return replace(data, weight=data.weight * weight if len(data.weight) else weight)


def chosen(classes: Array, m: int, shares: Array, seed: int | np.random.Generator) -> Array:
    """Return which of m examples are held out, bool (m,): as many of each class as shares (K,) say."""
    taken, classes = np.zeros(m, bool), one_class(classes, m)
    order = np.random.default_rng(seed).permutation(m)
    order = order[np.argsort(classes[order], kind="stable")]
    ends = np.bincount(classes, minlength=len(shares)).cumsum()
    for members, share in zip(np.split(order, ends[:-1]), shares.tolist(), strict=True):
        taken[members[:share]] = True
    return taken


def shares_of(fraction: float, counts: Sequence[Array]) -> Array:
    """Return the examples of each class that every shard holds out, (shards, K): a fraction of all, but never all.

    By the counts up to a part, so that what is rounded off in one is made good in the next.
    """
    before = np.vstack([np.zeros_like(counts[0]), np.cumsum(counts, axis=0)])
    most = np.maximum(before[-1] - 1, 0)
    return np.diff(np.minimum(np.rint(fraction * before).astype(np.int64), most), axis=0)


def refuse_split(fraction: float, m: int, held: float, left: float) -> None:
    """Raise ValueError if what is held out, or what is left, weighs nothing."""
    for weight, what in ((held, "hold out"), (left, "train on")):
        if not weight > 0.0:
            raise ValueError(
                f"validation is {fraction:g}, which leaves no example to {what}; another fraction of {m} is wanted"
            )


def of_inputs(data: Data, function: Callable[..., T], *more: object) -> T:
    """Return function(X, weight, scale, *more), for `Scaling.asked`."""
    return function(data.X, data.weight, data.scale, *more)


def standardise(data: Data, scaling: Scaling) -> Data:
    """Return standardised data: a new array, or chunk by chunk where that would become too large in memory."""
    X = data.X
    if isinstance(X, np.ndarray) and arithmetic(X.dtype) != X.dtype and X.size > COPIED:
        return replace(data, X=Standardised(X, data.scale, scaling.apply), scale=1.0)
    return replace(data, X=standardised(X, data.scale, scaling), scale=1.0)
