"""Launching and caching: threads, forks, folders that cannot be written, and what is said while kernels compile."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from fastnn.kernels import jit
from fastnn.objective import Objective

from .conftest import random_case


def gradient(engine, case):
    return Objective.of(case.problem(0.5), engine).evaluate(case.theta)[1]


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


OTHER = """
import os, sys, threading, warnings
import numba
import numpy as np
warnings.simplefilter("error")

@numba.njit(parallel=True)
def other(x):
    total = 0.0
    for i in numba.prange(x.size):
        total += x[i]
    return total

def fastnn_sums(engine="loop"):
    import fastnn
    rng = np.random.default_rng(0)
    weights = fastnn.init_weights((2, 3, 3), seed=1)
    J, gradient = fastnn.cost_and_gradient(weights, rng.random((300, 2)), np.arange(300) % 3, engine=engine)
    return J.hex(), np.concatenate([matrix.ravel() for matrix in gradient]).tobytes().hex()

def in_child(work):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(work()).encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        result = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return result
"""

FORKS = {
    "fastnn imported before": "import fastnn; other(np.ones(9)); got = in_child(fastnn_sums)",
    "fastnn imported in the child": "other(np.ones(9)); got = in_child(fastnn_sums)",
    # OpenBLAS starts its threads again in the child, so that counting threads would tell nothing
    "a product in the child first": """
A = np.ones((500, 500))
A @ A; other(np.ones(9)); got = in_child(lambda: (A @ A).shape and fastnn_sums())""",
    "a child's child": "other(np.ones(9)); got = eval(in_child(lambda: in_child(fastnn_sums)))",
    "the fused engine": "other(np.ones(9)); got = in_child(lambda: fastnn_sums('fused'))",
    "threads of numba started, nothing launched": "numba.get_num_threads(); got = in_child(fastnn_sums)",
    "a pool of processes": """
import multiprocessing, fastnn
other(np.ones(9))
with multiprocessing.get_context("fork").Pool(2) as pool:
    got, same = map(repr, pool.map(fastnn_sums, ["loop"] * 2))
assert got == same""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a fork is not seen afterwards")
@pytest.mark.parametrize("case", FORKS)
def test_forked_child_of_a_process_where_another_package_ran(case):
    """It has the parent's bits: GNU OpenMP would end it."""
    engine = "fused" if "fused" in case else "loop"
    done = in_process(f"{OTHER}{FORKS[case]}\nprint(got == repr(fastnn_sums({engine!r})))")
    assert done.stdout == "True\n", done.stderr


def test_child_that_started_threads_itself_uses_them():
    done = in_process(
        f"{OTHER}import fastnn\nfrom fastnn.kernels import forks\n"
        "print(in_child(lambda: (fastnn_sums(), other(np.ones(9)), forks.threads_lost)[2]))"
    )
    assert done.stdout == "False\n"


BESIDE = """
over = threading.Event()
def work():
    while not over.is_set():
        other(np.ones(100_000))
thread = threading.Thread(target=work, daemon={daemon})
want = fastnn_sums({engine!r})
other(np.ones(9))
thread.start()
same = all(fastnn_sums({engine!r}) == want for _ in range(300))
over.set()
thread.join()
print(same)
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
@pytest.mark.parametrize(("engine", "daemon"), [("loop", False), ("fused", True)])
def test_another_package_launches_in_another_thread(layer, engine, daemon):
    """Numba's workqueue ends the process (SIGABRT) when two threads launch at once."""
    done = in_process(OTHER + BESIDE.format(engine=engine, daemon=daemon), NUMBA_THREADING_LAYER=layer)
    assert done.stdout == "True\n", done.stderr


def test_workqueue_runs_on_all_threads_while_nobody_else_can_launch():
    """A progress bar's thread and our own launch nothing."""
    code = """
import threading, time
from tqdm import tqdm
from fastnn.kernels import jit
def seen(**options):
    thread = threading.Thread(target=time.sleep, args=(0.2,), **options)
    thread.start()
    usable = jit._threads_usable()
    thread.join()
    return usable
usable = [jit._threads_usable()]
with tqdm(total=1):
    usable.append(jit._threads_usable())
print(jit.threading_layer(), threading.active_count(), *usable, seen(name="fastnn watch"), seen())
"""
    assert in_process(code, NUMBA_THREADING_LAYER="workqueue").stdout == "workqueue 2 True True True False\n"


CALLS = [
    "fastnn.forward([np.ones((2, 3))], np.ones((4, 2)))",
    "fastnn.cost_and_gradient([np.ones((2, 3))], np.ones((4, 2)), [0, 1, 0, 1], engine='loop')",
    "fastnn.check_gradient([np.ones((2, 3))], np.ones((4, 2)), [0, 1, 0, 1], engine='numpy')",
    "fastnn.train(np.eye(4), [0, 1, 0, 1], 2)",
]


@pytest.mark.parametrize("layer", ["nonsense", "omp64", "no such\nlayer"])
def test_threading_layer_that_is_not_there(layer):
    code = "import numpy as np, fastnn\n" + "".join(
        f"try: {call}\nexcept ValueError as error: print(str(error).count('NUMBA_THREADING_LAYER is '))\n"
        for call in CALLS
    )
    assert in_process(code, NUMBA_THREADING_LAYER=layer).stdout == "1\n" * len(CALLS)
    arguments = [sys.executable, "-P", "-m", "fastnn"]
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer}
    for command, status, what in (("check", 2, "fastnn check: NUMBA"), ("info", 0, "threading layer  none: NUMBA")):
        done = subprocess.run([*arguments, command], env=environment, capture_output=True, text=True)
        got = done.stdout if status == 0 else done.stderr
        assert done.returncode == status
        assert f"{what}_THREADING_LAYER is {layer.lower()!r}" in got
        assert status == 0 or (got.count("\n") == 1 and not done.stdout)


def test_disabled_jit_compiles_kernels_all_the_same(tmp_path):
    """Another's functions stay as the variable wants them."""
    code = f"import numpy as np, numba, fastnn\n{CALLS[1]}\nprint(type(numba.njit(lambda: 0)).__name__)"
    got = in_process(code, NUMBA_DISABLE_JIT="1", FASTNN_CACHE="0").stdout
    assert got == "function\n"
    for command in (["info"], ["check", "--quick"], ["train", "--maxiter", "1", "--out", str(tmp_path / "m.npz")]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fastnn", *command],
            env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")


def in_process(code, **environment):
    """Its output. -P: the package that is tested here, whose kernels are in the cache, not one in this folder."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    )


RUN_LOOP = (
    "import numpy as np; from fastnn.engines import loop; A = np.empty((2, 1));"
    "loop.forward(np.zeros(2), np.array([[1, 1, 0]]), np.ones((2, 1)), 1.0, A); print(A[0, 0])"
)


def test_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", "0")
    assert jit.cache_folder() is None
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    assert jit.cache_folder().parent == tmp_path
    monkeypatch.setenv("FASTNN_CACHE", "1")
    assert jit.cache_folder().parent.name == "fastnn"


@pytest.mark.parametrize("where", ["rel", "", ".", "rel/deep", "../rel", "~/rel"])
def test_relative_user_cache_folder_is_ignored(where, tmp_path, monkeypatch):
    """As the XDG rule says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTNN_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/a/home")
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    assert jit.cache_folder().parent == Path("/a/home/.cache/fastnn")
    monkeypatch.setenv("XDG_CACHE_HOME", "/a/cache")
    assert jit.cache_folder().parent == Path("/a/cache/fastnn")
    monkeypatch.setenv("FASTNN_CACHE", "")  # as if it were not set
    assert jit.cache_folder().parent == Path("/a/cache/fastnn")


@pytest.mark.parametrize("home", ["home", ".", "../home"])
def test_a_relative_home_is_none(home, monkeypatch):
    """Else each working folder would get a cache of its own."""
    monkeypatch.delenv("FASTNN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert jit.cache_folder() is None
    assert jit.cache_report() == "none: there is no home folder"


# A user that nobody knows, whom only root may become.
READS_ALL = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # a test's Python may be anywhere
AS_NOBODY = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *READS_ALL]


def may_become_nobody():
    if shutil.which("setpriv") is None:
        return False
    return subprocess.run([*AS_NOBODY, sys.executable, "-c", ""], capture_output=True).returncode == 0


def without_home(code, **environment):
    """Its output, as a user that nobody knows if we may become one, else with a cache in the home of one."""
    known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "NUMBA_THREADING_LAYER") if name in os.environ}
    prefix, variables = (AS_NOBODY, {}) if may_become_nobody() else ([], {"FASTNN_CACHE": "~nobody-of-that-name"})
    command = [*prefix, sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=known | variables | environment, capture_output=True, text=True, check=True)


def test_without_a_home_everything_works_and_one_sentence_says_what_is_missing():
    done = without_home(f"from fastnn.kernels import jit; print(jit.cache_report()); {RUN_LOOP}; {RUN_LOOP}")
    assert done.stdout == "none: there is no home folder\n0.5\n0.5\n"
    assert done.stderr.count("compiled anew in every process: there is no home folder") == 1
    done = without_home(f"from fastnn.kernels import jit; print(jit.cache_report()); {RUN_LOOP}", FASTNN_CACHE="0")
    assert (done.stdout, done.stderr) == ("none: FASTNN_CACHE is 0\n0.5\n", "")


@pytest.mark.skipif(not may_become_nobody(), reason="only root may become somebody else")
def test_folder_that_was_filled_before_is_read_where_it_cannot_be_written():
    """An image's: filled by `fastnn.warmup` as root, say."""
    report = f"from fastnn.kernels import jit; print(jit.cache_report()); {RUN_LOOP}"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        in_process(RUN_LOOP, FASTNN_CACHE=folder)
        done = without_home(report, FASTNN_CACHE=folder)
        assert "not written to: [Errno 13]" in done.stdout
        assert (done.stdout.split("\n")[1], done.stderr) == ("0.5", "")  # nothing was compiled
        for file in list(Path(folder).rglob("*.nb*")):  # what cannot be read, by whomever
            file.unlink()
            file.mkdir()
        done = without_home(report, FASTNN_CACHE=folder)
        assert done.stdout.split("\n")[1] == "0.5"
        assert done.stderr.count("compiled anew in every process: [Errno 13]") == 1


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


def half_of(x):
    return 0.5 * x


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_cache_file_with_one_wrong_byte_is_written_anew(ending, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    jit.serial(half_of)(3.0)
    (file,) = tmp_path.rglob(f"*.{ending}")
    whole = file.read_bytes()
    for position in [0, 31, 32, len(whole) - 1, *np.random.default_rng(0).integers(0, len(whole), 46)]:
        broken = bytearray(whole)
        broken[position] ^= 1 << (position % 8)
        file.write_bytes(broken)
        kernel = jit.serial(half_of)
        assert kernel(3.0) == 1.5
        assert (len(kernel.stats.cache_hits), len(kernel.stats.cache_misses)) == (0, 1), position
        kernel = jit.serial(half_of)
        assert kernel(3.0) == 1.5
        assert (len(kernel.stats.cache_hits), len(kernel.stats.cache_misses)) == (1, 0), position


@pytest.mark.parametrize(("ending", "part"), [("nbi", 0.1), ("nbi", 0.9), ("nbc", 0.5), ("nbc", 0.99)])
def test_process_that_finds_one_wrong_byte_compiles_anew(ending, part, tmp_path):
    in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path))
    (file,) = tmp_path.rglob(f"loop._forward_groups*.{ending}")
    whole = file.read_bytes()
    broken = bytearray(whole)
    broken[int(part * len(whole))] ^= 0xFF
    file.write_bytes(broken)
    done = in_process(RUN_LOOP, FASTNN_CACHE=str(tmp_path))
    assert (done.stdout, done.stderr) == ("0.5\n", "")
    assert file.read_bytes() != broken


RUN_FUSED = (
    "import numpy as np, fastnn; print(fastnn.forward([np.zeros((3, 5)), np.zeros((2, 4))], np.ones((2, 4))).tolist())"
)


def test_what_kernels_call_by_address_is_compiled_anew_where_it_is_missing(tmp_path):
    """Each file of the cache in turn: tiles, what stands apart, and the kernels that call them."""
    want = in_process(RUN_FUSED, FASTNN_CACHE=str(tmp_path)).stdout
    names = sorted(file.name for file in tmp_path.rglob("*.nbc"))
    assert len([name for name in names if name.startswith("fastnn.")]) == 2
    for what in ("outer_strip", "activations.activate", "_forward_block", "fused._pad"):
        (file,) = (file for file in tmp_path.rglob("*.nbc") if what in file.name)
        file.unlink()
        done = in_process(RUN_FUSED, FASTNN_CACHE=str(tmp_path))
        assert (done.stdout, done.stderr) == (want, "")
        assert any(what in file.name for file in tmp_path.rglob("*.nbc"))


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


def test_forked_child_finds_its_kernels_in_the_cache(tmp_path):
    """Those for one thread have files of their own; what they call by address is the same for both."""
    code = f"{OTHER}other(np.ones(9)); in_child(lambda: exec({RUN_LOOP!r}))"
    in_process(code, FASTNN_CACHE=str(tmp_path))
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb*")}
    assert [file.name for file in files if "_forward_groups" in file.name]
    assert all("-alone" in file.name for file in files if "_forward_groups" in file.name)
    in_process(code, FASTNN_CACHE=str(tmp_path))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.nb*")} == files


SAID = b"compiling kernels for this processor"


def on_a_terminal(code, **environment):
    """All bytes that a terminal of 80 columns gets."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-P", "-c", code]
    process = subprocess.Popen(command, env=os.environ | environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert process.wait(timeout=300) == 0, shown
    return shown


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # its other end is closed
        return b""


def screen(shown):
    """What is left on the screen: lines, without blanks at their ends."""
    lines, row, column = [""], 0, 0
    text = shown.decode()
    while text:
        if text.startswith("\x1b[A"):
            row, text = row - 1, text[3:]
            continue
        character, text = text[0], text[1:]
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + character + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


TRAIN = "import numpy as np, fastnn; fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=2, engine='loop', progress={})"


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
@pytest.mark.parametrize("code", [TRAIN.format("None"), RUN_LOOP])
def test_a_line_says_that_kernels_compile_and_goes_away(code, tmp_path):
    shown = on_a_terminal(code, FASTNN_CACHE=str(tmp_path))
    assert SAID + b", the first time only" in shown
    assert [line for line in screen(shown) if line] == (["0.5"] if code == RUN_LOOP else [])
    assert SAID not in on_a_terminal(code, FASTNN_CACHE=str(tmp_path))  # they are in the cache


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
def test_the_line_does_not_promise_what_no_cache_keeps():
    shown = on_a_terminal(RUN_LOOP, FASTNN_CACHE="0")
    assert SAID in shown
    assert b"the first time only" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
@pytest.mark.parametrize(
    "code",
    [
        TRAIN.format("False"),
        f"import sys, io; sys.stderr = io.StringIO(); {RUN_LOOP}",
        f"import os, sys; os.close(2); sys.stderr = None; {RUN_LOOP}",
    ],
)
def test_nothing_is_said_while_kernels_compile_where_none_is_to_see_it(code):
    assert on_a_terminal(code, FASTNN_CACHE="0") == (b"0.5\r\n" if code.endswith(RUN_LOOP) else b"")


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


def test_what_is_for_kernels_alone_is_not_called_from_python():
    """It has no wrapper for that: the call would end the process."""
    double = jit.inner()(lambda x: 2.0 * x)
    quadruple = jit.serial(lambda x: double(double(x)))
    for _ in range(2):  # before it is compiled, and after
        with pytest.raises(TypeError, match="for kernels alone"):
            double(1.0)
        assert quadruple(1.5) == 6.0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_signals_wait_for_what_must_not_be_interrupted(signum, error):
    """An exception in the middle of LLVM's work would free memory twice. Handlers are as before, after an error too."""
    events = []

    def handler(*signal_and_frame):
        events.append(signal_and_frame[0])

    before = signal.signal(signum, handler)
    try:
        with pytest.raises(error) if error else nullcontext(), jit._uninterrupted():
            signal.raise_signal(signum)
            events.append("whole")
            if error:
                raise error
        assert events == ["whole", signum]
        assert signal.getsignal(signum) is handler
    finally:
        signal.signal(signum, before)


def test_signals_wait_in_every_compilation(monkeypatch):
    seen = []
    kernel = jit.serial(lambda x: x + 1)
    compile_now = kernel._compiler.compile

    def raised_at_the_start(*arguments):
        signal.raise_signal(signal.SIGINT)
        seen.append("before")
        result = compile_now(*arguments)
        seen.append("after")
        return result

    monkeypatch.setattr(kernel._compiler, "compile", raised_at_the_start)
    with pytest.raises(KeyboardInterrupt):
        kernel(1.0)
    assert seen == ["before", "after"]
    assert kernel(1.0) == 2.0


def test_other_threads_leave_handlers_alone():
    before = signal.getsignal(signal.SIGINT)

    def compiling():
        with jit._uninterrupted():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(compiling).result() is before
