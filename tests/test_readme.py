"""The README's Python runs block after block and prints what stands there; its commands run, its pictures are ours."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.cli import main, parser

from .conftest import COURSE, ROOT, UNMEASURED

README = (ROOT / "README.md").read_text()

# What a block needs, the code, and what it prints.
BLOCKS = re.findall(r"(?:<!-- needs (\S+) -->\n)?```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", README, re.S)
LINES = re.findall(r"^    ((?:fastnn|pytest|python) .*?)(?:   .*)?$", README, re.M)  # without the words beside them
LISTED = re.findall(r"^    (fastnn \w+) {2,}\w", README, re.M)
NUMBER = re.compile(r"\d+\.?\d*")


def agree(got, want):
    """The same words, and numbers within 5 %: a training's last digits depend on the processor, and grow on the way."""
    numbers = [np.array([*map(float, NUMBER.findall(text))]) for text in (got, want)]
    return NUMBER.sub("#", got) == NUMBER.sub("#", want) and np.allclose(*numbers, rtol=0.05, atol=0.0)


@pytest.mark.slow
def test_blocks(tmp_path, monkeypatch, capsys):
    weights = COURSE / "ex4weights.mat"
    if weights.exists():
        shutil.copy(weights, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for needs, code, printed in BLOCKS:
        if needs == weights.name and not weights.exists():
            continue  # the course's file has no licence to be shipped
        exec(compile(code, "README.md", "exec"), names)
        shown = capsys.readouterr().out
        assert not printed or agree(shown, printed)
        for promised in re.findall(r"print\(f.*# (.*)", code):
            assert promised in shown.splitlines()
    pictures = {"mistakes.png", "digits.png", "hidden-units.png"}
    assert {*pictures, "digits.npz", "training.npz"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("got", "want"), [("96 % right", "97 % right"), ("cost 0.48, 0.10\n", "cost 0.49, 0.1\n"), ("True", "True")]
)
def test_output_that_agrees(got, want):
    assert agree(got, want)


@pytest.mark.parametrize(("got", "want"), [("96 % right", "90 % right"), ("96 % right", "96 % wrong"), ("1 2", "1")])
def test_output_that_does_not(got, want):
    assert not agree(got, want)


def test_there_are_blocks():
    assert len(BLOCKS) == 8
    assert {needs for needs, _, _ in BLOCKS} == {"", "ex4weights.mat"}
    assert sum(bool(printed) for _, _, printed in BLOCKS) == 1


@pytest.mark.parametrize("number", ["0.287629", "0.383770", "97.52 %"])
def test_the_courses_numbers_are_among_the_promised(number):
    assert any(f"# {number}" in code for _, code, _ in BLOCKS)


def test_it_is_short():
    assert len(README.splitlines()) < 275


def test_the_two_commands():
    commands = [line for line in LINES if line.startswith("python")]
    assert commands == [
        "python -m pip install . && fastnn train --validation 0.2",
        'python -m pip install ".[test]" && pytest',
        'python -m pip install ".[plot]" && fastnn show errors',
    ]
    assert all(command in (ROOT / ".ci" / "run").read_text() for command in commands)


@pytest.mark.slow
def test_an_environment_comes_first(tmp_path):
    """Else pip refuses, where the system's Python is managed by its own packages: Debian, Homebrew."""
    pytest.importorskip("ensurepip")  # Debian keeps it in another package
    posix, windows = re.findall(r"^    (\w+ -m venv .*)$", README, re.M)
    assert README.index(posix) < README.index(windows) < README.index("pip install")
    assert windows == r"py -m venv .venv; .venv\Scripts\Activate.ps1"
    if os.name != "posix":
        pytest.skip("needs a POSIX shell")
    done = subprocess.run(
        ["sh", "-c", f"{posix} && python -m pip --version"], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=os.environ | UNMEASURED | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert f"from {tmp_path / '.venv'}" in done.stdout


def test_extras_are_there():
    with open(ROOT / "pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["optional-dependencies"]
    named = {extra for some in re.findall(r'"\.\[([\w,]+)\]"', README) for extra in some.split(",")}
    assert named <= {*declared}
    assert named >= {"plot", "test", "peers", "sklearn", "dask"}


def test_every_command_is_listed():
    assert sorted(name.removeprefix("fastnn ") for name in LISTED) == sorted(parser.COMMANDS)


def typed():
    """The commands of fastnn that a reader is to type, in their order."""
    text = re.sub(r"^    fastnn \w+ {2,}\w.*$", "", README, flags=re.M)  # without the list of commands
    lines = re.findall(r"^    (.*?)(?:   .*)?$", text, re.M)
    return [command for line in lines for command in line.split(" && ") if command.startswith("fastnn")]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What the commands are given, by the names that they have there."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 3)), np.arange(60) % 2
    X[:, 0] += y
    rows = "".join(f"{','.join(map(str, x))},{'iris' if label else 'rose'}\n" for x, label in zip(X, y, strict=True))
    (tmp_path / "flowers.csv").write_text(f"a,b,c,species\n{rows}")
    (tmp_path / "new.csv").write_text("a,b,c\n0.1,0.2,0.3\n1.5,0.2,0.3\n")
    with gzip.open("big.csv.gz", "wt") as file:
        file.write(f"a,b,c,species\n{rows}")
    digits, labels = fastnn.generate_digits(0, 100)
    np.save("pixels.npy", digits)
    np.save("digits.npy", labels)
    Image.fromarray(255 - np.pad(digits[0].reshape(20, 20).T, 5)).resize((300, 300)).save("photo.png")
    return tmp_path


@pytest.mark.slow
def test_commands(files, capsys, monkeypatch):
    from fastnn.benchmark import ladder, timing

    for module, name, value in [
        (ladder, "ROUNDS", 1),
        (ladder, "CHECK_SECONDS", 1e9),
        (ladder, "TRAINING_SECONDS", 1e9),
        (timing, "REST", 0.0),
        (timing, "BLOCK", 1e-3),
    ]:
        monkeypatch.setattr(module, name, value)
    found = typed()
    assert len(found) == 11
    for line in found:
        words = shlex.split(line)[1:]
        if words[0] == "bench":
            words += ["--examples", "20"]  # it takes a minute as it stands there
        pytest.importorskip("pyarrow" if words[0] == "convert" else "numpy")
        assert main(words) == 0, line
    made = {file.name for file in files.iterdir()}
    assert {"fastnn-model.npz", "errors.png", "ladder.png", "seen.png", "flowers.npz", "big.npz"} <= made
    assert {"history.png", "training.npz"} <= made
    assert "prediction,P(iris),P(rose)\n" in capsys.readouterr().out


def test_pictures_are_ours():
    """Pictures are as wide as `fastnn.plot` makes them; tests/benchmark/test_report.py has the benchmark's bytes."""
    from matplotlib.image import imread

    pictures = re.findall(r"!\[.*\]\((.*)\)", README)
    assert pictures == ["bench/headline.png", "data/mistakes.png"]
    assert [imread(ROOT / name).shape[1] for name in pictures] == [1600, 1700]
