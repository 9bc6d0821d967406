"""Examples that are spread over the workers of a Dask cluster. Needs dask and distributed.

A part, a chunk of rows, stays on its worker, where it is prepared once. An evaluation sends theta to every worker that
has parts, and gets back their sums. These are added in the order of a tree over the parts: neighbours first, then
neighbouring pairs, and so on. A worker adds whatever it has a whole branch of, and the rest is added here. So the
result has the same bits on any number of workers, wherever the parts are, and whatever arrives first.
"""

import concurrent.futures
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import compress, groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .. import engines
from ..inputs import containers, validation
from ..inputs.containers import Array
from ..inputs.dask import own_threads
from ..inputs.streams import Stored, examples_of_a_run
from ..kernels.arguments import Run, Targets
from ..objective import Shard
from ..problem import Data, Network, read_only
from ..targets import Kind, kind_of
from .control import ClusterLost
from .partition import chosen, class_counts, refuse_split, shares_of

try:
    import dask.array
    import distributed
    from dask.delayed import Delayed
except ImportError:
    raise ImportError(validation.needs("fastnn.distributed", "dask", "distributed")) from None

# Seconds without a worker, or without the scheduler, after which a cluster is given up.
PATIENCE = 30.0

# Number of times that work is handed out again after its worker has died, one more than Dask's own.
RETRIES = 3

# Examples, from all shards together, that show whether X should be scaled.
SAMPLE = 5_000

# Node of the tree: its level, and its number on that; it stands for the shards from number << level on.
Node = tuple[int, int]

T = TypeVar("T")


def branches(count: int, known: Callable[[Node], Array | None]) -> dict[Node, Array]:
    """The sums of all branches of the tree over `count` parts that are whole, and in no other whole one.

    `known` gives a node's sum, or None for one that is not known by itself; it is asked from the root down.
    """
    found: dict[Node, Array] = {}

    def sum_of(node: Node) -> Array | None:
        level, i = node
        own = known(node)
        if own is not None or level == 0:
            return own
        left, right = (level - 1, 2 * i), (level - 1, 2 * i + 1)
        if right[1] << right[0] >= count:
            return sum_of(left)
        sums = {side: sum_of(side) for side in (left, right)}
        whole = {side: one for side, one in sums.items() if one is not None}
        if len(whole) == 2:
            return whole[left] + whole[right]
        found.update(whole)
        return None

    root = (max(count - 1, 0).bit_length(), 0)
    total = sum_of(root)
    return found if total is None else {root: total}


class Loaded(NamedTuple):
    """A valid shard as it came; y as `Kind.read` returns it."""

    X: Array
    y: Array
    weight: Array


class _Facts(NamedTuple):
    """Facts of a shard that this process needs."""

    m: int
    weight: float
    n: int
    summary: Array  # Kind.summary


def _load(x: Array, y: ArrayLike, weight: ArrayLike | None, number: int, kind: type[Kind]) -> Loaded | None:
    """Return the shard with this number; None if it has no examples. Raise ValueError or TypeError as `train` does."""
    if x.shape[0] == 0:
        return None
    try:
        X = validation.inputs(x)
        if isinstance(X, Stored):  # a worker has its shard in memory
            X = validation.inputs(np.array(x))
        return Loaded(X, kind.read(y, len(X)), validation.sample_weight(weight, len(X), part=True))
    except (ValueError, TypeError) as error:
        raise type(error)(f"{error} (in chunk {number} of X, counted from 0, and from its first row)") from None


def _facts(loaded: Loaded | None, kind: type[Kind]) -> _Facts | None:
    if loaded is None:
        return None
    m, n = loaded.X.shape
    return _Facts(m, float(loaded.weight.sum()) if len(loaded.weight) else float(m), n, kind.summary(loaded.y))


def _data(loaded: Loaded, kind: Kind, scale: float) -> Data:
    return Data(loaded.X, kind.to_targets(loaded.y), loaded.weight, scale)


def _counts(data: Data, kind: Kind) -> Array:
    return class_counts(kind.strata(data.targets), len(data), kind.K)


def _split(data: Data, shares: Array, seed: int, kind: Kind) -> tuple[Data, Data]:
    """Return the rest of the shard, and what is held out, in memory."""
    held_out = chosen(kind.strata(data.targets), len(data), shares, seed)
    return data.subset(~held_out), data.subset(held_out)


def _sample(data: Data, count: int) -> Data:
    """Return about `count` of the examples whose weight is not 0, evenly spaced, in memory."""
    examples = np.flatnonzero(data.weight) if len(data.weight) else np.arange(len(data))
    sample = data.subset(examples[:: max(1, len(examples) // count)])
    return sample.in_memory() if isinstance(sample.X, Stored) else sample


def _totals(data: Data) -> tuple[int, float]:
    return len(data), data.total


def _shard(data: Data, network: Network, engine: str) -> Shard:
    """Return the shard ready to be added up; shards of one length share a workspace, as one is added up at a time."""
    with own_threads():
        return Shard(network, data, engine, partial(_workspace, engine))


def _workspace(engine: str, layers: Array, *cut: Any) -> tuple[object, list[Run]]:
    return _common_workspace(engine, tuple(map(tuple, layers.tolist())), *cut)


@lru_cache(maxsize=2)  # of the parts, and of the last one
def _common_workspace(engine: str, layers: tuple[tuple[int, ...], ...], *cut: Any) -> tuple[object, list[Run]]:
    return engines.module(engine).workspace(np.array(layers), *cut)


def _sums(theta: Array, numbers: list[int], count: int, *parts: Shard) -> tuple[str, dict[Node, Array]]:
    """The sums of these parts, of `count` there are, as far as they can be added; and whose they are."""
    own = dict(zip(numbers, parts, strict=True))

    def of_part(node: Node) -> Array | None:
        level, i = node
        if level > 0 or i not in own:
            return None
        sums = np.empty(len(theta) + 1)
        own[i].add_up(read_only(theta), sums)
        return sums

    with _one_evaluation, own_threads():
        return distributed.get_worker().address, branches(count, of_part)


# A part has one workspace: where an evaluation was given up and tried again, the old one may still be at work in it.
_one_evaluation = threading.Lock()


class DaskData:
    """Dataset on the workers of a cluster: many shards, a chunk of rows each."""

    held_out: Array | None = None  # the workers alone know which examples `split` has taken out

    def __init__(
        self, X: object, y: object, sample_weight: object, output: str, multilabel: bool, scale: float, client: object
    ):
        self._client = _connected(client)
        self.names = validation.feature_names(X)
        kind = kind_of(output, multilabel)
        with self._client.as_current():
            chunks = _chunks(X, y, sample_weight, numbers=kind.numeric)
        load = dask.delayed(_load, pure=False)
        loads = [load(*three, number, kind) for number, three in enumerate(chunks)]
        with warnings.catch_warnings():  # what was in this process travels with the graph, so that it can be sent again
            warnings.filterwarnings("ignore", "Sending large graph")
            self._homes = _homes(self._client, [x.key for x, _, _ in chunks], distributed.futures_of(X))
            self._parts: list[distributed.Future] = []
            for home, group in groupby(zip(self._homes, loads, strict=True), key=itemgetter(0)):
                self._parts += self._client.compute([load for _, load in group], **_at(home))
        found = self.ask(_facts, kind)
        self._keep([one is not None for one in found])
        facts = [one for one in found if one is not None]
        if not facts:
            raise ValueError("X has no rows; (m, n), one example a row, is wanted, m and n at least 1")
        validation.positive_sum(np.array([one.weight for one in facts]), "sample_weight")
        self.n = validation.same_in_chunks([one.n for one in facts], "X", "columns")
        self.kind = kind.joined([one.summary for one in facts], y, sum(one.m for one in facts))
        self.each(_data, self.kind, scale)

    def _keep(self, kept: list[bool]) -> None:
        """Forget the other parts, which have no examples."""
        self._parts, self._homes = [*compress(self._parts, kept)], [*compress(self._homes, kept)]

    def each(self, function: Callable[..., object], *more: object) -> None:
        self._parts = self._submitted(function, *([one] * len(self._parts) for one in more))

    def ask(self, function: Callable[..., T], *more: object) -> list[T]:
        try:
            return gathered(self._client, self._submitted(function, *([one] * len(self._parts) for one in more)))
        except distributed.KilledWorker as error:
            raise ClusterLost(f"the cluster's workers die again and again: {error}") from None

    def _submitted(self, function: Callable[..., object], *more: Iterable[object]) -> list[distributed.Future]:
        """Futures of the function of each part, and of what `more` has for it, computed where the part is."""
        submit = self._client.submit
        tasks = zip(self._homes, self._parts, *more, strict=True)
        return [submit(function, *arguments, **_at(home), pure=False) for home, *arguments in tasks]

    def split(self, fraction: float, generator: np.random.Generator) -> Data:
        """Take that share of the examples of each class out, some of every shard, and bring them here."""
        shares = shares_of(fraction, self.ask(_counts, self.kind))
        seeds = generator.integers(2**63, size=len(self._parts)).tolist()  # a task that runs again makes the same of it
        pairs = self._submitted(_split, shares, seeds, [self.kind] * len(self._parts))
        self._parts = pairs
        taken = joined(self.ask(itemgetter(1)))
        self.each(itemgetter(0))
        totals = self.ask(_totals)
        m, left = (sum(one) for one in zip(*totals, strict=True))
        refuse_split(fraction, m + len(taken), taken.total, left)
        self._keep([m > 0 for m, _ in totals])
        return taken

    def sample(self) -> Data:
        return joined(self.ask(_sample, -(-SAMPLE // len(self._parts))))

    def source(self, network: Network, engine: str) -> "DaskSums":
        m, total = (sum(one) for one in zip(*self.ask(_totals), strict=True))
        self.each(_shard, network, engine)  # nobody asks for the data any more
        return DaskSums(self._client, self._parts, network, m, total)


class DaskSums:
    """Sums over all shards: a `fastnn.objective.Source`."""

    long = True

    def __init__(
        self, client: distributed.Client, parts: list[distributed.Future], network: Network, m: int, total: float
    ):
        self.network, self.m, self.total = network, m, total
        self._client, self._parts = client, parts
        self._places: dict[str, list[int]] = {}

    def add_up(self, theta: Array, sums: Array, done: Callable[[int], object] = lambda examples: None) -> None:
        """sums[:P] = the examples' gradients, sums[P] = their losses."""
        count = len(self._parts)
        for trial in range(RETRIES + 1):
            try:
                places = self._places or self._placed()
                found = gathered(self._client, [self._submitted(theta, *place) for place in places.items()])
                break
            except distributed.KilledWorker as error:
                self._places = {}
                if trial == RETRIES:
                    raise ClusterLost(f"the cluster's workers die again and again at an evaluation: {error}") from None
        moved = any(where != place for (where, _), place in zip(found, places, strict=True))
        self._places = {} if moved else places
        known = {node: one for _, nodes in found for node, one in nodes.items()}
        (total,) = branches(count, known.get).values()
        sums[:] = total
        done(self.m)

    def _submitted(self, theta: Array, worker: str, numbers: list[int]) -> distributed.Future:
        parts = [self._parts[i] for i in numbers]
        return self._client.submit(_sums, np.array(theta), numbers, len(self._parts), *parts, **_at(worker), pure=False)

    def _placed(self) -> dict[str, list[int]]:
        """Which parts each worker has; those that nobody has at the moment are together."""
        gathered(self._client, self._parts, bring=False)
        holders = self._client.who_has(self._parts)
        places: dict[str, list[int]] = defaultdict(list)
        for i, part in enumerate(self._parts):
            places[min(holders.get(part.key, ()), default="")].append(i)
        return dict(places)


def _homes(client: distributed.Client, chunks: list[object], staying: list[distributed.Future]) -> list[str | None]:
    """For each chunk of X the worker where it stays; or if none is in the cluster yet, neighbours on one worker.

    A worker then has whole branches of the tree, and sends one or two sums, not half as many as it has parts.
    """
    if staying:
        holders = {str(key): found for key, found in client.who_has(staying).items()}
        return [min(holders.get(str(chunk), ()), default=None) for chunk in chunks]
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        return [None] * len(chunks)
    threads = np.cumsum([worker["nthreads"] for worker in workers.values()])
    ends = np.rint(len(chunks) * threads / threads[-1])
    return [list(workers)[k] for k in np.searchsorted(ends, np.arange(len(chunks)), side="right")]


def _at(home: str | None) -> dict[str, object]:
    """For a task that should run there, or elsewhere if that worker is gone."""
    return {"workers": [home], "allow_other_workers": True} if home else {}


def gathered(client: distributed.Client, futures: list[distributed.Future], bring: bool = True) -> list[Any]:
    """Return the results of futures once they are there; raise ClusterLost if nobody is left to compute them."""
    since = time.monotonic()
    while True:
        try:
            distributed.wait(futures, timeout=1.0)
            lost = [future for future in futures if future.status in ("lost", "cancelled")]
            if lost:
                raise distributed.client.FutureCancelledError(lost[0].key, "lost")
            for future in futures:  # of several errors always the same
                if future.status == "error":
                    raise future.exception()
            return client.gather(futures) if bring else []
        except TimeoutError:
            if client.status == "running" and client.scheduler_info(n_workers=-1)["workers"]:
                since = time.monotonic()
            if time.monotonic() - since > PATIENCE:
                what = "no workers" if client.status == "running" else "no scheduler"
                raise ClusterLost(f"the cluster has had {what} for {PATIENCE:g} seconds") from None
        except (OSError, concurrent.futures.CancelledError) as error:
            said, _, _ = str(error).partition("\n")
            raise ClusterLost(f"the cluster does not answer any more: {type(error).__name__}: {said}") from None


def joined(shards: list[Data]) -> Data:
    """Return the data of all shards as one."""
    targets = Targets(*(np.concatenate(arrays) for arrays in zip(*(shard.targets for shard in shards), strict=True)))
    weight = np.concatenate([shard.weight for shard in shards])
    X = np.concatenate([shard.X for shard in shards])
    return Data(X, targets, weight, shards[0].scale)


def _connected(client: object) -> distributed.Client:
    """The client that the user passed, or the current one."""
    if client is None:
        try:
            return distributed.get_client()
        except ValueError:
            raise ValueError(
                "X is of Dask, but there is no client; distributed.Client(), or client=, is wanted"
            ) from None
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise TypeError(f"client is {containers.described(client)}; a distributed.Client, not asynchronous, is wanted")
    return client


def _chunks(X: Any, y: Any, weight: Any, *, numbers: bool) -> list[tuple[Delayed, Delayed, Delayed | None]]:
    """The chunks of rows of all three, as Dask's delayed objects; of an X in this process new ones."""
    if not containers.is_dask(y):
        y = containers.plain(y, "y") if numbers else containers.labels(y, "y")
    if not containers.is_dask(X):
        array = validation.inputs(X)
        if isinstance(array, Stored):
            raise ValueError("X is in a file; with client= an array in memory, or one of Dask, is wanted")
        X = dask.array.from_array(array, (examples_of_a_run(array), array.shape[1]), name=False)
    if isinstance(X, dask.array.Array) and X.ndim == 2:
        X = X.rechunk({1: -1})
    columns = [X, y] + ([weight] if weight is not None else [])
    rows = None
    if not all(map(containers.is_dask, columns)) or len({column.npartitions for column in columns}) > 1:
        X = _with_known_rows(X)
        rows = X.chunks[0]
    elif all(isinstance(column, dask.array.Array) for column in columns) and not np.isnan(X.chunks[0]).any():
        rows = X.chunks[0]
    inputs, answers = _delayed(X, None, "X"), _delayed(y, rows, "y")
    weights = [None] * len(inputs) if weight is None else _delayed(weight, rows, "sample_weight")
    return list(zip(inputs, answers, weights, strict=True))


def _delayed(column: Any, rows: tuple[int, ...] | None, name: str) -> list[Delayed]:
    """Its chunks of so many rows, or those that it has."""
    if rows is not None:
        if not containers.is_dask(column):
            column = containers.plain(column, name)
            if column.ndim == 0:
                raise ValueError(f"{name} has shape (); one entry for each example is wanted")
            column = dask.array.from_array(column, column.shape, name=False)
        column = _with_known_rows(column)
        if column.shape[0] != sum(rows):
            raise ValueError(
                f"{name} has {column.shape[0]:,} rows; X has {sum(rows):,} examples, and one for each is wanted"
            )
        column = column.rechunk((rows, *column.shape[1:]))
    # Arrays keep their graph, so that a common source of X and y is made once; frames would read all their columns.
    options = {"optimize_graph": False} if isinstance(column, dask.array.Array) else {}
    return list(np.ravel(column.to_delayed(**options)))


def _with_known_rows(column: Any) -> dask.array.Array:
    """Return the column as an array that knows how many rows each chunk has."""
    if isinstance(column, dask.array.Array):
        return column.compute_chunk_sizes() if np.isnan(column.chunks[0]).any() else column
    return column.to_dask_array(lengths=True)
