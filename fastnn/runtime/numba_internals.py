"""Private names of Numba that fastnn overrides or calls; tests/runtime/test_numba_internals.py looks for each.

Imported without Numba, which is imported inside the functions. Documented, and so used elsewhere too: `numba.njit`,
`numba.config`, `numba.types`, `numba.extending` and `numba.core.cgutils`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numba.core.base import BaseContext as BaseContext
    from numba.core.codegen import CodeLibrary, CPUCodegen
    from numba.core.compiler import CompileResult as CompileResult
    from numba.core.compiler_lock import _CompilerLock
    from numba.core.dispatcher import Dispatcher as Dispatcher
    from numba.core.typing import Signature as Signature

# Symbol that machine code calls to run a parallel loop on Numba's threads.
PARALLEL_FOR = "numba_parallel_for"


def threads_started() -> bool:
    """Return True if any package has started Numba's threads, here or in the parent before a fork."""
    parallel: Any = sys.modules.get("numba.np.ufunc.parallel")
    return parallel is not None and parallel._is_initialized


def compiler_lock() -> _CompilerLock:
    """Return the reentrant lock that Numba holds while it compiles."""
    from numba.core.compiler_lock import global_compiler_lock

    return global_compiler_lock


def imported_compiler_lock() -> _CompilerLock | None:
    """Return `compiler_lock()`, or None if nobody has imported it yet, or another thread is just importing it."""
    return getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)


@contextmanager
def configured(**settings: object) -> Iterator[None]:
    """Change settings of Numba inside. They are the whole process's, and are restored afterwards."""
    import numba

    before = {name: getattr(numba.config, name, None) for name in settings}
    vars(numba.config).update(settings)
    try:
        yield
    finally:
        vars(numba.config).update(before)


def new_library(name: str) -> CodeLibrary:
    """Return an empty library of machine code for this processor."""
    return _codegen().create_library(name)


def stored_library(library: CodeLibrary) -> object:
    """Return a finished library as an object that can be pickled; `loaded_library` takes it."""
    return library.serialize_using_object_code()


def loaded_library(stored: object) -> CodeLibrary:
    return _codegen().unserialize_library(stored)


def _codegen() -> CPUCodegen:
    from numba.core.registry import cpu_target

    return cpu_target.target_context.codegen()


def call_from_kernels_alone(dispatcher: Dispatcher, refuse: Callable[..., object]) -> None:
    """Adapt a dispatcher to functions without wrappers for Python; a call from Python calls `refuse` instead."""

    def add(compiled: CompileResult) -> None:
        inside.overloads[tuple(compiled.signature.args)] = compiled

    inside: Any = dispatcher
    inside.add_overload, inside._compile_for_args = add, refuse


def intercept(
    dispatcher: Dispatcher, compile_or_load: Callable[..., object], compile_now: Callable[..., object]
) -> None:
    """Put functions around a dispatcher's two steps; each gets the step, and then its arguments.

    Numba takes the second step, compilation, only inside the first one, for types that its cache lacks.
    """
    inside: Any = dispatcher
    outer, inner = inside.compile, inside._compiler.compile
    inside.compile = lambda signature: compile_or_load(outer, signature)
    inside._compiler.compile = lambda arguments, return_type: compile_now(inner, arguments, return_type)


def use_cache(dispatcher: Dispatcher, cache: object) -> None:
    """Let a dispatcher keep compiled functions in `cache`.

    It calls `cache.load_overload(signature, target_context)`, which returns a compiled function or None, and
    `cache.save_overload(signature, compiled)`. `dispatcher.stats` reads `cache.cache_path`.
    """
    inside: Any = dispatcher
    inside._cache = cache


def can_be_stored(compiled: CompileResult) -> bool:
    """Return False if machine code holds addresses of this process."""
    return not compiled.lifted and not compiled.library.has_dynamic_globals


def stored_function(compiled: CompileResult) -> tuple[object, ...]:
    """Return a compiled function as an object that `pickled` takes; `loaded_function` takes it."""
    return compiled._reduce()


def loaded_function(target_context: BaseContext, stored: tuple[object, ...]) -> CompileResult:
    from numba.core.compiler import CompileResult

    target_context.refresh()
    return CompileResult._rebuild(target_context, *stored)


def called_symbols(compiled: CompileResult) -> list[str]:
    """Return the symbols that a compiled function calls and does not contain."""
    return [function.name for function in compiled.library._final_module.functions if function.is_declaration]


def pickled(value: object) -> bytes:
    """Return the pickle of a value with Numba's types, functions of modules and such in it."""
    from numba.core.serialize import dumps

    return bytes(dumps(value))
