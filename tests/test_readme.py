"""The README's Python runs, block after block, and prints what its comments say."""

import re
import shutil

import pytest

from .conftest import COURSE, ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"(?:<!-- needs (\S+) -->\n)?```python\n(.*?)```", README, re.S)  # what it needs, and the code


def test_blocks(tmp_path, monkeypatch, capsys):
    weights = COURSE / "ex4weights.mat"
    if weights.exists():
        shutil.copy(weights, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for needs, code in BLOCKS:
        if needs == "MPI":
            continue  # a program of its own, which test_mpi.py runs
        if needs == weights.name and not weights.exists():
            continue  # the course's file has no licence to be shipped
        exec(compile(code, "README.md", "exec"), names)
        shown = capsys.readouterr().out
        for promised in re.findall(r"print\(f.*# (.*)", code):
            assert promised in shown.splitlines()
    assert {"digits.png", "hidden-units.png", "digits-model.npz"} <= {file.name for file in tmp_path.iterdir()}


def test_there_are_blocks():
    assert len(BLOCKS) == 19
    assert {needs for needs, _ in BLOCKS} == {"", "ex4weights.mat", "MPI"}


@pytest.mark.parametrize("number", ["0.287629", "0.383770", "97.52 %"])
def test_the_courses_numbers_are_among_the_promised(number):
    assert any(f"# {number}" in code for _, code in BLOCKS)


def test_the_two_commands():
    commands = re.findall(r"^    (python -m pip install .*)$", README, re.M)
    assert commands == ["python -m pip install . && fastnn train", 'python -m pip install ".[test]" && pytest']
    assert all(command in (ROOT / ".ci" / "run").read_text() for command in commands)
