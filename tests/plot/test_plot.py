"""Pictures: what is drawn where, and what their titles say."""

import sys
from importlib import import_module

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

import fastnn
from fastnn import plot
from fastnn.benchmark import comparison
from fastnn.plot import canvas, images, ladder

from ..conftest import debug_case


@pytest.fixture(scope="module")
def trained():
    """A network of the digits, trained long enough to have few errors, with examples held out."""
    X, y = fastnn.load_digits()
    model = fastnn.train(X, y, maxiter=30, validation=0.2)
    return model, X, y


def title(figure, number=0):
    return figure.axes[number].get_title(loc="left")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def drawn(figure):
    """The pixels of the image in the first axes."""
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def frames(figure):
    """The left and upper corners of the frames around images."""
    return [patch.get_xy() for patch in figure.axes[0].patches]


def test_mosaic():
    pixels = np.arange(1.0, 13.0).reshape(3, 2, 2)
    got = images._mosaic(pixels, 1, 2)
    nan = np.nan
    want = [
        [1, 2, nan, 5, 6],
        [3, 4, nan, 7, 8],
        [nan] * 5,
        [nan] * 5,
        [nan] * 5,
        [9, 10, nan, nan, nan],
        [11, 12, nan, nan, nan],
        [nan] * 5,
        [nan] * 5,
    ]
    np.testing.assert_array_equal(got.pixels, want)
    assert got.corners.tolist() == [[0, 0], [0, 3], [5, 0]]
    assert got.columns == 2


@pytest.mark.parametrize("order", ["F", "C"])
def test_orientation(tmp_path, order):
    """A bar down the left edge is drawn down the left edge, whichever way the pixels are stored."""
    bar = np.zeros((20, 20))
    bar[:, :4] = 1.0
    figure = plot.digits(bar.ravel(order=order)[None], order=order)
    np.testing.assert_array_equal(drawn(figure), bar)
    plot.save(figure, tmp_path / "bar.png")
    picture = imread(tmp_path / "bar.png")[..., 0]
    height, width = picture.shape
    assert picture[height // 2, width // 10] < 0.1  # ink is dark
    assert picture[height // 4, width // 2] == 1.0


def test_digits_with_labels(digits):
    X, y = digits
    figure = plot.digits(X[::50], y[::50])
    assert title(figure) == "100 examples, 10 labels"
    assert texts(figure) == [str(label) for label in y[::50]]
    assert not frames(figure)
    np.testing.assert_array_equal(drawn(figure)[:20, :20], X[0].reshape(20, 20).T)
    assert title(plot.digits(X[:1])) == "1 example"


def test_wrong_digits_are_marked(digits):
    X, y = digits
    said = y[::1250].copy()  # 0, 2, 5, 7
    said[2] = 3
    figure = plot.digits(X[::1250], y[::1250], said)
    assert title(figure) == "1 of 4 wrong"
    assert texts(figure) == ["0", "2", "3, is 5", "7"]
    ((left, top),) = frames(figure)
    assert left == -0.5
    assert top > 20  # in the second row
    assert texts(plot.digits(X[::1250], predictions=said)) == ["0", "2", "3", "7"]
    assert title(plot.digits(X[::1250], predictions=said)) == "What the model says of 4 examples"


def test_digits_of_a_map(digits, tmp_path):
    """They are drawn as those in memory are."""
    np.save(tmp_path / "X.npy", digits[0][::500])
    for name, X in [("map", np.load(tmp_path / "X.npy", mmap_mode="r")), ("memory", digits[0][::500])]:
        plot.save(plot.digits(X), tmp_path / f"{name}.png")
    assert (tmp_path / "map.png").read_bytes() == (tmp_path / "memory.png").read_bytes()


@pytest.mark.slow
def test_errors_are_the_surest_first(trained, tmp_path):
    model, X, y = trained
    wrong = np.flatnonzero(model.predict(X) != y)
    A = model.predict_proba(X)[wrong]
    order = np.argsort(-A.max(axis=1))
    figure = plot.errors(model, X, y, count=7)
    assert title(figure) == f"{len(wrong)} of 5,000 wrong ({len(wrong) / 50:.2f} %): the 7 surest"
    want = []
    for i in order[:7]:
        want += [f"{A[i].argmax()} ({100 * A[i].max():.0f} %)", f"is {y[wrong[i]]}"]
    assert texts(figure) == want
    assert len(frames(figure)) == 7
    np.testing.assert_array_equal(drawn(figure)[:20, :20], X[wrong[order[0]]].reshape(20, 20).T)

    np.save(tmp_path / "X.npy", X)
    again = plot.errors(model, np.load(tmp_path / "X.npy", mmap_mode="r"), y, count=7)
    np.testing.assert_array_equal(drawn(again), drawn(figure))


def thickness(figure, path, colour, cuts):
    """For each cut of a saved figure the pixels of that colour; a cut is (x, y) in data units, and "x" or "y"."""
    plot.save(figure, path)
    pixels = np.round(255.0 * imread(path)[::-1, :, :3])
    right = (np.abs(pixels - 255.0 * np.array(to_rgb(colour))) < 20.0).all(axis=2)
    for point, direction in cuts:
        x, y = np.round(figure.axes[0].transData.transform(point)).astype(int)
        line, place = (right[y], x) if direction == "x" else (right[:, x], y)
        yield int(line[max(0, place - 10) : place + 10].sum())


@pytest.mark.slow
def test_errors_frames_have_equal_thickness_at_edges(trained, tmp_path):
    model, X, y = trained
    figure = plot.errors(model, X, y, count=25)
    side = 20.0
    middles = np.array(frames(figure)) + side / 2
    cuts = [((x + sign * side / 2, y), "x") for x, y in middles for sign in (-1, 1)]
    cuts += [((x, y + sign * side / 2), "y") for x, y in middles for sign in (-1, 1)]
    got = list(thickness(figure, tmp_path / "errors.png", canvas.WRONG, cuts))
    assert len(got) == 100
    assert min(got) >= 4  # 2 points are 5.6 pixels; the outermost may be paler
    assert max(got) - min(got) <= 1


def test_confusion_lines_have_equal_thickness_at_edges(trained, tmp_path):
    ends = [-0.5, 0.5, 9.5]
    cuts = [((x, 0.25), "x") for x in ends] + [((0.25, y), "y") for y in ends]
    got = list(thickness(plot.confusion(*trained), tmp_path / "confusion.png", "#d9d9d9", cuts))
    assert min(got) >= 1
    assert max(got) == min(got)


def test_no_errors():
    X = np.eye(4)
    model = fastnn.train(X, [0, 1, 0, 1], 3, 0.0, maxiter=200)
    assert title(plot.errors(model, X, model.predict(X))) == "0 of 4 wrong (0.00 %)"
    assert title(plot.confusion(model, X, model.predict(X))) == "100.00 % of 4 right"


def test_units(trained):
    model = trained[0]
    W = model.weights[0][:, 1:]
    figure = plot.units(model)
    image = figure.axes[0].images[0]
    top = np.abs(W).max()
    assert image.get_clim() == (-top, top)
    np.testing.assert_array_equal(drawn(figure)[:20, :20], W[0].reshape(20, 20).T)
    assert texts(figure) == [str(unit) for unit in range(25)]
    unit = np.abs(W).max(axis=1).argmax()
    assert title(figure) == (
        f"What 25 hidden units look for: the largest weight is {W[unit][np.abs(W[unit]).argmax()]:.3g}, of unit {unit}"
    )
    assert figure.axes[1].get_ylabel() == "weight of an input"


def test_the_signed_scale_rises_in_grey():
    """From dark to light, so that a print in grey still tells signs apart; and zero is in the middle."""
    scale = matplotlib.colors.LinearSegmentedColormap.from_list("signed", images._SIGNED)
    grey = scale(np.linspace(0, 1, 101))[:, :3] @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert (np.diff(grey) > 0).all()
    assert grey[0] < 0.2
    assert abs(grey[50] - 0.6) < 0.02
    assert grey[-1] > 0.9


def test_units_of_a_table():
    """Where there is no image, a row for each unit with the columns' names."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.random.default_rng(0).random((30, 3)), columns=["width", "height", "weight"])
    model = fastnn.train(frame, np.arange(30) % 2, 4, maxiter=3, standardize=True)
    figure = plot.units(model)
    np.testing.assert_array_equal(drawn(figure), model.weights[0][:, 1:])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["width", "height", "weight"]
    assert figure.axes[1].get_ylabel() == "weight of a standardised input"


def test_history(trained):
    model = trained[0]
    history = model.history
    figure = plot.history(model)
    upper, lower = figure.axes
    cost, held_out, ring = upper.lines
    np.testing.assert_array_equal(cost.get_ydata(), history.cost - history.regularisation)
    np.testing.assert_array_equal(held_out.get_ydata(), history.validation_cost)
    assert upper.get_ylabel() == "cost without regularisation"
    assert [text.get_text() for text in upper.get_legend().texts] == ["examples trained on", "examples held out"]
    assert held_out.get_linestyle() == "--"
    assert ring.get_ydata()[0] == history.validation_cost.min()
    assert ring.get_xdata()[0] == history.validation_cost.argmin()
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), history.validation_score)
    assert upper.get_yscale() == "log"
    assert lower.get_xlabel() == "iteration"
    assert lower.get_ylabel() == "accuracy on examples held out"
    first, second = title(figure).split("\n")
    costs = f"Cost {history.cost[0]:.3g} to {model.outcome.cost:.3g}"
    assert first.startswith(f"{costs}, with regularisation, in 30 iterations, ")
    best = history.validation_cost.argmin()
    assert second == (
        f"Lowest on examples held out: {history.validation_cost[best]:.3g} at iteration {best} (iteration limit)"
    )


def test_several_histories(digits):
    X, y = digits
    models = {
        solver: fastnn.train(X[::10], y[::10], solver=solver, maxiter=n) for solver, n in [("cg", 3), ("l-bfgs", 20)]
    }
    figure = plot.history(models, over="seconds")
    (axes,) = figure.axes
    for line, model in zip(axes.lines, models.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), model.history.seconds)
    assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == 2
    assert [text.get_text() for text in axes.get_legend().texts] == ["cg", "l-bfgs"]
    assert title(figure).startswith(f"Lowest: l-bfgs, {models['l-bfgs'].outcome.cost:.3g} after 20 iterations")
    assert axes.get_xlabel() == "seconds"


def test_history_tells_costs_apart_that_cannot_be_compared(trained):
    """A training without examples held out, and a model of an earlier version, have the cost with regularisation."""
    X, y = trained[1][::50], trained[2][::50]
    held_out, old = (fastnn.train(X, y, 2, maxiter=2, validation=0.2) for _ in range(2))
    old.history.regularisation[:] = np.nan
    models = {"a": held_out, "b": fastnn.train(X, y, 2, maxiter=2), "old": old}
    axes = plot.history(models).axes[0]
    assert axes.get_ylabel() == "cost"
    assert [text.get_text() for text in axes.get_legend().texts] == [
        *("a", "a, held out", "b, with regularisation", "old, with regularisation", "old, held out")
    ]
    np.testing.assert_array_equal(axes.lines[-3].get_ydata(), old.history.cost)


def test_a_cost_that_hardly_falls_has_a_linear_axis():
    model = fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=1)
    assert plot.history(model).axes[0].get_yscale() == "linear"


def test_confusion():
    """Six examples, of which one 'b' and one 'c' are taken for 'a'; a label that is new has a row of its own."""
    X = np.eye(6)
    model = fastnn.train(X, ["a", "a", "b", "b", "c", "c"], 8, 0.0, maxiter=300)
    assert model.score(X, ["a", "a", "b", "b", "c", "c"]) == 1.0
    figure = plot.confusion(model, X, ["a", "a", "b", "b", "c", "c"])
    assert texts(figure) == ["2", "2", "2"]
    with pytest.warns(UserWarning, match="labels that the model has never seen, 'x'"):
        figure = plot.confusion(model, X, ["b", "a", "b", "b", "x", "c"])
    got = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert got == {(0, 0): "1", (0, 1): "1", (1, 1): "2", (2, 2): "1", (2, 3): "1"}  # column, row
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c", "x"]
    assert title(figure) == "66.67 % of 6 right\nmost often b is taken for a: 1"
    shares = drawn(figure)
    assert shares[1, 0] == 1 / 3
    assert shares[3, 2] == 1.0
    assert np.isnan(shares[0, 0])


LABELS = ["$5 to $10", "half \udc80 a character", "two\nlines", "a very long label that goes on and on"]


def test_labels_of_any_kind_are_drawn(tmp_path):
    """As they are: a dollar begins no formula; and what no font has is escaped."""
    y = np.repeat(LABELS, 2)
    model = fastnn.train(np.eye(8), y, 3, maxiter=3)
    figures = [
        plot.digits(np.eye(8)[:, :4], y),
        plot.errors(fastnn.train(np.eye(8)[:, :4], y, 2, maxiter=1), np.eye(8)[:, :4], y),
        plot.confusion(model, np.eye(8), y),
        plot.history(dict.fromkeys(LABELS, model)),
    ]
    for figure in figures:
        plot.save(figure, tmp_path / "a.png")
    figure = figures[0]
    assert texts(figure)[::2] == [r"\$5 to \$10", r"half \udc...", r"two\nlines", "a very lo..."]


def test_confusion_of_many_classes():
    rng = np.random.default_rng(0)
    X, y = rng.random((160, 5)), np.arange(160) % 80
    model = fastnn.train(X, y, 4, maxiter=2)
    figure = plot.confusion(model, X, y)
    assert not texts(figure)
    assert len(figure.axes) == 2  # a scale in the place of counts
    assert len(figure.axes[0].get_xticklabels()) == 40


def test_check():
    """The entries of the course's small network; and a row that is wrong, which is the worst and is marked."""
    case = debug_case()
    _, gradient = fastnn.cost_and_gradient(case.weights, case.X, case.y, 3.0)
    numerical = fastnn.numerical_gradient(case.weights, case.X, case.y, 3.0)
    report = fastnn.check_gradient(case.weights, case.X, case.y, 3.0)
    figure = plot.check(gradient, numerical)
    upper, lower = figure.axes
    assert title(figure) == (
        f"38 entries: norm ratio {report.relative_norm_error:.1e}, error of the worst {report.max_relative_error:.1e}"
    )
    for l in range(2):
        np.testing.assert_array_equal(upper.lines[l].get_xdata(), gradient[l].ravel())
        np.testing.assert_array_equal(upper.lines[l].get_ydata(), numerical[l].ravel())
    assert all(max(line.get_ydata()) < 1e-8 for line in lower.lines[:2])

    wrong = (gradient[0], gradient[1].copy())
    wrong[1][2, 4] *= 1.25
    figure = plot.check(wrong, numerical)
    upper, lower = figure.axes
    assert title(figure).endswith("error of the worst 2.0e-01")
    (ring,) = [line for line in upper.lines if "worst" in line.get_label()]
    assert ring.get_label() == "the worst: layer 1, row 2, column 4"
    assert ring.get_xydata().tolist() == [[wrong[1][2, 4], numerical[1][2, 4]]]
    assert lower.lines[2].get_xydata()[0].tolist() == pytest.approx([20 + 2 * 6 + 4, 0.2])
    assert plot.check(wrong, numerical, ax=Figure().subplots()).axes[0].lines


def group(times):
    def result(seconds):
        return comparison.Result(np.full(3, seconds), 0.0, 0.0, None, 1.0)

    reference = comparison.Reference(np.ones(3), 1.0)
    return comparison.Group("work", {name: result(seconds) for name, seconds in times.items()}, reference, reference)


TIMES = {"fused": 0.001, "NumPy": 0.01, "PyTorch": 0.0125, "Python loop": 0.1}


def test_benchmark(tmp_path):
    """A dot for each time, on a logarithmic axis, with the time and the ratio to NumPy beside it."""
    figure = plot.benchmark([group(TIMES)], note="here")
    (axes,) = figure.axes
    line, *dots = axes.lines
    assert axes.get_xscale() == "log"
    assert title(figure) == "work: fused is 10.0 times as fast as NumPy"
    assert line.get_xdata()[0] == 0.01
    assert [dot.get_xdata()[0] for dot in dots] == [0.1, 0.0125, 0.01, 0.001]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Python loop", "PyTorch", "NumPy", "fused"]
    assert texts(figure) == ["100 ms, 0.100 x NumPy", "12.5 ms, 0.800 x NumPy", "10.0 ms", "1.00 ms, 10.0 x NumPy"]
    styles = [(dot.get_color(), dot.get_marker()) for dot in dots]
    assert styles[0] == styles[2]  # engines of fastnn
    assert [len(set(kind)) for kind in zip(styles[0], styles[1], styles[3], strict=True)] == [3, 3]
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["fused", "other engines of fastnn", "other libraries", "NumPy, the baseline"]
    assert "here" in figure.get_supxlabel()
    plot.save(figure, tmp_path / "ladder.png")
    assert imread(tmp_path / "ladder.png").shape[1] == 8 * 200
    mine = Figure().subplots()
    assert plot.benchmark([group(TIMES)], ax=mine) is mine.figure
    assert len(mine.texts) == 4


@pytest.mark.parametrize(
    ("times", "want"),
    [
        ({"fused": 2.0, "NumPy": 3.0, "JAX": 1.0}, "work: JAX is 2.00 times as fast as fused"),
        ({"fused": 2.0}, "work"),
        ({"NumPy": 2.0, "JAX": 1.0}, "work"),
    ],
)
def test_the_title_says_who_is_faster(times, want):
    assert title(plot.benchmark([group(times)])) == want


@pytest.mark.parametrize("spread", [1.0, 1.1, 10.0, 1e7])
def test_labels_stay_inside(spread):
    """Whatever the times, the labels end before their axes do, and there are ticks."""
    figure = plot.benchmark([group({"NumPy": 123e-6, "fused": 123e-6 * spread, "a peer": 122e-6 * spread})] * 2)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_window_extent()
        for text in axes.texts:
            assert text.get_window_extent().x1 < box.x1
        low, high = axes.get_xlim()
        assert any(low <= tick <= high for tick in axes.get_xticks())


@pytest.mark.parametrize(
    ("seconds", "want"), [(1e-6, "1 us"), (0.0002, "200 us"), (1e-3, "1 ms"), (0.02, "20 ms"), (1e3, "1,000 s")]
)
def test_ticks(seconds, want):
    assert ladder._tick(seconds * (1.0 - 1e-12)) == want


def every(trained):
    """Each picture, as a function of the axes."""
    model, X, y = trained
    small = tuple(W[:, :3] for W in model.weights[:1])
    return {
        "digits": lambda ax: plot.digits(X[:4], y[:4], y[:4], ax=ax),
        "errors": lambda ax: plot.errors(model, X, y, ax=ax),
        "units": lambda ax: plot.units(model, ax=ax),
        "history": lambda ax: plot.history(model, ax=ax),
        "confusion": lambda ax: plot.confusion(model, X, y, ax=ax),
        "check": lambda ax: plot.check(small, small, ax=ax),
        "benchmark": lambda ax: plot.benchmark([group(TIMES)], ax=ax),
    }


@pytest.mark.parametrize("name", [name for name in plot.__all__ if name not in ("canvas", "save")])
def test_each_draws_where_it_is_told_and_changes_nothing_else(name, trained, tmp_path):
    draw = every(trained)[name]
    figure = Figure()
    left, right = figure.subplots(1, 2)
    before = dict(matplotlib.rcParams)
    assert draw(left) is figure
    assert left.get_title(loc="left")
    assert not right.has_data()
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    with pytest.raises(TypeError, match="ax is 3; axes of matplotlib,"):
        draw(3)
    own = draw(None)
    assert own.dpi == canvas.DPI
    plot.save(own, tmp_path / "a.png")
    assert imread(tmp_path / "a.png").std() > 0.01


def test_a_notebook_shows_a_figure_without_pyplot(digits):
    figure = plot.digits(digits[0][:4])
    content, size = figure._repr_png_()
    assert content[:4] == b"\x89PNG"
    assert size == {"width": round(100 * figure.get_figwidth()), "height": round(100 * figure.get_figheight())}


REGRESSION = ([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda model, X, y: plot.digits(X),
            ValueError,
            "X has 5,000 rows; at most 400 images, as X[:100], are wanted",
        ),
        (lambda model, X, y: plot.digits(X[:3, :3]), ValueError, "X has 3 columns; a square number"),
        (lambda model, X, y: plot.digits(X[:3], y[:2]), ValueError, "y has 2 labels"),
        (lambda model, X, y: plot.digits(X[:3], y[:3], y[:2]), ValueError, "predictions: y has 2 labels"),
        (lambda model, X, y: plot.digits(X[:3], order="A"), ValueError, "order is 'A'"),
        (lambda model, X, y: plot.errors(X, X, y), TypeError, "that ends in one, got a ndarray"),
        (lambda model, X, y: plot.errors(model, X, y, count=0), ValueError, "count is 0"),
        (lambda model, X, y: plot.history({}), ValueError, "trainings holds no model"),
        (lambda model, X, y: plot.history({"a": 1}), TypeError, "model must be a fastnn.Model, a fitted"),
        (lambda model, X, y: plot.history(model, over="days"), ValueError, "over is 'days'"),
        (
            lambda model, X, y: plot.history(model, ax=[1, 2]),
            TypeError,
            "ax is [1, 2]; axes of matplotlib, a pair of them",
        ),
        (lambda model, X, y: plot.check(model.weights, model.weights[:1]), ValueError, "numerical has shapes"),
        (lambda model, X, y: plot.benchmark([]), ValueError, "groups holds none"),
        (
            lambda model, X, y: plot.benchmark([group(TIMES)] * 2, ax=Figure().subplots()),
            ValueError,
            "ax is given for 2 groups",
        ),
        (lambda model, X, y: plot.save(3, "a.png"), TypeError, "figure is 3; a figure of matplotlib is wanted"),
        (lambda model, X, y: plot.save(Figure(), "a.svg"), ValueError, "path is 'a.svg'; a name that ends in .png"),
    ],
)
def test_refusals(trained, call, error, message):
    with pytest.raises(error) as raised:
        call(*trained)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_models_without_classes_are_refused():
    numbers = fastnn.train(*REGRESSION, 2, maxiter=1, output="identity")
    several = fastnn.train(np.eye(4), np.eye(4)[:, :2], 2, maxiter=1, multilabel=True)
    for draw in (plot.errors, plot.confusion):
        with pytest.raises(ValueError, match="model is one of numbers; one of classes is wanted"):
            draw(numbers, *REGRESSION)
        with pytest.raises(ValueError, match="model is one of several labels at once; one of classes is wanted"):
            draw(several, np.eye(4), np.eye(4)[:, :2])


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(self, file, **options):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot.save(Figure(), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_without_matplotlib(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fastnn.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    with pytest.raises(ImportError, match=r"^fastnn\.plot needs matplotlib: python -m pip install matplotlib$"):
        import_module("fastnn.plot")
