"""Photos and drawings of digits: the network sees what it was trained on."""

import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import fastnn
from fastnn.datasets import photo

from ..conftest import ROOT


@pytest.fixture(scope="module")
def images():
    """MNIST's own, of the shipped digits: 28 x 28, 1 ink."""
    with np.load(ROOT / "data" / "digits.npz") as archive:
        return archive["images"] / 255.0


@pytest.fixture(scope="module")
def model():
    return fastnn.train(*fastnn.load_digits(), maxiter=100)


SOME = np.random.default_rng(0).permutation(5000)[:40]


def written_large(image, rng):
    """The same somewhere on a sheet of 700 x 600, ten times as large or more."""
    large = ndimage.zoom(image, rng.uniform(10.0, 14.0), order=3).clip(0.0, 1.0)
    sheet = np.zeros((700, 600))
    top, left = (rng.integers(20, size - len(large) - 20) for size in sheet.shape)
    sheet[top : top + len(large), left : left + len(large)] = large
    return sheet


def drawing(ink, rng):
    return 255.0 * (1.0 - ink)


def chalk(ink, rng):
    return 30.0 + 200.0 * ink


def shadowed(ink, rng):
    """Grey paper, half in shadow, with grain."""
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    paper = 215.0 - 60.0 * x / ink.shape[1] - 35.0 * y / ink.shape[0]
    return ndimage.gaussian_filter(paper * (1.0 - ink) + 55.0 * ink + rng.normal(0.0, 5.0, ink.shape), 1.0)


def dirty(ink, rng):
    """A speck, and the edge of the table."""
    grey = shadowed(ink, rng)
    grey[5:9, 300:304] = 40.0
    grey[:, :12] = 60.0
    return grey


def saved(grey, path, **options):
    Image.fromarray(grey.clip(0.0, 255.0).astype(np.uint8)).save(path, **options)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("sheet", [drawing, chalk, shadowed, dirty])
def test_a_network_reads_photos_as_it_reads_the_data(sheet, images, model, tmp_path):
    """Of the digits that it reads right nine in ten; at random it would be one."""
    rng = np.random.default_rng(1)
    X, y = fastnn.load_digits()
    right = [i for i in SOME if model.predict(X[i : i + 1])[0] == y[i]]
    rows = np.concatenate(
        [photo.read_digit(saved(sheet(written_large(images[i], rng), rng), tmp_path / "a.png"), 400) for i in right]
    )
    assert (model.predict(rows) == y[right]).mean() > 0.9
    correlations = [np.corrcoef(got, want)[0, 1] for got, want in zip(rows, X[right], strict=True)]
    assert np.median(correlations) > 0.93


@pytest.mark.slow
def test_thin_lines_are_drawn_as_thick_as_the_data(images, model, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    _, y = fastnn.load_digits()
    paths = []
    for i in SOME:
        depth = ndimage.distance_transform_edt(written_large(images[i], rng) > 0.5)
        thin = ndimage.gaussian_filter((depth > np.percentile(depth[depth > 0], 70)).astype(float), 1.5)
        paths.append(saved(drawing(thin / thin.max(), rng), tmp_path / f"{i}.png"))

    def right():
        rows = np.concatenate([photo.read_digit(path, 400) for path in paths])
        return (model.predict(rows) == y[SOME]).mean()

    thick = right()
    assert thick > 0.8
    monkeypatch.setattr(photo, "_STROKE", 0.0)
    assert right() < thick - 0.1


@pytest.mark.parametrize("order", ["F", "C"])
def test_an_image_of_mnist_is_that_row_of_the_data(order, images, tmp_path):
    """Its own 28 x 28 pixels, light on dark: strokes of that width stay as they are."""
    X, _ = fastnn.load_digits()
    for i in SOME[:20]:
        row = photo.read_digit(saved(255.0 * images[i], tmp_path / "a.png"), 400, order)
        want = X[i] if order == "F" else X[i].reshape(20, 20).T.ravel()
        assert row.shape == (1, 400)
        assert np.corrcoef(row[0], want)[0, 1] > 0.9
        (full,) = photo.read_digit(tmp_path / "a.png", 784, order)
        assert np.corrcoef(full.reshape(28, 28, order=order).ravel(), images[i].ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_ink_is_where_the_data_have_it(images, tmp_path):
    """The longer side takes 20 of 28 pixels, and the centre of mass is at 14, within half of one."""
    rng = np.random.default_rng(3)
    for i in SOME[:20]:
        path = saved(drawing(written_large(images[i], rng), rng), tmp_path / "a.png")
        seen = photo.read_digit(path, 784).reshape(28, 28)
        rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
        assert max(rows[-1] - rows[0], columns[-1] - columns[0]) == 19
        assert np.abs(np.array(ndimage.center_of_mass(seen)) - 14.0).max() <= 0.5 + 1e-9


def test_every_kind_of_file(images, tmp_path):
    """Colours, transparent paper, 16 bits, JPEG; and what a camera held sideways."""
    ink = written_large(images[700], np.random.default_rng(4))
    grey = drawing(ink, None)
    want = photo.read_digit(saved(grey, tmp_path / "a.png"), 400)
    stacked = Image.fromarray(grey.astype(np.uint8))
    stacked.convert("RGB").save(tmp_path / "rgb.png")
    stacked.convert("P").save(tmp_path / "p.gif")
    stacked.save(tmp_path / "a.jpg", quality=95)
    clear = np.zeros((*grey.shape, 4), np.uint8)
    clear[..., 3] = 255.0 * ink
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray((grey * 256.0).astype(np.uint16)).save(tmp_path / "deep.png")
    sideways = Image.fromarray(np.rot90(grey.astype(np.uint8)).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    sideways.save(tmp_path / "turned.png", exif=exif)
    for name in ("rgb.png", "p.gif", "a.jpg", "clear.png", "deep.png", "turned.png"):
        got = photo.read_digit(tmp_path / name, 400)
        assert np.corrcoef(got[0], want[0])[0, 1] > 0.99, name


@pytest.mark.parametrize("what", ["blank", "grain", "text", "cut", "missing", "no square"])
def test_refusals(what, tmp_path):
    path, n, error = tmp_path / "a.png", 400, ValueError
    rng = np.random.default_rng(0)
    if what == "blank":
        saved(np.full((50, 60), 200.0), path)
        message = "in which there is no ink; a digit, darker or lighter than its paper, is wanted"
    elif what == "grain":
        saved(200.0 + rng.normal(0.0, 3.0, (300, 300)), path)
        message = "in which there is no ink"
    elif what == "text":
        path.write_text("no picture")
        message = "which is no picture that Pillow knows; a PNG or JPEG is wanted"
    elif what == "cut":
        saved(rng.uniform(0.0, 255.0, (200, 200)), path)
        path.write_bytes(path.read_bytes()[:9000])
        message = "which cannot be read"
    elif what == "missing":
        error, message = FileNotFoundError, "No such file"
    else:
        saved(np.eye(30) * 255.0, path)
        n, message = 401, "IMAGE is given, but the model has 401 inputs; a square number"
    with pytest.raises(error, match=message) as raised:
        photo.read_digit(path, n)
    assert "\n" not in str(raised.value)


def test_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"^reading an image needs pillow: python -m pip install pillow$"):
        photo.read_digit(tmp_path / "a.png", 400)
