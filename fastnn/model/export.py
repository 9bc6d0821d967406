"""A trained network for other programs: as ONNX, as a C header, or in another of its own formats."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import files
from ..files import FORMATS
from ..inputs import validation
from ..inputs.validation import Array
from ..targets import THRESHOLD
from . import Model
from .unwrap import to_model

# The oldest set of operations, of 2020, in which all that is needed stands as it does today.
_OPSET, _IR = 13, 7

# Sums beyond which sigmoids in float64 are 0 and 1, where `predict` takes the first. Labels come from the sums, cut
# there: a runtime's own sigmoids are equal long before. In float32 25 gives 1 as 20 does, and the first was named.
_SATURATED = -745.0, 37.0

_HIDDEN_NODES = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": "Identity"}
_OUTPUT_NODES = {"sigmoid": "Sigmoid", "softmax": "Softmax", "identity": "Identity"}


def export(model: Any, path: str | os.PathLike[str], *, dtype: str | None = None) -> None:
    """Write a model for a program that has no fastnn.

    Parameters
    ----------
    model : Model, fitted estimator or pipeline
        A model, an estimator of `fastnn.estimator`, or a pipeline of scalers that ends in one.
    path : str or path
        The suffix says what is written, and an existing file is replaced:

        - `.onnx`, the whole of `predict` as a graph of ONNX. It takes `X` (m, n) of type `dtype`, and gives `label` and
          `probabilities`, as `predict` and `predict_proba` do; of a model of numbers `value`. It needs onnx.
        - `.h`, one function in C99 with the weights beside it, for microcontrollers. It takes an example, fills in the
          outputs, and returns the number of the largest one. The file's name is the prefix of its names.
        - `.npz`, `.mat` and `.safetensors` are written by `Model.save`.
    dtype : {"float32", "float64"}, optional
        Of the arithmetic of a graph or a header. Default: float32 of ONNX, which runtimes are made for, float64 of C.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, or the format has no place for the classes or the weights; nothing is written then.
    OSError
        If it cannot be written.

    Notes
    -----
    Probabilities of digits agree with those of `predict_proba` to 1e-14 in float64, and in float32 to about 1e-6, by
    the rounding of sums of 400 products: 0.8e-6 of the usual network, 1.5e-6 where weights are as large as 11. Where
    inputs are standardised, the mean is taken off in float64 in both: beside a large one float32 loses what differs.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5)
    >>> fastnn.export(model, "digits.h")
    >>> with open("digits.h") as file:
    ...     print(file.readline())
    /* A network 400-25-10, sigmoid and sigmoid, written by fastnn.
    <BLANKLINE>
    """
    model = to_model(model)
    path = files._path(path)
    writers: dict[str, Callable[[Model, Path, str | None], None]] = {".onnx": write_onnx, ".h": write_c}
    suffix = path.suffix.lower()
    if suffix in writers:
        writers[suffix](model, path, dtype)
        return
    if suffix not in FORMATS:
        want = ", ".join([*writers, *FORMATS])
        raise ValueError(f"path is {str(path)!r}; a name that ends in one of {want} is wanted")
    if dtype is not None:
        raise ValueError(
            f"dtype is {dtype!r}, but {suffix} keeps float64; it is wanted of {' and '.join(writers)} alone"
        )
    model.save(path)


def write_onnx(model: Model, path: Path, dtype: str | None = None) -> None:
    """The graph, checked by onnx."""
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise ImportError(validation.needs("an .onnx file", "onnx")) from None
    kind = np.dtype(validation.choice(dtype or "float32", ("float32", "float64"), "dtype"))
    real = helper.np_dtype_to_tensor_dtype(kind)
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    A = "X"
    if model.scaling:
        A = node("Cast", [A], "wide", to=TensorProto.DOUBLE)
        A = node("Mul", [A, constant("scale", np.float64(model.scale))], "scaled")
        A = node("Sub", [A, constant("mean", model.scaling.mean)], "centred")
        A = node("Div", [A, constant("deviation", model.scaling.deviation)], "standardised")
        A = node("Cast", [A], "inputs", to=real)
    elif model.scale != 1.0:
        A = node("Mul", [A, constant("scale", kind.type(model.scale))], "scaled")
    last = len(model.weights) - 1
    for l, W in enumerate(_in(kind, model)):
        weight, bias = constant(f"weight{l + 1}", W[:, 1:]), constant(f"bias{l + 1}", W[:, 0])
        A = node("Gemm", [A, weight, bias], f"layer{l + 1}", transB=1)
        if l < last:
            A = node(_HIDDEN_NODES[model.activation], [A], f"activation{l + 1}")
    m, K = "examples", model.sizes[-1]
    if model.output == "identity":
        shape: list[Any] = [m] if K == 1 else [m, K]
        node("Squeeze", [A, constant("columns", np.array([1]))], "value") if K == 1 else node("Identity", [A], "value")
        outputs = [helper.make_tensor_value_info("value", real, shape)]
    else:
        more, sums = {"axis": 1} if model.output == "softmax" else {}, A
        A = node(_OUTPUT_NODES[model.output], [A], "probabilities", **more)
        if model.multilabel:
            yes = node("Greater", [A, constant("half", kind.type(THRESHOLD))], "yes")
            node("Cast", [yes], "label", to=TensorProto.INT64)
            label = helper.make_tensor_value_info("label", TensorProto.INT64, [m, K])
        else:
            classes = numpy_helper.from_array(_classes_of(model), "classes")
            constants.append(classes)
            if model.output == "sigmoid":
                ends = [constant(name, kind.type(end)) for name, end in zip(("least", "most"), _SATURATED, strict=True)]
                sums = node("Clip", [sums, *ends], "clipped")
            best = node("ArgMax", [sums], "best", axis=1, keepdims=0)  # the first of equal ones
            node("Gather", ["classes", best], "label", axis=0)
            label = helper.make_tensor_value_info("label", classes.data_type, [m])
        outputs = [label, helper.make_tensor_value_info("probabilities", real, [m, K])]
    X = helper.make_tensor_value_info("X", real, [m, model.sizes[0]])
    graph = helper.make_graph(nodes, "fastnn", [X], outputs, constants, doc_string=_about(model))
    opset = helper.make_opsetid("", _OPSET)
    whole = helper.make_model(graph, opset_imports=[opset], ir_version=_IR, producer_name="fastnn")
    if model.feature_names is not None:
        helper.set_model_props(whole, {"feature_names": json.dumps([*model.feature_names])})
    onnx.checker.check_model(whole, full_check=True)
    _write(path, whole.SerializeToString())


def _write(path: Path, content: bytes) -> None:
    def write(file: IO[bytes]) -> None:
        file.write(content)

    files.write_atomically(path, write)


def _about(model: Model) -> str:
    """What it is, on one line."""
    layers = "-".join(map(str, model.sizes))
    return f"a network {layers}, {model.activation} and {model.output}, written by fastnn"


def _in(kind: np.dtype[Any], model: Model) -> list[Array]:
    """Its weights in that type; ValueError if it cannot hold them."""
    with np.errstate(over="ignore"):
        weights = [W.astype(kind) for W in model.weights]
    if not all(np.isfinite(W).all() for W in weights):
        largest = max(float(np.abs(W).max()) for W in model.weights)
        raise ValueError(f"dtype is {kind.name!r}, but the largest weight is {largest:.3g}; 'float64' is wanted")
    return weights


def _classes_of(model: Model) -> Array:
    """The classes as ONNX has them: integers, numbers, booleans or text."""
    classes: Any = model.classes
    if classes.dtype.kind in "iu" and classes.max() <= np.iinfo(np.int64).max:
        return np.asarray(classes, np.int64)
    if classes.dtype.kind == "f" and classes.dtype.itemsize <= 8:
        return np.asarray(classes, np.float64)
    if classes.dtype.kind == "b":
        return classes
    if classes.dtype.kind == "U":
        return np.array([_encoded(label).decode() for label in classes.tolist()], dtype=object)
    raise ValueError(f"model has classes of {classes.dtype}, for which ONNX has no type; text or integers are wanted")


def _encoded(label: str) -> bytes:
    """In UTF-8."""
    try:
        return label.encode()
    except UnicodeEncodeError:
        raise ValueError(f"model has the class {label!r}, which is no text in Unicode; such text is wanted") from None


# The value z of a unit, in C.
_IN_C = {
    "sigmoid": "1 / (1 + exp{f}(-z))",
    "tanh": "tanh{f}(z)",
    "relu": "z < 0 ? 0 : z",
    "identity": "z",
}

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

_SOFTMAX = """\
        {name}_real top = last[0], sum = 0;
        for (i = 1; i < {K}; i++)
            top = last[i] > top ? last[i] : top;
        for (i = 0; i < {K}; i++)
            sum += outputs[i] = exp{f}(last[i] - top);
        for (i = 0; i < {K}; i++)
            outputs[i] /= sum;"""

_EACH = """\
        for (i = 0; i < {K}; i++) {{
            z = last[i];
            outputs[i] = {output};
        }}"""

_BEST = """
        for (i = 1, unit = 0; i < {K}; i++)
            unit = outputs[i] > outputs[unit] ? i : unit;
        return unit;"""


def write_c(model: Model, path: Path, dtype: str | None = None) -> None:
    """The header."""
    kind = np.dtype(validation.choice(dtype or "float64", ("float32", "float64"), "dtype"))
    name = re.sub(r"\W", "_", path.name.split(".")[0], flags=re.ASCII)
    name = name if re.match("[A-Za-z]", name) else f"model_{name}"
    f = "f" if kind == np.float32 else ""
    weights = _in(kind, model)
    K, widest = model.sizes[-1], max(model.sizes)
    labelled = model.classes is not None and not model.multilabel
    fill = {"name": name, "K": K, "f": f}
    tables = []
    scaled = f"x[i] * {_number(kind.type(model.scale))}" if model.scale != 1.0 else "x[i]"
    if model.scaling:  # in double, as float may lose what differs between examples
        mean, deviation = (_numbers(values) for values in model.scaling)
        tables += [
            f"static const double {name}_mean[] = {{\n{mean}\n}};",
            f"static const double {name}_deviation[] = {{\n{deviation}\n}};",
        ]
        double = f"(double)x[i] * {_number(np.float64(model.scale))}" if model.scale != 1.0 else "x[i]"
        scaled = f"({name}_real)(({double} - {name}_mean[i]) / {name}_deviation[i])"
    if model.classes is not None:
        words = ",\n".join(f"    {_c_text(str(label))}" for label in model.classes.tolist())
        tables.append(f"static const char *const {name}_classes[{K}] = {{\n{words}\n}};")
    if model.output == "identity":
        says = "The outputs are the numbers that it\n * predicts."
    elif model.multilabel:
        says = "Each output is the probability of its\n * label, which is there from 0.5 on."
    else:
        says = "Each output is the probability of its\n * class. Returned is the number of the largest."
    output = _SOFTMAX if model.output == "softmax" else _EACH
    text = _HEADER.format(
        **fill,
        about=_about(model)[0].upper() + _about(model)[1:],
        call=f"int best = {name}_predict(x, outputs);" if labelled else f"{name}_predict(x, outputs);",
        n=model.sizes[0],
        says=says,
        guard=f"{name.upper()}_H",
        real="float" if f else "double",
        tables="\n".join(tables),
        weights="\n".join(
            f"static const {name}_real {name}_weights{l + 1}[{W.size}] = {{\n{_numbers(W)}\n}};"
            for l, W in enumerate(weights)
        ),
        returns="int" if labelled else "void",
        rows=", ".join(f"{name}_weights{l + 1}" for l in range(len(weights))),
        sizes=", ".join(map(str, model.sizes)),
        widest=widest,
        scaled=scaled,
        layers=len(weights),
        last=len(weights) - 1,
        hidden=_IN_C[model.activation].format(f=f),
        output=output.format(**fill, output=_IN_C.get(model.output, "").format(f=f))
        + (_BEST.format(**fill) if labelled else ""),
    )
    _write(path, text.encode())


def _numbers(values: Array) -> str:
    """As C has them, so that they come back to the bit; six a line."""
    words = [_number(value) for value in values.ravel()]
    return ",\n".join(f"    {', '.join(words[i : i + 6])}" for i in range(0, len(words), 6))


def _number(value: Any) -> str:
    """The shortest decimals that are this number and no other."""
    return np.format_float_scientific(value) + "f" * (value.dtype == np.float32)


def _c_text(label: str) -> str:
    """A string of C: what is not plain in octal, which ends after three digits."""
    plain = {*range(0x20, 0x7F)} - {*b'"\\?'}
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in _encoded(label)) + '"'
