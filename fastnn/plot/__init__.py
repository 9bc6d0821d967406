"""Pictures of the data, the network and its training. Needs matplotlib.

    digits      examples as images, with labels and predictions
    errors      the mistakes of a model, the surest first
    units       what the hidden units look for
    history     cost, validation cost and score of one training, or of several
    confusion   which labels a model takes for which
    check       the entries of a gradient against differences of the cost
    benchmark   how long every implementation took

A model may be a fitted estimator of `fastnn.estimator`, too, or a pipeline that ends in one: a `Pipeline` of
scikit-learn whose other steps are StandardScaler, MinMaxScaler or MaxAbsScaler.

Each draws into the axes `ax`, or makes a figure, and returns the figure: `figure.savefig("errors.png")`, or
`save(figure, path)`, which leaves an older file whole if it fails. A notebook shows what a cell ends with. Nothing
goes through pyplot: no figure stays open, no setting changes. Colours can be told apart by the colour-blind, and in
grey.
"""

from ..inputs import validation

try:
    import matplotlib.axes  # noqa: F401
except ImportError:
    raise ImportError(validation.needs("fastnn.plot", "matplotlib")) from None

from .canvas import save
from .curves import history
from .images import digits, errors, units
from .ladder import benchmark
from .tables import check, confusion

__all__ = ["benchmark", "check", "confusion", "digits", "errors", "history", "save", "units"]
