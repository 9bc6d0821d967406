"""Network and data of a cost, validated once, and the documentation of the arguments that describe them.

Public functions make a `Problem` of these arguments by `validated`, and pass that on. `train` makes the data first,
because X and y say how many inputs and outputs the network has.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import network, targets
from .inputs import validation
from .inputs.streams import Chosen, Stored, read, widened
from .kernels.arguments import Run, Targets
from .spec import HIDDEN, OUTPUTS, Array, quoted

# Lines that documentation of arguments takes from the rows of `spec`.
_FORMULAS = ", ".join(f'"{name}" {row.doc}' for name, row in HIDDEN.items())
_ALIASES = " and ".join(f'"{alias}", which is "{name}"' for name, row in HIDDEN.items() for alias in row.aliases)
_TARGETS = ", ".join(f"{row.loss.targets} for {name}" for name, row in OUTPUTS.items())
_OUTPUTS = "\n".join(f'    "{name}": {row.doc}; the loss is {row.loss.name}.' for name, row in OUTPUTS.items())

# What docstrings say of the arguments that many functions share: `documented` puts it in place of {name, name}.
ARGUMENTS = {
    "weights": """
weights : tuple of L arrays
    weights[l] is (s[l+1], s[l] + 1), column 0 the biases.""",
    "sizes": """
sizes : sequence of int
    Layer sizes (n, hidden..., K).""",
    "X": """
X : array or frame (m, n)
    Inputs, one example a row, none missing. A C-contiguous array is used in place: do not change it meanwhile.
    Products with float32 are computed in float32; parameters and results are float64 all the same. Bytes (uint8)
    and float16 stay what they are, and become float64 block by block. What is larger than memory is read one run of
    examples at a time: a memory map (`np.memmap`, `np.load(..., mmap_mode="r")`), a dataset of h5py or zarr, or
    whatever else has a shape, a dtype and gives an array for X[start:stop].""",
    "scale": """
scale : float
    What X is multiplied by, greater than 0: 1 / 255 for bytes that are pixels.""",
    "y": f"""
y : int array (m,) or array (m, K)
    What the outputs should be. Of each example its class index 0..K-1, an integer or a whole float, which stands
    for 1 in that output and 0 in the others; or K numbers, such as several labels or soft ones:
    {_TARGETS}.""",
    "lmbda": """
lmbda : float
    Regularisation, at least 0: the cost has lmbda/(2m) times the sum of the squared weights, biases left out.""",
    "engine": """
engine : {"fused", "numpy", "loop", "python"}
    What computes: the compiled tiles, NumPy, the compiled loop, or that loop in plain Python. All give the same
    numbers, to rounding.""",
    "activation": f"""
activation : {quoted(HIDDEN)}
    Activation of the hidden layers: {_FORMULAS}.
    scikit-learn's names work too: {_ALIASES}.""",
    "output": f"""
output : {quoted(OUTPUTS)}
    Activation of the output, which decides the loss:

{_OUTPUTS}""",
    "sample_weight": """
sample_weight : array (m,), optional
    How much each example counts, at least 0; 2 is as if it were there twice.""",
    "raises": """
Raises
------
ValueError, TypeError
    If an argument does not fit, or a sum overflows. Nothing that was passed is changed then.""",
}

Documented = TypeVar("Documented", bound=Callable[..., Any])
AnyArray = TypeVar("AnyArray", Array, Array | Stored)


def documented(function: Documented, arguments: dict[str, str] = ARGUMENTS) -> Documented:
    """Replace each line `{name, name}` of a docstring by the texts of these arguments."""
    lines = []
    for line in inspect.cleandoc(function.__doc__ or "").split("\n"):
        names = line[1:-1].split(", ") if line.startswith("{") else []
        lines += [arguments[name].lstrip("\n") for name in names] or [line]
    function.__doc__ = "\n".join(lines)
    return function


def read_only(array: AnyArray) -> AnyArray:
    """Return a read-only view: one type for Numba, whatever the user passes, so that kernels compile once.

    X that is not in memory comes back unchanged.
    """
    if isinstance(array, Stored):
        return array
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True)
class Network:
    """Layers of a network, and its regularisation.

    Attributes
    ----------
    sizes : tuple of int
        Layer sizes (n, hidden..., K).
    lmbda : float
    activation, output : str
    layers : int64 array (L, 3)
        The network as kernels read it (`network.layer_table`).
    decay : float64 array (P,)
        lmbda for a weight, 0 for a bias.
    """

    sizes: tuple[int, ...]
    lmbda: float = 0.0
    activation: str = "sigmoid"
    output: str = "sigmoid"
    layers: Array = field(init=False)
    decay: Array = field(init=False)

    def __post_init__(self) -> None:
        derived = {
            "activation": validation.canonical(self.activation),
            "output": validation.canonical(self.output),
            "layers": network.layer_table(self.sizes, self.activation, self.output),
            "decay": network.decay(self.sizes, self.lmbda),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def P(self) -> int:
        """Number of parameters."""
        return len(self.decay)

    def without_regularisation(self) -> "Network":
        """Return the network with lmbda 0."""
        return replace(self, lmbda=0.0)


@dataclass(frozen=True)
class Data:
    """m examples with their targets, everything valid.

    Attributes
    ----------
    X : array (m, n), C-contiguous, of a type in KEPT; or Stored
        Like all arrays that the user passes, a read-only view.
    targets : Targets
        A class for each example, or K numbers.
    weight : float64 array (m,)
        Weights of the examples; empty if all are 1.
    scale : float
        X times this goes into the network.
    total : float
        Sum of the weights; m if there are none.
    """

    X: Array | Stored
    targets: Targets
    weight: Array
    scale: float = 1.0
    total: float = field(init=False)

    def __post_init__(self) -> None:
        validation.in_range(self.weight, self.X.dtype)
        derived = {
            "X": read_only(self.X),
            "targets": Targets(*map(read_only, self.targets)),
            "weight": read_only(self.weight),
            "total": float(self.weight.sum()) if len(self.weight) else float(len(self.X)),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.X)

    def __sizeof__(self) -> int:
        return sum(array.nbytes for array in (self.X, *self.targets, self.weight) if isinstance(array, np.ndarray))

    def subset(self, examples: Array) -> "Data":
        """Return the examples with these numbers, or those where a mask is True."""
        examples = np.flatnonzero(examples) if examples.dtype == bool else examples
        return replace(
            self,
            X=Chosen(self.X, examples) if isinstance(self.X, Stored) else self.X[examples],
            targets=self.targets.take(examples),
            weight=self.weight[examples] if len(self.weight) else self.weight,
        )

    def chunk(self, run: Run, X: Array) -> "Data":
        """Return the examples of a run, whose inputs are X."""
        rows = slice(run.start, run.stop)
        return replace(self, X=X, targets=self.targets.take(rows), weight=self.weight[rows])

    def in_memory(self) -> "Data":
        """Return the data with X read into memory; raise ValueError if it holds NaN or infinities."""
        validation.look_through(self.X)
        return replace(self, X=np.array(read(self.X, 0, len(self.X))))

    def in_float64(self) -> "Data":
        """Return the data in memory, with X in float64 and scaled."""
        return replace(self, X=self.inputs().astype(np.float64, copy=False), scale=1.0)

    def inputs(self, examples: Array | None = None) -> Array:
        """Return the inputs of the network, float64 or float32, for all examples or those with these numbers."""
        if examples is None:
            X = read(self.X, 0, len(self.X))
        else:
            X = self.X.rows(examples) if isinstance(self.X, Stored) else self.X[examples]
        return widened(X, self.scale)


class Problem(NamedTuple):
    """Network and data: all that a cost depends on, except the weights."""

    network: Network
    data: Data

    def subset(self, examples: Array) -> "Problem":
        return self._replace(data=self.data.subset(examples))

    def in_float64(self) -> "Problem":
        return self._replace(data=self.data.in_float64())

    def __str__(self) -> str:
        return f"{len(self.data):,} x {'-'.join(map(str, self.network.sizes))}, {self.data.X.dtype}"


def validated(
    X: ArrayLike,
    y: ArrayLike,
    sizes: tuple[int, ...],
    lmbda: float = 0.0,
    *,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    scale: float = 1.0,
    part: bool = False,
) -> Problem:
    """Return the problem of a user's arguments, each looked at once; `sizes` are valid already.

    The weights of a `part` of the data may all be 0.
    """
    output = validation.choice(output, OUTPUTS, "output")
    X = validation.inputs(X, sizes[0])
    encoded = targets.validated_targets(y, len(X), sizes[-1], output)
    weight = validation.sample_weight(sample_weight, len(X), part=part)
    lmbda = validation.real(lmbda, "lmbda", minimum=0.0)
    scale = validation.real(scale, "scale", above=0.0)
    data = Data(X, encoded, weight, scale)
    return Problem(Network(sizes, lmbda, activation, output), data)
