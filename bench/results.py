"""What a benchmark stores beside its time, and groups of contestants made of that again."""

import numpy as np

from fastnn.benchmark import comparison


def stored(case, group, name):
    """For the `extra_info` of pytest-benchmark: plain numbers and words."""
    result = group.results[name]
    return {
        "kind": case.group,
        "group": group.title,
        "contestant": name,
        "seconds": result.seconds.tolist(),
        "square_seconds": group.square.tolist(),
        "operations": result.operations,
        "share": result.share,
        "error": result.error,
        "compile_seconds": result.compile_seconds,
    }


def groups(rows):
    """Of what benchmarks have stored, by title."""
    found = {}
    for row in rows:
        group = found.setdefault(row["group"], comparison.Group(row["group"], {}, np.array(row["square_seconds"])))
        group.results[row["contestant"]] = comparison.Result(
            np.array(row["seconds"]), row["error"], row["compile_seconds"], row["operations"], row["share"]
        )
    return found
