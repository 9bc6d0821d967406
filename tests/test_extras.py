"""Without the libraries of an extra everything that does not need them works."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

import fastnn

from .conftest import ROOT

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


def extras():
    """Of every extra what it brings itself, but for the tools of tests and development."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["optional-dependencies"]
    for extra, requirements in declared.items():
        if extra not in ("test", "dev"):
            names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
            yield extra, {MODULES.get(name, name) for name in names if name != "fastnn"}


EXTRAS = dict(extras())


def without(hidden, code, folder):
    """Runs code where these modules are not there."""
    return subprocess.run(
        [sys.executable, "-P", "-c", HIDDEN.format(hidden=hidden) + code],
        cwd=folder, env=os.environ | {"PYTHONWARNINGS": "error"}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("extra", [*EXTRAS, "all of them"])
def test_import_and_train_without(extra, tmp_path):
    hidden = EXTRAS[extra] if extra in EXTRAS else set().union(*EXTRAS.values())
    code = "import fastnn\nfrom fastnn.cli import main\nsys.exit(main(['train', '--maxiter', '3']))"
    done = without(hidden, code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert fastnn.load(tmp_path / "fastnn-model.npz").outcome.iterations == 3


@pytest.mark.parametrize("extra", EXTRAS)
def test_they_are_hidden(extra, tmp_path):
    """Or the test above could not fail."""
    for name in EXTRAS[extra]:
        done = without(EXTRAS[extra], f"import {name}", tmp_path)
        assert f"No module named '{name}'" in done.stderr
