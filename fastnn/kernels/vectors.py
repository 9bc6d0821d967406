"""The few words of LLVM vector code that tiles are written in.

Each emits instructions at the builder's position. Pointers are to float64 and need only its
alignment; a mask says which lanes of a vector exist in memory, the others read as zero.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

INDEX = ir.IntType(64)
REAL = ir.DoubleType()


class Vectors:
    """Vectors of `lanes` float64 in the function that `builder` is writing."""

    def __init__(self, builder: ir.IRBuilder, lanes: int):
        self.builder = builder
        self.lanes = lanes
        self.type = ir.VectorType(REAL, lanes)
        self.mask_type = ir.VectorType(ir.IntType(1), lanes)

    def at(self, base: ir.Value, *offsets: ir.Value) -> ir.Value:
        """The pointer `base + sum(offsets)`."""
        for offset in offsets:
            base = self.builder.gep(base, [offset])
        return base

    def constant(self, *values: int) -> ir.Constant:
        """A vector of 32-bit integers, for shuffles."""
        return ir.Constant(ir.VectorType(ir.IntType(32), len(values)), list(values))

    def splat(self, scalar: ir.Value) -> ir.Value:
        """`scalar` in every lane."""
        vector_type = ir.VectorType(scalar.type, self.lanes)
        first = self.builder.insert_element(ir.Constant(vector_type, ir.Undefined), scalar, ir.IntType(32)(0))
        return self.builder.shuffle_vector(first, first, self.constant(*[0] * self.lanes))

    def first_lanes(self, count: ir.Value) -> ir.Value:
        """The mask of lanes 0 .. count - 1."""
        numbers = ir.Constant(ir.VectorType(INDEX, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def load(self, pointer: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        if mask is None:
            return self.builder.load(self._as_vector(pointer), align=8)
        return self._masked("load", self.type, pointer, mask, ir.Constant(self.type, None))

    def store(self, value: ir.Value, pointer: ir.Value, mask: ir.Value | None = None) -> None:
        if mask is None:
            self.builder.store(value, self._as_vector(pointer), align=8)
        else:
            self._masked("store", ir.VoidType(), pointer, mask, value)

    def sums(self, count: int) -> list[ir.Value]:
        """`count` vectors of zeros to add to: stack slots that LLVM turns into registers."""
        return [cgutils.alloca_once(self.builder, self.type, zfill=True) for _ in range(count)]

    def add_product(self, slot: ir.Value, x: ir.Value, y: ir.Value) -> None:
        """slot += x * y, in one instruction where the machine has it."""
        total = self._call(f"llvm.fmuladd.v{self.lanes}f64", self.type, [x, y, self.builder.load(slot)])
        self.builder.store(total, slot)

    def lane_sums(self, vectors: list[ir.Value]) -> list[ir.Value]:
        """For each vector the sum of its lanes, a scalar.

        `lanes` vectors are reduced together: neighbouring vectors are interleaved and added at
        distance 1, 2, 4, ..., so that lane i of the last vector is the sum of vector i.
        """
        totals = []
        for first in range(0, len(vectors), self.lanes):
            group = vectors[first : first + self.lanes]
            used = len(group)
            group += [group[0]] * (self.lanes - used)
            distance = 1
            while distance < self.lanes:
                group = [self._fold(u, v, distance) for u, v in zip(group[::2], group[1::2], strict=True)]
                distance *= 2
            totals += [self.builder.extract_element(group[0], ir.IntType(32)(i)) for i in range(used)]
        return totals

    def _fold(self, u: ir.Value, v: ir.Value, distance: int) -> ir.Value:
        """Lanes without bit `distance` hold u folded at that distance, lanes with it v."""
        source = [self.lanes if lane & distance else 0 for lane in range(self.lanes)]
        near = [start + (lane & ~distance) for lane, start in enumerate(source)]
        far = [start + (lane | distance) for lane, start in enumerate(source)]
        shuffle = self.builder.shuffle_vector
        return self.builder.fadd(shuffle(u, v, self.constant(*near)), shuffle(u, v, self.constant(*far)))

    def _as_vector(self, pointer: ir.Value) -> ir.Value:
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def _masked(self, what: str, result: ir.Type, pointer: ir.Value, mask: ir.Value, value: ir.Value) -> ir.Value:
        """llvm.masked.load (value: what absent lanes read) or .store (value: what to write)."""
        pointer, alignment = self._as_vector(pointer), ir.IntType(32)(8)
        arguments = [pointer, alignment, mask, value] if what == "load" else [value, pointer, alignment, mask]
        return self._call(f"llvm.masked.{what}.v{self.lanes}f64.p0", result, arguments)

    def prefetch(self, pointer: ir.Value) -> None:
        """Ask for the cache line at `pointer` to be brought into L2; any address will do."""
        read, second_level, data = (ir.IntType(32)(number) for number in (0, 2, 1))
        self._call("llvm.prefetch.p0", ir.VoidType(), [pointer, read, second_level, data])

    def _call(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)


def choose(builder: ir.IRBuilder, value: ir.Value, largest: int, emit: Callable[[int], None]) -> None:
    """Emit code for each of 1 .. largest, and the switch that runs the one for `value`."""
    done = builder.append_basic_block("chosen")
    switch = builder.switch(value, done)
    for case in range(1, largest + 1):
        block = builder.append_basic_block(f"case_{case}")
        switch.add_case(INDEX(case), block)
        builder.position_at_end(block)
        emit(case)
        builder.branch(done)
    builder.position_at_end(done)


@contextmanager
def counted(builder: ir.IRBuilder, stop: ir.Value, step: int = 1) -> Iterator[ir.Value]:
    """for index in range(0, stop, step)."""
    with cgutils.for_range_slice(builder, INDEX(0), stop, INDEX(step)) as (index, _):
        yield index


def tiled(builder: ir.IRBuilder, rows: ir.Value, height: int, tile: Callable[[ir.Value, int], None]) -> None:
    """Cover `rows` rows with tiles, `height` at a time and then the rest: tile(first row, how many)."""
    rest = builder.srem(rows, INDEX(height))
    whole = builder.sub(rows, rest)
    with counted(builder, whole, height) as first:
        tile(first, height)
    choose(builder, rest, height - 1, lambda R: tile(whole, R))


def called(emit: Callable) -> Callable:
    """The code generator of an intrinsic whose body is one function per module, never inlined.

    A tile holds dozens of unrolled loops. LLVM would copy them into every call site and optimise
    each copy again (35 s for the fused engine, against 3 s); a call costs a few nanoseconds.
    `emit(builder, *arguments)` writes the body: arrays arrive as pointers, integers as 64 bits.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: list[ir.Value]) -> ir.Value:
        arguments = []
        for kind, value in zip(signature.args, values, strict=True):
            if isinstance(kind, types.Array):
                arguments.append(context.make_array(kind)(context, builder, value).data)
            else:
                arguments.append(context.cast(builder, value, kind, types.int64))
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(builder.module, kind, f"fastnn.{emit.__name__}")
        if function.is_declaration:
            function.linkage = "linkonce_odr"
            function.attributes.add("noinline")
            function.attributes.add("optsize")
            body = ir.IRBuilder(function.append_basic_block("entry"))
            emit(body, *function.args)
            body.ret_void()
        builder.call(function, arguments)
        return context.get_dummy_value()

    return generate
