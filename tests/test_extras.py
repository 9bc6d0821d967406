"""Without the libraries of an extra everything that does not need them works, and the rest names what to install."""

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest

import fastnn
from fastnn.inputs.validation import needs

from .conftest import ROOT, with_slow

PACKAGE = "fastnn-kernels"

# The names under which packages are imported, where they are others.
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}

HIDDEN = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
"""


def project():
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]


def extras():
    """Of every extra what it brings itself, but for the tools of tests and development."""
    for extra, requirements in project()["optional-dependencies"].items():
        if extra not in ("test", "dev"):
            names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
            yield extra, {MODULES.get(name, name) for name in names if name != PACKAGE}


EXTRAS = dict(extras())


def without(hidden, code, folder):
    """Runs code where these modules are not there."""
    return subprocess.run(
        [sys.executable, "-P", "-c", HIDDEN.format(hidden=hidden) + code],
        cwd=folder, env=os.environ | {"PYTHONWARNINGS": "error"}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("extra", with_slow(["all of them"], [*EXTRAS, "all of them"]))
def test_import_and_train_without(extra, tmp_path):
    hidden = EXTRAS[extra] if extra in EXTRAS else set().union(*EXTRAS.values())
    code = "import fastnn\nfrom fastnn.cli import main\nsys.exit(main(['train', '--maxiter', '3']))"
    done = without(hidden, code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert fastnn.load(tmp_path / "fastnn-model.npz").outcome.iterations == 3


# Public modules, what each needs, and how its sentence begins.
LAZY_MODULES = {
    "plot": ({"matplotlib"}, "fastnn.plot needs matplotlib"),
    "estimator": ({"sklearn"}, "fastnn.estimator needs scikit-learn"),
    "distributed": ({"dask", "distributed"}, "fastnn.distributed needs dask"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAZY_MODULES)
def test_module_without_its_library_is_an_attribute_that_is_not_there(name, tmp_path):
    """Looking around works; use says what to install."""
    hidden, sentence = LAZY_MODULES[name]
    others = [f"fastnn.{other}" for other in sorted(LAZY_MODULES) if other != name]
    code = f"""
import fastnn, inspect, pydoc
from fastnn import *
assert {name!r} in dir(fastnn)
assert not hasattr(fastnn, {name!r})
assert getattr(fastnn, {name!r}, None) is None
modules = dict(inspect.getmembers(fastnn, inspect.ismodule))
assert [module.__name__ for module in modules.values()] == {others!r}, modules
assert "\\n    {name}" in pydoc.plain(pydoc.render_doc(fastnn)).split("PACKAGE CONTENTS")[1]
try:
    from fastnn import {name}
except ImportError as error:
    print(error)
fastnn.{name}
"""
    done = without(hidden, code, tmp_path)
    assert done.stdout.startswith(sentence), done.stderr
    assert done.stderr.splitlines()[-1] == f"AttributeError: {done.stdout.strip()}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_they_are_hidden(extra, tmp_path):
    """Or the test above could not fail."""
    for name in EXTRAS[extra]:
        done = without(EXTRAS[extra], f"import {name}", tmp_path)
        assert f"No module named '{name}'" in done.stderr


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        (["h5py"], "it needs h5py: python -m pip install h5py"),
        (["dask", "distributed"], "it needs dask and distributed: python -m pip install dask distributed"),
        (["a>=1.7"], 'it needs a 1.7 or later: python -m pip install "a>=1.7"'),
    ],
)
def test_needs_names_libraries_and_command(requirements, message):
    assert needs("it", *requirements) == message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "hidden", "command"),
    [
        ("estimator", "sklearn", 'scikit-learn 1.7 or later: python -m pip install "scikit-learn>=1.7"'),
        ("distributed", "dask", "dask and distributed: python -m pip install dask distributed"),
        ("distributed", "distributed", "dask and distributed: python -m pip install dask distributed"),
        ("plot", "matplotlib", "matplotlib: python -m pip install matplotlib"),
    ],
)
def test_module_without_its_library_names_it(module, hidden, command, tmp_path):
    done = without({hidden}, f"import fastnn.{module}", tmp_path)
    assert done.stderr.splitlines()[-1] == f"ImportError: fastnn.{module} needs {command}"


def named_in_messages():
    """Requirements that the sources give to `needs`."""
    for path in sorted((ROOT / "fastnn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("needs"):
                yield from [ast.literal_eval(argument) for argument in node.args[1:]]


def test_messages_name_libraries_that_an_extra_brings():
    """With the bound that it has there, if the message has one."""
    brought = {re.sub(r"\[\w+\]", "", one) for some in project()["optional-dependencies"].values() for one in some}
    named = {*named_in_messages()}
    assert named >= {"dask", "h5py", "matplotlib", "onnx", "pillow", "pyarrow", "safetensors", "scikit-learn>=1.7"}
    assert named <= brought | {one.partition(">=")[0] for one in brought}


# pip would look this up on PyPI, where another project has the import name. In pieces: the test below reads this too.
OF_ANOTHER_PROJECT = re.compile("fastnn" r"\\*\s*\[|pip3? +install(?: +[^\s&|;`]+)* +[`'\"]?" r"fastnn(?![\w-])", re.I)


INSTALLS = [
    f"{command}{quoted}" for command in ("pip install ", "pip3 install -U ") for quoted in ("%s", "'%s'", "`%s`")
]
EXTRAS_OF = ["%s[plot]", r"%s\[plot\]", "%s[{extra}]", "%s [all]"]


@pytest.mark.parametrize("text", [*INSTALLS, *EXTRAS_OF])
def test_every_way_to_install_another_project_is_seen(text):
    assert OF_ANOTHER_PROJECT.search(text % "fastnn")


@pytest.mark.parametrize(
    "text",
    [
        "pip install . && fastnn train",
        f"{PACKAGE}[test]",
        f"pip install {PACKAGE}",
        'pip install ".[plot]"; fastnn info',
    ],
)
def test_the_right_ways_to_install_are_allowed(text):
    assert not OF_ANOTHER_PROJECT.search(text)


def test_nothing_installs_another_project():
    assert project()["name"] == PACKAGE
    files = [ROOT / "README.md", ROOT / "conftest.py", ROOT / "pyproject.toml"]
    for folder in ("fastnn", "bench", "data", "tests", ".ci"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    texts = [path for path in files if path.suffix in (".py", ".md", ".toml", ".json", "")]
    assert len(texts) > 100
    for path in texts:
        found = OF_ANOTHER_PROJECT.search(path.read_text(encoding="utf-8", errors="replace"))
        assert not found, f"{path}: {found[0]}"
