"""How one evaluation grows: with the examples, with the threads, and in memory.

    python bench/scaling.py [--rounds 5] [--largest 1000000]

The seed's network, 400-25-10, on random float32 or float64 inputs.
"""

import argparse
import resource

import numba
import numpy as np
from interleave import interleave, machine

import fastnn
from fastnn.network import pack

SIZES = (400, 25, 10)


def evaluation(m, dtype):
    rng = np.random.default_rng(0)
    X = rng.random((m, SIZES[0]), dtype=dtype)
    objective = fastnn.Objective(X, rng.integers(0, SIZES[-1], m), SIZES, 1.0)
    theta = pack(fastnn.init_weights(SIZES))
    points = [theta, theta + 1e-9]

    def evaluate():
        points.reverse()
        return objective.evaluate(points[0])

    return evaluate


def with_threads(threads, call):
    def limited():
        numba.set_num_threads(threads)
        return call()

    return limited


def grown(make, *arguments):
    """What `make` returns, and by how many MiB the process's peak memory has grown."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = make(*arguments)
    return made, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000)
    options = parser.parse_args()
    print(machine())
    most = numba.get_num_threads()
    for dtype in (np.float64, np.float32):
        call = evaluation(5_000, dtype)
        seconds = interleave({threads: with_threads(threads, call) for threads in (1, most)}, options.rounds)
        numba.set_num_threads(most)
        ratios = seconds[1] / seconds[most]
        print(f"\n{np.dtype(dtype)}: {most} threads are {np.median(ratios):.2f} times as fast as one", end=" ")
        print(f"({ratios.min():.2f} - {ratios.max():.2f})")

        large, memory = grown(evaluation, options.largest, dtype)
        _, more = grown(large)
        print(f"  {options.largest:,} examples: {memory:.0f} MiB for data, {more:.0f} more to evaluate")
        sizes = {5_000: call, options.largest: large}
        seconds = interleave(sizes, options.rounds)
        ratios = (seconds[options.largest] / options.largest) / (seconds[5_000] / 5_000)
        for m in sizes:
            print(f"  {m:9,} examples: {1e9 * np.median(seconds[m]) / m:6.0f} ns each")
        print(f"  a ratio of {np.median(ratios):.2f} ({ratios.min():.2f} - {ratios.max():.2f})")
        del large, sizes


if __name__ == "__main__":
    main()
