"""Training on a Dask cluster: the same bits on any number of workers, whatever happens to them."""

import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fastnn

dask = pytest.importorskip("dask", reason="Dask is not installed")
distributed = pytest.importorskip("distributed", reason="Dask's distributed is not installed")

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402

from fastnn.estimator import FastNNClassifier, FastNNRegressor  # noqa: E402
from fastnn.problem import Network  # noqa: E402
from fastnn.training import dask as cluster  # noqa: E402
from fastnn.training.control import ClusterLost  # noqa: E402
from fastnn.training.dask import DaskData, branches, joined  # noqa: E402
from fastnn.training.partition import chosen, shares_of  # noqa: E402

# Dask's own threads and sockets are closed a little after its clusters are.
pytestmark = pytest.mark.filterwarnings("default")

ROWS, SIZES = 450, (12, 6, 3)


def data(seed=0):
    """X, labels, weights; labels follow from X."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, SIZES[0]))
    return X, X[:, :3].argmax(axis=1), rng.uniform(0.5, 2.0, ROWS)


X, Y, WEIGHT = data()


def in_chunks(array, rows=50):
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


def same_weights(got, want):
    return all(np.array_equal(*pair) for pair in zip(got.weights, want.weights, strict=True))


def close_weights(got, want):
    return all(np.allclose(*pair, rtol=1e-6, atol=1e-9) for pair in zip(got.weights, want.weights, strict=True))


@pytest.fixture(scope="module")
def client():
    """Of two workers, each a process with one thread."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def in_this_process(workers):
    """A client of so many workers that are threads: they are there in no time."""
    cluster = distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 64, 100])
def test_the_tree_does_not_care_who_adds(count):
    """Parts dealt to workers at random: what comes out is the sum by pairs of neighbours, to the bit."""
    rng = np.random.default_rng(count)
    parts = rng.standard_normal((count, 7)) * 10.0 ** rng.integers(-8, 8, (count, 1))
    want = [*parts]
    while len(want) > 1:
        want = [sum(want[i : i + 2][1:], want[i]) for i in range(0, len(want), 2)]
    for workers in (1, 2, 3, 7, count):
        known = {}
        for own in np.array_split(rng.permutation(count), workers):
            known |= branches(count, lambda node, own=own: parts[node[1]] if node[0] == 0 and node[1] in own else None)
        ((root, got),) = branches(count, known.get).items()
        assert root[1] == 0
        assert np.array_equal(got, want[0])
    runs = np.array_split(np.arange(count), 2)
    for own in runs:  # of neighbours a worker sends few
        sent = branches(count, lambda node, own=own: parts[node[1]] if node[0] == 0 and node[1] in own else None)
        assert len(sent) <= 2 * count.bit_length()


def test_a_missing_part_is_noticed():
    found = branches(4, lambda node: np.ones(1) if node in [(0, 0), (0, 1), (0, 3)] else None)
    assert {node: one.tolist() for node, one in found.items()} == {(1, 0): [2.0], (0, 3): [1.0]}


@pytest.mark.slow
def test_the_same_bits_on_1_2_and_4_workers(client, digits):
    """Of the digits, and of parts that differ in length."""
    digits_X, digits_y = digits
    want = None
    for workers in (1, 2, 4):
        with nullcontext(client) if workers == 2 else in_this_process(workers) as own:
            got = [
                fastnn.train(in_chunks(digits_X, 700), in_chunks(digits_y, 700), maxiter=8, client=own),
                fastnn.train(in_chunks(X, 70), in_chunks(Y, 70), 6, maxiter=8, solver="l-bfgs", client=own),
            ]
        want = want or got
        assert all(map(same_weights, got, want))
    assert close_weights(got[0], fastnn.train(digits_X, digits_y, maxiter=8))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sample_weight": WEIGHT},
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0}, "sample_weight": WEIGHT},
        {"standardize": True},
        {"standardize": True, "sample_weight": WEIGHT, "scale": 0.5},
        {"output": "softmax", "activation": "tanh"},
        {"validation": (X[:90], Y[:90]), "patience": 3},
        {"engine": "numpy"},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_the_numbers_of_one_machine(client, options):
    """To the rounding of another order of sums, which some iterations make larger."""
    weight = options.get("sample_weight")
    spread = options | ({} if weight is None else {"sample_weight": in_chunks(weight)})
    got = fastnn.train(in_chunks(X), in_chunks(Y), 6, maxiter=5, **spread)
    want = fastnn.train(X, Y, 6, maxiter=5, **options)
    assert close_weights(got, want)
    assert got.outcome.evaluations == want.outcome.evaluations
    assert got.outcome.cost == pytest.approx(want.outcome.cost, rel=1e-9)
    assert got.history.dtype == want.history.dtype
    assert got.classes.tolist() == want.classes.tolist()
    assert got.scale == want.scale


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (X[:, 0], {"output": "identity"}),
        (X[:, :2], {"output": "identity"}),
        ((X[:, :3] > 0).astype(int), {"multilabel": True}),
        (np.array(["a", "bb", "ccc"])[Y], {}),
        (Y > 0, {}),
    ],
    ids=["numbers", "columns of numbers", "several labels", "text", "booleans"],
)
def test_what_y_may_be(client, y, options):
    got = fastnn.train(in_chunks(X), in_chunks(y), 6, maxiter=5, **options)
    want = fastnn.train(X, y, 6, maxiter=5, **options)
    assert close_weights(got, want)
    assert np.array_equal(got.classes, want.classes)
    assert np.array_equal(got.predict(in_chunks(X)).compute(), got.predict(X))
    assert got.score(in_chunks(X), in_chunks(y)) == got.score(X, y)


def test_neighbours_are_on_one_worker(client):
    """So that few sums travel; what is in the cluster already stays where it is."""
    network = Network(SIZES)
    source = DaskData(in_chunks(X), in_chunks(Y), None, "sigmoid", False, 1.0, client).source(network, "fused")
    places = source._placed()
    assert sorted(places.values()) == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    lazy = in_chunks(X + 1.0)  # another array: the cluster may still have chunks of X
    there = client.persist(lazy, workers=list(places)[:1])
    distributed.wait(there)
    source = DaskData(there, in_chunks(Y), None, "sigmoid", False, 1.0, client).source(network, "fused")
    assert list(source._placed()) == list(places)[:1]


@pytest.mark.slow
def test_examples_held_out_of_every_part(client):
    got = fastnn.train(in_chunks(X), in_chunks(Y), 6, maxiter=20, validation=0.2, patience=2, seed=3)
    again = fastnn.train(in_chunks(X), in_chunks(Y), 6, maxiter=20, validation=0.2, patience=2, seed=3)
    assert same_weights(got, again)
    assert np.isfinite(got.history.validation_cost).all()
    parts = DaskData(in_chunks(X), in_chunks(Y), None, "sigmoid", False, 1.0, client)
    before = joined(parts.ask(_same))
    taken, left = parts.split(0.2, np.random.default_rng(0)), joined(parts.ask(_same))
    assert len(taken.X) + len(left.X) == ROWS
    assert np.array_equal(np.sort(np.vstack([taken.X, left.X]), axis=0), np.sort(before.X, axis=0))
    counts = np.bincount(np.concatenate([taken.targets.classes, left.targets.classes]))
    assert np.bincount(taken.targets.classes).tolist() == np.rint(0.2 * counts).astype(int).tolist()


@pytest.mark.slow
def test_parts_that_are_held_out_as_a_whole(client):
    """Of one example each: they are gone, and the others train."""
    got = fastnn.train(in_chunks(X[:30], 1), in_chunks(Y[:30], 1), 4, maxiter=3, validation=0.5)
    assert np.isfinite(got.history.validation_cost).all()
    assert got.history.cost[-1] < got.history.cost[0]


def test_shares_of_many_small_parts():
    """What one part rounds off the next makes good; and one example of each class is never held out."""
    counts = np.random.default_rng(0).multinomial(20, np.full(26, 1 / 26), size=60)
    for fraction in (0.01, 0.1, 0.2, 0.999):
        shares = shares_of(fraction, [*counts])
        assert (shares >= 0).all()
        assert (shares <= counts).all()
        want = np.minimum(np.rint(fraction * counts.sum(axis=0)), counts.sum(axis=0) - 1)
        assert shares.sum(axis=0).tolist() == want.tolist()
    some = chosen(np.array([1, 0, 1, 1, 0]), 5, np.array([1, 2]), 0)
    assert some.sum() == 3
    assert some[[1, 4]].sum() == 1
    assert np.array_equal(some, chosen(np.array([1, 0, 1, 1, 0]), 5, np.array([1, 2]), 0))


def _same(problem):
    return problem


def test_frames(client):
    """Names of columns are kept, partitions need not be as long, nor those of y like those of X."""
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(SIZES[0])])
    labels = pd.Series(np.array(["a", "b", "c"])[Y])
    want = fastnn.train(frame, labels, 6, maxiter=5)
    spread = dd.from_pandas(frame, npartitions=4)
    for column in (dd.from_pandas(labels, npartitions=4), dd.from_pandas(labels, npartitions=7), labels):
        got = fastnn.train(spread, column, 6, maxiter=5)
        assert close_weights(got, want)
        assert got.feature_names == want.feature_names
    assert got.predict(spread).compute().tolist() == got.predict(frame).tolist()
    with pytest.raises(ValueError, match=r"X has column 'x1' where the model was trained on 'x0'"):
        got.predict(spread[[*frame.columns[1:], "x0"]])


def test_frames_with_empty_partitions(client):
    frame = dd.from_pandas(pd.DataFrame(X, columns=[f"x{j}" for j in range(SIZES[0])]), npartitions=9)
    index = dd.from_pandas(pd.Series(np.arange(ROWS)), npartitions=9)
    kept = (index < 200) | (index >= 400)
    rows = np.r_[:200, 400:ROWS]
    got = fastnn.train(frame[kept], dd.from_pandas(pd.Series(Y), npartitions=9)[kept], 6, maxiter=5)
    assert close_weights(got, fastnn.train(X[rows], Y[rows], 6, maxiter=5))


def test_arrays_of_this_process(client):
    """With client= they go to the workers; chunks of columns are put together."""
    want = fastnn.train(X, Y, 6, maxiter=5)
    assert close_weights(fastnn.train(X, Y, 6, maxiter=5, client=client), want)
    assert close_weights(fastnn.train(in_chunks(X).rechunk((100, 5)), Y, 6, maxiter=5), want)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda: (in_chunks(X), in_chunks(Y[:-1])), r"y has 449 rows; X has 450 examples, and one for each is wanted"),
        (lambda: (in_chunks(X), in_chunks(np.zeros(ROWS))), r"y holds one label only, 0.0"),
        (
            lambda: (in_chunks(np.where(X > 2.5, np.nan, X)), in_chunks(Y)),
            r"X holds nan at index \(18, 3\).* \(in chunk 0 of X",
        ),
        (lambda: (in_chunks(X.astype(str)), in_chunks(Y)), r"X has dtype <U\d+; real numbers are wanted"),
        (lambda: (in_chunks(X)[:0], in_chunks(Y)[:0]), r"X has no rows"),
        (lambda: (in_chunks(X), [1, "a"] * 225), r"y holds 1 at index 0 and 'a' at index 1; labels of one kind"),
        (lambda: (in_chunks(X), 3), r"y has shape \(\); one entry for each example|y has dtype|y is 3"),
    ],
    ids=["lengths", "one label", "NaN", "text", "no rows", "mixed labels", "a number"],
)
def test_bad_input_is_one_sentence(client, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fastnn.train(*arguments(), 6)


def test_what_cannot_travel(client, tmp_path):
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(ValueError, match="X is in a file; with client= an array in memory, or one of Dask, is wanted"):
        fastnn.train(np.load(tmp_path / "X.npy", mmap_mode="r"), Y, 6, client=client)
    for weight in (np.zeros(ROWS), np.full(ROWS, 1e308)):
        with pytest.raises(ValueError, match="sample_weight"):
            fastnn.train(in_chunks(X), in_chunks(Y), 6, sample_weight=in_chunks(weight))
    with pytest.raises(TypeError, match="X is of Dask, which train and predict take; an array is wanted here"):
        fastnn.forward(fastnn.init_weights(SIZES), in_chunks(X))


@pytest.mark.slow
def test_bad_clients():
    with pytest.raises(TypeError, match="client is 3; a distributed"):
        fastnn.train(X, Y, 6, client=3)
    code = (
        "import dask.array, fastnn; fastnn.train(dask.array.ones((4, 2), chunks=2), dask.array.arange(4, chunks=2), 2)"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stderr.strip().endswith(
        "ValueError: X is of Dask, but there is no client; distributed.Client(), or client=, is wanted"
    )


def test_predictions_are_lazy(client):
    model = fastnn.train(X, Y, 6, maxiter=5)
    touched = []
    lazy = in_chunks(X).map_blocks(lambda block: touched.append(len(block)) or block, dtype=float, meta=X[:0])
    labels, outputs = model.predict(lazy), model.predict_proba(lazy)
    assert not touched
    with dask.config.set(scheduler="synchronous"):
        assert np.array_equal(labels.compute(), model.predict(X))
        assert np.array_equal(outputs.compute(), model.predict_proba(X))
        assert touched == [50] * 18
    assert labels.chunks == ((50,) * 9,)
    assert outputs.chunks == ((50,) * 9, (3,))
    with pytest.raises(ValueError, match=r"X has shape \(450, 11\); \(m, 12\) is wanted"):
        model.predict(in_chunks(X[:, 1:]))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"class_weight": "balanced"}], ids=str)
@pytest.mark.parametrize("y", [Y, Y > 0, np.array(["a", "b", "c"])[Y], np.column_stack([Y > 0, Y > 1]).astype(int)])
def test_the_classifier(client, y, options):
    if y.ndim == 2 and "class_weight" in options:
        pytest.skip("several labels have no class weights")
    settings = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = FastNNClassifier(**settings).fit(in_chunks(X), in_chunks(y))
        want = FastNNClassifier(**settings).fit(X, y)
    assert got.loss_ == pytest.approx(want.loss_, rel=1e-9)
    assert np.array_equal(got.classes_, want.classes_)
    assert got.predict_proba(in_chunks(X)).compute() == pytest.approx(want.predict_proba(X), abs=1e-6)
    assert np.array_equal(got.predict(in_chunks(X)).compute(), got.predict(X))
    assert got.predict(in_chunks(X)).dtype == got.predict(X).dtype


def test_the_regressor_and_going_on(client):
    settings = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0, "warm_start": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = FastNNRegressor(**settings).fit(in_chunks(X), in_chunks(X[:, 0]))
        want = FastNNRegressor(**settings).fit(X, X[:, 0])
        assert got.loss_ == pytest.approx(want.loss_, rel=1e-9)
        before = got.loss_
        assert got.fit(in_chunks(X), in_chunks(X[:, 0])).loss_ < before


@pytest.mark.slow
def test_class_weights_and_other_arrays(client):
    """Labels that are no indices; y that is not of Dask; float32 says so before it is computed."""
    labels = np.array([3, 5, 7])[Y]
    settings = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = FastNNClassifier(**settings, class_weight={3: 2.0}).fit(X, labels)
        for y in (in_chunks(labels), labels, labels.tolist()):
            got = FastNNClassifier(**settings, class_weight={3: 2.0}).fit(in_chunks(X), y)
            assert got.loss_ == pytest.approx(want.loss_, rel=1e-9)
        for y in (Y > 0, (Y > 0).tolist(), pd.Series(Y > 0)):
            got = FastNNClassifier(**settings).fit(in_chunks(X), y)
            assert got.loss_ == pytest.approx(FastNNClassifier(**settings).fit(X, Y > 0).loss_, rel=1e-9)
        small = in_chunks(X.astype(np.float32))
        got = FastNNRegressor(**settings).fit(small, in_chunks(X[:, 0]))
    assert got.predict(small).dtype == got.predict(small).compute().dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_bytes_that_are_standardised_anew(client, scale, monkeypatch):
    """Of parts that would become too large as float64; and examples of them that are brought here."""
    bytes_ = np.clip(40 * X + 100, 0, 255).astype(np.uint8)
    monkeypatch.setattr("fastnn.training.partition.COPIED", 100)
    with in_this_process(1) as own:
        options = {"standardize": True, "scale": scale, "validation": 0.2, "seed": 1}
        got = fastnn.train(in_chunks(bytes_), in_chunks(Y), 6, maxiter=4, client=own, **options)
        monkeypatch.undo()
        want = fastnn.train(in_chunks(bytes_), in_chunks(Y), 6, maxiter=4, client=own, **options)
    assert close_weights(got, want)


@pytest.mark.slow
def test_the_clients_own_scheduler(client):
    """Chunks of unknown lengths are counted by the client that was passed, not by the current one."""
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as own,
    ):
        there = own.persist(in_chunks(X))
        some = there[there[:, 0] > -10]  # all of them, but nobody knows
        got = fastnn.train(some, Y, 6, maxiter=3, client=own)
    assert close_weights(got, fastnn.train(X, Y, 6, maxiter=3))


def test_the_estimators_of_frames(client):
    """Names of columns are kept and looked at; what cannot go on is refused."""
    frame = dd.from_pandas(pd.DataFrame(X, columns=[f"x{j}" for j in range(SIZES[0])]), npartitions=3)
    labels = pd.Series(np.array(["a", "b", "c"])[Y])
    fit = FastNNClassifier((6,), max_iter=3, random_state=0, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit.fit(frame, dd.from_pandas(labels, npartitions=3))
    assert fit.feature_names_in_.tolist() == [f"x{j}" for j in range(SIZES[0])]
    assert fit.classes_.tolist() == ["a", "b", "c"]
    assert fit.predict(frame).compute().tolist() == fit.predict(frame.compute()).tolist()
    turned = frame[frame.columns[::-1].tolist()]
    with pytest.raises(ValueError, match="X has column 'x11' where the model was trained on 'x0'"):
        fit.predict(turned)
    with pytest.raises(ValueError, match="X has other columns than in the last fit"):
        fit.fit(turned, labels)
    with pytest.raises(ValueError, match=r"X has shape \(450,\); \(m, n\), one example a row, is wanted"):
        fit.fit(in_chunks(X[:, 0]), labels)
    with pytest.raises(ValueError, match="warm_start is True, with standardize=True and X of Dask"):
        fit.set_params(standardize=True).fit(frame, labels)


def test_labels_of_other_kinds_in_other_chunks(client):
    """Nobody sees all of them before they are there."""

    def mixed(block, block_id):
        return block.astype(str) if block_id[0] else block

    y = in_chunks(Y, 200).map_blocks(mixed, dtype=object, meta=np.empty(0, object))
    with pytest.raises(TypeError, match=r"y has labels of dtypes <U\d+.* int64; one kind is wanted"):
        fastnn.train(in_chunks(X, 200), y, 6)


@pytest.mark.slow
@pytest.mark.parametrize("forever", [False, True])
def test_workers_that_die_at_an_evaluation(client, monkeypatch, forever):
    """It is tried again, to the same bits; if they always do, the best weights so far come with the error."""
    right, asked = cluster.gathered, []

    def dies(*arguments, **options):
        asked.append(1)
        if len(asked) == 30 or (forever and len(asked) > 30):
            raise distributed.KilledWorker("accumulate", SimpleNamespace(address="tcp://gone"), 3)
        return right(*arguments, **options)

    train = {"hidden": 6, "maxiter": 25, "lmbda": 0.1}
    want = fastnn.train(in_chunks(X), in_chunks(Y), **train)
    monkeypatch.setattr("fastnn.training.dask.gathered", dies)
    if not forever:
        assert same_weights(fastnn.train(in_chunks(X), in_chunks(Y), **train), want)
        assert len(asked) > 30
        return
    with pytest.raises(ClusterLost, match="the cluster's workers die again and again at an evaluation") as caught:
        fastnn.train(in_chunks(X), in_chunks(Y), **train)
    assert len(asked) == 30 + cluster.RETRIES
    assert caught.value.model.history.cost[-1] < caught.value.model.history.cost[0]


@pytest.mark.slow
def test_early_stopping(client):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = FastNNClassifier((6,), early_stopping=True, random_state=0, max_iter=30).fit(in_chunks(X), in_chunks(Y))
    assert got.best_validation_score_ > 0.8


@pytest.mark.slow
def test_functions_of_a_notebook(tmp_path):
    """Callbacks and classes that stand in __main__, as in a notebook; workers have nothing but the package."""
    script = tmp_path / "notebook.py"
    script.write_text(
        "import dask.array as da, distributed, fastnn, numpy as np\n"
        "def main():\n"
        "    X = np.random.default_rng(0).standard_normal((300, 5))\n"
        "    y = (X[:, 0] > 0) * 1\n"
        "    seen = []\n"
        "    class Told:\n"
        "        def __call__(self, state):\n"
        "            seen.append(state.iteration)\n"
        "            return state.iteration == 3\n"
        "    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=':0') as cluster:\n"
        "        with distributed.Client(cluster) as client:\n"
        "            lazy = da.from_array(X, chunks=(100, 5)).map_blocks(lambda block: block * 2.0)\n"
        "            model = fastnn.train(lazy, da.from_array(y, chunks=100), 3, callback=Told())\n"
        "    print(model.outcome.status, seen)\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    run = subprocess.run([sys.executable, "-P", script], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert run.stdout.strip() == "stopped by callback [1, 2, 3]", run.stderr


@pytest.mark.slow
def test_a_worker_uses_the_threads_it_owns():
    with in_this_process(1) as client:
        counts = client.submit(_threads_inside).result()
    assert counts == [1, _threads()]


def _threads():
    import numba

    return numba.get_num_threads()


def _threads_inside():
    from fastnn.inputs.dask import own_threads

    with own_threads():
        inside = _threads()
    return [inside, _threads()]


@pytest.mark.slow
def test_a_killed_worker_and_a_late_one(client):
    """In mid-training one worker dies by kill -9, is started again, and a third one joins: the same bits."""
    train = {"hidden": 6, "maxiter": 15, "lmbda": 0.1}
    want = fastnn.train(in_chunks(X), in_chunks(Y), **train)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as own,
    ):
        pids = own.run(os.getpid)

        def disturb(state):
            if state.iteration == 4:
                os.kill(next(iter(pids.values())), signal.SIGKILL)
            if state.iteration == 8:
                cluster.scale(3)
                own.wait_for_workers(3)

        got = fastnn.train(in_chunks(X), in_chunks(Y), **train, callback=disturb, client=own)
    assert same_weights(got, want)
    assert got.outcome.evaluations == want.outcome.evaluations


@pytest.mark.slow
def test_a_worker_that_runs_out_of_memory(client, tmp_path):
    """Dask's nanny kills a worker at its limit and starts another: the same bits."""
    train = {"hidden": 6, "maxiter": 25, "lmbda": 0.1}
    want = fastnn.train(in_chunks(X), in_chunks(Y), **train)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, memory_limit="700MiB", dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as own,
    ):
        pids = own.run(os.getpid)
        greedy = []

        def disturb(state):
            if state.iteration == 3:
                greedy.append(own.submit(_eat, 2**30, str(tmp_path / "eaten"), pure=False))
            time.sleep(0.1)

        got = fastnn.train(in_chunks(X), in_chunks(Y), **train, callback=disturb, client=own)
        deadline = time.monotonic() + 30
        while set(own.run(os.getpid).values()) & set(pids.values()) == set(pids.values()):
            assert time.monotonic() < deadline, "no worker was killed"
            time.sleep(0.2)
        for future in greedy:
            future.cancel()
    assert same_weights(got, want)


def _eat(size, once):
    """Dask would try it four times."""
    if os.path.exists(once):
        return 0.0
    open(once, "w").close()
    memory = np.ones(size // 8)
    time.sleep(20)
    return memory.sum()


def start(*arguments):
    """A process of Dask's command line."""
    command = [sys.executable, "-P", "-m", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def processes(tmp_path):
    """A scheduler and two workers without nannies, and a client of them."""
    file = tmp_path / "scheduler.json"
    scheduler = start(
        "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard",
        "--scheduler-file", str(file),
    )  # fmt: skip
    workers = [
        start(
            "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard",
            "--no-nanny", "--death-timeout", "60", "--local-directory", str(tmp_path),
        )
        for _ in range(2)
    ]  # fmt: skip
    client = distributed.Client(scheduler_file=str(file), timeout=60)
    client.wait_for_workers(2, timeout=60)
    yield client, scheduler, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()
    client.close(timeout=5)


@pytest.mark.slow
def test_a_lost_scheduler_ends_in_an_error_with_the_best_model(processes, client, tmp_path):
    """And the training goes on, where there is a checkpoint, on another cluster."""
    other = client
    client, scheduler, _ = processes
    path = tmp_path / "training.npz"
    killed = []

    def disturb(state):
        if state.iteration == 3:
            scheduler.kill()
            killed.append(time.monotonic())

    with pytest.raises(ClusterLost, match="the cluster does not answer any more") as caught:
        fastnn.train(in_chunks(X), in_chunks(Y), 6, callback=disturb, client=client, validation=0.2, checkpoint=path)
    assert time.monotonic() - killed[0] < 60
    model = caught.value.model
    assert model.outcome.status == "interrupted"
    assert model.history.cost[-1] < model.history.cost[0]
    assert model.score(X, Y) > 0.3
    with pytest.raises(ValueError, match=r"X is not what the training in .* was begun with"):
        fastnn.resume(path, in_chunks(X + 1.0), in_chunks(Y), client=other)
    got = fastnn.resume(path, in_chunks(X), in_chunks(Y), client=other)
    assert same_weights(got, fastnn.train(in_chunks(X), in_chunks(Y), 6, client=other, validation=0.2))


@pytest.mark.slow
def test_lost_workers_end_in_an_error_too(processes, monkeypatch):
    monkeypatch.setattr("fastnn.training.dask.PATIENCE", 3.0)
    client, _, workers = processes

    def disturb(state):
        if state.iteration == 3:
            for worker in workers:
                worker.kill()

    with pytest.raises(ClusterLost, match="the cluster has had no workers for 3 seconds") as caught:
        fastnn.train(in_chunks(X), in_chunks(Y), 6, callback=disturb, client=client)
    assert caught.value.model.outcome.status == "interrupted"
