"""Rows of activations, outputs and losses, against each other."""

import numpy as np
import pytest

from fastnn import spec

Z = np.linspace(-8.0, 8.0, 1601) + 1e-3  # no kink among them

hidden = pytest.mark.parametrize("row", spec.HIDDEN.values(), ids=spec.HIDDEN)
losses = pytest.mark.parametrize("row", spec.LOSSES.values(), ids=spec.LOSSES)


def derivative(function, Z):
    """By the complex step."""
    return function(Z + 1e-100j).imag / 1e-100


def test_codes_are_indices():
    assert [row.code for row in spec.ACTIVATIONS] == [
        spec.SIGMOID, spec.TANH, spec.RELU, spec.SOFTMAX, spec.IDENTITY,
    ] == [0, 1, 2, 3, 4]  # fmt: skip
    assert {row.name for row in spec.ACTIVATIONS} == {*spec.HIDDEN, *spec.OUTPUTS}
    assert {*spec.LOSS_OF_CODE} == {row.loss.code for row in spec.OUTPUTS.values()}


@pytest.mark.parametrize("row", spec.OUTPUTS.values(), ids=spec.OUTPUTS)
def test_kernels_find_a_loss_by_the_output(row):
    assert row.loss.code == row.activation.code
    assert spec.LOSSES[row.loss.name] is row.loss


def test_aliases_name_an_activation():
    assert spec.ALIASES == {"logistic": "sigmoid"}
    assert not {*spec.ALIASES} & {row.name for row in spec.ACTIVATIONS}


@hidden
def test_slope_is_the_derivative(row):
    values = row.value(Z)
    np.testing.assert_allclose(row.slope(values), derivative(row.value, Z), rtol=1e-12, atol=1e-15)
    assert row.slope(values).max() == pytest.approx(row.steepest, rel=1e-5)
    assert np.array_equal(values, row.value(Z))  # not overwritten


@hidden
def test_flat_ends_have_a_hundredth_of_the_slope(row):
    low, high = row.flat
    slope = derivative(row.value, Z)
    assert (slope[(low >= Z) | (high <= Z)] < 0.01 * row.steepest).all()
    if row.flat == (-6.0, 6.0) or row.flat == (-3.0, 3.0):
        assert (slope[abs(Z) < high - 1.0] > 0.01 * row.steepest).all()


@hidden
def test_values_in_place_are_the_values(row):
    got = Z.copy()
    assert np.array_equal(row.value(got, out=got), row.value(Z))


@losses
@pytest.mark.parametrize("kind", ["classes", "values"])
def test_losses_have_their_derivatives(row, kind):
    rng = np.random.default_rng(0)
    z, y, T = rng.normal(size=(20, 4)), rng.integers(0, 4, 20), None
    if kind == "values":
        T = rng.random((20, 4))
        T = T / T.sum(axis=1, keepdims=True) if row.targets == spec.DISTRIBUTION else T
    _, D = row.value(z.copy(), y, T)
    for k in range(4):
        step = z.astype(complex)
        step[:, k] += 1e-100j
        np.testing.assert_allclose(row.value(step, y, T)[0].imag / 1e-100, D[:, k], rtol=1e-12, atol=1e-15)


def test_choices_in_words():
    assert spec.quoted(["a", "b"]) == '{"a", "b"}'
    assert spec.listed(["a", "b", "c"]) == "a (default), b or c"
    assert spec.listed(spec.HIDDEN) == "sigmoid (default), tanh, relu or identity"
