"""The command line: `fastnn` or `python -m fastnn`."""

import argparse
import csv
import dataclasses
import json
import math
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import __version__, spec
from ..inputs.containers import few, with_names
from ..runtime import notice
from . import shell

if TYPE_CHECKING:
    from ..benchmark.ladder import Task
    from ..files import Examples
    from ..model import Model
    from ..training.checkpoint import Plan

# Options of a training by their names in Python.
_LIMITS = ("maxiter", "max_seconds", "target_cost", "tol", "patience")

_SAVED = "fastnn-model.npz"

_PICTURES = ("digits", "errors", "units", "history", "confusion")

# How many classes are listed with their counts.
_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. The exit status is 0, 1 for a failed gradient check, 128 + a signal, or `shell.status`'s."""
    options = _parser().parse_args(arguments)
    return shell.status(f"fastnn {options.command}", lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastnn", description="The course's neural network on handwritten digits, trained by compiled loops."
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(
        run: Callable[[argparse.Namespace], int], usage: str, what: str, example: str
    ) -> argparse.ArgumentParser:
        name = usage.split()[0]
        shape = partial(argparse.HelpFormatter, max_help_position=26)
        added = commands.add_parser(
            name,
            help=what,
            description=what,
            usage=f"fastnn {usage} [options]",
            epilog=f"example: fastnn {example}",
            formatter_class=shape,
        )
        added.set_defaults(run=run)
        return added

    train = command(
        _train,
        "train",
        "train a network and save it",
        "train --data flowers.csv --validation 0.2 --plot",
    )
    data = _data_options(train)
    data.add_argument(
        "--validation",
        type=_held_out,
        metavar="DATA",
        help="hold out 0.2 of all, a FILE, or Xval,yval of --data",
    )
    data.add_argument("--regression", action="store_true", help="fit numbers, not classes: --output identity")
    _network_options(train)
    training = train.add_argument_group("training")
    training.add_argument("--standardize", action="store_true", help="scale columns to mean 0, deviation 1")
    training.add_argument(
        "--class-weight", type=_class_weights, metavar="WEIGHTS", help="balanced, or LABEL=WEIGHT,... (default: 1)"
    )
    training.add_argument("--solver", metavar="NAME", help="cg (default), l-bfgs or another of SciPy's")
    training.add_argument("--checkpoint", type=_path, metavar="FILE", help="an .npz that keeps it, to survive a kill")
    training.add_argument(
        "--checkpoint-every", type=_interval, metavar="N", help="10 iterations, or 5.0 seconds (default: 60.0)"
    )
    training.add_argument("--resume", action="store_true", help="go on from --checkpoint FILE, if it is there")
    _stop_options(train, "50", "1e-5")
    _training_output(train)

    resume = command(
        _resume,
        "resume CHECKPOINT",
        "go on with a training that fastnn train --checkpoint kept",
        "resume training.npz --data flowers.csv --maxiter 200",
    )
    resume.add_argument("checkpoint", type=_path, metavar="CHECKPOINT", help="the file; the training is kept there on")
    data = _data_options(resume)
    data.add_argument("--validation", type=_held_out, metavar="DATA", help="as in the training: a FILE, or Xval,yval")
    _stop_options(resume, "as before", "as before")
    _training_output(resume)

    predict = command(
        _predict,
        "predict MODEL [IMAGE]",
        "print what a saved model predicts: for each example, or for a photo or drawing of one digit",
        "predict fastnn-model.npz --data new.csv --proba --output csv",
    )
    predict.add_argument("model", type=_file, metavar="MODEL", help="a saved model, or .mat with Theta1, Theta2, ...")
    predict.add_argument(
        "image", nargs="?", type=_path, metavar="IMAGE", help="a picture of one digit; what the network sees is drawn"
    )
    _data_options(predict)
    predict.add_argument(
        "--order", metavar="F|C", help="of the pixels of IMAGE: by column, F (default, as in the digits), or by row, C"
    )
    output = _output_options(predict, "seen.png, of an IMAGE")
    output.add_argument("--proba", action="store_true", help="the probability of every class behind the label")
    output.add_argument("--output", choices=("text", "csv"), default="text", help="text (default), or csv with names")

    check = command(
        _check,
        "check",
        "check the gradient against differences of the cost; exit status 1 if it is wrong",
        "check --hidden 64,32 --activation tanh --quick",
    )
    check.add_argument(
        "--model", type=_file, metavar="FILE", help="check at a saved model: its weights, activations and lmbda"
    )
    check.add_argument("--examples", type=int, metavar="M", help="on M examples, evenly spaced (default: all)")
    how = check.add_mutually_exclusive_group()
    how.add_argument(
        "--all",
        action="store_true",
        help="every parameter (default): a second on the digits, minutes at 784-256-128-10",
    )
    how.add_argument("--quick", action="store_true", help="ten random directions, where --all takes too long")
    _data_options(check)
    _network_options(check)
    _output_options(check)

    show = command(
        _show,
        "show WHAT",
        "draw digits, a model's errors, its hidden units, its training or what it confuses, as a PNG",
        "show errors --model fastnn-model.npz",
    )
    show.add_argument(
        "what", nargs="?", choices=_PICTURES, metavar="WHAT", help=f"{', '.join(_PICTURES)} (default: digits)"
    )
    show.add_argument(
        "--model",
        action="append",
        type=_file,
        metavar="FILE",
        help=f"a saved model (default: {_SAVED}); of digits: what it says; of history as many as you like",
    )
    show.add_argument("--over", default="iterations", metavar="WHAT", help="history over iterations (default), seconds")
    show.add_argument("--seed", type=int, default=0, metavar="N", help="which 100 digits (default: 0)")
    show.add_argument(
        "--order", default="F", metavar="F|C", help="pixels by column, F (default, as in the digits), or by row, C"
    )
    _data_options(show)
    _output_options(show, "WHAT.png; of units hidden-units.png")

    bench = command(
        _bench,
        "bench",
        "time the ladder: loop in Python, compiled loop, NumPy, fused; and draw it",
        "bench --sizes 784,128,10",
    )
    bench.add_argument("--hidden", type=_layers, default=(25,), metavar="SIZES", help="as 25 or 64,32 (default: 25)")
    bench.add_argument("--sizes", type=_layers, metavar="SIZES", help="random data for these layers, as 784,128,10")
    bench.add_argument("--examples", type=int, metavar="M", help="how many (default: as a minute allows)")
    bench.add_argument("--lmbda", type=float, default=1.0, metavar="L", help="regularisation (default: 1)")
    _data_options(bench)
    _output_options(bench, "ladder.png, if matplotlib is there")

    convert = command(
        _convert,
        "convert SOURCE TARGET",
        "turn a table of any length into arrays that can be mapped",
        "convert pixels.csv.gz pixels.npz --dtype uint8",
    )
    convert.add_argument("source", type=_path, metavar="SOURCE", help="a table: .csv or .tsv, also .gz")
    convert.add_argument("target", type=_path, metavar="TARGET", help=".npz, or .npy with the labels beside it")
    convert.add_argument(
        "--dtype", default="float64", metavar="NAME", help="float64 (default), float32, float16, uint8"
    )
    _table_options(convert.add_argument_group("table; what is not said is found in it"))
    _output_options(convert)

    export = command(
        _export,
        "export MODEL TARGET",
        "write a model for programs without fastnn: ONNX, a C header, safetensors, .mat",
        "export fastnn-model.npz digits.onnx",
    )
    export.add_argument("model", type=_file, metavar="MODEL", help="a model that fastnn train saved")
    export.add_argument("target", type=_path, metavar="TARGET", help=".onnx, .h, .safetensors, .mat or .npz")
    export.add_argument("--c", action="store_true", help="C, whatever TARGET's suffix is")
    export.add_argument("--dtype", metavar="NAME", help="float32 (default of .onnx) or float64 (default of C)")
    _output_options(export)

    _output_options(
        command(_info, "info", "versions, cores, vector width, threading layer, cache folder", "info --json")
    )
    _complete(parser)
    return parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """Add `--print-completion SHELL`, which prints what makes a shell complete commands, options and files."""
    try:
        import shtab
    except ImportError:
        return
    shtab.add_argument_to(parser, help="of bash, zsh or tcsh; print what makes it complete commands, options and files")
    for command in parser._subparsers._group_actions[0].choices.values():  # type: ignore[union-attr]
        for action in command._actions:
            if action.metavar in ("FILE", "DATA", "MODEL", "IMAGE", "CHECKPOINT", "SOURCE", "TARGET"):
                action.complete = shtab.FILE


def _data_options(parser: argparse.ArgumentParser) -> Any:
    data = parser.add_argument_group("data; what is not said of a table is found in it")
    data.add_argument(
        "--data",
        type=_file,
        metavar="FILE",
        help=".csv, .tsv, .npz, .mat, .h5, .npy (default: digits)",
    )
    data.add_argument("--inputs", metavar="NAME", help="the array X of .npz, .mat, .h5; --label for y")
    data.add_argument("--labels", type=_file, metavar="FILE", help="y in .npy, .npz or a text column, or a name in .h5")
    _table_options(data)
    return data


def _table_options(group: Any) -> None:
    group.add_argument("--header", action=argparse.BooleanOptionalAction, help="whether the first row holds names")
    group.add_argument("--delimiter", type=_delimiter, metavar="CHAR", help="between fields, \\t for a tab")
    group.add_argument("--encoding", metavar="NAME", help="as cp1252")
    group.add_argument("--label", type=_label, metavar="COLUMN", help="by name, or position from 0 (default: last)")


def _stop_options(parser: argparse.ArgumentParser, maxiter: str, tol: str) -> None:
    stop = parser.add_argument_group("when to stop")
    stop.add_argument("--maxiter", type=int, metavar="N", help=f"limit on iterations (default: {maxiter})")
    stop.add_argument("--max-seconds", type=float, metavar="S", help="limit on time")
    stop.add_argument("--target-cost", type=float, metavar="C", help="as soon as the cost is no higher")
    stop.add_argument("--tol", type=float, metavar="T", help=f"if no gradient entry is larger (default: {tol})")
    stop.add_argument("--patience", type=int, metavar="N", help="after N iterations without a lower validation cost")


def _training_output(parser: argparse.ArgumentParser) -> None:
    output = _output_options(parser, f"{_SAVED}; .mat, .safetensors")
    output.add_argument(
        "--plot",
        nargs="?",
        type=_path,
        const=Path("history.png"),
        metavar="FILE",
        help="draw it (default: history.png)",
    )
    output.add_argument("--verbose", action="store_true", help="a line after each iteration")


def _network_options(parser: argparse.ArgumentParser) -> None:
    network = parser.add_argument_group("network")
    network.add_argument("--hidden", type=_layers, metavar="SIZES", help="25 (default), or as 64,32")
    network.add_argument("--activation", metavar="NAME", help=spec.listed(spec.HIDDEN))
    network.add_argument("--output", metavar="NAME", help=spec.listed(spec.OUTPUTS))
    network.add_argument("--scale", type=_scale, metavar="NUMBER", help="multiplies X: 1/255 for bytes (default: 1)")
    network.add_argument("--lmbda", type=float, metavar="L", help="regularisation (default: 1)")
    network.add_argument("--seed", type=int, metavar="N", help="of the random weights (default: 0)")
    network.add_argument(
        "--weights", type=_file, metavar="FILE", help="to start from: a model, or .mat with Theta1, ..."
    )


def _output_options(parser: argparse.ArgumentParser, default: str = "") -> Any:
    output = parser.add_argument_group("output")
    if default:
        output.add_argument("--out", type=_path, metavar="FILE", help=f"default: {default}")
    output.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    output.add_argument("--quiet", action="store_true", help="only what was asked for, and what is wrong")
    return output


def _train(options: argparse.Namespace) -> int:
    from .. import files
    from ..train import train

    output = _kind_of_output(options)
    if options.checkpoint is None and (options.resume or options.checkpoint_every):
        given = "--resume" if options.resume else "--checkpoint-every"
        raise ValueError(f"{given} is given without --checkpoint; both are wanted")
    if options.resume and options.checkpoint.exists():
        return _resume(options)
    out = _model_file(options)
    _picture(options.plot, "--plot")
    examples = _examples(options, numbers=output == "identity")
    y = examples.y
    options.validation = _validation(options, examples, output == "identity")
    asked = _given(options, "hidden", "lmbda", "seed", "activation", "scale", "solver", *_LIMITS)
    with shell.ends_training() as ending, redirect_stdout(sys.stderr if options.json else sys.stdout):
        model = train(
            with_names(examples.X, examples.names),
            y,
            weights=files.read_weights(options.weights) if options.weights else None,
            output=output,
            class_weight=_known_labels(options.class_weight, y),
            standardize=options.standardize,
            validation=options.validation,
            callback=ending.begin,
            verbose=options.verbose,
            progress=_bar(options),
            checkpoint=options.checkpoint,
            checkpoint_every=options.checkpoint_every,
            **asked,
        )
    return _trained(options, examples, model, out, ending)


def _resume(options: argparse.Namespace) -> int:
    from ..train import resume
    from ..training import checkpoint

    path = options.checkpoint
    model, plan, _ = checkpoint.read(path)
    _same_options(options, model, plan)
    out = _model_file(options)
    _picture(options.plot, "--plot")
    numbers = _has_numbers(model)
    examples = _examples(options, numbers=numbers)
    options.validation = _validation(options, examples, numbers) or plan.validation
    options.patience = options.patience or (plan.limits.patience if math.isfinite(plan.limits.patience) else None)
    with shell.ends_training() as ending, redirect_stdout(sys.stderr if options.json else sys.stdout):
        model = resume(
            path,
            with_names(examples.X, examples.names),
            examples.y,
            validation=options.validation,
            callback=ending.begin,
            verbose=options.verbose,
            progress=_bar(options),
            **_given(options, *_LIMITS),
        )
    return _trained(options, examples, model, out, ending)


def _same_options(options: argparse.Namespace, model: "Model", plan: "Plan") -> None:
    """Raise ValueError if the command says of the training what is not so; how it began is of no more concern."""
    from ..inputs import validation

    weights = None if plan.factors is None else plan.factors.tolist()
    asked = _known_labels(getattr(options, "class_weight", None), model.classes)
    if isinstance(asked, dict) and model.classes is not None:
        asked = [asked.get(label, 1.0) for label in model.classes.tolist()]
    is_so = {
        "hidden": model.sizes[1:-1],
        "lmbda": model.lmbda,
        "activation": model.activation,
        "regression": model.output == "identity",
        "output": model.output,
        "scale": model.scale,
        "solver": plan.solver,
        "standardize": model.scaling is not None,
        "checkpoint_every": plan.every,
    }
    for name, so in is_so.items():
        given = getattr(options, name, None)
        if validation.canonical(given) not in (None, False, so):
            raise _refused(f"--{name.replace('_', '-')} is {given}", so, options.checkpoint)
    if asked not in (None, weights) and (asked != "balanced" or weights is None):
        raise _refused("--class-weight is another", weights, options.checkpoint)


def _refused(got: str, so: Any, path: Path) -> ValueError:
    return ValueError(f"{got}, but the training in {str(path)!r} has {so}; the same is wanted, or nothing said of it")


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """What the user says of these; of the rest the functions know what is usual."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _model_file(options: argparse.Namespace) -> Path:
    from .. import files

    out = options.out or Path(_SAVED)
    files.check_format(out, "--out")
    _output(out)
    return out


def _trained(options: argparse.Namespace, examples: "Examples", model: "Model", out: Path, ending: Any) -> int:
    """Save the model and say what it is."""
    model.feature_names = examples.names
    scores = _scores(examples, model, options.json)  # may compile: saving is the last that a signal can stop
    moved, replaced = _make_room(out, model) if options.out is None else (None, False)
    model.save(out)
    if options.plot:
        from .. import plot

        plot.save(plot.history(model), options.plot)
    facts, lines = _report(options, examples, model, scores, out)
    _tell(options, facts | {"moved": moved, "replaced": replaced}, lines)
    if not options.json:
        lost = [f"moved        the file that was {out} to {moved}"] * bool(moved)
        lost += [f"replaced     a model of the same layers and labels in {out}"] * replaced
        for line in lost:
            print(line, file=sys.stderr if options.quiet else sys.stdout)
    signum = ending.signum or (signal.SIGINT if model.outcome.status == "interrupted" else 0)
    return 128 + signum if signum else 0


class _Scores(NamedTuple):
    """Scores of a trained model, and the number of examples that it was trained on."""

    all: float | None
    trained_on: float
    examples: int


def _scores(examples: "Examples", model: "Model", want_all: bool) -> _Scores:
    """Score the model on the examples trained on and, if `want_all`, on all examples."""
    X, y = examples.X, examples.y
    if model.held_out is None:
        score = model.score(X, y)
        return _Scores(score, score, len(X))
    indices = np.flatnonzero(~model.held_out)
    trained_on = model.score(_rows(X, indices), y[indices])
    return _Scores(model.score(X, y) if want_all else None, trained_on, len(indices))


def _rows(X: Any, indices: Any) -> Any:
    """Return these rows of X; a streamed X is read later."""
    from ..inputs import streams

    streamed = streams.stored(X)
    return streams.Chosen(streamed, indices) if streamed else X[indices]


def _make_room(out: Path, model: "Model") -> tuple[Path | None, bool]:
    """Rename an existing file unless it holds a model of the same layers, labels and column names.

    Return (its new name or None, whether another model will be replaced).
    """
    from ..model import load

    if not out.is_file():
        return None, False
    try:
        earlier = load(out)
    except (OSError, ValueError):  # not a model: renamed, too
        earlier = None
    if earlier is not None and _identity(earlier) == _identity(model):
        same = all(map(np.array_equal, earlier.weights, model.weights))
        return None, not same
    number = 1
    while (moved := out.with_stem(f"{out.stem}-{number}")).exists():
        number += 1
    out.rename(moved)
    return moved, False


def _identity(model: "Model") -> tuple[Any, ...]:
    """Return the properties that two models share if one may replace the other."""
    classes = None if model.classes is None else model.classes.tolist()
    return model.sizes, model.activation, model.output, model.multilabel, classes, model.feature_names


def _report(
    options: argparse.Namespace, examples: "Examples", model: "Model", scores: _Scores, out: Path
) -> tuple[dict[str, Any], list[str]]:
    """Of a training: facts for a script, and lines for a person."""
    X, y = examples.X, examples.y
    outcome, history = model.outcome, model.history
    measure = _measure(model)
    facts = {
        "data": options.data,
        "examples": len(X),
        "inputs": X.shape[1],
        "layout": examples.layout or None,
        "classes": None,
        "sizes": model.sizes,
        "lmbda": model.lmbda,
        measure.name: scores.all,
        "trained_on": {"examples": scores.examples, measure.name: scores.trained_on},
        "validation": None,
        **dataclasses.asdict(outcome),
        "saved": out,
        "plot": options.plot,
    }
    layout = f", {examples.layout}" if examples.layout else ""
    lines = [f"data         {options.data or 'the digits'}: {len(X):,} examples of {X.shape[1]} inputs{layout}"]
    if model.classes is None:
        lines.append(f"numbers      {y.min():g} to {y.max():g}")
    else:
        classes, counts = np.unique(y, return_counts=True)
        counted = [*zip(classes, counts, strict=True)]
        facts["classes"] = [{"label": label, "examples": count} for label, count in counted]
        lines.append(f"classes      {few([f'{label} ({count:,})' for label, count in counted], _SHOWN)}")
    held_out = f", {options.validation:g} of them held out" if isinstance(options.validation, float) else ""
    lines += [
        f"network      {'-'.join(map(str, model.sizes))}, lmbda {model.lmbda:g}, on {len(X):,} examples{held_out}",
        f"cost         {outcome.cost:.6f}",
        f"{measure.name:<12} {measure.shown(scores.trained_on)} of the {scores.examples:,} trained on",
    ]
    if options.validation is not None:
        # Without patience the weights of lowest cost came back: those of an iteration, or met on the way to the next.
        row = int((history.cost if options.patience is None else history.validation_cost).argmin())
        cost, score = history.validation_cost[row], history.validation_score[row]
        count = len(options.validation[0]) if model.held_out is None else int(model.held_out.sum())
        facts["validation"] = {"examples": count, "iteration": row, "cost": cost, measure.name: score}
        seen = f"{measure.name} {measure.shown(score)} of the {count:,} held out"
        lines.append(f"validation   {seen}, cost {cost:.6f} at iteration {row}")
    lines += [
        f"iterations   {outcome.iterations}",
        f"evaluations  {outcome.evaluations}",
        f"seconds      {outcome.seconds:.2f}{_kernel_seconds(outcome.compile_seconds)}",
        f"ended        {outcome.message}",
        f"saved        {out}",
        *[f"drawn        {options.plot}"] * bool(options.plot),
    ]
    return facts, lines


def _kernel_seconds(seconds: float) -> str:
    """Return the text about compiling and loading kernels; empty below 5 ms."""
    return f", and {seconds:.3g} {notice.kernel_work()}" if seconds >= 0.005 else ""


def _kind_of_output(options: argparse.Namespace) -> str:
    """Of the network that is trained; --regression is a word for one."""
    given = options.output
    if options.regression and given not in (None, "identity"):
        raise ValueError(f"--regression and --output {given} are both given; one of them is wanted")
    output = "identity" if options.regression else given or "sigmoid"
    if output == "identity" and options.class_weight:
        raise ValueError("--class-weight is given, but numbers have no classes; it is wanted without --regression")
    return output


def _known_labels(weights: dict[str, float] | str | None, y: Any) -> Any:
    """The same with labels as they are in y, where the command line has text."""
    if not isinstance(weights, dict):
        return weights
    labels = {str(label): label for label in np.unique(y).tolist()}
    return {labels.get(text, text): weight for text, weight in weights.items()}


def _validation(options: argparse.Namespace, examples: "Examples", numbers: bool) -> Any:
    """The fraction, or the examples of the file."""
    from .. import files

    if not isinstance(options.validation, str):
        return options.validation
    n, names = examples.X.shape[1], examples.names
    path, arrays = options.validation, {"inputs": options.inputs}
    inputs, comma, label = path.partition(",")
    if options.data and not Path(path).exists() and (comma or not Path(path).suffix):
        if not comma or files.is_table(Path(options.data)):
            arrays_too = "" if files.is_table(Path(options.data)) else ", or two arrays of --data, as Xval,yval"
            raise ValueError(f"--validation must be a fraction or a file that exists{arrays_too}, got {path!r}")
        if inputs == (options.inputs or "X"):
            raise ValueError(f"--validation must name other arrays than those trained on, got {inputs!r}")
        path, arrays = options.data, {"inputs": inputs, "label": label}
    elif options.data and Path(path).resolve() == Path(options.data).resolve():
        remedy = "Name two arrays in it, as Xval,yval, or a fraction, as 0.2"
        raise ValueError(f"--validation must hold other examples than --data, got the same file. {remedy}")
    others = _read(options, "--validation", path, n=n, names=names, numbers=numbers, **arrays)
    return others.X, _answers(others, "--validation")


class _Measure(NamedTuple):
    """How the score of a model is called, and how it is written."""

    name: str
    shown: Callable[[float], str]


def _measure(model: "Model") -> _Measure:
    if model.output == "identity":
        return _Measure("R2", lambda score: f"{score:.4f}")
    return _Measure("accuracy", lambda score: f"{100 * score:.2f} %")


def _predict(options: argparse.Namespace) -> int:
    from ..model import load

    model = load(options.model)
    if options.image:
        return _predict_image(options, model)
    for given in ("out", "order"):
        if getattr(options, given) is not None:
            raise ValueError(f"--{given} is given without IMAGE; both are wanted")
    examples = _examples(options, model, numbers=_has_numbers(model))
    if model.outcome.status == "unknown" and not options.json and not options.quiet:
        zero = "; 10 is the digit 0" if model.sizes[-1] == 10 else ""
        _note(options, options.model, [f"weights alone; labels are 1..{model.sizes[-1]}, as in the course{zero}"])
    score = None if examples.y is None else model.score(examples.X, examples.y)
    measure = _measure(model)
    _tell_predictions(options, model, examples.X, {measure.name: score})
    if score is not None and not options.json and not options.quiet:
        sys.stdout.flush()  # where nobody reads on, as behind head, this ends the command
        unseen = "" if options.data else " (the model may have been trained on them)"
        print(f"{measure.name} {measure.shown(score)} of {len(examples.X):,} examples{unseen}", file=sys.stderr)
    return 0


def _predict_image(options: argparse.Namespace, model: "Model") -> int:
    """Of a photo or a drawing; and a picture of what the network saw."""
    from .. import plot
    from ..datasets import photo

    if options.data or options.labels:
        raise ValueError("IMAGE and --data are both given; one of them is wanted")
    out = options.out or Path("seen.png")
    _picture(out)
    x = photo.read_digit(options.image, model.sizes[0], options.order or "F") / model.scale
    figure = plot.digits(x, order=options.order or "F")
    plot.canvas.title(figure.axes[0], f"The network sees {_seen(model, x)}")
    plot.save(figure, out)
    _tell_predictions(options, model, x, {"saved": out})
    if not options.json and not options.quiet:
        sys.stdout.flush()
        print(f"{_seen(model, x)}; what the network saw: {out}", file=sys.stderr)
    return 0


def _seen(model: "Model", x: Any) -> str:
    """What a model says of one example, and how sure it is."""
    said = " ".join(map(str, model.predict(x).ravel().tolist()))
    return said if _has_numbers(model) else f"{said} ({100.0 * model.predict_proba(x).max():.0f} %)"


def _tell_predictions(options: argparse.Namespace, model: "Model", X: Any, facts: dict[str, Any]) -> None:
    """A line for each example: what the model says, and with --proba how probable every class is."""
    predictions = model.predict(X)
    facts = {"predictions": predictions, **facts}
    columns = predictions.reshape(len(predictions), -1).astype(object)  # as Python writes them, in full
    names = ["prediction"] if columns.shape[1] == 1 else [f"prediction {name}" for name in _outputs(model)]
    if options.proba:
        A = model.predict_proba(X)
        facts |= {"classes": model.classes, "probabilities": A}
        columns = np.concatenate([columns, A.astype(object)], axis=1)
        names += [f"P({name})" for name in _outputs(model)]
    if options.output == "csv" and not options.json:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(columns)
    else:
        _tell(options, facts, (" ".join(map(str, row)) for row in columns), wanted=True)
    if options.proba and model.output == "sigmoid" and not options.json and not options.quiet:
        sys.stdout.flush()
        print("each probability is of one class against all others: a row need not sum to 1", file=sys.stderr)


def _outputs(model: "Model") -> list[Any]:
    """What the model's outputs are called."""
    return [*range(model.sizes[-1])] if model.classes is None else model.classes.tolist()


def _check(options: argparse.Namespace) -> int:
    from .. import files, network
    from ..check import check_gradient
    from ..inputs import validation
    from ..inputs.scaling import standardised
    from ..model import load
    from ..targets import Values

    for given in ("weights", "scale"):
        if options.model and getattr(options, given) is not None:
            raise ValueError(f"--model and --{given} are both given; one of them is wanted")
    model = load(options.model) if options.model else None
    lmbda = 1.0 if options.lmbda is None else options.lmbda
    activation, output = options.activation or "sigmoid", options.output or "sigmoid"
    scale, seed = 1.0 if options.scale is None else options.scale, options.seed or 0
    numbers = _has_numbers(model) if model else output == "identity"
    examples = _examples(options, model, numbers=numbers)
    X, y = examples.X, _answers(examples, "--data")
    if model:
        weights, lmbda, activation, output = model.weights, model.lmbda, model.activation, model.output
        scale = model.scale
        with validation.about("--data"):
            targets = model.targets.encode(y, len(X))
        answers = targets.classes if len(targets.classes) else targets.values
    else:
        if numbers:
            answers = Values.read(y, len(X))
            K = answers.shape[1]
        else:
            classes, answers = np.unique(y, return_inverse=True)
            K = len(classes)
        if options.weights:
            weights = validation.weights(files.read_weights(options.weights), X.shape[1], K)
        else:
            weights = network.init_weights((X.shape[1], *(options.hidden or (25,)), K), seed)
    m = len(X) if options.examples is None else min(validation.positive(options.examples, "--examples"), len(X))
    if m < len(X):
        some = np.arange(m) * len(X) // m
        X, answers = _rows(X, some), answers[some]
    if model and model.scaling:
        X = standardised(validation.inputs(X), scale, model.scaling)
        scale = 1.0
    report = check_gradient(
        weights,
        X,
        answers,
        lmbda,
        directions=10 if options.quick else None,
        seed=seed,
        progress=_bar(options),
        activation=activation,
        output=output,
        scale=scale,
    )
    _tell(options, {"passed": report.passed, **dataclasses.asdict(report)}, [str(report)], wanted=not report.passed)
    return 0 if report.passed else 1


def _show(options: argparse.Namespace) -> int:
    from .. import plot

    what = options.what or ("units" if options.model else "digits")
    out = options.out or Path("hidden-units.png" if what == "units" else f"{what}.png")
    _picture(out)
    models = _models(options) if options.model or what != "digits" else {}
    if len(models) > 1 and what != "history":
        raise ValueError(f"--model is given {len(models)} times; of {what} once is wanted")
    model: Any = next(iter(models.values()), None)
    if what == "history":
        figure = plot.history(models if len(models) > 1 else model, over=options.over)
    elif what == "units":
        figure = plot.units(model, order=options.order)
    elif what == "digits":
        figure = plot.digits(*_some_digits(options, model), order=options.order)
    else:
        examples = _examples(options, model)
        X, y = examples.X, _answers(examples, "--data")
        figure = plot.errors(model, X, y, order=options.order) if what == "errors" else plot.confusion(model, X, y)
    plot.save(figure, out)
    unseen = " (the model may have been trained on these examples)" if what in ("errors", "confusion") else ""
    _tell(options, {"saved": out}, [f"saved {out}{unseen}"])
    return 0


def _models(options: argparse.Namespace) -> dict[str, "Model"]:
    """Those that are named, or the one that fastnn train has saved here."""
    from ..model import load

    if not options.model and not Path(_SAVED).exists():
        raise ValueError(f"--model is not given, and {_SAVED}, which fastnn train saves, is not here; one is wanted")
    return {path: load(path) for path in options.model or [_SAVED]}


def _some_digits(options: argparse.Namespace, model: "Model | None") -> tuple[Any, Any, Any]:
    """A hundred, their labels if they have some, and what a model says of them."""
    from ..inputs import streams, validation

    examples = _examples(options, model, labelled=False)
    X, y = examples.X, examples.y
    some = validation.seed(options.seed).permutation(len(X))[:100]
    kept = streams.stored(X)
    X = kept.rows(some) if kept else X[some]
    return X, None if y is None else y[some], None if model is None else model.predict(X)


def _bench(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..benchmark import comparison, ladder, timing
    from ..inputs import validation

    out = options.out or Path("ladder.png")
    drawn = options.out is not None or find_spec("matplotlib") is not None
    if drawn:
        _picture(out)
    task, note = _bench_task(options)
    machine = timing.machine()
    forced = timing.forced_kernels(os.environ.get("OPENBLAS_CORETYPE"))
    for line in (timing.busy(), forced, note, timing.described(machine)):
        if line:
            print(line, file=sys.stderr if options.json else sys.stdout)
    with tqdm(total=ladder.STEPS, unit=" blocks", leave=False, disable=options.quiet or None) as bar:

        def progress(what: str, done: int) -> None:
            bar.set_description(what, refresh=False)
            bar.update(done)

        groups = ladder.measure_all(task, progress)
    if drawn:
        from .. import plot

        plot.save(plot.benchmark(groups, note=timing.described(machine)), out)
    else:
        print(validation.needs(f"drawing {out}", "matplotlib"), file=sys.stderr)
    _tell(
        options,
        {"machine": machine, "groups": [*map(comparison.facts, groups)], "saved": out if drawn else None},
        [
            *(line for group in groups for line in ("", *comparison.summary(group))),
            *("", *comparison.NOTES, "", *map(comparison.headline, groups)),
            *[f"saved {out}"] * drawn,
        ],
        wanted=True,
    )
    return 0


def _bench_task(options: argparse.Namespace) -> tuple["Task", str]:
    """The user's data, or random ones of the user's sizes; and a note if these are fewer than there are."""
    from ..benchmark import ladder
    from ..inputs import streams, validation

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
    kept, y = streams.stored(examples.X), examples.y
    classes, indices = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"--data holds one label only, {classes[0]!r}; at least two classes are wanted")
    count, n = examples.X.shape
    sizes = (n, *options.hidden, len(classes))
    used = min(m or ladder.examples_within_limit(sizes), count)
    some = np.arange(used) * count // used
    if kept:
        chosen = streams.Chosen(kept, some)
        validation.look_through(chosen)
        X = chosen.read(0, used)
    else:
        X = examples.X[some]
    X = streams.widened(X, 1.0)  # in memory, and of a type that every implementation knows
    part = ladder.task(X, indices[some], sizes, lmbda)
    if m is None and used < count:
        return part, f"on {used:,} of {count:,} examples, to end within a minute; --examples {count} takes all"
    return part, ""


def _convert(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..files import convert

    source, target = options.source, options.target
    _output(target, "target")
    with tqdm(
        total=source.stat().st_size,
        desc="converting",
        unit="B",
        unit_scale=True,
        leave=False,
        disable=options.quiet or None,
    ) as bar:
        done = convert.convert(source, target, dtype=options.dtype, progress=bar.update, **_table(options))
    _note(options, str(source), done.notes)
    classes = "many different labels" if done.classes is None else f"{done.classes:,} classes"
    line = f"{done.examples:,} examples of {done.inputs:,} inputs, {classes}, {done.bytes:,} bytes; {done.layout}"
    _tell(options, done._asdict(), [f"saved {' and '.join(map(str, done.saved))}: {line}"])
    return 0


def _export(options: argparse.Namespace) -> int:
    from ..model import load
    from ..model.export import export, write

    target = options.target
    _output(target, "TARGET")
    model = load(options.model)
    if options.c:
        write(model, target, ".h", options.dtype)
    else:
        export(model, target, dtype=options.dtype)
    size = target.stat().st_size
    _tell(options, {"saved": target, "bytes": size}, [f"saved {target}: {size:,} bytes"])
    return 0


def _info(options: argparse.Namespace) -> int:
    from ..kernels import tiles
    from ..runtime import cache, cores, pool

    packages = {package: version(package) for package in ("numpy", "scipy", "numba", "llvmlite")}
    usable = cores.usable()
    facts = {
        "fastnn": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        **packages,
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "vector_bits": 8 * tiles.SHAPE.bytes,
        "threading": pool.report(),
        "cache": cache.report(),
        "cache_folder": cache.folder(),
    }
    _tell(
        options,
        facts,
        [
            f"fastnn           {__version__}",
            f"python           {facts['python']} on {facts['system']} {facts['machine']}",
            *(f"{package:<16} {number}" for package, number in packages.items()),
            f"cores            {facts['cores']}"
            + f", of which this process may use {usable:g}" * (usable < (os.cpu_count() or 1)),
            f"vector width     {facts['vector_bits']} bits, {tiles.SHAPE.bytes // 8} float64",
            f"threading layer  {facts['threading']}",
            f"cache folder     {facts['cache']}",
        ],
        wanted=True,
    )
    return 0


def _tell(options: argparse.Namespace, facts: dict[str, Any], lines: Iterable[str], *, wanted: bool = False) -> None:
    """Print the facts as JSON where a script asks for that, else as the lines that a person reads.

    With --quiet lines are printed only if they are what is `wanted` of the command.
    """
    if options.json:
        lines = [json.dumps(_plain(facts), allow_nan=False)]  # in ASCII: any encoding of the output can say it
    elif options.quiet and not wanted:
        lines = []
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


def _examples(
    options: argparse.Namespace, model: "Model | None" = None, *, numbers: bool = False, labelled: bool = True
) -> "Examples":
    """The user's, or the shipped digits; with the model's inputs. `numbers`: these are wanted, not labels."""
    from .. import files
    from ..datasets import digits

    if not options.data:
        alone = ["labels", "inputs"]
        if not isinstance(getattr(options, "validation", None), str):  # a table, perhaps
            alone += _table(options)
        for given in alone:
            if getattr(options, given) is not None:
                raise ValueError(f"--{given} is given without --data; both are wanted")
        X, y = digits.load_digits()
        if model and model.classes is not None and model.classes.tolist() == [*range(1, 11)]:
            y = np.where(y == 0, 10, y)  # as the course labels them
        return files.Examples(X, y)
    n, names = (model.sizes[0], model.feature_names) if model else (None, None)
    own = {"inputs": options.inputs, "labels": options.labels, "labelled": labelled}
    return _read(options, "--data", options.data, n=n, names=names, numbers=numbers, **own)


def _read(
    options: argparse.Namespace,
    name: str,
    path: str,
    *,
    n: int | None,
    names: Sequence[str] | None,
    numbers: bool,
    **own: Any,
) -> "Examples":
    """Examples of n inputs, of these names if they have any; each doubt is a line on standard error."""
    from .. import files
    from ..inputs import validation

    examples = files.read_examples(path, n, names, numbers=numbers, **(_table(options) | own))
    if names and examples.names:
        validation.same_names(examples.names, names, name)
    _note(options, f"{name} {path}", examples.notes)
    return examples


def _table(options: argparse.Namespace) -> dict[str, Any]:
    """What the user says of a table."""
    return {option: getattr(options, option) for option in ("header", "delimiter", "encoding", "label")}


def _note(options: argparse.Namespace, what: str, notes: Sequence[str]) -> None:
    for note in notes:
        line = note.replace("header=False", "--no-header")
        print(f"fastnn {options.command}: {what}: {line}", file=sys.stderr)


def _answers(examples: "Examples", name: str) -> Any:
    if examples.y is None:
        raise ValueError(f"{name} has no labels; one for every example is wanted")
    return examples.y


def _has_numbers(model: "Model") -> bool:
    """Whether y is numbers for it, (m, K), and not labels."""
    return model.classes is None or model.multilabel


def _bar(options: argparse.Namespace) -> bool | None:
    """Whether there is one: where standard error is a terminal, unless the command is to be quiet."""
    return False if options.quiet else None


def _output(out: Path, name: str = "--out") -> None:
    """The file that the command is going to write."""
    _in_a_folder(out, name)
    shell.writes(out)


def _picture(out: Path | None, name: str = "--out") -> None:
    """The same for a picture, or for none; beside another file the signal's words are about that."""
    if out is None:
        return
    from ..plot import canvas

    canvas.check_path(out)
    _in_a_folder(out, name)
    if name == "--out":
        shell.writes(out)


def _in_a_folder(out: Path, name: str) -> None:
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{name} is {str(out)!r}, in a folder that does not exist")


def _file(text: str) -> str:
    """Refuse an empty name, as of a variable of the shell that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("must be the name of a file, got ''")
    return text


def _path(text: str) -> Path:
    return Path(_file(text))


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


def _interval(text: str) -> int | float:
    """Iterations if it is an integer, else seconds."""
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; iterations, as 10, or seconds, as 5.0, are wanted") from None


def _scale(text: str) -> float:
    """A number, or a fraction of two, 1/255."""
    above, stroke, below = text.partition("/")
    try:
        return float(above) / float(below) if stroke else float(above)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r}; a number, or a fraction as 1/255, is wanted") from None


def _held_out(text: str) -> float | str:
    """A fraction, or the name of a file."""
    try:
        fraction = float(text)
    except ValueError:
        return _file(text)
    if not 0.0 < fraction < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}; a fraction between 0 and 1, or a file, is wanted")
    return fraction


def _class_weights(text: str) -> dict[str, float] | str:
    """As balanced, or 3=1,5=2.5."""
    if text == "balanced":
        return text
    pairs = [pair.rpartition("=") for pair in text.split(",")]
    try:
        weights = {label: float(weight) for label, _, weight in pairs}
    except ValueError:
        weights = {"": 0.0}
    if "" in weights:
        raise argparse.ArgumentTypeError(f"{text!r}; balanced, or LABEL=WEIGHT with commas between them, is wanted")
    return weights
