"""The losses at the output: their values, their derivatives, and how far they move.

There is a function for each output, and for each kind of target where that matters. It takes the output's
pre-activations Z of a block, flat with K numbers for an example, turns them into losses (an example's K
numbers sum to its loss), and writes the derivatives by Z to D.
"""

import math

from ..runtime.jit import EXACT, apart, inner
from ..spec import SOFTMAX_CROSS_ENTROPY, SQUARED_ERROR
from .activations import exponentials
from .elementary import exp, expm1, expm1_of_tiny, like, log1p, sigmoid, softplus


@apart
def losses_and_deltas(Z, targets, weight, D, code):
    """The sum of the losses, each times its example's weight; D (examples, K) = its derivatives by Z.

    Z (examples, K) are the pre-activations of the output, and are overwritten; `weight` is
    (examples,), or empty for all 1.
    """
    y, T = targets.classes, targets.values.ravel()
    examples = max(len(y), len(targets.values))
    K = len(Z) // examples
    if code == SQUARED_ERROR:
        _squared_error(Z, y, T, D, K)
    elif code == SOFTMAX_CROSS_ENTROPY and len(y) > 0:
        _softmax_of_classes(Z, y, D, K)
    elif code == SOFTMAX_CROSS_ENTROPY:
        _softmax_of_values(Z, T, D, K)
    elif len(y) > 0:
        _sigmoid_of_classes(Z, y, D, K)
    else:
        _sigmoid_of_values(Z, T, D)
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
def _sigmoid_of_classes(Z, y, D, K):
    """Cross-entropy of K sigmoids.

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


@inner(EXACT)  # nothing may put 1 - t together again with what it is multiplied by
def _sigmoid_of_values(Z, T, D):
    """The same of targets t in [0, 1]: loss t softplus(-z) + (1 - t) softplus(z), delta sigmoid(z) - t.

    The loss is log(1 + e) + (1 - t) |z|, with t instead of 1 - t for a negative z: no term is negative. The
    delta is (1 - t) sigmoid(z) - t sigmoid(-z). Both are those of a class, to the bit, where t is 0 or 1.
    """
    for i in range(len(Z)):
        z, t = Z[i], like(Z[i], T[i])
        rest, e = like(z, 1.0) - t, exp(-abs(z))
        upper = z > like(z, 0.0)
        D[i] = (rest - t * e if upper else rest * e - t) / (like(z, 1.0) + e)
        Z[i] = log1p(e) + (rest if upper else t) * abs(z)


@inner()
def _softmax_of_classes(Z, y, D, K):
    """Cross-entropy of a softmax: Z becomes the loss in the example's own class, 0 in the others.

    -log(softmax) = z_top - z_own + log(1 + rest), with `rest` the sum of exp(z - z_top) of all but
    the largest: exact where the own class is all but sure, and where it is hopeless. So is its
    delta, softmax - 1, as minus the share of the others.
    """
    for i in range(0, len(Z), K):
        own = i + y[i // K]
        top = exponentials(Z[i : i + K], D[i : i + K])
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


@inner(EXACT)
def _softmax_of_values(Z, T, D, K):
    """The same of a distribution t over the classes, of sum s: loss sum t_k (z_top - z_k) + s log(1 + rest).

    The delta of class k, s softmax_k - t_k, is (s - t_k) softmax_k - t_k (1 - softmax_k): again what is
    left for the others, so that nothing is lost where one class is all but sure.
    """
    for i in range(0, len(Z), K):
        top = exponentials(Z[i : i + K], D[i : i + K])
        rest, s = 0.0, 0.0
        for k in range(i, i + K):
            rest += D[k] if k != i + top else 0.0
            s += T[k]
        largest, total, log_total = Z[i + top], 1.0 + rest, math.log1p(rest)
        for k in range(i, i + K):
            others = rest if k == i + top else (rest - D[k]) + 1.0
            Z[k] = T[k] * ((largest - Z[k]) + log_total)
            D[k] = ((s - T[k]) * D[k] - T[k] * others) / total


@inner()
def _squared_error(Z, y, T, D, K):
    """Half the square of z - t, which is the delta; a class is 1 there and 0 elsewhere."""
    for i in range(len(y)):
        Z[i * K + y[i]] -= like(Z[0], 1.0)
    for i in range(len(T)):
        Z[i] -= like(Z[i], T[i])
    for i in range(len(Z)):
        D[i] = Z[i]
        Z[i] *= like(Z[i], 0.5) * Z[i]


# For the gradient check, without fast mathematics. When the pre-activations z of an example's outputs move by d,
# its loss moves by log(1 + r) + shift:
#
#     sigmoid    1 + r is the product of all 1 + sigmoid(s) (exp(e) - 1), with s = z and e = d for a target
#                t of at most 1/2, and -z and -d above; shift is the sum of -t d there, and of (1 - t) d above
#     softmax    r is the sum of softmax_k (exp(d_k - d_own) - 1), with the own class, or that of the largest
#                target; shift is the sum of -t_k (d_k - d_own), the targets scaled to the sum 1
#     identity   r is 0, and shift the sum of d (z - t + d/2)
#
# Of classes, where t is 0 or 1, the first two shifts are 0. These are equal to the differences for a d of any
# size (only that of a loss that falls by t within the step keeps no more digits than 1e-16 exp(t)).


@inner(EXACT)
def has_shift(targets, code):
    """Whether losses move by more than log(1 + r)."""
    return len(targets.values) > 0 or code == SQUARED_ERROR


@inner(EXACT)
def before_loss_move(Z, chosen, targets, code, own, p, q, weight):
    """For the chosen examples: own class; p (K, chosen) sigmoid(s), softmax or z - t; q (K, chosen) the targets.

    Where s is -z, p is minus sigmoid(s). q is filled only if there are shifts. weight (chosen,) *= the sum
    to which a distribution was scaled.
    """
    y, T, K = targets.classes, targets.values, len(p)
    for i in range(len(chosen)):
        own[i] = y[chosen[i]] if len(y) > 0 else 0
    for k in range(K):
        for i in range(len(chosen)):
            p[k, i] = Z[k, chosen[i]]
    if has_shift(targets, code):
        for k in range(K):
            for i in range(len(chosen)):
                q[k, i] = T[chosen[i], k] if len(T) > 0 else (1.0 if own[i] == k else 0.0)
    if code == SOFTMAX_CROSS_ENTROPY:
        if len(T) > 0:
            _scale_distributions(own, q, weight)
        _softmax_columns(p, len(chosen))
    elif code == SQUARED_ERROR:
        for k in range(K):
            for i in range(len(chosen)):
                p[k, i] -= q[k, i]
    else:
        for k in range(K):
            for i in range(len(chosen)):
                negative = q[k, i] > 0.5 if len(T) > 0 else own[i] == k
                p[k, i] = -sigmoid(-p[k, i]) if negative else sigmoid(p[k, i])


@inner(EXACT)
def _softmax_columns(p, count):
    """Each column of p (K, count) becomes its softmax."""
    for i in range(count):
        top, total = p[0, i], 0.0
        for k in range(1, len(p)):
            top = max(top, p[k, i])
        for k in range(len(p)):
            p[k, i] = exp(p[k, i] - top)
            total += p[k, i]
        for k in range(len(p)):
            p[k, i] /= total


@inner(EXACT)
def _scale_distributions(own, q, weight):
    """q (K, examples) to the sum 1 in every column, weight *= the sum it had; own = where the largest is."""
    for i in range(len(weight)):
        total = 0.0
        for k in range(len(q)):
            total += q[k, i]
            own[i] = k if q[k, i] > q[own[i], i] else own[i]
        for k in range(len(q)):
            q[k, i] /= total
        weight[i] *= total


@inner(EXACT)
def loss_ratios(d, p, own, moved, code, tiny, own_move, r):
    """r of the formulas above, when outputs moved[0] .. moved[1] - 1 move by d; d and p are (K, examples).

    `tiny`: no |d| is more than half of TINY. Of a softmax d of the other outputs becomes 0, and own_move (examples,)
    d of the own classes, on its way. Gathered in the loop over the classes, and without the short formula, the course's
    check took 7 times as long.
    """
    first, last = moved
    for i in range(len(r)):
        r[i] = 0.0
    if code == SOFTMAX_CROSS_ENTROPY:
        for k in range(len(p)):
            for i in range(0 if first <= k < last else len(r)):
                d[k, i] = 0.0
        for i in range(len(r)):
            own_move[i] = d[own[i], i]
        for k in range(len(p)):
            dk, pk = d[k], p[k]
            if tiny:
                for i in range(len(r)):
                    r[i] += pk[i] * expm1_of_tiny(dk[i] - own_move[i])  # 0 for the own class
            else:
                for i in range(len(r)):
                    r[i] += pk[i] * expm1(dk[i] - own_move[i])
    elif code != SQUARED_ERROR and tiny:
        for k in range(first, last):
            dk, pk = d[k], p[k]
            for i in range(len(r)):
                more = abs(pk[i]) * expm1_of_tiny(-dk[i] if pk[i] < 0.0 else dk[i])
                r[i] += more + more * r[i]
    elif code != SQUARED_ERROR:
        for k in range(first, last):
            dk, pk = d[k], p[k]
            for i in range(len(r)):
                more = abs(pk[i]) * expm1(-dk[i] if pk[i] < 0.0 else dk[i])
                r[i] += more + more * r[i]


@inner(EXACT)
def loss_shifts(d, p, q, moved, code, own_move, shift):
    """shift of the formulas above, likewise; of a softmax d and own_move are as `loss_ratios` leaves them."""
    first, last = moved
    for i in range(len(shift)):
        shift[i] = 0.0
    if code == SOFTMAX_CROSS_ENTROPY:
        for k in range(len(q)):
            for i in range(len(shift)):
                shift[i] -= q[k, i] * (d[k, i] - own_move[i])
    else:
        for k in range(first, last):
            for i in range(len(shift)):
                t, move = q[k, i], d[k, i]
                if code == SQUARED_ERROR:
                    shift[i] += move * (p[k, i] + 0.5 * move)
                else:
                    shift[i] += (1.0 - t) * move if t > 0.5 else -t * move
