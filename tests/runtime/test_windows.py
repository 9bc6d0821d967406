"""Windows, as far as another system can show it. test_shell.py has Ctrl-C there, test_cache.py the cache's folder."""

import os
import subprocess
import sys

import pytest

from ..conftest import ROOT, UNMEASURED

# Imports modules twice: as they are here, so that other packages are loaded, and again without what Windows lacks.
IMPORTED = """
import importlib, os, signal, sys
import pytest

MODULES = set("crypt curses fcntl grp posix pty pwd readline resource syslog termios tty".split())
OF_OS = "fork forkpty getloadavg getpgid getuid killpg mkfifo nice openpty pread pwrite register_at_fork".split()
OF_OS += "sched_getaffinity sched_setaffinity setsid statvfs sync uname wait waitid WNOHANG WIFEXITED".split()
KEPT = set("SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN Signals signal".split())
OF_SIGNAL = set("alarm pause pthread_kill pthread_sigmask setitimer".split())
OF_SIGNAL |= {name for name in dir(signal) if name.lower().startswith("sig")} - KEPT

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
there = []
for name in names:
    try:
        importlib.import_module(name)
        there.append(name)
    except (ImportError, pytest.skip.Exception):  # a library is missing here
        pass

sys.meta_path.insert(0, Hide())
for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
    for name in names:
        vars(module).pop(name, None)
ours = {name.partition(".")[0] for name in there}
for name in [*sys.modules]:
    if name in MODULES or name.partition(".")[0] in ours:
        del sys.modules[name]
for name in there:
    importlib.import_module(name)
print(len(there))
"""


def imported(folder, *names):
    return subprocess.run(
        [sys.executable, "-P", "-c", IMPORTED, str(folder), *names],
        env=os.environ | UNMEASURED,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_every_module_can_be_imported_on_windows():
    """Modules of the package, the tests and the benchmarks, except scripts, which run when they are imported."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a checkout")
    paths = [path for folder in ("fastnn", "tests", "bench") for path in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    names = [name for name in names if name not in ("fastnn.__main__", "bench.train_mpi")]
    assert len(names) > 100
    done = imported(ROOT, "conftest", *names)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    "line",
    ["import resource", "from pty import openpty", "import os; os.fork", "import signal; signal.SIGKILL"]
    + ["from signal import sigwait", "def f(s=__import__('signal').SIGALRM): ..."],
)
def test_what_windows_lacks_is_seen(line, tmp_path):
    (tmp_path / "one.py").write_text(line)
    done = imported(tmp_path, "one")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(("ModuleNotFoundError", "ImportError", "AttributeError"))
    assert 'one.py", line 1' in done.stderr
