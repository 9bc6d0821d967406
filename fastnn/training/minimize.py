"""Minimise a cost with a solver. However that ends, the best point that was seen comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module

from ..inputs.containers import Array
from ..objective import Objective
from ..outcome import Finding
from ..runtime import blas
from .control import Callback, ClusterLost, Found, Limits, NonFiniteStart, Stop, ValidationSet
from .observer import Observer, Progress
from .replay import Keeper, Replaying, Saving, Snapshot
from .solvers import SOLVERS

Diagnose = Callable[[Array], Finding | None]


def minimize(
    objective: Objective,
    theta: Array,
    solver: str,
    limits: Limits,
    *,
    validation_set: ValidationSet | None = None,
    callbacks: Sequence[Callback] = (),
    diagnose: Diagnose = lambda theta: None,
    keeper: Keeper | None = None,
    snapshot: Snapshot | None = None,
) -> Found:
    """Minimise an objective from a point.

    Parameters
    ----------
    objective : Objective
    theta : float64 array (P,)
        Start; not changed. Not used with a snapshot.
    solver : str
        A name in SOLVERS.
    limits : Limits
    validation_set : ValidationSet, optional
    callbacks : sequence of callable
        Called with a State after every iteration.
    diagnose : callable
        `diagnose(theta)` returns what keeps the network from learning at the point that comes back. It takes the place
        of the usual remedy.
    keeper : Keeper, optional
        Gets a snapshot when one is due, and at the end, whatever ends the minimisation.
    snapshot : Snapshot, optional
        Where the minimisation goes on, to the same end, to the bit; it needs a keeper.

    Returns
    -------
    theta : float64 array (P,)
        The point of lowest cost; with patience that of lowest validation cost. After Ctrl-C too, once there is a point.
    outcome : Outcome
    history : record array
        One row for the start and one for each iteration.

    Raises
    ------
    NonFiniteStart
        If there is no finite cost at the start.
    ClusterLost
        If a cluster is lost; its `found` is what would have been returned.
    """
    chosen = SOLVERS[solver]
    for library in chosen.libraries:  # before the clock starts, and before BLAS is held, which holds loaded libraries
        import_module(library)
    watched = objective, limits, validation_set, callbacks
    begin = snapshot or Snapshot(Progress(), theta.copy())
    observer: Observer
    if keeper and not chosen.has_state:
        observer = replaying = Replaying(keeper, begin, *watched)
        run = partial(replaying.run, chosen.run)
    else:
        observer = Saving(keeper, begin, *watched) if keeper else Observer(*watched)
        run = partial(chosen.run, objective, theta.copy(), observer)
    try:
        with nullcontext() if chosen.blas_threads else blas.one_thread():
            found = _minimized(run, observer, theta, diagnose)
    except BaseException as error:
        observer.save(error.found if isinstance(error, ClusterLost) else None)
        raise
    observer.save(found)
    return found


def _minimized(run: Callable[[], None], observer: Observer, theta: Array, diagnose: Diagnose) -> Found:
    lost = None
    try:
        try:
            run()
            status = "precision loss"  # the solver has ended by itself
        except Stop as stop:
            status = stop.args[0]
    except (KeyboardInterrupt, ClusterLost) as error:
        if observer.best.lowest is None:
            raise
        status = "interrupted"
        lost = error if isinstance(error, ClusterLost) else None
    if observer.best.lowest is None:
        raise NonFiniteStart.of(diagnose(theta) or Finding("", "smaller start"))
    seconds = observer.clock.seconds
    try:
        finding = diagnose(observer.best_point.theta)
    except KeyboardInterrupt:
        status, finding = "interrupted", None
    found = observer.found(status, seconds, finding)
    if lost is not None:
        lost.found = found
        raise lost
    return found
