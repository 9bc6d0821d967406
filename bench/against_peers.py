"""One evaluation of cost and gradient against the libraries, for a family of shapes.

    python -m pip install torch jax          (those that are there take part)
    python bench/against_peers.py [--rounds 5] [--dtype float64] [--shape 0 ...]

Prints, for each shape, every contestant's time, its ratio to fastnn's in the same round (median,
lowest, highest; above 1 fastnn is faster), and fastnn's share of the speed of a square matrix
product by NumPy's BLAS in the same round.
"""

import argparse
from itertools import pairwise

import numpy as np
import peers
from interleave import interleave, machine

import fastnn
from fastnn.network import pack, parameter_count

SHAPES = [
    (5_000, (400, 25, 10)),
    (1_797, (64, 32, 10)),
    (60_000, (784, 128, 10)),
    (1_000_000, (28, 64, 2)),
    (5_000, (400, 64, 32, 10)),
    (5_000, (400, 512, 10)),
    (100, (400, 25, 10)),
]
PEERS = {
    "numpy": peers.numpy_vectorised,
    "torch": peers.torch_eager,
    "torch.compile": peers.torch_compiled,
    "jax": peers.jax_jit,
}
LMBDA = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--shape", type=int, nargs="*", default=range(len(SHAPES)), help="which of the shapes")
    options = parser.parse_args()
    print(machine())
    for number in options.shape:
        compare(*SHAPES[number], np.dtype(options.dtype), options.rounds)


def compare(m, sizes, dtype, rounds):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, sizes[0]), dtype=dtype)
    y = rng.integers(0, sizes[-1], m)
    theta = pack(fastnn.init_weights(sizes))
    objective = fastnn.Objective(X, y, sizes, LMBDA)
    want = objective.cost(theta)
    points = [theta, theta + 1e-9]

    def fused():
        points.reverse()
        return objective.evaluate(points[0])

    contestants = {"fastnn": fused}
    for name, make in PEERS.items():
        try:
            call = make(theta, sizes, X, y, LMBDA)
            got = float(np.asarray(call()[0].detach() if "torch" in name else call()[0]))
        except ImportError as missing:
            print(f"{name}: left out, {missing}")
            continue
        assert abs(got - want) <= 1e-4 * want, (name, got, want)  # at a point 1e-7 away, maybe in float32
        contestants[name] = call
    square = rng.standard_normal((1500, 1500), dtype=dtype)
    out = np.empty_like(square)
    contestants["square product"] = lambda: np.dot(square, square, out=out)

    seconds = interleave(contestants, rounds)
    operations = 2 * m * (2 * parameter_count(sizes) + sum(a * b for a, b in pairwise(sizes[1:])))
    share = operations / seconds["fastnn"] / (2 * 1500**3 / seconds["square product"])
    print(f"\n{m:,} x {'-'.join(map(str, sizes))}, {dtype}: {100 * np.median(share):.0f} % of a square product's speed")
    for name, times in seconds.items():
        if name != "square product":
            ratios = times / seconds["fastnn"]
            print(
                f"  {name:14} {1e3 * np.median(times):9.3f} ms  "
                f"{np.median(ratios):5.2f} ({ratios.min():.2f} - {ratios.max():.2f})"
            )


if __name__ == "__main__":
    main()
