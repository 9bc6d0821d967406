"""The workloads as users of other libraries would write them well.

Each function takes a task and returns what is to be timed and checked, as the workloads of
`fastnn.benchmark.ladder` do. Data and parameters are where the library wants them before the clock starts.
"""

import itertools
import sys
import warnings

import numpy as np

from fastnn import network
from fastnn.benchmark import ladder
from fastnn.training.control import GRADIENT_TOLERANCE

# ---- scikit-learn: several labels for each example make it K sigmoids and their summed cross-entropy, the
# course's cost; its alpha is the course's lmbda.


class _Sklearn:
    """The network, trained for any number of iterations from the task's weights."""

    def __init__(self, task):
        from sklearn.neural_network import MLPClassifier

        self.task = task
        self.targets = np.eye(task.sizes[-1], dtype=int)[task.y]
        self.network = MLPClassifier(
            task.sizes[1:-1],
            activation="logistic",
            solver="lbfgs",
            alpha=task.lmbda,
            tol=GRADIENT_TOLERANCE,
            warm_start=True,  # from the weights that are set
        )
        self.fit(1)  # or it has no weights to set
        self.set_weights()

    def fit(self, maxiter):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the limit on iterations is reached
            self.network.set_params(max_iter=maxiter).fit(self.task.X, self.targets)

    def set_weights(self):
        self.network.coefs_ = [W[:, 1:].T.copy() for W in self.task.weights]
        self.network.intercepts_ = [W[:, 0].copy() for W in self.task.weights]

    def train(self, maxiter):
        self.set_weights()
        self.fit(maxiter)
        pairs = zip(self.network.coefs_, self.network.intercepts_, strict=True)
        return np.concatenate([np.column_stack([b, W.T]).ravel() for W, b in pairs])


def sklearn_forward(task):
    network = _Sklearn(task).network
    return ladder.Timed(
        call=lambda: network.predict_proba(task.X),
        want=lambda: ladder.right_outputs(task),
        tolerance=ladder.rounding(task),
        operations=ladder.forward_operations(task),
    )


def sklearn_training(task):
    return _training(task, _Sklearn(task).train)


def _training(task, train):
    """L-BFGS by SciPy, from the same start: the same path, for a few iterations at least."""
    evaluations = ladder.trained(task, "L-BFGS-B", task.maxiter)[1]
    return ladder.Timed(
        call=lambda: train(task.maxiter),
        want=lambda: ladder.right_training(task, "L-BFGS-B"),
        tolerance=ladder.TRAINING_FACTOR * ladder.rounding(task),
        checked=lambda: train(ladder.COMPARED_ITERATIONS),
        operations=evaluations * ladder.gradient_operations(task),
    )


# ---- PyTorch: linear layers, binary_cross_entropy_with_logits, autograd


class _Torch:
    """The network's cost as a function of its layers (W, b, W, b, ...)."""

    def __init__(self, task):
        import torch

        self.torch, self.task = torch, task
        self.data = torch.tensor(task.X)
        self.targets = torch.nn.functional.one_hot(torch.tensor(task.y), task.sizes[-1]).to(self.data.dtype)
        self.layers = [layer.requires_grad_() for layer in self.layers_of(task.theta)]

    def layers_of(self, theta):
        tensor = self.torch.from_numpy(theta.astype(self.task.X.dtype))
        layers = []
        for (rows, columns), start, end in self.places():
            W = tensor[start:end].view(rows, columns)
            layers += [W[:, 1:].contiguous(), W[:, 0].contiguous()]
        return layers

    def places(self):
        end = 0
        for rows, columns in network.shapes(self.task.sizes):
            start, end = end, end + rows * columns
            yield (rows, columns), start, end

    def outputs(self, *layers):
        functional = self.torch.nn.functional
        A = self.data
        for W, b in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            A = self.torch.sigmoid(functional.linear(A, W, b))
        return functional.linear(A, layers[-2], layers[-1])

    def cost(self, *layers):
        loss = self.torch.nn.functional.binary_cross_entropy_with_logits
        m, lmbda = len(self.data), self.task.lmbda
        squares = sum(W.square().sum() for W in layers[::2])
        return loss(self.outputs(*layers), self.targets, reduction="sum") / m + lmbda / (2 * m) * squares

    def compiled_cost(self):
        """`cost`, compiled for this task and no other.

        PyTorch keeps graphs by code object, so without the reset all tasks share them: sizes that differ become
        variables, and after 8 graphs (`recompile_limit`) what needs another runs eagerly, which only a line in the
        log tells. Of 22 cases 7 ran eagerly, and 7 by a graph tuned at other sizes (PyTorch 2.13). `fullgraph`
        makes the limit an error.
        """
        self.torch.compiler.reset()
        return self.torch.compile(self.cost, mode="max-autotune", fullgraph=True)

    def flat(self, layers):
        """In the order of theta, float64."""
        arrays = [layer.detach().numpy() for layer in layers]
        pairs = zip(arrays[::2], arrays[1::2], strict=True)
        return np.concatenate([np.column_stack([b, W]).ravel() for W, b in pairs]).astype(np.float64)


def torch_forward(task):
    net = _Torch(task)

    def call():
        with net.torch.inference_mode():
            return net.torch.sigmoid(net.outputs(*net.layers))

    return ladder.Timed(
        call,
        want=lambda: ladder.right_outputs(task),
        tolerance=ladder.rounding(task),
        numbers=lambda A: A.numpy().ravel(),
        operations=ladder.forward_operations(task),
    )


def torch_gradient(task, compiled=False):
    net = _Torch(task)
    function = net.compiled_cost() if compiled else net.cost

    def call():
        cost = function(*net.layers)
        return cost, net.torch.autograd.grad(cost, net.layers)

    return ladder.Timed(
        call,
        want=lambda: ladder.right_gradient(task),
        tolerance=ladder.rounding(task),
        numbers=lambda returned: np.append(net.flat(returned[1]), returned[0].item()),
        operations=ladder.gradient_operations(task),
    )


def torch_compiled_gradient(task):
    return torch_gradient(task, compiled=True)


def torch_differences(task):
    net = _Torch(task)

    def cost(theta):
        with net.torch.inference_mode():
            return net.cost(*net.layers_of(theta)).item()

    return ladder.whole_differences(task, cost, ladder.SAMPLE["numpy"])


def torch_training(task):
    """torch.optim.LBFGS, with strong Wolfe line searches, to the cost that SciPy's L-BFGS-B reaches.

    Its path is its own; what is checked is cost and gradient where it ends.
    """
    net = _Torch(task)

    def train(maxiter):
        for layer, start in zip(net.layers, net.layers_of(task.theta), strict=True):
            layer.data.copy_(start)
        optimizer = net.torch.optim.LBFGS(
            net.layers, max_iter=maxiter, line_search_fn="strong_wolfe", tolerance_change=0.0
        )

        def closure():
            optimizer.zero_grad()
            cost = net.cost(*net.layers)
            cost.backward()
            return cost

        optimizer.step(closure)
        return closure().item()

    target = ladder.right_gradient(task._replace(theta=ladder.trained(task, "L-BFGS-B", task.maxiter)[0]))[-1]
    iterations = next((n for n in range(1, 4 * task.maxiter) if train(n) <= target), 4 * task.maxiter)

    def numbers(cost):
        return np.append(net.flat([layer.grad for layer in net.layers]), cost)

    return ladder.Timed(
        call=lambda: train(iterations),
        want=lambda: ladder.right_gradient(task._replace(theta=net.flat(net.layers))),
        tolerance=ladder.TRAINING_FACTOR * ladder.rounding(task),
        numbers=numbers,
    )


# ---- JAX: jit of value_and_grad


class _Jax:
    """The network's outputs and cost as functions of theta."""

    def __init__(self, task):
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax, self.numpy, self.task = jax, jax.numpy, task
        self.data = jax.numpy.asarray(task.X)
        self.targets = jax.nn.one_hot(task.y, task.sizes[-1], dtype=task.X.dtype)

    def on_device(self, theta):
        return self.numpy.asarray(theta, self.task.X.dtype)

    def pre_activations(self, theta, X):
        """The outputs before the last sigmoid, and the sum of squares of all weights but the biases."""
        shapes, A, squares = network.shapes(self.task.sizes), X, 0.0
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        for l, (part, shape) in enumerate(zip(self.numpy.split(theta, ends[:-1]), shapes, strict=True)):
            W = part.reshape(shape)
            Z = A @ W[:, 1:].T + W[:, 0]
            squares += self.numpy.sum(W[:, 1:] ** 2)
            A = self.jax.nn.sigmoid(Z) if l < len(shapes) - 1 else Z
        return A, squares

    def outputs(self, theta, X):
        return self.jax.nn.sigmoid(self.pre_activations(theta, X)[0])

    def cost(self, theta, X, targets):
        Z, squares = self.pre_activations(theta, X)
        loss = self.numpy.sum(self.numpy.logaddexp(0.0, Z) - targets * Z)
        return (loss + self.task.lmbda / 2 * squares) / len(X)


def jax_forward(task):
    net = _Jax(task)
    function, theta = net.jax.jit(net.outputs), net.on_device(task.theta)
    return ladder.Timed(
        call=lambda: function(theta, net.data).block_until_ready(),
        want=lambda: ladder.right_outputs(task),
        tolerance=ladder.rounding(task),
        operations=ladder.forward_operations(task),
    )


def jax_gradient(task):
    net = _Jax(task)
    function = net.jax.jit(net.jax.value_and_grad(net.cost))
    points = itertools.cycle([net.on_device(task.theta), net.on_device(task.theta + 1e-7)])
    return ladder.Timed(
        call=lambda: net.jax.block_until_ready(function(next(points), net.data, net.targets)),
        want=lambda: ladder.right_gradient(task),
        tolerance=ladder.rounding(task),
        numbers=lambda returned: np.append(returned[1], returned[0]).astype(np.float64),
        operations=ladder.gradient_operations(task),
    )


def jax_differences(task):
    net = _Jax(task)
    function = net.jax.jit(net.cost)
    return ladder.whole_differences(
        task, lambda theta: float(function(theta, net.data, net.targets)), ladder.SAMPLE["numpy"]
    )


def jax_training(task):
    """SciPy's L-BFGS-B, as most users without another optimiser at hand choose it."""
    from scipy.optimize import minimize

    net = _Jax(task)
    function = net.jax.jit(net.jax.value_and_grad(net.cost))

    def evaluate(theta):
        cost, gradient = function(theta, net.data, net.targets)
        return float(cost), np.asarray(gradient, np.float64)

    def train(maxiter):
        options = {"maxiter": maxiter, "gtol": GRADIENT_TOLERANCE, "ftol": 0.0}
        return minimize(evaluate, task.theta, jac=True, method="L-BFGS-B", options=options).x

    return _training(task, train)


# ---- ONNX: a graph of Gemm and Sigmoid, which runtimes read


def _graph(task):
    """The network as bytes of an ONNX file."""
    from onnx import TensorProto, helper, numpy_helper

    dtype, name, nodes, constants = task.X.dtype, "X", [], []
    for l, W in enumerate(task.weights, start=1):
        matrix, bias = W[:, 1:].astype(dtype, order="C"), W[:, 0].astype(dtype)
        constants += [numpy_helper.from_array(matrix, f"W{l}"), numpy_helper.from_array(bias, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [name, f"W{l}", f"b{l}"], [f"Z{l}"], transB=1))
        nodes.append(helper.make_node("Sigmoid", [f"Z{l}"], [f"A{l}"]))
        name = f"A{l}"
    kind = TensorProto.DOUBLE if dtype == np.float64 else TensorProto.FLOAT
    ends = [
        helper.make_tensor_value_info(end, kind, ["m", count])
        for end, count in (("X", task.sizes[0]), (name, task.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    # Not the newest versions, which runtimes may not know yet.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def _forward(task, call):
    return ladder.Timed(
        call,
        want=lambda: ladder.right_outputs(task),
        tolerance=ladder.rounding(task),
        numbers=lambda A: np.asarray(A).ravel(),
        operations=ladder.forward_operations(task),
    )


def onnx_forward(task):
    from onnxruntime import InferenceSession

    session = InferenceSession(_graph(task), providers=["CPUExecutionProvider"])
    return _forward(task, lambda: session.run(None, {"X": task.X})[0])


def openvino_forward(task):
    sys.modules.setdefault("openvino_telemetry", None)  # or it forks a process that tells its makers of its use
    from openvino import Core

    core = Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}  # or it may compute in bfloat16
    network = core.compile_model(core.read_model(_graph(task)), "CPU", options)
    return _forward(task, lambda: network(task.X)[0])


# By workload and implementation: the modules that it needs, and the function.
FORWARD = {
    "scikit-learn": (("sklearn",), sklearn_forward),
    "PyTorch": (("torch",), torch_forward),
    "JAX": (("jax",), jax_forward),
    "ONNX Runtime": (("onnxruntime", "onnx"), onnx_forward),
    "OpenVINO": (("openvino", "onnx"), openvino_forward),
}
PEERS = {
    "forward": FORWARD,
    "predict": FORWARD,
    "cost and gradient": {
        "PyTorch": (("torch",), torch_gradient),
        "torch.compile": (("torch",), torch_compiled_gradient),
        "JAX": (("jax",), jax_gradient),
    },
    "gradient check": {
        "PyTorch": (("torch",), torch_differences),
        "JAX": (("jax",), jax_differences),
    },
    "training, L-BFGS": {
        "scikit-learn": (("sklearn",), sklearn_training),
        "PyTorch": (("torch",), torch_training),
        "JAX": (("jax",), jax_training),
    },
}
