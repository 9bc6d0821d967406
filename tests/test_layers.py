"""The order of layers, what importing loads, and what a wheel holds."""

import ast
import copy
import graphlib
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numba
import pytest

import fastnn
from fastnn.runtime import jit

from .conftest import ROOT, UNMEASURED

PACKAGE = Path(fastnn.__file__).parent

# From the ground up: a module or folder imports only from entries before its own.
LAYERS = [
    "spec",
    "outcome",
    "runtime",
    "kernels",
    "inputs",
    "network",
    "metrics",
    "targets",
    "engines",
    "problem",
    "files",
    "objective",
    "forward",
    "datasets",
    "model",
    "check",
    "warmup",
    "training",
    "train",
    "benchmark",
    "estimator",
    "plot",
    "distributed",
    "cli",
]
EDGE = ["__main__", "__init__"]


def modules():
    """Return {dotted name inside the package: path} of all modules."""
    paths = {path.relative_to(PACKAGE).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


def files_of(layer):
    """The layer's files: one, or those of its folder."""
    return sorted((PACKAGE / layer).rglob("*.py")) or [PACKAGE / f"{layer}.py"]


def imported_modules(path, known):
    """The modules of this package that a file names in any import, lazy ones too."""
    package = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                parts = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            elif (node.module or "").partition(".")[0] == "fastnn":
                parts = node.module.split(".")[1:]
            else:
                continue
            for alias in node.names:
                full = ".".join([*parts, alias.name])
                yield full if full in known else ".".join(parts)
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("fastnn."))


def test_every_module_has_a_layer():
    assert {name.partition(".")[0] for name in modules()} == {*LAYERS, *EDGE}


def test_the_readme_is_a_map_of_the_layers():
    """In their order, each with a few words."""
    rows = (ROOT / "fastnn" / "README.md").read_text().split("|---|---|\n")[1].split("\n\n")[0]
    named = [
        name.strip(" `").removesuffix(".py").rstrip("/")
        for row in rows.split("\n")
        for name in row.split("|")[1].split(",")
    ]
    assert named == LAYERS


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_from_those_below(layer):
    known = modules()
    for path in files_of(layer):
        for module in imported_modules(path, known):
            top = module.partition(".")[0]
            assert top in ("", layer, *LAYERS[: LAYERS.index(layer)]), f"{path} imports {module}"


def test_no_modules_import_each_other_in_a_circle():
    known = modules()
    imports = {name: {*imported_modules(path, known)} - {""} for name, path in known.items() if name != "__init__"}
    graphlib.TopologicalSorter(imports).prepare()  # or it raises CycleError, which names the circle


@pytest.mark.parametrize(
    "line", ["from .. import train", "from ..train import a", "import fastnn.train", "from fastnn.train import a"]
)
def test_every_way_to_import_is_seen(line, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "kernels").mkdir()
    path = tmp_path / "kernels" / "tiles.py"
    path.write_text(f"from .jit import b\n\ndef f():\n    {line}\n")
    assert set(imported_modules(path, {"train", "kernels.jit"})) == {"kernels.jit", "train"}


def test_the_fast_path_does_not_import_the_reference():
    code = "import numpy as np, fastnn, sys; fastnn.train(np.eye(4), [0, 1, 0, 1], 2, maxiter=2)"
    assert run(f"{code}; print('fastnn.engines.numpy' in sys.modules)") == "False"


def test_only_the_runtime_kernels_and_engines_import_numba():
    files = [path for layer in LAYERS if layer not in ("runtime", "kernels", "engines") for path in files_of(layer)]
    assert not [path for path in files if "import numba" in path.read_text()]


def parallel_functions():
    """Those of kernels and engines with a `prange`."""
    for room in ("kernels", "engines"):
        for path in files_of(room):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    text = ast.unparse(node)
                    if "in prange(" in text or "numba.prange(" in text:
                        yield node


def test_no_store_through_a_tuple_in_a_parallel_function():
    """`work.losses[g] = loss` there is lost without a word (numba 0.68): dead code, it seems to its parallel passes."""
    functions = list(parallel_functions())
    assert {"_accumulate", "_outputs", "_slopes"} <= {function.name for function in functions}
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                assert not isinstance(node.value, ast.Attribute), f"{function.name}: {ast.unparse(node)}"


@pytest.mark.slow
def test_parallel_functions_have_the_parallel_loops_that_are_written_and_no_others():
    """In a parallel function Numba also makes one of each array expression: `a.sum()` there waits for all threads."""
    fastnn.warmup()
    functions = [(function.name, ast.unparse(function).count("prange(")) for function in parallel_functions()]
    for kernel in jit._kernels:
        signature = next(iter(kernel.parallel.overloads))
        again = numba.njit(parallel=True)(kernel.parallel.py_func)
        again.compile(signature)
        loops = again.overloads[signature].metadata["parfor_diagnostics"].initial_parfors
        functions.remove((kernel.__name__, len(loops)))
    assert not functions


def run(code):
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_light():
    heavy = "{'numba', 'scipy', 'tqdm', 'matplotlib', 'numpy', 'pandas', 'pyarrow', 'h5py', 'sklearn'}"
    assert run(f"import fastnn, sys; print({heavy} & set(sys.modules))") == "set()"


def test_a_small_table_loads_no_library_of_tables(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,0\n3,7,1\n")
    heavy = "{'pandas', 'pyarrow', 'h5py', 'numba'}"
    code = f"import fastnn, sys; fastnn.read_data({str(tmp_path / 'a.csv')!r}); print({heavy} & set(sys.modules))"
    assert run(code) == "set()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import fastnn; f = fastnn.train",
        "import fastnn.train; f = fastnn.train",
        "from fastnn.train import train as f",
        "from fastnn import train as f",
        "import fastnn.train as f",
        "import fastnn; fastnn.train; import fastnn.train; f = fastnn.train",
        "from fastnn.train import train; import fastnn; f = fastnn.train",
        "import fastnn; fastnn.load_digits; fastnn.check_gradient; import fastnn.train; f = fastnn.train",
        "import importlib, fastnn; importlib.import_module('fastnn.train'); f = fastnn.train",
    ],
)
def test_train_is_a_function(code):
    assert run(f"{code}; import inspect; print(inspect.isfunction(f), f.__name__)") == "True train"


def test_the_package_pickles():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(fastnn, protocol)) is fastnn
    assert copy.deepcopy(fastnn) is fastnn


NOTEBOOK = """
import fastnn, joblib, numpy as np

def f(seed):
    return fastnn.train(np.eye(4), [0, 1, 2, 3], 2, maxiter=3, seed=seed).outcome.cost

if __name__ == "__main__":
    print(joblib.Parallel(2)(joblib.delayed(f)(seed) for seed in range(4)) == [f(seed) for seed in range(4)])
"""


@pytest.mark.slow
def test_a_function_that_uses_the_package_goes_to_other_processes(tmp_path):
    """As from a notebook: joblib sends the function with the globals that it names."""
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    assert run(f"import runpy; runpy.run_path({str(tmp_path / 'notebook.py')!r}, run_name='__main__')") == "True"


MODULES = ("distributed", "estimator", "plot")


@pytest.mark.slow
def test_modules_are_attributes_loaded_when_first_used():
    loaded = "[name for name in ('sklearn', 'matplotlib', 'dask') if name in sys.modules]"
    code = f"import fastnn, sys; dir(fastnn); print({loaded}, fastnn.plot.errors.__name__, {loaded})"
    assert run(code) == "[] errors ['matplotlib']"
    assert run("import fastnn; print(fastnn.estimator.FastNNClassifier.__name__)") == "FastNNClassifier"
    assert run("import fastnn; print(fastnn.distributed.ClusterLost.__name__)") == "ClusterLost"
    assert run("from fastnn import *; import sys; print('sklearn' in sys.modules)") == "False"


def test_public_names():
    assert fastnn.__all__ == sorted(fastnn._HOME)
    assert {name for name in dir(fastnn) if not name.startswith("__")} == {*fastnn.__all__, *MODULES}
    with pytest.raises(AttributeError, match="'fastnn' has no attribute 'nothing'"):
        fastnn.nothing  # noqa: B018


@pytest.mark.slow
def test_wheel_from_sdist(tmp_path):
    """The data reach an installed package: by way of the sdist, as an index would build it."""
    pytest.importorskip("build")
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a checkout")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)], capture_output=True, check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"fastnn/digits.npz", "fastnn/py.typed", "fastnn/engines/fused.py"} <= set(names)
    assert not [name for name in names if name.startswith(("tests", "bench", "data"))]
    script = "import fastnn; X, y = fastnn.load_digits(); print(fastnn.__file__, X.shape)"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {script}"],
        env=os.environ | UNMEASURED, capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert str(tmp_path) in done.stdout
    assert "(5000, 400)" in done.stdout


def test_no_function_has_more_than_eight_positional_arguments():
    """But tiles, whose arguments are registers."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem not in ("tiles", "vectors"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    assert len(node.args.posonlyargs + node.args.args) <= 8, f"{path.name}: {node.name}"
