"""Activations: their values, their slopes, and how far they move.

Matrices are flat, one example a row. A code is one number for a whole layer, so that the choice
is made outside the loops over numbers, and one compiled engine serves all.
"""

from .arguments import IDENTITY, RELU, SIGMOID, SOFTMAX, TANH
from .elementary import exp, expm1, like, sigmoid, tanh
from .jit import EXACT, apart, inner


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
# which is so for a d of any size; and no two numbers that are nearly equal are subtracted.


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
    """p and q of the formulas above, as far as they need them, for the chosen examples of one unit."""
    if code == RELU:
        for i in range(len(chosen)):
            p[i] = z[chosen[i]]
    elif code != IDENTITY:
        scale = 2.0 if code == TANH else 1.0
        for i in range(len(chosen)):
            p[i] = scale * z[chosen[i]]
        for i in range(len(chosen)):
            q[i] = sigmoid(-p[i])
            p[i] = sigmoid(p[i])


@inner(EXACT)
def move(d, p, q, code):
    """d, how far the pre-activations of a unit move, become how far it moves; returns how many pass a kink."""
    kinks = 0
    if code == RELU:
        for i in range(len(d)):
            before, after = max(p[i], 0.0), max(p[i] + d[i], 0.0)
            kinks += (before > 0.0) != (after > 0.0)
            d[i] = d[i] if before > 0.0 and after > 0.0 else after - before
    elif code != IDENTITY:
        scale = 2.0 if code == TANH else 1.0
        for i in range(len(d)):
            E = expm1(scale * d[i])
            d[i] = scale * p[i] * q[i] * E / (1.0 + p[i] * E)
    return kinks
