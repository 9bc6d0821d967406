"""What a benchmark stores beside its time, and how groups of implementations are made of that again."""

import numpy as np

from fastnn.benchmark import comparison


def stored(case, group, name):
    """For the `extra_info` of pytest-benchmark: plain numbers and words."""
    result = group.results[name]
    return {
        "kind": case.group,
        "group": group.title,
        "implementation": name,
        "seconds": result.seconds.tolist(),
        "gemm_seconds": group.gemm.seconds.tolist(),
        "gemm_operations": group.gemm.operations,
        "peak_seconds": group.peak.seconds.tolist(),
        "peak_operations": group.peak.operations,
        "operations": result.operations,
        "share": result.share,
        "error": result.error,
        "compile_seconds": result.compile_seconds,
    }


def groups(rows):
    """Of what benchmarks have stored, by title."""
    found = {}
    for row in rows:
        gemm, peak = (
            comparison.Reference(np.array(row[f"{name}_seconds"]), row[f"{name}_operations"])
            for name in ("gemm", "peak")
        )
        group = found.setdefault(row["group"], comparison.Group(row["group"], {}, gemm, peak))
        group.results[row["implementation"]] = comparison.Result(
            np.array(row["seconds"]), row["error"], row["compile_seconds"], row["operations"], row["share"]
        )
    return found
