"""What is compared: every workload with its implementations, shapes and types. Tests and benchmarks read this list.

A case is one workload on one task. Its implementations are the rungs of the ladder, fastnn's engines, and
the peers, other libraries. They must give the same numbers, and are timed in turns.
"""

import functools
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from threadpoolctl import ThreadpoolController

import fastnn
from fastnn.benchmark import comparison, ladder
from fastnn.inputs import validation
from fastnn.model import Model
from fastnn.spec import sigmoid

from .peers import PEERS

ROOT = Path(__file__).parent.parent
DIGITS = (5_000, (400, 25, 10))

# One of m, n, hidden and depth grows, or several do, as in networks that people have. A million examples, or 60,000
# of 784 inputs, are left out: libraries fill so much fresh memory in each evaluation that two runs
# disagreed by a factor of 1.7.
SHAPES = [
    (100, (400, 25, 10)),
    (50_000, (400, 25, 10)),
    (1_797, (64, 32, 10)),
    (5_000, (1_600, 25, 10)),
    (5_000, (400, 100, 10)),
    (5_000, (400, 512, 10)),
    (5_000, (400, 64, 32, 10)),
    (5_000, (400, 25, 25, 25, 25, 10)),
    (20_000, (784, 128, 10)),
    (200_000, (28, 64, 2)),
]
DTYPES = ("float64", "float32")

# Of a network that is trained: from one row, as a service gets them, to all of a data set.
PREDICTED = [
    *((m, (400, 25, 10)) for m in (1, 100, 5_000, 100_000)),
    *((m, (784, 128, 10)) for m in (1, 1_000, 20_000)),
    (5_000, (400, 512, 10)),
    (200_000, (28, 64, 2)),
]

# The packages of the peers.
PACKAGES = ("scikit-learn", "torch", "jax", "onnxruntime", "openvino")

# For tests: every layer count, and sizes at which each run takes milliseconds.
SMALL_M, SMALL = 40, {2: (7, 3), 3: (7, 5, 3), 4: (7, 5, 4, 3), 6: (7, 5, 4, 4, 4, 3)}


def predict(task: ladder.Task, engine: str) -> ladder.Timed:
    """The outputs of a network whose weights are ready, for data that come again and again: `Model.predict_proba`."""
    X = task.X
    if engine == "fused":
        classes = np.arange(task.sizes[-1])
        call = functools.partial(Model(task.weights, classes, task.lmbda, None, None).predict_proba, X)
    else:
        layers = [(W[:, 1:].T.astype(X.dtype, order="C"), W[:, 0].astype(X.dtype)) for W in task.weights]

        def call():
            A = X
            for W, b in layers:
                Z = A @ W
                Z += b
                A = sigmoid(Z, out=Z)
            return A

    return ladder.Timed(
        call,
        want=lambda: ladder.right_outputs(task),
        tolerance=ladder.rounding(task),
        operations=ladder.forward_operations(task),
    )


LBFGS = "training, L-BFGS"
RUNGS_OF = dict.fromkeys(ladder.WORKLOADS, ("python", "loop", "numpy", "fused")) | dict.fromkeys(
    (LBFGS, "predict"), ("numpy", "fused")
)
WORKLOADS = ladder.WORKLOADS | {LBFGS: functools.partial(ladder.training, solver="L-BFGS-B"), "predict": predict}


def task(m: int, sizes: tuple[int, ...], dtype: str, lmbda: float = 1.0) -> ladder.Task:
    """The digits, or random data of that shape."""
    if (m, sizes) != DIGITS:
        return ladder.random_task(m, sizes, np.dtype(dtype), lmbda)
    X, y = fastnn.load_digits()
    return ladder.task(X.astype(dtype), y, sizes, lmbda)


class Implementation(NamedTuple):
    """A name, a function from a task to a `ladder.Timed`, and the modules it needs beyond those of fastnn."""

    name: str
    make: Callable[[ladder.Task], ladder.Timed]
    modules: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """Why it cannot run, in a sentence."""
        for module in self.modules:
            if not find_spec(module):
                package = {"sklearn": "scikit-learn"}.get(module, module)
                return validation.needs(f"the benchmark of {self.name}", package)
        return None


class Case(NamedTuple):
    """One workload on one task."""

    group: str
    workload: str
    m: int
    sizes: tuple[int, ...]
    dtype: str
    implementations: tuple[Implementation, ...]
    rounds: int = 7

    def task(self) -> ladder.Task:
        return task(self.m, self.sizes, self.dtype)

    def small_task(self) -> ladder.Task:
        return task(SMALL_M, SMALL[len(self.sizes)], self.dtype)._replace(maxiter=5)

    def implementation(self, name: str) -> Implementation:
        return next(implementation for implementation in self.implementations if implementation.name == name)

    def __str__(self) -> str:
        return f"{self.workload}, {self.m:,} x {'-'.join(map(str, self.sizes))}, {self.dtype}"


def everyone(workload: str, rungs: tuple[str, ...] | None = None, dtype: str = "float64") -> tuple[Implementation, ...]:
    """The rungs and peers of a workload; OpenVINO for float32 alone, in which it computes float64 too."""
    make = WORKLOADS[workload]
    own = [
        Implementation(comparison.RUNGS[rung], functools.partial(make, engine=rung))
        for rung in rungs or RUNGS_OF[workload]
    ]
    peers = [Implementation(name, make, modules) for name, (modules, make) in PEERS.get(workload, {}).items()]
    return (*own, *(peer for peer in peers if dtype == "float32" or peer.name != "OpenVINO"))


def with_threads(engine: str, threads: int, task: ladder.Task) -> ladder.Timed:
    """Cost and gradient on so many threads."""
    timed = ladder.gradient(task, engine)
    return timed._replace(call=limited(timed.call, threads))


def limited(function: Callable[[], Any], threads: int) -> Callable[[], Any]:
    """The function on so many threads, Numba's and BLAS's."""
    controller = ThreadpoolController()

    def call() -> Any:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            with controller.limit(limits=threads, user_api="blas"):
                return function()
        finally:
            numba.set_num_threads(before)

    return call


def thread_counts(most: int) -> list[int]:
    """1, 2, 4, ... below `most`."""
    return [2**k for k in range(20) if 2**k < most]


def on_threads() -> tuple[Implementation, ...]:
    """The engines on all threads, as everywhere, and on fewer."""
    implementations = []
    for engine in ("loop", "numpy", "fused"):
        rung = comparison.RUNGS[engine]
        implementations.append(Implementation(rung, functools.partial(ladder.gradient, engine=engine)))
        for threads in thread_counts(numba.config.NUMBA_NUM_THREADS):
            name = f"{rung}, {threads} thread{'s' if threads > 1 else ''}"
            implementations.append(Implementation(name, functools.partial(with_threads, engine, threads)))
    return tuple(implementations)


# A new process imports the library, evaluates cost and gradient once, and writes them to its output.
_START = """
import sys
sys.path.append(sys.argv[1])
import numpy as np
from bench import workloads
task = workloads.task(int(sys.argv[3]), tuple(map(int, sys.argv[4].split("-"))), sys.argv[5])
timed = workloads.implementation_of("cost and gradient", sys.argv[2]).make(task)
np.save(sys.stdout.buffer, timed.numbers(timed.call()))
"""


def implementation_of(workload: str, name: str) -> Implementation:
    return next(implementation for implementation in everyone(workload) if implementation.name == name)


def start(name: str, cold: bool, asked: ladder.Task) -> ladder.Timed:
    """The whole of a process that evaluates once; `cold`: with nothing compiled before."""
    X, sizes = asked.X, asked.sizes
    m, dtype = len(X), str(X.dtype)
    arguments = [sys.executable, "-c", _START, str(ROOT), name, str(m), "-".join(map(str, sizes)), dtype]

    def call():
        with tempfile.TemporaryDirectory() as empty:
            caches = {"FASTNN_CACHE": empty, "TORCHINDUCTOR_CACHE_DIR": empty} if cold else {}
            done = subprocess.run(arguments, env=os.environ | caches, stdout=subprocess.PIPE, check=True)
        return np.load(io.BytesIO(done.stdout))

    return ladder.Timed(
        call,
        want=lambda: ladder.right_gradient(task(m, sizes, dtype)),
        tolerance=ladder.rounding(asked),
    )


def starts() -> tuple[Implementation, ...]:
    """In new processes; those that compile are timed a second time, with empty caches."""
    implementations = []
    for name in ("NumPy", "fused", "PyTorch", "torch.compile", "JAX"):
        modules = implementation_of("cost and gradient", name).modules
        implementations.append(Implementation(name, functools.partial(start, name, False), modules))
        if name in ("fused", "torch.compile"):
            implementations.append(Implementation(f"{name}, cold", functools.partial(start, name, True), modules))
    return tuple(implementations)


COMPILED = ("loop", "numpy", "fused")

CASES = [
    *(Case("ladder", workload, *DIGITS, "float64", everyone(workload)) for workload in (*ladder.WORKLOADS, LBFGS)),
    Case("dtypes", "cost and gradient", *DIGITS, "float32", everyone("cost and gradient")),
    *(
        Case("shapes", "cost and gradient", m, sizes, dtype, everyone("cost and gradient", COMPILED), rounds=5)
        for m, sizes in SHAPES
        for dtype in DTYPES
    ),
    *(
        Case("predict", "predict", m, sizes, dtype, everyone("predict", dtype=dtype), rounds=5)
        for m, sizes in PREDICTED
        for dtype in DTYPES
    ),
    *(Case("threads", "cost and gradient on threads", *DIGITS, dtype, on_threads()) for dtype in DTYPES),
    Case("start", "new process, cost and gradient once", *DIGITS, "float64", starts(), rounds=3),
]
TITLED = {str(case): case for case in CASES}
