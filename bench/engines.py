"""One evaluation of cost and gradient on the digits by each engine, interleaved.

    python bench/engines.py [--rounds 9]

Prints the table of the README. How the timing is done, and why: bench/README.md.
"""

import argparse

import numpy as np
from interleave import interleave, machine

import fastnn
from fastnn.network import pack
from fastnn.objective import ENGINES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds

    X, y = fastnn.load_digits()
    sizes = (400, 25, 10)
    theta = pack(fastnn.init_weights(sizes))
    contestants = {}
    results = {}
    for engine in ENGINES:
        objective = fastnn.Objective(X, y, sizes, 1.0, engine=engine)
        cost, gradient = objective.cost_and_gradient(theta)
        results[engine] = np.append(gradient, cost)
        contestants[engine] = evaluation(objective, theta)
    for engine, got in results.items():
        error = np.linalg.norm(got - results["numpy"]) / np.linalg.norm(results["numpy"])
        assert error <= 1e-13, f"{engine} differs from NumPy by {error:.1e}"

    seconds = interleave(contestants, rounds)
    print(machine())
    for engine, times in seconds.items():
        ratios = seconds["numpy"] / times
        print(
            f'| `"{engine}"` | {1e3 * np.median(times):.1f} '
            f"| {np.median(ratios):.2f} ({ratios.min():.2f} - {ratios.max():.2f}) |"
        )


def evaluation(objective, theta):
    """A function that evaluates the objective where it has not just been."""
    points = [theta, theta + 1e-9]

    def evaluate():
        points.reverse()
        objective.evaluate(points[0])

    return evaluate


if __name__ == "__main__":
    main()
