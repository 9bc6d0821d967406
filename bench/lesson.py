"""The lesson: one network, rung by rung from the loop in Python to tiles, timed in turns, and the page about it.

    python -m bench.lesson                   measures, and writes bench/lesson.json and bench/lesson.md
    python -m bench.lesson --from-file       writes bench/lesson.md from bench/lesson.json again

The page's text is bench/lesson.in.md. What stands there between double braces is filled in by `Page`: code by the
source of a function below, numbers by what was measured. A tree with uncommitted changes and OPENBLAS_CORETYPE are
refused.
"""

import argparse
import datetime
import functools
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
from collections import Counter
from math import exp, log
from typing import ClassVar, NamedTuple

import numpy as np
from numba import cfunc, njit, prange, typeof, types

from fastnn import network
from fastnn.benchmark import comparison, ladder, timing
from fastnn.kernels import elementary
from fastnn.kernels.tiles import SHAPES
from fastnn.runtime.pool import threads

from . import report, results
from .workloads import DIGITS, ROOT, Case, limited, task, with_threads

RESULTS, PAGE, TEXT = (ROOT / "bench" / name for name in ("lesson.json", "lesson.md", "lesson.in.md"))
ROUNDS = 7

# ---- The frame that all rungs share: it adds a gradient and a loss to `sums`.


def evaluation(layer, output, back, gradient):
    def evaluate(weights, X, y, block, sums):
        (W1, b1, W2, b2), (dW1, db1, dW2, db2, loss) = weights, sums
        A, D, H = np.empty((block, len(b1))), np.empty((block, len(b1))), np.empty((block, len(b2)))
        for i in range(0, len(X), block):
            x, t = X[i : i + block], y[i : i + block]
            a, d, h = A[: len(x)], D[: len(x)], H[: len(x)]
            layer(x, W1, b1, a)  # a = sigmoid(x W1' + b1)
            layer(a, W2, b2, h)  # h = sigmoid(a W2' + b2)
            loss[0] += output(h, t)  # h becomes h - t, t as 0 and 1
            gradient(h, a, dW2, db2)  # dW2 += h' a, db2 += the sum of h
            back(h, W2, a, d)  # d = (h W2) a (1 - a)
            gradient(d, x, dW1, db1)  # dW1 += d' x, db1 += the sum of d

    return evaluate


# ---- NumPy: the Python loop with blocks of one example, vectorised with one block of all.


def layer_numpy(x, W, b, a):
    np.matmul(x, W.T, out=a)
    a += b
    np.negative(a, out=a)
    np.exp(a, out=a)
    a += 1.0
    np.reciprocal(a, out=a)


def output_numpy(h, t):
    h[np.arange(len(h)), t] -= 1.0
    return -np.log(1.0 - np.abs(h)).sum()


def back_numpy(e, W, a, d):
    np.matmul(e, W, out=d)
    d *= a
    d *= 1.0 - a


def gradient_numpy(d, x, dW, db):
    dW += d.T @ x
    db += d.sum(axis=0)


# ---- The textbook's loop, compiled.


@njit
def layer_loop(x, W, b, a):
    for i in range(len(x)):
        for j in range(len(W)):
            z = b[j]
            for k in range(W.shape[1]):
                z += W[j, k] * x[i, k]
            a[i, j] = 1.0 / (1.0 + exp(-z))


@njit
def output_loop(h, t):
    loss = 0.0
    for i in range(len(h)):
        h[i, t[i]] -= 1.0
        for k in range(h.shape[1]):
            loss -= log(1.0 - abs(h[i, k]))
    return loss


@njit
def back_loop(e, W, a, d):
    for i in range(len(e)):
        d[i] = 0.0
        for k in range(len(W)):
            for j in range(W.shape[1]):
                d[i, j] += e[i, k] * W[k, j]
        for j in range(W.shape[1]):
            d[i, j] *= a[i, j] * (1.0 - a[i, j])


@njit
def gradient_loop(d, x, dW, db):
    for i in range(len(x)):
        for j in range(len(dW)):
            db[j] += d[i, j]
            for k in range(dW.shape[1]):
                dW[j, k] += d[i, j] * x[i, k]


# ---- The causes, one after another.


@njit
def layer_four_sums(x, W, b, a):
    for i in range(len(x)):
        for j in range(len(W)):
            w, v, n = W[j], x[i], W.shape[1]
            z0, z1, z2, z3 = b[j], 0.0, 0.0, 0.0
            for k in range(n // 4):
                z0 += w[4 * k] * v[4 * k]
                z1 += w[4 * k + 1] * v[4 * k + 1]
                z2 += w[4 * k + 2] * v[4 * k + 2]
                z3 += w[4 * k + 3] * v[4 * k + 3]
            for k in range(n // 4 * 4, n):
                z0 += w[k] * v[k]
            a[i, j] = 1.0 / (1.0 + exp(-(z0 + z1 + z2 + z3)))


REORDERED = {"reassoc", "contract"}  # sums in any order; a * b + c with one rounding
layer_reordered = njit(fastmath=REORDERED)(layer_loop.py_func)
# By another name too: a function that says nothing of fastmath takes what its first caller has.
gradient_reordered = njit(fastmath=REORDERED)(gradient_loop.py_func)


@njit(fastmath=REORDERED)
def gradient_fours(d, x, dW, db):
    fours = len(x) // 4 * 4
    for i in range(0, fours, 4):
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(len(dW)):
            d0, d1, d2, d3 = d[i, j], d[i + 1, j], d[i + 2, j], d[i + 3, j]
            db[j] += d0 + d1 + d2 + d3
            dw = dW[j]
            for k in range(len(dw)):
                dw[k] += d0 * x0[k] + d1 * x1[k] + d2 * x2[k] + d3 * x3[k]
    gradient_reordered(d[fours:], x[fours:], dW, db)


@njit
def libm_sigmoids(z):
    z = z.ravel()
    for i in range(len(z)):
        z[i] = 1.0 / (1.0 + exp(-z[i]))


@njit
def sigmoids(z):
    z = z.ravel()
    for i in range(len(z)):
        z[i] = elementary.sigmoid(z[i])


@njit(fastmath=REORDERED)
def layer_own(x, W, b, a):
    for i in range(len(x)):
        for j in range(len(W)):
            z = b[j]
            for k in range(W.shape[1]):
                z += W[j, k] * x[i, k]
            a[i, j] = z
    sigmoids(a)


@njit
def output_own(h, t):
    loss = 0.0
    for i in range(len(h)):
        h[i, t[i]] -= 1.0
        product = 1.0
        for k in range(h.shape[1]):
            product *= 1.0 - abs(h[i, k])
        loss -= log(product)
    return loss


@njit(parallel=True)
def on_threads(evaluate, weights, X, y, block, sums):
    dW1, db1, dW2, db2, loss = sums  # of each part
    m, parts = len(X), len(loss)
    for g in prange(parts):
        start, stop = m * g // parts, m * (g + 1) // parts
        own = dW1[g], db1[g], dW2[g], db2[g], loss[g]
        evaluate(weights, X[start:stop], y[start:stop], block, own)


# ---- Tiles.


@njit(fastmath=REORDERED)
def tile(A, B, i, j, C):
    a0, a1, a2 = A[i], A[i + 1], A[i + 2]
    b0, b1, b2 = B[j], B[j + 1], B[j + 2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = 0.0
    for k in range(len(a0)):
        s00, s01, s02 = s00 + a0[k] * b0[k], s01 + a0[k] * b1[k], s02 + a0[k] * b2[k]
        s10, s11, s12 = s10 + a1[k] * b0[k], s11 + a1[k] * b1[k], s12 + a1[k] * b2[k]
        s20, s21, s22 = s20 + a2[k] * b0[k], s21 + a2[k] * b1[k], s22 + a2[k] * b2[k]
    C[i, j], C[i, j + 1], C[i, j + 2] = s00, s01, s02
    C[i + 1, j], C[i + 1, j + 1], C[i + 1, j + 2] = s10, s11, s12
    C[i + 2, j], C[i + 2, j + 1], C[i + 2, j + 2] = s20, s21, s22


@njit
def product_tiles(A, B, C):
    for i in range(0, len(A), 3):
        for j in range(0, len(B), 3):
            tile(A, B, min(i, len(A) - 3), min(j, len(B) - 3), C)


@njit
def layer_tiles(x, W, b, a):
    if len(x) < 3:
        layer_own(x, W, b, a)
        return
    product_tiles(x, W, a)
    for i in range(len(x)):
        for j in range(len(b)):
            a[i, j] += b[j]
    sigmoids(a)


# ---- The rungs, and what is timed beside them.

BLOCK = 60  # examples: 192 KB of X


class Rung(NamedTuple):
    """A name, the pieces of its frame, how many examples a block has (0: all that it gets), and on which threads."""

    name: str
    pieces: tuple
    block: int
    one_thread: bool = True


NUMPY = (layer_numpy, output_numpy, back_numpy, gradient_numpy)
LOOP = (layer_loop, output_loop, back_loop, gradient_loop)
OWN = (layer_own, output_own, back_loop, gradient_fours)
TILES = (layer_tiles, output_own, back_loop, gradient_fours)

BASE = "NumPy"
RUNGS = [
    Rung("Python loop", NUMPY, 1, one_thread=False),
    Rung("compiled loop", LOOP, 1),
    Rung("four sums", (layer_four_sums, *LOOP[1:]), 1),
    Rung("reordered sums", (layer_reordered, *LOOP[1:]), 1),
    Rung("four examples", (layer_reordered, *LOOP[1:3], gradient_fours), 4),
    Rung("own exponential", OWN, 4),
    Rung("all threads", OWN, 4, one_thread=False),
    Rung("NumPy, 1 thread", NUMPY, 0),
    Rung(BASE, NUMPY, 0, one_thread=False),
    Rung("tiles", TILES, 0, one_thread=False),
    Rung("fused tiles, 1 thread", TILES, BLOCK),
    Rung("fused tiles", TILES, BLOCK, one_thread=False),
]


frame = functools.lru_cache(evaluation)


@functools.lru_cache
def compiled(evaluate, signature):
    """A frame with its pieces as `on_threads` takes it: by its address, so that itself is compiled once."""
    return cfunc(signature)(evaluate)


def timed(rung, asked):
    """Cost and gradient by a rung, at another point in every call; checked against the NumPy engine."""
    parts = 1 if rung.one_thread or rung.pieces == NUMPY else threads()
    call = evaluating(frame(*rung.pieces), asked, rung.block, parts, rung.pieces != NUMPY)
    return ladder.Timed(
        limited(call, 1) if rung.one_thread else call,
        want=lambda: ladder.right_gradient(asked),
        tolerance=ladder.rounding(asked),
        numbers=lambda means: np.append(network.pack(together(means)), means[-1]),
        operations=ladder.gradient_operations(asked),
    )


def evaluating(evaluate, asked, block, parts, compiling=True):
    """A function that gives the means over the examples, which are worked on in so many parts at once."""
    X, y, m = asked.X, asked.y, len(asked.X)
    near = [separate(asked.weights, step) for step in (0.0, 1e-9)]
    points = itertools.cycle(near)
    block = block or -(-m // parts)
    if compiling:
        evaluate = compiled(evaluate, types.void(*map(typeof, (near[0], X, y, block, zeros(near[0])))))

    def call():
        weights = next(points)
        sums = zeros(weights, parts)
        if compiling:
            on_threads(evaluate, weights, X, y, block, sums)
        else:
            evaluate(weights, X, y, block, [part[0] for part in sums])
        return [part.sum(axis=0) / m for part in sums]

    return call


def separate(weights, step=0.0):
    """W1, b1, W2, b2 of the package's matrices, whose first column are the biases."""
    return tuple(part + step for W in weights for part in (W[:, 1:], W[:, 0]))  # new arrays, without gaps


def together(parts):
    """Those matrices again."""
    return tuple(np.column_stack([parts[l + 1], parts[l]]) for l in (0, 2))


def zeros(weights, *parts):
    """What the frame adds to, once or for so many parts of the examples."""
    return *(np.zeros((*parts, *part.shape)) for part in weights), np.zeros((*parts, 1))


@njit
def tiles_again(count, A, B, C):
    for _ in range(count):
        product_tiles(A, B, C)
    return C


ALONE = "peak, 1 thread"


def peak_alone():
    """The machine's peak by one thread; its result has a test elsewhere."""
    call, operations = timing.peak(np.float64)
    one = np.ones(1)
    return ladder.Timed(limited(call, 1), lambda: one, 0.0, numbers=lambda _: one, operations=operations)


PACKAGE = ("fastnn, 1 thread", "fastnn")


def package(asked):
    """The package's own engine, on one thread and on all."""
    return dict(zip(PACKAGE, (with_threads("fused", 1, asked), ladder.gradient(asked, "fused")), strict=True))


@njit(fastmath=REORDERED)
def total(numbers):
    numbers, so_far = numbers.ravel(), 0.0
    for i in range(len(numbers)):
        so_far += numbers[i]
    return so_far


def read(weights, X, y, block, sums):
    """A frame that only reads X."""
    sums[4][0] += total(X)


def beside(asked):
    """What is timed beside the rungs: the two large products, the sigmoids, and reading X once."""
    X, (n, s, K), m = asked.X, asked.sizes, len(asked.X)
    W = asked.weights[0][:, 1:].copy()
    D = np.random.default_rng(0).standard_normal((m, s))
    z = np.random.default_rng(1).standard_normal((m, s + K))
    a, Z, dW = np.empty_like(z), np.empty((m, s)), np.empty((s, n))
    count = -(-m // BLOCK)
    some = X[:BLOCK]
    products, eps = 2.0 * m * n * s, np.finfo(float).eps
    rounding = ladder.rounding(asked)

    def in_place(function):
        def call():
            a[:] = z
            function(a)
            return a

        return ladder.Timed(call, lambda: 1.0 / (1.0 + np.exp(-z.ravel())), 4 * eps)  # each within some last places

    pixel = int(X.std(axis=0).argmax())  # one that tells examples apart, or equal numbers are added, and round alike
    one_pixel = ladder.task(X[:, pixel : pixel + 1].copy(), asked.y, (1, s, K), 0.0)
    return {
        **{f"{rung.name}, 1 pixel": timed(rung, one_pixel) for rung in RUNGS if rung.name in ("Python loop", BASE)},
        "X W1'": ladder.Timed(
            lambda: np.matmul(X, W.T, out=Z), lambda: (W @ X.T).T.ravel(), rounding, operations=products
        ),
        "D' X": ladder.Timed(
            lambda: np.matmul(D.T, X, out=dW), lambda: (X.T @ D).T.ravel(), rounding, operations=products
        ),
        # A block that stays in the cache, as often as all examples have blocks.
        "tile": ladder.Timed(
            lambda: tiles_again(count, some, W, Z[: len(some)]),
            lambda: (W @ some.T).T.ravel(),
            rounding,
            operations=2.0 * count * len(some) * n * s,
        ),
        ALONE: peak_alone(),
        # Each sum of m n numbers is rounded as often, of which the root is left.
        "reading X": ladder.Timed(
            evaluating(read, asked, m, threads()),
            lambda: np.array([X.sum()]) / m,
            eps * np.sqrt(X.size),
            numbers=lambda means: means[4],
        ),
        "libm's sigmoids": in_place(libm_sigmoids),
        "own sigmoids": in_place(sigmoids),
    }


# ---- What is counted: the bytes that NumPy's operations read and write, and the instructions of inner loops.


class Counted(np.ndarray):
    """An array whose operations add what they read and write to `bytes`, by shape, and themselves to `calls`."""

    bytes: ClassVar[Counter] = Counter()
    calls: ClassVar[Counter] = Counter()

    def __array_ufunc__(self, function, method, *inputs, out=(), **options):
        bare = [np.asarray(one) for one in inputs]
        if out:
            options["out"] = tuple(np.asarray(one) for one in out)
        result = getattr(function, method)(*bare, **options)
        Counted.calls[function.__name__] += 1
        for one in (*bare, result):
            Counted.bytes[tuple(sorted(np.shape(one), reverse=True))] += one.nbytes
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def traffic(asked):
    """NumPy's operations on a block of all examples: their number, and the bytes that they read and write at least."""

    def counting(piece):
        return lambda *arrays: piece(*(array.view(Counted) for array in arrays))

    X, m = asked.X, len(asked.X)
    Counted.bytes.clear()
    Counted.calls.clear()
    evaluate = evaluation(*map(counting, NUMPY))
    weights = separate(asked.weights)
    evaluate(weights, X, asked.y, m, zeros(weights))
    return Counted.calls.total(), {size: Counted.bytes[m, size] for size in asked.sizes}


LOOKED_AT = (
    "layer_loop", "layer_four_sums", "layer_reordered", "gradient_loop", "gradient_fours", "sigmoids", "tile",
)  # fmt: skip
MULTIPLIES = re.compile(r"\t(\w*mul[sp]d|\w*fn?madd\w*|\w*fmla)\t(.*)")
LANES = {"zmm": 8, "ymm": 4, "xmm": 2}  # of float64


def assembly(function):
    """Of a compiled function, the innermost loops that multiply, that with most products first; and if it calls exp."""
    (text,) = itertools.islice(function.inspect_asm().values(), 1)
    bodies = re.findall(r"^(\.?L\w+):\n((?:\t.*\n)+?\t\w[\w.]*\t\1)$", text, re.MULTILINE)
    loops = [f"{label}:\n{body}" for label, body in bodies if MULTIPLIES.search(body)]
    return {"loops": sorted(loops, key=multiplications, reverse=True), "exp": bool(re.search(r"\bexp\b", text))}


def multiplications(loop):
    """How many products a step of a loop makes."""
    return sum(
        next((LANES[kind] for kind in LANES if kind in operands), 2) if mnemonic.endswith(("pd", "fmla")) else 1
        for mnemonic, operands in MULTIPLIES.findall(loop)
    )


# ---- The run and the page.


def implementations(asked):
    """All that is timed, by name."""
    return {rung.name: timed(rung, asked) for rung in RUNGS} | package(asked) | beside(asked)


def measured(asked, rounds):
    """What is kept of a run: the seconds of each round, each checked before its clock starts, and what was counted."""
    every = implementations(asked)
    first = {}
    for name, one in every.items():
        try:
            first[name] = ladder.first_call(one)
        except ArithmeticError as error:
            raise ValueError(f"{name} {error}") from error
    case = Case("lesson", "cost and gradient", len(asked.X), asked.sizes, "float64", ())
    group = ladder.measure(str(case), every, first, np.float64, rounds)
    rows = [results.stored(case, group, name) for name in every]
    calls, touched = traffic(asked)
    return {
        "about": "written by python -m bench.lesson; not edited",
        "commit": git("rev-parse", "HEAD")[:12],
        "date": datetime.date.today().isoformat(),
        "command": "python -m bench.lesson",
        "machine": timing.machine(),
        "shape": [len(asked.X), *asked.sizes],
        "block": BLOCK,
        "calls": calls,
        "bytes": list(touched.values()),
        "assembly": {function: assembly(globals()[function]) for function in LOOKED_AT},
        "rows": [{key: report.rounded(v) if key.endswith("seconds") else v for key, v in row.items()} for row in rows],
    }


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


WHOLE = {"break_long_words": False, "break_on_hyphens": False}


class Page:
    """What may stand between double braces in the page's text: a method's name, and its arguments between bars."""

    def __init__(self, kept):
        self.kept = kept
        (self.group,) = results.groups(kept["rows"]).values()
        self.names = [*(rung.name for rung in RUNGS), *PACKAGE]  # in the page's order

    def filled(self, text):
        """The text with its words filled in, its paragraphs wrapped; all else, which begins with a sign, is kept."""
        blocks = re.findall(r"```.*?\n```|[^\n].*?(?=\n\n|\n*\Z)", text, re.S)
        return "\n\n".join(self.block_of(found) for found in blocks) + "\n"

    def block_of(self, found):
        words = re.sub(r"\{\{(.+?)\}\}", self.word, found)
        return words if found.startswith(("{{", "#", "-", "<", "`")) else textwrap.fill(words, 120, **WHOLE)

    def word(self, found):
        kind, _, arguments = found[1].partition(" ")
        return getattr(self, kind)(*(one.strip() for one in arguments.split("|") if one))

    def code(self, names):
        """Functions of this module, as they stand there."""
        sources = [inspect.getsource(getattr(globals()[name], "py_func", globals()[name])) for name in names.split()]
        return "```python\n" + "\n\n\n".join(source.rstrip() for source in sources) + "\n```"

    def seconds(self, name):
        return float(np.median(self.group.results[name].seconds))

    def time(self, name):
        return comparison.duration(self.seconds(name))

    def ratio(self, slow, fast):
        """How many times as long the one takes as the other, in the same rounds."""
        return comparison.three_digits(comparison.ratio(self.group.results[slow], self.group.results[fast]).median)

    def threads(self, name):
        """In words, on how many threads it runs."""
        rungs = {rung.name: rung for rung in RUNGS}
        if name.endswith("1 thread") or name == "tile" or (name in rungs and rungs[name].one_thread):
            return "1 thread"
        blas = name in rungs and rungs[name].pieces == NUMPY
        count = self.kept["machine"]["blas_threads" if blas else "threads"]
        return "all threads of BLAS" if count is None else f"{count} thread{'s' * (count != 1)}"

    def rung(self, name, *others):
        """A line about a rung: time, threads, and how much faster or slower than others it is."""
        ratios = []
        for other in others:
            faster = self.group.results[other], self.group.results[name]
            if comparison.ratio(*faster).median >= 1.0:
                ratios.append(f"{self.ratio(other, name)} times as fast as {self.named(other)}")
            else:
                ratios.append(f"takes {self.ratio(name, other)} times as long as {self.named(other)}")
        return f"> **{self.named(name)}: {self.time(name)}**; {'; '.join(ratios)}."

    def named(self, name):
        return name if name.endswith("1 thread") else f"{name}, {self.threads(name)}"

    def compared(self, one, other):
        """Whether the one is faster, in words; not if the order changes from round to round, or the two are near."""
        ratio = comparison.ratio(self.group.results[other], self.group.results[one])
        if ratio.lowest > 1.0 and ratio.median > comparison.TIE:
            return f"{comparison.three_digits(ratio.median)} times as fast as"
        if ratio.highest < 1.0 and 1.0 / ratio.median > comparison.TIE:
            return f"slower than (by a factor of {self.ratio(one, other)})"
        return "as fast, within what rounds differ, as"

    def ladder(self):
        """All rungs in a table."""
        rows = [["", "threads", "time", f"x {BASE}", "GFLOP/s", "of peak"]]
        for name in self.names:
            ratio = self.ratio(BASE, name)
            rows.append([name, self.threads(name), self.time(name), ratio, self.speed(name), self.share(name)])
        return report.markdown(rows).rstrip()

    def speed(self, name):
        return comparison.three_digits(comparison.gflops(self.group, name))

    def share(self, name):
        """Of the peak of the threads that it runs on."""
        alone = self.group.results[ALONE]
        peak = comparison.Reference(alone.seconds, alone.operations)
        return comparison.percent(
            comparison.share(self.group, name, peak if self.threads(name) == "1 thread" else self.group.peak)
        )

    def peak(self):
        return comparison.three_digits(self.group.peak.operations / np.median(self.group.peak.seconds) / 1e9)

    def traffic(self):
        """What NumPy's operations read and write, in words."""
        m, *sizes = self.kept["shape"]
        arrays = zip(
            ("X", "arrays of the hidden layer", "those of the outputs"), sizes, self.kept["bytes"], strict=True
        )
        words = [
            f"{name} ({m:,} x {size}, {megabytes(8 * m * size)}) {count / (8 * m * size):.0f} times"
            for name, size, count in arrays
        ]
        return f"{words[0]}, {words[1]} and {words[2]}, {megabytes(sum(self.kept['bytes']))} in all"

    def travel(self):
        """How long these bytes would take at the rate of reading X."""
        m, n = self.kept["shape"][:2]
        return comparison.duration(self.seconds("reading X") * sum(self.kept["bytes"]) / (8 * m * n))

    def calls(self):
        return str(self.kept["calls"])

    def block(self):
        return str(self.kept["block"])

    def block_size(self):
        return f"{8 * self.kept['block'] * self.kept['shape'][1] / 1e3:.0f} KB"

    def operations(self):
        return f"{self.group.results[BASE].operations / 1e6:,.0f} million"

    def products(self):
        """How many multiply-adds the two large products take each."""
        m, n, s, _ = self.kept["shape"]
        return f"{m * n * s / 1e6:,.0f} million"

    def sigmoids(self):
        m, _, s, K = self.kept["shape"]
        return f"{m * (s + K):,}"

    def parameters(self):
        return f"{network.parameter_count(tuple(self.kept['shape'][1:])):,}"

    def rate(self):
        """Bytes a second at which all threads read X."""
        m, n = self.kept["shape"][:2]
        return f"{8 * m * n / self.seconds('reading X') / 1e9:.0f} GB/s"

    def floor(self):
        """The time that the operations take at the machine's peak."""
        return comparison.duration(self.least())

    def least(self):
        peak = self.group.peak
        return self.group.results[BASE].operations * float(np.median(peak.seconds)) / peak.operations

    def limit(self):
        return "reading X" if self.seconds("reading X") > self.least() else "arithmetic"

    def above(self, name):
        """How many times the higher floor it takes."""
        return comparison.three_digits(self.seconds(name) / max(self.least(), self.seconds("reading X")))

    def each(self, name):
        """The time for each example."""
        return comparison.duration(self.seconds(name) / self.kept["shape"][0])

    def saved(self, slow, fast):
        """The difference of two times, and what that is for each product of one layer's dot products."""
        m, n, s, _ = self.kept["shape"]
        seconds = max(0.0, self.seconds(slow) - self.seconds(fast))
        return f"{comparison.duration(seconds)}, {comparison.three_digits(1e9 * seconds / (m * n * s))} ns"

    def gradient_size(self):
        return f"{8 * network.parameter_count(tuple(self.kept['shape'][1:])) / 1e3:.0f} KB"

    def through_memory(self, examples):
        """The bytes of gradients read and written, if so many examples are added at a time."""
        m, *sizes = self.kept["shape"]
        return megabytes(16 * network.parameter_count(tuple(sizes)) * m / int(examples))

    def tiles(self, features):
        shape = SHAPES[features]
        return f"{shape.dot_rows} x {shape.dot_columns} and {shape.outer_rows} x {shape.outer_vectors}"

    def loop(self, name, which="most"):
        """An inner loop of a function as assembly: the one that multiplies most, or the shortest."""
        loops = self.kept["assembly"][name]["loops"]
        loop = (min(loops, key=len) if which == "shortest" else loops[0]) if loops else "(none was recognised)"
        return "```asm\n" + loop.replace("\n\t", "\n    ").replace("\t", " ") + "\n```"

    def instructions(self):
        """A row for each function: what multiplies in its inner loop, and in which registers."""
        rows = [["function", "multiplies in its inner loop by", "of", "numbers at a time", "calls `exp`"]]
        for name, found in self.kept["assembly"].items():
            counted = MULTIPLIES.findall(found["loops"][0]) if found["loops"] else []
            words = ", ".join(f"{n} `{mnemonic}`" for mnemonic, n in Counter(m for m, _ in counted).items())
            kinds = ", ".join(sorted({kind for _, operands in counted for kind in re.findall(r"[xyz]mm", operands)}))
            lanes = multiplications(found["loops"][0]) // len(counted) if counted else ""
            rows.append([f"`{name}`", words, kinds, str(lanes), "yes" if found["exp"] else "no"])
        return report.markdown(rows).rstrip()

    def measured(self):
        machine = self.kept["machine"]
        rounds = len(self.group.results[BASE].seconds)
        return (
            f"Measured on {self.kept['date']} at commit {self.kept['commit']} by `{self.kept['command']}`: "
            f"{timing.described(machine)}; {rounds} rounds, in which all took turns."
        )

    def worst(self):
        return f"{max(self.group.results[name].error for name in self.names):.0e}"


def megabytes(count):
    return f"{count / 1e6:.3g} MB"


def write(kept):
    PAGE.write_text(Page(kept).filled(TEXT.read_text()))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-file", action="store_true", help="write the page from bench/lesson.json; time nothing")
    options = parser.parse_args(arguments)
    try:
        if not options.from_file:
            report.require_clean_tree(RESULTS, PAGE)
            if sentence := timing.forced_kernels(os.environ.get("OPENBLAS_CORETYPE")):
                raise ValueError(sentence)
            RESULTS.write_text(report.as_json(measured(task(*DIGITS, "float64", 0.0), ROUNDS)))
        write(json.loads(RESULTS.read_text()))
    except (OSError, ValueError, subprocess.CalledProcessError) as problem:
        print(f"bench.lesson: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
