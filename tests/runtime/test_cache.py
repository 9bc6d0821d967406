"""Compiled kernels on disk: what is wrong with a file or a folder never reaches the caller, and old ones go away."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numba
import numpy as np
import pytest
from llvmlite import binding
from numba.core.registry import cpu_target

from fastnn.runtime import cache, jit

from ..conftest import WORK, copied_cache, in_process, work

# One kernel with a parallel loop and one tile, the quickest to compile.
RUN = """
import numpy as np
from fastnn.kernels import peak
sums = peak.zeros("float64")
peak.on_all_threads(10, np.array([1.0, 2.0]), sums)
print(np.unique(sums))
"""
SAYS = "[20.]\n"


def run(folder, code=RUN, **environment):
    """It works, and nothing is said."""
    done = in_process(code, FASTNN_CACHE=str(folder), **environment)
    assert (done.stdout, done.stderr) == (SAYS if code == RUN else done.stdout, "")
    return done.stdout


def files_of(folder):
    """With what tells whether they were written since."""
    return {file: file.stat().st_mtime_ns for file in Path(folder).rglob("*.nbc*")}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with the kernel and the tile in it; nothing here is changed."""
    folder = tmp_path_factory.mktemp("cache")
    run(folder)
    assert len(files_of(folder)) == 2
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with all that the engines need; nothing here is changed."""
    folder = tmp_path_factory.mktemp("cache")
    if cache.folder() is None:
        run(folder, f"{WORK}bits()")
        return folder
    in_process(f"{WORK}bits()")
    return copied_cache(folder)  # compiled for other tests; else this takes half a minute


@pytest.fixture
def copy(filled, tmp_path):
    return shutil.copytree(filled, tmp_path / "copy")


def test_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", "0")
    assert cache.folder() is None
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    assert cache.folder().parent == tmp_path
    monkeypatch.setenv("FASTNN_CACHE", "1")
    assert cache.folder().parent.name == "fastnn"


@pytest.mark.parametrize(
    ("platform", "variable", "usual"),
    [
        ("linux", "XDG_CACHE_HOME", ".cache"),
        ("freebsd14", "XDG_CACHE_HOME", ".cache"),
        ("darwin", None, "Library/Caches"),
        ("win32", "LOCALAPPDATA", "AppData/Local"),
    ],
)
def test_folder_is_where_the_system_keeps_caches(platform, variable, usual, tmp_path, monkeypatch):
    """Without `FASTNN_CACHE`. Variables of other systems are not looked at."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/a/home"))
    monkeypatch.delenv("FASTNN_CACHE", raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, f"/a/{name}")
    assert cache.folder().parent == (Path("/a", variable) if variable else Path("/a/home", usual)) / "fastnn"
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name)
    assert cache.folder().parent == Path("/a/home", usual, "fastnn")
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    assert cache.folder().parent == tmp_path


@pytest.mark.parametrize("where", ["rel", "", ".", "rel/deep", "../rel", "~/rel"])
def test_relative_user_cache_folder_is_ignored(where, tmp_path, monkeypatch):
    """As the XDG rule says."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTNN_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/a/home")
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    assert cache.folder().parent == Path("/a/home/.cache/fastnn")
    monkeypatch.setenv("XDG_CACHE_HOME", "/a/cache")
    assert cache.folder().parent == Path("/a/cache/fastnn")
    monkeypatch.setenv("FASTNN_CACHE", "")  # as if it were not set
    assert cache.folder().parent == Path("/a/cache/fastnn")


@pytest.mark.parametrize("home", ["home", ".", "../home"])
def test_a_relative_home_is_none(home, monkeypatch):
    """Else each working folder would get a cache of its own."""
    monkeypatch.delenv("FASTNN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert cache.folder() is None
    assert cache.report() == "none: there is no home folder"


BUILDS = {
    "numba's version": (numba, "__version__", "0.0"),
    "the processor": (binding, "get_host_cpu_name", lambda: "another"),
    "Python's version": (sys.implementation, "cache_tag", "another"),
    "its features": (numba.config, "CPU_FEATURES", "+sse2"),
    "bounds are checked": (numba.config, "BOUNDSCHECK", 1),
    "not optimised": (numba.config, "OPT", 0),
    "loops not vectorised": (numba.config, "LOOP_VECTORIZE", 0),
}


@pytest.mark.parametrize("what", BUILDS)
def test_another_build_has_another_folder(what, monkeypatch):
    """Numba itself would go on with kernels that were compiled without checks of bounds, where these are wanted."""
    new = cache.build.__wrapped__
    before = new()
    monkeypatch.setattr(*BUILDS[what])
    assert new() == new() != before


def test_other_sources_have_another_folder(tmp_path, monkeypatch):
    before = cache.build()
    for name in cache._SOURCES:
        path = cache._PACKAGE / name
        shutil.copytree(path, tmp_path / name) if path.is_dir() else shutil.copy(path, tmp_path)
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    assert cache.build.__wrapped__() == before
    for name in ("spec.py", "runtime/jit.py", "kernels/tiles.py", "engines/loop.py"):
        file = tmp_path / name
        text = file.read_text()
        file.write_text(text.replace("1", "2", 1))
        assert cache.build.__wrapped__() != before
        file.write_text(text)


# A user that nobody knows, whom only root may become.
READS_ALL = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # a test's Python may be anywhere
AS_NOBODY = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *READS_ALL]


def may_become_nobody():
    if shutil.which("setpriv") is None:
        return False
    return subprocess.run([*AS_NOBODY, sys.executable, "-c", ""], capture_output=True).returncode == 0


REPORT = f"from fastnn.runtime import cache; print(cache.report())\n{RUN}"


def without_home(**environment):
    """What `REPORT` says of a user that nobody knows if we may become one, else with a cache in the home of one."""
    known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "NUMBA_THREADING_LAYER") if name in os.environ}
    prefix, variables = (AS_NOBODY, {}) if may_become_nobody() else ([], {"FASTNN_CACHE": "~nobody-of-that-name"})
    command = [*prefix, sys.executable, "-P", "-c", REPORT]
    return subprocess.run(command, env=known | variables | environment, capture_output=True, text=True, check=True)


@pytest.mark.slow
def test_without_a_home_everything_works_and_one_sentence_says_what_is_missing():
    done = without_home()
    assert done.stdout == f"none: there is no home folder\n{SAYS}"
    assert done.stderr.count("compiled anew in every process: there is no home folder") == 1
    done = without_home(FASTNN_CACHE="0")
    assert (done.stdout, done.stderr) == (f"none: FASTNN_CACHE is 0\n{SAYS}", "")


@pytest.mark.slow
@pytest.mark.skipif(not may_become_nobody(), reason="only root may become somebody else")
def test_folder_that_was_filled_before_is_read_where_it_cannot_be_written(filled):
    """An image's: filled by `fastnn.warmup` as root, say; it may be old."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = shutil.copytree(filled, Path(folder) / "cache")
        for path in (root, *root.iterdir()):
            os.utime(path, (0, 0))
        done = without_home(FASTNN_CACHE=str(root))
        assert "not written to: [Errno 13]" in done.stdout
        assert (done.stdout.split("\n")[1] + "\n", done.stderr) == (SAYS, "")  # nothing was compiled
        for file in files_of(root):  # what cannot be read, by whomever
            file.unlink()
            file.mkdir()
        done = without_home(FASTNN_CACHE=str(root))
        assert done.stdout.split("\n")[1] + "\n" == SAYS
        assert done.stderr.count("compiled anew in every process: [Errno 13]") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_full_disk(tmp_path):
    """Files of at most 3,000 bytes: none is left that is not whole."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
    done = in_process(limited + RUN, FASTNN_CACHE=str(tmp_path))
    assert done.stdout == SAYS
    assert done.stderr.count("compiled anew in every process: [Errno 27] File too large") == 1
    assert not files_of(tmp_path)
    assert run(tmp_path) == SAYS


@pytest.mark.slow
def test_any_number_of_threads_uses_the_same_files(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "copy")
    before = files_of(folder)
    for threads in (1, 2, 4):
        assert run(folder, f"{WORK}print(bits())", NUMBA_NUM_THREADS=str(threads)) == f"{work.bits()}\n"
    assert files_of(folder) == before


@pytest.mark.slow
def test_many_cold_processes(tmp_path, long):
    """They fill one empty folder at the same time."""
    for i in range(10 if long else 1):
        folder = tmp_path / str(i)
        environment = os.environ | {"FASTNN_CACHE": str(folder)}
        processes = [
            subprocess.Popen(
                [sys.executable, "-P", "-c", RUN],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(32 if long else 4)
        ]  # fmt: skip
        for process in processes:
            assert (*process.communicate(timeout=600), process.returncode) == (SAYS, "", 0)
        before = files_of(folder)
        assert len(before) == 2
        run(folder)
        assert files_of(folder) == before


def opened(path):
    """The file's content as the cache reads it."""
    return cache.File(path.parent, path.name.removesuffix(".nbc")).load()


def refuse_pickles(monkeypatch):
    """What is not ours is not even unpickled."""

    def refuse(content):
        raise AssertionError("unpickled")

    monkeypatch.setattr(cache.pickle, "loads", refuse)


def test_a_flipped_byte_anywhere(whole, tmp_path, monkeypatch, cases):
    """Kernels and tiles alike."""
    rng = np.random.default_rng(0)
    paths = sorted(files_of(whole))
    assert {path.suffix for path in paths} == {".nbc"}
    assert [path for path in paths if path.name.startswith(jit._TILE)]
    assert all(opened(path) is not None for path in paths)
    refuse_pickles(monkeypatch)
    for i in range(cases(10, 40, 1000)):
        path = paths[rng.integers(len(paths))]
        content = bytearray(path.read_bytes())
        ends = (0, 31, 32, len(content) - 1)
        position = ends[i] if i < len(ends) else rng.integers(len(content))
        content[position] ^= rng.integers(1, 256)
        broken = tmp_path / path.name
        broken.write_bytes(content)
        assert opened(broken) is None, (path.name, position)


def test_truncation_at_any_length(whole, tmp_path, monkeypatch, cases):
    rng = np.random.default_rng(0)
    paths = sorted(files_of(whole))
    refuse_pickles(monkeypatch)
    for i in range(cases(10, 40, 1000)):
        path = paths[rng.integers(len(paths))]
        content = path.read_bytes()
        ends = (0, 1, 31, 32, 33, len(content) - 1)
        length = ends[i] if i < len(ends) else rng.integers(len(content))
        broken = tmp_path / path.name
        broken.write_bytes(content[:length])
        assert opened(broken) is None, (path.name, length)
        broken.write_bytes(content + bytes(1 + length))
        assert opened(broken) is None, (path.name, length)


def test_another_file_s_content(whole, tmp_path, monkeypatch):
    paths = sorted(files_of(whole))
    for path, other in zip(paths, [*paths[1:], paths[0]], strict=True):
        shutil.copy(other, tmp_path / path.name)
    refuse_pickles(monkeypatch)
    assert all(opened(tmp_path / path.name) is None for path in paths)


def test_a_file_of_another_build(whole, tmp_path, monkeypatch):
    """Whole, under the right name, in the right folder: another processor's or version's, copied there."""
    paths = sorted(files_of(whole))
    for path in paths:
        shutil.copy(path, tmp_path / path.name)
    assert all(opened(tmp_path / path.name) is not None for path in paths)
    monkeypatch.setattr(cache, "build", lambda: "0123456789abcdef")
    refuse_pickles(monkeypatch)
    assert all(opened(tmp_path / path.name) is None for path in paths)


DAMAGES = {
    "one wrong byte": lambda content, other: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "truncated": lambda content, other: content[: len(content) // 2],
    "another file's content": lambda content, other: other,
    "without its checksum": lambda content, other: content[32:],
}


def damage(paths, how):
    contents = [path.read_bytes() for path in paths]
    for i, path in enumerate(paths):
        path.write_bytes(DAMAGES[how](contents[i], contents[i - 1]))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["one wrong byte", "another file's content"])
def test_process_that_finds_damaged_files_compiles_anew(how, copy):
    """In a process: the right answer, nothing said, and whole files after it."""
    paths = sorted(copy.rglob("*.nbc"))
    damage(paths, how)
    run(copy)
    assert all(opened(path) is not None for path in paths)


def half_of(x):
    return 0.5 * x


@pytest.fixture
def own(tmp_path, monkeypatch):
    """This process's cache folder, for now."""
    monkeypatch.setenv("FASTNN_CACHE", str(tmp_path))
    return cache.folder()


def loaded(argument, want=1.5, function=half_of):
    """Whether a kernel comes from the cache; it is right in any case."""
    kernel = jit.serial(function)
    assert kernel(argument) == want
    hits, misses = (sum(counts.values()) for counts in (kernel.stats.cache_hits, kernel.stats.cache_misses))
    assert hits + misses == 1
    return bool(hits)


@pytest.mark.parametrize("where", [".", ".."])
def test_folder_that_is_a_file(where, own, monkeypatch):
    """It, or the folder of this build: said once, and it works."""
    monkeypatch.setattr(cache, "_warned", False)
    path = (own / where).resolve()
    shutil.rmtree(path, ignore_errors=True)
    path.touch()
    with pytest.warns(RuntimeWarning, match="compiled anew in every process") as told:
        assert [loaded(3.0), loaded(3.0)] == [False, False]
    assert len(told) == 1
    assert path.is_file()


@pytest.mark.parametrize("how", ["one wrong byte", "truncated", "without its checksum"])
def test_damaged_file_is_written_anew(how, own):
    assert not loaded(3.0)
    damage([*own.glob("*.nbc")], how)
    assert not loaded(3.0)
    assert loaded(3.0)


def test_types_of_equal_names_are_told_apart(own):
    """The name of the file has the names of types alone."""
    assert not loaded(3.0)
    (file,) = own.glob("*.nbc")
    kernel = jit._Cache(half_of, own, "")
    assert kernel.load_overload((numba.float64,), cpu_target.target_context) is not None
    kernel._file((numba.int64,)).save(cache.File(own, file.stem).load())
    assert kernel.load_overload((numba.int64,), cpu_target.target_context) is None
    assert not loaded(3)
    assert loaded(3)


def test_other_bytecode_has_another_file(own):
    assert not loaded(3.0)
    assert not loaded(3.0, want=2.5, function=lambda x: x - 0.5)
    assert len(files_of(own)) == 2


FORWARD = """
import numpy as np, fastnn
X = np.linspace(0.0, 1.0, 12_000).reshape(3000, 4)
print(fastnn.forward(fastnn.init_weights((4, 5, 3), seed=1), X).tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("what", "code"), [("_multiply_adds", RUN), ("_forward_block", FORWARD)])
def test_what_kernels_call_by_address_is_compiled_anew_where_it_is_missing(what, code, whole, filled, tmp_path):
    """A tile, or what stands apart, while the kernels that call it are there."""
    folder = shutil.copytree(filled if code == RUN else whole, tmp_path / "copy")
    want = run(folder, code)
    gone = [file for file in folder.rglob("*.nbc") if what in file.name]
    assert gone
    for file in gone:
        file.unlink()
    assert run(folder, code) == want
    assert any(file.exists() for file in gone)


# A child writes without end, another file each time, until it is killed; what there is then is whole, or not there.
KILLED = """
import os, random, sys, time, warnings
from pathlib import Path
from fastnn.runtime import cache
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
folder, times = Path(sys.argv[1]), int(sys.argv[2])
random.seed(0)
data = random.randbytes(3_000_000)
partial = whole = 0
for i in range(times):
    child = os.fork()
    if child == 0:
        while True:
            cache.File(folder, str(i)).save(data)
            cache.File(folder, f"{i}-{random.random()}").save(data)
    while not any(folder.iterdir()):  # it begins
        time.sleep(0.0005)
    time.sleep(random.uniform(0.0, 0.03))
    os.kill(child, 9)
    os.waitpid(child, 0)
    found = cache.File(folder, str(i)).load()
    assert found is None or found == data
    whole += found is not None
    partial += len([*folder.glob("*.tmp.*")]) > 0
    for file in folder.iterdir():
        content = cache.File(folder, file.stem).load() if ".tmp." not in file.name else {}
        assert content is not None
        file.unlink()
print(partial, whole)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_while_it_writes(tmp_path, long):
    times = 1000 if long else 40
    command = [sys.executable, "-P", "-c", KILLED, str(tmp_path / "cache"), str(times)]
    (tmp_path / "cache").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    partial, whole = map(int, done.stdout.split())
    assert partial > 0  # some were killed while they wrote
    assert whole > 0


DAY = 24 * 3600.0


def aged(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def note_use(folder):
    """As a new process does."""
    cache.note_use.__wrapped__(folder)


def made(root, name, days, files=("a.nbi", "a.1.nbc")):
    folder = root / name
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes(b"x")
        aged(folder / file, days)
    aged(folder, days)
    return folder


def test_folders_that_nobody_used_for_a_month_are_removed(tmp_path):
    """Once a day; those alone that are surely ours."""
    own = made(tmp_path, "0" * 16, 0)
    old = made(tmp_path, "1" * 16, 31, ["a.nbi", "fastnn.1.tile.nbc", "a.py311-serial.1.nbc.tmp.0123456789abcdef"])
    killed = made(tmp_path, "2" * 16 + ".old", 31)  # while it was being removed
    empty = made(tmp_path, "3" * 16, 31, [])
    kept = [
        made(tmp_path, "4" * 16, 29),
        made(tmp_path, "5" * 16, 31, ["a.nbi", "a.txt"]),
        made(tmp_path, "6" * 15, 31),
        made(tmp_path, "7" * 17, 31),
        made(tmp_path, "A" * 16, 31),
        made(tmp_path, "models", 31),
        made(tmp_path, "b" * 16, 0),
    ]
    (kept[-1] / "inside").mkdir()
    aged(kept[-1], 31)
    outside = made(tmp_path / "models", "c" * 16, 31)
    (tmp_path / ("d" * 16)).symlink_to(outside, target_is_directory=True)
    (tmp_path / ("e" * 16)).write_bytes(b"a file")
    aged(tmp_path / ("e" * 16), 31)
    note_use(own)  # used today already
    assert old.exists()
    aged(own, 2)
    before = own.stat().st_mtime
    note_use(own)
    assert own.stat().st_mtime > before + DAY
    assert not any(folder.exists() for folder in (old, killed, empty))
    assert all(len(os.listdir(folder)) > 0 for folder in [own, outside, *kept])
    assert {path.name for path in tmp_path.iterdir()} >= {"d" * 16, "e" * 16}
    again = made(tmp_path, "1" * 16, 31)
    note_use(own)
    assert again.exists()
    note_use(tmp_path / ("f" * 16))  # a new build's: there is no such folder yet
    assert not again.exists()
    assert not (tmp_path / ("f" * 16)).exists()


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    own = made(
        tmp_path, "0" * 16, 3, ["a.nbi", "a.nbi.tmp.0123456789abcdef", "a.1.nbc.tmp.0123456789abcdef", "b.tmp.1"]
    )
    aged(own / "a.1.nbc.tmp.0123456789abcdef", 0.5)  # it may be at work
    aged(own, 2)
    note_use(own)
    assert sorted(os.listdir(own)) == ["a.1.nbc.tmp.0123456789abcdef", "a.nbi", "b.tmp.1"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there a file that is read cannot be removed")
def test_use_is_noted_once_and_by_each_process(copy):
    (folder,) = copy.iterdir()
    aged(folder, 40)
    old = made(copy, "1" * 16, 40)
    run(copy)
    assert time.time() - folder.stat().st_mtime < DAY
    assert not old.exists()


@pytest.mark.slow
def test_a_folder_may_go_at_any_moment(tmp_path, monkeypatch):
    """While threads write to it and read from it."""
    over, data = threading.Event(), b"1" * 10_000
    monkeypatch.setattr(cache, "_warned", False)
    removed, finished, found = [], [], set()
    folder = tmp_path / ("1" * 16)

    def remove():
        while not over.is_set():
            for path in (folder, folder.with_suffix(".old")):
                with suppress(OSError):
                    cache._remove_folder(path)
                    removed.append(1)
            time.sleep(random.uniform(0.0, 0.002))

    def use(i):
        k = 0
        while len(removed) < 30:
            file = cache.File(folder, f"{i}.{k % 3}")
            file.save(data)
            found.add(file.load())
            k += 1
        finished.append(i)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # removed twice while one file was written
        remover = threading.Thread(target=remove)
        users = [threading.Thread(target=use, args=(i,)) for i in range(3)]
        for thread in (remover, *users):
            thread.start()
        for thread in users:
            thread.join()
        over.set()
        remover.join()
    assert sorted(finished) == [0, 1, 2]
    assert found == {None, data}


def test_a_folder_that_is_removed_while_a_file_is_written(own, monkeypatch):
    """The file is written once more, and nothing is said."""
    write, times = cache.File._write, []

    def write_into_what_is_gone(*arguments):
        if not times:
            cache._remove_folder(own)
        times.append(1)
        write(*arguments)

    monkeypatch.setattr(cache.File, "_write", write_into_what_is_gone)
    assert not loaded(3.0)
    assert len(times) == 2
    assert loaded(3.0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a fork is not seen afterwards")
def test_forked_child_finds_its_kernels_in_the_cache(tmp_path):
    """Those for one thread have files of their own; what they call by address is the same for both."""
    code = (
        f"import os, numba\nnumba.get_num_threads()\nif os.fork() == 0:\n    exec({RUN!r}, {{}})\n"
        "else:\n    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    run(tmp_path, code)
    files = files_of(tmp_path)
    names = [file.name for file in files if "on_all_threads" in file.name]
    assert names
    assert all("-serial." in name for name in names)
    run(tmp_path, code)
    assert files_of(tmp_path) == files
