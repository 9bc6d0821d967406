"""`pytest --benchmark`, as typed: what it runs, what it stores, what it says when something is missing."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bench import results
from fastnn.benchmark import comparison, timing
from fastnn.runtime import cache

from ..conftest import ROOT


def run_pytest(*arguments, **environment):
    folder = cache.folder()
    kept = {"FASTNN_CACHE": str(folder.parent) if folder else "0"}  # it would compile everything anew otherwise
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, env=inherited | kept | environment, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture
def short(tmp_path, monkeypatch):
    """Processes of pytest time for milliseconds instead of seconds."""
    (tmp_path / "short.py").write_text("from fastnn.benchmark import timing; timing.REST, timing.BLOCK = 0.0, 1e-3")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTEST_PLUGINS", "short")


def collected(*arguments):
    """The files that would run."""
    done = run_pytest("--collect-only", "-q", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--benchmark", "--benchmark-only", "--benchmark-save=x", "--benchmark-json=x"])
def test_benchmarks_and_nothing_else(option, tmp_path):
    if option.endswith("json=x"):
        option = f"--benchmark-json={tmp_path / 'x'}"
    assert collected(option) == {"bench/test_benchmarks.py"}


@pytest.mark.slow
def test_plain_pytest_has_both():
    some = collected("--ignore-glob=tests/test_[a-mo-z]*.py", "--ignore-glob=tests/*/test_*.py")  # all would take 10 s
    assert some == {"tests/test_network.py", "tests/test_notebook.py", "bench/test_benchmarks.py"}


@pytest.mark.slow
def test_without_the_plugin():
    done = run_pytest("--benchmark", "-p", "no:benchmark")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--benchmark needs pytest-benchmark: python -m pip install pytest-benchmark\n" in done.stderr
    done = run_pytest("-p", "no:benchmark", "bench", "-k", "dtypes and fused", "-rs")
    assert done.returncode == 0
    assert "a benchmark needs pytest-benchmark: python -m pip install pytest-benchmark\n" in done.stdout
    assert "1 skipped" in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_run(tmp_path):
    """Of one implementation: what is stored, and the comparison, with the baseline beside it and the same numbers."""
    file = tmp_path / "run.json"
    options = ("-k", "dtypes and fused", f"--benchmark-json={file}", "--benchmark-max-time=0.1")
    done = run_pytest("--benchmark-only", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "\nbenchmarks: 1, about 1 min; -k NAME selects some\n" in done.stdout
    run = json.loads(file.read_text())
    (bench,) = run["benchmarks"]
    assert bench["group"] == "cost and gradient, 5,000 x 400-25-10, float32"
    info = bench["extra_info"]
    for key in ("seconds", "gemm_seconds", "peak_seconds"):
        assert len(info[key]) == 7
        assert np.isfinite(info[key]).all()
    assert 0.0 < info["error"] <= 1e-5
    assert np.isfinite(info["compile_seconds"])
    assert info["implementation"] == "fused"
    assert info["gemm_operations"] == 2 * timing.GEMM_WIDTH**3
    assert info["peak_operations"] % (2 * timing.PEAK_STEPS) == 0
    assert info["operations"] == 2 * 5000 * (2 * 10_285 + 250)
    assert set(timing.MACHINE) <= set(run["machine_info"])
    command = "pytest -p no:cacheprovider --benchmark-only -k 'dtypes and fused' --benchmark-json=run.json"
    assert run["command"] == f"{command} --benchmark-max-time=0.1"

    summary = done.stdout.split("= comparison =")[1]
    assert ".  NumPy " in summary
    row = next(line for line in summary.splitlines() if ".  fused " in line)
    group = results.groups([info])[bench["group"]]
    time, speed, *shares, _ = comparison.columns(group)[1][2:]
    assert row.split(".  fused ")[1].split()[:2] == time.split()
    assert row.split(")")[1].split()[:5] == [speed, *shares[0].split(), *shares[1].split()]
    ratio = row.split()[4]
    assert f"fused takes {time}, {ratio} times as fast as NumPy" in summary


@pytest.mark.slow
@pytest.mark.parametrize("busy", ["The machine is busy.", None])
def test_busy_machine_and_forced_kernels_are_said_first(busy, tmp_path, monkeypatch):
    (tmp_path / "busy.py").write_text(f"from fastnn.benchmark import timing; timing.busy = lambda: {busy!r}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = ("-k", "nothing", "bench", "-p", "busy")
    done = run_pytest("--benchmark", *run, OPENBLAS_CORETYPE="Haswell")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    lines = done.stdout.splitlines()
    said = [busy] * bool(busy) + [timing.forced_kernels("Haswell")]
    assert lines[: len(said)] == said
    assert "test session starts" in lines[len(said)]
    for arguments, value, said in ((run, "Haswell", []), (("--benchmark", *run), "", [busy] * bool(busy))):
        done = run_pytest(*arguments, OPENBLAS_CORETYPE=value)
        assert done.stdout.splitlines()[: len(said)] == said
        assert "test session starts" in done.stdout.splitlines()[len(said)]
        assert "OPENBLAS_CORETYPE" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_wrong_result_is_not_timed(tmp_path):
    """A fault of a millionth in one entry of what the engine returns: the benchmark fails, the others run."""
    plugin = tmp_path / "fault.py"
    plugin.write_text(
        "import numpy as np\n"
        "from fastnn import objective\n"
        "right = objective.Objective.evaluate\n"
        "def wrong(self, theta):\n"
        "    cost, gradient = right(self, theta)\n"
        "    gradient = gradient.copy()\n"
        "    if 'fused' in self._engine.__name__:\n"
        "        gradient[np.abs(gradient).argmax()] *= 1 + 1e-6\n"
        "    return cost, gradient\n"
        "objective.Objective.evaluate = wrong\n"
    )
    done = run_pytest(
        "--benchmark", "-k", "threads and float64 and (1_thread and (fused or NumPy))", "-p", "fault",
        "--benchmark-max-time=0.1",
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 passed" in done.stdout
    assert "ArithmeticError: differs from the reference by" in done.stdout
