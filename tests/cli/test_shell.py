"""The command as a shell sees it: statuses, signals, pipes, full disks, encodings, a bare container."""

import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import product

import numpy as np
import pytest

import fastnn
from fastnn.cli import shell
from fastnn.runtime import cache

from ..conftest import UNMEASURED, copied_cache, with_long

pytestmark = pytest.mark.skipif(not hasattr(signal, "sigwait"), reason="no such signals here")

COMMAND = [sys.executable, "-P", "-m", "fastnn"]

# Code before a command: as it is here, and as on Windows, which blocks no signals and waits for none.
SYSTEMS = {
    "here": "",
    "windows": "import signal\n"
    "for name in ('sigwait', 'sigwaitinfo', 'sigtimedwait', 'sigpending', 'pthread_sigmask', 'pthread_kill'):\n"
    "    signal.__dict__.pop(name, None)\n",
}
on_each_system = pytest.mark.parametrize("system", SYSTEMS)
LABELS = ["naïve", "Zoë 4", "日本", "b\udce9", "plain"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model, data of 200, of 50,000 and of 2,000 examples; nothing here is changed."""
    folder = tmp_path_factory.mktemp("shell")
    y = np.arange(200) % len(LABELS)
    X = np.eye(9)[y]  # the pixels of a square image
    model = fastnn.train(X, np.array(LABELS)[y], 5, 0.0, maxiter=100, progress=False)
    assert model.score(X, np.array(LABELS)[y]) == 1.0
    model.save(folder / "m.npz")
    np.savez(folder / "data.npz", X=X, y=np.array(LABELS)[y])
    np.savez(folder / "many.npz", X=np.tile(X, (250, 1)))
    rng = np.random.default_rng(0)
    np.savez(folder / "noise.npz", X=rng.standard_normal((2000, 4)), y=rng.integers(0, 3, 2000))  # learned for ages
    return folder


@pytest.fixture
def here(files, tmp_path):
    """A copy of `files`, to be written to."""
    return shutil.copytree(files, tmp_path / "here")


def fastnn_at(folder, arguments, **options):
    environment = os.environ | options.pop("env", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 300} | options
    return subprocess.run([*COMMAND, *arguments.split()], cwd=folder, env=environment, **options)


def bash(folder, script, **environment):
    """bash -c, where $FASTNN is the command."""
    environment = os.environ | {"FASTNN": " ".join(COMMAND)} | environment
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


READERS = ["head -3", "sed 3q", "awk '{print} NR == 3 {exit}'"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "unbuffered"), with_long([*zip(READERS, ["", "1", ""], strict=True)], product(READERS, ["", "1"]))
)
def test_a_reader_that_goes_early(files, reader, unbuffered):
    script = f"$FASTNN predict m.npz --data many.npz | {reader}; echo ${{PIPESTATUS[0]}}"
    done = bash(files, script, PYTHONUNBUFFERED=unbuffered, PYTHONIOENCODING="utf-8")
    assert done.stdout.splitlines() == ["naïve", "Zoë 4", "日本", "141"]
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["predict m.npz --data data.npz", "info", "--help", "train --help"])
def test_a_reader_that_was_never_there(files, arguments):
    """What is in a buffer is written at the end: its failure must not be Python's to report."""
    read, write = os.pipe()
    os.close(read)
    done = fastnn_at(files, arguments, stdout=write, env={"PYTHONUNBUFFERED": ""})
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", ["predict m.npz --data many.npz", "predict m.npz --data data.npz", "--version"])
def test_standard_output_on_a_full_disk(files, arguments):
    with open("/dev/full", "w") as full:
        done = fastnn_at(files, arguments, stdout=full, env={"PYTHONUNBUFFERED": ""})
        assert done.returncode == 2
        assert done.stderr == f"fastnn {arguments.split()[0]}: [Errno 28] No space left on device\n"
        assert fastnn_at(files, "predict m.npz", stdout=full, stderr=full).returncode == 2


def test_closed_outputs(files):
    done = bash(files, "$FASTNN predict m.npz --data data.npz >&-")
    assert done.returncode == 2
    assert done.stderr == "fastnn predict: standard output is closed; a file, a pipe or a terminal is wanted\n"
    done = bash(files, "$FASTNN predict m.npz --data data.npz 2>&- <&-", PYTHONIOENCODING="utf-8")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["naïve", "Zoë 4"]
    assert "accuracy" not in done.stdout  # what is said on standard error does not get among the labels
    assert bash(files, "$FASTNN predict no.npz >&- 2>&-").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("out", ["train --hidden 300 --maxiter 1 --out old.npz", "show --out old.png"])
def test_a_disk_that_fills_up_leaves_the_old_file(here, out):
    import resource

    old = here / out.split()[-1]
    old.write_bytes(b"old")
    before = sorted(os.listdir(here))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    done = fastnn_at(here, f"{out} --data data.npz", env=UNMEASURED, preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"fastnn {out.split()[0]}: [Errno 27] File too large"
    assert done.stdout == ""
    assert old.read_bytes() == b"old"
    assert sorted(os.listdir(here)) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "want"),
    [
        ({"PYTHONIOENCODING": "ascii"}, [r"na\xefve", r"Zo\xeb 4", r"\u65e5\u672c", r"b\udce9", "plain"]),
        ({"PYTHONIOENCODING": "latin-1"}, ["naïve", "Zoë 4", r"\u65e5\u672c", r"b\udce9", "plain"]),
        ({"PYTHONIOENCODING": "utf-8"}, ["naïve", "Zoë 4", "日本", r"b\udce9", "plain"]),
        ({"PYTHONIOENCODING": "ascii:replace"}, ["na?ve", "Zo? 4", "??", "b?", "plain"]),
        (
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            [r"na\xefve", r"Zo\xeb 4", r"\u65e5\u672c", r"b\udce9", "plain"],
        ),
    ],
)
def test_labels_that_the_encoding_lacks(files, environment, want):
    """All of them, escaped; a handler of errors that the user has chosen is kept."""
    latin = environment.get("PYTHONIOENCODING") == "latin-1"
    done = fastnn_at(files, "predict m.npz --data data.npz", env=environment, encoding="latin-1" if latin else "utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == 40 * want


SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


FOREVER = "train --data noise.npz --hidden 30 --lmbda 0 --maxiter 100000000"


def heard(signum):
    return f"fastnn train: {SIGNALS[signum]}, the best weights will be saved; a second signal ends at once\n"


def assert_it_ends(process, signum):
    out, err = process.communicate(timeout=30)  # it takes about one; half of a sleep that is not interrupted
    assert err == f"fastnn info: {SIGNALS[signum]}, nothing was saved\n"
    assert (process.returncode, out) == (128 + signum, "")


def started(folder, arguments, **environment):
    return subprocess.Popen(
        [*COMMAND, *arguments.split()], cwd=folder, env=os.environ | environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def watched(process):
    """Wait until a process has got as far as to watch for signals."""
    while True:
        with open(f"/proc/{process.pid}/status") as status:
            blocked = next(line for line in status if line.startswith("SigBlk"))
        if int(blocked.split()[1], 16):
            return time.sleep(0.05)
        time.sleep(0.002)


MOMENTS = [0.0, 0.1, 0.3, 0.7, 1.5, 3.0, 5.0]
IN_TURN = [*zip(MOMENTS[:-1], [*SIGNALS] * 3, strict=True)]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
@pytest.mark.parametrize(("seconds", "signum"), with_long(IN_TURN, product(MOMENTS, SIGNALS)))
def test_a_signal_at_any_moment(here, seconds, signum):
    """While NumPy and Numba are imported, while kernels are compiled, and where that is quick in the training."""
    (here / "old.npz").write_bytes(b"old")
    before = sorted(os.listdir(here))
    process = started(here, f"{FOREVER} --out old.npz", FASTNN_CACHE="0")
    watched(process)
    time.sleep(seconds)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    if err == heard(signum):
        assert fastnn.load(here / "old.npz").outcome.status == "interrupted"
    else:
        assert (out, err) == ("", f"fastnn train: {SIGNALS[signum]}, nothing was saved\n")
        assert (here / "old.npz").read_bytes() == b"old"
    assert process.returncode == 128 + signum
    assert sorted(os.listdir(here)) == before


@pytest.mark.slow
@on_each_system
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_in_a_training(here, signum, system):
    """Whole evaluations and a whole file: as if training had been stopped there."""
    code = f"{SYSTEMS[system]}import sys\nfrom fastnn import cli\nsys.exit(cli.run())"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *FOREVER.split(), "--out", "new.npz", "--verbose"], cwd=here,
        env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for i in (1, 2):  # the first may be told a moment before a signal is taken for one in a training
        assert process.stdout.readline().startswith(f"iteration    {i}  cost ")
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert err == heard(signum)
    assert process.returncode == 128 + signum
    assert "\nended        interrupted with" in out
    assert out.endswith("saved        new.npz\n")
    model = fastnn.load(here / "new.npz")
    assert model.outcome.status == "interrupted"
    with np.load(here / "noise.npz") as data:
        cost, _ = fastnn.cost_and_gradient(model.weights, data["X"], data["y"])
    assert cost == model.outcome.cost <= model.history.cost.min()


@pytest.mark.slow
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_keeps_the_training_too(here, signum):
    """The notice of a batch system, and then the same command again."""
    command = f"{FOREVER} --checkpoint kept.npz --resume --out new.npz --verbose"
    before = 0
    for _ in range(2):
        process = started(here, command, PYTHONUNBUFFERED="1")
        lines = [process.stdout.readline() for _ in range(2)]
        assert all(line.startswith("iteration ") for line in lines)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (128 + signum, heard(signum))
        assert "goes on from the checkpoint" in out
        done = fastnn.load(here / "kept.npz").outcome.iterations
        assert int(lines[0].split()[1]) >= before  # where the signal came in the midst of an iteration, that one again
        assert done > before
        before = done


# A command in which the given line stands for what the main thread does when the signal comes.
BUSY = """
import hashlib, os, sys, time
from fastnn.cli import shell

def busy():
    from fastnn import files
    print("here", file=sys.stderr, flush=True)
    {line}
    return 0

sys.argv = ["fastnn", "info"]
sys.exit(shell.run(busy))
"""


def for_each_signal(folder, start):
    """A process for each signal, in a folder of its own, all started at once: most of their time they wait."""
    folders = [folder / str(int(signum)) for signum in SIGNALS]
    for own in folders:
        own.mkdir()
    return [*zip(SIGNALS, folders, map(start, folders), strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",  # machine code that hears nothing, as LLVM's does
        "files.write_atomically(files.examples.Path('a.npz'), lambda file: [file.write(b'x') for _ in iter(int, 1)])",
        "try: time.sleep(60)\n    except BaseException: raise ImportError",
        "try: time.sleep(60)\n    except BaseException: time.sleep(60)",
        "files.write_atomically(files.examples.Path('a.npz'), lambda file: os.read(os.pipe()[0], 1))",  # a slow disk
        "os.read(os.pipe()[0], 1)",
    ],
)
@on_each_system
def test_whatever_the_main_thread_does(tmp_path, line, system):
    """One sentence, nothing half written; also if the exception comes to light as another one."""

    def busy(folder):
        command = [sys.executable, "-P", "-c", SYSTEMS[system] + BUSY.format(line=line)]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr.readline() == "here\n"
        return process

    processes = for_each_signal(tmp_path, busy)
    time.sleep(0.1)
    for signum, _, process in processes:
        process.send_signal(signum)
    for signum, folder, process in processes:
        assert_it_ends(process, signum)
        assert os.listdir(folder) == []


# A command that trains, in which the given lines stand for a training: it catches a KeyboardInterrupt, and says so.
TRAINING = """
import os, sys, time
from pathlib import Path
from fastnn.cli import shell

def here():
    print("here", file=sys.stderr, flush=True)

def evaluations():
    here()
    while True:
        time.sleep(0.001)

def deaf():
    try:
        here()
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(60)

def train(begin):
    try:
        begin()
        {line}
    except KeyboardInterrupt:
        {caught}
    return "ended"

def command():
    from fastnn import files
    shell.writes(Path("a.npz"))
    with shell.ends_training() as training:
        status = train(training.begin)
    {before}
    files.write_atomically(Path("a.npz"), lambda file: file.write(b"model"))
    {after}
    print(status)
    return 128 + training.signum if training.signum else 0

sys.argv = ["fastnn", "train"]
sys.exit(shell.run(command))
"""


def training(folder, system, line="evaluations()", caught="return 'interrupted'", before="", after=""):
    """It has begun. Its outputs are bytes, without a buffer: what `readline` leaves is there for `communicate`."""
    (folder / "a.npz").write_bytes(b"old")
    code = SYSTEMS[system] + TRAINING.format(line=line, caught=caught, before=before, after=after)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code], cwd=folder, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr.readline() == b"here\n"
    return process


def assert_heard(process, signum):
    process.send_signal(signum)
    assert process.stderr.readline().decode() == heard(signum)


def assert_end(process, signum, out, err):
    got = [stream.decode() for stream in process.communicate(timeout=30)]  # half of a sleep
    assert (*got, process.returncode) == (out, err, 128 + signum)


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "evaluations()",
        "here(); time.sleep(2)",  # a long evaluation, which is waited for
        "try: evaluations()\n        except BaseException: pass\n        begin()",  # lost, as in a destructor
    ],
)
@on_each_system
def test_a_signal_ends_a_training_and_its_model_is_saved(tmp_path, line, system):
    processes = for_each_signal(tmp_path, lambda folder: training(folder, system, line))
    for signum, _, process in processes:
        assert_heard(process, signum)
    for signum, folder, process in processes:
        assert_end(process, signum, "interrupted\n", "")
        assert (folder / "a.npz").read_bytes() == b"model"
        assert os.listdir(folder) == ["a.npz"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        {"line": "deaf()"},
        {"before": "time.sleep(60)"},
        {"before": "while True: time.sleep(0.001)"},
    ],
)
@on_each_system
def test_a_second_signal_ends_the_process(tmp_path, lines, system):
    processes = for_each_signal(tmp_path, lambda folder: training(folder, system, **lines))
    for signum, _, process in processes:
        assert_heard(process, signum)
    time.sleep(0.2)  # until the training, if it hears, is over
    for signum, _, process in processes:
        process.send_signal(signum)
    for signum, folder, process in processes:
        assert_end(process, signum, "", f"fastnn train: {SIGNALS[signum]}, nothing was saved\n")
        assert (folder / "a.npz").read_bytes() == b"old"
        assert os.listdir(folder) == ["a.npz"]


@pytest.mark.slow
@on_each_system
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_training_that_a_signal_leaves_without_a_model(tmp_path, signum, system):
    """The exception came behind what catches it, or to light as another one."""
    for caught in ("raise", "raise ImportError", "raise RuntimeError"):
        process = training(tmp_path, system, caught=caught)
        assert_heard(process, signum)
        assert_end(process, signum, "", f"fastnn train: {SIGNALS[signum]}, nothing was saved\n")
        assert (tmp_path / "a.npz").read_bytes() == b"old"


@pytest.mark.slow
@on_each_system
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_behind_the_model(tmp_path, signum, system):
    """What was saved is not denied."""
    process = training(tmp_path, system, "here()", after="print('there', file=sys.stderr, flush=True); time.sleep(60)")
    assert process.stderr.readline() == b"there\n"
    process.send_signal(signum)
    assert_end(process, signum, "", f"fastnn train: {SIGNALS[signum]}, a.npz was saved\n")
    assert (tmp_path / "a.npz").read_bytes() == b"model"


@pytest.mark.slow
def test_a_signal_that_comes_just_behind_a_training():
    """Its handler runs when the training has ended by itself: the model is not lost."""
    watch = shell._Watch()
    with watch:
        watch.begin()
        watch.due = True
        with pytest.raises(KeyboardInterrupt):
            watch.hear(signal.SIGINT, None)
        watch.signum = signal.SIGINT
    watch.due = True
    watch.hear(signal.SIGINT, None)
    assert watch.finish()


@pytest.mark.slow
@on_each_system
def test_a_signal_that_the_parent_ignores(files, system):
    """As under nohup, and in the background of a script."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SYSTEMS[system] + BUSY.format(line="time.sleep(1)")], cwd=files, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert process.stderr.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert (*process.communicate(timeout=60), process.returncode) == ("", "", 0)


def test_importing_and_main_in_process_leave_signals_alone():
    code = (
        "import signal; from fastnn import cli; cli.main(['info']);"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
        "signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True True set()"


def test_a_warning_is_a_line_in_the_name_of_the_command(tmp_path):
    code = BUSY.format(line="import warnings; warnings.warn('kernels', RuntimeWarning)")
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "here\nfastnn info: kernels\n"


ALL = (
    "info",
    "train --data data.npz --hidden 3 --maxiter 3 --out new.npz",
    "predict new.npz --data data.npz",
    "check --data data.npz --hidden 2",
    "check --quick --model new.npz --data data.npz",
    "show --out a.png",
    "show --model new.npz --out b.png",
    "bench --sizes 3,2,2 --examples 20 --out c.png",
)

# The command, with short times for `bench`, which would take 20 s.
SHORT = """
import sys
from fastnn import cli
from fastnn.benchmark import ladder, timing
ladder.ROUNDS, ladder.CHECK_SECONDS, ladder.TRAINING_SECONDS, timing.REST, timing.BLOCK = 1, 1e-3, 1e-3, 0.0, 1e-3
sys.exit(cli.run())
"""


def program(arguments):
    """Arguments of Python for a command of `fastnn`."""
    return [*(["-c", SHORT] if arguments.startswith("bench") else ["-m", "fastnn"]), *arguments.split()]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ALL)
def test_every_command_in_an_emptied_environment(made, arguments):
    """One processor, and nothing set but where kernels are: no HOME, no PATH, no locale."""
    where = cache.folder()
    runs([], arguments, made, where.parent if where else "0")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", with_long(["--help", "info", "show --out a.png", "bench --help"], ALL))
def test_commands_without_docstrings(made, its_cache, arguments):
    """python -OO, whose kernels are others: all commands with --long, else what needs no kernels."""
    runs(["-OO"], arguments, made, its_cache)


def runs(options, arguments, folder, kernels):
    done = subprocess.run(
        [sys.executable, "-P", *options, *program(arguments)], cwd=folder,
        env=bare(FASTNN_CACHE=str(kernels)),
        capture_output=True, text=True, timeout=300, preexec_fn=one_processor,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    """A folder for commands that need what those before them have made."""
    return shutil.copytree(files, tmp_path_factory.mktemp("made") / "here")


@pytest.fixture(scope="module")
def its_cache(tmp_path_factory):
    """For Python without docstrings, whose kernels would push others out of the cache."""
    return copied_cache(tmp_path_factory.mktemp("cache"))


def bare(**environment):
    return {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ} | environment


def one_processor():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


# Everything is read-only but the folder $1, as a container's / is but for /tmp, and user 54321 is in no table of users.
# It may read all that root may, because that is where a test's Python can be.
BOX = """
set -e
mount --make-rprivate /
chown -R 54321:54321 "$1"
mount --bind "$1" "$1"
mount -o remount,bind,ro /
cd "$1"
shift
exec setpriv --reuid 54321 --regid 54321 --clear-groups --no-new-privs \
    --inh-caps +dac_read_search --ambient-caps +dac_read_search "$@"
"""


def boxed(folder, *command, **environment):
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", BOX, "sh", str(folder), *command],
        env=bare(TMPDIR=str(folder), **environment),
        capture_output=True, text=True, timeout=300, preexec_fn=one_processor,
    )  # fmt: skip


@pytest.mark.slow
def test_a_container_without_a_home(files, tmp_path, long):
    """As an unknown user, on one processor, where nothing but one folder can be written: every command works."""
    here = shutil.copytree(files, tmp_path / "here")
    if not all(shutil.which(tool) for tool in ("unshare", "setpriv")):
        pytest.skip("no unshare and setpriv here")
    check = (
        "import os; assert os.getuid() == 54321; assert not os.access('/', os.W_OK) and not os.access('/tmp', os.W_OK)"
    )
    if (probe := boxed(here, sys.executable, "-c", check)).returncode:
        pytest.skip(f"no such container can be made here: {probe.stderr.strip()[-200:]}")
    # With --long one command compiles, the quickest to do so; the others find kernels, or it would take minutes.
    cached = {"FASTNN_CACHE": str(copied_cache(here / "cache"))}
    for arguments, environment in [("predict m.npz --data data.npz", {})] * long + [(one, cached) for one in ALL]:
        done = boxed(here, sys.executable, "-P", *program(arguments), **environment)
        assert done.returncode == 0, (arguments, done.stderr)
        assert done.stdout
        assert "Traceback" not in done.stderr
