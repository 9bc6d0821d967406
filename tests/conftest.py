"""What several tests need: the digits, the course's own weights, random networks."""

import os
import shutil
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import fastnn
from fastnn import network
from fastnn.problem import validated
from fastnn.runtime import cache

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT.parent / "shared" / "data"
ENGINES = ("python", "loop", "numpy", "fused")


# Examples that hypothesis tries of a property: with --all, and the parts and multiples of these for the other versions.
EXAMPLES = 1_000
SHARE = {"quick": 0.03, "all": 1.0, "long": 10.0}

# For a process that may not write files, where the measurement of coverage would fail, or that has another fastnn.
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}


def pytest_configure(config):
    """Set how many examples properties try that do not say so for themselves."""
    settings.register_profile(
        "fastnn",
        max_examples=round(SHARE[config.version] * EXAMPLES),
        derandomize=config.version != "long",
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("fastnn")


def examples(count):
    """Settings of a property that tries `count` examples with --all, and accordingly more or fewer otherwise."""
    return settings(max_examples=max(1, count * settings.default.max_examples // EXAMPLES))


@pytest.fixture(scope="session")
def cases(request):
    """A function that picks one of three arguments: for the quick version, for --all, or for --long."""
    index = ["quick", "all", "long"].index(request.config.version)
    return lambda quick, every, long: (quick, every, long)[index]


def with_long(usual, every):
    """Cases for `parametrize`: the usual ones, and with --long all others among every one."""
    return [*usual, *_marked(pytest.mark.long, (case for case in every if case not in usual))]


def with_slow(quick, every):
    """Cases for `parametrize`: the quick ones, and with --all all others among every one."""
    return [*quick, *_marked(pytest.mark.slow, (case for case in every if case not in quick))]


def _marked(mark, cases):
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=mark) for case in cases]


def in_pairs(*choices):
    """Cases for `parametrize`: so many that any two choices meet in one, and with --long all combinations."""
    every = [*product(*choices)]
    places = [*product(*(range(len(some)) for some in choices))]

    def met(place):
        return {*combinations(enumerate(place), 2)}

    quick, left = [], set().union(*map(met, places))
    while left:
        best = max(range(len(places)), key=lambda i: len(met(places[i]) & left))
        quick.append(every[best])
        left -= met(places[best])
    return with_long(quick, every)


def copied_cache(folder):
    """A folder for FASTNN_CACHE with all kernels that are compiled already; the session's own stays as it is."""
    own = cache.folder()
    if own is not None and own.exists():  # other processes may write there at the same time
        shutil.copytree(own, folder / own.name, ignore=shutil.ignore_patterns("*.tmp.*"))
    return folder


@pytest.fixture(scope="session")
def long(request):
    """Whether the long version of the tests is wanted."""
    return request.config.version == "long"


def in_process(code, **environment):
    """What a new process says. -P: the package that is tested, whose kernels are in the cache, not one in a folder."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | environment, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip


# So much that the engines run on all threads. A module's text, so that any process can tell whether it gets these bits.
WORK = """
import hashlib
import numpy as np
import fastnn

def bits():
    rng = np.random.default_rng(0)
    X, y = rng.random((3000, 4)), np.arange(3000) % 3
    weights = fastnn.init_weights((4, 5, 3), seed=1)
    what = hashlib.sha256()
    for engine in ("loop", "fused"):
        cost, gradient = fastnn.cost_and_gradient(weights, X, y, engine=engine)
        for one in (np.float64(cost), *gradient, fastnn.forward(weights, X, engine=engine)):
            what.update(one.tobytes())
    return what.hexdigest()
"""
work = ModuleType("work")
exec(WORK, work.__dict__)


class Case(NamedTuple):
    """A network with data; y are class indices (m,) or numbers (m, K)."""

    sizes: tuple
    weights: tuple
    X: np.ndarray
    y: np.ndarray

    @property
    def theta(self):
        return network.pack(self.weights)

    def problem(self, lmbda, **family):
        """As kernels take it; activation, output and sample_weight are the user's arguments."""
        return validated(self.X, self.y, self.sizes, lmbda, **family)


def random_case(sizes, m, seed=0, scale=1.0):
    rng = np.random.default_rng([seed, m, *sizes])
    weights = tuple(scale * rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in network.shapes(sizes))
    return Case(sizes, weights, rng.standard_normal((m, sizes[0])), rng.integers(0, sizes[-1], m))


def sines(rows, columns):
    """The course's debugInitializeWeights: sin(1), sin(2), ... down the columns, over 10."""
    return np.sin(np.arange(1, rows * columns + 1)).reshape(rows, columns, order="F") / 10


def debug_case():
    """The course's checkNNGradients: 3-5-3, five examples."""
    weights = (sines(5, 4), sines(3, 6))
    return Case((3, 5, 3), weights, sines(5, 3), np.arange(1, 6) % 3)


@pytest.fixture(scope="session")
def digits():
    """X and the digits 0..9."""
    X, y = fastnn.load_digits()
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def course():
    """The course's weights, and the digits' class indices in its order of units."""
    path = COURSE / "ex4weights.mat"
    if not path.exists():
        pytest.skip("the course's ex4weights.mat is not beside the repository; it has no licence to ship it")
    _, y = fastnn.load_digits()
    return fastnn.read_weights(path), (y - 1) % 10


@pytest.fixture(scope="session")
def oracle(course):
    """The course's own activations of all 5,000 examples."""
    with np.load(COURSE / "ex4_activations.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
