"""A training that is ended in any way goes on to the bits of the one that was not."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import files
from fastnn.objective import Objective
from fastnn.training import checkpoint, replay
from fastnn.training.solvers import SOLVERS

from ..conftest import with_slow


class Killed(BaseException):
    """What nobody catches."""


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    return np.array([[2.0, 0.0, 1.0], [-2.0, 1.0, 0.0], [0.0, -2.0, 1.0]])[y] + rng.standard_normal((90, 3)), y


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file on a disk that is quick."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
    return tmp_path / "training.npz"


OPTIONS = {"hidden": 4, "lmbda": 0.1, "maxiter": 25, "seed": 1}
PLAIN: dict = {}
ALL = {"validation": 0.3, "patience": 20, "class_weight": {0: 2.0}, "standardize": True}


def assert_same(got, want):
    """Two models, to the bit, but for the seconds they took."""
    for a, b in zip(got.weights, want.weights, strict=True):
        assert np.array_equal(a, b)
    for name in want.history.dtype.names:
        assert name == "seconds" or np.array_equal(got.history[name], want.history[name], equal_nan=True), name
    for name in ("status", "cost", "gradient_norm", "iterations", "evaluations", "advice"):
        np.testing.assert_equal(getattr(got.outcome, name), getattr(want.outcome, name), name)
    assert np.array_equal(got.classes, want.classes)
    assert (got.scaling is None) == (want.scaling is None)


def ended_at_evaluation(monkeypatch, k, error):
    """The k-th evaluation from now on raises that error; of those held out, without regularisation, none counts."""
    evaluate, count = Objective._evaluate, iter(range(1, 10**6))

    def counted(self, theta, gradient):
        if self.lmbda and next(count) == k:
            raise error
        return evaluate(self, theta, gradient)

    monkeypatch.setattr(Objective, "_evaluate", counted)


@pytest.mark.parametrize("more", [PLAIN, pytest.param(ALL, marks=pytest.mark.slow)], ids=["plain", "all"])
@pytest.mark.parametrize("solver", with_slow(["cg", "l-bfgs"], SOLVERS))
def test_whatever_ends_a_training_it_goes_on_to_the_same_bits(data, path, solver, more, monkeypatch, long):
    """Ended at an evaluation, in an iteration, or again and again; with checkpoints at every moment or now and then."""
    options = OPTIONS | more | {"solver": solver}
    want = fastnn.train(*data, **options)
    last = want.outcome.evaluations
    quick = [(2, 1), (5, 1e-9), (last // 2, 5), (last, 60.0)]
    for k, every in itertools.product(range(2, last + 1), (1, 1e-9, 3)) if long else quick:
        with monkeypatch.context() as patched:
            ended_at_evaluation(patched, k, Killed())
            with pytest.raises(Killed):
                fastnn.train(*data, **options, checkpoint=path, checkpoint_every=every)
        assert fastnn.load(path).outcome.status == "interrupted"
        assert_same(fastnn.resume(path, *data), want)
        path.unlink()

    def ends(state):
        if state.iteration % 7 == 0:
            raise Killed

    with pytest.raises(Killed):
        fastnn.train(*data, **options, checkpoint=path, checkpoint_every=5, callback=ends)
    with monkeypatch.context() as patched:
        ended_at_evaluation(patched, 3, KeyboardInterrupt())
        assert fastnn.resume(path, *data).outcome.status == "interrupted"
    assert_same(fastnn.resume(path, *data), want)


@pytest.mark.parametrize("solver", ["cg", "l-bfgs", "trust-constr"])
def test_what_was_evaluated_is_not_evaluated_again(data, path, solver, monkeypatch):
    options = OPTIONS | {"solver": solver}
    want = fastnn.train(*data, **options)
    with monkeypatch.context() as patched:
        ended_at_evaluation(patched, 15, Killed())
        with pytest.raises(Killed):
            fastnn.train(*data, **options, checkpoint=path)
    evaluate, evaluations = Objective._evaluate, []
    monkeypatch.setattr(Objective, "_evaluate", lambda *arguments: evaluations.append(1) or evaluate(*arguments))
    assert_same(fastnn.resume(path, *data), want)
    assert len(evaluations) == want.outcome.evaluations - 14


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_that_starts_anew_does_so_at_the_same_places(data, path, solver, monkeypatch):
    monkeypatch.setattr(replay, "LOG_BYTES", 0)
    monkeypatch.setattr(replay, "LOG_LEAST", 9)
    options = OPTIONS | {"solver": solver}
    want = fastnn.train(*data, **options, checkpoint=path)
    assert len(checkpoint.read(path)[2].log) < want.outcome.evaluations - 9
    for k in (8, 12, want.outcome.evaluations // 2, want.outcome.evaluations):
        path.unlink()
        with monkeypatch.context() as patched:
            ended_at_evaluation(patched, k, Killed())
            with pytest.raises(Killed):
                fastnn.train(*data, **options, checkpoint=path)
        assert_same(fastnn.resume(path, *data), want)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_checkpoint_changes_nothing(data, path, solver):
    options = OPTIONS | {"solver": solver}
    assert_same(fastnn.train(*data, **options, checkpoint=path, checkpoint_every=1), fastnn.train(*data, **options))


def test_a_training_that_has_ended_ends_again_or_goes_further(data, path):
    want = fastnn.train(*data, **OPTIONS | {"maxiter": 40})
    short = fastnn.train(*data, **OPTIONS, checkpoint=path)
    assert_same(fastnn.resume(path, *data), short)
    assert_same(fastnn.load(path), short)
    assert_same(fastnn.resume(path, *data, maxiter=40), want)
    assert fastnn.resume(path, *data, maxiter=41, target_cost=10.0).outcome.status == "target reached"
    assert fastnn.resume(path, *data, max_evaluations=3, maxiter=50).outcome.status == "evaluation limit"


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM])
def test_any_generator_holds_out_the_same_again(data, path, bits):
    def options():
        return OPTIONS | {"seed": np.random.Generator(bits(5)), "validation": 0.2}

    want = fastnn.train(*data, **options())
    with pytest.raises(Killed):
        fastnn.train(*data, **options(), checkpoint=path, callback=raises)
    assert_same(fastnn.resume(path, *data), want)


def raises(state):
    raise Killed


KINDS = {
    "numbers": (lambda X, y: (X, X[:, :2] + 0.1), {"output": "identity"}),
    "several": (lambda X, y: (X, (X[:, :2] > 0).astype(int)), {"multilabel": True}),
    "bytes": (lambda X, y: ((40 * X).clip(0, 255).astype(np.uint8), y), {"scale": 1 / 255, "standardize": True}),
    "text": (lambda X, y: (X.astype(np.float32), np.array(["a", "bc", "d"])[y]), {"output": "softmax"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network(data, path, kind):
    made, more = KINDS[kind]
    X, y = made(*data)
    want = fastnn.train(X, y, **OPTIONS, **more)
    with pytest.raises(Killed):
        fastnn.train(X, y, **OPTIONS, **more, checkpoint=path, callback=raises)
    got = fastnn.resume(path, X, y)
    assert np.array_equal(got.predict(X), want.predict(X))
    assert all(np.array_equal(a, b) for a, b in zip(got.weights, want.weights, strict=True))


def test_a_map_and_a_frame_are_the_same_numbers(data, path, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = data
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(Killed):
        fastnn.train(X, y, **OPTIONS, checkpoint=path, callback=raises)
    want = fastnn.train(X, y, **OPTIONS)
    content = path.read_bytes()
    for same in (np.load(tmp_path / "X.npy", mmap_mode="r"), pandas.DataFrame(X), X[::-1][::-1], np.asfortranarray(X)):
        path.write_bytes(content)
        assert_same(fastnn.resume(path, same, y), want)


X_AND_Y = "is not what the training in .* was begun with; the same numbers, of the same type and in the same order"
OTHERS = {
    "one bit of X": (
        lambda X, y: ((np.nextafter(X, np.where(np.arange(X.size) == 44, 9, X.ravel()).reshape(X.shape)), y), {}),
        "X",
    ),
    "the type of X": (lambda X, y: ((X.astype(np.float32), y), {}), "X"),
    "the order": (lambda X, y: ((X[::-1], y[::-1]), {}), "X"),
    "fewer": (lambda X, y: ((X[1:], y[1:]), {"sample_weight": np.ones(89)}), "X"),
    "columns": (lambda X, y: ((X[:, 1:], y), {}), "X"),
    "one label": (lambda X, y: ((X, np.where(np.arange(90) == 7, (y + 1) % 3, y)), {}), "y"),
    "other names": (lambda X, y: ((X, y + 1), {"validation": (X[:9], y[:9] + 1)}), "y"),
    "fewer classes": (lambda X, y: ((X, np.minimum(y, 1)), {}), "y"),
    "weights": (lambda X, y: ((X, y), {"sample_weight": np.full(90, 2.0)}), "sample_weight"),
    "held out": (lambda X, y: ((X, y), {"validation": (X[:5], y[:5])}), "validation"),
    "nothing held out": (lambda X, y: ((X, y), {"validation": None}), "validation"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_data_are_refused(data, path, what):
    X, y = data
    first = {"sample_weight": np.ones(90), "validation": (X[:9], y[:9])}
    with pytest.raises(Killed):
        fastnn.train(X, y, **OPTIONS, **first, checkpoint=path, callback=raises)
    content = path.read_bytes()
    made, name = OTHERS[what]
    arguments, more = made(X, y)
    with pytest.raises(ValueError, match=f"^{name} {X_AND_Y}"):
        fastnn.resume(path, *arguments, **(first | more))
    assert path.read_bytes() == content
    assert_same(fastnn.resume(path, X, y, **first), fastnn.train(X, y, **OPTIONS, **first))


def test_what_does_not_fit_is_refused(data, path, tmp_path):
    def refused(message, function, **arguments):
        with pytest.raises((ValueError, TypeError), match=message):
            function(*data, **arguments)

    train = lambda *some, **more: fastnn.train(*some, **OPTIONS, **more)  # noqa: E731
    refused("checkpoint is 3; a file name is wanted", train, checkpoint=3)
    refused("ends in .npz is wanted", train, checkpoint=tmp_path / "a.mat")
    refused("in a folder that does not exist", train, checkpoint=tmp_path / "no" / "a.npz")
    refused("checkpoint_every is 0; a positive integer is wanted", train, checkpoint=path, checkpoint_every=0)
    refused("checkpoint_every is -1.0; a finite number greater than 0", train, checkpoint=path, checkpoint_every=-1.0)
    refused("checkpoint_every is True", train, checkpoint=path, checkpoint_every=True)
    assert not path.exists()
    with pytest.raises(OSError, match="gone"):
        fastnn.resume(tmp_path / "gone.npz", *data)
    fastnn.train(*data, **OPTIONS).save(path)
    with pytest.raises(fastnn.ModelFileError, match="holds no training; a checkpoint is wanted"):
        fastnn.resume(path, *data)
    fastnn.train(*data, **OPTIONS, validation=0.25, checkpoint=path)
    resume = lambda *some, **more: fastnn.resume(path, *some, **more)  # noqa: E731
    refused("validation is 0.5; the training in .* holds out 0.25, and the same is wanted", resume, validation=0.5)
    refused("validation is .*; the training in .* holds out 0.25", resume, validation=data)
    refused("maxiter is 0; a positive integer is wanted", resume, maxiter=0)
    assert resume(*data, validation=0.25).outcome.status == "iteration limit"


def test_a_training_that_has_not_ended_is_not_replaced(data, path):
    with pytest.raises(Killed):
        fastnn.train(*data, **OPTIONS, checkpoint=path, callback=raises)
    content = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"which holds a training that has not ended, and fastnn.resume\(path, X, y\) "
    ):
        fastnn.train(*data, **OPTIONS, checkpoint=path)
    assert path.read_bytes() == content
    ended = fastnn.resume(path, *data)
    assert_same(fastnn.train(*data, **OPTIONS, checkpoint=path), ended)


def test_a_solver_that_does_not_repeat_its_steps(data, path):
    """On another processor, say."""
    with pytest.raises(Killed):
        fastnn.train(
            *data, **OPTIONS, checkpoint=path, callback=lambda state: raises(state) if state.iteration == 9 else 0
        )
    arrays = files.read_arrays(path)
    arrays["trail_marks"] = arrays["trail_marks"].copy()
    arrays["trail_marks"][16 * 5] ^= 1
    files.write_arrays(path, arrays)
    with pytest.warns(UserWarning, match="the solver does not repeat its steps: the checkpoint is from another"):
        model = fastnn.resume(path, *data)
    assert model.outcome.status == "iteration limit"
    assert model.outcome.cost <= arrays["trail_lowest"][0]
    assert len(model.history) == OPTIONS["maxiter"] + 1


def test_written_as_often_as_was_asked(data, path, monkeypatch):
    write, rows, clock = files.write_arrays, [], [0.0]
    monkeypatch.setattr(
        files, "write_arrays", lambda path, arrays: rows.append(int(arrays["trail_counts"][2])) or write(path, arrays)
    )
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    fastnn.train(*data, **OPTIONS, checkpoint=path, checkpoint_every=10)
    # At the second evaluation, when the start has its row; after iterations 10 and 20, and at the end.
    assert rows == [1, 11, 21, 25]
    rows.clear()

    def tick(state):
        clock[0] += 1.0

    fastnn.train(*data, **OPTIONS, checkpoint=path, checkpoint_every=6.0, callback=tick)
    assert rows == [1, 7, 13, 19, 25, 25]


@pytest.mark.parametrize("times", [1, 3])
def test_a_disk_that_fills_up_costs_no_training(data, path, times, monkeypatch):
    write, count = files.write_arrays, iter(range(100))

    def full(path, arrays):
        if next(count) in range(1, 1 + times):
            raise OSError(28, "No space left on device")
        write(path, arrays)

    monkeypatch.setattr(files, "write_arrays", full)
    want = fastnn.train(*data, **OPTIONS)
    with pytest.warns(UserWarning, match=r"training.npz' was not written: .*No space left on device; the last one is"):
        got = fastnn.train(*data, **OPTIONS, checkpoint=path, checkpoint_every=8)
    assert_same(got, want)
    assert_same(fastnn.resume(path, *data), want)


def test_a_file_that_cannot_be_written_is_known_at_once(data, path, monkeypatch):
    def full(path, arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_arrays", full)
    iterations = []
    with pytest.raises(OSError, match="No space"):
        fastnn.train(*data, **OPTIONS, checkpoint=path, callback=lambda state: iterations.append(1) and None)
    assert not iterations


def test_leftovers_of_killed_processes_are_removed(data, path):
    mine, others = path.with_name(f".{path.name}.{'0123456789abcdef'}"), path.with_name(".another.npz.0123456789abcdef")
    mine.touch()
    others.touch()
    fastnn.train(*data, **OPTIONS, checkpoint=path)
    assert sorted(one.name for one in path.parent.iterdir()) == sorted([path.name, others.name])


def test_generators_of_others_are_refused(data, path):
    fastnn.train(*data, **OPTIONS, checkpoint=path)
    arrays = files.read_arrays(path)
    plan = json.loads(str(arrays["plan"]))
    plan["generator"]["bit_generator"] = "BitGenerator"
    files.write_arrays(path, arrays | {"plan": np.array(json.dumps(plan))})
    with pytest.raises(fastnn.ModelFileError, match="the random generator is 'BitGenerator'; one of NumPy's is wanted"):
        fastnn.resume(path, *data)


TRAINING = """
import sys, numpy, fastnn
X, y = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
fastnn.train(X, y, 4, 0.1, maxiter=10**6, max_seconds=60.0, tol=0.0, seed=1, checkpoint=sys.argv[3],
    callback=lambda state: print(state.iteration, flush=True) if state.iteration == 5 else None)
"""


def test_sigterm_keeps_the_training(data, path, tmp_path):
    paths = [tmp_path / "X.npy", tmp_path / "y.npy", path]
    for one, array in zip(paths, data, strict=False):
        np.save(one, array)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", TRAINING, *map(str, paths)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "5\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 143
    done = fastnn.load(path).outcome.iterations
    assert done >= 5
    want = fastnn.train(*data, 4, 0.1, maxiter=done + 20, tol=0.0, seed=1)
    assert_same(fastnn.resume(path, *data, maxiter=done + 20, max_seconds=1e9), want)


def test_a_handler_of_the_users_stays(data, path):
    def theirs(signum, frame):
        pass

    before = signal.signal(signal.SIGTERM, theirs)
    try:
        seen = []
        fastnn.train(
            *data,
            **OPTIONS,
            checkpoint=path,
            callback=lambda state: seen.append(signal.getsignal(signal.SIGTERM)) and None,
        )
        assert set(seen) == {theirs}
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        fastnn.train(*data, **OPTIONS, checkpoint=path)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_kill_at_any_moment(data, tmp_path, long):
    """What is there can be loaded, and the training goes on from it to the same bits: 30 kills, --long 1,000."""
    want = fastnn.train(*data, **OPTIONS)
    moments = random.Random(0)
    kept = 0
    for number in range(1_000 if long else 30):
        path = tmp_path / f"{number}.npz"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
            child = os.fork()
        if not child:
            try:
                while True:
                    fastnn.train(*data, **OPTIONS, checkpoint=path, checkpoint_every=1, callback=slowly)
            finally:
                os._exit(1)
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        unfinished = fastnn.load(path).outcome.status == "interrupted"
        kept += unfinished
        assert_same(fastnn.resume(path, *data), want)
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
        path.unlink()
    assert kept > number / 2


def slowly(state):
    time.sleep(0.002)
