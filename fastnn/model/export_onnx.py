"""A model as a graph of ONNX."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..inputs import validation

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise ImportError(validation.needs("an .onnx file", "onnx")) from None

from ..inputs.scaling import Scaling
from ..spec import HIDDEN, OUTPUTS, Activation, Array, DType
from ..targets import THRESHOLD, Classes, MultiLabel, Values
from . import Model

# The oldest set of operations, of 2020, in which all that is needed stands as it does today.
_OPSET, _IR = 13, 7

# The name of the examples' axis.
_M = "examples"


class _Graph:
    """Nodes and constants in the order in which they are added; `kind` is the type of the arithmetic."""

    def __init__(self, kind: DType):
        self.kind = kind
        self.real = helper.np_dtype_to_tensor_dtype(kind)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def constant(self, name: str, values: object) -> str:
        """Add a constant; return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operation: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def activation(self, row: Activation, z: str, output: str) -> str:
        """Add the node of an activation; return the name of its output."""
        return self.node(row.onnx, [z], output, **row.onnx_attributes)

    def result(self, name: str, kind: int, shape: Sequence[int | str]) -> None:
        """Make a node's output one of the graph's."""
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))


def encode(model: Model, weights: Sequence[Array], about: str, name: str) -> bytes:
    """Return the file's content, checked by onnx; `weights` are the model's in the type of the arithmetic."""
    graph = _Graph(weights[0].dtype)
    inputs = _standardised(graph, model.scaling, model.scale) if model.scaling else _scaled(graph, model.scale)
    z = _layers(graph, HIDDEN[model.activation], weights, inputs)
    _RESULTS[type(model.kind)](graph, model, z)
    X = helper.make_tensor_value_info("X", graph.real, [_M, model.sizes[0]])
    made = helper.make_graph(graph.nodes, "fastnn", [X], graph.outputs, graph.constants, doc_string=about)
    opset = helper.make_opsetid("", _OPSET)
    whole = helper.make_model(made, opset_imports=[opset], ir_version=_IR, producer_name="fastnn")
    if model.feature_names is not None:
        helper.set_model_props(whole, {"feature_names": json.dumps([*model.feature_names])})
    onnx.checker.check_model(whole, full_check=True)
    return bytes(whole.SerializeToString())


def _scaled(graph: _Graph, scale: float) -> str:
    return "X" if scale == 1.0 else graph.node("Mul", ["X", graph.constant("scale", graph.kind.type(scale))], "scaled")


def _standardised(graph: _Graph, scaling: Scaling, scale: float) -> str:
    """Add nodes that take X to standardised inputs, in float64: beside a large mean float32 loses what differs."""
    A = graph.node("Cast", ["X"], "wide", to=TensorProto.DOUBLE)
    A = graph.node("Mul", [A, graph.constant("scale", np.float64(scale))], "scaled")
    A = graph.node("Sub", [A, graph.constant("mean", scaling.mean)], "centred")
    A = graph.node("Div", [A, graph.constant("deviation", scaling.deviation)], "standardised")
    return graph.node("Cast", [A], "inputs", to=graph.real)


def _layers(graph: _Graph, activation: Activation, weights: Sequence[Array], A: str) -> str:
    """Add the layers; return the name of the output's pre-activations."""
    for l, W in enumerate(weights, start=1):
        if l > 1:
            A = graph.activation(activation, A, f"activation{l - 1}")
        weight, bias = graph.constant(f"weight{l}", W[:, 1:]), graph.constant(f"bias{l}", W[:, 0])
        A = graph.node("Gemm", [A, weight, bias], f"layer{l}", transB=1)
    return A


def _numbers(graph: _Graph, model: Model, z: str) -> None:
    """Add `value` (m, K), or (m,) if K is 1."""
    K = model.sizes[-1]
    if K == 1:
        graph.node("Squeeze", [z, graph.constant("columns", np.array([1]))], "value")
    else:
        graph.node("Identity", [z], "value")
    graph.result("value", graph.real, [_M] if K == 1 else [_M, K])


def _several_labels(graph: _Graph, model: Model, z: str) -> None:
    """Add `label` and `probabilities` (m, K), the former of 0 and 1."""
    K = model.sizes[-1]
    A = graph.activation(OUTPUTS[model.output].activation, z, "probabilities")
    yes = graph.node("Greater", [A, graph.constant("half", graph.kind.type(THRESHOLD))], "yes")
    graph.node("Cast", [yes], "label", to=TensorProto.INT64)
    graph.result("label", TensorProto.INT64, [_M, K])
    graph.result("probabilities", graph.real, [_M, K])


def _classes(graph: _Graph, model: Model, z: str) -> None:
    """Add `label` (m,) and `probabilities` (m, K)."""
    output = OUTPUTS[model.output]
    graph.activation(output.activation, z, "probabilities")
    graph.constant("classes", _typed(np.asarray(model.classes)))
    kind = graph.constants[-1].data_type
    # Labels come from the sums, cut where `predict` finds outputs equal: a runtime's own sigmoids are equal long
    # before. In float32 a sum of 25 gives 1 as 20 does, and the first class was named.
    if output.saturated:
        ends = zip(("least", "most"), output.saturated, strict=True)
        z = graph.node("Clip", [z, *(graph.constant(name, graph.kind.type(end)) for name, end in ends)], "clipped")
    best = graph.node("ArgMax", [z], "best", axis=1, keepdims=0)  # the first of equal ones
    graph.node("Gather", ["classes", best], "label", axis=0)
    graph.result("label", kind, [_M])
    graph.result("probabilities", graph.real, [_M, model.sizes[-1]])


# Function that adds the results, by kind of y.
_RESULTS = {Values: _numbers, MultiLabel: _several_labels, Classes: _classes}


def _typed(classes: Array) -> Array:
    """Return the classes as ONNX has them: integers, numbers, booleans or text."""
    if classes.dtype.kind in "iu" and classes.max() <= np.iinfo(np.int64).max:
        return np.asarray(classes, np.int64)
    if classes.dtype.kind == "f" and classes.dtype.itemsize <= 8:
        return np.asarray(classes, np.float64)
    if classes.dtype.kind == "b":
        return classes
    if classes.dtype.kind == "U":
        return classes.astype(object)
    raise ValueError(f"model has classes of {classes.dtype}, for which ONNX has no type; text or integers are wanted")
