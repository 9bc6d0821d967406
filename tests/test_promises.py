"""The table of promises names tests that are there."""

import ast
import re

import pytest

from .conftest import ROOT

TESTS = ROOT / "tests"
TABLE = [line for line in (TESTS / "README.md").read_text().splitlines() if line.startswith("| ")][1:]
NAMED = sorted({*re.findall(r"`((?:\w+/)?test_\w+\.py)::(\w+)`", "\n".join(TABLE))})


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_is_there(file, name):
    tree = ast.parse((TESTS / file).read_text())
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_every_promise_has_a_test():
    for line in TABLE:
        promise, tests, quick, long = (cell.strip() for cell in line.strip("|").split("|"))
        assert promise.startswith("**") or (re.search(r"`[\w/]+\.py::\w+`", tests) and quick and long), line
