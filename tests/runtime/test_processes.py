"""Forks, pools, threads, other packages' Numba: the same bits in each of them, and no process ends."""

import importlib
import math
import os
import subprocess
import sys
import threading
from contextlib import nullcontext

import numba
import numpy as np
import pytest

from fastnn.cli import main
from fastnn.runtime import cores, jit, pool

from ..conftest import WORK, in_process, work


def installed(layer):
    try:
        importlib.import_module(f"numba.np.ufunc.{layer.removesuffix('pool')}{'' if layer == 'workqueue' else 'pool'}")
    except ImportError:
        return False
    return True


LAYERS = [layer for layer in ("omp", "tbb", "workqueue") if installed(layer)]

# Another package, and what tests below need.
OTHER = f"""
import os, signal, sys, threading, warnings
import numba
import numpy as np
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # of every fork, from Python 3.12 on

@numba.njit(parallel=True)
def other(x):
    total = 0.0
    for i in numba.prange(x.size):
        total += x[i]
    return total

def fastnn_bits(*ignored):
    names = {{}}
    exec({WORK!r}, names)
    return names["bits"]()

def in_child(work, fork=os.fork):
    read, write = os.pipe()
    child = fork()
    if child == 0:
        signal.alarm(200)  # it hangs
        os.write(write, repr(work()).encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        result = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return eval(result)
"""

# One process, in this order; each line gives one result or more.
FORKS = """
import ctypes, multiprocessing
from concurrent.futures import ThreadPoolExecutor
A = np.ones((300, 300))
got = []

def threads_of_its_own():
    numba.get_num_threads()  # starts them
    return in_child(fastnn_bits)

def many_python_threads():
    with ThreadPoolExecutor(4) as pool:
        return [*pool.map(fastnn_bits, range(8))]

got.append(in_child(threads_of_its_own))  # lost in its child, though nothing was launched
A @ A
other(np.ones(9))
got.append(in_child(fastnn_bits))  # which imports fastnn
got.append(in_child(lambda: in_child(fastnn_bits)))
got.append(in_child(lambda: (A @ A).shape and fastnn_bits()))  # OpenBLAS starts its threads anew in the child
got.extend(in_child(many_python_threads))
got.append(fastnn_bits())
got.append(in_child(fastnn_bits))
got.append(in_child(fastnn_bits, ctypes.PyDLL(None).fork))  # which does not tell Python
with multiprocessing.get_context("fork").Pool(2) as pool:
    got.extend(pool.map(fastnn_bits, range(4)))
got.append(fastnn_bits())
print(len(got), *set(got))
"""


def assert_same_bits(done, count):
    assert done.stdout == f"{count} {work.bits()}\n", done.stderr
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a fork is not seen afterwards")
@pytest.mark.parametrize("layer", LAYERS)
def test_forked_children_of_a_process_where_another_package_ran(layer):
    """GNU OpenMP would end them."""
    assert_same_bits(in_process(OTHER + FORKS, NUMBA_THREADING_LAYER=layer), 20)


CHILD = """
import fastnn
from fastnn.runtime import forks, pool
def seen():
    fastnn_bits()
    other(np.ones(9))
    return pool.threads() == numba.get_num_threads(), forks.threads_lost()

print(in_child(seen))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_child_that_started_threads_itself_uses_them():
    assert in_process(OTHER + CHILD).stdout == "(True, False)\n"


# As gunicorn does with its application loaded beforehand: workers are forked, and the parent goes on.
PREFORK = """
import hashlib, fastnn
X, y = np.random.default_rng(0).random((2000, 4)), np.arange(2000) % 3

def trained(_=None):
    return fastnn.train(X, y, 5, maxiter=3, progress=False)

def answer(model):
    return hashlib.sha256(model.predict_proba(X).tobytes()).hexdigest()

other(np.ones(9))
model = trained()
want = answer(model)
pipes = []
for _ in range(3):
    read, write = os.pipe()
    if os.fork() == 0:
        for _ in range(2):
            os.write(write, f"{answer(model)} {answer(trained())} {fastnn_bits()}\\n".encode())
        os._exit(0)
    os.close(write)
    pipes.append(read)
meanwhile = {answer(trained()) for _ in range(3)}
for pipe in pipes:
    with open(pipe) as file:
        lines = file.read().splitlines()
    assert len(lines) == 2 and {tuple(line.split()) for line in lines} == {(want, want, fastnn_bits())}, lines
assert meanwhile == {want}
assert [os.wait()[1] for _ in pipes] == [0] * 3
print(1, fastnn_bits())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_workers_of_a_server():
    assert_same_bits(in_process(OTHER + PREFORK), 1)


POOLS = """
import multiprocessing
import work

if __name__ == "__main__":
    import joblib

    got = [work.bits()]
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            got.append(pool.apply(work.bits))
    for backend in ("loky", "threading"):
        got.extend(joblib.Parallel(2, backend=backend)(joblib.delayed(work.bits)() for _ in range(4)))
    print(len(got), *set(got))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forkserver here")
def test_pools_of_processes_and_threads(tmp_path):
    """Inside a Dask worker: tests/training/test_dask.py."""
    pytest.importorskip("joblib")
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "main.py").write_text(POOLS)
    done = subprocess.run(
        [sys.executable, "-P", tmp_path / "main.py"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.stdout == f"11 {work.bits()}\n", done.stderr  # where Python's own pools speak of locks now and then


# One thread of another package, which `threading` knows or does not, and several of ours. Two of the others would end
# the process on workqueue without our help.
STRESS = """
import _thread
from concurrent.futures import ThreadPoolExecutor

def beside(start, ours, times):
    begun, over, ended = threading.Event(), threading.Event(), threading.Event()

    def launch():
        begun.set()
        while not over.is_set():
            other(np.ones(10_000))
        ended.set()

    start(launch)
    begun.wait()
    with ThreadPoolExecutor(ours) as pool:
        yield from (fastnn_bits() for _ in range(times))
        yield from pool.map(fastnn_bits, range(ours * times))
    over.set()
    ended.wait()

if not {other_first}:
    got = [fastnn_bits()]
other(np.ones(9))
if {other_first}:
    got = [fastnn_bits()]
got.extend(beside(lambda work: threading.Thread(target=work, daemon=True).start(), 8, {times}))
got.extend(beside(lambda work: _thread.start_new_thread(work, ()), 1, {times}))
print(len(got), *set(got))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "other_first"), [*((layer, False) for layer in LAYERS), ("workqueue", True)])
def test_another_package_launches_while_eight_threads_do(layer, other_first, long):
    """Numba's workqueue ends the process (SIGABRT) when two threads launch at once. 2 gradients and 2 passes each."""
    times = 1000 if long else 6
    code = OTHER + STRESS.format(times=times, other_first=other_first)
    assert_same_bits(in_process(code, NUMBA_THREADING_LAYER=layer), 1 + (1 + 8 + 1 + 1) * times)


BESIDE_OTHERS = """
import _thread, sys, threading, time
import numba
from tqdm import tqdm
from fastnn.runtime import pool

def seen(start):
    begun, over = threading.Event(), threading.Event()
    start(lambda: (begun.set(), over.wait()))
    begun.wait()
    time.sleep(0.1)
    usable = pool.usable(), pool.threads() > 1
    over.set()
    return usable

known = lambda name: lambda work: threading.Thread(target=work, name=name).start()
if sys.argv[1] == "others":
    numba.get_num_threads()  # another package starts the threads before fastnn does
print(*seen(known("fastnn watch")))
with tqdm(total=1):
    print(*seen(known("fastnn watch")))
print(*seen(known("another")))
print(*seen(lambda work: _thread.start_new_thread(work, ())))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("first", "beside_others"), [("fastnn", "True True"), ("others", "False False")])
def test_workqueue_beside_other_python_threads(first, beside_others):
    """All cores, unless another package may have linked a parallel loop that does not take turns."""
    code = f"import sys; sys.argv = ['-c', {first!r}]\n{BESIDE_OTHERS}"
    got = in_process(code, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2").stdout
    assert got.splitlines() == ["True True"] * 2 + [beside_others] * 2


NESTED = """
from fastnn.runtime import pool
pool.threads()

@numba.njit(parallel=True)
def outer(x):
    for i in numba.prange(x.shape[0]):
        x[i, 0] = other(x[i])

x = np.ones((8, 1000))
outer(x)
print(x[:, 0].tolist() == [1000.0] * 8, pool._launches_guarded)
"""


@pytest.mark.slow
def test_workqueue_nested_launch_of_another_package_runs():
    """Numba alone ends the process there."""
    assert in_process(OTHER + NESTED, NUMBA_THREADING_LAYER="workqueue").stdout == "True True\n"


ONE_ROW = """
import numpy as np
import fastnn
from fastnn.runtime import numba_internals
X, y = np.random.default_rng(0).random((40, 4)), np.arange(40) % 2
model = fastnn.train(X, y, 3, maxiter=3)
model.predict(X[:1]), model.score(X, y)
print(numba_internals.threads_started())
fastnn.forward(model.weights, np.ones((100_000, 4)))
print(numba_internals.threads_started())
"""


def test_few_examples_start_no_threads():
    """A server that answers a request before it forks leaves its workers all threads."""
    assert in_process(ONE_ROW).stdout == "False\nTrue\n"


SPIN = """
import os
import numpy as np
import fastnn
before = dict(os.environ)
fastnn.forward(fastnn.init_weights((4, 3, 2)), np.ones((200_000, 4)))
print(os.environ == before)
"""


@pytest.mark.slow
@pytest.mark.skipif("omp" not in LAYERS or sys.platform != "linux", reason="no GNU OpenMP here")
@pytest.mark.parametrize(
    ("environment", "want"),
    [({}, str(pool.SPIN_COUNT)), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
    ids=["default", "spin count of the user", "wait policy of the user"],
)
def test_openmp_spins_shortly_unless_the_user_says_how_long(environment, want, monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    done = in_process(SPIN, NUMBA_THREADING_LAYER="omp", OMP_DISPLAY_ENV="verbose", **environment)
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("not GNU's OpenMP")
    assert f"GOMP_SPINCOUNT = '{want}'" in done.stderr
    assert done.stdout == "True\n"


@pytest.mark.parametrize("mine", [True, False])
def test_launches_wait_for_those_of_other_threads_alone(mine):
    """A signal's handler that launches in the middle of a launch does not wait for ever."""
    want, got, begun = work.bits(), [], threading.Event()

    def launch():
        with pool._launch_lock if mine else nullcontext():
            begun.set()
            got.append(work.bits())

    thread = threading.Thread(target=launch, name="fastnn test", daemon=True)
    with nullcontext() if mine else pool._launch_lock:
        thread.start()
        begun.wait()
        thread.join(60.0 if mine else 0.5)
        waits = thread.is_alive()
    thread.join(60.0)
    pool._new_lock()  # or all others wait, if this test fails
    assert waits is not mine
    assert got == [want]


MOST = pool._max_threads.__wrapped__  # asked once, else


@pytest.fixture
def cores_of_a_container(monkeypatch):
    """A function that says how many, to this process."""

    def say(usable, started=4, said=None):
        monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
        if said:
            monkeypatch.setenv("NUMBA_NUM_THREADS", str(said))
        monkeypatch.setattr(cores, "usable", lambda: usable)
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", said or started)
        monkeypatch.setattr(numba.config, "NUMBA_DEFAULT_NUM_THREADS", started)
        monkeypatch.setattr(pool, "_max_threads", MOST)

    return say


@pytest.mark.parametrize(("usable", "want"), [(0.2, 1), (1.0, 1), (1.5, 2), (2.0, 2), (3.01, 4), (4.0, 4), (64.0, 4)])
def test_no_more_threads_than_cores(usable, want, cores_of_a_container):
    cores_of_a_container(usable)
    assert pool._max_threads() == want


def test_threads_that_the_user_has_asked_for(cores_of_a_container):
    cores_of_a_container(1.5, said=4)
    assert pool._max_threads() == 4
    cores_of_a_container(1.5, said=3)
    assert pool._max_threads() == 3


def threads_inside(count):
    for i in numba.prange(1):
        count[i] = numba.get_num_threads()


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread is all there is")
def test_kernels_run_on_no_more_threads_than_cores(cores_of_a_container, monkeypatch):
    """To the same bits, and numba's own number, which others may use, is as before."""
    count, want = np.zeros(1, np.int64), work.bits()
    own = numba.config.NUMBA_NUM_THREADS
    monkeypatch.setenv("FASTNN_CACHE", "0")  # numba cannot keep what asks for its threads
    monkeypatch.setattr(jit, "_kernels", [])  # leaves warmup's list as it is
    launch = jit.batch(threads_inside)
    launch(count)
    assert count == pool.threads() == own
    cores_of_a_container(0.5, started=own)
    launch(count)
    assert count == pool.threads() == 1
    assert work.bits() == want
    with pool.at_most(2):
        assert pool.threads() == 1
    assert numba.get_num_threads() == own


GROUPS = {
    "version 2": ("0::/a/b", "/ {root} rw - cgroup2 cgroup2 rw", {"a/b/cpu.max": "150000 100000"}, 1.5),
    "version 2, of those above": (
        "0::/a/b/c",
        "/ {root} rw - cgroup2 cgroup2 rw,nsdelegate",
        {"a/b/c/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000", "a/cpu.max": "50000 200000"},
        0.25,
    ),
    "version 2, none": ("0::/a", "/ {root} rw - cgroup2 cgroup2 rw", {"a/cpu.max": "max 100000"}, math.inf),
    "version 2 in a container": ("0::/", "/ {root} rw - cgroup2 cgroup rw", {"cpu.max": "200000 100000"}, 2.0),
    "its host's path": ("0::/docker/1", "/ {root} rw - cgroup2 cgroup rw", {"cpu.max": "200000 100000"}, 2.0),
    "outside of what is mounted": ("0::/../b", "/a {root} rw - cgroup2 cgroup rw", {"cpu.max": "200000 100000"}, 2.0),
    "version 1": (
        "4:memory:/x\n3:cpu,cpuacct:/a\n0::/",
        "/ {root} rw shared:9 - cgroup cgroup rw,cpu,cpuacct",
        {"a/cpu.cfs_quota_us": "300000", "a/cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"},
        3.0,
    ),
    "version 1 in a container": (
        "3:cpuacct,cpu:/docker/1",
        "/docker/1 {root} rw - cgroup cgroup rw,cpuacct,cpu",
        {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"},
        0.5,
    ),
    "version 1, none": ("3:cpu:/", "/ {root} rw - cgroup cgroup rw,cpu", {"cpu.cfs_quota_us": "-1"}, math.inf),
    "another controller's": ("3:cpuset:/", "/ {root} rw - cgroup cgroup rw,cpuset", {"cpu.max": "1 1"}, math.inf),
    "no groups": ("", "/ / rw - ext4 /dev/vda rw", {}, math.inf),
    "no files": ("0::/a/b", "/ {root} rw - cgroup2 cgroup2 rw", {}, math.inf),
    "not a number": ("0::/a", "/ {root} rw - cgroup2 cgroup2 rw", {"a/cpu.max": "few 100000"}, math.inf),
    "no period": ("0::/a", "/ {root} rw - cgroup2 cgroup2 rw", {"a/cpu.max": "100000 0"}, math.inf),
    "empty": ("0::/a", "/ {root} rw - cgroup2 cgroup2 rw", {"a/cpu.max": ""}, math.inf),
    "no lines": ("nonsense", "nonsense", {}, math.inf),
}


@pytest.mark.parametrize("case", GROUPS)
def test_limits_of_control_groups(case, tmp_path):
    groups, mount, files, want = GROUPS[case]
    process = tmp_path / "proc" / "self"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(groups + "\n")
    (process / "mountinfo").write_text(
        "22 1 0:21 / /proc rw,nosuid - proc proc rw\n31 23 0:26 " + mount.format(root="/sys/fs/cgroup") + "\n"
    )
    for name, content in files.items():
        file = tmp_path / "sys" / "fs" / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    assert cores.limit(tmp_path) == want
    assert cores.limit(tmp_path / "no such folder") == math.inf


def test_cores_that_this_process_may_run_on(monkeypatch):
    usable = cores.usable.__wrapped__
    assert 0.0 < usable() <= os.cpu_count()
    monkeypatch.setattr(cores, "limit", lambda: 1.5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 5}, raising=False)
    assert usable() == 1.5
    monkeypatch.setattr(cores, "limit", lambda: math.inf)
    assert usable() == 3.0


def test_info_says_how_many_cores_there_are_for_it(monkeypatch, capsys):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(cores, "usable", lambda: 1.5)
    assert main(["info"]) == 0
    assert "\ncores            64, of which this process may use 1.5\n" in capsys.readouterr().out
    monkeypatch.setattr(cores, "usable", lambda: 64.0)
    assert main(["info"]) == 0
    assert "\ncores            64\n" in capsys.readouterr().out


COMPILING = """
import fastnn
from numba.core.compiler_lock import global_compiler_lock

def compiling():
    with global_compiler_lock:
        begun.set()
        over.wait()

begun, over = threading.Event(), threading.Event()
threading.Thread(target=compiling).start()
begun.wait()
threading.Timer(0.3, over.set).start()
got = [in_child(fastnn_bits)]
got.append(fastnn_bits())
print(len(got), *set(got))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_another_thread_compiles():
    """Its child would wait for ever for a lock that nobody holds there."""
    assert_same_bits(in_process(OTHER + COMPILING), 2)


BLAS = """
from fastnn.runtime import blas
from threadpoolctl import threadpool_info, threadpool_limits

def limited():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}

def used():
    with blas.one_thread():
        assert limited()
    return limited()

def training():
    with blas.one_thread():
        begun.set()
        over.wait()

np.ones((2, 2)) @ np.ones((2, 2))
begun, over = threading.Event(), threading.Event()
thread = threading.Thread(target=training)
print(limited())
thread.start()
begun.wait()
print(limited(), in_child(used), limited())
with blas.one_thread():
    print(in_child(used))
over.set()
thread.join()
print(limited())
blas._limits = threadpool_limits(1, user_api="blas")  # as if Ctrl-C had come right after it
print(limited(), used())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork") or os.cpu_count() == 1, reason="no fork, or one core")
def test_blas_has_its_threads_again():
    """In a child too, whose parent was training in another thread; not while this thread trains."""
    got = in_process(OTHER + BLAS, OPENBLAS_NUM_THREADS="2").stdout
    assert got == "False\nTrue False True\nTrue\nFalse\nTrue False\n"
