"""X that is not in memory: the same bits from wherever it is; and bytes and halves, which stay what they are."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastnn
from fastnn import engines, network
from fastnn.inputs import streams, validation
from fastnn.kernels.arguments import equal_runs
from fastnn.spec import HIDDEN, OUTPUTS

from ..conftest import ENGINES, random_case

M, N = 2_000, 6
OPTIONS = {"hidden": 4, "lmbda": 0.1, "maxiter": 4, "solver": "l-bfgs"}
READER = "fastnn-reader"


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """So that these few examples are read in several runs."""
    monkeypatch.setattr(streams, "RUN_BYTES", 10_000)


def data(dtype=np.float64, m=M):
    """Classes that the inputs say something about; whole numbers where the type holds no others."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, m)
    X = rng.standard_normal((m, N)) + y[:, None]
    kind = np.dtype(dtype).kind
    X = X if kind == "f" else X > 0.0 if kind == "b" else np.clip(100.0 + 30.0 * X, 0, 255)
    return X.astype(dtype), y


class Slices:
    """The least that is read run by run: a shape, a type, and slices; and who asks for them."""

    def __init__(self, X):
        self.shape, self.dtype = X.shape, X.dtype
        self.threads, self.begun = [], []
        self._X = X

    def __getitem__(self, rows):
        self.threads.append(threading.current_thread().name)
        self.begun.append((rows.start, rows.stop))
        return self._X[rows]


def mapped(X, path, order="C", mode="r"):
    np.save(path / "X.npy", X.copy(order))
    return np.load(path / "X.npy", mmap_mode=mode)


def wider(X, path):
    """Inside a larger array of a file: neither its first row nor its first column."""
    around = np.full((len(X) + 5, N + 3), 77, X.dtype)
    around[3:-2, 1:-2] = X
    return mapped(around, path)[3:-2, 1:-2]


def every_second(X, path):
    return mapped(X.repeat(2, axis=0), path)[::2]


def unaligned(X, path):
    """As in an .npz, where an array may begin at any byte."""
    (path / "X.bin").write_bytes(b"abc" + X.tobytes())
    return np.memmap(path / "X.bin", X.dtype, "r", 3, X.shape)


def dataset(**layout):
    def make(X, path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(path / "X.h5", "w") as file:
            file.create_dataset("X", data=X, **layout)
        return h5py.File(path / "X.h5", "r")["X"]

    return make


def zarr_array(X, path):
    zarr = pytest.importorskip("zarr")
    array = zarr.open_array(str(path / "X.zarr"), mode="w", shape=X.shape, chunks=(300, 4), dtype=X.dtype)
    array[:] = X
    return array


MAKERS = {
    "memmap": mapped,
    "memmap, column by column": lambda X, path: mapped(X, path, "F"),
    "memmap, rows and columns of it": wider,
    "memmap, every second row": every_second,
    "memmap, at any byte": unaligned,
    "memmap, seen as an array": lambda X, path: np.asarray(mapped(X, path)),
    "h5py": dataset(),
    "h5py, chunked": dataset(chunks=(300, 4)),
    "h5py, compressed": dataset(compression="gzip", chunks=(200, N)),
    "zarr": zarr_array,
    "a class": lambda X, path: Slices(X),
}
OTHER_TYPES = [np.float32, np.float16, np.uint8, np.int16, np.bool_, ">f8", ">f4", ">i2"]


def assert_same_model(got, want):
    for mine, other in zip(got.weights, want.weights, strict=True):
        assert np.array_equal(mine, other)
    assert got.history.cost.tolist() == want.history.cost.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_bits_of_training_in_memory(make, tmp_path):
    X, y = data()
    others, weight = data(m=300), np.random.default_rng(0).random(M)
    stored = make(X, tmp_path)
    assert isinstance(streams.stored(stored), streams.Stored)
    for options in (
        {},
        {"standardize": True},
        {"validation": 0.3, "seed": 2},
        {"validation": 0.3, "standardize": True},
        {"validation": others},
        {"sample_weight": weight, "standardize": True},
        {"class_weight": "balanced", "scale": 0.3},
        {"output": "softmax", "activation": "relu", "sample_weight": weight},
    ):
        got, want = (fastnn.train(some, y, **OPTIONS, **options) for some in (stored, X))
        assert_same_model(got, want)
        for field in ("validation_cost", "validation_score") if "validation" in options else ():
            assert got.history[field].tolist() == want.history[field].tolist()
        assert got.outcome.advice == want.outcome.advice
        assert np.array_equal(got.predict_proba(stored), want.predict_proba(X))
        assert np.array_equal(got.predict(stored), want.predict(X))
        assert got.score(stored, y) == want.score(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", OTHER_TYPES, ids=str)
@pytest.mark.parametrize("name", ["memmap", "h5py, chunked", "zarr", "a class"])
def test_the_bits_of_other_types(name, dtype, tmp_path):
    X, y = data(dtype)
    stored = MAKERS[name](X, tmp_path)
    for options in ({"scale": 1 / 255}, {"standardize": True}):
        got, want = (fastnn.train(some, y, **OPTIONS, **options) for some in (stored, X))
        assert_same_model(got, want)
        assert np.array_equal(got.predict_proba(stored), want.predict_proba(X))


@pytest.mark.parametrize("engine", ["loop", "numpy", "fused"])
@pytest.mark.parametrize("name", ["memmap", "a class"])
def test_every_engine(name, engine, tmp_path):
    """NumPy adds up run by run, in another order than all at once; the others by their groups."""
    X, y = data()
    weights = fastnn.init_weights((N, 4, 3))
    stored = MAKERS[name](X, tmp_path)
    got, want = (fastnn.cost_and_gradient(weights, some, y, 0.1, engine=engine) for some in (stored, X))
    rounding = 1e-13 if engine == "numpy" else 0.0
    assert got[0] == pytest.approx(want[0], rel=rounding, abs=0.0)
    got, want = fastnn.pack(got[1]), fastnn.pack(want[1])
    assert np.linalg.norm(got - want) <= rounding * np.linalg.norm(want)
    got, want = (fastnn.cost_and_gradient_sums(weights, some, y, engine=engine) for some in (stored, X))
    assert got[0] == pytest.approx(want[0], rel=rounding, abs=0.0)
    got, want = (fastnn.forward(weights, some, engine=engine) for some in (stored, X))
    assert np.abs(got - want).max() <= rounding


@pytest.mark.parametrize("name", ["memmap", "h5py, compressed", "a class"])
def test_the_gradient_is_checked_in_parts(name, tmp_path):
    X, y = data(m=300)
    stored = MAKERS[name](X, tmp_path)
    for options in ({}, {"directions": 3}, {"parameters": [0, 7, 30]}):
        report = fastnn.check_gradient(fastnn.init_weights((N, 4, 3)), stored, y, 0.1, **options)
        assert report.passed, options
        assert report.examples == 300
    got, want = (fastnn.numerical_gradient(fastnn.init_weights((N, 4, 3)), some, y, 0.1) for some in (stored, X))
    np.testing.assert_allclose(fastnn.pack(got), fastnn.pack(want), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_what_was_written_to_a_map_stays_there(mode, tmp_path):
    """In mode "c" it is in memory alone, where a page that is given back would be read from the file again."""
    X, y = data()
    stored = mapped(X, tmp_path, mode=mode)
    stored[1_500] = 7.0
    want = X.copy()
    want[1_500] = 7.0
    got = fastnn.train(stored, y, **OPTIONS)
    assert_same_model(got, fastnn.train(want, y, **OPTIONS))
    assert np.array_equal(stored, want)
    assert_same_model(fastnn.train(stored, y, **OPTIONS), got)


def test_a_copy_of_a_map_is_in_memory(tmp_path):
    X, y = data()
    for copied in (mapped(X, tmp_path).copy(), mapped(X, tmp_path)[np.arange(M)], mapped(X, tmp_path) * 1.0):
        assert_same_model(fastnn.train(copied, y, **OPTIONS), fastnn.train(X, y, **OPTIONS))


def test_a_masked_map_is_refused_as_a_masked_array_is(tmp_path):
    X, y = data()
    masked = np.ma.masked_array(mapped(X, tmp_path), np.zeros(X.shape, bool))
    assert_same_model(fastnn.train(masked, y, **OPTIONS), fastnn.train(X, y, **OPTIONS))
    masked.mask[3, 2] = True
    with pytest.raises(ValueError, match=r"X is masked at index \(3, 2\)"):
        fastnn.train(masked, y)


@pytest.mark.parametrize("name", ["memmap", "h5py, chunked", "a class"])
def test_validation_on_what_is_not_in_memory(name, tmp_path):
    X, y = data()
    others = data(m=500)
    stored = MAKERS[name](others[0], tmp_path)
    for options in ({}, {"standardize": True}):
        got, want = (
            fastnn.train(X, y, **OPTIONS, **options, validation=(some, others[1])) for some in (stored, others[0])
        )
        assert_same_model(got, want)
        for field in ("validation_cost", "validation_score"):
            assert got.history[field].tolist() == want.history[field].tolist()


def test_several_labels_and_numbers(tmp_path):
    X, y = data()
    stored, Y = mapped(X, tmp_path), np.eye(3)[y]
    for options in ({"multilabel": True}, {"output": "identity"}):
        got, want = (fastnn.train(some, Y, **OPTIONS, **options) for some in (stored, X))
        assert_same_model(got, want)
        assert got.score(stored, Y) == want.score(X, Y)


CALLS = {
    "train": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2),
    "train, relu": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, activation="relu"),
    "train, numpy": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, engine="numpy"),
    "train, loop": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, engine="loop"),
    "standardize": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, standardize=True),
    "train, a part held out": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, validation=0.3),
    "train, most held out": lambda X, y, weights: fastnn.train(X, y, 4, maxiter=2, validation=0.9, seed=1),
    "standardize, a part held out": lambda X, y, weights: fastnn.train(
        X, y, 4, maxiter=2, validation=0.3, standardize=True
    ),
    "standardize, most held out": lambda X, y, weights: fastnn.train(
        X, y, 4, maxiter=2, validation=0.9, standardize=True, seed=1
    ),
    "forward": lambda X, y, weights: fastnn.forward(weights, X),
    "forward, relu": lambda X, y, weights: fastnn.forward(weights, X, activation="relu"),
    "forward, numpy": lambda X, y, weights: fastnn.forward(weights, X, engine="numpy"),
    "forward, loop": lambda X, y, weights: fastnn.forward(weights, X, engine="loop"),
    "cost_and_gradient": lambda X, y, weights: fastnn.cost_and_gradient(weights, X, y),
    "cost_and_gradient, relu": lambda X, y, weights: fastnn.cost_and_gradient(weights, X, y, activation="relu"),
    "cost_and_gradient_sums": lambda X, y, weights: fastnn.cost_and_gradient_sums(weights, X, y),
    "Objective": lambda X, y, weights: fastnn.Objective(X, y, (N, 4, 3)).cost(fastnn.pack(weights)),
    "check_gradient": lambda X, y, weights: fastnn.check_gradient(weights, X, y),
    "check_gradient, of another": lambda X, y, weights: fastnn.check_gradient(weights, X, y, gradient=weights),
    "check_gradient, directions": lambda X, y, weights: fastnn.check_gradient(
        weights, X, y, gradient=weights, directions=2
    ),
    "numerical_gradient": lambda X, y, weights: fastnn.numerical_gradient(weights, X, y),
}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("name", ["memmap", "a class"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_not_finite_is_named(call, name, value, tmp_path):
    X, y = data()
    X[1_990, 2] = value
    with pytest.raises(ValueError, match=rf"X holds {value} at index \(1990, 2\); finite numbers are wanted"):
        call(MAKERS[name](X, tmp_path), y, fastnn.init_weights((N, 4, 3)))


@pytest.mark.parametrize("standardize", [False, True])
def test_a_model_names_what_is_not_finite(standardize, tmp_path):
    X, y = data()
    model = fastnn.train(X, y, **OPTIONS, standardize=standardize)
    X[1_990, 2] = np.nan
    for ask in (model.predict, model.predict_proba, lambda X: model.score(X, y)):
        with pytest.raises(ValueError, match=r"X holds nan at index \(1990, 2\); finite numbers are wanted"):
            ask(mapped(X, tmp_path))


class Wrong(Slices):
    """Slices that are something else from example 1,000 on."""

    def __init__(self, X, change):
        super().__init__(X)
        self._change = change

    def __getitem__(self, rows):
        block = super().__getitem__(rows)
        return self._change(block) if rows.start >= 1_000 else block


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda block: block[:-1],
            r"X gives an array \(\d+, 6\) of float64 for X\[\d+:\d+\]; \(\d+, 6\) of float64 is",
        ),
        (lambda block: block[:, :5], r"X gives an array \(\d+, 5\) of float64"),
        (lambda block: block.ravel(), r"X gives an array \(\d+,\) of float64"),
        (lambda block: block.astype(np.float32), r"of float32 for X\[\d+:\d+\]; .* as its shape and dtype say"),
        (lambda block: None, r"X gives an array \(\) of object"),
    ],
)
def test_slices_that_are_not_what_was_announced_are_refused(change, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        fastnn.train(Wrong(X, change), y, 4)


@pytest.mark.parametrize("shape", [(0, 6), (6, 0)])
def test_nothing_in_it(shape):
    with pytest.raises(ValueError, match=r"X has shape .*; \(m, n\), one example a row, is wanted, m and n at least 1"):
        fastnn.train(Slices(np.empty(shape)), np.arange(shape[0]))


def test_another_number_of_columns():
    X, y = data()
    with pytest.raises(ValueError, match="X has 6 columns; the network has 7 inputs"):
        fastnn.cost_and_gradient(fastnn.init_weights((7, 4, 3)), Slices(X), y)


def test_masked_slices_are_refused():
    """As those of netCDF4 are where a value is missing; a mask of nothing is none."""
    X, y = data()
    got = fastnn.train(Wrong(X, np.ma.masked_array), y, **OPTIONS)
    assert_same_model(got, fastnn.train(X, y, **OPTIONS))
    with pytest.raises(ValueError, match=r"X is masked in X\[\d+:\d+\]; numbers for all of it are wanted"):
        fastnn.train(Wrong(X, lambda block: np.ma.masked_greater(block, 1.0)), y)


class Buffered(Slices):
    """All slices are in the same memory."""

    def __getitem__(self, rows):
        buffer = self.__dict__.setdefault("buffer", np.empty(self.shape))
        block = buffer[: rows.stop - rows.start]
        block[:] = super().__getitem__(rows)
        return block


class Whole(Slices):
    """Every slice of a length is the same array, no view of one."""

    def __getitem__(self, rows):
        buffer = self.__dict__.setdefault(rows.stop - rows.start, np.empty((rows.stop - rows.start, N)))
        buffer[:] = super().__getitem__(rows)
        return buffer


def test_a_class_may_fill_the_same_buffer_again():
    """The next run is read while kernels work on this one."""
    X, y = data()
    for kind in (Buffered, Whole):
        assert_same_model(fastnn.train(kind(X), y, **OPTIONS), fastnn.train(X, y, **OPTIONS))


class Lost(Exception):
    """A disk that is gone."""


def test_errors_of_a_class_come_as_they_are():
    X, y = data()
    error = Lost("at home")

    def lose(block):
        raise error

    for call in CALLS.values():
        with pytest.raises(Lost) as caught:
            call(Wrong(X, lose), y, fastnn.init_weights((N, 4, 3)))
        assert caught.value is error
        assert not readers()


class OnDevice:
    """Like a tensor of torch or jax: a shape, a type, slices, and in memory."""

    def __init__(self, X):
        self.shape, self.dtype = X.shape, X.dtype
        self._X = X

    def __getitem__(self, rows):
        raise AssertionError("it is in memory, and must not be read in slices")


class ByDlpack(OnDevice):
    def __dlpack__(self, **options):
        return self._X.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._X.__dlpack_device__()


class ByInterface(OnDevice):
    @property
    def __array_interface__(self):
        return self._X.__array_interface__


@pytest.mark.parametrize("kind", [ByDlpack, ByInterface])
def test_tensors_are_arrays(kind):
    X, y = data()
    assert streams.stored(kind(X)) is None
    assert_same_model(fastnn.train(kind(X), y, **OPTIONS), fastnn.train(X, y, **OPTIONS))


def test_what_cannot_be_read_in_slices_is_no_such_thing():
    X, _ = data()
    pandas = pytest.importorskip("pandas")
    for value in (X, X.tolist(), pandas.DataFrame(X), 3, None, "X", X[:, 0], Slices(X[:, 0]), Slices(X.astype(str))):
        assert streams.stored(value) is None


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith(READER)]


@pytest.mark.parametrize("engine", ["loop", "numpy", "fused"])
def test_one_run_is_read_ahead_while_kernels_work(engine, monkeypatch):
    """The kernel of a run does not return before the next run is being read, and finds no other one begun."""
    X, y = data()
    stored, done = Slices(X), []
    module = engines.module(engine)
    accumulate = module.accumulate

    def waiting(theta, layers, X, targets, weight, work, run, sums):
        others = len(done) + 2 if run.stop < M else len(done) + 1
        deadline = threading.Event()
        for _ in range(1_000):
            if len(stored.begun) >= others:
                break
            deadline.wait(0.01)
        accumulate(theta, layers, X, targets, weight, work, run, sums)
        done.append((run.start, run.stop))
        assert len(stored.begun) == others

    monkeypatch.setattr(module, "accumulate", waiting)
    fastnn.cost_and_gradient(fastnn.init_weights((N, 4, 3)), stored, y, engine=engine)
    assert len(done) > 3
    assert done == stored.begun
    assert done[0][0] == 0
    assert done[-1][1] == M
    assert all(name.startswith(READER) for name in stored.threads)
    assert not readers()


def test_kernels_leave_python_to_the_reader():
    """Or nothing would be read while they work."""
    from fastnn.runtime import jit

    engines.module("fused")
    variants = [variant for kernel in jit._kernels for variant in (kernel.parallel, kernel.serial)]
    assert len(variants) > 2
    assert all(variant.targetoptions["nogil"] for variant in variants)


def test_the_reader_is_gone_after_an_interrupt(monkeypatch):
    X, y = data()

    def interrupt(state):
        raise KeyboardInterrupt

    model = fastnn.train(Slices(X), y, **OPTIONS, callback=interrupt)
    assert model.outcome.status == "interrupted"
    assert not readers()

    fused = engines.module("fused")
    accumulate, calls = fused.accumulate, []

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 10:  # in the middle of a pass, while the next run is being read
            raise KeyboardInterrupt
        accumulate(*arguments)

    monkeypatch.setattr(fused, "accumulate", broken)
    model = fastnn.train(Slices(X), y, **OPTIONS)
    assert model.outcome.status == "interrupted"
    assert not readers()


def test_a_chosen_part_is_read_in_pieces():
    X, _ = data()
    stored = Slices(X)
    some = np.sort(np.random.default_rng(0).choice(M, 150, replace=False))
    chosen = streams.Chosen(streams.stored(stored), some)
    assert np.array_equal(chosen.read(0, 150), X[some])
    assert np.array_equal(chosen.read(20, 33), X[some[20:33]])
    assert np.array_equal(chosen.rows(np.array([5, 3, 149])), X[some[[5, 3, 149]]])
    most = streams.examples_of_a_run(chosen)
    assert all(stop - start <= most for start, stop in stored.begun)
    chosen = streams.Chosen(chosen, np.array([1, 5, 100]))
    assert np.array_equal(chosen.read(0, 3), X[some[[1, 5, 100]]])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", HIDDEN)
def test_bytes_and_halves_are_the_numbers_that_they_stand_for(activation, output, dtype, engine):
    case = random_case((13, 5, 3), 70)
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, case.X.shape).astype(dtype) if dtype == np.uint8 else (30 * case.X).astype(dtype)
    scale = 1 / 255
    wide = X.astype(np.float64) * scale
    y = np.eye(3)[case.y] if output == "identity" else case.y
    family = {"engine": engine, "activation": activation, "output": output}
    got = fastnn.cost_and_gradient(case.weights, X, y, 0.3, scale=scale, **family)
    want = fastnn.cost_and_gradient(case.weights, wide, y, 0.3, **family)
    assert got[0] == want[0]
    assert np.array_equal(fastnn.pack(got[1]), fastnn.pack(want[1]))
    got = fastnn.forward(case.weights, X, scale=scale, **family)
    assert np.array_equal(got, fastnn.forward(case.weights, wide, **family))
    assert validation.inputs(X).dtype == dtype


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("engine", ["loop", "numpy", "fused"])
def test_every_half(engine):
    """All 63,488 finite ones, through a network of one unit that gives back its input."""
    X = np.arange(1 << 16, dtype=np.uint16).view(np.float16)[:, np.newaxis]
    X = X[np.isfinite(X[:, 0])]
    A = np.full(X.shape, np.nan)
    engines.module(engine).forward(np.array([0.0, 1.0]), network.layer_table((1, 1), "sigmoid", "identity"), X, 1.0, A)
    want = X.astype(np.float64)
    assert np.array_equal(A, want)
    assert len(X) == 63_488
    got = fastnn.forward((np.array([[0.0, 1.0]]),), X, engine=engine, output="identity")
    assert np.array_equal(got, want)


@pytest.mark.parametrize("scale", [0, 0.0, -1.0, np.nan, np.inf, "1/255", True, None])
def test_wrong_scales_are_refused(scale):
    X, y = data(np.uint8, 20)
    weights = fastnn.init_weights((N, 4, 3))
    for call in (
        lambda: fastnn.train(X, y, scale=scale),
        lambda: fastnn.forward(weights, X, scale=scale),
        lambda: fastnn.cost_and_gradient(weights, X, y, scale=scale),
        lambda: fastnn.cost_and_gradient_sums(weights, X, y, scale=scale),
        lambda: fastnn.check_gradient(weights, X, y, scale=scale),
        lambda: fastnn.Objective(X, y, (N, 4, 3), scale=scale),
    ):
        with pytest.raises((ValueError, TypeError), match=r"scale is .*; a finite number greater than 0 is wanted"):
            call()


# Two iterations on a gigabyte, by a process that may have 400 MB more than it had before. The file is a hole, but for
# some rows. Prints how far memory grew, in MB: its own, and what it held of the file.
LARGE = """
import resource, sys, threading
import numpy as np
import fastnn

def status(*names):
    with open("/proc/self/status") as file:
        fields = dict(line.split(":") for line in file)
    return sum(int(fields[name].split()[0]) for name in names) / 1000

def mapped(path, m):
    X = np.lib.format.open_memmap(path, "w+", np.float32, (m, 500))
    X[:: m // 50] = np.random.default_rng(0).standard_normal(X[:: m // 50].shape)
    X.flush()
    return np.load(path, mmap_mode="r")

def train(X, **options):
    y = np.arange(len(X)) % 3
    return fastnn.train(X, y, 4, maxiter=2, solver="l-bfgs", **options)

folder, options = sys.argv[1], eval(sys.argv[2])
train(mapped(f"{folder}/small.npy", 5_000), **options)
large = mapped(f"{folder}/large.npy", 500_000)
assert large.nbytes == 10**9
before = status("RssAnon"), status("RssFile", "RssShmem")
limit = int((status("VmData") + 400) * 1e6)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
peaks, over = [0.0, 0.0], threading.Event()

def watch():
    while not over.wait(0.005):
        now = status("RssAnon"), status("RssFile", "RssShmem")
        peaks[:] = map(max, peaks, now)

watcher = threading.Thread(target=watch)
watcher.start()
try:
    model = train(large, **options)
finally:
    over.set()
    watcher.join()
print(len(model.history), *(peak - now for peak, now in zip(peaks, before)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is asked for as Linux tells it")
@pytest.mark.parametrize(("options", "most"), [({}, 60.0), ({"validation": 0.01}, 200.0)])
def test_a_gigabyte_in_little_memory(tmp_path, options, most):
    """Runs are of 32 MB there, as users have them. Of some examples there are three at a time, beside numbers for each
    of them: the one that kernels had, the next one, and the rows that it is chosen from. Of the file there are two."""
    run = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path), repr(options)],
        capture_output=True, text=True, check=False, env=os.environ | {"NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    iterations, own, of_the_file = map(float, run.stdout.split())
    assert iterations >= 2
    assert own < most
    assert of_the_file < 100.0


def test_datasets_in_one_piece_are_mapped(tmp_path):
    """What HDF5 would have to put together, convert or write back is read by h5py."""
    h5py = pytest.importorskip("h5py")
    X, _ = data(np.float32)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["plain"] = X
        file["bytes"] = np.arange(12, dtype=np.uint8).reshape(4, 3)
        file["booleans"] = X > 0
        file.create_dataset("chunks", data=X, chunks=(10, N))
        file.create_dataset("packed", data=X, compression="gzip")
        file.create_dataset("nothing yet", (4, 3), np.float32)
    with h5py.File(path, "r") as file:
        found = {name: streams.stored(file[name]) for name in file}
        kinds = {name: type(one).__name__ for name, one in found.items()}
        assert {name for name, kind in kinds.items() if kind == "Mapped"} == {"plain", "bytes"}
        assert {name for name, kind in kinds.items() if kind == "Sliced"} == {*kinds} - {"plain", "bytes"}
        for name, one in found.items():
            assert np.array_equal(one.read(1, 3), file[name][1:3])
        os.replace(path, tmp_path / "b.h5")  # the name means another file, or none, by the time it is mapped
        (tmp_path / "a.h5").write_bytes(b"another file" * 100_000)
        assert np.array_equal(streams.stored(file["plain"]).read(5, 9), X[5:9])
    assert np.array_equal(found["plain"].read(5, 9), X[5:9])  # a closed file's map stays
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        assert type(streams.stored(file["plain"])).__name__ == "Sliced"


def test_reading_ahead_into_two_rooms(tmp_path):
    """What a run has read is not overwritten while it is in use."""
    h5py = pytest.importorskip("h5py")
    X, _ = data(np.float64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("X", data=X, chunks=(7, N))
        one = streams.stored(dataset)
        rooms = set()
        for run, examples in streams.each(one, equal_runs(M, 13)):
            time.sleep(0.002)
            assert np.array_equal(examples, X[run.start : run.stop])
            rooms.add(examples.__array_interface__["data"][0])
    assert len(rooms) == 2
