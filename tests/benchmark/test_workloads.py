"""What the benchmarks compare is the same: engines and peers, at every workload, shape and type."""

import functools

import numpy as np
import pytest

from bench import workloads
from bench.workloads import CASES, Implementation
from fastnn import network, objective
from fastnn.benchmark import comparison, ladder

pytestmark = pytest.mark.filterwarnings("default")  # other libraries warn of what is theirs to mend

FAULT = 1e-6  # of one weight's gradient, what must be seen

# Each implementation at each of its workloads once, however many shapes it is timed at.
IMPLEMENTATIONS = {
    (case.workload, implementation.name, case.dtype): implementation
    for case in CASES
    for implementation in case.implementations
    if case.group in ("ladder", "dtypes", "predict")
}
each_implementation = pytest.mark.parametrize(
    ("workload", "name", "dtype"), IMPLEMENTATIONS, ids=lambda value: value.replace(", ", "-").replace(" ", "_")
)

# One hidden layer and two, none of a tile's or a vector's size. (The edges of blocks: tests/engines/test_engines.py.)
SHAPES = [(15, (7, 5, 3)), (16, (7, 5, 3)), (33, (30, 9, 5, 4))]


def made(implementation: Implementation, task: ladder.Task) -> ladder.Timed:
    if implementation.missing:
        pytest.skip(implementation.missing)
    return implementation.make(task)


@each_implementation
@pytest.mark.parametrize(("m", "sizes"), SHAPES, ids=str)
def test_same_numbers(workload, name, dtype, m, sizes):
    if name == "torch.compile" and m != 15:
        pytest.skip("a compilation takes 20 s; one shape, and those of bench/, are enough")
    task = workloads.task(m, sizes, dtype)._replace(maxiter=5)
    timed = made(IMPLEMENTATIONS[workload, name, dtype], task)
    _, error = ladder.first_call(timed)
    assert error <= timed.tolerance


def perturbed(timed, entry, fault):
    """The same implementation, with a fault in one entry of what is compared."""

    def numbers(returned):
        got = np.array(timed.numbers(returned))
        got[entry] += fault(got[entry], np.linalg.norm(got))
        return got

    return timed._replace(numbers=numbers)


@pytest.mark.slow
@each_implementation
def test_fault_in_any_entry_is_seen(workload, name, dtype):
    """In float64 each entry wrong by 1e-6 of itself; in float32, whose own rounding is a tenth of that, of the norm.

    An entry smaller than 1e-9 of the norm could pass; these networks have none. Differences of costs and
    trainings are compared to 1e-7 and to 1e-10 of the norm: there the fault is 1e-6 of the norm too.
    """
    task = workloads.task(4, (3, 2, 2), dtype)._replace(maxiter=5)
    timed = made(IMPLEMENTATIONS[workload, name, dtype], task)
    returned = timed.call()
    count = len(timed.numbers(returned))
    own = dtype == "float64" and timed.tolerance < 1e-12
    for entry in range(count):
        fault = (lambda value, norm: FAULT * value) if own else (lambda value, norm: FAULT * norm)
        assert timed.error(returned) <= timed.tolerance
        assert not perturbed(timed, entry, fault).error(returned) <= timed.tolerance, entry
    nothing = timed._replace(numbers=lambda returned: np.full(count, np.nan))
    with pytest.raises(ArithmeticError, match="differs from the reference by nan"):
        ladder.first_call(nothing)


@pytest.mark.parametrize("engine", ["python", "loop", "fused"])
@pytest.mark.parametrize(
    "make", [ladder.gradient, ladder.training, functools.partial(ladder.training, solver="l-bfgs")]
)
def test_fault_inside_an_engine_is_seen(engine, make, monkeypatch):
    """The largest entry of the gradient wrong by 1e-6 of itself, in every evaluation."""
    task = workloads.task(40, (7, 5, 3), "float64")._replace(maxiter=5)
    ladder.first_call(make(task, engine))
    right = objective.Objective.evaluate

    def wrong(self, theta):
        cost, gradient = right(self, theta)
        gradient = gradient.copy()
        if self._engine.__name__ == f"fastnn.engines.{engine}":
            gradient[np.abs(gradient).argmax()] *= 1.0 + FAULT
        return cost, gradient

    monkeypatch.setattr(objective.Objective, "evaluate", wrong)
    with pytest.raises(ArithmeticError, match="differs from the reference by"):
        ladder.first_call(make(task, engine))


def test_fault_inside_scikit_learn_is_seen(monkeypatch):
    """Its gradient is not public: a fault in what its backpropagation returns shows in the trained weights."""
    pytest.importorskip("sklearn", reason=IMPLEMENTATIONS["forward", "scikit-learn", "float64"].missing)
    from sklearn.neural_network import MLPClassifier

    right = MLPClassifier._loss_grad_lbfgs

    def wrong(self, *arguments):
        cost, gradient = right(self, *arguments)
        gradient[np.abs(gradient).argmax()] *= 1.0 + FAULT
        return cost, gradient

    task = workloads.task(40, (7, 5, 3), "float64")._replace(maxiter=5)
    implementation = IMPLEMENTATIONS["training, L-BFGS", "scikit-learn", "float64"]
    ladder.first_call(implementation.make(task))
    monkeypatch.setattr(MLPClassifier, "_loss_grad_lbfgs", wrong)
    with pytest.raises(ArithmeticError, match="differs from the reference by"):
        ladder.first_call(implementation.make(task))


def test_every_group_is_there():
    assert {case.group for case in CASES} == {"ladder", "dtypes", "shapes", "predict", "threads", "start"}
    assert {case.workload for case in CASES if case.group in ("ladder", "predict")} == set(workloads.WORKLOADS)
    for case in CASES:
        names = [implementation.name for implementation in case.implementations]
        assert comparison.BASELINE in names
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("absent", "want"),
    [
        ("sklearn", {"scikit-learn"}),
        ("torch", {"PyTorch", "torch.compile", "torch.compile, cold"}),
        ("jax", {"JAX"}),
        ("onnxruntime", {"ONNX Runtime"}),
        ("openvino", {"OpenVINO"}),
        ("onnx", {"ONNX Runtime", "OpenVINO"}),  # it writes the graph that both read
    ],
)
def test_whoever_needs_what_is_not_installed_is_skipped(absent, want, monkeypatch):
    monkeypatch.setattr(workloads, "find_spec", lambda module: None if module == absent else module)
    missing = {each.name: each.missing for case in CASES for each in case.implementations if each.missing}
    assert set(missing) == want
    package = {"sklearn": "scikit-learn"}.get(absent, absent)
    for name, sentence in missing.items():
        assert sentence == f"the benchmark of {name} needs {package}: python -m pip install {package}"


def test_torch_compile_is_never_eager(monkeypatch):
    """PyTorch runs a function eagerly once it has 8 graphs of it: ten networks in one process need ten."""
    implementation = IMPLEMENTATIONS["cost and gradient", "torch.compile", "float64"]
    torch = pytest.importorskip("torch", reason=implementation.missing)
    # Graphs are made and kept as always, but not turned into C++, which takes seconds for each.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    tasks = [workloads.task(15, (7, *[5] * depth, 3), dtype) for depth in range(1, 6) for dtype in workloads.DTYPES]
    for task in tasks:
        timed = implementation.make(task)
        returned = timed.call()
        assert type(returned[0].grad_fn).__name__ == "CompiledFunctionBackward", task.sizes
        assert timed.error(returned) <= timed.tolerance

    # All made before the first is called, they share the limit: whoever exceeds it says so.
    together = [implementation.make(task) for task in tasks]
    for timed in together[:8]:
        timed.call()
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        together[8].call()


def test_operations():
    """Of 2 examples and a 3-2-2 network, 14 parameters: by hand."""
    task = workloads.task(2, (3, 2, 2), "float64")
    assert ladder.forward_operations(task) == 2 * 2 * 14
    assert ladder.gradient_operations(task) == 2 * 2 * (2 * 14 + 4)
    assert network.parameter_count((3, 2, 2)) == 14
