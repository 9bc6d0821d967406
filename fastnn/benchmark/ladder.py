"""The ladder: the same work by a loop in Python, by that loop compiled, by vectorised NumPy, and fused.

Each engine is a rung of the ladder. A *workload* makes, for a task and an engine, something `Timed`: what
to call, and how to see that it is right. `measure` times implementations in turns, those of
other libraries too.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import engines, network, objective
from ..check import numerical_gradient
from ..forward import forward as forward_pass
from ..inputs.streams import read
from ..kernels.arguments import FLOAT64
from ..problem import Problem, validated
from ..spec import Array, DType
from ..training.control import Limits
from ..training.minimize import minimize
from . import timing
from .comparison import RUNGS, Group, Reference, Result

# The loop in Python works on so many examples at most, and trains for so many iterations; its time is scaled.
PYTHON_EXAMPLES = 5_000
PYTHON_ITERATIONS = 1

# A gradient check by whole evaluations takes two for each parameter: so many parameters are timed, and their
# time is scaled. The step is the course's.
SAMPLE = {"python": 1, "loop": 10, "numpy": 10}
STEP = 1e-4

# Two trainings that round differently go apart sooner or later; they are compared after so many iterations.
COMPARED_ITERATIONS = 3


class Task(NamedTuple):
    """A problem, and the point where it is evaluated or from where it is trained."""

    problem: Problem
    theta: Array
    maxiter: int = 50

    @property
    def X(self) -> Array:
        return read(self.problem.data.X, 0, len(self.problem.data))

    @property
    def y(self) -> Array:
        """Class indices (m,)."""
        return self.problem.data.targets.classes

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.problem.network.sizes

    @property
    def lmbda(self) -> float:
        return self.problem.network.lmbda

    @property
    def weights(self) -> network.Weights:
        return network.unpack(self.theta, self.sizes)

    def part(self, m: int) -> "Task":
        """On m of the examples, evenly spaced; on all of them if there are no more."""
        examples = len(self.problem.data)
        m = min(m, examples)
        return self._replace(problem=self.problem.subset(np.arange(m) * examples // m))

    def in_float64(self) -> "Task":
        return self._replace(problem=self.problem.in_float64())

    def __str__(self) -> str:
        return str(self.problem)


def task(X: Array, y: Array, sizes: tuple[int, ...], lmbda: float = 1.0) -> Task:
    """On the user's data, from the random weights of seed 0."""
    return Task(validated(X, y, sizes, lmbda), network.pack(network.init_weights(sizes)))


def random_task(m: int, sizes: tuple[int, ...], dtype: DType = FLOAT64, lmbda: float = 1.0) -> Task:
    """Standard normal inputs, and as many examples of every class, in random order."""
    rng = np.random.default_rng([m, *sizes])
    X = rng.standard_normal((m, sizes[0]), dtype=dtype)
    return task(X, rng.permutation(m) % sizes[-1], sizes, lmbda)


class Timed(NamedTuple):
    """One implementation at one workload.

    `call` is timed; `numbers` makes a vector of what it returns, and `want` gives what that should
    be to `tolerance`, in norm. (Of a workload whose end cannot be compared, `checked` is called for
    that instead.) A call is `share` of the whole workload, which takes `operations` floating-point
    operations, if that can be said.
    """

    call: Callable[[], object]
    want: Callable[[], Array]
    tolerance: float
    numbers: Callable[[Any], Array] = np.ravel
    checked: Callable[[], object] | None = None
    share: float = 1.0
    operations: float | None = None

    def error(self, returned: object) -> float:
        """|got - want| / |want| of what the first call returned."""
        got, want = self.numbers(self.checked() if self.checked else returned), self.want()
        return float(np.linalg.norm(got - want) / np.linalg.norm(want))


Workload = Callable[[Task, str], Timed]


def rounding(task: Task) -> float:
    """What rounding may leave, in norm: sums of n or m products, each rounded, err by the root of their number."""
    return float(np.sqrt(len(task.X) + max(task.sizes)) * np.finfo(task.X.dtype).eps)


def forward(task: Task, engine: str) -> Timed:
    """The outputs of all examples."""
    part, share = _shortened(task, engine)
    return Timed(
        call=partial(forward_pass, task.weights, part.X, engine=engine),
        want=partial(right_outputs, part),
        tolerance=rounding(part),
        share=share,
        operations=forward_operations(task),
    )


def gradient(task: Task, engine: str) -> Timed:
    """Cost and gradient, at another point in every call as in a training."""
    part, share = _shortened(task, engine)
    function = objective.Objective.of(part.problem, engine)
    points = itertools.cycle([part.theta, part.theta + 1e-9])
    return Timed(
        call=lambda: function.evaluate(next(points)),
        want=partial(right_gradient, part),
        tolerance=rounding(part),
        numbers=lambda returned: np.append(returned[1], returned[0]),
        share=share,
        operations=gradient_operations(task),
    )


def differences(task: Task, engine: str) -> Timed:
    """The gradient by central differences; but for "fused" by two whole evaluations for each parameter."""
    if engine != "fused":
        module, layers = engines.module(engine), network.layer_table(task.sizes, "sigmoid", "sigmoid")
        A = np.empty((len(task.X), task.sizes[-1]))

        def cost(theta: Array) -> float:
            module.forward(theta, layers, task.X, task.problem.data.scale, A)
            return cross_entropy(A, task) + penalty(theta, task)

        return whole_differences(task, cost, SAMPLE[engine])
    return Timed(
        call=partial(numerical_gradient, task.weights, task.X, task.y, task.lmbda),
        want=lambda: right_gradient(task)[:-1],
        tolerance=DIFFERENCES_TOLERANCE,
        numbers=network.pack,
    )


def training(task: Task, engine: str, solver: str = "cg") -> Timed:
    """From data to the weights of lowest cost."""
    part, share = _shortened(task, engine)
    iterations, evaluations = part.maxiter, trained(part, solver, part.maxiter)[1]
    if engine == "python":
        iterations = min(iterations, PYTHON_ITERATIONS)
        share *= trained(part, solver, iterations)[1] / evaluations
    return Timed(
        call=partial(trained, part, solver, iterations, engine),
        want=partial(right_training, part, solver),
        tolerance=TRAINING_FACTOR * rounding(part),
        numbers=lambda returned: returned[0],
        checked=partial(trained, part, solver, COMPARED_ITERATIONS, engine),
        share=share,
        operations=evaluations * gradient_operations(task),
    )


def trained(task: Task, solver: str, maxiter: int, engine: str = "fused") -> tuple[Array, int]:
    """Weights (P,) after so many iterations, and how many evaluations that took: what `fastnn.train` does."""
    function = objective.Objective.of(task.problem, engine)
    theta, outcome, _ = minimize(function, task.theta, solver, Limits(maxiter))
    return theta, outcome.evaluations


WORKLOADS: dict[str, Workload] = {
    "forward": forward,
    "cost and gradient": gradient,
    "gradient check": differences,
    "training": training,
}

# The stencil's own error, step**2/6 of the third derivative, and what subtracting two costs leaves, are
# 1e-9 of the gradient; a gradient that is wrong by 1e-6 must be seen.
DIFFERENCES_TOLERANCE = 1e-7

# How much further apart than their gradients a few iterations may bring two trainings: their line searches
# divide differences of the cost by the step. On random data 600 times was seen; a gradient that is
# wrong by 1e-6 must be seen too.
TRAINING_FACTOR = 1e5


def _shortened(task: Task, engine: str) -> tuple[Task, float]:
    """A task with as many examples as the engine can work on again and again, and their share."""
    part = task.part(PYTHON_EXAMPLES) if engine == "python" else task
    return part, len(part.X) / len(task.X)


def right_outputs(task: Task) -> Array:
    """What `forward` should give, (m K,): by the reference, in float64."""
    return forward_pass(task.weights, task.in_float64().X, engine="numpy").ravel()


def right_gradient(task: Task) -> Array:
    """What `gradient` should give, (P + 1,), the cost last: by the reference, in float64."""
    cost, gradient = objective.Objective.of(task.problem.in_float64(), "numpy").evaluate(task.theta)
    return np.append(gradient, cost)


def right_training(task: Task, solver: str) -> Array:
    """What `training` should give after a few iterations, (P,): by the reference, in float64."""
    return trained(task.in_float64(), solver, COMPARED_ITERATIONS, "numpy")[0]


def whole_differences(task: Task, cost: Callable[[Array], float], count: int) -> Timed:
    """(J(theta_p + STEP) - J(theta_p - STEP)) / (2 STEP) for the `count` parameters of the largest gradient."""
    gradient = right_gradient(task)[:-1]
    parameters = np.argsort(-np.abs(gradient))[:count]
    theta = task.theta.copy()

    def call() -> Array:
        numbers = []
        for p in parameters:
            here = theta[p]
            theta[p] = here + STEP
            up = cost(theta)
            theta[p] = here - STEP
            numbers.append((up - cost(theta)) / (2.0 * STEP))
            theta[p] = here
        return np.array(numbers)

    return Timed(
        call, want=lambda: gradient[parameters], tolerance=DIFFERENCES_TOLERANCE, share=len(parameters) / len(theta)
    )


def cross_entropy(A: Array, task: Task) -> float:
    """The mean loss, by the textbook's formula from outputs (m, K)."""
    own = A[np.arange(len(A)), task.y]
    return float(np.log1p(-own).sum() - np.log(own).sum() - np.log1p(-A).sum()) / len(A)


def penalty(theta: Array, task: Task) -> float:
    """What the regularisation adds to the cost."""
    squares = sum(float(np.square(W[:, 1:]).sum()) for W in network.matrices(theta, task.sizes))
    return task.lmbda / (2 * len(task.X)) * squares


def forward_operations(task: Task) -> float:
    """A product and a sum for each example and parameter."""
    return 2.0 * len(task.X) * len(task.theta)


def gradient_operations(task: Task) -> float:
    """Forward, the same again for the weights' gradients, and the deltas of the hidden layers."""
    deltas = sum(below * above for below, above in itertools.pairwise(task.sizes[1:]))
    return 2.0 * len(task.X) * (2 * len(task.theta) + deltas)


def first_call(timed: Timed) -> tuple[float, float]:
    """Seconds of an implementation's first call, in which code is compiled or read from a cache; and its error.

    Raises
    ------
    ArithmeticError
        If the numbers are not the reference's to `timed.tolerance`.
    """
    start = time.perf_counter()
    returned = timed.call()
    seconds = time.perf_counter() - start
    error = timed.error(returned)
    if not error <= timed.tolerance:
        raise ArithmeticError(f"differs from the reference by {error:.1e}; at most {timed.tolerance:.1e} is wanted")
    return seconds, error


def measure(
    title: str,
    implementations: Mapping[str, Timed],
    first: Mapping[str, tuple[float, float]],
    dtype: DType,
    rounds: int,
    progress: Callable[[], object] = lambda: None,
) -> Group:
    """Let them run in turns, the references of that type too; `first` is what `first_call` gave for each."""
    (gemm, gemm_operations), (peak, peak_operations) = timing.gemm(dtype), timing.peak(dtype)
    calls: dict[str, Callable[[], object]] = {name: timed.call for name, timed in implementations.items()}
    seconds = timing.interleave(calls | {"reference GEMM": gemm, "peak": peak}, rounds, progress)
    results = {}
    for name, timed in implementations.items():
        first_seconds, error = first[name]
        compiling = max(0.0, first_seconds - float(np.median(seconds[name])))
        results[name] = Result(seconds[name] / timed.share, error, compiling, timed.operations, timed.share)
    return Group(
        title,
        results,
        gemm=Reference(seconds["reference GEMM"], gemm_operations),
        peak=Reference(seconds["peak"], peak_operations),
    )


# Limits that let `measure_all` end within a minute on two cores: multiplications and additions of an
# evaluation, seconds of a gradient check by "fused", and of a training by the three compiled rungs.
ROUNDS = 3
EVALUATION_LIMIT, CHECK_SECONDS, TRAINING_SECONDS = 1e9, 1.5, 0.8


def examples_within_limit(sizes: tuple[int, ...]) -> int:
    """How many examples an evaluation may have within EVALUATION_LIMIT."""
    return max(1, int(EVALUATION_LIMIT / (4 * network.parameter_count(sizes))))


def examples_checked(task: Task) -> int:
    """How many examples a gradient check by "fused" may have within CHECK_SECONDS, by the time that a few take."""
    part = task.part(200)
    check = differences(part, "fused").call
    check()  # compiles
    start = time.perf_counter()
    check()
    return max(1, int(len(part.X) * CHECK_SECONDS / (time.perf_counter() - start)))


def measure_all(whole: Task, progress: Callable[[str, int], object]) -> list[Group]:
    """Measure every rung at every workload; `progress(workload, done)` is called when `done` more of STEPS are over."""
    groups: list[Group] = []
    for name, workload in WORKLOADS.items():
        task, about = whole, ""
        if name == "gradient check":
            task = whole.part(examples_checked(whole))
        elif name == "training":
            others = [groups[1].results[rung] for engine, rung in RUNGS.items() if engine != "python"]
            evaluation = sum(float(np.median(result.seconds)) for result in others)
            task = whole._replace(maxiter=int(np.clip(TRAINING_SECONDS / (2.2 * evaluation), 1, whole.maxiter)))
            about = f", {task.maxiter} iteration{'s' if task.maxiter > 1 else ''}"
        progress(name, 0)
        timed, first = {}, {}
        for engine, rung in RUNGS.items():
            timed[rung] = workload(task, engine)
            first[rung] = first_call(timed[rung])
            progress(name, 1)
        title = f"{name}{about}, {task}"
        groups.append(measure(title, timed, first, task.X.dtype, ROUNDS, partial(progress, name, 1)))
    return groups


# A first call of each rung, then blocks of each rung and of the two references.
STEPS = len(WORKLOADS) * (len(RUNGS) + (len(RUNGS) + 2) * ROUNDS)
