"""Ending of a training, in words and numbers, and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .spec import Array, DType

Records = np.recarray[Any, DType]

HISTORY = {"cost": np.float64, "gradient_norm": np.float64, "evaluations": np.int64, "seconds": np.float64}
VALIDATION = {"validation_cost": np.float64, "validation_score": np.float64, "regularisation": np.float64}


def history(rows: Sequence[tuple[float, ...]]) -> Records:
    """A record array with the fields of HISTORY, and of VALIDATION if the rows have them, from one tuple for each."""
    fields = [*HISTORY.items(), *VALIDATION.items()]
    return np.array(rows, dtype=fields[: len(rows[0])]).view(np.recarray)


def cost_without_regularisation(history: Records) -> tuple[Array, bool]:
    """Return (cost, comparable).

    The cost is without regularisation, and comparable with the validation cost, if the history has its regularisation.
    Else it is the minimised cost: without validation, and in older files.
    """
    names = history.dtype.names
    if not names or "regularisation" not in names or np.isnan(history.regularisation).any():
        return history.cost, False
    return history.cost - history.regularisation, True


@dataclass(frozen=True)
class Outcome:
    """Ending of a minimisation.

    Attributes
    ----------
    status : str
        "converged", "iteration limit", "precision loss", "non-finite", "target reached", "time limit",
        "evaluation limit", "no improvement", "stopped by callback" or "interrupted"; "unknown" if the
        file holds only weights; "trained by scikit-learn" if the model was made from its MLP.
    message : str
        The same in a sentence, with what to try next.
    cost, gradient_norm : float
        Of the weights that came back; the norm is the gradient's largest absolute entry.
    iterations, evaluations : int
        Of the solver, and of the cost and gradient.
    seconds : float
        Since the minimisation began, without `compile_seconds`.
    advice : str
        What kept the network from learning, and the remedy; part of `message`, and empty if nothing was seen.
    compile_seconds : float
        Time for compiling kernels or loading them from the cache: most of a first training, almost none of the next.
        On a cluster, this process's time only.
    fact, finding : str
        The parts of `message` that name no remedy: how training ended, and what kept the network from learning. Empty
        in models of earlier versions.
    remedy : str
        Name of the remedy, a key of `fastnn.outcome.REMEDIES`; empty if there is none.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> outcome = fastnn.train(X, y, maxiter=200, target_cost=1.0).outcome
    >>> outcome.status, outcome.cost <= 1.0, outcome.iterations < 200
    ('target reached', True, True)
    >>> fastnn.train(300 * X, y, maxiter=5).outcome.advice.partition(":")[0]
    '25 of 25 hidden units are saturated, X wants scaling'
    """

    status: str
    message: str
    cost: float
    gradient_norm: float
    iterations: int
    evaluations: int
    seconds: float
    advice: str = ""
    compile_seconds: float = 0.0
    fact: str = field(default="", compare=False)
    finding: str = field(default="", compare=False)
    remedy: str = field(default="", compare=False)

    def sentence(self, words: Mapping[str, str]) -> str:
        """Return `message` with other words for the remedy, such as a command's options.

        Parameters
        ----------
        words : mapping of str to str
            Words by the name of the remedy. Names that it lacks have Python's words, `fastnn.outcome.REMEDIES`.

        Returns
        -------
        str
            `message` itself, if the model is of an earlier version, which did not name remedies.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> outcome = fastnn.train(X, y, maxiter=5).outcome
        >>> outcome.remedy, outcome.sentence({}) == outcome.message
        ('maxiter', True)
        >>> outcome.sentence({"maxiter": "turn the other knob"}).partition("; ")[2]
        'turn the other knob'
        """
        return sentence_of(self.fact, Finding(self.finding, self.remedy), words) if self.fact else self.message

    def reworded(self, words: Mapping[str, str]) -> Outcome:
        """Return the outcome with other words for the remedy in `message` and `advice`.

        Parameters
        ----------
        words : mapping of str to str
            As in `sentence`.

        Returns
        -------
        Outcome

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> outcome = fastnn.train(300 * X, y, maxiter=5).outcome
        >>> outcome.reworded({"standardize": "standardize it"}).advice.partition("; ")[2]
        'standardize it'
        """
        advice = sentence_of("", Finding(self.finding, self.remedy), words) if self.finding else self.advice
        return replace(self, message=self.sentence(words), advice=advice)

    def saved(self) -> dict[str, Any]:
        """Return the fields that files and JSON output hold: all but the parts of `message`.

        Returns
        -------
        dict of str to str or number
            Earlier versions make an Outcome of them, too.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> sorted(fastnn.train(X, y, maxiter=2).outcome.saved())[:3]
        ['advice', 'compile_seconds', 'cost']
        """
        parts = ("fact", "finding", "remedy")
        return {name: value for name, value in asdict(self).items() if name not in parts}


class Finding(NamedTuple):
    """Reason that keeps a network from learning, and the name of the remedy."""

    text: str
    remedy: str


def sentence_of(fact: str, finding: Finding, words: Mapping[str, str]) -> str:
    """Join a fact, a finding and its remedy, in these words or else in Python's; each of them may be empty."""
    remedy = words.get(finding.remedy) or REMEDIES.get(finding.remedy, "")
    return "; ".join(filter(None, [fact, finding.text, remedy]))


# Remedies in Python's words, by name.
REMEDIES = {
    "maxiter": "a higher maxiter would lower the cost further",
    "max_seconds": "more time would lower the cost further",
    "max_evaluations": "more of them would lower the cost further",
    "solver": "if that is too early, try another solver or a larger lmbda",
    "smaller": "try smaller starting weights or a larger lmbda",
    "start": "weights=model.weights goes on from them",
    "resume": "fastnn.resume goes on from the checkpoint",
    "standardize": "train again with standardize=True",
    "scale": "train again with standardize=True, or with scale=1/255 if these bytes are pixels",
    "seed": "train again, from smaller weights if you passed some, else with another seed or a larger lmbda",
    "columns": "no scaling helps, columns that differ are wanted",
    "smaller start": "smaller weights are wanted",
}

# By status: how training ended, and the remedy if nothing is known to be wrong.
ENDINGS = {
    "converged": ("converged: the largest gradient entry is {norm:.1e}, at most {limits.tol:g}", ""),
    "iteration limit": ("stopped at the limit of {limits.maxiter} iterations{slope}", "maxiter"),
    "precision loss": ("stopped{slope} because rounding hides any further decrease of the cost", "solver"),
    "non-finite": (
        "stopped because the cost or its gradient became infinite or NaN on the way; "
        "these are the best weights before that",
        "smaller",
    ),
    "target reached": ("stopped because the cost, {cost:.6g}, is at most the target of {limits.target_cost:g}", ""),
    "time limit": ("stopped at the limit of {limits.max_seconds:g} seconds{waited}{slope}", "max_seconds"),
    "evaluation limit": ("stopped at the limit of {limits.max_evaluations} evaluations{slope}", "max_evaluations"),
    "no improvement": ("stopped because the validation cost had not improved for {limits.patience} iterations", ""),
    "stopped by callback": ("stopped by the callback{slope}", ""),
    "interrupted": ("interrupted{slope}; these are the best weights so far", "start"),
}
