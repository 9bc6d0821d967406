"""`pytest` runs the quick tests and every benchmark once, small; `pytest --benchmark` times the benchmarks, alone.

The options of pytest-benchmark that ask for times, such as --benchmark-json, ask for --benchmark too.
`pytest --all` runs every test, and `pytest --long` tries so many more cases that it takes hours (tests/README.md).
"""

import math
import os
import shutil
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# `bench` can be imported, and an installed fastnn still comes before the one in this folder.
sys.path.append(str(ROOT))

SECONDS_OF_A_BENCHMARK = 4.1  # 293 took 20 minutes on 2 cores

ASKING = ("enable", "only", "json", "save", "autosave", "save_data", "compare", "compare_fail", "histogram", "csv")


def pytest_addoption(parser):
    parser.addoption("--benchmark", action="store_true", help="time the benchmarks in bench/, and run nothing else")
    parser.addoption("--all", action="store_true", help="also the tests marked slow, and the full number of cases")
    parser.addoption("--long", action="store_true", help="--all, with ten to a hundred times as many cases")


# Marks that each version leaves out; tests/README.md explains them.
LEFT_OUT = {"quick": ("slow", "long"), "all": ("long",), "long": ()}


@pytest.hookimpl(tryfirst=True)  # tests/conftest.py reads the version
def pytest_configure(config):
    option = config.option
    config.version = "long" if option.long else "all" if option.all else "quick"
    asked = option.benchmark or any(getattr(option, f"benchmark_{name}", None) for name in ASKING)
    if not asked:
        option.benchmark_disable = True
        if not config.pluginmanager.hasplugin("benchmark"):
            config.pluginmanager.register(WithoutPlugin())
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        from fastnn.inputs.validation import needs

        raise pytest.UsageError(needs("--benchmark", "pytest-benchmark"))
    option.benchmark = True
    if option.benchmark_max_time == "1.0":  # the default: a second for each was a fifth of the whole run
        option.benchmark_max_time = "0.3"
    # "Nothing to save", "another machine": news, and no reason to fail.
    warnings.filterwarnings("default", category=import_module("pytest_benchmark.logger").PytestBenchmarkWarning)
    # So that the seconds of first calls are those of compiling, and not of reading what an earlier run has left.
    config.empty_cache = tempfile.mkdtemp()
    os.environ.setdefault("FASTNN_CACHE", config.empty_cache)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(config.empty_cache, "torch"))


class WithoutPlugin:
    """What stands in for the fixture of pytest-benchmark."""

    @pytest.fixture
    def benchmark(self):
        from fastnn.inputs.validation import needs

        pytest.skip(needs("a benchmark", "pytest-benchmark"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """Say before anything else if the machine is busy, or if NumPy's BLAS is not what it would be by itself."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.option.benchmark and reporter:
        from fastnn.benchmark import timing

        for sentence in (timing.busy(), timing.forced_kernels(os.environ.get("OPENBLAS_CORETYPE"))):
            if sentence:
                reporter.write_line(sentence)


def pytest_collection_modifyitems(config, items):
    marks = () if config.option.benchmark else LEFT_OUT[config.version]
    kept, left_out = [], []
    for item in items:
        (left_out if any(item.get_closest_marker(mark) for mark in marks) else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_report_collectionfinish(config, items):
    """Say how many benchmarks there are and how long they take."""
    if config.option.benchmark and items and not config.option.collectonly:
        minutes = math.ceil(SECONDS_OF_A_BENCHMARK * len(items) / 60)
        return f"benchmarks: {len(items)}, about {minutes} min; -k NAME selects some"
    return []


def pytest_unconfigure(config):
    if hasattr(config, "empty_cache"):
        shutil.rmtree(config.empty_cache, ignore_errors=True)


def pytest_ignore_collect(collection_path, config):
    """With --benchmark, what is not in bench/."""
    if config.option.benchmark and collection_path.is_file():
        return ROOT / "bench" not in collection_path.parents or None
    return None
