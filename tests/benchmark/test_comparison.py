"""What is said of implementations that were timed in turns, every number of it by hand."""

import numpy as np
import pytest

from fastnn.benchmark import comparison
from fastnn.benchmark.comparison import Group, Reference, Result


def result(*seconds, **fields):
    return Result(
        np.array(seconds), **{"error": 1e-16, "compile_seconds": 0.0, "operations": 1e9, "share": 1.0} | fields
    )


GROUP = Group(
    "work",
    {
        "Python loop": result(40.0, 40.0, 40.0, share=0.1),
        "NumPy": result(4.0, 6.0, 8.0, error=0.0),
        "fused": result(2.0, 2.0, 2.0),
        "PyTorch": result(3.0, 3.0, 4.0, operations=None),
        "JAX": result(5.0, 5.0, 5.0),
    },
    gemm=Reference(np.array([2.0, 2.0, 2.0]), 2e9),  # 1 GFLOP/s
    peak=Reference(np.array([1.0, 2.0, 1.0]), 2e9),  # 2 GFLOP/s
)


def test_ratios_are_of_rounds():
    got = comparison.ratio(GROUP.results["NumPy"], GROUP.results["fused"])
    assert got == (3.0, 2.0, 4.0)
    assert str(got) == "3.00 (2.00 - 4.00)"
    assert comparison.ranked(GROUP) == ["fused", "PyTorch", "JAX", "NumPy", "Python loop"]
    assert comparison.best_peer(GROUP) == "PyTorch"
    assert comparison.gflops(GROUP, "fused") == 0.5
    assert comparison.share(GROUP, "fused", GROUP.gemm) == 0.5
    assert comparison.share(GROUP, "fused", GROUP.peak) == 0.25
    assert comparison.share(GROUP, "PyTorch", GROUP.gemm) is None


SUMMARY = """\
work
                      time       x NumPy (rounds)       x PyTorch (rounds)  GFLOP/s  of BLAS  of peak      error
  1.  fused         2.00 s     3.00 (2.00 - 4.00)       1.50 (1.50 - 2.00)    0.500     50 %     25 %      1e-16
  2.  PyTorch       3.00 s     2.00 (1.33 - 2.00)       1.00 (1.00 - 1.00)                                 1e-16
  3.  JAX           5.00 s    1.20 (0.800 - 1.60)    0.600 (0.600 - 0.800)    0.200     20 %     10 %      1e-16
  3.  NumPy         6.00 s     1.00 (1.00 - 1.00)    0.500 (0.500 - 0.750)    0.167     17 %     12 %  reference
  5.  Python loop  40.0 s*  0.150 (0.100 - 0.200)  0.0750 (0.0750 - 0.100)   0.0250      2 %      1 %      1e-16"""


def test_summary():
    """Every number of it by hand."""
    assert "\n".join(comparison.summary(GROUP)) == SUMMARY
    assert comparison.headline(GROUP) == (
        "work: fused takes 2.00 s, 3.00 times as fast as NumPy and 1.50 times as fast as PyTorch"
    )


def test_facts():
    got = comparison.facts(GROUP)
    assert got["title"] == "work"
    assert [one["name"] for one in got["implementations"]] == comparison.ranked(GROUP)
    assert got["implementations"][0] == {
        "name": "fused",
        "place": 1,
        "seconds": 2.0,
        "rounds": [2.0, 2.0, 2.0],
        "times_numpy": {"median": 3.0, "lowest": 2.0, "highest": 4.0},
        "gflops": 0.5,
        "of_blas": 0.5,
        "of_peak": 0.25,
        "error": 1e-16,
        "compile_seconds": 0.0,
        "share": 1.0,
    }


def test_summary_without_peers():
    group = Group("work", {name: GROUP.results[name] for name in ("fused", "NumPy")}, GROUP.gemm, GROUP.peak)
    assert "PyTorch" not in "".join(comparison.summary(group))
    assert comparison.headline(group) == "work: fused takes 2.00 s, 3.00 times as fast as NumPy"


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0.0, "0.00 us"), (1.234e-6, "1.23 us"), (9.994e-4, "999 us"), (0.01234, "12.3 ms"), (1234.5, "1,234 s")],
)
def test_duration(seconds, want):
    assert comparison.duration(seconds) == want


def test_places():
    """In the last round JAX was ahead of NumPy's 8 s, but not in the first: they share the third."""
    assert comparison.places(GROUP) == {"fused": 1, "PyTorch": 2, "JAX": 3, "NumPy": 3, "Python loop": 5}
