"""Is the gradient right? Backpropagation, or yours, against differences of the cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import engines, network
from .inputs import validation
from .inputs.streams import Stored, each, runs_of
from .model import html
from .network import Weights
from .objective import Objective
from .problem import Problem, documented, validated
from .runtime import notice
from .spec import HIDDEN, Array

if TYPE_CHECKING:
    from .kernels.differences import Differences

# The largest norm ratio that passes, by the type that a gradient was computed in; an entry passes with
# ENTRY times that. At the course's weights right gradients leave 2e-15 and 1e-12 in float64, 1e-6 and
# 5e-4 in float32. Of the mistakes in tests/test_check.py on a hundred digits, those of whole rows or
# layers leave 8e-4 or more, one weight off by a millionth 1.3e-10 and 1e-6.
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
ENTRY = 100.0

# What rounding alone may leave, relative to the sum of the sizes of a gradient's terms: this times
# epsilon. It matters where the terms cancel, at an optimum: there nothing is left but rounding.
ROUNDING = 32

# Differences of examples in a kernel call, a tenth of a second: what passes before Ctrl-C is heard
# and the bar moves.
_WORK_PER_CALL = 8_000_000


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient, and what differences of the cost say of it.

    Attributes
    ----------
    layer, row, column : int
        It is the derivative by weights[layer][row, column], all counted from 0.
    analytic, numerical : float
        By the gradient, and by the differences.

    Examples
    --------
    >>> weights = fastnn.init_weights((3, 4, 3))
    >>> worst = fastnn.check_gradient(weights, np.eye(3), [0, 1, 2], parameters=[5]).worst
    >>> worst.layer, worst.row, worst.column  # a row of the first matrix has four entries
    (0, 1, 1)
    >>> f"{worst.analytic:.6f}" == f"{worst.numerical:.6f}"
    True
    """

    layer: int
    row: int
    column: int
    analytic: float
    numerical: float

    def __str__(self) -> str:
        where = f"layer {self.layer}, row {self.row}, column {self.column}"
        return f"{where}: gradient {self.analytic:.12g}, differences {self.numerical:.12g}"


@dataclass(frozen=True)
class Slope:
    """The slope of the cost along a random direction, by the gradient and by differences.

    Attributes
    ----------
    direction : int
        Its number, from 0.
    analytic, numerical : float
        By the gradient, and by the differences.

    Examples
    --------
    >>> weights = fastnn.init_weights((3, 4, 3))
    >>> worst = fastnn.check_gradient(weights, np.eye(3), [0, 1, 2], directions=1).worst
    >>> worst.direction, f"{worst.analytic:.6f}" == f"{worst.numerical:.6f}"
    (0, True)
    """

    direction: int
    analytic: float
    numerical: float

    def __str__(self) -> str:
        return f"direction {self.direction}: gradient {self.analytic:.12g}, differences {self.numerical:.12g}"


@dataclass(frozen=True)
class Comparison:
    """How gradient and differences of some parameters, those of a layer say, compare.

    Attributes
    ----------
    relative_norm_error : float
        |a - d| / (|a| + |d|) of the gradient a and the differences d: the course's figure.
    max_relative_error : float
        Of the worst entry: |a - d| / max(|a|, |d|, 1e-3 of the largest entry of the whole gradient).
    worst : Entry, Slope or None
        Its place and both values. None, and the errors NaN, if there was nothing to compare.

    Examples
    --------
    >>> weights = fastnn.init_weights((3, 4, 3))
    >>> _, (dW0, dW1) = fastnn.cost_and_gradient(weights, np.eye(3), [0, 1, 2])
    >>> report = fastnn.check_gradient(weights, np.eye(3), [0, 1, 2], gradient=(dW0, 2 * dW1))
    >>> ["right" if layer.relative_norm_error < 1e-9 else "wrong" for layer in report.layers]
    ['right', 'wrong']
    """

    relative_norm_error: float
    max_relative_error: float
    worst: Entry | Slope | None


@dataclass(frozen=True)
class GradientReport(Comparison):
    """How a gradient compares with differences of the cost; it prints as a short table.

    Attributes
    ----------
    relative_norm_error, max_relative_error, worst : float, float, Entry or Slope
        As in `Comparison`. Along random directions the first is an estimate of the whole
        gradient's, and the others are of the slopes.
    layers : tuple of Comparison
        For each layer; empty along directions.
    parameters, directions, examples : int
        How many were checked, on how many; directions is 0 if parameters were moved one by one.
    kinks : int
        Parameters (or directions) left out, because a relu passes its kink within the step.
    step, tolerance : float
        As given to `check_gradient`, or as it chose them.
    passed : bool
        relative_norm_error is at most tolerance, max_relative_error at most 100 times that.

    Examples
    --------
    >>> weights = fastnn.init_weights((3, 4, 3))
    >>> report = fastnn.check_gradient(weights, np.eye(3), [0, 1, 2])
    >>> print(report)  # doctest: +ELLIPSIS
    gradient check passed: 31 parameters on 3 examples, step 1.5e-08
                  norm ratio  worst
      layer 0        ...
      layer 1        ...
      all            ...
      at most        1.0e-10  1.0e-08 passes
    """

    layers: tuple[Comparison, ...]
    parameters: int
    directions: int
    examples: int
    kinks: int
    step: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.relative_norm_error <= self.tolerance and self.max_relative_error <= ENTRY * self.tolerance

    @property
    def _verdict(self) -> str:
        return "passed" if self.passed else "FAILED"

    @property
    def _checked(self) -> str:
        ways = f"along {self.directions} random directions " if self.directions else ""
        return f"{self.parameters:,} parameters {ways}on {self.examples:,} examples, step {self.step:.2g}"

    @property
    def _left_out(self) -> str:
        what = "directions" if self.directions else "parameters"
        return f"{self.kinks:,} {what} at which a relu passes its kink within the step"

    def __repr__(self) -> str:
        place = str(self.worst).partition(":")[0]
        errors = f"norm ratio {self.relative_norm_error:.1e}, worst error {self.max_relative_error:.1e} at {place}"
        return f"<fastnn.GradientReport {self._verdict}: {errors if self.worst else 'nothing to compare'}>"

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, both errors with what passes, and the worst entry."""
        facts = {
            "checked": self._checked,
            "norm ratio": f"{self.relative_norm_error:.1e}; at most {self.tolerance:.1e} passes",
            "worst error": f"{self.max_relative_error:.1e}; at most {ENTRY * self.tolerance:.1e} passes",
            "worst entry": str(self.worst) if self.worst else "nothing to compare",
        }
        if self.kinks:
            facts["left out"] = self._left_out
        return html.table(f"gradient check {self._verdict}", facts)

    def __str__(self) -> str:
        lines = [f"gradient check {self._verdict}: {self._checked}", "              norm ratio  worst"]
        lines += [
            f"  layer {l:<4}  {layer.relative_norm_error:10.1e}  {_worst(layer)}" for l, layer in enumerate(self.layers)
        ]
        lines.append(
            f"  {'estimate' if self.directions else 'all':<10}  {self.relative_norm_error:10.1e}  {_worst(self)}"
        )
        lines.append(f"  at most     {self.tolerance:10.1e}  {ENTRY * self.tolerance:.1e} passes")
        if self.kinks:
            lines.append(f"  left out: {self._left_out}")
        return "\n".join(lines)


def _worst(comparison: Comparison) -> str:
    return f"{comparison.max_relative_error:.1e} at {comparison.worst}"


@documented
def numerical_gradient(
    weights: Sequence[ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    step: float | None = None,
    progress: bool | None = False,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    scale: float = 1.0,
) -> Weights:
    """The gradient by central differences of the cost, one parameter after another.

    Parameters
    ----------
    {weights, X, y, lmbda}
    step : float, optional
        How far each parameter is moved to either side. Default 1.5e-8, the root of float64's
        epsilon: for inputs of size about 1 the differences are then derivatives to rounding. For an
        activation with a kink 9e-13, so that few units pass it within the step.
    progress : bool, optional
        A bar over the parameters on standard error; None: if that is a terminal.
    {activation, output, sample_weight, scale}

    Returns
    -------
    tuple of L float64 arrays
        Shaped like weights.

    {raises}

    See Also
    --------
    check_gradient : compares a gradient with these.

    Notes
    -----
    A weight of layer l costs, for every example whose input to it is not 0, about 10 operations for
    each unit that it moves (50 if it moves far), and 4 for each weight between moved layers; all in
    float64. The memory is 8 bytes for each unit and example, and 64 MB at most, or 4 KB for each unit.
    Nothing of backpropagation is used, and what is computed is J(theta + step) - J(theta - step) for a
    step of any size, not a derivative in disguise. Where a relu passes its kink within the step,
    differences are of two slopes.
    Ng, Machine Learning, exercise 4 (2011), section 2.4.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> weights = fastnn.init_weights((400, 25, 10))
    >>> differences = fastnn.numerical_gradient(weights, X[::50], y[::50])
    >>> _, gradient = fastnn.cost_and_gradient(weights, X[::50], y[::50])
    >>> [np.allclose(d, dW, rtol=0.0, atol=1e-9) for d, dW in zip(differences, gradient)]
    [True, True]
    """
    weights = validation.weights(weights)
    progress = validation.optional_flag(progress, "progress")
    family: dict[str, Any] = {"activation": activation, "output": output, "sample_weight": sample_weight}
    problem = validated(X, y, network.sizes_of(weights), lmbda, **family, scale=scale)
    found = _differences(problem, weights, np.arange(problem.network.P), _step(step, problem), progress)
    return network.matrices(found.values, problem.network.sizes)


@documented
def check_gradient(
    weights: Sequence[ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    gradient: Sequence[ArrayLike] | None = None,
    engine: str = "fused",
    parameters: ArrayLike | None = None,
    directions: int | None = None,
    seed: int | np.random.Generator | None = 0,
    step: float | None = None,
    tolerance: float | None = None,
    progress: bool | None = False,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    scale: float = 1.0,
) -> GradientReport:
    """Is a gradient right? Compare it with central differences of the cost, and report.

    Parameters
    ----------
    {weights, X, y, lmbda}
    gradient : tuple of L arrays, optional
        The gradient to check, shaped like weights. Default: backpropagation by `engine`.
    {engine}
    parameters : int array, optional
        Check only these positions in theta. Default: all.
    directions : int, optional
        The quick check: move all parameters at once, along that many random directions; ten notice
        whatever changes the gradient by more than the tolerance. Two evaluations for each.
    seed : int, None or numpy.random.Generator
        Of the directions.
    step : float, optional
        As in `numerical_gradient`.
    tolerance : float, optional
        The largest norm ratio that passes; an entry passes with 100 times that. Default 1e-10, or
        1e-4 if the gradient is of float32: X, or one of the matrices passed, is; but at least the
        square of the step, which differences may be off by, and at least what rounding may leave
        where a gradient's terms cancel, as they do at an optimum.
    progress : bool, optional
        As in `numerical_gradient`.
    {activation, output, sample_weight, scale}

    Returns
    -------
    GradientReport
        `.passed`, `.relative_norm_error`, `.max_relative_error`, `.worst`, `.layers`; printable.

    {raises}

    Notes
    -----
    Along a direction v of independent standard normal entries the error e of a gradient shows as e.v,
    whose mean square is |e|**2: so a few directions estimate the norm ratio of all entries.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> weights = fastnn.init_weights((400, 25, 10))
    >>> fastnn.check_gradient(weights, X, y, lmbda=1.0).passed  # ours: all 10,285 entries, on all digits
    True
    >>> J, yours = fastnn.cost_and_gradient(weights, X, y, lmbda=1.0)
    >>> yours[1][3, 7] *= 1.01  # a mistake
    >>> report = fastnn.check_gradient(weights, X, y, lmbda=1.0, gradient=yours)
    >>> report.passed, report.worst.layer, report.worst.row, report.worst.column
    (False, 1, 3, 7)
    """
    weights = validation.weights(weights)
    progress = validation.optional_flag(progress, "progress")
    family: dict[str, Any] = {"activation": activation, "output": output, "sample_weight": sample_weight}
    problem = validated(X, y, network.sizes_of(weights), lmbda, **family, scale=scale)
    P = problem.network.P
    if parameters is not None and directions is not None:
        raise ValueError("parameters and directions are both given; one of them is wanted")
    step, generator = _step(step, problem), validation.seed(seed)
    engine = validation.choice(engine, engines.ENGINES, "engine")
    if gradient is None:
        kinds = {problem.data.X.dtype}
        a = Objective.of(problem, engine).evaluate(network.theta_of(weights))[1]
    else:
        a = network.theta_of(validation.like_weights(gradient, weights, "gradient"))
        kinds = {np.asarray(matrix).dtype for matrix in gradient}
    kind = "float32" if np.dtype(np.float32) in kinds else "float64"
    if tolerance is not None:
        tolerance = validation.real(tolerance, "tolerance", above=0.0)

    if directions is None:
        some = np.arange(P) if parameters is None else validation.parameters(parameters, P)
        found = _differences(problem, weights, some, step, progress)
        a, table = a[some], network.parameter_table(problem.network.sizes)[some]
    else:
        table = np.arange(validation.positive(directions, "directions"))[:, np.newaxis]
        V = generator.standard_normal((len(table), P))
        found = _slopes(problem, weights, V, step)
        with np.errstate(all="ignore"):
            a = V @ a
    smooth = found.kinks == 0
    a, d, sizes, table = a[smooth], found.values[smooth], found.sizes[smooth], table[smooth]
    if tolerance is None:
        unit = _unit(a, d, sizes)
        rounding = ROUNDING * np.finfo(kind).eps * np.linalg.norm(sizes / unit)
        total = np.linalg.norm(a / unit) + np.linalg.norm(d / unit)
        tolerance = float(max(TOLERANCE[kind], step**2, rounding / total if total > 0.0 else 0.0))
    layers = [table[:, 0] == l for l in range(len(weights))] if directions is None else []
    return GradientReport(
        *_compared(a, d, a, table),
        layers=tuple(Comparison(*_compared(a[layer], d[layer], a, table[layer])) for layer in layers),
        parameters=problem.network.P if directions is not None else len(some),
        directions=directions or 0,
        examples=len(problem.data.X),
        kinks=int(np.count_nonzero(~smooth)),
        step=step,
        tolerance=tolerance,
    )


def _differences(
    problem: Problem, weights: Weights, parameters: Array, step: float, progress: bool | None
) -> Differences:
    """Return the differences by the parameters at those positions in theta."""
    from .kernels import differences

    theta = network.theta_of(weights)
    table = network.parameter_table(problem.network.sizes)[parameters]
    layer, row, column = table.T
    order = np.lexsort((row, column, layer))  # the kernel shares work along a column
    found = differences.zeros(len(table))
    disable = None if progress is None else not progress
    total = len(table) * len(problem.data.X)
    counted = {"total": total, "unit": " differences", "unit_scale": True}
    with notice.progress_bar(desc="checking", leave=False, disable=disable, **counted) as bar:
        for part in _parts(problem):
            Z = differences.pre_activations(theta, part.network.layers, part.data.X)
            _finite(problem, Z)
            count = max(1, _WORK_PER_CALL // len(part.data.X))
            for first in range(0, len(table), count):
                own = order[first : first + count]
                some = differences.zeros(len(own))
                differences.numerical_gradient(theta, part, Z, step, table[own], some)
                for whole, numbers in zip(found, some, strict=True):
                    whole[own] += numbers
                bar.update(len(own) * len(part.data.X))
    return _mean(found, problem)


def _slopes(problem: Problem, weights: Weights, directions: Array, step: float) -> Differences:
    """Return the differences along those directions (V, P)."""
    from .kernels import differences

    theta, found = network.theta_of(weights), differences.zeros(len(directions))
    for part in _parts(problem):
        Z = differences.pre_activations(theta, part.network.layers, part.data.X)
        _finite(problem, Z)
        some = differences.zeros(len(directions))
        differences.slopes(theta, part, Z, step, directions, some)
        for whole, numbers in zip(found, some, strict=True):
            whole += numbers
    return _mean(found, problem)


def _parts(problem: Problem) -> Iterator[Problem]:
    """The problem in the arithmetic of float64, in parts that fit into memory; the first has all the regularisation."""
    if not isinstance(problem.data.X, Stored):
        yield problem.in_float64()
        return
    for run, X in each(problem.data.X, runs_of(problem.data.X)):
        network = problem.network if run.start == 0 else problem.network.without_regularisation()
        yield Problem(network, problem.data.chunk(run, X).in_float64())


def _finite(problem: Problem, *arrays: Array) -> None:
    """Raise ValueError if what was computed is not finite: because X is not, or a sum has overflowed."""
    if not all(np.isfinite(array).all() for array in arrays):
        if isinstance(problem.data.X, Stored):
            validation.look_through(problem.data.X)
        validation.computed((np.nan,), "weights, X, y, scale, lmbda and step")


def _mean(found: Differences, problem: Problem) -> Differences:
    """Return the means of sums over the examples; ValueError if they are not finite."""
    with np.errstate(over="ignore"):
        found = found._replace(values=found.values / problem.data.total, sizes=found.sizes / problem.data.total)
    _finite(problem, found.values, found.sizes)
    return found


def _step(step: float | None, problem: Problem) -> float:
    """Return the step that was passed, or the one of the activation."""
    return HIDDEN[problem.network.activation].step if step is None else validation.real(step, "step", above=0.0)


def _unit(*vectors: Array) -> float:
    """A power of two, about the largest entry: divided by it none has a square that overflows, or all underflow."""
    largest = max(np.abs(vector).max(initial=0.0) for vector in vectors)
    return float(2.0 ** max(np.frexp(largest)[1] - 1, -1000)) if np.isfinite(largest) else 1.0


@np.errstate(all="ignore")
def compare(gradient: Weights, numerical: Weights) -> Comparison:
    """A gradient and differences of all its entries, shaped like the weights."""
    a, d = network.theta_of(gradient), network.theta_of(numerical)
    return Comparison(*_compared(a, d, a, network.parameter_table(network.sizes_of(gradient))))


def relative_errors(a: Array, d: Array, whole: Array) -> Array:
    """Of each entry of a gradient: |a - d| / max(|a|, |d|, 1e-3 of the largest entry of the whole)."""
    unit = _unit(a, d)
    scale = np.maximum(np.maximum(np.abs(a), np.abs(d)), 1e-3 * np.abs(whole).max())
    errors = np.zeros_like(a)
    np.divide(np.abs(a / unit - d / unit), scale / unit, out=errors, where=scale != 0.0)
    return errors


def _compared(a: Array, d: Array, whole: Array, table: Array) -> tuple[float, float, Entry | Slope | None]:
    """What `Comparison` holds; a row of table says where an entry is. Of no entries, or of NaN, all is NaN."""
    if not len(a):
        return float("nan"), float("nan"), None
    unit = _unit(a, d)
    total = np.linalg.norm(a / unit) + np.linalg.norm(d / unit)
    errors = relative_errors(a, d, whole)
    worst = int(errors.argmax())
    values: list[Any] = [*table[worst].tolist(), float(a[worst]), float(d[worst])]
    place = Slope(*values) if table.shape[1] == 1 else Entry(*values)
    return float(np.linalg.norm(a / unit - d / unit) / total) if total != 0.0 else 0.0, float(errors[worst]), place
