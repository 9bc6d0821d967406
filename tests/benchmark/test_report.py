"""The tables and the figure of the READMEs: what the generator writes, and when it refuses to."""

import copy
import hashlib
import json
import subprocess

import numpy as np
import pytest

from bench import report
from bench.workloads import CASES
from fastnn.benchmark import timing

from ..conftest import ROOT


def fake_run():
    """As pytest-benchmark saves one of every case, with round numbers."""
    benchmarks = []
    for case in CASES:
        for i, implementation in enumerate(case.implementations):
            info = {
                "kind": case.group,
                "group": str(case),
                "implementation": implementation.name,
                "seconds": [0.01 * (i + 1)] * 3,
                "gemm_seconds": [0.0123456] * 3,
                "gemm_operations": 1e9,
                "peak_seconds": [0.02] * 3,
                "peak_operations": 2e9,
                "operations": 1e8,
                "share": 1.0,
                "error": 1e-16 * (i + 1),
                "compile_seconds": 1.23456,
            }
            benchmarks.append({"name": f"{case}/{implementation.name}", "extra_info": info})
    machine = dict.fromkeys(report.MACHINE, "1") | {"node": "host.example", "torch": None, "openblas_coretype": None}
    return {
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "datetime": "2026-01-02T03:04:05",
        "command": "pytest --benchmark",
        "machine_info": machine,
        "benchmarks": benchmarks,
    }


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Everything that the generator writes, in another folder."""
    for name in ("RESULTS", "README", "BENCH_README"):
        monkeypatch.setattr(report, name, tmp_path / f"{name}.txt")
    for name in ("FIGURE", "HEADLINE"):
        monkeypatch.setattr(report, name, tmp_path / f"{name}.png")
    for path in (report.README, report.BENCH_README):
        path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "require_clean_tree", lambda: None)
    return tmp_path


def figures():
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (report.FIGURE, report.HEADLINE)]


def written(path, run):
    file = path / "run.json"
    file.write_text(json.dumps(run))
    return report.main([str(file)])


@pytest.mark.slow
def test_what_is_written(elsewhere):
    assert written(elsewhere, fake_run()) == 0
    text = report.README.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for words in (
        "at commit 0123456789ab",
        "2026-01-02",
        "`pytest --benchmark`",
        "1 threads",
        "median of 3 to 3 rounds",
    ):
        assert words in text
    assert "| NumPy | 30.0 ms, 1 x |" in text  # third in line, 0.03 s
    assert "| **fused** | 40.0 ms, 0.750 x |" in text
    kept = json.loads(report.RESULTS.read_text())
    assert kept["rows"][0]["gemm_seconds"] == [0.01235] * 3
    assert kept["rows"][0]["peak_operations"] == 2e9
    # 1e8 operations in 0.04 s are 2.5 GFLOP/s, of 1e9 in 0.0123 s and of 2e9 in 0.02 s.
    row = "| 5,000 x 400-25-10, float64 | 40.0 ms | 2.50 | 3 % | 2 % |"
    assert row in report.BENCH_README.read_text()
    assert "host.example" not in report.RESULTS.read_text()
    assert kept["figure_sha256"] == figures()
    before = text, report.BENCH_README.read_text(), report.RESULTS.read_text()
    assert report.main([]) == 0  # from the results again
    assert before == (report.README.read_text(), report.BENCH_README.read_text(), report.RESULTS.read_text())


def no_error(run):  # the fourth is fused's
    del run["benchmarks"][3]["extra_info"]["error"]


def nan_error(run):
    run["benchmarks"][3]["extra_info"]["error"] = float("nan")


def dirty(run):
    run["commit_info"]["dirty"] = True


def no_git(run):
    run["commit_info"]["id"] = "unversioned"


def of_another_program(run):
    del run["command"]


def forced_kernels(run):
    run["machine_info"]["openblas_coretype"] = "Haswell"


def unknown_kernels(run):
    del run["machine_info"]["openblas_coretype"]


def one_case_only(run):
    del run["benchmarks"][5:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dirty, "the run is of a tree with changes that are not committed"),
        (no_git, "the run is of a folder without git"),
        (of_another_program, "the file is not what pytest --benchmark --benchmark-json=FILE writes"),
        (no_error, "fused has no error beside its time"),
        (nan_error, "fused has no error beside its time"),
        (one_case_only, "a run of all benchmarks is wanted"),
        (forced_kernels, f"bench.report: {timing.forced_kernels('Haswell')}\n"),
        (unknown_kernels, "the run does not say whether OPENBLAS_CORETYPE was set; one that does is wanted\n"),
    ],
)
def test_refusals(elsewhere, capsys, change, message):
    run = copy.deepcopy(fake_run())
    change(run)
    assert written(elsewhere, run) == 2
    assert message in capsys.readouterr().err
    assert report.README.read_text() == f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert not report.RESULTS.exists()


def test_a_tree_with_changes_is_refused(tmp_path, monkeypatch):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    for name in ("code.py", "README.md"):
        (tmp_path / name).write_text("")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    for name, place in (
        ("RESULTS", "r.json"),
        ("FIGURE", "f.png"),
        ("HEADLINE", "h.png"),
        ("README", "README.md"),
        ("BENCH_README", "b.md"),
    ):
        monkeypatch.setattr(report, name, tmp_path / place)
    (tmp_path / "README.md").write_text("what the generator may change")
    report.require_clean_tree()
    (tmp_path / "code.py").write_text("1")
    with pytest.raises(ValueError, match=r"code\.py has changes that are not committed; a clean tree is wanted"):
        report.require_clean_tree()


KEPT = json.loads(report.RESULTS.read_text())


@pytest.mark.parametrize("path", [report.README, report.BENCH_README], ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_are_the_generators(path):
    _, got, _ = report.cut(path.read_text())
    assert got == report.sections(KEPT)[path], "edited, or not written anew: python -m bench.report"


def test_figures_are_the_generators():
    assert figures() == KEPT["figure_sha256"]


def test_published_errors_are_rounding():
    for row in KEPT["rows"]:
        want = 1e-7 if "check" in row["group"] else 1e-4 if "float32" in row["group"] else 2e-9
        assert 0.0 <= row["error"] <= want
        assert np.min(row["seconds"]) > 0.0
