"""A model as a header of C99: one function, with the weights beside it."""

import re
from collections.abc import Sequence

import numpy as np

from ..spec import HIDDEN, OUTPUTS, Array
from ..targets import Classes, MultiLabel, Values
from . import Model

_HEADER = """\
/* {about}.
 *
 *     {name}_real outputs[{K}];
 *     {call}
 *
 * x holds the {n} inputs of one example, as the network was trained on: they are scaled here. {says} */
#ifndef {guard}
#define {guard}

#include <math.h>

typedef {real} {name}_real;

{tables}

/* Row by row; the first number of each row is a unit's bias. */
{weights}

static inline {returns} {name}_predict(const {name}_real *x, {name}_real *outputs)
{{
    static const {name}_real *const weights[] = {{{rows}}};
    static const int sizes[] = {{{sizes}}};
    {name}_real values[2][{widest}], z;
    int i, l, unit;
    for (i = 0; i < {n}; i++)
        values[0][i] = {scaled};
    for (l = 0; l < {layers}; l++) {{
        const {name}_real *row = weights[l], *from = values[l % 2];
        {name}_real *to = values[(l + 1) % 2];
        for (unit = 0; unit < sizes[l + 1]; unit++, row += sizes[l] + 1) {{
            z = row[0];
            for (i = 0; i < sizes[l]; i++)
                z += row[i + 1] * from[i];
            to[unit] = l < {last} ? ({hidden}) : z;
        }}
    }}
    {{
        const {name}_real *last = values[{layers} % 2];
{output}
    }}
}}

#endif
"""

# Statements that fill outputs[] from last[], the output's pre-activations: of activations that need the whole layer,
# and of all others.
_WHOLE_LAYER = {
    "softmax": """\
        {name}_real top = last[0], sum = 0;
        for (i = 1; i < {K}; i++)
            top = last[i] > top ? last[i] : top;
        for (i = 0; i < {K}; i++)
            sum += outputs[i] = exp{f}(last[i] - top);
        for (i = 0; i < {K}; i++)
            outputs[i] /= sum;""",
}

_EACH = """\
        for (i = 0; i < {K}; i++) {{
            z = last[i];
            outputs[i] = {output};
        }}"""

_BEST = """
        for (i = 1, unit = 0; i < {K}; i++)
            unit = outputs[i] > outputs[unit] ? i : unit;
        return unit;"""


# Sentence that tells what the outputs are.
_MEANING = {
    Values: "The outputs are the numbers that it\n * predicts.",
    MultiLabel: "Each output is the probability of its\n * label, which is there from 0.5 on.",
    Classes: "Each output is the probability of its\n * class. Returned is the number of the largest.",
}


def encode(model: Model, weights: Sequence[Array], about: str, name: str) -> bytes:
    """Return the file's content; `weights` are the model's in the type of the arithmetic, `name` the file's."""
    name = _identifier(name)
    real, f = ("float", "f") if weights[0].dtype == np.float32 else ("double", "")
    labelled = isinstance(model.kind, Classes)
    fill = {"name": name, "K": model.sizes[-1], "f": f}
    output = _WHOLE_LAYER.get(model.output, _EACH) + (_BEST if labelled else "")
    matrices = (f"{name}_weights{l}[{W.size}] = {{\n{_numbers(W)}\n}};" for l, W in enumerate(weights, start=1))
    call = f"{name}_predict(x, outputs);"
    text = _HEADER.format(
        **fill, about=about[0].upper() + about[1:], call=f"int best = {call}" if labelled else call,
        n=model.sizes[0], says=_MEANING[type(model.kind)], guard=f"{name.upper()}_H", real=real,
        tables="\n".join(_tables(model, name)), returns="int" if labelled else "void",
        weights="\n".join(f"static const {name}_real {matrix}" for matrix in matrices),
        rows=", ".join(f"{name}_weights{l + 1}" for l in range(len(weights))),
        sizes=", ".join(map(str, model.sizes)), widest=max(model.sizes), layers=len(weights), last=len(weights) - 1,
        scaled=_scaled(model, name, weights[0].dtype), hidden=HIDDEN[model.activation].c.format(f=f),
        output=output.format(**fill, output=OUTPUTS[model.output].activation.c.format(f=f)),
    )  # fmt: skip
    return text.encode()


def _identifier(file: str) -> str:
    """Return a file's name, up to its first dot, as an identifier of C."""
    name = re.sub(r"\W", "_", file.split(".")[0], flags=re.ASCII)
    return name if re.match("[A-Za-z]", name) else f"model_{name}"


def _tables(model: Model, name: str) -> list[str]:
    """Return the arrays beside the weights: means and deviations, and the classes."""
    tables = []
    if model.scaling:  # in double, as float may lose what differs between examples
        for kind, values in zip(("mean", "deviation"), model.scaling, strict=True):
            tables.append(f"static const double {name}_{kind}[] = {{\n{_numbers(values)}\n}};")
    if (labels := model.kind.labels) is not None:
        words = ",\n".join(f"    {_text(str(label))}" for label in labels.tolist())
        tables.append(f"static const char *const {name}_classes[{len(labels)}] = {{\n{words}\n}};")
    return tables


def _scaled(model: Model, name: str, kind: np.dtype[np.floating]) -> str:
    """Return the expression of input i as it goes into the network."""
    if not model.scaling:
        return _times("x[i]", kind.type(model.scale))
    wide = "x[i]" if model.scale == 1.0 else _times("(double)x[i]", np.float64(model.scale))
    return f"({name}_real)(({wide} - {name}_mean[i]) / {name}_deviation[i])"


def _times(x: str, factor: np.floating) -> str:
    return x if factor == 1.0 else f"{x} * {_number(factor)}"


def _numbers(values: Array) -> str:
    """Return the numbers as C has them, so that they come back to the bit; six a line."""
    words = [_number(value) for value in values.ravel()]
    return ",\n".join(f"    {', '.join(words[i : i + 6])}" for i in range(0, len(words), 6))


def _number(value: np.floating) -> str:
    """Return the shortest decimals that are this number and no other."""
    return str(np.format_float_scientific(value)) + "f" * (value.dtype == np.float32)


def _text(label: str) -> str:
    """Return a string of C in UTF-8; all but plain characters are octal, which ends after three digits."""
    plain = {*range(0x20, 0x7F)} - {*b'"\\?'}
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in label.encode()) + '"'
