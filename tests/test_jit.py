"""Launching and caching: threads, forks, and folders that cannot be written."""

import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from fastnn.kernels import jit
from fastnn.objective import Objective

from .conftest import random_case


def gradient(engine, case):
    return Objective.of([case.problem(0.5)], engine).evaluate(case.theta)[1]


def test_many_python_threads_at_once():
    case = random_case((20, 7, 4), 500)
    want = gradient("fused", case)
    results = [None] * 6

    def work(i):
        results[i] = [gradient("fused", case) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(got, want) for result in results for got in result)


FORKED = """
import os, sys
import numpy as np
import fastnn
data = (np.ones((2, 3)),), np.ones((300, 2)), np.zeros(300, np.int64)
want = fastnn.cost_and_gradient(*data, engine="loop")[1][0]
child = os.fork()
if child == 0:
    got = fastnn.cost_and_gradient(*data, engine="loop")[1][0]
    os._exit(0 if np.array_equal(got, want) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_forked_child(layer):
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", FORKED], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "0\n", done.stderr


def in_process(code, **environment):
    """Its output. -P: the package that is tested here, whose kernels are in the cache, not one in this folder."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    )


RUN_LOOP = (
    "import numpy as np; from fastnn.engines import loop; A = np.empty((2, 1));"
    "loop.forward(np.zeros(2), np.array([[1, 1, 0]]), np.ones((2, 1)), A); print(A[0, 0])"
)


def test_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", "0")
    assert jit.cache_folder() is None
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    assert jit.cache_folder().parent == tmp_path
    monkeypatch.setenv("FASTNN_CACHE", "1")
    assert jit.cache_folder().parent.name == "fastnn"


def test_cache_is_filled_and_read(tmp_path):
    for _ in range(2):
        assert in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path)).stdout == "0.5\n"
        files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nbc")}
        assert files
    in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nbc")} == files


def test_unwritable_cache_warns_once_and_works(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    done = in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path / "file"))
    assert done.stdout == "0.5\n"
    assert done.stderr.count("compiled anew in every process") == 1


RUN_KIND = (
    "import numpy as np, fastnn; X = np.ones((3, 2), '{kind}'); W = fastnn.init_weights((2, 2, 2));"
    "print(fastnn.forward(W, X, engine='loop').tolist())"
)


@pytest.mark.parametrize(("what", "length"), [("*.nbi", 0), ("*.nbc", 100)])
def test_truncated_cache_file_is_written_anew(tmp_path, what, length):
    in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path))
    files = list(tmp_path.rglob(what))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:length])
    assert in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path)).stdout == "0.5\n"
    assert all(file.stat().st_size > length for file in tmp_path.rglob(what))


def test_swapped_cache_files_are_noticed(tmp_path):
    """As if two processes had written variants for different types under one name."""
    kinds = ("float64", "float32")
    want = [in_process(RUN_KIND.format(kind=kind), FASTNN_CACHE=str(tmp_path)).stdout for kind in kinds]
    one, two = sorted(tmp_path.rglob("loop._forward_groups*.nbc"))
    wide, narrow = one.read_bytes(), two.read_bytes()
    one.write_bytes(narrow)
    two.write_bytes(wide)
    got = [in_process(RUN_KIND.format(kind=kind), FASTNN_CACHE=str(tmp_path)).stdout for kind in kinds]
    assert got == want


def test_many_cold_processes(tmp_path):
    """They fill one empty cache at the same time, and all give the right answer."""
    environment = os.environ | {"FASTNN_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-P", "-c", RUN_LOOP], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [process.communicate(timeout=300)[0] for process in processes] == ["0.5\n"] * 6
    assert in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path)).stdout == "0.5\n"


def test_warmup_leaves_nothing_to_compile(tmp_path):
    if jit.cache_folder() is not None and jit.cache_folder().exists():
        shutil.copytree(jit.cache_folder(), tmp_path / jit.cache_folder().name)  # half a minute less
    in_process("import fastnn; fastnn.warmup()", FASTNN_CACHE=str(tmp_path))
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb*")}
    use = (
        "import numpy as np, fastnn; X = np.random.default_rng(0).random((50, 4)); y = np.arange(50) % 3;"
        "model = fastnn.train(X, y, 5, activation='tanh', output='softmax', sample_weight=np.ones(50), maxiter=3);"
        "fastnn.train(X.astype('f'), y, (5, 4), maxiter=3); model.score(X, y);"
        "fastnn.check_gradient(model.weights, X, y, engine='loop');"
        # numba takes arrays that are read-only for another type
        "X.flags.writeable = y.flags.writeable = False;"
        "fastnn.check_gradient(model.weights, X, y, directions=1); model.predict(X);"
        "fastnn.check_gradient(model.weights, X, X[:, :3], output='identity')"
    )
    in_process(use, FASTNN_CACHE=str(tmp_path))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb*")} == files
