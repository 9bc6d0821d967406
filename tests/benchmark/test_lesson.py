"""The lesson: its rungs are right, its page is the generator's, and its code is what ran."""

import json
import re

import numba
import numpy as np
import pytest

from bench import lesson, report
from fastnn.benchmark import ladder, timing
from fastnn.runtime import cache

from ..conftest import ROOT

# No size is a multiple of a tile's three, of four examples or of a vector; the last block of 60 has seven examples.
M, SIZES = 67, (13, 7, 5)
KEPT = json.loads(lesson.RESULTS.read_text())
FENCES = re.findall(r"```python\n(.*?)```", lesson.PAGE.read_text(), re.S)
CODE, LOOK = FENCES[:-1], FENCES[-1]
COUNT = sum(code.count("def ") for code in CODE) - 1  # the frame is a function in a function


@pytest.fixture(scope="module")
def small():
    return ladder.random_task(M, SIZES, lmbda=0.0)


@pytest.fixture(scope="module")
def implementations(small):
    return lesson.implementations(small)


# Checks of indices keep loops from being vectorised.
FUSES = "+fma" in cache.cpu_features().split(",") and not numba.config.BOUNDSCHECK
NAMES = [*(rung.name for rung in lesson.RUNGS), *lesson.PACKAGE]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_rungs(implementations, name):
    """Cost and gradient are the NumPy engine's, to the tolerance of the ladder, which derives it."""
    timed = implementations[name]
    returned = timed.call()
    want = timed.want()
    assert timed.numbers(returned).shape == (SIZES[1] * 14 + SIZES[2] * 8 + 1,) == want.shape
    assert timed.error(returned) <= timed.tolerance == ladder.rounding(ladder.random_task(M, SIZES))
    for i in range(len(want)):  # a fault of 1e-6 in any one number is seen
        got = want.copy()
        got[i] += 1e-6 * np.linalg.norm(want)
        assert not timed._replace(numbers=lambda _, got=got: got).error(returned) <= timed.tolerance


@pytest.mark.slow
@pytest.mark.parametrize("rung", [rung for rung in lesson.RUNGS if rung.block != 1], ids=lambda rung: rung.name)
@pytest.mark.parametrize("m", [3, 61, 62])
def test_few_examples_in_a_block(rung, m):
    """One and two are fewer than a tile has: they are in the last block, or in a thread's part."""
    ladder.first_call(lesson.timed(rung, ladder.random_task(m, SIZES, lmbda=0.0)))


@pytest.mark.slow
def test_what_is_timed_beside_the_rungs(implementations):
    assert implementations.keys() - set(NAMES) == {
        "Python loop, 1 pixel", "NumPy, 1 pixel", "X W1'", "D' X", "tile", "peak, 1 thread", "reading X",
        "libm's sigmoids", "own sigmoids",
    }  # fmt: skip
    for name in implementations.keys() - set(NAMES):
        ladder.first_call(implementations[name])


def forgetful(d, x, dW, db):
    lesson.gradient_numpy(d[1:], x[1:], dW, db)


@pytest.mark.slow
def test_a_wrong_rung_is_not_timed(small, monkeypatch):
    wrong = lesson.Rung("forgetful", (*lesson.NUMPY[:3], forgetful), 0)
    monkeypatch.setattr(lesson, "RUNGS", [wrong])
    monkeypatch.setattr(lesson, "NUMPY", wrong.pieces)  # as one that is not compiled
    monkeypatch.setattr(lesson, "package", lambda asked: {})
    monkeypatch.setattr(lesson, "beside", lambda asked: {})
    with pytest.raises(ValueError, match=r"forgetful differs from the reference by \d"):
        lesson.measured(small, 1)


@pytest.mark.slow
def test_loops_that_say_nothing_of_fastmath_are_strict(implementations):
    """Numba compiles such a function as its first caller is: no rung that may reorder sums calls one of those."""
    if not FUSES:
        pytest.skip("no fused multiply-adds on vectors are made here")
    for name in ("layer_loop", "layer_four_sums", "back_loop", "gradient_loop"):
        for text in getattr(lesson, name).inspect_asm().values():
            assert "fmadd" not in text, name
    for name in ("layer_reordered", "gradient_fours", "tile"):
        assert re.search(r"fmadd\w+pd", next(iter(getattr(lesson, name).inspect_asm().values()))), name


@pytest.mark.slow
def test_traffic(small):
    """By hand: X for two products; an array of the hidden layer 11 times for the layer, 2 as input, 11 for deltas."""
    calls, touched = lesson.traffic(small)
    assert touched == {13: 2 * 8 * M * 13, 7: 24 * 8 * M * 7, 5: 21 * 8 * M * 5}
    assert calls == 2 * 6 + 5 + 4 + 2 * 4  # of layer, output, back and gradient


def test_assembly_is_read():
    class Function:
        def inspect_asm(self):
            return {
                (): "\tmovabsq\t$exp, %rax\n.LBB0_1:\n\tincq\t%rax\n\tjne\t.LBB0_1\n"
                ".LBB0_2:\n\tvmulsd\t(%rax), %xmm1, %xmm1\n\tjne\t.LBB0_2\n"
                ".LBB0_3:\n\tvfmadd231pd\t(%rax), %zmm1, %zmm2\n\tvfmadd231pd\t8(%rax), %ymm1, %ymm2\n\tjne\t.LBB0_3\n"
            }

    found = lesson.assembly(Function())
    assert [loop.split(":")[0] for loop in found["loops"]] == [".LBB0_3", ".LBB0_2"]
    assert [lesson.multiplications(loop) for loop in found["loops"]] == [12, 1]
    assert found["exp"]


def test_page_is_the_generators():
    want = lesson.Page(KEPT).filled(lesson.TEXT.read_text())
    assert lesson.PAGE.read_text() == want, "edited, or not written anew: python -m bench.lesson --from-file"
    assert "{{" not in want


def test_code_is_the_modules():
    source = (ROOT / "bench" / "lesson.py").read_text()
    for code in CODE:
        for function in code.split("\n\n\n"):
            assert f"\n\n\n{function.rstrip()}\n" in source
    assert COUNT >= 10


def test_functions_are_short():
    """At most fourteen lines, without decorators and the line that names the function."""
    for code in CODE:
        for body in re.split(r"(?:^@.*\n)?^def .*\n", code, flags=re.M)[1:]:
            assert len([line for line in body.splitlines() if line.strip()]) <= 14, body


def test_the_readers_look(capsys):
    exec(compile(LOOK, "lesson.md", "exec"), {})
    if FUSES:
        assert len(capsys.readouterr().out.splitlines()) >= 9


def test_published_errors_are_rounding():
    for row in KEPT["rows"]:
        assert 0.0 <= row["error"] <= 1e-13  # the root of 5,400 roundings, and of two million for the sum of X
        assert np.min(row["seconds"]) > 0.0


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """What the generator writes, in another folder; and no clean tree is wanted."""
    monkeypatch.setattr(lesson, "RESULTS", tmp_path / "lesson.json")
    monkeypatch.setattr(lesson, "PAGE", tmp_path / "lesson.md")
    monkeypatch.setattr(report, "require_clean_tree", lambda *written: None)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    return tmp_path


@pytest.mark.slow
def test_a_run(elsewhere, small, monkeypatch):
    """From measuring to the page, without rests; and the page again from what was kept."""
    monkeypatch.setattr(timing, "REST", 0.0)
    monkeypatch.setattr(timing, "BLOCK", 1e-9)
    monkeypatch.setattr(timing, "GEMM_WIDTH", 100)
    monkeypatch.setattr(lesson, "task", lambda *arguments: small)
    monkeypatch.setattr(lesson, "ROUNDS", 1)
    monkeypatch.setattr(lesson, "git", lambda *arguments: "0123456789abcdef")
    assert lesson.main([]) == 0
    kept, page = lesson.RESULTS.read_text(), lesson.PAGE.read_text()
    assert json.loads(kept)["commit"] == "0123456789ab"
    assert "at commit 0123456789ab" in " ".join(page.split())
    assert "{{" not in page
    lesson.PAGE.unlink()
    assert lesson.main(["--from-file"]) == 0
    assert (kept, page) == (lesson.RESULTS.read_text(), lesson.PAGE.read_text())


def test_refusals(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert lesson.main([]) == 2
    assert capsys.readouterr().err == f"bench.lesson: {timing.forced_kernels('Haswell')}\n"

    def dirty(*written):
        raise ValueError("code.py has changes")

    monkeypatch.setattr(report, "require_clean_tree", dirty)
    assert lesson.main([]) == 2
    assert capsys.readouterr().err == "bench.lesson: code.py has changes\n"
    assert not lesson.RESULTS.exists()
    assert lesson.main(["--from-file"]) == 2
    assert "lesson.json" in capsys.readouterr().err
