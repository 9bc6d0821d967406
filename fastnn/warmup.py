"""Compiling ahead of time."""

import numpy as np

from . import check, network, objective
from .forward import forward
from .kernels.arguments import KEPT


def warmup() -> None:
    """Compile every kernel now, or read it from the cache, and not at its first use.

    Call it where a container image is built, `RUN python -c "import fastnn; fastnn.warmup()"`, or before timing.
    Afterwards nothing is left to compile, not even in forked workers or on a read-only cache.

    Notes
    -----
    Takes 77 s at first (2 cores, AMD Zen 3), then about a second. The variable FASTNN_CACHE says where compiled
    kernels are kept. Warming up starts Numba's threads. A child forked afterwards does not have them, so its kernels
    run on one thread.

    Examples
    --------
    >>> fastnn.warmup()
    >>> fastnn.forward(fastnn.init_weights((400, 25, 10)), np.zeros((1, 400))).shape  # nothing is left to compile
    (1, 10)
    """
    from .kernels import peak  # Numba, with which importing this module would not be light
    from .runtime import jit

    weights = network.init_weights((2, 2, 2))
    y = np.array([0, 1])
    for engine in ("fused", "loop"):
        for kind in KEPT:
            X = np.eye(2, dtype=kind)
            objective.cost_and_gradient(weights, X, y, engine=engine)
            forward(weights, X, engine=engine)
    check.check_gradient(weights, np.eye(2), y)
    check.check_gradient(weights, np.eye(2), y, directions=1)
    for factors in (np.ones(2), np.ones(2, np.float32)):
        peak.on_all_threads(1, factors, peak.zeros(factors.dtype))
    jit.compile_both_variants()
