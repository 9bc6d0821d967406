"""Scores of outputs: accuracy, share of examples whose labels are all right, R2."""

import numpy as np

from .inputs.containers import Array


def share(right: Array, weight: Array) -> float:
    """Return the share of examples that are right (m,), counted by their weight (m,) if it is not empty."""
    return float(weight[right].sum() / weight.sum()) if len(weight) else float(right.mean())


def r2(A: Array, T: Array, weight: Array) -> float:
    """Return R2 of outputs A (m, K) for the numbers T (m, K), the mean over the outputs.

    It is 1 - squared error / squared deviation from the mean; for a constant column of T 1 if it is met exactly, else
    0. Examples count by their weight (m,), if it is not empty.
    """
    weight = weight if len(weight) else np.ones(len(A))
    # Scaled by powers of two, lest squares overflow or all underflow: R2 does not depend on the unit.
    exponents = -np.frexp(np.maximum(np.abs(A).max(axis=0), np.abs(T).max(axis=0)))[1]
    A, T = np.ldexp(A, exponents), np.ldexp(T, exponents)
    mean = np.einsum("i,ij->j", weight, T) / weight.sum()
    error, deviation = (np.einsum("i,ij->j", weight, D**2) for D in (A - T, T - mean))
    constant = (T.min(axis=0) == T.max(axis=0)) | (deviation == 0.0)
    shares = np.where(constant, error > 0.0, error / np.where(constant, 1.0, deviation))
    return float(np.mean(1.0 - shares))
