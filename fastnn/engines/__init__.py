"""The engines: four ways to compute the same cost and gradient.

An engine is a module with four functions of the same names and arguments:

    forward(theta, layers, X, scale, A)                                A[:] = output activations (m, K)
    workspace(layers, m, kept, scale, most) -> work, runs              what the next one works with
    accumulate(theta, layers, X, targets, weight, work, run, sums)     adds sums over the examples of a run:
                                                                       sums[:P] += gradients, sums[P] += losses
                                                                       (the first run overwrites sums)
    regularised_mean(theta, decay, total, loss, dtheta) -> cost        makes of such sums the mean, in dtheta too

with `theta` (P,) the flat parameters; `layers` (L, 3) int64, for each layer its inputs, its units
and the code of its activation; `X` (m, n) C-contiguous, of a type in `fastnn.kernels.arguments.KEPT`, which times
`scale` is what goes into the network; `targets`, a class or K
numbers for each example (`fastnn.kernels.arguments.Targets`); `weight` (m,) of the examples, or empty
if all are 1; `decay` (P,) lmbda for a weight, 0 for a bias. All but X and the integers are float64.

The m examples, of type `kept`, are added up run by run (`fastnn.kernels.arguments.Run`), from the first on, with X,
targets and weight those of the run: so X need not be in memory as a whole. A run has about `most` examples at most;
None leaves that to the engine. However they are cut, the compiled engines' sums have the same bits.

`fused` has two functions more, for a network that is asked again and again: what `prepared` makes of its parameters
`outputs` takes, any number of times; it says, too, whether NaN or infinities may have gone in.

`accumulate` divides by nothing and adds nothing of the regularisation, so that the sums of parts of the data,
wherever they are computed, can be added; the `total` of the mean is the weight of all examples.

The last function is one formula, and stands twice only: compiled, for the compiled engines, and in NumPy
for the others. `numpy` is the reference of everything compiled. The fast path never imports it.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Literal, Protocol, cast, overload

from ..inputs import validation
from ..kernels.arguments import Run, Targets
from ..spec import Array, DType

ENGINES = ("fused", "numpy", "loop", "python")


class Engine(Protocol):
    """An engine, as described above; what `workspace` returns is its own affair."""

    @staticmethod
    def forward(theta: Array, layers: Array, X: Array, scale: float, A: Array) -> None: ...

    @staticmethod
    def workspace(
        layers: Array, m: int, kept: DType, scale: float, most: int | None = None
    ) -> tuple[object, list[Run]]: ...

    @staticmethod
    def accumulate(
        theta: Array, layers: Array, X: Array, targets: Targets, weight: Array, work: object, run: Run, sums: Array
    ) -> None: ...

    @staticmethod
    def regularised_mean(theta: Array, decay: Array, total: float, loss: float, dtheta: Array) -> float: ...


class Fused(Engine, Protocol):
    """The engine "fused", which also keeps a network prepared."""

    @staticmethod
    def prepared(parts: Iterable[Array], layers: Array, kept: DType, scale: float) -> object: ...

    @staticmethod
    def outputs(network: object, X: Array, A: Array) -> bool: ...


@overload
def module(name: Literal["fused"]) -> Fused: ...


@overload
def module(name: object) -> Engine: ...


def module(name: object) -> Engine:
    """Return the engine of that name, which is imported when it is first asked for."""
    return cast(Engine, import_module(f"fastnn.engines.{validation.choice(name, ENGINES, 'engine')}"))
