"""The command line: `fastnn` or `python -m fastnn`."""

import argparse
import dataclasses
import json
import math
import os
import platform
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__, shell
from .containers import few

if TYPE_CHECKING:
    from .benchmark.ladder import Task
    from .files import Examples
    from .model import Model

# How many classes are listed with their counts.
_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. The exit status is 0, 1 for a failed gradient check, 128 + a signal, or `shell.status`'s."""
    options = _parser().parse_args(arguments)
    return shell.status(f"fastnn {options.command}", lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    script = argparse.ArgumentParser(add_help=False)
    script.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    data = argparse.ArgumentParser(add_help=False, parents=[script])
    data.add_argument(
        "--data",
        metavar="FILE",
        help=".mat or .npz with X and y, or a table, .csv or .tsv, also .gz (default: the shipped digits)",
    )
    table = data.add_argument_group("tables", "what is said here is not looked for in the file")
    table.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="the first row holds names, or none (default: found)"
    )
    table.add_argument(
        "--delimiter", type=_delimiter, metavar="CHAR", help="what fields are split at, \\t for a tab (default: found)"
    )
    table.add_argument("--encoding", help="as cp1252 (default: what the byte order mark says, or utf-8)")
    table.add_argument(
        "--label", type=_label, metavar="COLUMN", help="of the labels: its name, or its position from 0 (default: last)"
    )
    start = argparse.ArgumentParser(add_help=False)
    start.add_argument(
        "--weights",
        metavar="FILE",
        help="where to start: .mat with Theta1, Theta2, ... or a saved model (default: random)",
    )
    start.add_argument("--hidden", type=_layers, default=(25,), metavar="SIZES", help="as 25 or 64,32 (default: 25)")
    start.add_argument(
        "--activation", default="sigmoid", help="of hidden layers: sigmoid (default), tanh, relu or identity"
    )
    start.add_argument("--output", default="sigmoid", help="sigmoid (default), one for each class, or softmax")
    start.add_argument("--lmbda", type=float, default=1.0, help="regularisation (default: 1)")
    start.add_argument("--seed", type=int, default=0, help="of the random weights (default: 0)")

    parser = argparse.ArgumentParser(
        prog="fastnn", description="The course's neural network on handwritten digits, trained by compiled loops."
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    train = commands.add_parser("train", parents=[data, start], help="train a network and save it")
    train.add_argument("--maxiter", type=int, default=50, help="limit on iterations (default: 50)")
    train.add_argument("--solver", default="cg", help="cg, conjugate gradients (default), or l-bfgs")
    train.add_argument(
        "--out",
        type=Path,
        default=Path("fastnn-model.npz"),
        metavar="FILE",
        help="default: %(default)s; .mat works too",
    )
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", parents=[data], help="print the label a saved model gives each example")
    predict.add_argument("model", metavar="MODEL", help="a model that fastnn train saved")
    predict.set_defaults(run=_predict)

    check = commands.add_parser(
        "check",
        parents=[data, start],
        help="check the gradient against differences of the cost; exit status 1 if it is wrong",
    )
    check.add_argument("--model", metavar="FILE", help="check at a saved model: its weights, activations and lmbda")
    check.add_argument("--examples", type=int, metavar="M", help="on M examples, evenly spaced (default: all)")
    how = check.add_mutually_exclusive_group()
    how.add_argument("--all", action="store_true", help="every parameter (default)")
    how.add_argument("--quick", action="store_true", help="ten random directions: seconds where --all takes hours")
    check.set_defaults(run=_check)

    show = commands.add_parser("show", parents=[data], help="draw 100 examples, or a model's hidden units, as a PNG")
    show.add_argument("--model", metavar="MODEL", help="draw the hidden units of this saved model")
    show.add_argument("--seed", type=int, default=0, help="which 100 examples (default: 0)")
    show.add_argument("--order", default="F", help="pixels by column, F (default, as in the digits), or by row, C")
    show.add_argument("--out", type=Path, metavar="FILE", help="default: digits.png or hidden-units.png")
    show.set_defaults(run=_show)

    bench = commands.add_parser(
        "bench", parents=[data], help="time the ladder: loop in Python, compiled loop, NumPy, fused; and draw it"
    )
    bench.add_argument("--hidden", type=_layers, default=(25,), metavar="SIZES", help="as 25 or 64,32 (default: 25)")
    bench.add_argument("--sizes", type=_layers, metavar="SIZES", help="random data for these layers, as 784,128,10")
    bench.add_argument(
        "--examples", type=int, metavar="M", help="how many (default: all, or as many as a minute allows)"
    )
    bench.add_argument("--lmbda", type=float, default=1.0, help="regularisation (default: 1)")
    bench.add_argument(
        "--out", type=Path, metavar="FILE", help="the picture (default: ladder.png, if matplotlib is there)"
    )
    bench.set_defaults(run=_bench)

    info = commands.add_parser(
        "info", parents=[script], help="versions, cores, vector width, threading layer, cache folder"
    )
    info.set_defaults(run=_info)
    return parser


def _train(options: argparse.Namespace) -> int:
    from . import files
    from .train import train

    out = options.out
    files.check_format(out, "--out")
    _output(out)
    examples = _examples(options)
    X, y = examples.X, examples.y
    with shell.ends_training() as ending:
        model = train(
            X,
            y,
            options.hidden,
            options.lmbda,
            solver=options.solver,
            maxiter=options.maxiter,
            seed=options.seed,
            weights=files.read_weights(options.weights) if options.weights else None,
            activation=options.activation,
            output=options.output,
            callback=ending.begin,
            progress=None,
        )
    model.feature_names = examples.names
    accuracy = model.score(X, y)  # may compile: before saving, which then is the last that a signal can stop
    model.save(out)
    outcome = model.outcome
    classes, counts = np.unique(y, return_counts=True)
    facts = {
        "data": options.data,
        "examples": len(X),
        "inputs": X.shape[1],
        "layout": examples.layout or None,
        "classes": [{"label": label, "examples": count} for label, count in zip(classes, counts, strict=True)],
        "sizes": model.sizes,
        "lmbda": model.lmbda,
        "accuracy": accuracy,
        **dataclasses.asdict(outcome),
        "saved": out,
    }
    counted = [f"{label} ({count:,})" for label, count in zip(classes, counts, strict=True)]
    layout = f", {examples.layout}" if examples.layout else ""
    _tell(
        options,
        facts,
        [
            f"data         {options.data or 'the digits'}: {len(X):,} examples of {X.shape[1]} inputs{layout}",
            f"classes      {few(counted, _SHOWN)}",
            f"network      {'-'.join(map(str, model.sizes))}, lmbda {model.lmbda:g}, on {len(X):,} examples",
            f"cost         {outcome.cost:.6f}",
            f"accuracy     {100 * accuracy:.2f} %",
            f"iterations   {outcome.iterations}",
            f"evaluations  {outcome.evaluations}",
            f"seconds      {outcome.seconds:.2f}",
            f"ended        {outcome.message}",
            f"saved        {out}",
        ],
    )
    signum = ending.signum or (signal.SIGINT if outcome.status == "interrupted" else 0)
    return 128 + signum if signum else 0


def _predict(options: argparse.Namespace) -> int:
    from .model import load

    model = load(options.model)
    examples = _examples(options, model)
    predictions = model.predict(examples.X)
    accuracy = None if examples.y is None else model.score(examples.X, examples.y)
    _tell(options, {"predictions": predictions, "accuracy": accuracy}, map(str, predictions))
    if accuracy is not None and not options.json:
        sys.stdout.flush()  # where nobody reads on, as behind head, this ends the command
        print(f"accuracy {100 * accuracy:.2f} % of {len(examples.X):,} examples", file=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    from . import files, network, validation
    from .check import check_gradient
    from .model import load

    if options.model and options.weights:
        raise ValueError("--model and --weights are both given; one of them is wanted")
    model = load(options.model) if options.model else None
    examples = _examples(options, model)
    X, y = examples.X, examples.y
    if y is None:
        raise ValueError("--data has no labels; one for every example is wanted")
    lmbda, activation, output = options.lmbda, options.activation, options.output
    if model:
        weights, lmbda, activation, output = model.weights, model.lmbda, model.activation, model.output
        with validation.about("--data"):
            targets = validation.known_answers(y, len(X), model.classes, model.sizes[-1], model.multilabel)
        answers = targets.classes if len(targets.classes) else targets.values
        X = model.scaling.apply(X) if model.scaling else X
    else:
        classes, answers = np.unique(y, return_inverse=True)
        if options.weights:
            weights = validation.weights(files.read_weights(options.weights), X.shape[1], len(classes))
        else:
            weights = network.init_weights((X.shape[1], *options.hidden, len(classes)), options.seed)
    m = len(X) if options.examples is None else min(validation.positive(options.examples, "--examples"), len(X))
    some = np.arange(m) * len(X) // m
    report = check_gradient(
        weights,
        X[some],
        answers[some],
        lmbda,
        directions=10 if options.quick else None,
        seed=options.seed,
        progress=None,
        activation=activation,
        output=output,
    )
    _tell(options, {"passed": report.passed, **dataclasses.asdict(report)}, [str(report)])
    return 0 if report.passed else 1


def _show(options: argparse.Namespace) -> int:
    from . import plot, validation
    from .model import load

    if options.model:
        images = load(options.model).weights[0][:, 1:]
        out = options.out or Path("hidden-units.png")
    else:
        X = _examples(options).X
        some = validation.seed(options.seed).permutation(len(X))[:100]
        images = X[some]
        out = options.out or Path("digits.png")
    _output(out)
    plot.save_images(images, out, order=options.order)
    _tell(options, {"saved": out}, [f"saved {out}"])
    return 0


def _bench(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from . import plot
    from .benchmark import comparison, ladder, timing

    out = options.out or Path("ladder.png")
    if options.out or find_spec("matplotlib"):
        plot.check_path(out)
    _output(out)
    task, note = _bench_task(options)
    machine = timing.machine()
    for line in (timing.forced_kernels(os.environ.get("OPENBLAS_CORETYPE")), note, timing.described(machine)):
        if line:
            print(line, file=sys.stderr if options.json else sys.stdout)
    with tqdm(total=ladder.STEPS, unit=" blocks", leave=False, disable=None) as bar:

        def progress(what: str, done: int) -> None:
            bar.set_description(what, refresh=False)
            bar.update(done)

        groups = ladder.measure_all(task, progress)
    drawn = find_spec("matplotlib") is not None
    if drawn:
        plot.save_ladder(groups, out, note=timing.described(machine))
    else:
        print('no picture: it needs matplotlib; python -m pip install "fastnn[plot]" brings it', file=sys.stderr)
    _tell(
        options,
        {"machine": machine, "groups": [*map(comparison.facts, groups)], "saved": out if drawn else None},
        [
            *(line for group in groups for line in ("", *comparison.summary(group))),
            *("", *comparison.NOTES, "", *map(comparison.headline, groups)),
            *[f"saved {out}"] * drawn,
        ],
    )
    return 0


def _bench_task(options: argparse.Namespace) -> tuple["Task", str]:
    """The user's data, or random ones of the user's sizes; and a note if these are fewer than there are."""
    from . import validation
    from .benchmark import ladder

    lmbda = validation.real(options.lmbda, "lmbda", minimum=0.0)
    m = None if options.examples is None else validation.positive(options.examples, "--examples")
    if options.sizes:
        if options.data:
            raise ValueError("--sizes and --data are both given; one of them is wanted")
        sizes = validation.sizes(options.sizes, "--sizes")
        if sizes[-1] < 2:
            raise ValueError(f"--sizes ends in {sizes[-1]}; at least two classes are wanted")
        m = m or min(5_000, ladder.examples_within_limit(sizes))
        return ladder.random_task(m, sizes, lmbda=lmbda), ""
    examples = _examples(options)
    X, y = examples.X, examples.y
    classes, indices = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"--data holds one label only, {classes[0]!r}; at least two classes are wanted")
    sizes = (X.shape[1], *options.hidden, len(classes))
    part = ladder.task(X, indices, sizes, lmbda).part(m or ladder.examples_within_limit(sizes))
    used = len(part.problem.X)
    if m is None and used < len(X):
        return part, f"on {used:,} of {len(X):,} examples, to end within a minute; --examples {len(X)} takes all"
    return part, ""


def _info(options: argparse.Namespace) -> int:
    from .kernels import jit, tiles

    packages = {package: version(package) for package in ("numpy", "scipy", "numba", "llvmlite")}
    facts = {
        "fastnn": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        **packages,
        "cores": os.cpu_count(),
        "vector_bits": 8 * tiles.SHAPE.bytes,
        "threading": jit.threading_report(),
        "cache": jit.cache_report(),
        "cache_folder": jit.cache_folder(),
    }
    _tell(
        options,
        facts,
        [
            f"fastnn           {__version__}",
            f"python           {facts['python']} on {facts['system']} {facts['machine']}",
            *(f"{package:<16} {number}" for package, number in packages.items()),
            f"cores            {facts['cores']}",
            f"vector width     {facts['vector_bits']} bits, {tiles.SHAPE.bytes // 8} float64",
            f"threading layer  {facts['threading']}",
            f"cache folder     {facts['cache']}",
        ],
    )
    return 0


def _tell(options: argparse.Namespace, facts: dict[str, Any], lines: Iterable[str]) -> None:
    """Print the facts as JSON where a script asks for that, else as the lines that a person reads."""
    if options.json:
        lines = [json.dumps(_plain(facts), allow_nan=False)]  # in ASCII: any encoding of the output can say it
    for line in lines:
        print(line)


def _plain(value: Any) -> Any:
    """As JSON has it: paths as text, and null for a number that is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _examples(options: argparse.Namespace, model: "Model | None" = None) -> "Examples":
    """The user's, with a line on standard error about each doubt, or the shipped digits; with the model's inputs."""
    from . import digits, files, validation

    if not options.data:
        return files.Examples(*digits.load_digits())
    table = {name: getattr(options, name) for name in ("header", "delimiter", "encoding", "label")}
    examples = files.read_examples(options.data, model.sizes[0] if model else None, **table)
    if model and model.feature_names and examples.names:
        validation.same_names(examples.names, model.feature_names, "--data")
    for note in examples.notes:
        print(f"fastnn {options.command}: --data {options.data}: {note}", file=sys.stderr)
    return examples


def _output(out: Path) -> None:
    """The file that the command is going to write."""
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--out is {str(out)!r}, in a folder that does not exist")
    shell.writes(out)


def _layers(text: str) -> tuple[int, ...]:
    """25 or 64,32."""
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; positive integers with commas between them, as 64,32, are wanted")
    return sizes


def _delimiter(text: str) -> str:
    """As it is, but for a tab, which is hard to type in a shell."""
    return "\t" if text == "\\t" else text


def _label(text: str) -> str | int:
    """A position if it is an integer, else a name."""
    try:
        return int(text)
    except ValueError:
        return text
