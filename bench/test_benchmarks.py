"""The benchmarks: every case of `workloads`, a contestant each. `pytest --benchmark`, `-k` selects."""

import pytest

from .workloads import CASES

pytestmark = pytest.mark.filterwarnings("default")  # other libraries warn of what is theirs to mend


def entries():
    """Of every case its title and a contestant's name, with all that `-k` can select by in the id."""
    for case in CASES:
        sizes = "-".join(map(str, case.sizes))
        for contestant in case.contestants:
            words = f"{case.group}-{case.workload}-{case.m}x{sizes}-{case.dtype}-{contestant.name}"
            yield pytest.param(str(case), contestant.name, id=words.replace(", ", "-").replace(" ", "_"))


@pytest.mark.parametrize(("title", "name"), list(entries()))
def test_benchmark(title, name, run):
    error, tolerance = run(title, name)
    assert error <= tolerance
