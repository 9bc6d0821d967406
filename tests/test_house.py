"""The order of rooms, what importing loads, and what a wheel holds."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fastnn

from .conftest import ROOT

PACKAGE = Path(fastnn.__file__).parent

# A room imports only from rooms above it.
ROOMS = [
    "validation",
    "network",
    "kernels",
    "reference",
    "python_loop",
    "objective",
    "solvers",
    "data",
    "model",
    "train",
    "check",
    "warmup",
    "timing",
    "comparison",
    "ladder",
]
EDGE = ["plot", "cli", "__main__", "__init__"]


def imported_rooms(path):
    """The rooms of this package that a file names in any import, lazy ones too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            first = (node.module or "").split(".")[0]
            yield from [first] if first else [alias.name for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from [name.split(".")[1] for name in names if name.startswith("fastnn.")]


def test_every_file_has_a_room():
    got = {path.stem for path in PACKAGE.glob("*.py")} | {"kernels"}
    assert got == {*ROOMS, *EDGE}


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "kernels"])
def test_imports_go_up(room):
    allowed = ROOMS[: ROOMS.index(room)]
    assert set(imported_rooms(PACKAGE / f"{room}.py")) <= set(allowed)
    assert "reference" not in imported_rooms(PACKAGE / f"{room}.py")


@pytest.mark.parametrize("path", sorted((PACKAGE / "kernels").glob("*.py")), ids=lambda path: path.stem)
def test_kernels_stand_alone(path):
    files = {file.stem for file in (PACKAGE / "kernels").glob("*.py")}
    assert set(imported_rooms(path)) <= files


def test_only_kernels_import_numba():
    assert not [path.name for path in PACKAGE.glob("*.py") if "import numba" in path.read_text()]


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_light():
    heavy = "{'numba', 'scipy', 'tqdm', 'matplotlib', 'numpy'}"
    assert run(f"import fastnn, sys; print({heavy} & set(sys.modules))") == "set()"


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


def test_public_names():
    assert fastnn.__all__ == sorted(fastnn._HOME)
    for name in fastnn.__all__:
        assert getattr(fastnn, name).__doc__
    assert set(fastnn.__all__) <= set(dir(fastnn))
    with pytest.raises(AttributeError, match="'fastnn' has no attribute 'nothing'"):
        fastnn.nothing  # noqa: B018


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
    assert {"fastnn/digits.npz", "fastnn/py.typed", "fastnn/kernels/fused.py"} <= set(names)
    assert not [name for name in names if name.startswith(("tests", "bench", "data"))]
    script = "import fastnn; X, y = fastnn.load_digits(); print(fastnn.__file__, X.shape)"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {script}"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert str(tmp_path) in done.stdout
    assert "(5000, 400)" in done.stdout
