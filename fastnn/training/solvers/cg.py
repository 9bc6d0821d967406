"""Nonlinear conjugate gradients of Polak and Ribiere, as in the course: SciPy's `fmin_cg`.

Nocedal and Wright, Numerical Optimization (2006), p. 122.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...inputs.containers import Array
from ..observer import CostFunction, Observed, Observer
from .scipy_methods import NEVER


class _Vector(np.ndarray[Any, np.dtype[Any]]):
    """A gradient whose dot products are summed by NumPy itself, not by its BLAS.

    `fmin_cg` takes half a dozen between two evaluations. From 10,000 entries on, OpenBLAS starts its threads for each.
    They then spin, for 20 ms after the last, on the cores that the kernel needs (2 cores, the course's network: 16.5 ms
    for an iteration's evaluation instead of 6.6), and the sum's last bits, and so the trained weights, depend on their
    number.
    """

    def __array_function__(
        self, function: Callable[..., object], types: Iterable[type], args: Iterable[Any], kwargs: Mapping[str, Any]
    ) -> object:
        if function is np.dot:
            return np.einsum("i,i->", *(np.asarray(vector) for vector in args))
        if function is np.linalg.norm:
            return np.sqrt(np.dot(self, self))
        return super().__array_function__(function, types, args, kwargs)


def run(objective: CostFunction, theta: Array, observer: Observer) -> None:
    """Minimise from theta (P,) until the observer stops it, or no step lowers the cost."""
    from scipy.optimize import fmin_cg

    observed = Observed(objective, observer)
    observed.iteration(theta)
    fmin_cg(
        observed.cost,
        theta,
        lambda theta: observed.cost_and_gradient(theta)[1].view(_Vector),
        callback=observed.iteration,
        gtol=observer.limits.tol,
        maxiter=NEVER,
        disp=False,
    )
