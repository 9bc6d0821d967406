"""What a notebook shows of a model."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn
from fastnn.model import html


def history(costs, held_out=None):
    names = ["cost"] + ["validation_cost", "regularisation"] * (held_out is not None)
    columns = [costs] if held_out is None else [costs, held_out, np.zeros(len(costs))]
    return np.rec.fromarrays([np.array(column, float) for column in columns], names=",".join(names))


def curves(text):
    """The points of each, as numbers."""
    return [
        [tuple(map(float, point.split(","))) for point in points.split()]
        for points in re.findall(r"points='(.*?)'", text)
    ]


def test_the_curve_falls_by_equal_steps_where_the_cost_falls_by_equal_factors():
    (points,) = curves(html.card("", {}, history([8.0, 4.0, 2.0, 1.0])))
    assert np.allclose(np.diff([x for x, _ in points]), (240 - 8) / 3, atol=0.1)
    assert np.allclose([y for _, y in points], [4, 4 + 64 / 3, 4 + 128 / 3, 68], atol=0.06)  # written to 0.1


def test_what_is_held_out_is_dashed_on_the_same_scale():
    text = html.card("", {}, history([3.0, 1.0, 0.0], [4.0, 2.0, 3.0]))
    own, held_out = curves(text)
    assert [y for _, y in own] == [4 + 16, 4 + 48, 68]
    assert [y for _, y in held_out] == [4, 36, 20]
    assert text.index("stroke-dasharray") > text.index("polyline")
    said = "cost over 2 iterations, 4 to 0, linear; dashed: of the examples held out"
    assert f"{said}; both without regularisation<" in text


@pytest.mark.parametrize(("penalty", "words"), [(1.0, "; both without"), (np.nan, ", without")])
def test_cost_of_the_card_is_without_regularisation_where_that_is_known(penalty, words):
    costs = history([4.0, 2.0], [8.0, 1.0])
    costs.regularisation[:] = penalty
    own, _ = curves(html.card("", {}, costs))
    ends = [3.0, 1.0] if penalty == 1.0 else [4.0, 2.0]
    assert np.allclose([y for _, y in own], [4 + 64 * np.log(8.0 / end) / np.log(8.0) for end in ends], atol=0.06)
    assert f"held out{words} regularisation<" in html.card("", {}, costs)


@pytest.mark.parametrize(
    "costs", [[1.0], [2.0, 2.0], [np.inf, 1.0, 0.5], [np.nan, np.nan], [1e300, 1e-300], [-1.0, -2.0]]
)
def test_any_history_is_well_formed(costs):
    text = html.card("a < b", {"x & y": "<script>"}, history(costs))
    ElementTree.fromstring(text)
    assert "nan" not in " ".join(re.findall(r"points='(.*?)'", text))
    assert "&lt;script&gt;" in text


def test_of_a_model():
    X, y = fastnn.load_digits()
    model = fastnn.train(X[::10], np.array(["<b>", "c"])[y[::10] % 2], 5, maxiter=4, validation=0.2)
    text = model._repr_html_()
    shown = "".join(ElementTree.fromstring(text).itertext())
    assert "400 - 5 - 2, sigmoid and sigmoid" in shown
    assert f"{model.outcome.cost:.6g}" in shown
    assert model.outcome.message in shown
    assert "<b>, c" in shown
    assert [len(curve) for curve in curves(text)] == [5, 5]
    regression = fastnn.train(X[::50], y[::50].astype(float), 2, output="identity", maxiter=2)
    assert "classes" not in regression._repr_html_()
