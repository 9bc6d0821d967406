"""Keep a training in a file, from which `fastnn.resume` goes on.

The file is a model, the best one so far, which `fastnn.load` reads too. Besides it holds the configuration of the
training and a snapshot of the minimisation.
"""

import dataclasses
import hashlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..inputs import validation
from ..inputs.containers import Array
from ..inputs.streams import each, runs_of
from ..model import Model, model_in
from ..problem import Data
from .control import Found, Limits
from .observer import BestPoint, Point, Progress
from .partition import Dataset
from .replay import Evaluation, Snapshot
from .solvers import SOLVERS

# Default seconds between two checkpoints. One of the course's network takes 7 ms at first and 0.3 s with the longest
# log of evaluations.
EVERY = 60.0


@dataclass(frozen=True)
class TrainingConfig:
    """Training configuration, except the data and what the model file stores.

    Attributes
    ----------
    solver, engine : str
    limits : Limits
    every : int or float
        Iterations or seconds from one checkpoint to the next.
    validation : float or None
        Fraction of the examples that is held out.
    generator : dict
        State of the random generator that chooses them.
    factors : float64 array (K,), or None
        Weights of the classes.
    fingerprints : dict of str to str
        Hashes of the data, by argument.
    """

    solver: str
    engine: str
    limits: Limits
    every: int | float
    validation: float | None
    generator: Mapping[str, Any]
    factors: Array | None
    fingerprints: dict[str, str]


def interval(every: object) -> int | float:
    """Return the argument `checkpoint_every`, checked: iterations if it is an integer, else seconds."""
    if every is None:
        return EVERY
    if isinstance(every, (int, np.integer)) and not isinstance(every, bool):
        return validation.positive(every, "checkpoint_every")
    return validation.real(every, "checkpoint_every", above=0.0)


def place(checkpoint: object) -> Path:
    """Return the argument `checkpoint`, checked: a file where a new training may be kept."""
    path = files.checked_path(checkpoint, "checkpoint")
    if path.suffix.lower() != ".npz":
        raise ValueError(f"checkpoint is {str(path)!r}; a name that ends in .npz is wanted")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"checkpoint is {str(path)!r}, in a folder that does not exist")
    if path.exists() and _unfinished(path):
        raise ValueError(
            f"checkpoint is {str(path)!r}, which holds a training that has not ended, and fastnn.resume(path, X, y) "
            "goes on with it; another name, or that file gone, is wanted for a new one"
        )
    return path


def _unfinished(path: Path) -> bool:
    try:
        return "plan" in (arrays := files.read_arrays(path)) and model_in(arrays, path).outcome.status == "interrupted"
    except files.ModelFileError:
        return False


class Checkpoint:
    """Keeper of a training's snapshots, in a file."""

    def __init__(self, path: Path, config: TrainingConfig, model_of: Callable[..., Model], *, written: bool = False):
        """`model_of(*found)` is the model; `written` says that the training is in that file already."""
        self._path, self._config, self._model_of = path, config, model_of
        self._written = written
        self._last = 0, time.monotonic()
        files.remove_unfinished(path)

    def due(self, iterations: int) -> bool:
        """Return True at first, so that a file that cannot be written is known, and then after every interval."""
        every, (iteration, moment) = self._config.every, self._last
        over = iterations - iteration >= every if isinstance(every, int) else time.monotonic() - moment >= every
        return over or not self._written

    def keep(self, snapshot: Snapshot, found: Found) -> None:
        """Write the file: an OSError is raised the first time, and a warning later, as the training is worth more."""
        arrays = self._model_of(*found).arrays(self._path) | _arrays(self._config, snapshot)
        try:
            files.write_arrays(self._path, arrays)
        except OSError as error:
            if not self._written:
                raise
            warnings.warn(
                f"checkpoint {str(self._path)!r} was not written: {error}; the last one is kept", stacklevel=2
            )
        self._written = True
        self._last = snapshot.iterations, time.monotonic()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit where it would end the process at once; other threads than the main one cannot."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


STATE = "trail_state_"  # begins the names of the arrays of a solver's state


def _arrays(config: TrainingConfig, snapshot: Snapshot) -> dict[str, Array]:
    """Return the arrays of a checkpoint beside those of a model."""
    told = dataclasses.asdict(config)
    factors, limits, fingerprints = map(told.pop, ("factors", "limits", "fingerprints"))
    progress, log, (lowest, lowest_validation) = snapshot.progress, snapshot.log, snapshot.progress.best
    assert lowest  # there is a model
    counts = progress.evaluations - len(log), snapshot.rows_before, len(progress.rows)
    arrays = {
        "plan": np.array(json.dumps(told | {"prints": fingerprints, "limits": limits}, default=_to_json)),
        "trail_start": snapshot.start,
        "trail_marks": np.frombuffer(b"".join(evaluation.digest for evaluation in log), np.uint8),
        "trail_costs": np.array([evaluation.cost for evaluation in log], np.float64),
        "trail_gradients": np.array([evaluation.gradient for evaluation in log], np.float64),
        "trail_counts": np.array(counts, np.int64),
        "trail_seconds": np.array(progress.seconds),
        "trail_lowest": _flat(lowest),
        **{STATE + name: array for name, array in snapshot.state.items()},
    }
    if lowest_validation:
        cost, row, point = lowest_validation
        arrays["trail_lowest_held_out"] = np.array([cost, row, *_flat(point)])
    return arrays if factors is None else arrays | {"factors": factors}


def _flat(point: Point) -> Array:
    return np.array([point.cost, point.norm, *point.theta])


def _point(flat: Array, P: int) -> Point:
    cost, norm, *_ = flat.tolist()
    return Point(cost, norm, flat[2:].reshape(P))


def _to_json(value: Array | np.generic) -> object:
    """Return what JSON has for an array, or a number, in the state of a random generator."""
    return {"array": value.tolist(), "dtype": str(value.dtype)} if isinstance(value, np.ndarray) else value.item()


def _from_json(value: dict[str, Any]) -> Array | dict[str, object]:
    return np.array(value["array"], value["dtype"]) if set(value) == {"array", "dtype"} else value


def read(path: str | os.PathLike[str]) -> tuple[Model, TrainingConfig, Snapshot]:
    """Read a checkpoint: the best model so far, the configuration, and a snapshot of the minimisation."""
    path = files.checked_path(path)
    arrays = files.read_arrays(path)
    if "plan" not in arrays:
        raise files.ModelFileError(f"path is {str(path)!r}, which holds no training; a checkpoint is wanted")
    model = model_in(arrays, path)
    try:
        told = json.loads(str(arrays["plan"].item()), object_hook=_from_json)
        validation.choice(told["solver"], tuple(SOLVERS), "solver")
        told |= {"limits": Limits(**told["limits"]), "fingerprints": told.pop("prints")}
        config = TrainingConfig(**told, factors=arrays.get("factors"))
        generator(config.generator)
        return model, config, _snapshot(arrays, model)
    except Exception as error:  # whatever arrays of any kind lead to
        raise files.ModelFileError(f"path is {str(path)!r}, which is not a whole checkpoint: {error!r}") from None


def _snapshot(arrays: dict[str, Array], model: Model) -> Snapshot:
    costs = arrays["trail_costs"]
    P = sum(matrix.size for matrix in model.weights)
    digests, gradients = arrays["trail_marks"].reshape(len(costs), 16), arrays["trail_gradients"].reshape(len(costs), P)
    logged = zip(digests, costs, gradients, strict=True)
    log = [Evaluation(digest.tobytes(), float(cost), row) for digest, cost, row in logged]
    evaluations_before, rows_before, rows = map(int, arrays["trail_counts"])
    lowest_validation = None
    if "trail_lowest_held_out" in arrays:
        measured, row, *_ = arrays["trail_lowest_held_out"].tolist()
        lowest_validation = measured, int(row), _point(arrays["trail_lowest_held_out"][2:], P)
    progress = Progress(
        [tuple(row.tolist()) for row in model.history[:rows]],
        evaluations_before + len(log),
        float(arrays["trail_seconds"].item()),
        model.outcome.compile_seconds,
        BestPoint(_point(arrays["trail_lowest"], P), lowest_validation),
    )
    state = {name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)}
    return Snapshot(progress, arrays["trail_start"].reshape(P), log, rows_before, state)


def generator(state: Mapping[str, Any]) -> np.random.Generator:
    """Return the random generator in that state."""
    kind = state["bit_generator"]
    if kind not in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        raise ValueError(f"the random generator is {kind!r}; one of NumPy's is wanted")
    bits = getattr(np.random, kind)()
    bits.state = state
    return np.random.Generator(bits)


def fingerprints_of(data: Dataset, validation_set: Data | None) -> dict[str, str]:
    """Return hashes, by argument, of the data that a training is on, and of a validation set of the user's."""
    found, labels = _joined(data.ask(_fingerprints)), data.kind.labels
    found["y"] = _hash([found["y"], ascii(None if labels is None else labels.tolist())])
    if validation_set is not None:
        found["validation"] = _hash(_joined([_fingerprints(validation_set)]).values())
    return found


def _fingerprints(data: Data) -> dict[str, str]:
    """Return the hashes of one shard, which is read once, chunk by chunk."""
    X = hashlib.sha256(ascii((data.X.shape, data.X.dtype.str)).encode())
    for _, rows in each(data.X, runs_of(data.X)):
        X.update(np.ascontiguousarray(rows).data)
    y = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in data.targets]
    weight = hashlib.sha256(np.ascontiguousarray(data.weight).data).hexdigest()
    return {"X": X.hexdigest(), "y": _hash(y), "sample_weight": weight}


def _joined(shards: list[dict[str, str]]) -> dict[str, str]:
    return {name: _hash([shard[name] for shard in shards]) for name in shards[0]}


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def refuse_other_data(config: TrainingConfig, fingerprints: dict[str, str], path: Path) -> None:
    """Raise ValueError if the data are not those of the checkpoint."""
    for name, want in config.fingerprints.items():
        refuse_other(name, fingerprints.get(name), want, path)
    if other := set(fingerprints) - set(config.fingerprints):
        raise ValueError(f"{other.pop()} is given, but the training in {str(path)!r} was begun without; None is wanted")


def refuse_other(name: str, got: object, want: object, path: Path) -> None:
    """Raise ValueError if something about that argument is not as in the checkpoint."""
    if got != want:
        raise ValueError(
            f"{name} is not what the training in {str(path)!r} was begun with; the same numbers, of the same type and "
            "in the same order, are wanted"
        )
