"""The private names of Numba: each is where `numba_internals` looks for it, and is called as before."""

import importlib
import inspect
import re
from functools import partial

import numba
import pytest

from fastnn.runtime import jit, numba_internals

from ..conftest import in_process
from ..test_layers import PACKAGE

# Each with the parameters of what is called, overridden or implemented.
NAMES = {
    "numba.core.caching:Cache.load_overload": "self sig target_context",
    "numba.core.caching:Cache.save_overload": "self sig data",
    "numba.core.codegen:CPUCodeLibrary.create_ir_module": "self name",
    "numba.core.codegen:CPUCodeLibrary.add_ir_module": "self ir_module",
    "numba.core.codegen:CPUCodeLibrary.enable_object_caching": "self",
    "numba.core.codegen:CPUCodeLibrary.finalize": "self",
    "numba.core.codegen:JITCodeLibrary.get_pointer_to_function": "self name",
    "numba.core.codegen:CPUCodeLibrary.has_dynamic_globals": None,
    "numba.core.codegen:CPUCodeLibrary.serialize_using_object_code": "self",
    "numba.core.codegen:JITCPUCodegen.create_library": "self name kwargs",
    "numba.core.codegen:JITCPUCodegen.unserialize_library": "self serialized",
    "numba.core.compiler:CompileResult._reduce": "self",
    "numba.core.compiler:CompileResult._rebuild": (
        "target_context libdata fndesc env signature objectmode lifted typeann reload_init referenced_envs"
    ),
    "numba.core.compiler_lock:global_compiler_lock.acquire": "",
    "numba.core.compiler_lock:global_compiler_lock.release": "",
    "numba.core.config:DISABLE_JIT": None,
    "numba.core.config:NUMBA_DEFAULT_NUM_THREADS": None,
    "numba.core.config:NUMBA_NUM_THREADS": None,
    "numba.core.cpu:CPUContext.call_internal": "self builder fndesc sig args",
    "numba.core.dispatcher:Dispatcher.add_overload": "self cres",
    "numba.core.dispatcher:Dispatcher._compile_for_args": "self args kws",
    "numba.core.dispatcher:Dispatcher.compile": "self sig",
    "numba.core.dispatcher:_FunctionCompiler.compile": "self args return_type",
    "numba.core.registry:cpu_target.target_context.codegen": "",
    "numba.core.registry:cpu_target.target_context.refresh": "",
    "numba.core.serialize:dumps": "obj",
    "numba.np.ufunc.parallel:_is_initialized": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there_with_its_parameters(name):
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    *holders, last = path.split(".")
    for holder in holders:
        found = getattr(found, holder)
    assert hasattr(found, last)
    if NAMES[name] is not None:
        assert [*inspect.signature(getattr(found, last)).parameters] == NAMES[name].split()


def test_dispatcher_and_compiled_function_have_their_attributes(monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", "0")
    dispatcher = jit.serial(lambda x: 2.0 * x)
    assert dispatcher(2.0) == 4.0
    (compiled,) = dispatcher.overloads.values()
    assert tuple(compiled.signature.args) == (numba.float64,)
    assert compiled.fndesc.mangled_name in str(compiled.library._final_module)
    assert numba_internals.can_be_stored(compiled)
    assert isinstance(numba_internals.called_symbols(compiled), list)
    assert isinstance(numba_internals.pickled(numba_internals.stored_function(compiled)), bytes)
    assert dispatcher._cache.cache_path is None
    assert dispatcher._compiler.compile.__module__ == numba_internals.__name__


def test_numba_asks_our_cache_first_and_gives_it_what_it_compiles(monkeypatch):
    monkeypatch.setenv("FASTNN_CACHE", "0")
    kept, asked = {}, []

    class Cache:
        cache_path = None

        def load_overload(self, signature, target_context):
            asked.append(signature)
            stored = kept.get(signature)
            return stored and numba_internals.loaded_function(target_context, stored)

        def save_overload(self, signature, compiled):
            kept[signature] = numba_internals.stored_function(compiled)

    for hits in (0, 1):
        dispatcher = numba.njit(triple)
        numba_internals.use_cache(dispatcher, Cache())
        steps = []
        numba_internals.intercept(
            dispatcher,
            partial(note, steps, "load"),
            partial(note, steps, "compile"),
        )
        assert dispatcher(2.0) == 6.0
        assert sum(dispatcher.stats.cache_hits.values()) == hits
        assert steps == (["load"] if hits else ["load", "compile"])
    assert asked == [(numba.float64,)] * 2 == [*kept] * 2


def triple(x):
    return 3.0 * x


def note(steps, name, step, *arguments):
    steps.append(name)
    return step(*arguments)


def test_parallel_loops_call_the_symbol_and_launching_them_is_seen():
    """The symbol is known only once the threads are started."""
    code = (
        "import numba, numpy as np\nfrom llvmlite import binding\n"
        "from fastnn.runtime import numba_internals as internals\n"
        "print(internals.threads_started(), end=' ')\n"
        "numba.get_num_threads()\n"
        "print(internals.threads_started(), binding.address_of_symbol(internals.PARALLEL_FOR) is not None)"
    )
    assert in_process(code).stdout == "False True True\n"

    @numba.njit(parallel=True)
    def halve(x):
        for i in numba.prange(x.size):
            x[i] *= 0.5

    compiled = halve.compile((numba.float64[::1],))
    assert compiled is not None
    assert numba_internals.PARALLEL_FOR in numba_internals.called_symbols(*[*halve.overloads.values()])


def test_internals_import_no_numba_and_see_its_lock_once_it_is_there():
    code = (
        "import sys\nfrom fastnn.runtime import forks, numba_internals as internals\n"
        "print('numba' in sys.modules, internals.imported_compiler_lock())\n"
        "print(internals.compiler_lock() is internals.imported_compiler_lock())"
    )
    assert in_process(code).stdout == "False None\nTrue\n"


def test_no_other_module_uses_private_names():
    """`cgutils` is documented."""
    private = r"\b(numba\.(core|np)\b(?! import cgutils)|_compiler\b|_compile_for_args|_final_module|_is_initialized)"
    for path in PACKAGE.rglob("*.py"):
        if path.stem != "numba_internals":
            assert not re.search(private, path.read_text()), path
