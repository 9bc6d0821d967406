"""Whole trainings of the exercise's network on the digits, against the other ways to do it.

    python -m pip install torch scikit-learn          (those that are there take part)
    python bench/training.py [--rounds 5]

All start from the same weights (scikit-learn from its own). Prints seconds, and the ratio to
fastnn's in the same round (median, lowest, highest).
"""

import argparse
import functools
import warnings

import numpy as np
import peers
from interleave import interleave, machine
from scipy.optimize import fmin_cg

import fastnn
from fastnn.network import pack

SIZES = (400, 25, 10)
LMBDA = 1.0
ITERATIONS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    X, y = fastnn.load_digits()
    weights = fastnn.init_weights(SIZES)
    train = functools.partial(fastnn.train, X, y, lmbda=LMBDA, weights=weights, maxiter=ITERATIONS)
    print(machine())

    contestants = {"fastnn": train}
    for memo in (True, False):
        name = "NumPy, one evaluation a point" if memo else "NumPy, cost and gradient apart"
        contestants[name] = functools.partial(numpy_training, X, y, pack(weights), memo)
        assert abs(contestants[name]() - train().outcome.cost) <= 1e-3 * train().outcome.cost
    show(f"{ITERATIONS} iterations of fmin_cg", contestants, rounds)

    try:
        torch_cost = torch_training(X, y, weights)
    except ImportError as missing:
        print(f"PyTorch: left out, {missing}")
    else:
        model = train(solver="l-bfgs", maxiter=200)
        needed = int(np.argmax(model.history.cost <= torch_cost))
        assert model.history.cost[needed] <= torch_cost
        contestants = {
            "fastnn": functools.partial(train, solver="l-bfgs", maxiter=needed),
            "PyTorch": functools.partial(torch_training, X, y, weights),
        }
        show(f"to cost {torch_cost:.4f}, that of {ITERATIONS} iterations of PyTorch's LBFGS", contestants, rounds)

    try:
        from sklearn.neural_network import MLPClassifier
    except ImportError as missing:
        print(f"scikit-learn: left out, {missing}")
    else:
        network = MLPClassifier(SIZES[1:-1], activation="logistic", solver="lbfgs", alpha=LMBDA, max_iter=ITERATIONS)
        contestants = {
            "fastnn": functools.partial(train, solver="l-bfgs", output="softmax"),
            "scikit-learn": functools.partial(fit, network, X, y),
        }
        show(f"{ITERATIONS} iterations of L-BFGS, softmax", contestants, rounds)


def show(title, contestants, rounds):
    seconds = interleave(contestants, rounds)
    print(f"\n{title}")
    for name, times in seconds.items():
        ratios = times / seconds["fastnn"]
        print(
            f"  {name:30} {np.median(times):7.3f} s  {np.median(ratios):5.2f} ({ratios.min():.2f} - {ratios.max():.2f})"
        )


def numpy_training(X, y, theta, memo):
    """`fmin_cg` on vectorised NumPy; `memo`: each point is evaluated once, not for cost and gradient again."""
    evaluate = peers.numpy_function(SIZES, X, y, LMBDA)
    last = [None, None, None]

    def remembered(theta):
        if not memo or last[0] is None or not np.array_equal(theta, last[0]):
            cost, gradient = evaluate(theta)
            last[:] = theta.copy(), cost, gradient.copy()
        return last

    _, cost, *_ = fmin_cg(
        lambda theta: remembered(theta)[1],
        theta,
        lambda theta: remembered(theta)[2],
        maxiter=ITERATIONS,
        full_output=True,
        disp=False,
    )
    return cost


def torch_training(X, y, weights):
    """torch.optim.LBFGS with strong Wolfe line searches; returns the cost it ends with."""
    import torch

    data = torch.from_numpy(X)
    targets = torch.nn.functional.one_hot(torch.from_numpy(y), SIZES[-1]).to(data.dtype)
    layers = []
    for W in weights:
        layers.append(torch.tensor(W[:, 1:]).contiguous().requires_grad_())
        layers.append(torch.tensor(W[:, 0]).contiguous().requires_grad_())
    optimizer = torch.optim.LBFGS(layers, max_iter=ITERATIONS, line_search_fn="strong_wolfe", tolerance_change=0)

    def closure():
        optimizer.zero_grad()
        hidden = torch.sigmoid(torch.nn.functional.linear(data, layers[0], layers[1]))
        Z = torch.nn.functional.linear(hidden, layers[2], layers[3])
        cost = torch.nn.functional.binary_cross_entropy_with_logits(Z, targets, reduction="sum") / len(X)
        cost = cost + LMBDA / (2 * len(X)) * (layers[0].square().sum() + layers[2].square().sum())
        cost.backward()
        return cost

    optimizer.step(closure)
    return float(closure().detach())


def fit(network, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 50 iterations are not the end
        network.fit(X, y)


if __name__ == "__main__":
    main()
