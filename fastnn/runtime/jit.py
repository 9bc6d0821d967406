"""Compilation and cache of kernels; `pool` decides how they are launched.

`inner` compiles the example and block storeys, `batch` the one that is called from outside, `serial` what is
called from outside without a parallel loop. Numba makes a finished library of every function with all that it
calls in it, and of a parallel one four; so what is large stands apart, compiled once and called by its address:
the tiles (`by_address`), and what is called once for a block of examples (`apart`).
"""

import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import wraps
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from . import cache, notice, pool

# Sums may be reordered (without that no reduction vectorises) and a*b + c fused. Never "nnan"
# or "ninf": a NaN has to reach the caller.
FAST = {"contract", "reassoc", "nsz", "arcp"}

# Where an order of operations is part of the algorithm (range reduction, differences).
EXACT = {"contract"}

# Seconds after which Python hears a signal that another thread has got, while this one waits.
_TICK = 0.1


def inner(fastmath: set[str] = FAST) -> Callable[[Callable], Any]:
    """Compile a function that only other kernels call."""
    return lambda function: _for_kernels(function, fastmath)


def _for_kernels(function: Callable, fastmath: set[str]) -> Any:
    """Without the wrappers by which Python calls a compiled function: a first training takes 7.8 s, with them 9.6.

    A call from Python is refused: it would end the process.
    """
    dispatcher: Any = _jit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_options(fastmath))(function)

    def add(compiled: Any) -> None:
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled

    def refuse(*arguments: Any) -> None:
        raise TypeError(f"{function.__name__} is called from Python; it is for kernels alone")

    dispatcher.add_overload, dispatcher._compile_for_args = add, refuse
    return dispatcher


class Kernel:
    """A kernel that is called from outside and has a `prange`, compiled in two variants that give the same bits.

    Called, it runs on all of Numba's threads, or on one where these cannot be used. `serial` always runs on the thread
    that calls it: no lock, no other thread, nothing to wait for.
    """

    def __init__(self, function: Callable, fastmath: set[str]):
        wraps(function)(self)
        options = _options(fastmath)
        self.parallel = _outer(_jit(parallel=True, **options)(function))
        self.serial = _outer(_jit(**options)(function), "-serial")
        _kernels.append(self)

    def __call__(self, *arguments: Any) -> Any:
        if not pool.usable():
            return self.serial(*arguments)
        with pool.launching():
            return self.parallel(*arguments)


_kernels: list[Kernel] = []


def compile_both_variants() -> None:
    """Compile both variants of every `Kernel`, for all types that one of them is compiled for."""
    for kernel in _kernels:
        for signature in kernel.parallel.overloads.keys() | kernel.serial.overloads.keys():
            for variant in (kernel.parallel, kernel.serial):
                if signature not in variant.overloads:
                    variant.compile(signature)


def batch(function: Callable, fastmath: set[str] = FAST) -> Kernel:
    """Compile a kernel whose `prange` loops run on Numba's threads."""
    return Kernel(function, fastmath)


def serial(function: Callable) -> Any:
    """Compile a function that is called from outside and has no parallel loop: it needs no lock."""
    return _outer(_jit(**_options(FAST))(function))


def _options(fastmath: set[str]) -> dict[str, Any]:
    return {"fastmath": fastmath, "error_model": "numpy", "nogil": True}


def _jit(**options: Any) -> Callable[[Callable], Any]:
    """`numba.njit`, under NUMBA_DISABLE_JIT too: kernels are made of LLVM's instructions and have no form in Python."""

    def compiled(function: Callable) -> Any:
        with _configured(DISABLE_JIT=0):
            return numba.njit(**options)(function)

    return compiled


@contextmanager
def _configured(**settings: Any) -> Iterator[None]:
    """With these of numba's settings, which are the whole process's, and then with its own again."""
    before = {name: getattr(numba.config, name, None) for name in settings}
    vars(numba.config).update(settings)
    try:
        yield
    finally:
        vars(numba.config).update(before)


def _outer(dispatcher: Any, suffix: str = "") -> Any:
    """Give a kernel that is called from outside its place in the cache, and a notice while it compiles."""
    folder = cache.folder()
    if folder is not None:
        dispatcher._cache = _Cache(dispatcher.py_func, folder, suffix)
    compile_now = dispatcher._compiler.compile  # not called for what the cache has

    def compile_aloud(arguments: Any, return_type: Any) -> Any:
        if folder is None and not cache.off():
            cache.warn(cache.NO_HOME)
        # numba turns functions into compiled ones on its way too
        with _configured(DISABLE_JIT=0), notice.compiling(kept=folder is not None):
            return compile_now(arguments, return_type)

    compile_or_load = dispatcher.compile

    def compile_whole(signature: Any) -> Any:
        if folder is not None:
            cache.note_use(folder)
        with notice.waiting_for_kernels():
            return _in_a_thread(compile_or_load, signature)

    dispatcher._compiler.compile = compile_aloud
    dispatcher.compile = compile_whole
    return dispatcher


def _in_a_thread(function: Callable, *arguments: Any) -> Any:
    """What the function returns, in a thread of its own: Ctrl-C and SIGTERM do not wait for it, and do not end it.

    Raised inside llvmlite, between its freeing of memory and its note of that, their exception makes it free the
    memory twice, which ends the process: of 410 trainings with a signal at a random moment two ended so. What an
    abandoned thread compiles is there the next time.
    """
    if threading.current_thread() is not threading.main_thread():  # only there signals are raised
        return function(*arguments)
    done: Future = Future()

    def run() -> None:
        try:
            done.set_result(function(*arguments))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="fastnn compiles").start()
    while not done.done():
        wait([done], timeout=_TICK)
    return done.result()


def apart(function: Callable, fastmath: set[str] = FAST) -> Any:
    """Compile what other kernels call, for a block of examples or more, by itself: they call it by its address."""
    dispatcher = _outer(_for_kernels(function, fastmath))
    _apart[_name(dispatcher)] = dispatcher

    def call(typing_context: Any, *arguments: Any) -> Any:
        compiled = _compiled(dispatcher, tuple(map(types.unliteral, arguments)))

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
            return context.call_internal(builder, compiled.fndesc, signature, values)

        return compiled.signature, generate

    parameters = inspect.signature(function).parameters.values()  # numba reads them: it cannot take all as one
    context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    call.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    return intrinsic(call)


_apart: dict[str, Any] = {}  # the dispatchers, by their names
_symbols: dict[str, tuple[str, Any]] = {}  # the name and the arguments' types of what machine code calls so


def _compiled(dispatcher: Any, arguments: Any) -> Any:
    """numba's compilation of a function that stands apart, which machine code can call from now on."""
    if arguments not in dispatcher.overloads:
        dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    _symbols[compiled.fndesc.mangled_name] = _name(dispatcher), arguments
    return compiled


def _name(dispatcher: Any) -> str:
    return f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"


def by_address(emit: Callable) -> Callable:
    """The code generator of an intrinsic that calls a tile by its address; `emit(builder, *arguments)` writes its body.

    Arrays arrive there as pointers, integers as 64 bits.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
        arguments = []
        symbol = f"{_TILE}{cache.build()}.{emit.__name__}"
        for kind, value in zip(signature.args, values, strict=True):
            if isinstance(kind, types.Array):
                arguments.append(context.make_array(kind)(context, builder, value).data)
                symbol += f".{kind.dtype}"
            else:
                arguments.append(context.cast(builder, value, kind, types.int64))
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        if not _have_tile(symbol):
            _compile_tile(symbol, kind, emit)
        builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol), arguments)
        return context.get_dummy_value()

    return generate


_TILE = "fastnn."  # so begin the tiles' symbols
_tiles: dict[str, Any] = {}  # numba's libraries that hold them, by symbol: numba forgets what nobody holds


def _have_tile(symbol: str) -> bool:
    """Whether machine code can call that tile: it has been compiled in this process, or is in the cache."""
    folder = cache.folder()
    if symbol not in _tiles and folder is not None:
        library = cache.File(folder, symbol).load(None)
        if library is not None:
            _tiles[symbol] = cpu_target.target_context.codegen().unserialize_library(library)
    return symbol in _tiles


@global_compiler_lock
def _compile_tile(symbol: str, kind: ir.FunctionType, emit: Callable) -> None:
    codegen = cpu_target.target_context.codegen()
    library = codegen.create_library(symbol)
    library.enable_object_caching()
    module = codegen._create_empty_module(symbol)
    function = ir.Function(module, kind, symbol)
    # Or LLVM would unroll the loops further, which is longer to compile and not a percent faster.
    function.attributes.add("optsize")
    body = ir.IRBuilder(function.append_basic_block("entry"))
    emit(body, *function.args)
    body.ret_void()
    library.add_ir_module(module)
    library.finalize()
    _tiles[symbol] = library
    folder = cache.folder()
    if folder is not None:
        cache.File(folder, symbol).save(None, library.serialize_using_object_code())


def _have(symbol: str, apart: tuple[str, Any] | None) -> bool:
    """Whether machine code can call what it knows under that symbol: a tile, or else a function that stands apart."""
    if apart is None:
        return _have_tile(symbol)
    name, arguments = apart
    return _compiled(_apart[name], arguments).fndesc.mangled_name == symbol


class _Locator(UserProvidedCacheLocator):
    """Our folder, whose name is the stamp of the sources; files make it themselves."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        return cls(py_func, py_file)

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        return ""

    def get_source_stamp(self) -> Any:
        return None

    def ensure_cache_path(self) -> None:
        pass


class _Implementation(CompileResultCacheImpl):
    """What is kept of a kernel: what it calls by address, and its machine code."""

    _locator_classes = (_Locator,)

    def reduce(self, cres: Any) -> Any:
        called = [one.name for one in cres.library._final_module.functions if one.is_declaration]
        called = [symbol for symbol in called if symbol in _symbols or symbol.startswith(_TILE)]
        return [(symbol, _symbols.get(symbol)) for symbol in called], super().reduce(cres)

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """None if something that it calls is not there, or under another symbol: it is compiled anew then."""
        called, kernel = payload
        return super().rebuild(target_context, kernel) if all(_have(*one) for one in called) else None


class _Cache(FunctionCache):
    """numba's cache of a function, in our folder and our files."""

    _impl_class = _Implementation

    def __init__(self, function: Callable, folder: Path, suffix: str):
        with _configured(CACHE_DIR=str(folder), CACHE_LOCATOR_CLASSES=""):
            super().__init__(function)
        self._cache_file = cache.File(folder, self._impl.filename_base + suffix)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is on disk for these types, or None.

        Two processes that write variants for different types at the same time may give both files
        the same name.
        """
        found = super().load_overload(sig, target_context)
        return found if found is not None and tuple(found.signature.args) == tuple(sig) else None
