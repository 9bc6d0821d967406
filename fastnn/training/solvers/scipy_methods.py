"""Methods of `scipy.optimize.minimize`, with SciPy's own stopping tests disabled: they can stop on a plateau."""

from typing import Any

from ...inputs.containers import Array
from ..observer import CostFunction, Observed, Observer

NEVER = 2**31 - 1  # as a limit

OPTIONS: dict[str, dict[str, Any]] = {
    "BFGS": {"gtol": 0.0, "maxiter": NEVER},
    "L-BFGS-B": {"gtol": 0.0, "ftol": 0.0, "maxiter": NEVER, "maxfun": NEVER},
    "Newton-CG": {"xtol": 0.0, "maxiter": NEVER},
    "TNC": {"gtol": 0.0, "ftol": 0.0, "xtol": 0.0, "maxfun": NEVER},
    "SLSQP": {"ftol": 0.0, "maxiter": NEVER},
    "trust-constr": {"gtol": 0.0, "xtol": 0.0, "maxiter": NEVER},
}


def run(objective: CostFunction, theta: Array, observer: Observer, method: str, **options: object) -> None:
    """Minimise from theta (P,) until the observer stops it, or no step lowers the cost."""
    from scipy.optimize import minimize

    observed = Observed(objective, observer)
    observed.iteration(theta)
    minimize(
        observed.cost_and_gradient,
        theta,
        jac=True,
        method=method,
        callback=lambda xk, *more: observed.iteration(xk),
        options=OPTIONS[method] | options,
    )
