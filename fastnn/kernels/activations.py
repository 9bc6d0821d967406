"""What the units of a layer do, its slope, and the losses at the output; codes say which.

Matrices are flat, one example a row. A code is one number for a whole layer, so that the choice
is made outside the loops over numbers, and one compiled engine serves all.
"""

import math

from .elementary import exp, like, sigmoid, softplus, tanh
from .jit import inner

SIGMOID, TANH, RELU, SOFTMAX = range(4)


@inner()
def activate(A, units, code):
    """A (examples, units), the pre-activations, become the activations."""
    if code == SIGMOID:
        for i in range(len(A)):
            A[i] = sigmoid(A[i])
    elif code == TANH:
        for i in range(len(A)):
            A[i] = tanh(A[i])
    elif code == RELU:
        for i in range(len(A)):
            A[i] = like(A[i], 0.0) if A[i] < like(A[i], 0.0) else A[i]  # NaN stays
    else:
        for i in range(0, len(A), units):
            _exponentials(A[i : i + units], A[i : i + units])
            total = 0.0
            for k in range(i, i + units):
                total += A[k]
            for k in range(i, i + units):
                A[k] /= total


@inner()
def scale_by_slope(A, E, code):
    """E *= the slope of the activation where its value is A."""
    if code == SIGMOID:
        for i in range(len(A)):
            E[i] *= A[i] * (like(A[i], 1.0) - A[i])
    elif code == TANH:
        for i in range(len(A)):
            E[i] *= (like(A[i], 1.0) - A[i]) * (like(A[i], 1.0) + A[i])
    else:
        for i in range(len(A)):
            E[i] = E[i] if A[i] > like(A[i], 0.0) else like(A[i], 0.0)


@inner()
def losses_and_deltas(Z, y, weight, D, code):
    """The sum of the losses, each times its example's weight; D (examples, K) = its derivatives by Z.

    Z (examples, K) are the pre-activations of the output, and are overwritten; `weight` is
    (examples,), or empty for all 1.
    """
    K = len(Z) // len(y)
    if code == SOFTMAX:
        _softmax_losses_and_deltas(Z, y, D, K)
    else:
        _sigmoid_losses_and_deltas(Z, y, D, K)
    for i in range(len(weight)):
        factor = like(Z[0], weight[i])
        for k in range(i * K, (i + 1) * K):
            Z[k] *= factor
            D[k] *= factor
    loss = 0.0
    for i in range(len(Z)):
        loss += Z[i]
    return loss


@inner()
def _sigmoid_losses_and_deltas(Z, y, D, K):
    """Cross-entropy of K sigmoids: Z becomes the loss of each output.

    With s = -z for the example's own class and z for the others, the loss is softplus(s) and
    the delta sigmoid(s), negative for the own class. Exact for every z.
    """
    for i in range(len(y)):
        own = i * K + y[i]
        Z[own] = -Z[own]
    for i in range(len(Z)):
        D[i] = sigmoid(Z[i])
        Z[i] = softplus(Z[i])
    for i in range(len(y)):
        own = i * K + y[i]
        D[own] = -D[own]


@inner()
def _softmax_losses_and_deltas(Z, y, D, K):
    """Cross-entropy of a softmax: Z becomes the loss in the example's own class, 0 in the others.

    -log(softmax) = z_top - z_own + log(1 + rest), with `rest` the sum of exp(z - z_top) of all but
    the largest: exact where the own class is all but sure, and where it is hopeless. So is its
    delta, softmax - 1, as minus the share of the others.
    """
    for i in range(0, len(Z), K):
        own = i + y[i // K]
        top = _exponentials(Z[i : i + K], D[i : i + K])
        rest = 0.0
        for k in range(i, i + K):
            rest += D[k] if k != i + top else 0.0
        others = rest if own == i + top else (rest - D[own]) + 1.0
        loss = (Z[i + top] - Z[own]) + math.log1p(rest)
        total = 1.0 + rest
        for k in range(i, i + K):
            Z[k] = 0.0
            D[k] /= total
        Z[own] = loss
        D[own] = -others / total


@inner()
def _exponentials(z, e):
    """e = exp(z - the largest z); says which that is. e may be z itself."""
    top = 0
    for k in range(1, len(z)):
        top = k if z[k] > z[top] else top
    largest = z[top]
    for k in range(len(z)):
        e[k] = exp(z[k] - largest)
    return top
