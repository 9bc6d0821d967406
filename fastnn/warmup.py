"""Compiling ahead of time."""

import numpy as np

from . import check, network, objective
from .kernels.arguments import KEPT


def warmup() -> None:
    """Compile every kernel now, or read it from the cache, instead of at its first use.

    For the build of a container image, or before timing. A minute at first (2 cores), then about a
    second; `FASTNN_CACHE` says where the compiled kernels are kept.
    """
    weights = network.init_weights((2, 2, 2))
    y = np.array([0, 1])
    for engine in ("fused", "loop"):
        for kind in KEPT:
            X = np.eye(2, dtype=kind)
            objective.cost_and_gradient(weights, X, y, engine=engine)
            objective.forward(weights, X, engine=engine)
    check.check_gradient(weights, np.eye(2), y)
    check.check_gradient(weights, np.eye(2), y, directions=1)
