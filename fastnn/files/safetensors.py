"""Files of safetensors: arrays of numbers as its tensors, text beside them. Needs safetensors.

The library reads and writes tensors, and refuses a file that is cut off or announces more than it holds. Tensors of
text it does not have: they stand in the file's metadata as JSON, with type and shape.
"""

import json
import math
import re
from types import ModuleType
from typing import IO, Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array

# Name of the metadata in the header (https://huggingface.co/docs/safetensors: a file begins with the header's length in
# eight bytes and the header in JSON).
_METADATA = "__metadata__"

# How an array of text begins there.
_BEGIN = '{"dtype": "<U'

_KINDS = "biuf"


def write(file: IO[bytes], arrays: dict[str, Array]) -> None:
    """Write the arrays; ValueError if the format has no place for the type of one."""
    tensors, words = {}, {}
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind == "U":
            about = {"dtype": array.dtype.newbyteorder("<").str, "shape": array.shape, "text": array.ravel().tolist()}
            words[name] = json.dumps(about)
        elif array.dtype.kind in _KINDS and array.dtype.itemsize <= 8:
            tensors[name] = np.asarray(array, array.dtype.newbyteorder("="), order="C")
        else:
            raise ValueError(f"{name} is of {array.dtype}, which .safetensors cannot keep; .npz is wanted")
    file.write(_library().save(tensors, words))


def read(file: IO[bytes], most: int, large: str = "") -> dict[str, Array]:
    """Read all arrays; ValueError if text in them would take more than `most` bytes."""
    content = file.read()
    tensors: dict[str, Any] = _library().load(content)  # checks the header, of which the text is taken below
    length = int.from_bytes(content[:8], "little")
    words = json.loads(content[8 : 8 + length]).get(_METADATA, {})
    arrays = {name: np.array(tensor) for name, tensor in tensors.items()}
    for name, about in words.items():
        if name in arrays:
            raise ValueError(f"it holds {name} twice")
        if about.startswith(_BEGIN):  # others write words of their own, as torch "format": "pt"
            arrays[name] = _text(json.loads(about), most)
    return arrays


def _text(about: dict[str, Any], most: int) -> Array:
    """Return an array of text from its description in the metadata."""
    dtype, shape, text = about["dtype"], about["shape"], about["text"]
    if not re.fullmatch(r"<U\d{1,9}", dtype) or not all(isinstance(one, str) for one in text):
        raise ValueError("its text is damaged")
    if len(text) != math.prod(shape) or len(text) * np.dtype(dtype).itemsize > most:
        raise ValueError("it announces much more text than it holds")
    return np.array(text, dtype).reshape(shape)


def _library() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(validation.needs("a .safetensors file", "safetensors")) from None
    return safetensors.numpy
