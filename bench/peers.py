"""The same evaluation of cost and gradient, as users of other libraries would write it well.

Each function takes theta, layer sizes, X, y, lmbda and returns a call without arguments that gives
(cost, flat gradient), at a point that differs a little from call to call, as in training.
"""

import numpy as np

from fastnn.network import matrices, shapes


def numpy_function(sizes, X, y, lmbda):
    """theta -> (cost, gradient) by matrix products over all examples, in X's precision.

    One exponential for loss and delta; the gradient is overwritten by the next call.
    """
    m = len(X)
    sign = np.ones((m, sizes[-1]), X.dtype)
    sign[np.arange(m), y] = -1
    gradient = np.empty(sum(rows * columns for rows, columns in shapes(sizes)), X.dtype)

    def evaluate(theta):
        weights, dweights = matrices(theta, sizes), matrices(gradient, sizes)
        layers = [X]
        for l, W in enumerate(weights):
            Z = layers[-1] @ W[:, 1:].T
            Z += W[:, 0]
            if l < len(weights) - 1:
                np.negative(Z, out=Z)
                np.exp(Z, out=Z)
                Z += 1
                np.reciprocal(Z, out=Z)
            layers.append(Z)
        S = sign * layers[-1]
        E = np.exp(-np.abs(S))
        cost = (np.maximum(S, 0) + np.log1p(E)).sum(dtype=np.float64) / m
        D = np.where(S >= 0, 1, E)
        D /= 1 + E
        D *= sign
        for l in range(len(weights) - 1, -1, -1):
            W, dW = weights[l], dweights[l]
            dW[:, 0] = D.sum(axis=0)
            dW[:, 1:] = D.T @ layers[l]
            dW /= m
            cost += lmbda / (2 * m) * np.square(W[:, 1:]).sum()
            dW[:, 1:] += lmbda / m * W[:, 1:]
            if l > 0:
                D = D @ W[:, 1:]
                D *= layers[l]
                D *= 1 - layers[l]
        return cost, gradient

    return evaluate


def numpy_vectorised(theta, sizes, X, y, lmbda):
    evaluate = numpy_function(sizes, X, y, lmbda)
    points = [theta.astype(X.dtype), (theta + 1e-7).astype(X.dtype)]

    def call():
        points.reverse()
        return evaluate(points[0])

    return call


def torch_eager(theta, sizes, X, y, lmbda, compiled=False):
    """Linear layers, binary_cross_entropy_with_logits, autograd."""
    import torch

    kind = torch.from_numpy(X[:1]).dtype
    data = torch.from_numpy(X)
    targets = torch.nn.functional.one_hot(torch.from_numpy(y), sizes[-1]).to(kind)
    layers = []
    for W in matrices(theta, sizes):
        layers.append(torch.tensor(W[:, 1:], dtype=kind).contiguous().requires_grad_())
        layers.append(torch.tensor(W[:, 0], dtype=kind).contiguous().requires_grad_())
    m = len(X)

    def cost_of(*layers):
        A = data
        for W, b in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            A = torch.sigmoid(torch.nn.functional.linear(A, W, b))
        Z = torch.nn.functional.linear(A, layers[-2], layers[-1])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(Z, targets, reduction="sum") / m
        return loss + lmbda / (2 * m) * sum(W.square().sum() for W in layers[::2])

    function = torch.compile(cost_of) if compiled else cost_of

    def evaluate():
        cost = function(*layers)
        gradients = torch.autograd.grad(cost, layers)
        return cost, gradients

    return evaluate


def torch_compiled(theta, sizes, X, y, lmbda):
    return torch_eager(theta, sizes, X, y, lmbda, compiled=True)


def flat(gradients):
    """What `torch_eager` returns, in the order of theta."""
    pairs = zip(gradients[::2], gradients[1::2], strict=True)
    return np.concatenate([np.column_stack([b.detach().numpy(), W.detach().numpy()]).ravel() for W, b in pairs])


def jax_jit(theta, sizes, X, y, lmbda):
    """jit of value_and_grad, X as a closed-over argument on the device."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    m = len(X)
    data = jnp.asarray(X)
    targets = jax.nn.one_hot(y, sizes[-1], dtype=X.dtype)
    ends = np.cumsum([rows * columns for rows, columns in shapes(sizes)])

    def cost_of(theta, X, targets):
        cost, A = 0.0, X
        for l, (part, shape) in enumerate(zip(jnp.split(theta, ends[:-1]), shapes(sizes), strict=True)):
            W = part.reshape(shape)
            Z = A @ W[:, 1:].T + W[:, 0]
            cost += lmbda / (2 * m) * jnp.sum(W[:, 1:] ** 2)
            A = jax.nn.sigmoid(Z) if l < len(sizes) - 2 else Z
        return cost + jnp.sum(jnp.logaddexp(0.0, A) - targets * A) / m

    function = jax.jit(jax.value_and_grad(cost_of))
    points = [jnp.asarray(theta, X.dtype), jnp.asarray(theta + 1e-7, X.dtype)]

    def evaluate():
        points.reverse()
        cost, gradient = function(points[0], data, targets)
        return cost, gradient.block_until_ready()

    return evaluate
