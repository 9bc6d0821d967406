"""The library names Python's arguments, the command line its options."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import outcome
from fastnn.cli import main, parser, words

PACKAGE = Path(fastnn.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?![\w-])")


def strings(path):
    """Return the strings of a module, docstrings and parts of f-strings included."""
    return [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(getattr(node, "value", 0), str)]


def spoken(text):
    """Return the words of the command line in a text, but for commands that are named in full."""
    return OPTION.findall(text.replace("fastnn --help", "")) + re.findall("command line", text, re.I)


LIBRARY = [path for path in sorted(PACKAGE.rglob("*.py")) if "cli" not in path.relative_to(PACKAGE).parts]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_library_never_mentions_the_command_line(path):
    allowed = fastnn.__doc__ if path == PACKAGE / "__init__.py" else ""
    assert [text for text in strings(path) if text != allowed and spoken(text)] == []


@pytest.mark.parametrize("text", ["train with --tol", "(--scale 1/255)", "on the command line", "--max-seconds"])
def test_words_of_the_command_line_are_found(text, tmp_path):
    path = tmp_path / "a.py"
    path.write_text(f'"""a"""\n\n\ndef f(x):\n    raise ValueError(f"{text} {{x}}")\n')
    assert [text for text in strings(path) if spoken(text)] == [f"{text} "]


@pytest.mark.parametrize("text", ["fastnn --help", "a -- b", "y --read--> labels", "Notes\n-----\nwords", "--"])
def test_other_words_are_not(text):
    assert not spoken(text)


@pytest.mark.parametrize("name", words.REMEDIES)
def test_remedy_names_options_of_train(name):
    commands = parser.build()._subparsers._group_actions[0].choices
    assert name in outcome.REMEDIES
    assert {*OPTION.findall(words.REMEDIES[name])} <= {*commands["train"]._option_string_actions}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
    np.savez("large.npz", X=1e5 * X, y=y)
    np.savez("bytes.npz", X=np.random.default_rng(0).integers(0, 255, (40, 9), np.uint8), y=y)
    np.savez("huge.npz", X=1e307 * X, y=y)
    np.savez("data.npz", X=X, y=y)


@pytest.mark.parametrize(("data", "remedy"), [("data", "maxiter"), ("large", "standardize"), ("bytes", "scale")])
def test_report_of_a_training_offers_options(here, capsys, data, remedy):
    assert main(["train", "--data", f"{data}.npz", "--hidden", "3", "--maxiter", "2"]) == 0
    (ended,) = re.findall("^ended .*", capsys.readouterr().out, re.M)
    assert ended.endswith(f"; {words.REMEDIES[remedy]}")
    assert "=" not in ended


def test_refused_start_offers_options(here, capsys):
    assert main("train --data huge.npz --hidden 3 --activation relu".split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("fastnn train: weights give a cost that is not finite; X wants scaling: ")
    assert error.endswith("; train again with --standardize\n")
