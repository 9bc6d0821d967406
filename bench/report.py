"""Rewrite the tables and the figures of the READMEs from a saved run.

    pytest --benchmark --benchmark-json=run.json
    python -m bench.report run.json          (without a file: from bench/results.json again)

Keeps what it needs of the run in bench/results.json, draws bench/headline.png and bench/ladder.png, and writes what
stands between the markers in README.md and bench/README.md. Refuses a run of a tree with uncommitted
changes, a tree that has some now, a run in which an error is missing, and one with OPENBLAS_CORETYPE set.
"""

import argparse
import hashlib
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np

from fastnn import plot
from fastnn.benchmark import comparison, timing

from . import results
from .workloads import CASES, PACKAGES, ROOT

RESULTS = ROOT / "bench" / "results.json"
FIGURE, HEADLINE = ROOT / "bench" / "ladder.png", ROOT / "bench" / "headline.png"  # all of the ladder; the second of it
README, BENCH_README = ROOT / "README.md", ROOT / "bench" / "README.md"
BEGIN = "<!-- results: begin (written by python -m bench.report; a test notices edits) -->"
END = "<!-- results: end -->"
MACHINE = (*timing.MACHINE, *PACKAGES)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="what --benchmark-json has written")
    options = parser.parse_args(arguments)
    try:
        kept = condensed(json.loads(options.run.read_text())) if options.run else json.loads(RESULTS.read_text())
        if options.run:
            require_clean_tree()
    except (OSError, ValueError) as problem:
        print(f"bench.report: {problem}", file=sys.stderr)
        return 2
    write(kept)
    return 0


def condensed(run):
    """Of what pytest-benchmark has saved, what is published; raises ValueError if it should not be."""
    if "command" not in run:
        raise ValueError("the file is not what pytest --benchmark --benchmark-json=FILE writes, which is wanted")
    commit = run["commit_info"]
    if commit["id"] in ("unknown", "unversioned"):
        raise ValueError("the run is of a folder without git; one of a commit is wanted")
    if commit["dirty"]:
        raise ValueError("the run is of a tree with changes that are not committed; one of a commit is wanted")
    machine = run["machine_info"]
    if "openblas_coretype" not in machine:
        raise ValueError("the run does not say whether OPENBLAS_CORETYPE was set; one that does is wanted")
    if sentence := timing.forced_kernels(machine["openblas_coretype"]):
        raise ValueError(sentence)
    rows = [bench["extra_info"] for bench in run["benchmarks"]]
    for bench in run["benchmarks"]:
        error = bench["extra_info"].get("error")
        if error is None or not math.isfinite(error):
            raise ValueError(f"{bench['name']} has no error beside its time; a run that checks all results is wanted")
    missing = {str(case) for case in CASES} - {row["group"] for row in rows}
    if missing:
        raise ValueError(f"the run has no {min(missing)!r}; a run of all benchmarks is wanted")
    return {
        "about": "written by python -m bench.report; not edited",
        "commit": commit["id"][:12],
        "date": run["datetime"][:10],
        "command": run["command"],
        "machine": {key: machine.get(key) for key in MACHINE},
        "rows": [
            {key: rounded(value) if key.endswith("seconds") else value for key, value in row.items()} for row in rows
        ],
    }


def rounded(value):
    """To four digits."""
    return [rounded(number) for number in value] if isinstance(value, list) else float(f"{value:.4g}")


def require_clean_tree(*written):
    """Raises ValueError if a file has changes that are not committed, but those that are written here or there."""
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    own = {str(path.relative_to(ROOT)) for path in (RESULTS, FIGURE, HEADLINE, README, BENCH_README, *written)}
    others = [line[3:] for line in changed if line and line[3:] not in own]
    if others:
        raise ValueError(f"{others[0]} has changes that are not committed; a clean tree is wanted")


def write(kept):
    """The figures, the results with their checksums, and the tables."""
    groups = by_kind(kept)
    plot.save(plot.benchmark(groups["ladder"], note=measured_on(kept)), FIGURE)
    plot.save(plot.benchmark(groups["ladder"][1:2], note=measured_on(kept)), HEADLINE)
    kept["figure_sha256"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (FIGURE, HEADLINE)]
    RESULTS.write_text(as_json(kept))
    for path, text in sections(kept).items():
        before, _, after = cut(path.read_text())
        path.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def as_json(kept):
    """With a line for each row."""
    head = {key: value for key, value in kept.items() if key != "rows"}
    lines = ",\n".join(json.dumps(row) for row in kept["rows"])
    return f'{json.dumps(head, indent=1)[:-2]},\n "rows": [\n{lines}\n]}}\n'


def cut(text):
    """What stands before, between and after the markers."""
    before, rest = text.split(BEGIN)
    between, after = rest.split(END)
    return before, between.removeprefix("\n"), after


def sections(kept):
    """What belongs between the markers of each file."""
    groups = by_kind(kept)
    growing = groups["ladder"][1:2] + groups["dtypes"] + groups["shapes"]
    tables = [(f"**{kind}**", *map(whole, groups[kind])) for kind in ("ladder", "threads", "start")]
    parts = [
        "![How long each rung and each peer takes](ladder.png)\n",
        explained(kept),
        losses(groups["ladder"][:1] + groups["ladder"][2:] + growing + groups["predict"]),
        f"**shapes**, cost and gradient by `fused`\n\n{growth(growing)}",
        f"**predict**, outputs by `Model.predict_proba`\n\n{growth(groups['predict'])}",
        *itertools.chain(*tables),
    ]
    return {
        README: f"{overview(groups['ladder'])}\n{explained(kept)}",
        BENCH_README: "\n".join(part.rstrip("\n") + "\n" for part in parts),
    }


def by_kind(kept):
    """Groups of implementations, by the kind of their case, in the order of the cases."""
    groups = results.groups(kept["rows"])
    kinds = {}
    for case in CASES:
        kinds.setdefault(case.group, []).append(groups[str(case)])
    return kinds


def measured_on(kept):
    peers = [f"{name} {kept['machine'][name]}" for name in MACHINE[len(timing.MACHINE) :] if kept["machine"][name]]
    return ", ".join([timing.described(kept["machine"]), *peers])


def explained(kept):
    counts = {len(row["seconds"]) for row in kept["rows"]}
    rounds = f"{min(counts)} to {max(counts)}"
    return (
        f"Measured on {kept['date']} at commit {kept['commit']} by `{kept['command']}`: {measured_on(kept)}. "
        f"*x*: how many times as fast as {comparison.BASELINE} or another, the median of {rounds} rounds "
        "(lowest - highest) in which all implementations ran in turns. *GFLOP/s*: 1e9 floating-point operations a "
        f"second. *of BLAS*: their share of those of {timing.GEMM}, in the same rounds. *of peak*: their share of "
        f"those of {timing.PEAK}, in the same rounds. *error*: |got - want| / |want|, want by the NumPy engine in "
        "float64. A star: a part was timed, and scaled to the whole.\n"
    )


def overview(groups):
    """A row for each implementation, `fused` last; a column for each workload: time, and ratio to NumPy."""
    names = list(dict.fromkeys(name for group in groups for name in group.results))
    rows = [["", *(group.title.split(", 5,000")[0] for group in groups)]]
    for name in sorted(names, key=lambda name: name == comparison.FUSED):
        cells = [
            f"{time_of(group, name)}, {multiple(group, comparison.BASELINE, name)}" if name in group.results else ""
            for group in groups
        ]
        rows.append([f"**{name}**" if name == comparison.FUSED else name, *cells])
    rows.append(["largest error", *(f"{max(r.error for r in group.results.values()):.0e}" for group in groups)])
    return markdown(rows)


def losses(groups):
    """Where `fused` is not the fastest, in a sentence."""
    lost = []
    for group in groups:
        name = comparison.ranked(group)[0]
        if name != comparison.FUSED:
            times = comparison.ratio(group.results[name], group.results[comparison.FUSED])
            lost.append(f"{group.title} ({times} x {name})")
    return f"`fused` is not the fastest in {len(lost)} of {len(groups)} cases: {'; '.join(lost)}."


def growth(groups):
    """A row for each group, about `fused` alone."""
    ratios = [f"x {comparison.BASELINE}", "x best peer", ""]
    rows = [["m x layers, type", "time", "GFLOP/s", "of BLAS", "of peak", *ratios, "error"]]
    for group in groups:
        peer = comparison.best_peer(group)
        rows.append(
            [
                group.title.partition(", ")[2],
                time_of(group, comparison.FUSED),
                comparison.three_digits(comparison.gflops(group, comparison.FUSED)),
                comparison.percent(comparison.share(group, comparison.FUSED, group.gemm)),
                comparison.percent(comparison.share(group, comparison.FUSED, group.peak)),
                str(comparison.ratio(group.results[comparison.BASELINE], group.results[comparison.FUSED])),
                str(comparison.ratio(group.results[peer], group.results[comparison.FUSED])) if peer else "",
                peer or "",
                f"{group.results[comparison.FUSED].error:.0e}",
            ]
        )
    return markdown(rows)


def whole(group):
    """All that `comparison.summary` shows, as a table."""
    return f"{group.title}\n\n{markdown(comparison.columns(group))}"


def time_of(group, name):
    result = group.results[name]
    return comparison.duration(float(np.median(result.seconds))) + ("*" if result.share < 1.0 else "")


def multiple(group, slow, fast):
    return (
        "1 x"
        if slow == fast
        else f"{comparison.three_digits(comparison.ratio(group.results[slow], group.results[fast]).median)} x"
    )


def markdown(rows):
    head, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
