"""L-BFGS (Byrd, Lu, Nocedal and Zhu, 1995), SciPy's implementation."""

from ...inputs.containers import Array
from ..observer import CostFunction, Observer
from . import scipy_methods

# Number of steps that L-BFGS remembers. Evaluations and time to costs of 0.5, 0.4, 0.35 and 0.32 on the digits
# (lmbda 1), median of five starts:
#   30 steps  34, 48, 73, 172 evaluations   126, 188, 299, 716 ms
#   10        36, 53, 84, 187               122, 178, 274, 595    SciPy's own number
#    5        37, 56, 92, 219               119, 164, 275, 688
# SciPy's work on them is 1.9 ms an iteration with 30 and 0.8 with 10, an evaluation 2.6 (Zen 4, 2 cores). So 30 wins
# where evaluations are longer: with 20,000 examples it takes as long as 10, with more less. "L-BFGS-B" has 10.
STEPS = 30


def run(objective: CostFunction, theta: Array, observer: Observer) -> None:
    """Minimise from theta (P,) until the observer stops it, or no step lowers the cost."""
    scipy_methods.run(objective, theta, observer, "L-BFGS-B", maxcor=STEPS)
