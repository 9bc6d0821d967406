"""Compilation and cache of kernels; `pool` decides how they are launched.

`inner` compiles the example and block storeys, `batch` the one that is called from outside, `serial` what is
called from outside without a parallel loop. Numba makes a finished library of every function with all that it
calls in it, and of a parallel one four; so what is large stands apart, compiled once and called by its address:
the tiles (`by_address`), and what is called once for a block of examples (`apart`).
"""

from __future__ import annotations

import hashlib
import inspect
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import cache, notice, numba_internals, pool

if TYPE_CHECKING:
    from .numba_internals import BaseContext, CompileResult, Dispatcher, Signature

# Sums may be reordered (without that no reduction vectorises) and a*b + c fused. Never "nnan"
# or "ninf": a NaN has to reach the caller.
FAST = {"contract", "reassoc", "nsz", "arcp"}

# Flags where the order of operations is part of the algorithm (range reduction, differences).
EXACT = {"contract"}

Function = Callable[..., Any]
Types = tuple[types.Type, ...]
Returned = TypeVar("Returned")

# Seconds after which Python hears a signal that another thread has got, while this one waits.
_TICK = 0.1


def inner(fastmath: set[str] = FAST) -> Callable[[Function], Dispatcher]:
    """Compile a function that only other kernels call."""
    return lambda function: _for_kernels(function, fastmath)


def _for_kernels(function: Function, fastmath: set[str]) -> Dispatcher:
    """Without the wrappers by which Python calls a compiled function: a first training takes 7.8 s, with them 9.6.

    A call from Python is refused: it would end the process.
    """
    dispatcher = _jit(function, fastmath, no_cpython_wrapper=True, no_cfunc_wrapper=True)

    def refuse(*arguments: object) -> NoReturn:
        raise TypeError(f"{function.__name__} is called from Python; it is for kernels alone")

    numba_internals.call_from_kernels_alone(dispatcher, refuse)
    return dispatcher


class Kernel:
    """A kernel that is called from outside and has a `prange`, compiled in two variants that give the same bits.

    Called, it runs on all of Numba's threads, or on one where these cannot be used. `serial` always runs on the thread
    that calls it: no lock, no other thread, nothing to wait for.
    """

    def __init__(self, function: Function, fastmath: set[str]):
        wraps(function)(self)
        self.parallel = _outer(_jit(function, fastmath, parallel=True))
        self.serial = _outer(_jit(function, fastmath), "-serial")
        _kernels.append(self)

    def __call__(self, *arguments: object) -> Any:
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


def batch(function: Function, fastmath: set[str] = FAST) -> Kernel:
    """Compile a kernel whose `prange` loops run on Numba's threads."""
    return Kernel(function, fastmath)


def serial(function: Function) -> Dispatcher:
    """Compile a function that is called from outside and has no parallel loop: it needs no lock."""
    return _outer(_jit(function, FAST))


def _jit(function: Function, fastmath: set[str], **options: bool) -> Dispatcher:
    """`numba.njit`, under NUMBA_DISABLE_JIT too: kernels are made of LLVM's instructions and have no form in Python."""
    with numba_internals.configured(DISABLE_JIT=0):
        return numba.njit(fastmath=fastmath, error_model="numpy", nogil=True, **options)(function)


def _outer(dispatcher: Dispatcher, suffix: str = "") -> Dispatcher:
    """Give a kernel that is called from outside its place in the cache, and a notice while it compiles."""
    folder = cache.folder()
    if folder is not None:
        numba_internals.use_cache(dispatcher, _Cache(dispatcher.py_func, folder, suffix))

    def compile_or_load(step: Function, signature: Types) -> object:
        if folder is not None:
            cache.note_use(folder)
        with notice.waiting_for_kernels():
            return _in_a_thread(step, signature)

    def compile_now(step: Function, arguments: Types, return_type: types.Type | None) -> CompileResult:
        if folder is None and not cache.off():
            cache.warn(cache.NO_HOME)
        # numba turns functions into compiled ones on its way too
        with numba_internals.configured(DISABLE_JIT=0), notice.compiling(kept=folder is not None):
            return step(arguments, return_type)

    numba_internals.intercept(dispatcher, compile_or_load, compile_now)
    return dispatcher


def _in_a_thread(function: Callable[..., Returned], *arguments: object) -> Returned:
    """Call the function in a thread of its own: Ctrl-C and SIGTERM do not wait for it, and do not end it.

    Raised inside llvmlite, between its freeing of memory and its note of that, their exception makes it free the
    memory twice, which ends the process: of 410 trainings with a signal at a random moment two ended so. What an
    abandoned thread compiles is there the next time.
    """
    if threading.current_thread() is not threading.main_thread():  # only there signals are raised
        return function(*arguments)
    done: Future[Returned] = Future()

    def run() -> None:
        try:
            done.set_result(function(*arguments))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="fastnn compiles").start()
    while not done.done():
        wait([done], timeout=_TICK)
    return done.result()


def apart(function: Function, fastmath: set[str] = FAST) -> Function:
    """Compile what other kernels call, for a block of examples or more, by itself: they call it by its address."""
    dispatcher = _outer(_for_kernels(function, fastmath))
    _apart[_name(dispatcher)] = dispatcher

    def call(typing_context: object, *arguments: types.Type) -> tuple[Signature, Function]:
        compiled = _compiled(dispatcher, tuple(map(types.unliteral, arguments)))

        def generate(
            context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: list[ir.Value]
        ) -> ir.Value:
            return context.call_internal(builder, compiled.fndesc, signature, values)

        return compiled.signature, generate

    parameters = inspect.signature(function).parameters.values()  # numba reads them: it cannot take all as one
    context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    call.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    return intrinsic(call)


_apart: dict[str, Dispatcher] = {}  # the dispatchers, by their names
_symbols: dict[str, tuple[str, Types]] = {}  # the name and the arguments' types of what machine code calls so


def _compiled(dispatcher: Dispatcher, arguments: Types) -> CompileResult:
    """numba's compilation of a function that stands apart, which machine code can call from now on."""
    if arguments not in dispatcher.overloads:
        dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    _symbols[compiled.fndesc.mangled_name] = _name(dispatcher), arguments
    return compiled


def _name(dispatcher: Dispatcher) -> str:
    return f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"


def by_address(emit: Function) -> Function:
    """The code generator of an intrinsic that calls a tile by its address; `emit(builder, *arguments)` writes its body.

    Arrays arrive there as pointers, integers as 64 bits.
    """

    def generate(context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: list[ir.Value]) -> ir.Value:
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
_tiles: dict[str, object] = {}  # numba's libraries that hold them, by symbol: numba forgets what nobody holds


def _have_tile(symbol: str) -> bool:
    """Return True if machine code can call that tile: compiled in this process, or loaded from the cache."""
    folder = cache.folder()
    if symbol not in _tiles and folder is not None:
        stored = cache.File(folder, symbol).load()
        if stored is not None:
            _tiles[symbol] = numba_internals.loaded_library(stored)
    return symbol in _tiles


def _compile_tile(symbol: str, kind: ir.FunctionType, emit: Function) -> None:
    with numba_internals.compiler_lock():
        library = numba_internals.new_library(symbol)
        library.enable_object_caching()
        module = library.create_ir_module(symbol)
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
            cache.File(folder, symbol).save(numba_internals.stored_library(library))


def _have(symbol: str, apart: tuple[str, Types] | None) -> bool:
    """Return True if machine code can call this symbol: a tile, or else a function that stands apart."""
    if apart is None:
        return _have_tile(symbol)
    name, arguments = apart
    return bool(_compiled(_apart[name], arguments).fndesc.mangled_name == symbol)


class _Cache:
    """Compiled variants of one function in the cache folder: a file for each combination of argument types."""

    def __init__(self, function: Function, folder: Path, suffix: str):
        self.cache_path = str(folder)
        self._folder = folder
        self._function = function
        module = function.__module__.rpartition(".")[2]
        self.name = f"{module}.{re.sub('[<>]', '', function.__qualname__)}{suffix}"

    def _file(self, signature: Types) -> cache.File:
        """Return the file for these types. `cache.build` stands for our sources, bytecode for other functions'."""
        code, closure = self._function.__code__, self._function.__closure__ or ()
        variant = (code.co_firstlineno, code.co_code, [cell.cell_contents for cell in closure])
        content = str(signature).encode() + numba_internals.pickled(variant)
        return cache.File(self._folder, f"{self.name}.{hashlib.sha256(content).hexdigest()[:16]}")

    def load_overload(self, signature: Types, target_context: BaseContext) -> CompileResult | None:
        """Return the compiled function, or None if it, or what it calls by address, is not there.

        The file's name has only the names of types, so the types are compared, too.
        """
        payload = self._file(signature).load()
        if payload is None:
            return None
        called, stored = payload
        if not all(_have(*one) for one in called):
            return None
        found = numba_internals.loaded_function(target_context, stored)
        return found if tuple(found.signature.args) == tuple(signature) else None

    def save_overload(self, signature: Types, compiled: CompileResult) -> None:
        if not numba_internals.can_be_stored(compiled):
            return cache.warn(f"machine code of {self.name} holds addresses")
        called = [
            (symbol, _symbols.get(symbol))
            for symbol in numba_internals.called_symbols(compiled)
            if symbol in _symbols or symbol.startswith(_TILE)
        ]
        self._file(signature).save((called, numba_internals.stored_function(compiled)))
