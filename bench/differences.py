"""The gradient by central differences, all 10,285 parameters on all 5,000 digits.

    python bench/differences.py [--rounds 7]

Against the same differences by whole forward passes, two for each parameter, in vectorised NumPy and
in PyTorch if it is there: these are timed on a sample of 200 parameters, and scaled.
"""

import argparse
from importlib.util import find_spec

import numpy as np
from interleave import interleave, machine

import fastnn
from fastnn.network import matrices, pack

SAMPLE, PART, STEP = 200, 10, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds

    X, y = fastnn.load_digits()
    sizes, lmbda = (400, 25, 10), 1.0
    weights = fastnn.init_weights(sizes)
    theta = pack(weights)
    sample = np.random.default_rng(0).permutation(len(theta))[:SAMPLE]

    costs = {"NumPy": numpy_cost(sizes, X, y, lmbda)}
    if find_spec("torch"):
        costs["PyTorch"] = torch_cost(sizes, X, y, lmbda)
    want = pack(fastnn.numerical_gradient(weights, X, y, lmbda))
    scale = np.abs(want).max()
    gradient = pack(fastnn.cost_and_gradient(weights, X, y, lmbda)[1])
    assert np.linalg.norm(want - gradient) <= 1e-13 * np.linalg.norm(gradient)
    for name, cost in costs.items():
        got = [whole_differences(cost, theta, [p])[0] for p in sample[:20]]
        assert np.abs(got - want[sample[:20]]).max() <= 1e-8 * scale, name

    contestants = {"fastnn": lambda: fastnn.numerical_gradient(weights, X, y, lmbda)}
    contestants |= {name: in_parts(cost, theta, sample) for name, cost in costs.items()}
    seconds = interleave(contestants, rounds)
    print(machine())
    print("| differences | s, all parameters | times fastnn's (lowest - highest round) |\n|---|---|---|")
    for name, times in seconds.items():
        whole = times if name == "fastnn" else times * len(theta) / PART
        ratios = whole / seconds["fastnn"]
        print(
            f"| {name} | {np.median(whole):.2f} | {np.median(ratios):.0f} ({ratios.min():.0f} - {ratios.max():.0f}) |"
        )


def in_parts(cost, theta, sample):
    """A call that does the next PART parameters of the sample."""
    starts = iter(range(0, 10**9, PART))

    def call():
        start = next(starts) % len(sample)
        return whole_differences(cost, theta, sample[start : start + PART])

    return call


def whole_differences(cost, theta, parameters):
    """(J(theta_p + step) - J(theta_p - step)) / (2 step)."""
    differences = []
    for p in parameters:
        here = theta[p]
        theta[p] = here + STEP
        up = cost(theta)
        theta[p] = here - STEP
        differences.append((up - cost(theta)) / (2 * STEP))
        theta[p] = here
    return np.array(differences)


def numpy_cost(sizes, X, y, lmbda):
    """theta -> cost by matrix products over all examples, in place where that helps."""
    m = len(X)
    sign = np.ones((m, sizes[-1]))
    sign[np.arange(m), y] = -1

    def cost(theta):
        A, weights = X, matrices(theta, sizes)
        for l, W in enumerate(weights):
            Z = A @ W[:, 1:].T
            Z += W[:, 0]
            if l < len(weights) - 1:
                np.negative(Z, out=Z)
                np.exp(Z, out=Z)
                Z += 1
                A = np.reciprocal(Z, out=Z)
        Z *= sign
        E = np.abs(Z)
        np.exp(np.negative(E, out=E), out=E)
        np.maximum(Z, 0, out=Z)
        Z += np.log1p(E, out=E)
        return (Z.sum() + lmbda / 2 * sum(np.square(W[:, 1:]).sum() for W in weights)) / m

    return cost


def torch_cost(sizes, X, y, lmbda):
    """theta -> cost: linear layers, binary_cross_entropy_with_logits, no gradient."""
    import torch

    m, data = len(X), torch.from_numpy(X)
    targets = torch.nn.functional.one_hot(torch.from_numpy(y), sizes[-1]).to(data.dtype)

    @torch.inference_mode()
    def cost(theta):
        A, weights = data, [torch.from_numpy(W) for W in matrices(theta, sizes)]
        for W in weights[:-1]:
            A = torch.sigmoid(torch.nn.functional.linear(A, W[:, 1:].contiguous(), W[:, 0]))
        Z = torch.nn.functional.linear(A, weights[-1][:, 1:].contiguous(), weights[-1][:, 0])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(Z, targets, reduction="sum")
        return float(loss + lmbda / 2 * sum(W[:, 1:].square().sum() for W in weights)) / m

    return cost


if __name__ == "__main__":
    main()
