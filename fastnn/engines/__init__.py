"""The engines: four ways to compute the same cost and gradient.

An engine is a module with three functions of the same names and arguments:

    forward(theta, layers, X, A)                                                A[:] = output activations
    workspace(layers, X) -> work                                                what the next one writes to
    cost_and_gradient(theta, layers, X, y, weight, decay, work, dtheta) -> J    dtheta[:] = gradient

with `theta` (P,) the flat parameters; `layers` (L, 3) int64, for each layer its inputs, its units
and the code of its activation; `X` (m, n) C-contiguous, float64 or float32; `y` (m,) int64;
`weight` (m,) of the examples, or empty if all are 1; `decay` (P,) lmbda for a weight, 0 for a
bias. All but X and the integers are float64.

`numpy` is the reference: the NumPy twin of everything compiled. The fast path never imports it.
"""

from importlib import import_module
from typing import Any

from .. import validation

ENGINES = ("fused", "numpy", "loop", "python")


def module(name: Any) -> Any:
    """The engine of that name, imported when it is first asked for."""
    return import_module(f"fastnn.engines.{validation.choice(name, ENGINES, 'engine')}")
