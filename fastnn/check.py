"""Is the gradient right? Backpropagation against differences of the cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import network, validation
from .network import Weights
from .objective import cost_and_gradient

# Central differences of the cost err by step**2/6 of its third derivative, and by rounding of a
# loss, about 1e-16/step. The two meet near 1e-5 where third derivative and loss are about 1.
STEP = 3e-5

# A right gradient leaves a norm ratio of 1e-9 or less at that step; a wrong one, any of the
# usual mistakes, 1e-4 or more.
TOLERANCE = 1e-8

# Parameters per kernel call: what passes before Ctrl-C is heard and the bar moves.
_PARAMETERS_PER_CALL = 256


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient, and what the differences say of it."""

    layer: int
    row: int
    column: int
    analytic: float
    numerical: float


@dataclass(frozen=True)
class GradientReport:
    """How a gradient compares with differences of the cost; prints as a short table.

    Attributes
    ----------
    relative_norm_error : float
        |a - d| / (|a| + |d|) of the whole gradient a and the differences d: the course's figure.
    max_relative_error : float
        Of the worst entry: |a - d| / max(|a|, |d|, 1e-3 of the largest entry).
    worst : Entry
        Its place (layer, row, column from 0) and both values.
    layers : tuple of float
        relative_norm_error of each layer alone.
    parameters, examples : int
        How many were checked, on how many.
    step, tolerance : float
    passed : bool
        relative_norm_error is at most tolerance.
    """

    relative_norm_error: float
    max_relative_error: float
    worst: Entry
    layers: tuple[float, ...]
    parameters: int
    examples: int
    step: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.relative_norm_error <= self.tolerance

    def __str__(self) -> str:
        worst = self.worst
        lines = [
            f"gradient check {'passed' if self.passed else 'FAILED'}: "
            f"{self.parameters:,} parameters on {self.examples:,} examples, step {self.step:g}",
            f"  norm ratio      {self.relative_norm_error:.2e}  (at most {self.tolerance:g} passes)",
            *(f"    layer {l:<8}  {error:.2e}" for l, error in enumerate(self.layers)),
            f"  worst entry     {self.max_relative_error:.2e}  layer {worst.layer}, row {worst.row}, "
            f"column {worst.column}: gradient {worst.analytic:.12g}, differences {worst.numerical:.12g}",
        ]
        return "\n".join(lines)


def numerical_gradient(
    weights: Any,
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    step: float | None = None,
    progress: bool | None = False,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
) -> Weights:
    """The gradient by central differences of the cost, one parameter at a time.

    Parameters
    ----------
    weights : tuple of L arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases.
    X : array (m, n)
    y : int array (m,)
        Class indices 0..K-1.
    lmbda : float
        Regularisation, at least 0.
    step : float, optional
        How far each parameter is moved to either side. Default 3e-5, where the error of the
        stencil and the rounding of the cost are about equal.
    progress : bool, optional
        A bar over the parameters on standard error; None: if that is a terminal.
    activation, output, sample_weight
        As for `cost_and_gradient`. Where a relu bends within the step, differences are of two slopes.

    Returns
    -------
    tuple of L float64 arrays, shaped like weights

    Notes
    -----
    Two forward passes for each of the P parameters: about 4 m P**2 operations. Nothing of
    backpropagation is used. Ng, Machine Learning, exercise 4 (2011), section 2.4.
    """
    from tqdm import tqdm

    from .kernels import differences

    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    X = validation.inputs(X, sizes[0]).astype(np.float64, copy=False)
    y = validation.class_indices(y, len(X), sizes[-1])
    decay = network.decay(sizes, validation.real(lmbda, "lmbda", minimum=0.0))
    step = STEP if step is None else validation.real(step, "step", above=0.0)
    weight = validation.sample_weight(sample_weight, len(X))
    theta, layers = network.pack(weights), network.layer_table(sizes, activation, output)
    dtheta = np.empty_like(theta)
    disable = None if progress is None else not progress
    with tqdm(total=len(theta), desc="checking", unit=" parameters", leave=False, disable=disable) as bar:
        for first in range(0, len(theta), _PARAMETERS_PER_CALL):
            part = dtheta[first : first + _PARAMETERS_PER_CALL]
            differences.numerical_gradient(theta, layers, X, y, weight, decay, step, first, part)
            bar.update(len(part))
    return network.matrices(dtheta, sizes)


def check_gradient(
    weights: Any,
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    gradient: Any = None,
    engine: str = "fused",
    step: float | None = None,
    tolerance: float = TOLERANCE,
    progress: bool | None = False,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
) -> GradientReport:
    """Compare a gradient with central differences of the cost, entry by entry.

    Parameters
    ----------
    weights, X, y, lmbda, step, progress, activation, output, sample_weight
        As for `numerical_gradient`.
    gradient : tuple of L arrays, optional
        The gradient to check, shaped like weights. Default: backpropagation by `engine`.
    engine : {"fused", "loop", "numpy"}
    tolerance : float
        The largest norm ratio that passes.

    Returns
    -------
    GradientReport
        `.passed`, `.relative_norm_error`, `.max_relative_error`, `.worst`; printable.
    """
    weights = validation.weights(weights)
    tolerance = validation.real(tolerance, "tolerance", above=0.0)
    family: dict[str, Any] = {"activation": activation, "output": output, "sample_weight": sample_weight}
    if gradient is None:
        gradient = cost_and_gradient(weights, X, y, lmbda, engine=engine, **family)[1]
    else:
        gradient = validation.like_weights(gradient, weights, "gradient")
    numerical = numerical_gradient(weights, X, y, lmbda, step=step, progress=progress, **family)

    a, d = network.pack(gradient), network.pack(numerical)
    floor = 1e-3 * max(np.abs(a).max(), np.abs(d).max())
    scale = np.maximum(np.maximum(np.abs(a), np.abs(d)), floor)
    errors = np.divide(np.abs(a - d), scale, out=np.zeros_like(a), where=scale > 0.0)
    worst = int(errors.argmax())
    layer, row, column = _place(worst, weights)
    return GradientReport(
        relative_norm_error=_norm_ratio(a, d),
        max_relative_error=float(errors[worst]),
        worst=Entry(layer, row, column, float(a[worst]), float(d[worst])),
        layers=tuple(_norm_ratio(g, n) for g, n in zip(gradient, numerical, strict=True)),
        parameters=len(a),
        examples=len(np.asarray(X)),
        step=STEP if step is None else step,
        tolerance=tolerance,
    )


def _norm_ratio(a: ArrayLike, d: ArrayLike) -> float:
    total = np.linalg.norm(a) + np.linalg.norm(d)
    return float(np.linalg.norm(np.subtract(a, d)) / total) if total > 0.0 else 0.0


def _place(p: int, weights: Weights) -> tuple[int, int, int]:
    """Layer, row and column of entry p of theta."""
    for layer, matrix in enumerate(weights):
        if p < matrix.size:
            row, column = divmod(p, matrix.shape[1])
            return layer, row, column
        p -= matrix.size
    raise IndexError(p)
