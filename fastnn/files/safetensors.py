"""Files of safetensors: arrays of numbers as its tensors, text beside them. Needs safetensors.

The library reads and writes tensors, and refuses what is cut off or announces what is not there. What it does not have
stands in the file's metadata, which hold text under names: an array of text is JSON there, with its type and its shape.
"""

import json
import math
import re
from typing import IO, Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array

# What the format calls its text (https://huggingface.co/docs/safetensors: eight bytes with the length of a header in
# JSON come first, and under this name in it).
_METADATA = "__metadata__"

# How an array of text begins there.
_BEGIN = '{"dtype": "<U'

_KINDS = "biuf"


def write(file: IO[bytes], arrays: dict[str, Array]) -> None:
    """A file of these arrays; ValueError if one is of a type that it cannot keep."""
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
    """All arrays of a file, which may not take more than `most` bytes."""
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


def _text(about: Any, most: int) -> Array:
    """An array of text, from what `write` has said of it."""
    dtype, shape, text = about["dtype"], about["shape"], about["text"]
    if not re.fullmatch(r"<U\d{1,9}", dtype) or not all(isinstance(one, str) for one in text):
        raise ValueError("its text is damaged")
    if len(text) != math.prod(shape) or len(text) * np.dtype(dtype).itemsize > most:
        raise ValueError("it announces much more text than it holds")
    return np.array(text, dtype).reshape(shape)


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(validation.needs("a .safetensors file", "safetensors")) from None
    return safetensors.numpy
