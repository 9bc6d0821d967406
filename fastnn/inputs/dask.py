"""Predictions of Dask arrays and frames, chunk by chunk, and the threads of a Dask worker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..runtime.pool import at_most
from .containers import Array
from .validation import needs

try:
    import dask.array
    import distributed
except ImportError:
    raise ImportError(needs("fastnn.distributed", "dask", "distributed")) from None


@contextmanager
def own_threads() -> Iterator[None]:
    """Kernels use as many threads as the worker owns; where there is no worker, as many as ever."""
    try:
        threads = distributed.get_worker().state.nthreads
    except ValueError:
        yield
        return
    with at_most(threads):
        yield


def by_chunks(X: Any, n: int, function: Callable[[Array], Array], nothing: Array) -> dask.array.Array:
    """The function of every chunk of rows of X, of Dask: an array of Dask; `nothing` is its value for no rows."""
    rows = X if hasattr(X, "map_blocks") else X.to_dask_array()
    if rows.ndim != 2 or rows.shape[1] != n:
        raise ValueError(f"X has shape {rows.shape}; (m, {n}) is wanted, for the network's {n} inputs")
    rows = rows.rechunk({1: -1})
    shape = {"drop_axis": 1} if nothing.ndim == 1 else {"chunks": (rows.chunks[0], nothing.shape[1:])}
    return rows.map_blocks(_of_chunk, function, nothing, meta=nothing, dtype=nothing.dtype, **shape)


def _of_chunk(X: Array, function: Callable[[Array], Array], nothing: Array) -> Array:
    with own_threads():
        return function(X) if len(X) else nothing
