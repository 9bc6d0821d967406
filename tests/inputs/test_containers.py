"""What people bring: the same numbers and labels from every container, or one sentence that says where and why not."""

import array
import datetime
import enum
import warnings
from collections import deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import fastnn
from fastnn.inputs import containers, validation
from fastnn.targets import Classes

from ..conftest import examples

NAN = float("nan")
X = np.array([[1.5, 1.0, 3.0], [2.0, 0.0, 4.0], [-1.0, 1.0, 0.0], [0.25, 0.0, 7.0]])
TEXT = ["cat", "dog", "cat", "bee"]
W = fastnn.init_weights((3, 4, 2))


def assert_refused(error, message, function, *arguments):
    """One sentence, in one line, that starts as the message does."""
    with pytest.raises(error) as caught:
        function(*arguments)
    assert str(caught.value).startswith(message), str(caught.value)
    assert "\n" not in str(caught.value)


def frames():
    """The columns of X as floats, booleans and integers, in every kind of frame that is installed."""
    columns = {"a": [1.5, 2.0, -1.0, 0.25], "b": [True, False, True, False], "c": [3, 4, 0, 7]}
    pandas = pytest.importorskip("pandas")
    yield "pandas", pandas.DataFrame(columns)
    yield "object", pandas.DataFrame(columns, dtype=object)
    yield "nullable", pandas.DataFrame(columns).convert_dtypes()
    yield "category", pandas.DataFrame(columns).astype("category")
    yield "decimal", pandas.DataFrame({**columns, "a": list(map(Decimal, columns["a"]))})
    yield "sparse", pandas.DataFrame(columns).astype({"c": pandas.SparseDtype(int, 0)})
    yield "twice the same name", pandas.DataFrame(columns).set_axis(["a", "a", "a"], axis=1)
    yield "narrow", pandas.DataFrame(columns).astype({"a": np.float16, "c": np.int64})
    for library, make in {"polars": "DataFrame", "pyarrow": "table"}.items():
        try:
            yield library, getattr(__import__(library), make)(columns)
        except ImportError:
            continue


def arrays():
    yield "list", X.tolist()
    yield "rows", list(X)
    yield "tuple", tuple(map(tuple, X))
    yield "deque", deque(X.tolist())
    yield "object", X.astype(object)
    yield "mixed objects", np.array([[Fraction(3, 2), True, 3], *X[1:].tolist()], dtype=object)
    yield "matrix", np.asmatrix(X)
    yield "memoryview", memoryview(X)
    yield "nothing masked", np.ma.array(X, mask=False)
    yield "big-endian", X.astype(">f8")
    yield "long double", X.astype(np.longdouble)


class Tensor:
    """A tensor of a library that knows DLPack alone."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **how):
        return self.values.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


def tensors(values):
    yield "dlpack", Tensor(values.copy())
    for library in ("torch", "jax.numpy"):
        try:
            yield library, __import__(library, fromlist=["asarray"]).asarray(values)
        except ImportError:
            continue


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_the_same_numbers_from_every_array():
    want = fastnn.forward(W, X)
    for name, value in arrays():
        assert np.array_equal(fastnn.forward(W, value), want), name
    for name, value in tensors(X):
        np.testing.assert_allclose(fastnn.forward(W, value), want, rtol=1e-6, err_msg=name)


def test_the_same_numbers_from_every_frame():
    want = fastnn.forward(W, X)
    for name, value in frames():
        assert np.array_equal(fastnn.forward(W, value), want), name


def test_float32_is_kept():
    for name, value in tensors(np.ones((2, 3), np.float32)):
        assert validation.inputs(value).dtype == np.float32, name
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.ones(2, np.float32), "b": [True, False]})
    assert validation.inputs(frame).dtype == validation.inputs(frame.astype(np.float32)).dtype == np.float32
    frame["c"] = [2**24 + 1, 0]
    assert validation.inputs(frame)[0].tolist() == [1.0, 1.0, 2**24 + 1]


def test_plain_arrays_are_used_in_place():
    assert np.shares_memory(validation.inputs(X), X)
    y = np.array(TEXT)
    assert np.shares_memory(Classes.read(y, 4), y)


def test_dummies_of_text_train():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "kind": TEXT})
    with pytest.raises(TypeError, match=r"X\['kind'\] holds text, 'cat' at index 0; .*; pandas.get_dummies\(X\) makes"):
        fastnn.train(frame, TEXT, 2, maxiter=2)
    X = pandas.get_dummies(frame)
    assert set(map(str, X.dtypes)) == {"float64", "bool"}
    model = fastnn.train(X, TEXT, 2, maxiter=2)
    assert np.array_equal(model.predict_proba(X), model.predict_proba(X.to_numpy(float)))


def test_what_a_column_of_pandas_must_not_hold():
    """The column is named, and the row, as it is counted from 0, whatever the index says."""
    pandas = pytest.importorskip("pandas")
    when = pandas.to_datetime(["2020-01-01"] * 2)
    for column, error, message in [
        ([1.0, NAN], ValueError, "X['b'] holds nan at index 1; finite"),
        ([1.0, np.inf], ValueError, "X['b'] holds inf at index 1; finite"),
        (pandas.array([1, None], dtype="Int64"), ValueError, "X['b'] holds "),  # nan or <NA>, by the version of pandas
        (pandas.array([1.5, None], dtype="Float64"), ValueError, "X['b'] holds "),
        (pandas.array([True, None], dtype="boolean"), ValueError, "X['b'] holds <NA> at index 1"),
        (pandas.Categorical([1, None]), ValueError, "X['b'] holds nan at index 1"),
        (np.array([1, None], dtype=object), ValueError, "X['b'] holds None at index 1"),
        (np.array([1, pandas.NaT], dtype=object), ValueError, "X['b'] holds NaT at index 1"),
        (np.array([Decimal(1), Decimal("nan")], dtype=object), ValueError, "X['b'] holds Decimal('NaN') at index 1"),
        (["1", "2"], TypeError, "X['b'] holds text, '1' at index 0"),
        (np.array([1, "2"], dtype=object), TypeError, "X['b'] holds text, '2' at index 1"),
        (pandas.Categorical(["x", "y"]), TypeError, "X['b'] holds text, 'x' at index 0"),
        (pandas.array(["x", "y"], dtype="string"), TypeError, "X['b'] holds text, 'x' at index 0"),
        (when, TypeError, "X['b'] has dtype datetime64["),
        (when.tz_localize("UTC"), TypeError, "X['b'] holds a Timestamp at index 0"),
        (when - when[0], TypeError, "X['b'] has dtype timedelta64["),
        (pandas.period_range("2020", periods=2), TypeError, "X['b'] holds Period('"),
        ([1j, 2.0], TypeError, "X['b'] has dtype complex128"),
        ([[1, 2], [3]], TypeError, "X['b'] holds [1, 2] at index 0"),
    ]:
        frame = pandas.DataFrame({"a": [1.0, 2.0], "b": pandas.Series(column, index=[7, 5])}, index=[7, 5])
        frame["a"] = [1.0, 2.0]
        assert_refused(error, message, validation.inputs, frame)
        frame = frame.set_axis([0, ("u", "v")], axis=1)
        assert_refused(error, message.replace("'b'", "('u', 'v')"), validation.inputs, frame)


@pytest.mark.parametrize(("library", "make"), [("polars", "DataFrame"), ("pyarrow", "table")])
def test_what_a_column_of_arrow_must_not_hold(library, make):
    frame = getattr(pytest.importorskip(library), make)
    date = datetime.date(2020, 1, 1)
    for column, error, message in [
        ([1, None], ValueError, "X['b'] holds nan at index 1"),
        ([True, None], ValueError, "X['b'] holds None at index 1"),
        ([NAN, 1.0], ValueError, "X['b'] holds nan at index 0"),
        ([date, date], TypeError, "X['b'] has dtype datetime64[D]"),
        ([datetime.timedelta(1), datetime.timedelta(2)], TypeError, "X['b'] has dtype timedelta64["),
        ([[1, 2], [3]], TypeError, "X['b'] holds array([1, 2]) at index 0"),
        (["x", "y"], TypeError, "X['b'] "),
        (["1", "2"], TypeError, "X['b'] "),
    ]:
        assert_refused(error, message, validation.inputs, frame({"a": [1, 2], "b": column}))


def test_a_column_of_arrays_is_no_column():
    """Its numbers must not become columns that the frame does not name."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2], "b": polars.Series([[1, 2], [3, 4]], dtype=polars.Array(polars.Int64, 2))})
    assert_refused(TypeError, "X['b'] has shape (2, 2); a column with one number a row", validation.inputs, frame)


@pytest.mark.parametrize(("library", "make"), [("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")])
def test_the_remedy_for_text_is_one_that_works(library, make):
    pandas, module = pytest.importorskip("pandas"), pytest.importorskip(library)
    text = getattr(module, make)({"size": [1, 2, 3, 4], "kind": TEXT})
    with pytest.raises(TypeError) as caught:
        validation.inputs(text)
    remedy = str(caught.value).split("; ")[-1].split(" makes ")[0]
    got = validation.inputs(eval(remedy, {"X": text, "pandas": pandas}))
    assert got.shape == (4, 7 if library == "polars" else 4)  # polars makes columns of numbers too


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.array(X, mask=X == 4.0), "X is masked at index (1, 2); an array with nothing masked is wanted"),
        (np.ma.masked_invalid(np.where(X == 7.0, np.nan, X)), "X is masked at index (3, 2)"),
        (np.ma.array(X, mask=True), "X is masked at index (0, 0)"),
        ([X[0], np.ma.array(X[1], mask=[0, 1, 0])], "X[1] is masked at index 1"),
    ],
)
def test_what_is_behind_a_mask_is_not_used(value, message):
    assert_refused(ValueError, message, fastnn.forward, W, value)
    assert_refused(ValueError, message.replace("X", "weights[0]"), fastnn.pack, [value])


@pytest.mark.parametrize("name", ["y", "sample_weight", "gradient", "parameters"])
def test_masked_arguments_are_named(name):
    good = {"y": np.array([0, 1, 0, 1]), "sample_weight": np.ones(4), "gradient": W, "parameters": np.arange(4)}
    masked = np.ma.array(good[name][0] if name == "gradient" else good[name], mask=False)
    masked[1] = np.ma.masked
    value = (masked, W[1]) if name == "gradient" else masked
    message = f"{name}[0] is masked at index (1, 0)" if name == "gradient" else f"{name} is masked at index 1"
    assert_refused(ValueError, message, lambda: fastnn.check_gradient(W, X, **{**good, name: value}))
    if name == "y":
        assert_refused(ValueError, message, fastnn.train, X, masked)
        assert_refused(ValueError, "y[2] is masked; an array", fastnn.train, X, [0, 1, np.ma.masked, 1])


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_arrays_are_named(make):
    for name, call in {
        "X": lambda some: fastnn.forward(W, some),
        "y": lambda some: fastnn.train(X, some),
        "weights[0]": lambda some: fastnn.pack([some]),
    }.items():
        assert_refused(
            TypeError, f"{name} is sparse ({make.__name__}); a dense array is wanted: {name}.toarray()", call, make(X)
        )


def test_tensors_that_numpy_cannot_read():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    for value, remedy in [
        (tensor.clone().requires_grad_(), "X.detach()"),
        (tensor.bfloat16(), "X.float()"),
        (tensor.bfloat16().requires_grad_(), "X.detach().float()"),
        (tensor.to_sparse(), "X.to_dense()"),
    ]:
        with pytest.raises(TypeError) as caught:
            validation.inputs(value)
        assert remedy in str(caught.value)
        assert np.isfinite(validation.inputs(eval(remedy, {"X": value}))).all()
    assert_refused(
        TypeError,
        "X is of type Tensor, which NumPy cannot read; X.cpu() is wanted",
        validation.inputs,
        tensor.to("meta"),
    )
    assert_refused(TypeError, "X has dtype complex128; real numbers", validation.inputs, tensor.to(torch.complex128))
    assert_refused(
        TypeError, "X is of type list, which NumPy", validation.inputs, list(tensor.clone().requires_grad_())
    )
    gradient = [torch.from_numpy(dW).requires_grad_() for dW in W]
    message = "gradient[0] is of type Tensor, which NumPy cannot read; gradient[0].detach() is wanted"
    assert_refused(TypeError, message, lambda: fastnn.check_gradient(W, X, [0, 1, 0, 1], gradient=gradient))
    weights = [torch.from_numpy(matrix) for matrix in W]
    assert np.array_equal(fastnn.forward(weights, tensor), fastnn.forward(W, X))


def test_traced_arrays_of_jax():
    jax = pytest.importorskip("jax")
    message = "X is of type DynamicJaxprTracer, which NumPy cannot read; it says: The numpy.ndarray conversion"
    assert_refused(TypeError, message, jax.jit(validation.inputs), jax.numpy.eye(2))
    assert_refused(TypeError, "X has dtype bfloat16; real", validation.inputs, jax.numpy.eye(2, dtype="bfloat16"))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({1.0, 2.0}, TypeError, "X is {1.0, 2.0}; an array is wanted"),
        ({"a": [1, 2]}, TypeError, "X is {'a': [1, 2]}; an array is wanted"),
        (iter([[1.0]]), TypeError, "X is a list_iterator; an array is wanted"),
        (np.array([["1"]]), TypeError, "X has dtype <U1; real numbers"),
        (np.array([["1"]], dtype=object), TypeError, "X holds text, '1' at index (0, 0); real numbers"),
        ([[1.0, "2"]], TypeError, "X has dtype <U"),
        ([[1.0, None]], ValueError, "X holds None at index (0, 1)"),
        (np.array([[1.0, NAN]], dtype=object), ValueError, "X holds nan at index (0, 1)"),
        (np.array([[1.0, np.ma.masked]], dtype=object), ValueError, "X holds masked at index (0, 1)"),
        (np.array([[1.0, 10**400]], dtype=object), ValueError, "X holds an integer too large for float64"),
        (np.array([[1.0, np.inf]], dtype=object), ValueError, "X holds inf at index (0, 1)"),
        (np.array([[1.0, 1j]], dtype=object), TypeError, "X holds 1j at index (0, 1)"),
        (np.array([[np.timedelta64(1, "ns")]], dtype=object), TypeError, "X holds np.timedelta64(1,'ns') at index"),
        (np.array([[1, 2], [3]], dtype=object), TypeError, "X holds [1, 2] at index 0"),
        ([[1, 2], [3]], ValueError, "X has rows of different lengths"),
        (np.zeros(2, [("a", float)]), TypeError, "X has dtype [('a', '<f8')]"),
        (np.array([["2020-01-01"]], "M8[D]"), TypeError, "X has dtype datetime64[D]"),
        (b"12", TypeError, "X has dtype |S2"),
    ],
)  # fmt: skip
def test_what_is_no_array_of_numbers(value, error, message):
    assert_refused(error, message, validation.inputs, value)


class Word(enum.StrEnum):
    CAT = "cat"
    DOG = "dog"


class Old(str, enum.Enum):  # noqa: UP042 - its members are written "Old.CAT"
    CAT = "cat"
    DOG = "dog"


class Number(enum.IntEnum):
    CAT = 3
    DOG = 7


@pytest.mark.parametrize(
    ("value", "dtype", "want"),
    [
        ([3, 7], np.int64, [3, 7]),
        ((3, 7), np.int64, [3, 7]),
        (deque([3, 7]), np.int64, [3, 7]),
        (range(2), np.int64, [0, 1]),
        ([True, False], bool, [True, False]),
        ([1.5, 2], np.float64, [1.5, 2.0]),
        (["b", "aa"], "<U2", ["b", "aa"]),
        ([np.str_("b"), "aa"], "<U2", ["b", "aa"]),
        ([np.int8(3), np.int8(7)], np.int8, [3, 7]),
        ([np.float32(0.5), np.float32(1)], np.float32, [0.5, 1.0]),
        ([np.array(3), np.array(7)], np.int64, [3, 7]),
        ([2**63, 2**64 - 1], np.uint64, [2**63, 2**64 - 1]),
        ([Word.CAT, Word.DOG], "<U3", ["cat", "dog"]),
        ([Old.CAT, Old.DOG], "<U3", ["cat", "dog"]),
        ([Number.CAT, Number.DOG], np.int64, [3, 7]),
        ([Decimal("0.5"), 3], np.float64, [0.5, 3.0]),
        (np.array([3, 7], dtype=object), np.int64, [3, 7]),
        (np.array([False, True], dtype=object), bool, [False, True]),
        (np.array([0.5, 7], dtype=object), np.float64, [0.5, 7.0]),
        (np.array(["b", "aa"], dtype=object), "<U2", ["b", "aa"]),
        (np.array([3, 7], ">i2"), np.int16, [3, 7]),
        (np.ma.array([3, 7]), np.int64, [3, 7]),
        (memoryview(b"\3\7"), np.uint8, [3, 7]),
        (array.array("l", [3, 7]), np.int64, [3, 7]),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_labels_are_what_they_were(value, dtype, want):
    got = Classes.read(value, 2)
    assert got.dtype == np.dtype(dtype)
    assert got.tolist() == want


def test_labels_in_series():
    pandas = pytest.importorskip("pandas")
    for values, dtypes in {
        (3, 7): ["int64", "uint8", "Int64", "UInt8", "object", "category", "Sparse[int64]"],
        (0.5, 7.0): ["float64", "Float32", "object", "category"],
        (True, False): ["bool", "boolean", "object", "category"],
        ("cat", "dog "): ["object", "str", "string", "category"],
    }.items():
        for dtype in dtypes:
            got = Classes.read(pandas.Series(list(values), dtype=dtype, index=[9, 4]), 2)
            assert got.tolist() == list(values), dtype
            want = "u" if "int8" in dtype.lower() else np.array(values).dtype.kind
            assert got.dtype.kind == want, dtype
        assert Classes.read(pandas.Index(list(values)), 2).tolist() == list(values)
        assert Classes.read(pandas.Categorical(list(values)), 2).tolist() == list(values)


def test_labels_in_tensors():
    """And in lists of tensors of one label."""
    for name, value in tensors(np.array([3, 7])):
        assert Classes.read(value, 2).tolist() == [3, 7], name
        if name != "dlpack":
            assert Classes.read(list(value), 2).tolist() == [3, 7], name


@pytest.mark.parametrize(("library", "make"), [("polars", "Series"), ("pyarrow", "array")])
def test_labels_in_arrow(library, make):
    series = getattr(pytest.importorskip(library), make)
    for values in ([3, 7], [0.5, 7.0], [True, False], ["cat", "dog "]):
        got = Classes.read(series(values), 2)
        assert got.tolist() == values
        assert got.dtype.kind == np.array(values).dtype.kind
        assert_refused(ValueError, "y holds ", Classes.read, series([values[0], None]), 2)
    assert_refused(TypeError, "y has dtype datetime64[D]", Classes.read, series([datetime.date(2020, 1, 1)]), 1)


def test_text_of_variable_width():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy has it from version 2 on")
    kind = np.dtypes.StringDType
    assert Classes.read(np.array(["cat", "dog "], kind()), 2).tolist() == ["cat", "dog "]
    assert_refused(ValueError, "y holds nan at index 1", Classes.read, np.array(["a", NAN], kind(na_object=NAN)), 2)
    assert_refused(ValueError, "y holds None at index 0", Classes.read, np.array([None, "a"], kind(na_object=None)), 2)
    assert_refused(
        ValueError, r"y holds 'a\x00' at index 0, which NumPy", Classes.read, np.array(["a\0", "a"], kind()), 2
    )
    assert_refused(TypeError, "X holds text, '1' at index (0, 0)", validation.inputs, np.array([["1"]], kind()))


MISSING = [None, NAN, np.float32("nan"), np.datetime64("NaT", "s"), Decimal("nan"), "NA", "NaT"]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("others", [["cat", "dog", "dog"], [1, 2, 2], [0.5, 1.5, 1.5], [True, False, False]], ids=repr)
def test_missing_labels_are_no_class(others, missing):
    if isinstance(missing, str):
        missing = getattr(pytest.importorskip("pandas"), missing)
    for i in range(4):
        labels = others[:i] + [missing] + others[i:]
        objects = np.array(labels, dtype=object)
        for y in (labels, tuple(labels), objects):
            assert_refused(ValueError, f"y holds {missing!r} at index {i}; a label", fastnn.train, X, y)
            if others[0] is not True:
                with pytest.raises(ValueError, match=f"at index {i}"):
                    fastnn.cost_and_gradient(W, X, y)
    with pytest.raises(ValueError, match=r"at index \(1, 0\)"):
        Classes.read([others[:2], [missing, others[0]]], 2)


def test_missing_labels_in_series():
    pandas = pytest.importorskip("pandas")
    for values, dtypes in {
        (3, 7): ["Int64", "UInt8", "object", "category", "float64"],
        (True, False): ["boolean", "object", "category"],
        ("cat", "dog"): ["object", "str", "string", "category"],
    }.items():
        for dtype in dtypes:
            y = pandas.Series([values[0], None, values[1], values[0]], dtype=dtype)
            with pytest.raises(ValueError, match=r"y holds \S+ at index 1; a label is wanted there"):
                fastnn.train(X, y)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1, "a"], TypeError, "y holds 1 at index 0 and 'a' at index 1; labels of one kind are wanted"),
        (["a", "a", 1.5], TypeError, "y holds 'a' at index 0 and 1.5 at index 2"),
        ([True, "a"], TypeError, "y holds True at index 0 and 'a' at index 1"),
        ([True, 2], TypeError, "y holds True at index 0 and 2 at index 1"),
        ([0.5, False], TypeError, "y holds 0.5 at index 0 and False at index 1"),
        (np.array([1, "1"], dtype=object), TypeError, "y holds 1 at index 0 and '1' at index 1"),
        (deque([1, "a"]), TypeError, "y holds 1 at index 0 and 'a' at index 1"),
        ([1, 2**63], ValueError, "y holds 9223372036854775808 at index 1, which NumPy cannot keep"),
        ([-1, 2**63], ValueError, "y holds 9223372036854775808 at index 1"),
        (np.array([2**64, 1], dtype=object), ValueError, "y holds 18446744073709551616 at index 0"),
        ([-(2**63) - 1, 1], ValueError, "y holds -9223372036854775809 at index 0"),
        ([0.5, 2**53 + 1], ValueError, "y holds 9007199254740993 at index 1"),
        ([Decimal("0.1"), Decimal(1)], ValueError, "y holds Decimal('0.1') at index 0"),
        ([Fraction(1, 3), 1], ValueError, "y holds Fraction(1, 3) at index 0"),
        (["a", "a\0"], ValueError, r"y holds 'a\x00' at index 1"),
        ([b"a", b"b"], TypeError, "y holds b'a' at index 0; labels that are numbers, text or booleans"),
        (np.array([b"a", b"b"]), TypeError, "y has dtype |S1; labels that are numbers, text or booleans"),
        ([1j, 2j], TypeError, "y holds 1j at index 0"),
        ([datetime.date(2020, 1, 1)] * 2, TypeError, "y holds datetime.date(2020, 1, 1) at index 0"),
        ([np.timedelta64(1, "ns")] * 2, TypeError, "y holds np.timedelta64(1,'ns') at index 0"),
        (np.array(["2020"], "M8[Y]"), TypeError, "y has dtype datetime64[Y]"),
        ([{"a": 1}, {"a": 2}], TypeError, "y holds {'a': 1} at index 0"),
        ([[1], [2, 3]], ValueError, "y has rows of different lengths"),
        (np.array([[1], [2, 3]], dtype=object), TypeError, "y holds [1] at index 0"),
        ({1, 2}, TypeError, "y is {1, 2}; an array is wanted"),
    ],
    ids=repr,
)
def test_labels_of_other_or_several_kinds(value, error, message):
    assert_refused(error, message, Classes.read, value, 2)


one_label = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text(max_size=3)


@examples(200)
@given(st.lists(one_label, min_size=1, max_size=5))
def test_labels_are_kept_or_refused(values):
    """Whatever comes out is equal to what went in, and of the same kind."""
    for y in (values, np.array(values, dtype=object)):
        try:
            got = Classes.read(y, len(values)).tolist()
        except (ValueError, TypeError) as error:
            assert str(error).startswith("y holds ")  # noqa: PT017
        else:
            assert got == values
            assert {type(label) is bool for label in values} == {type(label) is bool for label in got}
            assert {type(label) is str for label in values} == {type(label) is str for label in got}


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.longdouble, np.uint8, object])
def test_class_indices_may_be_any_whole_numbers(kind):
    y = np.array([0, 1, 1, 0])
    want, gradient = fastnn.cost_and_gradient(W, X, y)
    for value in (y.astype(kind), y.astype(kind).tolist(), np.ma.array(y.astype(kind))):
        got, other = fastnn.cost_and_gradient(W, X, value)
        assert got == want == fastnn.Objective(X, value, (3, 4, 2)).cost(fastnn.pack(W))
        assert all(map(np.array_equal, gradient, other))
        assert fastnn.check_gradient(W, X, value).passed


def test_weights_of_examples_in_other_containers():
    pandas = pytest.importorskip("pandas")
    y, weight = [0, 1, 1, 0], [1, 2, 0, 3]
    want = fastnn.cost_and_gradient(W, X, y, sample_weight=np.array(weight, float))[0]
    for value in (weight, pandas.Series(weight, index=[3, 2, 1, 0]), pandas.Series(weight, dtype="Int64")):
        assert fastnn.cost_and_gradient(W, X, y, sample_weight=value)[0] == want
    value = pandas.Series([1, None, 0, 3], dtype="Int64")
    assert_refused(ValueError, "sample_weight holds ", validation.sample_weight, value, 4)
    frames = tuple(map(pandas.DataFrame, W))
    assert fastnn.cost_and_gradient(frames, X, y)[0] == fastnn.cost_and_gradient(W, X, y)[0]
    assert np.array_equal(fastnn.unpack(pandas.Series(fastnn.pack(W)), (3, 4, 2))[1], W[1])


def test_targets_in_frames():
    pandas = pytest.importorskip("pandas")
    T = pandas.get_dummies(pandas.Series(["u", "v", "v", "u"]))
    assert fastnn.cost_and_gradient(W, X, T)[0] == fastnn.cost_and_gradient(W, X, T.to_numpy(float))[0]
    T = pandas.DataFrame({"u": [0.5, 1, 0, 1], "v": pandas.array([1, None, 0, 1], dtype="Int64")})
    assert_refused(ValueError, "y['v'] holds ", fastnn.cost_and_gradient, W, X, T)


def test_no_other_library_is_imported():
    """They are known by what their objects can do."""
    text = (validation.__file__, containers.__file__)
    for path in text:
        with open(path) as file:
            lines = [line for line in file if line.lstrip().startswith(("import ", "from "))]
        assert not [line for line in lines if {"pandas", "torch", "jax", "polars", "pyarrow"} & set(line.split())]


def test_nothing_is_warned_of():
    """Looking at a lazy frame's columns would be."""
    polars = pytest.importorskip("polars")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_refused(TypeError, "X is a LazyFrame; an array", fastnn.forward, W, polars.LazyFrame({"a": [1.0]}))
    assert not caught
