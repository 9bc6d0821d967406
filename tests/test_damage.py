"""Damaged and hostile files: refused with one sentence, or read as what was saved; and in little memory."""

import numpy as np
import pytest

import fastnn
from fastnn import files

every_format = pytest.mark.parametrize("suffix", [".npz", ".mat"])


@pytest.fixture(scope="module")
def model():
    """With all that a file can hold."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 2)), np.array(["ant", "bee", "naïve"])[np.arange(30) % 3]
    return fastnn.train(X, y, 2, maxiter=2, standardize=True, scale=0.5)


@every_format
def test_a_changed_file_is_refused(tmp_path, model, suffix):
    """Whatever wrote the change; without a checksum too."""
    path = tmp_path / f"model{suffix}"
    model.save(path)
    arrays = files.as_read(path, files.read_arrays(path))
    checksum = {"checksum": np.array(files._checksum(arrays))}
    write = files.FORMATS[suffix].write
    changes = [
        ({"lmbda": np.array(2.0)}, "whose checksum is not that of what it holds"),
        ({"Theta1": arrays["Theta1"].T}, "whose checksum is not that"),
        ({"Theta1": arrays["Theta1"].astype(np.float32)}, "whose checksum is not that"),
        ({"other": np.array(2.0)}, "whose checksum is not that"),
        ({"checksum": np.array([1.0, 2.0])}, "whose checksum is not that"),
        ({"checksum": None}, "which has lost its checksum"),
    ]
    for change, message in changes:
        changed = {name: value for name, value in (arrays | checksum | change).items() if value is not None}
        with open(path, "wb") as file:
            write(file, changed)
        for read in (fastnn.load, fastnn.read_weights):
            with pytest.raises(fastnn.ModelFileError, match=rf"path is '.*model{suffix}', {message}.*: it was damaged"):
                read(path)
    with open(path, "wb") as file:
        write(file, arrays | checksum)
    assert fastnn.load(path).lmbda == model.lmbda
