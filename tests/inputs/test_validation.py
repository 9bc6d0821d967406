"""Bad input to every public function: one sentence with the argument, what came, what is wanted."""

import numpy as np
import pytest

import fastnn
from fastnn import plot
from fastnn.inputs import validation

X = np.random.default_rng(0).standard_normal((6, 3))
Y = np.array([0, 1, 0, 1, 1, 0])
W = fastnn.init_weights((3, 4, 2))
THETA = fastnn.pack(W)
SIZES = (3, 4, 2)


def with_hole(array, value):
    holed = np.array(array, dtype=np.float64)
    holed[1, 2] = value
    return holed


BAD_X = [
    (X[0], ValueError, r"X (has|must have) shape .*\(3,\)"),
    (X[:0], ValueError, r"X has shape \(0, 3\)"),
    (X[None], ValueError, r"X has shape \(1, 6, 3\)"),
    (with_hole(X, np.nan), ValueError, r"X holds nan at index \(1, 2\)"),
    (with_hole(X, np.inf), ValueError, r"X holds inf at index \(1, 2\)"),
    (X.astype(complex), TypeError, "X has dtype complex128"),
    (X.astype(str), TypeError, "X has dtype <U"),
    (X.astype(str).astype(object), TypeError, r"X holds text, '.*' at index \(0, 0\); real numbers"),
    ([[1.0, 2.0], [3.0]], ValueError, "X has rows of different lengths"),
    (None, TypeError, "X is None; an array is wanted"),
    ("digits.csv", TypeError, "X has dtype <U"),
]
BAD_COLUMNS = [(X[:, :2], ValueError, "X has 2 columns; the network has 3 inputs")]
BAD_Y = [
    (Y[:5], ValueError, "y has 5 labels; X has 6 examples"),
    (Y[:, None], ValueError, r"y has shape \(6, 1\).*ravel"),
    (0, ValueError, r"y has shape \(\)"),
]
BAD_INDICES = [
    (Y + 0.5, ValueError, r"y holds 0.5; class indices 0..1 are wanted"),
    (Y - 1.0, ValueError, r"y holds -1.0; class indices 0..1 are wanted"),
    (Y + 1e300, ValueError, r"y holds 1e\+300; class indices 0..1 are wanted"),
    (np.where(Y == 0, np.nan, 1.0), ValueError, "y holds nan at index 0; a label is wanted there"),
    (Y == 0, TypeError, "y has dtype bool; integer class indices"),
    (Y + 1, ValueError, r"y holds 2; class indices 0..1 are wanted"),
    (Y - 1, ValueError, r"y holds -1; class indices 0..1 are wanted"),
    (Y + 2**40, ValueError, "y holds 1099511627776"),
    (Y.astype(np.uint64) + np.uint64(2**63), ValueError, "y holds 9223372036854775808"),
    (None, TypeError, "y is None; an array is wanted"),
]
BAD_LABELS = [
    (np.zeros(6), ValueError, "y holds one label only"),
    (np.array([0, 1, np.nan, 0, 1, 1]), ValueError, "y holds nan"),
    ([None] * 6, ValueError, "y holds None at index 0; a label is wanted there"),
    (Y * 1j, TypeError, "y has dtype complex128"),
]
BAD_LMBDA = [
    (-1.0, ValueError, "lmbda is -1.0; a finite number of at least 0 is wanted"),
    (np.nan, ValueError, "lmbda is nan"),
    (np.inf, ValueError, "lmbda is inf"),
    ("1", TypeError, "lmbda is '1'"),
    (True, TypeError, "lmbda is True"),
    (None, TypeError, "lmbda is None"),
]
BAD_WEIGHTS = [
    (THETA, TypeError, "weights is a ndarray; a tuple of matrices"),
    ((), TypeError, r"weights is \(\)"),
    (None, TypeError, "weights is None"),
    ((W[0], W[0]), ValueError, r"weights\[1\] has 4 columns; 5 are wanted"),
    ((W[0][0], W[1]), ValueError, r"weights\[0\] has shape \(4,\)"),
    ((W[0] * np.nan, W[1]), ValueError, r"weights\[0\] holds nan"),
    ((W[0][:, :1], W[1]), ValueError, r"weights\[0\] has shape \(4, 1\)"),
]
BAD_ENGINE = [
    ("cuda", ValueError, "engine is 'cuda'; one of 'fused'"),
    (None, TypeError, "engine is None"),
    (np.array(["fused", "loop"]), TypeError, "engine is a"),
]
BAD_SIZES = [
    (400, TypeError, "sizes is 400"),
    ("400", TypeError, "sizes is '400'"),
    ((3,), TypeError, r"sizes is \(3,\)"),
    ((3, 0, 2), ValueError, r"sizes\[1\] is 0"),
    ((3, 2.5, 2), TypeError, r"sizes\[1\] is 2.5"),
    ((3, True, 2), TypeError, r"sizes\[1\] is True"),
]
BAD_THETA = [
    (THETA[1:], ValueError, r"theta has shape \(25,\); \(26,\) is wanted"),
    (W[0], ValueError, r"theta has shape \(4, 4\)"),
    (THETA * np.nan, ValueError, "theta holds nan"),
    (None, TypeError, "theta is None; an array is wanted"),
]
BAD_ORDER = [("A", ValueError, "order is 'A'; one of 'C', 'F'"), (0, TypeError, "order is 0")]
BAD_HIDDEN = [
    (0, ValueError, "hidden is 0; a positive integer"),
    (2.5, TypeError, "hidden is 2.5"),
    ("25", TypeError, "hidden is '25'"),
    ((4, -1), ValueError, r"hidden\[1\] is -1"),
    (True, TypeError, "hidden is True"),
]
BAD_COUNT = [(0, ValueError, "is 0; a positive integer"), (1.0, TypeError, "is 1.0"), (None, TypeError, "is None")]
BAD_SEED = [(-1, ValueError, "seed is -1"), (0.5, TypeError, "seed is 0.5"), ("0", TypeError, "seed is '0'")]
BAD_STEP = [(0.0, ValueError, "step is 0.0; a finite number greater than 0"), ("small", TypeError, "step is 'small'")]
BAD_PARAMETERS = [
    ([], ValueError, r"parameters has shape \(0,\) and dtype float64; a list of positions in theta"),
    ([0.5], ValueError, "dtype float64; a list of positions"),
    ([0, 26], ValueError, r"parameters holds 26; positions in theta, 0\.\.25, are wanted"),
    ([-1], ValueError, "parameters holds -1"),
]
BAD_DIRECTIONS = [(0, ValueError, "directions is 0; a positive"), (2.0, TypeError, "directions is 2.0; a positive")]
BAD_GRADIENT = [
    (W[:1], ValueError, r"gradient has shapes \[\(4, 4\)\]; \[\(4, 4\), \(2, 5\)\]"),
    (THETA, TypeError, "gradient is a ndarray"),
    ((W[0], W[1] * np.nan), ValueError, r"gradient\[1\] holds nan"),
]
BAD_PATH = [
    (3, TypeError, "path is 3; a file name"),
    ("model.pkl", ValueError, "path is 'model.pkl'; a file that ends in"),
]


def model():
    return fastnn.train(X, Y, 2, maxiter=1)


# Function, its good arguments, and for each argument what is bad.
BAD_FAMILY = {
    "activation": [
        ("softmax", ValueError, "activation is 'softmax'; one of 'sigmoid', 'tanh', 'relu', 'identity', 'logistic' is"),
        (None, TypeError, "activation is None; one of"),
        (["tanh"], TypeError, r"activation is \['tanh'\]; one of"),
    ],
    "output": [
        ("relu", ValueError, "output is 'relu'; one of 'sigmoid', 'softmax', 'identity', 'logistic' is wanted"),
        (1, TypeError, "output is 1; one of"),
        (np.array(["sigmoid", "softmax"]), TypeError, "output is a"),
    ],
}
BAD_SAMPLE_WEIGHT = {
    "sample_weight": [
        (np.ones(len(Y) + 1), ValueError, r"sample_weight has shape \(\d+,\); \(\d+,\) is wanted"),
        (1.0, ValueError, r"sample_weight has shape \(\)"),
        (np.where(Y[0] == Y, -1.0, 1.0), ValueError, "sample_weight holds -1; weights of at least 0 are wanted"),
        (np.zeros(len(Y)), ValueError, "sample_weight is zero for every example; a positive weight is wanted"),
        (np.full(len(Y), 1e308), ValueError, "sample_weight has the sum inf"),
        (np.full(len(Y), np.nan), ValueError, "sample_weight holds nan at index 0;"),
        (["a"] * len(Y), TypeError, "sample_weight has dtype"),
    ]
}
FUNCTIONS = {
    "forward": (
        fastnn.forward,
        {"weights": W, "X": X, "engine": "fused"},
        {"weights": BAD_WEIGHTS, "X": BAD_X + BAD_COLUMNS, "engine": BAD_ENGINE, **BAD_FAMILY},
    ),
    "cost_and_gradient": (
        fastnn.cost_and_gradient,
        {"weights": W, "X": X, "y": Y, "lmbda": 1.0, "engine": "fused"},
        {
            "weights": BAD_WEIGHTS,
            "X": BAD_X + BAD_COLUMNS,
            "y": BAD_Y + BAD_INDICES,
            "lmbda": BAD_LMBDA,
            "engine": BAD_ENGINE,
            **BAD_FAMILY,
            **BAD_SAMPLE_WEIGHT,
        },
    ),
    "numerical_gradient": (
        fastnn.numerical_gradient,
        {"weights": W, "X": X, "y": Y, "lmbda": 1.0, "step": None},
        {
            "weights": BAD_WEIGHTS,
            "X": BAD_X + BAD_COLUMNS,
            "y": BAD_Y + BAD_INDICES,
            "lmbda": BAD_LMBDA,
            "step": BAD_STEP,
            **BAD_FAMILY,
            **BAD_SAMPLE_WEIGHT,
        },
    ),
    "check_gradient": (
        fastnn.check_gradient,
        {"weights": W, "X": X, "y": Y, "lmbda": 1.0, "gradient": None, "step": None},
        {
            "parameters": BAD_PARAMETERS,
            "directions": BAD_DIRECTIONS,
            "tolerance": [(0, ValueError, "tolerance is 0; a finite number greater than 0")],
            "weights": BAD_WEIGHTS,
            "X": BAD_X + BAD_COLUMNS,
            "y": BAD_Y + BAD_INDICES,
            "lmbda": BAD_LMBDA,
            "gradient": BAD_GRADIENT,
            "step": BAD_STEP,
            **BAD_FAMILY,
            **BAD_SAMPLE_WEIGHT,
        },
    ),
    "Objective": (
        fastnn.Objective,
        {"X": X, "y": Y, "sizes": SIZES, "lmbda": 1.0, "engine": "fused"},
        {
            "X": BAD_X + BAD_COLUMNS,
            "y": BAD_Y + BAD_INDICES,
            "sizes": BAD_SIZES,
            "lmbda": BAD_LMBDA,
            "engine": BAD_ENGINE,
            **BAD_FAMILY,
            **BAD_SAMPLE_WEIGHT,
        },
    ),
    "Objective.cost": (lambda theta: fastnn.Objective(X, Y, SIZES).cost(theta), {"theta": THETA}, {"theta": BAD_THETA}),
    "Objective.gradient": (
        lambda theta: fastnn.Objective(X, Y, SIZES).gradient(theta),
        {"theta": THETA},
        {"theta": BAD_THETA},
    ),
    "Objective.cost_and_gradient": (
        lambda theta: fastnn.Objective(X, Y, SIZES).cost_and_gradient(theta),
        {"theta": THETA},
        {"theta": BAD_THETA},
    ),
    "init_weights": (
        fastnn.init_weights,
        {"sizes": SIZES, "seed": 0, "epsilon": 0.1},
        {
            "sizes": BAD_SIZES,
            "seed": BAD_SEED,
            "epsilon": [(0, ValueError, "epsilon is 0"), ("a", TypeError, "epsilon is 'a'")],
        },
    ),
    "pack": (fastnn.pack, {"weights": W, "order": "C"}, {"weights": BAD_WEIGHTS, "order": BAD_ORDER}),
    "unpack": (
        fastnn.unpack,
        {"theta": THETA, "sizes": SIZES, "order": "C"},
        {"theta": BAD_THETA, "sizes": BAD_SIZES, "order": BAD_ORDER},
    ),
    "train": (
        fastnn.train,
        {
            "X": X,
            "y": Y,
            "hidden": 2,
            "lmbda": 1.0,
            "solver": "cg",
            "maxiter": 1,
            "seed": 0,
            "weights": None,
            "engine": "fused",
        },
        {
            "X": BAD_X,
            "y": BAD_Y + BAD_LABELS,
            "hidden": BAD_HIDDEN,
            "lmbda": BAD_LMBDA,
            "solver": [("sgd", ValueError, "solver is 'sgd'; one of 'cg', 'l-bfgs'"), (1, TypeError, "solver is 1")],
            "maxiter": BAD_COUNT,
            "seed": BAD_SEED,
            "weights": [
                *BAD_WEIGHTS[:2],
                (
                    fastnn.init_weights((2, 4, 2)),
                    ValueError,
                    r"weights\[0\] has 3 columns; 4 are wanted for the 3 columns of X",
                ),
                (fastnn.init_weights((3, 4, 5)), ValueError, r"weights\[1\] has 5 rows; 2 are wanted, one per class"),
            ],
            "engine": BAD_ENGINE,
            **BAD_FAMILY,
            **BAD_SAMPLE_WEIGHT,
        },
    ),
    "predict": (lambda X: model().predict(X), {"X": X}, {"X": BAD_X + BAD_COLUMNS}),
    "predict_proba": (lambda X: model().predict_proba(X), {"X": X}, {"X": BAD_X + BAD_COLUMNS}),
    "score": (
        lambda X, y: model().score(X, y),
        {"X": X, "y": Y},
        {"X": BAD_X + BAD_COLUMNS, "y": [*BAD_Y, (["a"] * 6, TypeError, "y has dtype <U1; labels like")]},
    ),
    "save": (
        lambda path: model().save(path),
        {},
        {"path": [BAD_PATH[0], ("model.pkl", ValueError, "path is 'model.pkl'; a name that ends in")]},
    ),
    "load": (fastnn.load, {}, {"path": BAD_PATH}),
    "read_data": (fastnn.read_data, {}, {"path": BAD_PATH}),
    "read_weights": (fastnn.read_weights, {}, {"path": BAD_PATH}),
    "digits": (
        plot.digits,
        {"X": np.ones((2, 4)), "order": "F"},
        {"X": [*BAD_X, (X, ValueError, "X has 3 columns; a square number")], "order": [(0, TypeError, "order is 0")]},
    ),
}
CASES = [
    pytest.param(name, argument, *case, id=f"{name}-{argument}-{number}")
    for name, (_, _, bad) in FUNCTIONS.items()
    for argument, cases in bad.items()
    for number, case in enumerate(cases)
    if not (name == "train" and case[0] is None and argument == "weights")
]


@pytest.mark.parametrize(("name", "argument", "value", "error", "message"), CASES)
def test_bad_input(name, argument, value, error, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    function, good, _ = FUNCTIONS[name]
    before = np.copy(value) if isinstance(value, np.ndarray) else None
    with pytest.raises(error, match=message) as caught:
        function(**{**good, argument: value})
    assert str(caught.value).count("\n") == 0
    assert not list(tmp_path.iterdir())
    if before is not None and before.dtype.kind == "f":
        assert np.array_equal(value, before, equal_nan=True)


@pytest.mark.parametrize("name", [name for name, (_, good, _) in FUNCTIONS.items() if good])
def test_the_good_arguments_are_good(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    function, good, _ = FUNCTIONS[name]
    function(**good)
    assert all(np.isfinite(THETA))


def test_sparse_input_names_the_way_out():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"X is sparse \(csr_array\).*X.toarray\(\)"):
        fastnn.forward(W, csr_array(X))


@pytest.mark.parametrize("convert", [np.asfortranarray, lambda A: A[::-1][::-1], lambda A: A.tolist(), np.float16])
def test_other_forms_of_good_input(convert):
    exact = np.round(X * 8) / 8
    got, _ = fastnn.cost_and_gradient(W, convert(exact), Y.tolist(), 1)
    want, _ = fastnn.cost_and_gradient(W, exact, Y, 1.0)
    assert got == want


@pytest.mark.parametrize(
    "y",
    [
        np.eye(3)[[0, 1, 2, 0, 1, 2]],
        np.eye(3, dtype=bool)[[0, 1, 2, 0, 1, 2]],
        np.eye(2, dtype=np.uint8)[[0, 1, 1, 0, 1, 0]].astype(object),
        np.eye(3)[[0, 1, 2, 0, 1, 2]].tolist(),
        np.zeros((6, 1)),
        np.zeros((1, 6)).tolist(),
        [["a"], ["b"], ["a"], ["b"], ["a"], ["b"]],
    ],
    ids=lambda y: f"{type(y).__name__}-{np.shape(y)}",
)
def test_labels_in_a_matrix_name_what_has_them(y):
    """One-hot, or one column: what the sentence says gives labels."""
    with pytest.raises(ValueError, match=r"y has shape \(\d, \d\); \(m,\), one label for each.* has it$") as caught:
        fastnn.train(X, y)
    got = eval(str(caught.value).split("; ")[-1].removesuffix(" has it"), {"y": y, "np": np})
    assert np.shape(got) == (6,)
    if np.shape(y)[1] in (2, 3):
        assert np.array_equal(np.eye(np.shape(y)[1])[got], np.array(y, float))


def test_labels_in_a_frame_name_what_has_them():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(list("abcabc"))
    for frame in (pandas.get_dummies(y), y.to_frame(), y.astype("category").to_frame()):
        with pytest.raises(ValueError, match=r"y has shape \(6, \d\).* has it$") as caught:
            fastnn.train(X, frame)
        got = eval(str(caught.value).split("; ")[-1].removesuffix(" has it"), {"y": frame, "np": np})
        assert fastnn.train(X, got, 1, maxiter=1).sizes[-1] == 3


@pytest.mark.parametrize(
    "y", [np.ones((6, 3), int), np.full((6, 2), 0.5), np.eye(6, 3) == 0, np.zeros((6, 2)).tolist()]
)
def test_several_labels_are_asked_for(y):
    with pytest.raises(
        ValueError, match=r"y has shape \(6, \d\).*multilabel=True takes several labels .* output='identity' several"
    ):
        fastnn.train(X, y)
    K = np.shape(y)[1]
    fastnn.Objective(X, y, (3, K))
    fastnn.train(X, y, 1, maxiter=1, output="identity")


@pytest.mark.parametrize(
    "y",
    [
        [0.1, 0.2, 0.3, 0.4, 0.4, 0.4],
        [199.5, 250.0, 31.0, 42.0, 42.0, 42.0],
        np.linspace(0, 1, 6),
        np.linspace(0, 1, 6, dtype=np.float32),
        np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.4], dtype=object),
    ],
    ids=repr,
)
def test_numbers_are_not_labels(y):
    with pytest.raises(
        ValueError, match=r"y holds \d different numbers for 6 examples; labels of a few classes are wanted"
    ):
        fastnn.train(X, y)


@pytest.mark.parametrize(
    "y", [[199, 250, 31, 42, 55, 77], [199.0, 250.0, 31.0, 42.0, 55.0, 77.0], list("abcdef"), range(1, 7)], ids=repr
)
def test_a_class_for_each_example_is_warned_of(y):
    with pytest.warns(UserWarning, match="y holds 6 classes for 6 examples, each a class of its own") as caught:
        fastnn.train(X, y, 1, maxiter=1)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "y",
    [
        [0.5, 1.5, 0.5, 1.5, 0.5, 2.5],
        [0.1, 0.2, 0.1, 0.2, 0.1, 0.2],
        range(6),
        [5.0, 4.0, 3.0, 2.0, 1.0, 0.0],
        list("aabcde"),
    ],
    ids=repr,
)
def test_labels_of_few_classes_are_labels(y):
    """Warnings are errors here."""
    assert fastnn.train(X, y, 1, maxiter=1).classes.tolist() == sorted(set(y))


def test_two_examples_of_two_classes_are_labels():
    for y in ([0.5, 1.5], ["a", "b"], [7, 9]):
        assert fastnn.train(X[:2], y, 1, maxiter=1).classes.tolist() == y


def test_numbers_for_an_identity_are_a_matrix():
    """Class indices that are floats would be fitted as 0 and 1 without a word."""
    data = fastnn.init_weights((3, 1)), X
    with pytest.raises(TypeError, match=r"y has dtype float64; integer class indices \(m,\), or numbers \(m, K\)"):
        fastnn.cost_and_gradient(*data, np.zeros(6), output="identity")
    fastnn.cost_and_gradient(*data, np.zeros((6, 1)), output="identity")


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (["a", "b"], r"X lacks 'c'; the columns that the model was trained on are wanted"),
        (["a", "b", "c", "d"], r"X has 'd', which the model does not know; the columns"),
        (["x", "b", "c"], r"X lacks 'a' and has 'x', which the model does not know; the columns"),
        (["a", "b", "c", "c"], r"X has 'c', which the model does not know; the columns"),
        (["u", "v", "w", "x", "y"], r"X lacks 'a', 'b', 'c' and has 'u', 'v', 'w' and 2 more, which"),
        (["a", "c", "b"], r"X has column 'c' where .* on 'b'; .* are wanted: X\[list\(model.feature_names\)\]"),
        (["A", "b", "c"], r"X lacks 'a' and has 'A'"),
        (["a ", "b", "c"], r"X lacks 'a' and has 'a '"),
    ],
)  # fmt: skip
def test_names_that_differ(got, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        validation.same_names(got, ("a", "b", "c"), "X")
    with pytest.raises(ValueError, match=r"^--data (lacks|has) [^X]*$"):
        validation.same_names(got, ["a", "b", "c"], "--data")
    validation.same_names(["a", "b", "c"], ("a", "b", "c"), "X")


def test_names_of_several_kinds_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X)
    assert (
        validation.feature_names(frame) is validation.feature_names(X) is validation.feature_names(X.tolist()) is None
    )
    frame.columns = ["a", 0, "b"]
    with pytest.raises(TypeError, match="X has columns named 'a' and 0; names that are all text, or none of them"):
        fastnn.train(frame, Y)
    frame.columns = pandas.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    assert validation.feature_names(frame) is None


@pytest.mark.parametrize("value", [True, np.True_, np.timedelta64(1, "s"), np.timedelta64(1, "Y")], ids=repr)
def test_what_numpy_counts_among_the_integers_is_no_number(value):
    for check in (validation.real, validation.positive, validation.natural):
        with pytest.raises(TypeError, match=r"^size is (np\.)?[Tt].*; .* is wanted$"):
            check(value, "size")
    for name, check in (("hidden", validation.hidden), ("validation", validation.held_out), ("seed", validation.seed)):
        with pytest.raises(TypeError, match=f"^{name} is "):
            check(value)
