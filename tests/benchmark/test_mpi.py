"""The program for MPI: any number of ranks trains as `fastnn.train` does on the whole."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import fastnn

from ..conftest import ROOT, with_long

PROGRAM = (ROOT / "bench" / "train_mpi.py").read_text()
SIZES = (400, 25, 10)
MPIEXEC = shutil.which("mpiexec")


class OneRank:
    """A communicator without MPI."""

    def __init__(self):
        self.reduced = 0

    def Get_rank(self):
        return 0

    def Get_size(self):
        return 1

    def Allreduce(self, part, whole):
        whole[:] = part
        self.reduced += 1


@pytest.fixture
def without_mpi(monkeypatch):
    """The communicator of a `mpi4py` that is none."""
    mpi4py = ModuleType("mpi4py")
    mpi4py.MPI = SimpleNamespace(COMM_WORLD=OneRank())
    monkeypatch.setitem(sys.modules, "mpi4py", mpi4py)
    return mpi4py.MPI.COMM_WORLD


@pytest.fixture(scope="module")
def whole(digits):
    """The training of the whole."""
    weights = fastnn.init_weights(SIZES, seed=0)
    return fastnn.train(*digits, lmbda=1.0, solver="L-BFGS-B", weights=weights, maxiter=20, progress=False)


def assert_trained(printed, folder, whole):
    """The program's one line and its weights are those of the whole.

    Rounding of 1e-16 that doubles with every iteration is 1e-10 after 20. Measured with 1 to 4 ranks: 1e-14 of the
    cost, 1e-13 of the weights.
    """
    (line,) = printed.splitlines()  # of the first rank
    cost, iterations = re.fullmatch(r"cost (\S+) after (\d+) iterations", line).groups()
    assert int(iterations) == whole.outcome.iterations == 20
    assert float(cost) == pytest.approx(whole.outcome.cost, rel=1e-10)
    with np.load(folder / "weights.npz") as archive:
        got = [archive[name] for name in archive.files]
    for matrix, want in zip(got, whole.weights, strict=True):
        np.testing.assert_allclose(matrix, want, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_without_mpi(without_mpi, whole, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAM, "train_mpi.py", "exec"), {})
    assert_trained(capsys.readouterr().out, tmp_path, whole)
    assert without_mpi.reduced == whole.outcome.evaluations  # one for cost and gradient together


@pytest.mark.slow
def test_cost_and_gradient(without_mpi, digits, tmp_path, monkeypatch):
    """At another point, with weights and biases of the same size."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(PROGRAM, "train_mpi.py", "exec"), names)
    theta = np.random.default_rng(1).standard_normal(len(names["start"])) / 10
    got_cost, got_gradient = names["cost_and_gradient"](theta)
    want_cost, want_gradient = fastnn.cost_and_gradient(fastnn.unpack(theta, SIZES), *digits, lmbda=1.0)
    assert got_cost == pytest.approx(want_cost, rel=1e-14)
    np.testing.assert_allclose(got_gradient, fastnn.pack(want_gradient), rtol=1e-12, atol=1e-15)


@pytest.mark.skipif(not find_spec("mpi4py"), reason="needs mpi4py; python -m pip install mpi4py brings it")
@pytest.mark.skipif(not MPIEXEC, reason="needs mpiexec, of Open MPI or another MPI on this machine")
@pytest.mark.parametrize("ranks", with_long([2, 3], [1, 2, 3]))
def test_ranks(ranks, whole, tmp_path):
    (tmp_path / "train_mpi.py").write_text(PROGRAM)
    version = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
    # Open MPI must be told that more ranks than cores, and root, are meant; others do not ask.
    more = ["--oversubscribe", "--allow-run-as-root"] if re.search("Open ?(MPI|RTE)", version) else []
    done = subprocess.run(
        [MPIEXEC, *more, "-n", str(ranks), sys.executable, "train_mpi.py"],
        cwd=tmp_path, env=os.environ | {"NUMBA_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_trained(done.stdout, tmp_path, whole)
