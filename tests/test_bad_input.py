"""Anything at all, passed to every public function: the right answer, or one sentence that names the argument.

Good arguments are drawn and one or two of them replaced: by other forms of the same numbers, which must give what the
plain form gives; by what must be refused; by anything, which is refused or means what NumPy says it means. Whatever
happens, nothing that was passed in is changed, and warnings are errors.
"""

import contextlib
import datetime
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas
import pyarrow
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor

import fastnn
from fastnn.cli import main
from fastnn.cli import parser as command_line
from fastnn.estimator import FastNNClassifier, FastNNRegressor
from fastnn.runtime.cache import build

from .conftest import examples, in_process

PACKAGE = str(Path(fastnn.__file__).parent)

# Eighths: the same numbers in every type of float.
X = np.round(8.0 * np.random.default_rng(0).standard_normal((6, 3))) / 8.0
Y = np.array([0, 1, 0, 1, 1, 0])
W = tuple(np.round(64.0 * matrix) / 64.0 for matrix in fastnn.init_weights((3, 2, 2)))
THETA = fastnn.pack(W)
WEIGHT = np.array([1.0, 2.0, 0.5, 0.0, 1.0, 3.0])

# What is meant by a value that is no form of the good one: it must be refused, or if it is not, NumPy says.
REFUSED, OPEN = "refused", "open"


class Form(NamedTuple):
    value: Any
    meaning: Any  # the same in its plain form; or one of the words above


class Subclass(np.ndarray):
    pass


class Raises:
    """Whose every method that NumPy or we may ask raises."""

    def _raise(self, *args, **options):
        raise RuntimeError("no")

    __array__ = __len__ = __getitem__ = __iter__ = __float__ = __int__ = __index__ = __bool__ = __eq__ = _raise
    __repr__ = __str__ = __call__ = __fspath__ = _raise
    __hash__ = None
    shape = property(_raise)
    dtype = property(_raise)


class Lies:
    """An array by its shape and type, but not by its slices."""

    shape, dtype = (6, 3), np.dtype(np.float64)

    def __getitem__(self, rows):
        return "nothing"


def itself():
    found = []
    found.append(found)
    return found


def structured(array):
    found = np.zeros(array.shape, [("a", float), ("b", int)])
    found["a"] = array
    return found


def with_one(array, value, dtype=None):
    """With that value at the last place."""
    found = array.astype(dtype or (float if isinstance(value, float) else object))
    found.reshape(-1)[-1] = value
    return found


def masked(array):
    mask = np.zeros(array.shape, bool)
    mask.reshape(-1)[-1] = True
    return np.ma.array(array, mask=mask)


def strided(array):
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    wide[tuple(slice(None, None, 2) for _ in array.shape)] = array
    return wide[tuple(slice(None, None, 2) for _ in array.shape)]


def frozen(array):
    found = array.copy()
    found.flags.writeable = False
    return found


# Other forms of the same numbers.
SAME = [
    np.copy, np.asfortranarray, strided, frozen, np.ndarray.tolist, list, tuple,
    lambda A: A[::-1].copy()[::-1],
    lambda A: A.astype(np.float16), lambda A: A.astype(np.float32), lambda A: A.astype(np.longdouble),
    lambda A: A.astype(">f8"), lambda A: A.astype(">f4"), lambda A: A.astype(object), lambda A: A.view(Subclass),
    lambda A: np.ma.array(A), lambda A: np.ma.array(A, mask=np.zeros(A.shape, bool)), lambda A: memoryview(A.copy()),
    lambda A: deque(A.tolist()), lambda A: [[*map(Fraction, row)] if A.ndim == 2 else Fraction(row) for row in A],
    lambda A: np.array([*map(Decimal, A.reshape(-1).tolist())], object).reshape(A.shape),
    lambda A: pandas.DataFrame(A) if A.ndim == 2 else pandas.Series(A),
    lambda A: pandas.DataFrame(A, dtype=object) if A.ndim == 2 else pandas.Series(A, dtype=object),
    lambda A: pandas.DataFrame(A, columns=[*"0123"[: A.shape[1]]]).convert_dtypes() if A.ndim == 2 else A,
    lambda A: pyarrow.table({str(k): A[:, k] for k in range(A.shape[1])}) if A.ndim == 2 else pyarrow.array(A),
]  # fmt: skip

# What is no array of numbers of that shape, whoever asks.
WRONG = [
    lambda A: with_one(A, np.nan), lambda A: with_one(A, np.inf), lambda A: with_one(A, -np.inf),
    lambda A: with_one(A, None), lambda A: with_one(A, "a"), lambda A: with_one(A, [1]), lambda A: with_one(A, 1j),
    lambda A: with_one(A, pandas.NA), lambda A: with_one(A, Raises()), lambda A: with_one(A, np.nan, np.float32),
    lambda A: with_one(A, 10**400), lambda A: A.astype(complex), lambda A: A.astype(str), lambda A: A.astype("S"),
    lambda A: A.astype("datetime64[s]"), lambda A: A.astype("timedelta64[s]"), structured, masked,
    lambda A: sparse.csr_array(np.atleast_2d(A)), lambda A: A[None, None], lambda A: A[:0], lambda A: [A.tolist(), [1]],
    lambda A: (row for row in A), lambda A: iter(A), lambda A: {"X": A}, lambda A: np.array(3.0), lambda A: A[0, ...],
    lambda A: A[..., :0], lambda A: A[..., None], lambda A: np.broadcast_to(1.0, (2, *A.shape)),
    lambda A: pandas.DataFrame({"a": ["x"] * 6}), lambda A: A.tobytes(), lambda A: str(A.tolist()),
]  # fmt: skip

# Other numbers, which may do.
OTHER = [lambda A: A[:-1], lambda A: A[..., :-1], lambda A: np.concatenate([A, A]), lambda A: 1e200 * A, lambda A: -A]

# Anything.
LETTERS = [*"aabbab"]
JUNK = [
    None, True, False, np.True_, 0, 1, -1, 3, 2**45, 2**63 - 1, 2**63, 2**70, -(2**70), 10**400, -(10**5000),
    0.5, -0.0,
    1e308, 5e-324, float("nan"), float("inf"), -float("inf"), 1j, "", "1", "fused", "\u00e9\u202e\x00",
    "a" * 999, b"fused",
    [], (), {}, set(), [None], [[]], [[], [1]], itself(), Raises(), Lies(), object(), print, range(3), range(0),
    slice(3),
    Ellipsis, int, np, Fraction(1, 2), Decimal("0.5"), Decimal("nan"), Decimal("sNaN"), np.float64(0.5),
    np.float32(0.5),
    np.float16(0.5), np.longdouble(0.5), np.int8(1), np.uint64(2**63), np.array(1), np.array([1]), np.array([]),
    np.array(None), np.array("fused"), np.str_("fused"), np.datetime64("2020-01-01"), np.timedelta64(1, "s"),
    datetime.date(2020, 1, 1), pandas.NA, pandas.NaT, np.ma.masked, np.random.default_rng(0),
    np.random.RandomState(0),
    np.zeros((2, 2)), np.ones((6, 3), bool), np.ones(6, np.int8), np.full(6, 2**63, np.uint64), np.full((6, 3),
    1e308),
    np.full((6, 3), 5e-324), np.arange(6.0), np.arange(6)[::-1], np.eye(2)[Y], np.eye(3)[Y], np.eye(2,
    dtype=bool)[Y],
    np.eye(2)[Y] / 3, -np.eye(2)[Y], np.full((6, 2), 0.5, np.float16), Y.astype(np.uint8), Y.astype(">i4"),
    1.0 * Y, Y + 0.5,
    np.ma.array(Y, mask=Y == 0), Y.astype("timedelta64[s]"), Y.astype(np.longdouble), *([*Y[:5].tolist(),
    one] for one in (
        -1, 2, 2**63 - 1, 2**70, "1", True, None, 0.5, [1], float("nan"), np.ma.masked, Raises())),
    LETTERS, ["a", "b", "", "\x00", "a\x00", "a"], [b"a", b"b"] * 3, [True, False] * 3, np.array(LETTERS, "S1"),
    np.array(LETTERS, object), pandas.Series(LETTERS), pandas.Categorical(LETTERS), pyarrow.array(LETTERS),
    [(0,), (1,)] * 3,
    pandas.Series(Y, dtype="Int8"), ["b" * 999, "a"] * 3,
]  # fmt: skip


DTYPES = [*"?bBhHiIlLqQefdgFDG", "<M8[s]", "<m8[s]", "S3", ">i2", ">f8", "f8, i4", "V5"]
SHAPES = [(6, 3), (6,), (6, 2), (2, 4), (2, 3), (1,), (14,), (), (0,), (3, 2, 2), (6, 1)]


def any_array(random):
    """Of any type and a shape that some argument has, or none; small numbers, or any bits."""
    dtype, shape = np.dtype(random.choice(DTYPES)), random.choice(SHAPES)
    if dtype.kind in "biufc" and random.random() < 0.7:
        return np.array(random.choices(range(3), k=int(np.prod(shape)))).reshape(shape).astype(dtype)
    drawn = random.randbytes(dtype.itemsize * int(np.prod(shape)))
    drawn = bytes(byte % 2 for byte in drawn) if dtype.kind == "b" else drawn
    return np.frombuffer(drawn, dtype, count=int(np.prod(shape))).reshape(shape)


def anything(random):
    """A value of any kind; those that are read once are made anew."""
    if random.random() < 0.05:
        return random.choice([iter, enumerate, reversed])([0, 1, 0, 1, 1, 0])
    return random.choice(JUNK) if random.random() < 0.75 else any_array(random)


# What shares nothing with the rest: the kernels of float32, and those of the loop.
WARMUP = """
import numpy as np
import fastnn
weights, y = fastnn.init_weights((2, 2, 2)), [0, 1]
for engine, kind in (("fused", np.float32), ("loop", np.float64), ("loop", np.float32)):
    X = np.eye(2, dtype=kind)
    fastnn.cost_and_gradient(weights, X, y, engine=engine)
    fastnn.forward(weights, X, engine=engine)
"""


@pytest.fixture(autouse=True, scope="module")
def compiled():
    """So that no call waits for the compiler: 41 s in two processes, 54 in one (2 cores)."""
    with ThreadPoolExecutor() as pool:
        other = pool.submit(in_process, WARMUP)
        for directions in (None, 1):
            fastnn.check_gradient(W, X, Y, directions=directions, progress=False)
        other.result()
        fastnn.warmup()


@contextlib.contextmanager
def not_hanging(seconds=120):
    """Far more than anything here takes: it says only that nothing hangs."""

    def stop(*signal_and_frame):
        raise AssertionError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def snapshot(value, seen=()):
    """All that could have been changed of a value."""
    if any(value is one for one in seen):
        return "seen"
    seen = (*seen, value)
    if isinstance(value, np.ndarray):
        content = [*map(id, value.reshape(-1).tolist())] if value.dtype.hasobject else np.asarray(value).tobytes()
        mask = np.ma.getmaskarray(value).tobytes() if isinstance(value, np.ma.MaskedArray) else None
        return type(value), value.dtype, value.shape, value.strides, value.flags.writeable, content, mask
    if isinstance(value, list | tuple | deque):
        return type(value), [snapshot(one, seen) for one in value]
    if isinstance(value, dict):
        return [(key, snapshot(one, seen)) for key, one in value.items()]
    if isinstance(value, pandas.DataFrame):
        return [(label, snapshot(column, seen)) for label, column in value.items()]
    if isinstance(value, pandas.Series):
        return value.dtype, list(map(str, value)), list(value.index)
    if isinstance(value, sparse.csr_array):
        return [snapshot(one) for one in (value.data, value.indices, value.indptr)]
    return type(value)


def sentence(error, names):
    """The error is one of ours, and says in one line which argument it is about."""
    assert isinstance(error, ValueError | TypeError), repr(error)[:300]
    text = str(error)
    assert "\n" not in text, text
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    assert raised_in.startswith(PACKAGE), (raised_in, text)
    assert re.search(rf"\b({'|'.join(map(re.escape, names))})\b", text), (names, text)


def calls_the_user(forms):
    """Whether there is a callback, whose errors are the user's."""
    return "callback" in forms and callable(forms["callback"].value)


def numbers_in(result):
    """Of whatever a function returns, as arrays."""
    if isinstance(result, np.ndarray) and result.dtype.kind in "USO":
        return [result.astype(str)]
    if isinstance(result, tuple | list):
        return [array for one in result for array in numbers_in(one)]
    if isinstance(result, fastnn.Model):
        return [*result.weights, result.history.cost]
    if hasattr(result, "relative_norm_error"):
        return [np.array([result.parameters, result.directions, result.step])]
    return [np.asarray(result, dtype=np.float64)]


def same_result(got, want, narrow):
    """To the rounding of sums in another order; `narrow`: of products in float32."""
    tolerance = 1e-2 if narrow else 1e-9
    for one, other in zip(numbers_in(got), numbers_in(want), strict=True):
        if one.dtype.kind == "U":
            assert one.tolist() == other.tolist()
        else:
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


# By kind of an argument: what NumPy says that a value means, and words that its errors may have instead of its name.
def as_numbers(value):
    columns = value.to_pandas() if isinstance(value, pyarrow.Table) else value
    return np.array(columns, dtype=np.float64)


def as_indices(value):
    array = np.asarray(value)
    return as_numbers(value) if array.ndim == 2 else array.astype(np.float64).astype(np.int64)


def as_real(value):
    assert not isinstance(value, bool | str)
    return float(value)


def as_count(value):
    assert not isinstance(value, bool | str | float)
    return int(value)


def as_word(value):
    assert isinstance(value, str)
    return str(value)


def as_flag(value):
    assert isinstance(value, bool | np.bool_)
    return bool(value)


def as_weights(value):
    assert isinstance(value, tuple | list)
    return tuple(map(as_numbers, value))


def as_sizes(value):
    return tuple(as_count(size) for size in np.asarray(value).tolist())


def as_itself(value):
    return value


def nothing(value):
    return []


class Kind(NamedTuple):
    plain: Any  # what NumPy says that a value means
    same: Any = nothing  # of a good value functions that make other forms of it
    wrong: Any = nothing  # and what must be refused
    other: Any = nothing  # and what may be
    words: tuple = ()  # what errors may say instead of the argument's name


def in_forms(makers):
    return lambda array: [partial(make, array) for make in makers]


def one_in_forms(makers):
    """One of the matrices in another form."""

    def with_one(weights, l, make):
        return [*weights[:l], make(weights[l]), *weights[l + 1 :]]

    return lambda weights: [partial(with_one, weights, l, make) for make in makers for l in range(len(weights))]


KINDS = {
    "X": Kind(as_numbers, in_forms(SAME), in_forms(WRONG), in_forms(OTHER), ("examples",)),
    "numbers": Kind(as_numbers, in_forms(SAME), in_forms(WRONG), in_forms(OTHER)),
    "theta": Kind(as_numbers, in_forms(SAME), in_forms(WRONG), in_forms(OTHER)),
    "indices": Kind(as_indices),
    "weights": Kind(
        as_weights,
        one_in_forms(SAME),
        one_in_forms(WRONG),
        one_in_forms(OTHER),
        ("network", r"weights\[\d\]", "outputs"),
    ),
    "real": Kind(as_real),
    "count": Kind(as_count),
    "word": Kind(as_word),
    "flag": Kind(as_flag),
    "sizes": Kind(as_sizes, words=("network", "outputs", "class indices", "parameter")),
    "hidden": Kind(lambda value: tuple(map(as_count, np.atleast_1d(np.asarray(value, dtype=object)).tolist()))),
    "positions": Kind(as_indices),
    "seed": Kind(as_itself),
    "labels": Kind(np.asarray, words=("label", "class")),
    "class weight": Kind(as_itself, other=lambda value: [partial(some.copy) for some in CLASS_WEIGHTS]),
    "held out": Kind(as_itself, other=lambda value: [partial(tuple, some) for some in HELD_OUT]),
    "any": Kind(as_itself),
}


CLASS_WEIGHTS = [
    {0: 2.0}, {0: 2.0, 1: 1}, {1: 0}, {0: 0, 1: 0}, {2: 1.0}, {"0": 1.0}, {0: np.nan}, {0: "1"}, {0: -1.0}, {None: 1.0},
    {0: Raises()}, {(0,): 1.0}, {0: 1e308, 1: 1e308}, {0: 5e-324}, {0: 10**400}, {0: True},
]  # fmt: skip
HELD_OUT = [
    (X, Y), (X, Y, WEIGHT), (X, Y, None), (X, Y, WEIGHT, 1), (X,), (X[:, :2], Y), (X, Y[:5]), (X, LETTERS),
    (X, 7 * Y), (X, X), (X * np.nan, Y), (X, Y, -WEIGHT), (X, Y, 0.0 * WEIGHT), (X.tolist(), Y.tolist()),
    (None, None), (X, Raises()), (Raises(), Y),
]  # fmt: skip


class Call(NamedTuple):
    function: Any
    good: dict  # by argument: a good value and its kind


FAMILY = {
    "activation": ("sigmoid", "word"),
    "output": ("sigmoid", "word"),
    "scale": (1.0, "real"),
}
DATA = {"X": (X, "X"), "y": (Y, "indices"), "lmbda": (0.5, "real"), "sample_weight": (WEIGHT, "numbers"), **FAMILY}
ENGINE = {"engine": ("fused", "word")}
NETWORK = {"weights": (W, "weights")}


def optional(plain):
    return lambda value: None if value is None else plain(value)


KINDS |= {f"{name} or None": kind._replace(plain=optional(kind.plain)) for name, kind in list(KINDS.items())}
DATA["sample_weight"] = (WEIGHT, "numbers or None")


@st.composite
def changed(draw, calls):
    """A call, and what takes the place of one or two of its arguments: name -> Form.

    From one number: of a dozen draws hypothesis would take most of the time.
    """
    random = Random(draw(st.integers(0, 2**64)))
    calls = calls() if callable(calls) else calls
    call = random.choice(list(calls))
    good, found = calls[call].good, {}
    for name in random.sample(list(good), min(len(good), random.choice([1, 1, 2]))):
        value, kind = good[name][0], KINDS[good[name][1]]
        forms = [
            (kind.same(value), value),
            (kind.wrong(value), REFUSED),
            (kind.other(value), OPEN),
            ([partial(anything, random)], OPEN),
        ]
        some, meaning = random.choice([one for one in forms if one[0]])
        found[name] = Form(random.choice(some)(), meaning)
    return call, found


def judge(calls, drawn):
    """The call is refused in a sentence, or right."""
    call, forms = drawn
    function, good = calls[call]
    plain = {name: value for name, (value, _) in good.items()}
    arguments = plain | {name: form.value for name, form in forms.items()}
    before = {name: snapshot(value) for name, value in arguments.items()}
    result = error = None
    with not_hanging():
        try:
            result = function(**arguments)
        except Exception as raised:
            error = raised
    assert {name: snapshot(value) for name, value in arguments.items()} == before
    if (call == "generate_digits" and isinstance(error, MemoryError)) or calls_the_user(forms):
        return
    if error is not None:
        names = [word for name in forms for word in (name, *KINDS[good[name][1]].words)]
        sentence(error, names)
        assert any(form.meaning is REFUSED or form.meaning is OPEN for form in forms.values()), error
        return
    assert not any(form.meaning is REFUSED for form in forms.values()), "accepted"
    meant = {
        name: KINDS[good[name][1]].plain(form.value) if form.meaning is OPEN else form.meaning
        for name, form in forms.items()
    }
    narrow = any(
        getattr(arguments.get(name), "dtype", None) in (np.float32, np.dtype(">f4")) for name in ("X", "theta")
    )
    if "seed" in forms and not isinstance(forms["seed"].value, int | np.integer):
        return  # other random numbers
    same_result(result, function(**plain | meant), narrow)


COSTS = {
    "forward": Call(fastnn.forward, NETWORK | {"X": (X, "X")} | ENGINE | FAMILY),
    "cost_and_gradient": Call(fastnn.cost_and_gradient, NETWORK | DATA | ENGINE),
    "cost_and_gradient_sums": Call(
        fastnn.cost_and_gradient_sums, NETWORK | {name: one for name, one in DATA.items() if name != "lmbda"} | ENGINE
    ),
}


@given(changed(COSTS))
def test_costs(drawn):
    judge(COSTS, drawn)


def objective(X, y, sizes, lmbda, theta, **options):
    """The constructor and its methods, of the same theta."""
    made = fastnn.Objective(X, y, sizes, lmbda, **options)
    cost, gradient = made.cost_and_gradient(theta)
    assert made.cost(theta) == cost
    assert np.array_equal(made.gradient(theta), gradient)
    assert made.evaluations == 1
    return cost, gradient


CHECKS = {
    "Objective": Call(objective, DATA | ENGINE | {"sizes": ((3, 2, 2), "sizes"), "theta": (THETA, "theta")}),
    "numerical_gradient": Call(
        fastnn.numerical_gradient,
        NETWORK | DATA | {"step": (1e-6, "real or None"), "progress": (False, "flag or None")},
    ),
    "check_gradient": Call(
        fastnn.check_gradient,
        NETWORK
        | DATA
        | ENGINE
        | {
            "gradient": (W, "weights or None"),
            "parameters": (np.array([0, 5]), "positions or None"),
            "directions": (None, "count or None"),
            "seed": (0, "seed"),
            "step": (1e-6, "real or None"),
            "tolerance": (1e-6, "real or None"),
            "progress": (False, "flag or None"),
        },
    ),
}
NETWORKS = {
    "init_weights": Call(
        fastnn.init_weights, {"sizes": ((3, 2, 2), "sizes"), "seed": (0, "seed"), "epsilon": (0.1, "real or None")}
    ),
    "pack": Call(fastnn.pack, NETWORK | {"order": ("C", "word")}),
    "unpack": Call(fastnn.unpack, {"theta": (THETA, "theta"), "sizes": ((3, 2, 2), "sizes"), "order": ("F", "word")}),
    "generate_digits": Call(
        lambda **options: fastnn.generate_digits(**options),
        {"start": (0, "count"), "stop": (2, "count"), "seed": (0, "count")},
    ),
}


@given(changed(CHECKS))
def test_objective_and_checks(drawn):
    judge(CHECKS, drawn)


@given(changed(NETWORKS))
def test_networks(drawn):
    judge(NETWORKS, drawn)


TRAINING = {
    "X": (X, "X"),
    "y": (Y, "labels"),
    "hidden": (2, "hidden"),
    "lmbda": (0.5, "real"),
    "solver": ("cg", "word"),
    "maxiter": (2, "count"),
    "seed": (0, "seed"),
    "weights": (None, "any"),
    "multilabel": (False, "flag"),
    "sample_weight": (WEIGHT, "numbers or None"),
    "class_weight": (None, "class weight"),
    "standardize": (False, "flag"),
    "validation": (None, "held out"),
    "patience": (None, "count or None"),
    "callback": (None, "any"),
    "target_cost": (None, "real or None"),
    "max_seconds": (None, "real or None"),
    "max_evaluations": (None, "count or None"),
    "tol": (1e-5, "real"),
    "verbose": (False, "flag"),
    "progress": (False, "flag or None"),
    "client": (None, "any"),
    "checkpoint": (None, "any"),
    "checkpoint_every": (None, "any"),
    **FAMILY,
    **ENGINE,
}
TRAININGS = {
    "classes": Call(fastnn.train, TRAINING),
    "numbers": Call(fastnn.train, TRAINING | {"output": ("identity", "word"), "y": (X[:, :2], "numbers")}),
    "weights": Call(fastnn.train, TRAINING | {"weights": (W, "weights"), "validation": ((X, Y), "held out")}),
    "labels": Call(fastnn.train, TRAINING | {"multilabel": (True, "flag"), "y": (1.0 * (X > 0), "numbers")}),
}


@given(changed(TRAININGS))
@pytest.mark.filterwarnings("ignore:y holds 6 classes for 6 examples, each a class of its own:UserWarning")
def test_training(drawn):
    judge(TRAININGS, drawn)


@cache
def kept():
    """The bytes of a checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.npz"
        fastnn.train(X, Y, 2, 0.5, maxiter=2, sample_weight=WEIGHT, checkpoint=path)
        return path.read_bytes()


def resumed(**arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.npz"
        path.write_bytes(kept())
        return fastnn.resume(path, X, Y, **arguments)


ASKED = ("sample_weight", "callback", "target_cost", "max_seconds", "max_evaluations", "progress", "client")
RESUMED = {
    "resume": Call(
        resumed,
        {name: TRAINING[name] for name in ASKED} | {"maxiter": (3, "count"), "tol": (1e-5, "real or None")},
    )
}


@given(changed(RESUMED))
@examples(300)
def test_resuming(drawn):
    """Data in another form may be of another type, which is refused: tests of checkpoints have those."""
    judge(RESUMED, drawn)


@cache
def predictions():
    """What models of every kind are asked; made when it is first needed, as kernels compile for it."""
    options = {"hidden": 2, "maxiter": 2}
    models = [
        (fastnn.train(X, Y, **options), (Y, "labels")),
        (fastnn.train(X, LETTERS, output="softmax", standardize=True, **options), (np.array(LETTERS), "labels")),
        (fastnn.train(X, X[:, :2], output="identity", scale=0.5, **options), (X[:, :2], "numbers")),
        (fastnn.train(X, 1.0 * (X > 0), multilabel=True, **options), (1.0 * (X > 0), "numbers")),
        (fastnn.train(pandas.DataFrame(X, columns=[*"012"]), Y, **options), (Y, "labels")),
    ]
    return {
        f"{method} {k}": Call(getattr(model, method), {"X": (X, "X"), **({"y": y} if method == "score" else {})})
        for k, (model, y) in enumerate(models)
        for method in ("predict", "predict_proba", "score")
        if not (method == "predict_proba" and model.output == "identity")
    }


@given(changed(predictions))
@pytest.mark.filterwarnings("ignore:X has a number .* deviations from the mean:UserWarning")  # told of, and right
@pytest.mark.filterwarnings("ignore:y holds labels that the model has never seen:UserWarning")
def test_predictions(drawn):
    judge(predictions(), drawn)


PARAMETERS = {
    "hidden_layer_sizes": ((2,), "hidden"),
    "activation": ("relu", "word"),
    "solver": ("lbfgs", "word"),
    "alpha": (0.1, "real"),
    "max_iter": (2, "count"),
    "max_fun": (100, "count"),
    "tol": (1e-4, "real"),
    "random_state": (0, "any"),
    "warm_start": (False, "flag"),
    "early_stopping": (False, "flag"),
    "validation_fraction": (0.3, "real"),
    "n_iter_no_change": (10, "count"),
    "standardize": (False, "flag"),
    "callback": (None, "any"),
    "max_seconds": (None, "real or None"),
    "verbose": (False, "any"),
}
FITTED_TO = {"X": (X, "X"), "y": (Y, "labels"), "sample_weight": (WEIGHT, "numbers or None"), "X2": (X[:2], "X")}
ESTIMATORS = {
    "classifier": Call(FastNNClassifier, PARAMETERS | {"class_weight": (None, "class weight")} | FITTED_TO),
    "regressor": Call(FastNNRegressor, PARAMETERS | FITTED_TO),
}


@given(changed(ESTIMATORS))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_estimators(drawn):
    """What is wrong with a parameter is a sentence of ours; of the data scikit-learn says it, as for its own networks.

    Of its own what is neither ValueError nor TypeError; an object whose methods raise has its own way, for instance.
    """
    name, forms = drawn
    kind, good = ESTIMATORS[name]
    arguments = {argument: value for argument, (value, _) in good.items()}
    arguments |= {argument: form.value for argument, form in forms.items()}
    before = {argument: snapshot(value) for argument, value in arguments.items()}
    data = {argument: arguments.pop(argument) for argument in FITTED_TO}
    estimator = kind().set_params(**arguments)
    assert all(estimator.get_params()[argument] is value for argument, value in arguments.items())
    X2 = data.pop("X2")
    fitted, error = None, None
    with not_hanging():
        try:
            fitted = estimator.fit(**data)
            found = estimator.predict(X2)
            estimator.score(data["X"], data["y"])
        except Exception as raised:
            error = raised
    assert {argument: snapshot(value) for argument, value in (arguments | data | {"X2": X2}).items()} == before
    own = {"classifier": MLPClassifier, "regressor": MLPRegressor}[name](hidden_layer_sizes=(2,), solver="lbfgs")
    own.set_params(max_iter=2, random_state=arguments["random_state"])
    of_data = set(forms) & {*FITTED_TO, "random_state"}
    if calls_the_user(forms):
        return
    if error is None:
        for form in forms.values():  # scikit-learn reads text as numbers, and makes dense what is sparse
            if form.meaning is REFUSED and not sparse.issparse(form.value):
                assert np.isfinite(as_numbers(form.value)).all()
        assert len(found) == np.shape(X2)[0]
        assert all(np.isfinite(coefs).all() for coefs in estimator.coefs_)
    elif not of_data:
        sentence(error, [*forms, *(word for one in forms for word in KINDS[good[one][1]].words)])
    elif not isinstance(error, ValueError | TypeError | OverflowError):
        with pytest.raises((type(error), ValueError, TypeError)):  # of two faults it may see the other one first
            own.fit(**data).predict(X2)
    if fitted is None and error is not None:
        with pytest.raises(NotFittedError):
            estimator.predict(X)


@pytest.mark.parametrize("kind", [FastNNClassifier, FastNNRegressor])
def test_an_estimator_has_no_other_parameters(kind):
    with pytest.raises(ValueError, match="Invalid parameter 'hidden' for estimator"):
        kind().set_params(hidden=3)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        kind().predict(X)


NAMES = [
    *("good.csv", "good.tsv", "good.npz", "good.npy", "good.mat", "model.npz", "model.mat", "labels.npy", "labels.csv"),
    *(
        "empty.csv",
        "empty.npz",
        "folder.csv",
        "folder.npz",
        "text.npz",
        "object.npz",
        "nan.npz",
        "short.npz",
        "words.csv",
    ),
    *("ragged.csv", "wide.csv", "one.csv", "nul.csv", "latin.csv", "binary.csv", "binary.npz", "pickle.npy", "zip.npz"),
    *(
        "",
        ".",
        "/",
        "missing.csv",
        "missing/model.npz",
        "\u00e9.csv",
        "a\x00b.npz",
        "a" * 300 + ".csv",
        "good",
        "good.CSV",
    ),
    *("good.csv.gz", "good.xlsx", "~", "-", " ", "good.csv/", "\ud800.csv", "/dev/null", "model.npz.npz", "good.h5"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of every kind, good ones and others; the tests work there."""
    folder = tmp_path_factory.mktemp("files")
    with contextlib.chdir(folder):
        rows = [",".join(map(str, [*x, label])) for x, label in zip(X.tolist(), LETTERS, strict=True)]
        Path("good.csv").write_text("\n".join(rows))
        Path("good.tsv").write_text("a\tb\tc\td\n" + "\n".join(rows).replace(",", "\t"))
        Path("labels.csv").write_text("\n".join(LETTERS))
        np.savez("good.npz", X=X, y=Y)
        np.save("good.npy", X)
        np.save("labels.npy", Y)
        scipy.io.savemat("good.mat", {"X": X, "y": Y})
        model = fastnn.train(X, Y, 2, maxiter=2)
        model.save("model.npz")
        model.save("model.mat")
        for name in ("empty.csv", "empty.npz"):
            Path(name).touch()
        for name in ("folder.csv", "folder.npz"):
            Path(name).mkdir()
        np.savez("text.npz", X=X.astype(str), y=Y)
        np.savez("nan.npz", X=X * np.nan, y=Y)
        np.savez("short.npz", X=X, y=Y[:3])
        np.savez("object.npz", X=X.astype(object), y=Y)
        np.save("pickle.npy", np.array([{}]), allow_pickle=True)
        Path("words.csv").write_text("all,of\nthese,words\n")
        Path("ragged.csv").write_text("1,2,3\n4,5\n6,7,8,9\n")
        Path("wide.csv").write_text(",".join("1" * 5_000) + "\n" + ",".join("2" * 5_000))
        Path("one.csv").write_text("7")
        Path("nul.csv").write_bytes(b"1,2,a\n\0,\0,b\n")
        Path("latin.csv").write_bytes("1,2,\u00e9\n3,4,b\n".encode("latin-1"))
        random = Random(0)
        for name in ("binary.csv", "binary.npz", "\u00e9.csv"):
            Path(name).write_bytes(random.randbytes(999))
        Path("zip.npz").write_bytes(Path("good.npz").read_bytes()[:-30])
    return folder


def files_in(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def nothing_changed(folder):
    """In that folder, where the test works, but for files with `made` in their names, which go again."""
    before = files_in(folder)
    with contextlib.chdir(folder), not_hanging():
        yield
    for path in folder.glob("*made*"):
        path.unlink()
    assert files_in(folder) == before


READING = {
    "load": (fastnn.load, ()),
    "read_weights": (fastnn.read_weights, ()),
    "read_data": (fastnn.read_data, ("header", "delimiter", "encoding", "label", "labels", "inputs")),
    "save": (lambda path: fastnn.train(X, Y, 2, maxiter=1).save(path), ()),
}
OPTIONS = [
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    4,
    2**70,
    "",
    ",",
    "\t",
    ";",
    "ab",
    "a",
    "d",
    "utf-8",
    "latin-1",
    "nonsense",
    "\x00",
]


@st.composite
def readings(draw):
    random = Random(draw(st.integers(0, 2**64)))
    call = random.choice(list(READING))
    names = random.choice([NAMES, ["made.npz", "made.mat", "made.csv", "made/a.npz"]] if call == "save" else [NAMES])
    some = lambda values: random.choice(values) if random.random() < 0.8 else anything(random)  # noqa: E731
    options = {name: some([*OPTIONS, *NAMES[:9]]) for name in READING[call][1] if random.random() < 0.3}
    path = some(names)
    return call, {"path": Path(path) if isinstance(path, str) and random.random() < 0.2 else path, **options}


@given(readings())
def test_files(folder, drawn):
    """Read, or an error that names the argument, or the file: OSError where the system says it."""
    call, arguments = drawn
    path = arguments["path"]
    if call == "save" and isinstance(path, str | Path) and "made" not in str(path):
        return
    before, error = snapshot(arguments), None
    with nothing_changed(folder):
        try:
            READING[call][0](**arguments)
        except Exception as raised:
            error = raised
    assert snapshot(arguments) == before
    if error is not None and not isinstance(error, OSError):
        sentence(error, [*arguments, "X", "y"])


COMMANDS = {
    "train": [
        "--data", "--labels", "--header", "--no-header", "--delimiter", "--encoding", "--label", "--validation",
        "--regression", "--hidden", "--activation", "--output", "--scale", "--lmbda", "--seed", "--weights",
        "--standardize", "--class-weight", "--solver", "--maxiter", "--max-seconds", "--target-cost", "--tol",
        "--patience", "--verbose", "--json", "--out", "--inputs", "--nonsense",
    ],
    "predict": ["--data", "--inputs", "--labels", "--label", "--delimiter", "--header", "--json"],
    "check": [
        "--model", "--examples", "--all", "--quick", "--hidden", "--activation", "--output", "--scale", "--weights",
    ],
    "show": ["--model", "--seed", "--order", "--out", "--data"],
    "convert": ["--dtype", "--label", "--header", "--json", "--delimiter"],
    "bench": ["--examples", "--lmbda", "--out"],
    "info": ["--json", "--nonsense"],
    "nonsense": [],
    "": [],
}  # fmt: skip
ALONE = {"--header", "--no-header", "--regression", "--standardize", "--verbose", "--json", "--all", "--quick"}
HUGE = str(10**30)
VALUES = {
    "--activation": ["sigmoid", "tanh", "relu", "identity", "softmax"],
    "--output": ["sigmoid", "softmax", "identity"],
    "--hidden": ["2", "2,2", "0", "2,", ",", str(10**13), "1_0"],
    "--seed": ["1", str(2**70), "-1"],
    "--solver": ["cg", "l-bfgs", "BFGS", "sgd"],
    "--scale": ["1/255", "1/0", "1e-400", "1e200"],
    "--order": ["F", "C", "A"],
    "--class-weight": ["balanced", "0=2", "0=2,1=1", "a=1", "=1", "0=nan", "7=1", "0=x"],
    "--dtype": ["float32", "uint8", "float16", "int"],
    "--validation": ["0.5", "1.5", "good.npz", "nan"],
    "--label": ["0", "-1", "d", "99"],
    "--delimiter": [",", "\\t", "xy"],
    "--out": ["made.npz", "made.mat", "made.png", "made.xyz", "missing/made.npz"],
    "--maxiter": ["2", "0", HUGE],
    "--examples": ["2", "0", str(10**30)],
    "--lmbda": ["1", "-1", "nan", "1e308"],
}
ODD = ["", " ", "-", "--", "0", "-1", "1", "1e400", "nan", "inf", "\u0663", "\u00e9", "\x00", "x" * 5_000, "[]", *NAMES]


@st.composite
def command_lines(draw):
    random = Random(draw(st.integers(0, 2**64)))
    command = random.choice([*["train"] * 4, *["predict", "check"] * 2, *COMMANDS])
    line = [command]
    if command in ("predict", "convert"):
        line.append(random.choice(["model.npz", "model.mat", *ODD] if command == "predict" else ["good.csv", *ODD]))
    if command == "convert":
        line.append(random.choice(["made.npz", "made.npy", "made.csv", "/", "folder.npz"]))
    if command in ("train", "predict", "check"):  # the digits would take a second each time
        line += ["--data", random.choice([*NAMES[:5] * 3, *NAMES])]
    if command == "bench":  # which would take a minute
        line += ["--data", random.choice(["missing.npz", "one.csv", "words.csv"])]
    if command == "show":
        line += ["--out", "made.png", "--model", random.choice(["model.npz", *NAMES])]
    if command == "train":
        line += ["--out", "made.npz", "--maxiter", "2"]
    for option in random.sample(COMMANDS[command], min(len(COMMANDS[command]), random.choice([0, 1, 1, 2, 3]))):
        line.append(option)
        if option not in ALONE:
            line.append(random.choice(VALUES.get(option, ODD) if random.random() < 0.7 else ODD))
    if HUGE in line and command == "train":  # which ends when it converges, in hours perhaps
        line += ["--max-seconds", "0.1"]
    return line


build_once = cache(command_line.build)


@given(command_lines())
@pytest.mark.filterwarnings("ignore:y holds:UserWarning")
def test_command_line(folder, drawn):
    """It ends with a status and, where that is 2, with one sentence; in this process, so that nothing is raised."""
    out, errors = io.StringIO(), io.StringIO()
    usage = False
    built_once = mock.patch.object(command_line, "build", build_once)  # which takes half of the time
    with nothing_changed(folder), built_once, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = main(drawn)
        except SystemExit as ended:  # argparse's
            status, usage = ended.code, True
    assert status in (0, 1, 2), (status, drawn)
    if status == 2:
        *lines, last = errors.getvalue().splitlines()
        assert "Traceback" not in errors.getvalue()
        assert last.startswith("fastnn"), errors.getvalue()
        assert usage or len([line for line in lines if not line.startswith("fastnn")]) == 0, errors.getvalue()
        assert len(last) < 6_000
    if "--json" in drawn and status == 0 and drawn[0] in ("train", "predict", "check", "convert", "info"):
        json.loads(out.getvalue())


BOUNDS = """
import numpy as np
import fastnn
from fastnn.runtime import cache
from fastnn.objective import Objective
from fastnn.problem import Data, Problem, validated

rng = np.random.default_rng(0)
weights = fastnn.init_weights((5, 4, 3))
for m in (1, 70, 700):
    X, y = rng.standard_normal((m, 5)), rng.integers(0, 3, m)
    for output, targets in (("sigmoid", y), ("softmax", np.eye(3)[y]), ("identity", X[:, :3])):
        cost, gradient = fastnn.cost_and_gradient(weights, X, targets, 1.0, output=output, sample_weight=np.ones(m))
    fastnn.forward(weights, X)
theta = fastnn.pack(weights)
network, data = validated(X[:6], y[:6], (5, 4, 3))
classes = np.array(data.targets.classes)
classes[3] = 1_000
wrong = Data(data.X, data.targets._replace(classes=classes), data.weight)
try:
    Objective.of(Problem(network, wrong)).evaluate(theta)
except IndexError as error:
    print(cache.build(), error)
"""


@pytest.mark.slow
def test_checked_indices():
    """With NUMBA_BOUNDSCHECK=1 kernels of their own are compiled: they pass, and see an index that nobody refused."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", BOUNDS], capture_output=True, text=True, timeout=400,
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs, _, said = done.stdout.strip().partition(" ")
    assert said == "index is out of bounds"
    assert theirs != build()
