"""Problem: the data and the network of a cost, validated once; and what the arguments are that describe them.

A function that takes these arguments makes a `Problem` of them at its door, by `validated`, and hands that on.
`train` makes its own: there X and the labels say what the network is, so they are validated before it.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import network
from .inputs import validation
from .inputs.streams import Chosen, Stored, read, widened
from .inputs.validation import Array
from .kernels.arguments import OUTPUTS, Run, Targets

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
    "y": """
y : int array (m,) or array (m, K)
    What the outputs should be. Of each example its class index 0..K-1, an integer or a whole float, which stands
    for 1 in that output and 0 in the others; or K numbers: in [0, 1] for sigmoid outputs (several labels, soft
    labels), a distribution over the classes for a softmax, any for the identity.""",
    "lmbda": """
lmbda : float
    Regularisation, at least 0: the cost has lmbda/(2m) times the sum of the squared weights, biases left out.""",
    "engine": """
engine : {"fused", "numpy", "loop", "python"}
    What computes: the compiled tiles, NumPy, the compiled loop, or that loop in plain Python. All give the same
    numbers, to rounding.""",
    "activation": """
activation : {"sigmoid", "tanh", "relu", "identity"}
    Of the hidden layers; with the identity they are linear. "logistic", scikit-learn's name, is "sigmoid".""",
    "output": """
output : {"sigmoid", "softmax", "identity"}
    K separate sigmoids, as in the course, or one softmax over the classes; the loss of both is the cross-entropy.
    Or numbers as they are, whose loss is half the squared error, summed over the outputs.""",
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


def documented(function: Documented, arguments: dict[str, str] = ARGUMENTS) -> Documented:
    """The same function or class; each line `{name, name}` of its docstring is now what `arguments` says of them."""
    lines = []
    for line in inspect.cleandoc(function.__doc__ or "").split("\n"):
        names = line[1:-1].split(", ") if line.startswith("{") else []
        lines += [arguments[name].lstrip("\n") for name in names] or [line]
    function.__doc__ = "\n".join(lines)
    return function


def read_only(array: Any) -> Any:
    """A view that cannot be written to: of one type for numba, whatever a user brings, so that kernels compile once.

    What is not in memory comes back as it is.
    """
    if isinstance(array, Stored):
        return array
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True)
class Problem:
    """m examples, and the network whose outputs should be their targets: everything valid.

    Attributes
    ----------
    X : array (m, n), C-contiguous, of a type in KEPT; or Stored
        Like all arrays that the user brings, a view that cannot be written to.
    targets : Targets
        A class for each example, or K numbers.
    weight : float64 array (m,)
        Of the examples; empty if all are 1.
    sizes : tuple of int
        Layer sizes (n, hidden..., K).
    lmbda : float
    activation, output : str
    scale : float
        X times this goes into the network.
    layers : int64 array (L, 3)
        What kernels know of the network (`network.layer_table`).
    decay : float64 array (P,)
        lmbda for a weight, 0 for a bias.
    total : float
        The examples' weights added up; m if there are none.
    """

    X: Any  # an array, or Stored, which has a shape, a type and a length too
    targets: Targets
    weight: Array
    sizes: tuple[int, ...]
    lmbda: float = 0.0
    activation: str = "sigmoid"
    output: str = "sigmoid"
    scale: float = 1.0
    layers: Array = field(init=False)
    decay: Array = field(init=False)
    total: float = field(init=False)

    def __post_init__(self) -> None:
        validation.in_range(self.weight, self.X.dtype)
        derived = {
            "activation": validation.canonical(self.activation),
            "output": validation.canonical(self.output),
            "X": read_only(self.X),
            "targets": Targets(*map(read_only, self.targets)),
            "weight": read_only(self.weight),
            "layers": network.layer_table(self.sizes, self.activation, self.output),
            "decay": network.decay(self.sizes, self.lmbda),
            "total": float(self.weight.sum()) if len(self.weight) else float(len(self.X)),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    def without_examples(
        cls, sizes: tuple[int, ...], lmbda: float, activation: str, output: str, scale: float = 1.0
    ) -> "Problem":
        """The network and its regularisation alone, for `replace` to add examples to."""
        none = Targets(np.empty(0, np.int64), np.empty((0, sizes[-1])))
        return cls(np.empty((0, sizes[0])), none, np.empty(0), sizes, lmbda, activation, output, scale)

    def __sizeof__(self) -> int:
        return sum(some.nbytes for some in (self.X, *self.targets, self.weight) if isinstance(some, np.ndarray))

    @property
    def P(self) -> int:
        """The number of parameters."""
        return len(self.decay)

    def subset(self, examples: Array) -> "Problem":
        """The same network on the examples of those numbers."""
        classes, values = self.targets
        examples = np.flatnonzero(examples) if examples.dtype == bool else examples
        return replace(
            self,
            X=Chosen(self.X, examples) if isinstance(self.X, Stored) else self.X[examples],
            targets=Targets(
                classes[examples] if len(classes) else classes, values[examples] if len(values) else values
            ),
            weight=self.weight[examples] if len(self.weight) else self.weight,
        )

    def in_memory(self) -> "Problem":
        """The same with X read; ValueError if it holds NaN or infinities."""
        validation.look_through(self.X)
        return replace(self, X=np.array(read(self.X, 0, len(self.X))))

    def in_float64(self) -> "Problem":
        """The same in the arithmetic of float64, in memory."""
        return replace(self, X=self.inputs().astype(np.float64, copy=False), scale=1.0)

    def inputs(self, examples: Array | None = None) -> Array:
        """What goes into the network, float64 or float32: of all examples, or of those numbers."""
        if examples is None:
            X = read(self.X, 0, len(self.X))
        else:
            X = self.X.rows(examples) if isinstance(self.X, Stored) else self.X[examples]
        return widened(X, self.scale)

    def part(self, run: Run, X: Array) -> "Problem":
        """Of the examples of a run, whose X this is."""
        classes, values = (some[run.start : run.stop] if len(some) else some for some in self.targets)
        weight = self.weight[run.start : run.stop]
        return replace(self, X=X, targets=Targets(classes, values), weight=weight)

    def __str__(self) -> str:
        return f"{len(self.X):,} x {'-'.join(map(str, self.sizes))}, {self.X.dtype}"


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
    """The door: what a user passed, but for the network's sizes, which are valid; every value is looked at once.

    The examples of a `part` may weigh nothing, all together.
    """
    output = validation.choice(output, OUTPUTS, "output")
    X = validation.inputs(X, sizes[0])
    targets = validation.targets(y, len(X), sizes[-1], output)
    weight = validation.sample_weight(sample_weight, len(X), part=part)
    lmbda = validation.real(lmbda, "lmbda", minimum=0.0)
    scale = validation.real(scale, "scale", above=0.0)
    return Problem(X, targets, weight, sizes, lmbda, activation, output, scale)
