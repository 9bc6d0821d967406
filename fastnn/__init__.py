"""fastnn: the course's neural network, trained by compiled per-example loops.

Letters, the same everywhere:

    m  examples                      X  (m, n) inputs, one example a row
    n  inputs                        y  (m,) class indices 0..K-1, or (m, K) numbers
    K  classes, outputs              s  layer sizes (n, hidden..., K), in code `sizes`
    L  weight layers, len(s) - 1     P  number of parameters

weights  a tuple of L matrices; weights[l] is (s[l+1], s[l] + 1), and its column 0 multiplies
         the constant 1 (the bias, never regularised)
theta    all weights as one flat vector, each matrix raveled in C order, first layer first
cost     the mean over examples of the loss, plus lmbda/(2m) times the sum of squared weights
         without the biases; the loss of K sigmoid outputs is their summed cross-entropy

A gradient is called `d` + the name of what it belongs to. Importing this package loads neither
numba nor scipy; a name is loaded when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "init_weights": "network",
    "pack": "network",
    "unpack": "network",
    "forward": "objective",
    "cost_and_gradient": "objective",
    "cost_and_gradient_sums": "objective",
    "Objective": "objective",
    "generate_digits": "digits",
    "load_digits": "digits",
    "read_data": "files",
    "read_weights": "files",
    "ModelFileError": "files",
    "Model": "model",
    "load": "model",
    "train": "train",
    "resume": "train",
    "numerical_gradient": "check",
    "check_gradient": "check",
    "warmup": "warmup",
}
__all__ = [
    "Model",
    "ModelFileError",
    "Objective",
    "check_gradient",
    "cost_and_gradient",
    "cost_and_gradient_sums",
    "forward",
    "generate_digits",
    "init_weights",
    "load",
    "load_digits",
    "numerical_gradient",
    "pack",
    "read_data",
    "read_weights",
    "resume",
    "train",
    "unpack",
    "warmup",
]

if TYPE_CHECKING:
    from .check import check_gradient, numerical_gradient
    from .digits import generate_digits, load_digits
    from .files import ModelFileError, read_data, read_weights
    from .model import Model, load
    from .network import init_weights, pack, unpack
    from .objective import Objective, cost_and_gradient, cost_and_gradient_sums, forward
    from .train import resume, train
    from .warmup import warmup


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    value = getattr(import_module(f"fastnn.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    def __reduce__(self) -> Any:
        """Pickled by name, as plain modules are where functions of a notebook go to other processes."""
        return import_module, (self.__name__,)

    def __setattr__(self, name: str, value: Any) -> None:
        """`import fastnn.train` ends by binding that module here: bind its function instead."""
        if name in _HOME and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

import_module("fastnn.kernels.forks")  # it sees every fork from now on
