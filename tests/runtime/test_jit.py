"""Compiling: what is said meanwhile, signals, and what `fastnn.warmup` compiles."""

import _thread
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numba
import pytest

from fastnn.runtime import cache, jit, notice

from ..conftest import WORK, copied_cache, in_process, with_slow, work

CALLS = [
    "fastnn.forward([np.ones((2, 3))], np.ones((200_000, 2)))",
    "fastnn.cost_and_gradient([np.ones((2, 3))], np.ones((4, 2)), [0, 1, 0, 1], engine='loop')",
    "fastnn.check_gradient([np.ones((2, 3))], np.ones((4, 2)), [0, 1, 0, 1], engine='numpy')",
    "fastnn.train(np.tile(np.eye(4), (50_000, 1)), [0, 1, 0, 1] * 50_000, 2)",
]


@pytest.mark.parametrize("layer", with_slow(["omp64"], ["omp64", "no such\nlayer"]))
def test_threading_layer_that_is_not_there(layer):
    """One sentence each time, and the command's is not more than a line."""
    code = "import numpy as np, fastnn\nfrom fastnn.cli import main\n" + "".join(
        f"try: {call}\nexcept ValueError as error: print(str(error).count('NUMBA_THREADING_LAYER must be default, '))\n"
        for call in CALLS
    )
    done = in_process(f"{code}print(main(['check']))\nprint(main(['info']))", NUMBA_THREADING_LAYER=layer)
    want = (
        "NUMBA_THREADING_LAYER must be default, omp, tbb, workqueue, safe, threadsafe or forksafe, and installed, "
        f"got {layer.lower()!r}. Numba says: "
    )
    assert done.stdout.startswith("1\n" * len(CALLS) + "2\nfastnn ")
    assert f"threading layer  none: {want}" in done.stdout
    assert done.stdout.endswith("\n0\n")
    assert done.stderr.startswith(f"fastnn check: {want}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_disabled_jit_compiles_kernels_all_the_same(tmp_path):
    """Another's functions stay as the variable wants them. Some come from the cache, one does not."""
    code = (
        "import numba, os\nfrom fastnn.cli import main\n"
        f"{WORK}print(bits())\n"
        "statuses = main(['check', '--quick']), main(['train', '--maxiter', '1', '--out', 'm.npz'])\n"
        "with open('done', 'w') as file: print(*statuses, file=file)\n"
        f"os.environ['FASTNN_CACHE'] = '0'\n{COMPILED}print(type(numba.njit(lambda: 0)).__name__)"
    )
    done = in_process(f"import os; os.chdir({str(tmp_path)!r})\n{code}", NUMBA_DISABLE_JIT="1")
    assert done.stdout.startswith(f"{work.bits()}\n")
    assert done.stdout.endswith("\n0.5\nfunction\n")
    assert done.stderr == ""
    assert (tmp_path / "done").read_text() == "0 0\n"


# A kernel that is compiled in a second: a parallel loop.
COMPILED = """
import numba, numpy as np
from fastnn.runtime import jit
@jit.batch
def halves(x):
    for i in numba.prange(len(x)):
        x[i] *= 0.5
x = np.ones(1)
halves(x)
print(x[0])
"""


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


@pytest.fixture
def lacking(tmp_path):
    """A cache folder where one kernel of TRAIN is missing; where there is no cache, all of them."""
    own = cache.folder()
    if own is not None:
        in_process(TRAIN.format("False"))
        copied_cache(tmp_path)
        for file in (tmp_path / own.name).glob("batches.regularised_mean*"):
            file.unlink()
    return str(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
def test_a_line_says_that_kernels_compile_and_goes_away(lacking):
    code = TRAIN.format("None")
    shown = on_a_terminal(code, FASTNN_CACHE=lacking)
    assert SAID + b", the first time only" in shown
    assert [line for line in screen(shown) if line] == []
    assert SAID not in on_a_terminal(code, FASTNN_CACHE=lacking)  # they are in the cache


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
def test_the_line_does_not_promise_what_no_cache_keeps():
    shown = on_a_terminal(COMPILED, FASTNN_CACHE="0")
    assert [line for line in screen(shown) if line] == ["0.5"]
    assert SAID in shown
    assert b"the first time only" not in shown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
def test_nothing_is_said_while_kernels_compile_where_nobody_wants_it(lacking):
    assert on_a_terminal(TRAIN.format("False"), FASTNN_CACHE=lacking) == b""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
@pytest.mark.parametrize("before", ["sys.stderr = io.StringIO()", "os.close(2); sys.stderr = None"])
def test_nothing_is_said_while_kernels_compile_where_none_is_to_see_it(before):
    assert on_a_terminal(f"import io, os, sys; {before}\n{COMPILED}", FASTNN_CACHE="0") == b"0.5\r\n"


USE = """
import numpy as np
X = np.random.default_rng(0).random((50, 4)); y = np.arange(50) % 3
model = fastnn.train(X, y, 5, activation="tanh", output="softmax", sample_weight=np.ones(50), maxiter=3)
fastnn.train(X.astype("f"), y, (5, 4), maxiter=3); model.score(X, y)
fastnn.check_gradient(model.weights, X, y, engine="loop")
X.flags.writeable = y.flags.writeable = False  # numba takes such arrays for another type
fastnn.check_gradient(model.weights, X, y, directions=1); model.predict(X)
fastnn.check_gradient(model.weights, X, X[:, :3], output="identity")

class Rows:  # read run by run, as of a dataset of h5py
    shape, dtype = X.shape, X.dtype

    def __getitem__(self, rows):
        return X[rows]

for engine in ("fused", "loop"):
    fastnn.train(Rows(), y, 5, engine=engine, standardize=True, maxiter=3).predict(Rows())
    fastnn.check_gradient(model.weights, Rows(), y, engine=engine)

many = np.tile(X, (200, 1))  # enough for all threads
for dtype in ("float64", "float32", "float16", "uint8"):
    for scale in (1.0, 0.5):
        some = (255 * many).astype(dtype)
        fastnn.train(some, np.tile(y, 200), 5, scale=scale, maxiter=2).predict(some)
"""

# USE in a forked child, which lacks the threads of its parent.
IN_A_CHILD = f"""
import os, sys, numba
numba.get_num_threads()
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
{USE}
from fastnn.runtime import forks
assert forks.threads_lost()
"""

# Prints what is looked for in the cache: the names of kernels with the types of their arguments, and files.
LOOKED_FOR = """
import fastnn
from fastnn.runtime import cache, jit
load, load_overload = cache.File.load, jit._Cache.load_overload
def told(self):
    print(self.path.name)
    return load(self)
def types_told(self, signature, target_context):
    print(self.name, signature)
    return load_overload(self, signature, target_context)
cache.File.load, jit._Cache.load_overload = told, types_told
"""


def looked_for(code):
    return {*in_process(LOOKED_FOR + code, PYTHONWARNINGS="ignore").stdout.splitlines()}


@pytest.fixture(scope="module")
def warm():
    return looked_for("fastnn.warmup()")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "in a forked child"])
def test_warmup_leaves_nothing_to_compile(where, warm):
    """What a process looks for in the cache, a process that warms up has looked for too, and so compiled."""
    if where != "here" and sys.platform != "linux":
        pytest.skip("elsewhere a fork is not seen afterwards")
    used = looked_for(USE if where == "here" else IN_A_CHILD)
    assert used <= warm
    kernels = {line.split()[0].removesuffix("-serial") for line in used if "_accumulate" in line and " " in line}
    assert len(kernels) >= 2
    assert any("-serial" in line for line in used)
    assert any("_outputs" in line and "-serial" not in line for line in used) is (where == "here")
    assert any("Array(float32" in line for line in used)


@pytest.mark.slow
def test_warmup_looks_for_both_variants_of_every_kernel(warm):
    for kernel in jit._kernels:
        name = f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"
        assert {name, f"{name}-serial"} <= {line.split()[0] for line in warm}


def test_what_is_for_kernels_alone_is_not_called_from_python():
    """It has no wrapper for that: the call would end the process."""
    double = jit.inner()(lambda x: 2.0 * x)
    quadruple = jit.serial(lambda x: double(double(x)))
    for _ in range(2):  # before it is compiled, and after
        with pytest.raises(TypeError, match="for kernels alone"):
            double(1.0)
        assert quadruple(1.5) == 6.0


@pytest.mark.parametrize("raised", [signal.raise_signal, _thread.interrupt_main])
def test_ctrl_c_does_not_wait_for_a_compilation(monkeypatch, raised):
    """And does not end it: what was compiled is there the next time."""
    monkeypatch.setenv("FASTNN_CACHE", "0")
    kernel = jit.serial(lambda x: x + 1)
    compile_now, go_on, over = kernel._compiler.compile, threading.Event(), threading.Event()

    def slow(*arguments):
        raised(signal.SIGINT)  # from the compiling thread, so that the other one is not woken by it
        assert go_on.wait(60)
        try:
            return compile_now(*arguments)
        finally:
            over.set()

    monkeypatch.setattr(kernel._compiler, "compile", slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            kernel(1.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not over.is_set()
    go_on.set()
    monkeypatch.setattr(kernel._compiler, "compile", compile_now)
    assert kernel(1.0) == 2.0
    assert over.is_set()
    assert len(kernel.stats.cache_misses) <= 1


def test_waiting_for_kernels_counts_once_in_the_thread_that_waits(monkeypatch):
    """Nested blocks are one wait, whatever they raise; another thread's wait is its own."""
    now = [0.0]
    monkeypatch.setattr(notice.time, "perf_counter", lambda: now[0])
    before = notice.kernel_seconds()

    def wait():
        with notice.waiting_for_kernels():
            now[0] += 1.0
            with suppress(ValueError), notice.waiting_for_kernels():
                now[0] += 2.0
                raise ValueError
        now[0] += 4.0
        return notice.kernel_seconds()

    assert wait() == before + 3.0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(wait).result() == 3.0
        assert pool.submit(wait).result() == 6.0
    assert notice.kernel_seconds() == before + 3.0


@pytest.mark.slow
def test_a_training_tells_the_time_that_its_kernels_took(lacking):
    """One kernel is compiled, then loaded; a second training in the same process has all of them."""
    code = f"""
import time
{TRAIN.format(False).replace("fastnn.train", "start = time.perf_counter(); first = fastnn.train")}
wall = time.perf_counter() - start
second = {TRAIN.format(False).partition("; ")[2]}
from fastnn.runtime import notice
print(0.0 < first.outcome.compile_seconds < wall - first.outcome.seconds, second.outcome.compile_seconds)
print(notice.kernel_work())"""
    for words in ("compiling kernels (the first time only)", "loading kernels"):
        assert in_process(code, FASTNN_CACHE=lacking).stdout == f"True 0.0\n{words}\n"


def test_what_a_compilation_raises_arrives():
    with pytest.raises(numba.TypingError):
        jit.serial(lambda x: x.nothing)(1.0)


def test_other_threads_compile_where_they_are():
    with ThreadPoolExecutor(1) as pool:
        here = pool.submit(lambda: jit._in_a_thread(threading.get_ident) == threading.get_ident())
        assert here.result()
    assert jit._in_a_thread(threading.get_ident) != threading.get_ident()
