"""The benchmarks: every case of `workloads`, an implementation each. `pytest --benchmark`, `-k` selects."""

import pytest

from .workloads import CASES

pytestmark = pytest.mark.filterwarnings("default")  # other libraries warn of what is theirs to mend


def entries():
    """Of every case its title and an implementation's name, with all that `-k` can select by in the id."""
    for case in CASES:
        sizes = "-".join(map(str, case.sizes))
        for implementation in case.implementations:
            words = f"{case.group}-{case.workload}-{case.m}x{sizes}-{case.dtype}-{implementation.name}"
            marks = [pytest.mark.slow] * implementation.name.endswith("cold")  # compiles everything
            yield pytest.param(
                str(case), implementation.name, id=words.replace(", ", "-").replace(" ", "_"), marks=marks
            )


@pytest.mark.parametrize(("title", "name"), list(entries()))
def test_benchmark(title, name, run):
    error, tolerance = run(title, name)
    assert error <= tolerance
