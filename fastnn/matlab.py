"""MATLAB's files as named arrays: numbers, logical as bool, text and cells of text as arrays of strings.

What is anything else, a structure say, is left out; a sparse matrix stays one, for the reader to refuse by that name.
"""

from typing import IO, Any

import numpy as np

from .validation import Array


def read(file: IO[bytes]) -> dict[str, Any]:
    """The variables of an open file, of version 7.3 (HDF5) or older."""
    recent = file.read(10) == b"MATLAB 7.3"
    file.seek(0)
    return _read_hdf5(file) if recent else _read_old(file)


def write(file: IO[bytes], arrays: dict[str, Array]) -> None:
    from scipy.io import savemat

    savemat(file, arrays)


def _read_old(file: IO[bytes]) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat

    kinds = {name: kind for name, _, kind in whosmat(file)}
    file.seek(0)
    values = {name: value for name, value in loadmat(file).items() if name in kinds}
    for name, value in values.items():
        if kinds[name] == "logical" and isinstance(value, np.ndarray):
            values[name] = value.astype(bool)
        elif kinds[name] == "cell":
            values[name] = _text_cells(value)
    return {name: value for name, value in values.items() if value is not None}


def _text_cells(cells: Array) -> Array | None:
    """Of cells that each hold one line of text, an array of strings; None for others."""
    if not all(isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1 for cell in cells.flat):
        return None
    return np.array([str(cell.item()) if cell.size else "" for cell in cells.flat], dtype=str).reshape(cells.shape)


def _read_hdf5(file: IO[bytes]) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise ValueError(
            'it is of version 7.3, which needs h5py: python -m pip install "fastnn[hdf5]", or save it with -v7'
        ) from None
    with h5py.File(file, "r") as variables:
        values = {name: _hdf5_value(variables, variables[name]) for name in variables if not name.startswith("#")}
    return {name: value for name, value in values.items() if value is not None}


def _hdf5_value(variables: Any, node: Any) -> Any:
    """One variable. MATLAB's order of axes is the reverse of HDF5's."""
    kind = bytes(node.attrs.get("MATLAB_class", b"")).decode()
    if "MATLAB_sparse" in node.attrs:
        from scipy.sparse import csc_array

        rows, columns = int(node.attrs["MATLAB_sparse"]), len(node["jc"]) - 1
        return csc_array((node["data"][()], node["ir"][()], node["jc"][()]), shape=(rows, columns))
    if not hasattr(node, "shape"):
        return None
    if "MATLAB_empty" in node.attrs:
        return np.empty([int(size) for size in node[()]], dtype=str if kind == "char" else float)
    values = node[()].T
    if kind == "logical":
        return values.astype(bool)
    if kind == "char":
        return np.array(["".join(map(chr, row)) for row in values])
    if kind == "cell":
        cells = np.empty(values.shape, dtype=object)
        for place, reference in np.ndenumerate(values):
            cells[place] = _hdf5_value(variables, variables[reference])
        return _text_cells(cells)
    return values
