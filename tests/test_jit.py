"""Launching and caching: threads, forks, and folders that cannot be written."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from fastnn.kernels import fused, jit

from .conftest import random_problem


def gradient(module, problem):
    arguments = problem.kernel_arguments(0.5)
    dtheta = np.empty_like(arguments[0])
    module.cost_and_gradient(*arguments, module.workspace(*arguments[1:3]), dtheta)
    return dtheta


def test_many_python_threads_at_once():
    problem = random_problem((20, 7, 4), 500)
    want = gradient(fused, problem)
    results = [None] * 6

    def work(i):
        results[i] = [gradient(fused, problem) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(got, want) for result in results for got in result)


FORKED = """
import os, sys
import numpy as np
from fastnn.kernels import loop
arguments = (np.ones(6), np.array([[2, 2, 0]]), np.ones((300, 2)), np.zeros(300, np.int64), np.empty(0), np.ones(6))
want, got = np.empty(6), np.empty(6)
loop.cost_and_gradient(*arguments, loop.workspace(*arguments[1:3]), want)
child = os.fork()
if child == 0:
    loop.cost_and_gradient(*arguments, loop.workspace(*arguments[1:3]), got)
    os._exit(0 if np.array_equal(got, want) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_forked_child(layer):
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout == "0\n", done.stderr


def in_process(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    )


RUN_LOOP = (
    "import numpy as np; from fastnn.kernels import loop; A = np.empty((2, 1));"
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
