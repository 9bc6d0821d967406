"""`fastnn export`."""

import argparse

from . import output
from .options import add, add_output, file_name, path

USAGE = "export MODEL TARGET"
PURPOSE = "write a model for programs without fastnn: ONNX, a C header, safetensors, .mat"
EXAMPLE = "export fastnn-model.npz digits.onnx"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "MODEL", "a model that fastnn train saved", file_name)
    add(parser, "TARGET", ".onnx, .h, .safetensors, .mat or .npz", path)
    add(parser, "--c", "C, whatever TARGET's suffix is")
    add(parser, "--dtype NAME", "float32 (default of .onnx) or float64 (default of C)")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    from ..model import load
    from ..model.export import export, write

    target = options.target
    output.check_file(target, "TARGET")
    model = load(options.model)
    if options.c:
        write(model, target, ".h", options.dtype)
    else:
        export(model, target, dtype=options.dtype)
    size = target.stat().st_size
    output.tell(options, {"saved": target, "bytes": size}, [f"saved {target}: {size:,} bytes"])
    return 0
