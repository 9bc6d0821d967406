"""The benchmarks: every case of `workloads`, a contestant each. `pytest --benchmark`, `-k` selects."""

import pytest

from .workloads import CASES

pytestmark = pytest.mark.filterwarnings("default")  # other libraries warn of what is theirs to mend


def entries(group):
    """Parameters of the cases of a group and their contestants."""
    parameters = []
    for case in CASES:
        if case.group == group:
            sizes = "-".join(map(str, case.sizes))
            workload = case.workload.replace(",", "").replace(" ", "_")
            for contestant in case.contestants:
                name = contestant.name.replace(", ", "-").replace(" ", "_")
                parameters.append(
                    pytest.param(str(case), contestant.name, id=f"{workload}-{case.m}x{sizes}-{case.dtype}-{name}")
                )
    return pytest.mark.parametrize(("case", "name"), parameters)


@entries("ladder")
def test_ladder(case, name, run):
    run(case, name)


@entries("dtypes")
def test_dtypes(case, name, run):
    run(case, name)


@entries("shapes")
def test_shapes(case, name, run):
    run(case, name)


@entries("threads")
def test_threads(case, name, run):
    run(case, name)


@entries("start")
def test_start(case, name, run):
    run(case, name)
