"""How a benchmark is run, what it stores beside its time, and the summary after the table."""

import re
import shlex
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from fastnn.benchmark import comparison, ladder, timing

from . import results
from .workloads import PACKAGES, TITLED


class Session:
    """What is selected, and the case that ran last: all implementations of a case are measured together, once."""

    def __init__(self, items):
        self.selected = {}
        for item in items:
            if hasattr(item, "callspec") and "title" in item.callspec.params:
                title, name = (item.callspec.params[key] for key in ("title", "name"))
                self.selected.setdefault(title, []).append(name)
        self.case = self.timed = self.failures = None
        self.groups = {}

    def run(self, case):
        """Check all implementations that are selected, and the baseline; then measure those that are right."""
        if self.case == case:
            return
        self.case, self.timed, self.failures = None, {}, {}  # this releases the data of the case before
        task, first, selected = case.task(), {}, self.selected[str(case)]
        for implementation in case.implementations:
            name = implementation.name
            if implementation.missing or name not in [*selected, comparison.BASELINE]:
                continue
            try:
                timed = implementation.make(task)
                first[name] = ladder.first_call(timed)
                self.timed[name] = timed
            except Exception as error:
                if name not in selected:
                    raise
                self.failures[name] = error  # raised by its own test; the others run
        if self.timed:
            self.groups[str(case)] = ladder.measure(str(case), self.timed, first, case.dtype, case.rounds)
        self.case = case


def pytest_collection_finish(session):
    session.config.bench = Session(session.items)


@pytest.fixture
def run(request, benchmark):
    """A function that runs an implementation of a case and returns its error and the tolerance.

    With --benchmark it is timed, by itself and in turns with the others; else it runs once, on a small problem.
    """

    def run(title, name):
        case = TITLED[title]
        implementation = case.implementation(name)
        if implementation.missing:
            pytest.skip(implementation.missing)
        if benchmark.disabled:
            timed = implementation.make(case.small_task())
            _, error = benchmark(ladder.first_call, timed)
            return error, timed.tolerance
        session = request.config.bench
        session.run(case)
        if name in session.failures:
            raise session.failures[name]
        timed, group = session.timed[name], session.groups[title]
        benchmark.group = title
        benchmark.extra_info.update(results.stored(case, group, name))
        if np.median(group.results[name].seconds) * timed.share > 1.0:
            benchmark.pedantic(timed.call, rounds=1)
        else:
            benchmark(timed.call)
        return group.results[name].error, timed.tolerance

    return run


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info.update(timing.machine())
    for package in PACKAGES:
        try:
            machine_info[package] = version(package)
        except PackageNotFoundError:
            machine_info[package] = None


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config, benchmarks, output_json):
    """The command as it was typed, but for the folders of files."""
    words = [re.sub(r"[^=]*/", "", word) for word in config.invocation_params.args]
    output_json["command"] = shlex.join(["pytest", *words])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    groups = config.bench.groups if hasattr(config, "bench") else {}  # another plugin may stop a run before it begins
    if not groups:
        return
    terminalreporter.section("comparison")
    terminalreporter.line(timing.described(timing.machine()))
    for group in groups.values():
        terminalreporter.line("")
        for line in comparison.summary(group):
            terminalreporter.line(line)
    terminalreporter.line("")
    for line in comparison.NOTES:
        terminalreporter.line(line)
    terminalreporter.line("")
    for group in groups.values():
        if comparison.FUSED in group.results:
            terminalreporter.line(comparison.headline(group))
