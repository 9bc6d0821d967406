"""A training in a file, from which `fastnn.resume` goes on.

The file is a model, the best one so far, which `fastnn.load` reads too. It holds besides what the training was asked
for (`Plan`) and what the minimisation has behind it (`Trail`).
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..inputs import validation
from ..inputs.streams import each, runs_of
from ..inputs.validation import Array
from ..model import Model, model_in
from ..problem import Data
from .control import Limits
from .partition import Dataset
from .replay import Answer, Point, Trail
from .solvers import SOLVERS, Found

# Seconds between two checkpoints, where the user does not say. One of the seed's network takes 7 ms at first and 0.3 s
# with all the answers that are ever kept.
EVERY = 60.0


@dataclass(frozen=True)
class Plan:
    """What a training was asked for, but for its data and what a model says of itself.

    Attributes
    ----------
    solver, engine : str
    limits : Limits
    every : int or float
        Iterations or seconds from one checkpoint to the next.
    validation : float or None
        The fraction that is held out.
    generator : dict
        The state of the random generator that chooses it.
    factors : float64 array (K,), or None
        The weights of the classes.
    prints : dict of str to str
        Of the data, by argument: the same for the same data alone.
    """

    solver: str
    engine: str
    limits: Limits
    every: int | float
    validation: float | None
    generator: Any
    factors: Array | None
    prints: dict[str, str]


def interval(every: Any) -> int | float:
    """The argument `checkpoint_every`: iterations if it is an integer, else seconds."""
    if every is None:
        return EVERY
    if isinstance(every, (int, np.integer)) and not isinstance(every, bool):
        return validation.positive(every, "checkpoint_every")
    return validation.real(every, "checkpoint_every", above=0.0)


def place(path: Any) -> Path:
    """The argument `checkpoint`: where a training that begins may be kept."""
    path = files.checked_path(path, "checkpoint")
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
    """Keeps the trails of a training in a file."""

    def __init__(self, path: Path, plan: Plan, model_of: Callable[..., Model], *, written: bool = False):
        """`model_of(*found)` is the model; `written` says that the training is in that file already."""
        self._path, self._plan, self._model_of = path, plan, model_of
        self._written = written
        self._last = 0, time.monotonic()
        files.remove_unfinished(path)

    def due(self, iterations: int) -> bool:
        """At first, so that a file that cannot be written is known, and then whenever the interval is over."""
        every, (iteration, moment) = self._plan.every, self._last
        over = iterations - iteration >= every if isinstance(every, int) else time.monotonic() - moment >= every
        return over or not self._written

    def keep(self, trail: Trail, found: Found) -> None:
        """OSError if the file cannot be written at first; later a warning, as the training is worth more."""
        arrays = self._model_of(*found).arrays(self._path) | _arrays(self._plan, trail)
        try:
            files.write_arrays(self._path, arrays)
        except OSError as error:
            if not self._written:
                raise
            warnings.warn(
                f"checkpoint {str(self._path)!r} was not written: {error}; the last one is kept", stacklevel=2
            )
        self._written = True
        self._last = max(0, len(trail.rows) - 1), time.monotonic()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit, if it would end the process without a word; to be had in the main thread alone."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _arrays(plan: Plan, trail: Trail) -> dict[str, Array]:
    """What a checkpoint holds besides a model."""
    told = {
        one.name: getattr(plan, one.name) for one in dataclasses.fields(plan) if one.name not in ("limits", "factors")
    }
    counts = trail.evaluations_before, trail.rows_before, len(trail.rows)
    arrays = {
        "plan": np.array(json.dumps(told | {"limits": dataclasses.asdict(plan.limits)}, default=_plain)),
        "trail_start": trail.start,
        "trail_marks": np.frombuffer(b"".join(answer.mark for answer in trail.answers), np.uint8),
        "trail_costs": np.array([answer.cost for answer in trail.answers], np.float64),
        "trail_gradients": np.array([answer.gradient for answer in trail.answers], np.float64),
        "trail_counts": np.array(counts, np.int64),
        "trail_seconds": np.array(trail.seconds),
        "trail_lowest": np.array([trail.lowest.cost, trail.lowest.norm, *trail.lowest.theta]),
    }
    if trail.lowest_held_out:
        cost, row, point = trail.lowest_held_out
        arrays["trail_lowest_held_out"] = np.array([cost, row, point.cost, point.norm, *point.theta])
    return arrays if plan.factors is None else arrays | {"factors": plan.factors}


def _plain(value: Any) -> Any:
    """An array in the state of a random generator."""
    return {"array": value.tolist(), "dtype": str(value.dtype)} if isinstance(value, np.ndarray) else value.item()


def _as_it_was(value: dict[str, Any]) -> Any:
    return np.array(value["array"], value["dtype"]) if set(value) == {"array", "dtype"} else value


def read(path: str | os.PathLike[str]) -> tuple[Model, Plan, Trail]:
    """What a checkpoint holds: the best model so far, what was asked for, and what the minimisation has behind it."""
    path = files.checked_path(path)
    arrays = files.read_arrays(path)
    if "plan" not in arrays:
        raise files.ModelFileError(f"path is {str(path)!r}, which holds no training; a checkpoint is wanted")
    model = model_in(arrays, path)
    try:
        told = json.loads(str(arrays["plan"].item()), object_hook=_as_it_was)
        validation.choice(told["solver"], tuple(SOLVERS), "solver")
        plan = Plan(**(told | {"limits": Limits(**told["limits"]), "factors": arrays.get("factors")}))
        generator(plan.generator)
        return model, plan, _trail(arrays, model)
    except Exception as error:  # whatever arrays of any kind lead to
        raise files.ModelFileError(f"path is {str(path)!r}, which is not a whole checkpoint: {error!r}") from None


def _trail(arrays: dict[str, Array], model: Model) -> Trail:
    costs = arrays["trail_costs"]
    P = sum(matrix.size for matrix in model.weights)
    marks, gradients = arrays["trail_marks"].reshape(len(costs), 16), arrays["trail_gradients"].reshape(len(costs), P)
    answers = [
        Answer(mark.tobytes(), float(cost), row) for mark, cost, row in zip(marks, costs, gradients, strict=True)
    ]
    evaluations, before, rows = map(int, arrays["trail_counts"])
    history = [tuple(row.tolist()) for row in model.history[:rows]]
    cost, norm, *lowest = arrays["trail_lowest"].tolist()
    held_out = None
    if "trail_lowest_held_out" in arrays:
        measured, row, *point = arrays["trail_lowest_held_out"].tolist()
        held_out = measured, int(row), Point(point[0], point[1], np.array(point[2:]).reshape(P))
    return Trail(
        arrays["trail_start"].reshape(P),
        answers,
        evaluations,
        before,
        history,
        float(arrays["trail_seconds"].item()),
        model.outcome.compile_seconds,
        Point(cost, norm, np.array(lowest).reshape(P)),
        held_out,
    )


def generator(state: dict[str, Any]) -> np.random.Generator:
    """The random generator in that state."""
    kind = state["bit_generator"]
    if kind not in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        raise ValueError(f"the random generator is {kind!r}; one of NumPy's is wanted")
    bits = getattr(np.random, kind)()
    bits.state = state
    return np.random.Generator(bits)


def prints_of(data: Dataset, others: Data | None) -> dict[str, str]:
    """Return digests of the data that a training is on, and of the user's own examples for validation."""
    digests, labels = _joined(data.ask(_prints)), data.kind.labels
    digests["y"] = _print([digests["y"], ascii(None if labels is None else labels.tolist())])
    return digests if others is None else digests | {"validation": _print(_joined([_prints(others)]).values())}


def _prints(data: Data) -> dict[str, str]:
    """Return the digests of a shard, whose X is read once, chunk by chunk."""
    X = hashlib.sha256(ascii((data.X.shape, data.X.dtype.str)).encode())
    for _, chunk in each(data.X, runs_of(data.X)):
        X.update(np.ascontiguousarray(chunk).data)
    y = [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in data.targets]
    weight = hashlib.sha256(np.ascontiguousarray(data.weight).data).hexdigest()
    return {"X": X.hexdigest(), "y": _print(y), "sample_weight": weight}


def _joined(parts: list[dict[str, str]]) -> dict[str, str]:
    return {name: _print([part[name] for part in parts]) for name in parts[0]}


def _print(texts: Any) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def refuse_others(plan: Plan, prints: dict[str, str], path: Path) -> None:
    """Raise ValueError if the data are not those of the checkpoint."""
    for name, want in plan.prints.items():
        refuse_other(name, prints.get(name), want, path)
    if other := set(prints) - set(plan.prints):
        raise ValueError(f"{other.pop()} is given, but the training in {str(path)!r} was begun without; None is wanted")


def refuse_other(name: str, got: Any, want: Any, path: Path) -> None:
    """Raise ValueError if something about that argument is another than with the checkpoint."""
    if got != want:
        raise ValueError(
            f"{name} is not what the training in {str(path)!r} was begun with; the same numbers, of the same type and "
            "in the same order, are wanted"
        )
