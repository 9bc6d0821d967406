"""Activations: their values, their slopes, and how far they move.

Matrices are flat, one example a row. A code is one number for a whole layer, so that the choice
is made outside the loops over numbers, and one compiled engine serves all.
"""

from ..runtime.jit import EXACT, apart, inner
from ..spec import IDENTITY, RELU, SIGMOID, SOFTMAX, TANH
from .elementary import exp, expm1, like, sigmoid, tanh


@apart
def activate(A, units, code):
    """A (examples, units), the pre-activations, become the activations; of the identity they are that already."""
    if code == SIGMOID:
        for i in range(len(A)):
            A[i] = sigmoid(A[i])
    elif code == TANH:
        for i in range(len(A)):
            A[i] = tanh(A[i])
    elif code == RELU:
        for i in range(len(A)):
            A[i] = like(A[i], 0.0) if A[i] < like(A[i], 0.0) else A[i]  # NaN stays
    elif code == SOFTMAX:
        for i in range(0, len(A), units):
            exponentials(A[i : i + units], A[i : i + units])
            total = 0.0
            for k in range(i, i + units):
                total += A[k]
            for k in range(i, i + units):
                A[k] /= total


@inner()
def scale_by_slope(A, E, code):
    """E *= the slope of the activation where its value is A; of the identity that is 1."""
    if code == SIGMOID:
        for i in range(len(A)):
            E[i] *= A[i] * (like(A[i], 1.0) - A[i])
    elif code == TANH:
        for i in range(len(A)):
            E[i] *= (like(A[i], 1.0) - A[i]) * (like(A[i], 1.0) + A[i])
    elif code == RELU:
        for i in range(len(A)):
            E[i] = E[i] if A[i] > like(A[i], 0.0) else like(A[i], 0.0)


@inner()
def exponentials(z, e):
    """e = exp(z - the largest z); says which that is. e may be z itself."""
    top = 0
    for k in range(1, len(z)):
        top = k if z[k] > z[top] else top
    largest = z[top]
    for k in range(len(z)):
        e[k] = exp(z[k] - largest)
    return top


# For the gradient check, without fast mathematics. When the pre-activation z of a hidden unit moves by d, it moves by
#
#     sigmoid   p q E / (1 + p E)    p = sigmoid(z), q = sigmoid(-z), E = exp(d) - 1
#     tanh      twice that, of 2 z and 2 d, since tanh(z) = 2 sigmoid(2 z) - 1
#     relu      d, or 0, or what is left of d beyond the kink    p = z
#     identity  d
#
# which is so for a d of any size; and no two numbers that are nearly equal are subtracted. For |d| <= TINY the same
# E / (1 + p E) is d + d**2 (h + d (h**2 - 1/12)) with h = 1/2 - p, to |d|**3 / 24 = 2.3e-18 of itself.


@inner(EXACT)
def activation(z, code):
    """Of a hidden unit."""
    if code == TANH:
        return tanh(z)
    if code == RELU:
        return max(z, 0.0)
    if code == IDENTITY:
        return z
    return sigmoid(z)


@inner(EXACT)
def before_move(z, chosen, code, p, q):
    """p of the formulas above, and q = p q, for the chosen examples of one unit, as far as they need them.

    Of tanh q is twice that.
    """
    if code == RELU:
        for i in range(len(chosen)):
            p[i] = z[chosen[i]]
    elif code != IDENTITY:
        scale = 2.0 if code == TANH else 1.0
        for i in range(len(chosen)):
            p[i] = scale * z[chosen[i]]
        for i in range(len(chosen)):
            q[i] = scale * (sigmoid(-p[i]) * sigmoid(p[i]))
            p[i] = sigmoid(p[i])


@inner(EXACT)
def move(factors, z, p, q, code, tiny, d, count):
    """d = how far units move, a row each, when their pre-activations move by factor * z; how many pass a kink.

    Of each row the first `count` numbers; z has a row for each too, or one for all. `tiny`: no |factor * z| is more
    than half of TINY. No |d| is larger than that. (A call for each unit took 1.07 times as long, in all; exp(d) - 1 and
    the series of 1 / (1 + p E) instead of the polynomial 1.07 times: of 400-64-32-10 the moves are a third of it all,
    and the product of the moved layers another, at 0.9 of the machine's multiply-adds.)
    """
    kinks = 0
    scale, own = 2.0 if code == TANH else 1.0, 1 if len(z) == len(d) else 0
    for r in range(len(d)):
        factor, zr, pr, qr, dr = scale * factors[r], z[r * own], p[r], q[r], d[r]
        if code == RELU:
            for i in range(count):
                distance = factor * zr[i]
                before, after = max(pr[i], 0.0), max(pr[i] + distance, 0.0)
                kinks += (before > 0.0) != (after > 0.0)
                dr[i] = distance if before > 0.0 and after > 0.0 else after - before
        elif code == IDENTITY:
            for i in range(count):
                dr[i] = factor * zr[i]
        elif tiny:
            for i in range(count):
                distance, h = factor * zr[i], 0.5 - pr[i]
                first = qr[i] * distance
                dr[i] = first + first * distance * (h + distance * (h * h - 1 / 12))
        else:
            for i in range(count):
                E = expm1(factor * zr[i])
                dr[i] = qr[i] * E / (1.0 + pr[i] * E)
    return kinks
