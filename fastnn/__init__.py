"""The neural network of a first machine-learning course, trained by compiled loops.

fastnn trains fully connected networks on all examples at once, by SciPy's conjugate gradients or L-BFGS. Its engine is
the per-example loop of the course's exercise, compiled and cut into tiles until it is faster than vectorised NumPy.

From 5,000 handwritten digits to a saved model:

>>> import fastnn
>>> X, y = fastnn.load_digits()  # 20 x 20 pixels of each digit, and which digit it is
>>> model = fastnn.train(X, y, hidden=25, lmbda=1.0, validation=0.2)  # a fifth is held out
>>> f"{model.score(X[~model.held_out], y[~model.held_out]):.0%} right of the 4,000 trained on"
'97% right of the 4,000 trained on'
>>> f"{model.score(X[model.held_out], y[model.held_out]):.0%} right of the 1,000 held out"
'92% right of the 1,000 held out'
>>> model.save("digits.npz")
>>> fastnn.load("digits.npz").predict(X[::500])
array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

The public names; `help(fastnn.train)`, say, tells more of one:

Data
    load_digits             the course's 5,000 digits
    generate_digits         as many digits as you like, each turned, stretched and shifted at random
    read_data               examples and labels from a file: a table, .npz, .npy, .mat or .h5

Train and use
    train                   data in, model out; limits, validation, callbacks, checkpoints
    Model                   a trained network: predict, predict_proba, score, history, outcome

Look inside
    init_weights            random weights to start from
    forward                 the outputs of a network for every example
    cost_and_gradient       the cost and its gradient, by backpropagation
    cost_and_gradient_sums  the same before the mean is taken, for parts of the data that are added up
    Objective               cost and gradient of a flat vector, as SciPy's minimisers want them
    pack, unpack            weights as one flat vector, and back
    check_gradient          is a gradient right? A report
    numerical_gradient      the gradient by differences of the cost

Keep
    Model.save, load        a model in a file
    export                  a model as ONNX, C, safetensors or .mat, for programs without fastnn
    resume                  go on with a training that was interrupted
    read_weights            the weights alone, from a file of the course or of a model
    ModelFileError          what a damaged file raises

Elsewhere
    fastnn.estimator        FastNNClassifier and FastNNRegressor, in the place of scikit-learn's MLPs; `export` and
                            pictures take them as they take a model
    fastnn.distributed      a cluster of Dask, whose arrays `train` takes; ClusterLost
    fastnn.plot             pictures: digits, mistakes, hidden units, training, confusions, gradient check, benchmark
    fastnn --help           the command line; `python -m fastnn` is the same
    warmup                  compile all kernels now, and not at their first use

The three modules need libraries of their own: python -m pip install scikit-learn dask distributed matplotlib
installs them all. All other modules are internal.

Letters, the same everywhere:

    m  examples                      X  (m, n) inputs, one example a row
    n  inputs                        y  (m,) class indices 0..K-1, or (m, K) numbers
    K  classes, outputs              s  layer sizes (n, hidden..., K), in code `sizes`
    L  weight layers, len(s) - 1     P  number of parameters

Words that stand for one thing:

    weights  a tuple of L float64 matrices; weights[l] is (s[l+1], s[l] + 1), and its column 0
             multiplies the constant 1 (the bias, never regularised)
    theta    all weights as one flat vector, each matrix raveled in C order, first layer first
    cost     the mean over examples of the loss, plus lmbda/(2m) times the sum of squared weights
             without the biases; the loss of K sigmoid outputs is their summed cross-entropy

scikit-learn's names work too: the solver "lbfgs" is "L-BFGS-B", the activation "logistic" is "sigmoid". Models and
their files keep the second name of each.

A gradient is called `d` + the name of what it belongs to. Examples in docstrings begin with `import fastnn` and
`import numpy as np`. Importing this package loads neither numba nor scipy; a name is loaded when it is first used.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_NAMES = {
    "network": ("init_weights", "pack", "unpack"),
    "forward": ("forward",),
    "objective": ("cost_and_gradient", "cost_and_gradient_sums", "Objective"),
    "datasets.digits": ("generate_digits", "load_digits"),
    "files": ("read_data", "read_weights", "ModelFileError"),
    "model": ("Model", "load"),
    "model.export": ("export",),
    "train": ("train", "resume"),
    "check": ("numerical_gradient", "check_gradient"),
    "warmup": ("warmup",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
# Loaded when first used, as the names are. `import *` leaves them out: each needs a library that may be missing.
_MODULES = ("distributed", "estimator", "plot")
__all__ = [
    "Model", "ModelFileError", "Objective", "check_gradient", "cost_and_gradient", "cost_and_gradient_sums", "export",
    "forward", "generate_digits", "init_weights", "load", "load_digits", "numerical_gradient", "pack", "read_data",
    "read_weights", "resume", "train", "unpack", "warmup",
]  # fmt: skip

if TYPE_CHECKING:
    from . import distributed as distributed
    from . import estimator as estimator
    from . import plot as plot
    from .check import check_gradient, numerical_gradient
    from .datasets.digits import generate_digits, load_digits
    from .files import ModelFileError, read_data, read_weights
    from .forward import forward
    from .model import Model, load
    from .model.export import export
    from .network import init_weights, pack, unpack
    from .objective import Objective, cost_and_gradient, cost_and_gradient_sums
    from .train import resume, train
    from .warmup import warmup


class _Package(ModuleType):
    # These two are methods because functions of the module would be among the public ones in `help(fastnn)`.
    def __getattr__(self, name: str) -> object:
        if name in _MODULES:
            try:
                return import_module(f"fastnn.{name}")
            except ImportError as error:
                # hasattr, help and completion expect this of what is not there, and no other exception.
                raise AttributeError(str(error)) from error
        if name not in _HOME:
            raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
        value = getattr(import_module(f"fastnn.{_HOME[name]}"), name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        """The public names, without what this file imports."""
        return sorted({*__all__, *_MODULES, *(name for name in vars(self) if name.startswith("__"))})

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        """Pickled by name, as plain modules are where functions of a notebook go to other processes."""
        return import_module, (self.__name__,)

    def __setattr__(self, name: str, value: object) -> None:
        """`import fastnn.train` ends by binding that module here: bind its function instead."""
        if name in _HOME and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


class _Moved(ModuleType):
    """Module under its name in earlier versions, which pickles hold; it is loaded when an attribute is asked for."""

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(f"fastnn.{_MOVED[self.__name__]}"), name)


_MOVED = {
    "fastnn.control": "training.control",
    "fastnn.digits": "datasets.digits",
    "fastnn.export": "model.export",
    "fastnn.scaling": "inputs.scaling",
    "fastnn.solvers": "outcome",
}
sys.modules.update({name: _Moved(name) for name in _MOVED})

import_module("fastnn.runtime.forks")  # it sees every fork from now on
