"""Solvers by name: a function `run`, in a file of its own or SciPy's, and a line in SOLVERS.

`run(objective, theta, observer)` minimises from theta (P,), which it may change. It reports the start and every
iteration to the observer (`observer.iteration`), and between them every evaluation, and computes until a report raises
`Stop`; it returns only if it finds no way down any more. Limits, the best point, history, callbacks, Ctrl-C and
checkpoints are not its business. A solver that asks for cost and gradient of all examples, at one point after another,
wraps the objective in `Observed`, which does the reporting. A checkpoint then has the log of its evaluations, from
which it is replayed.

A solver with a state of its own sets `has_state` and gives that state to `observer.iteration`, as arrays by name. If
the training is resumed, `observer.state` has them, and the first report repeats the one that they were given to. Adam
would be such a solver:

    def run(objective, theta, observer, *, learning_rate, ...):
        state = observer.state or first state: "theta" "m" "v" (P,), "step" "epoch", "cost" of all examples
        while True:
            observer.iteration(state["theta"], state["cost"], state=state)   # an epoch is an iteration
            for batch in batches of the data set, in an order drawn from the seed and the epoch:
                cost, gradient = the objective of that batch at theta
                observer.batch(cost)   # counts, and ends the training at the limits on time and evaluations
                move theta by m and v
            the next epoch's state, its cost the mean over the batches

It gives no gradient norm, as none is computed of all examples: the history has NaN, and its point counts for the best
one by that cost, or by the validation cost with patience.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import cg, scipy_methods

SCIPY = ("scipy.optimize",)

# Number of steps that L-BFGS remembers. Evaluations and time to costs of 0.5, 0.4, 0.35 and 0.32 on the digits
# (lmbda 1), median of five starts:
#   30 steps  34, 48, 73, 172 evaluations   126, 188, 299, 716 ms
#   10        36, 53, 84, 187               122, 178, 274, 595    SciPy's own number
#    5        37, 56, 92, 219               119, 164, 275, 688
# SciPy's work on them is 1.9 ms an iteration with 30 and 0.8 with 10, an evaluation 2.6 (Zen 4, 2 cores). So 30 wins
# where evaluations are longer: with 20,000 examples it takes as long as 10, with more less. "L-BFGS-B" has 10.
STEPS = 30


@dataclass(frozen=True)
class Solver:
    """Solver as a training runs it.

    Attributes
    ----------
    run : callable
        `run(objective, theta, observer)`.
    libraries : tuple of str
        Modules that it imports, which are loaded before the time is taken.
    blas_threads : bool
        BLAS may use its threads: the solver keeps its vectors away from them. Else it is held to one, because they go
        on spinning on the cores that kernels need: 8.2 ms an evaluation with L-BFGS, 2.9 when held (the course's
        network, 2 cores).
    has_state : bool
        It gives its state, instead of having its evaluations replayed.
    """

    run: Callable[..., None]
    libraries: tuple[str, ...] = ()
    blas_threads: bool = False
    has_state: bool = False


SOLVERS = {
    "cg": Solver(cg.run, SCIPY, blas_threads=True),
    "l-bfgs": Solver(partial(scipy_methods.run, method="L-BFGS-B", maxcor=STEPS), SCIPY),
    **{
        method: Solver(partial(scipy_methods.run, method=method), SCIPY)
        for method in ("L-BFGS-B", "BFGS", "Newton-CG", "TNC", "SLSQP", "trust-constr")
    },
}
