"""What users read with `help`: every public name has a whole docstring, whose examples run."""

import doctest
import inspect
import re
import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest

import fastnn
from fastnn import check, outcome
from fastnn.inputs import validation
from fastnn.training import control

# The classes of what public functions give, or hand to a callback.
GIVEN = [check.Entry, check.Slope, check.Comparison, check.GradientReport, control.State, outcome.Outcome]

# Public modules, and the library that each needs.
NEEDED = {"fastnn.estimator": "sklearn", "fastnn.distributed": "dask", "fastnn.plot": "matplotlib"}

# numpydoc's, in its order.
SECTIONS = ["Parameters", "Attributes", "Returns", "Raises", "Warns", "See Also", "Notes", "Examples"]


def with_methods(thing):
    """The thing, and the public methods of a class that are written in this package."""
    yield thing
    if inspect.isclass(thing):
        for name in dir(thing):
            method = getattr(thing, name)
            home = getattr(method, "__module__", None) or ""  # a method of Exception has none
            if name[0] != "_" and inspect.isroutine(method) and home.startswith("fastnn."):
                yield method


def cases():
    """Every docstring once, by its name; a module whose library is missing is one case, which is skipped."""
    things = {"fastnn": fastnn}
    found = [*(getattr(fastnn, name) for name in fastnn.__all__), *GIVEN]
    for name, library in NEEDED.items():
        try:
            import_module(library)
        except ImportError:
            yield pytest.param(None, id=name, marks=pytest.mark.skip(reason=f"{library} is not installed"))
            continue
        module = import_module(name)
        found += [getattr(module, one) for one in module.__all__]
    for thing in found:
        things |= {one.__qualname__: one for one in with_methods(thing)}
    for name, thing in things.items():
        yield pytest.param(thing, id=name.lstrip("_"))


CASES = list(cases())
every = pytest.mark.parametrize("thing", CASES)


def sections(thing):
    """Of a docstring what is before its sections, under "", and the lines of each section."""
    lines = inspect.getdoc(thing).split("\n")
    found, name = {"": []}, ""
    for line, below in pairwise([*lines, ""]):
        if below and line and set(below) == {"-"}:
            assert len(below) == len(line), line
            assert line not in found, f"{line} stands there twice"
            name = line
            found[name] = []
        elif not (line and set(line) == {"-"}):
            found[name].append(line)
    return found


def entries(lines):
    """The names that a section is about, of lines such as `X, y : arrays`."""
    heads = [line for line in lines if line and line[0] != " "]
    return [name for head in heads for name in head.split(" : ")[0].split(", ")]


@pytest.fixture
def room(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@every
def test_examples(thing, room):
    """They show something, and give what they say."""
    name = getattr(thing, "__qualname__", "fastnn")
    assert thing.__doc__, f"{name} has no docstring"
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(thing), {"fastnn": fastnn, "np": np}, name, None, 0)
    assert [example for example in test.examples if example.want], f"no example of {name} shows anything"
    assert all(doctest.SKIP not in example.options for example in test.examples)
    said = []
    failed, _ = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)


@every
def test_sections(thing):
    """A line that says it all, then numpydoc's sections in their order, each with something in it."""
    found = sections(thing)
    summary, *more = found.pop("")
    assert summary.endswith((".", "?"))
    assert len(summary) <= 88
    assert not more or more[0] == ""
    assert list(found) == [name for name in SECTIONS if name in found]
    assert all(any(lines) for lines in found.values())
    assert "\n{" not in thing.__doc__, "something is left to be put in"
    assert thing is fastnn or "Examples" in found


@every
def test_every_parameter(thing):
    """In the order of the signature; those of a class may stand among its attributes."""
    found = sections(thing)
    if thing is fastnn or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return
    wanted = [name for name in inspect.signature(thing).parameters if name[0] != "_" and name != "self"]
    if inspect.isclass(thing) and "Parameters" not in found:
        assert set(wanted) <= set(entries(found["Attributes"]))
    else:
        assert entries(found.get("Parameters", [])) == wanted
    if not inspect.isclass(thing):
        returns = inspect.signature(thing).return_annotation
        assert ("Returns" in found) == (returns not in (None, "None"))


@every
def test_something_is_said_of_each(thing):
    """Of each parameter and attribute its type, and below that what it is."""
    found = sections(thing)
    for name in ("Parameters", "Attributes"):
        lines = found.get(name, [])
        for line, below in pairwise([*lines, ""]):
            if line and line[0] != " ":
                assert re.fullmatch(r"[\w, ]+ : .+", line), line
                assert below.startswith("    "), f"nothing is said of {line}"


@pytest.mark.parametrize("name", ["Model", "Objective", "GradientReport", "State", "Outcome"])
def test_every_attribute(name, digits):
    """What instances have, methods aside."""
    X, y = digits[0][::100], digits[1][::100]
    states = []
    model = fastnn.train(X, y, hidden=2, maxiter=2, callback=states.append)
    report = fastnn.check_gradient(model.weights, X, y, parameters=[0])
    instances = [model, fastnn.Objective(X, y, (400, 10)), report, *states[:1], model.outcome]
    (thing,) = (one for one in instances if type(one).__name__ == name)
    got = {one for one in dir(thing) if one[0] != "_" and not inspect.ismethod(getattr(thing, one))}
    assert got == set(entries(sections(type(thing))["Attributes"]))


@pytest.mark.slow
def test_help_of_the_package():
    """The introduction's tables have every public name, and after them comes no other."""
    code = "import fastnn, pydoc; print(pydoc.plain(pydoc.render_doc(fastnn)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    introduction, rest = done.stdout.split("\nPACKAGE CONTENTS\n")
    firsts = re.findall(r"(?m)^        (\S.*?)  ", introduction)
    assert {*fastnn.__all__} <= {name for first in firsts for name in first.split(", ")}
    classes, functions, data = re.split("\n(?:FUNCTIONS|DATA)\n", rest.split("\nCLASSES\n")[1])
    got = re.findall(r"(?m)^    class (\w+)\(", classes) + re.findall(r"(?m)^    (\w+)\(", functions)
    assert got == fastnn.__all__
    assert re.findall(r"(?m)^    (\w+) = ", data) == ["__all__"]
    assert "numpy._typing" not in rest  # of what ArrayLike stands for, four lines wherever it is named


def test_help_of_the_package_has_every_alias():
    for alias, own in validation.ALIASES.items():
        assert f'"{alias}" is "{own}"' in fastnn.__doc__


def test_what_is_wrong_is_found(room):
    def function(a: int) -> int:
        """Double it.

        Parameters
        ----------
        b : int
            Another one.

        Examples
        --------
        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match=r"1 \+ 1\s+Expected:\s+3\s+Got:\s+2"):
        test_examples(function, None)
    with pytest.raises(AssertionError):
        test_every_parameter(function)
    function.__doc__ = "Double it."
    with pytest.raises(AssertionError, match="shows anything"):
        test_examples(function, None)
    with pytest.raises(AssertionError):
        test_sections(function)
