"""The few words of LLVM vector code that tiles are written in.

Each emits instructions at the builder's position. Pointers need only the alignment of one
number; a mask says which lanes of a vector exist in memory, the others read as zero.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from llvmlite import ir
from numba.core import cgutils

INDEX = ir.IntType(64)
SIZE = {"double": 8, "float": 4}  # bytes


class Vectors:
    """Vectors of `lanes` numbers of type `real`, in the function that `builder` is writing."""

    def __init__(self, builder: ir.IRBuilder, lanes: int, real: ir.Type):
        self.builder = builder
        self.lanes = lanes
        self.real = real
        self.type = ir.VectorType(real, lanes)
        self.name = f"v{lanes}f{8 * SIZE[str(real)]}"

    def at(self, base: ir.Value, *offsets: ir.Value) -> ir.Value:
        """The pointer `base + sum(offsets)`."""
        for offset in offsets:
            base = self.builder.gep(base, [offset])
        return base

    def splat(self, scalar: ir.Value) -> ir.Value:
        """`scalar` in every lane."""
        vector_type = ir.VectorType(scalar.type, self.lanes)
        first = self.builder.insert_element(ir.Constant(vector_type, ir.Undefined), scalar, ir.IntType(32)(0))
        return self.builder.shuffle_vector(first, first, _lane_numbers(0 for _ in range(self.lanes)))

    def first_lanes(self, count: ir.Value) -> ir.Value:
        """The mask of lanes 0 .. count - 1."""
        numbers = ir.Constant(ir.VectorType(INDEX, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def load(self, pointer: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        if mask is None:
            return self.builder.load(self._as_vector(pointer), align=SIZE[str(self.real)])
        return self._masked("load", self.type, pointer, mask, self.type(None))

    def store(self, value: ir.Value, pointer: ir.Value, mask: ir.Value | None = None) -> None:
        if mask is None:
            self.builder.store(value, self._as_vector(pointer), align=SIZE[str(self.real)])
        else:
            self._masked("store", ir.VoidType(), pointer, mask, value)

    def prefetch(self, pointer: ir.Value) -> None:
        """Ask for the cache line at `pointer` to be brought into L2; any address will do."""
        read, second_level, data = (ir.IntType(32)(number) for number in (0, 2, 1))
        self._call("llvm.prefetch.p0", ir.VoidType(), [pointer, read, second_level, data])

    def sums(self, count: int) -> list[ir.Value]:
        """`count` vectors of zeros to add to: stack slots that LLVM turns into registers."""
        return [cgutils.alloca_once(self.builder, self.type, zfill=True) for _ in range(count)]

    def add_product(self, slot: ir.Value, x: ir.Value, y: ir.Value) -> None:
        """slot += x * y, in one instruction where the machine has it."""
        total = self._call(f"llvm.fmuladd.{self.name}", self.type, [x, y, self.builder.load(slot)])
        self.builder.store(total, slot)

    def convert(self, value: ir.Value) -> ir.Value:
        """A vector of as many narrower numbers as one of this type."""
        return value if value.type == self.type else self.builder.fpext(value, self.type)

    def lane_sums(self, rows: list[list[ir.Value]]) -> Iterator[ir.Value]:
        """For each row of vectors, all as long, a vector of the sums of their lanes.

        As many rows as fit are reduced together: neighbours are interleaved and added at distance 1,
        2, 4, ..., so that in the end lane i holds the sum of vector i.
        """
        length = len(rows[0])
        places = 1 << (length - 1).bit_length()  # of a row, whose last vectors may count twice
        fit = self.lanes // places
        for first in range(0, len(rows), fit):
            some = rows[first : first + fit]
            group = [row[min(i, length - 1)] for row in some for i in range(places)]
            distance = 1
            while distance < self.lanes:
                group += group[-1:] * (len(group) % 2)
                group = [self._fold(u, v, distance) for u, v in zip(group[::2], group[1::2], strict=True)]
                distance *= 2
            for i in range(len(some)):
                numbers = _lane_numbers(range(i * places, i * places + length))
                yield self.builder.shuffle_vector(group[0], group[0], numbers)

    def _fold(self, u: ir.Value, v: ir.Value, distance: int) -> ir.Value:
        """Lanes without bit `distance` hold u folded at that distance, lanes with it v."""
        start = [self.lanes if lane & distance else 0 for lane in range(self.lanes)]
        near = _lane_numbers(start[lane] + (lane & ~distance) for lane in range(self.lanes))
        far = _lane_numbers(start[lane] + (lane | distance) for lane in range(self.lanes))
        return self.builder.fadd(self.builder.shuffle_vector(u, v, near), self.builder.shuffle_vector(u, v, far))

    def _as_vector(self, pointer: ir.Value) -> ir.Value:
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def _masked(self, what: str, result: ir.Type, pointer: ir.Value, mask: ir.Value, value: ir.Value) -> ir.Value:
        """llvm.masked.load (value: what absent lanes read) or .store (value: what to write)."""
        pointer, alignment = self._as_vector(pointer), ir.IntType(32)(SIZE[str(self.real)])
        arguments = [pointer, alignment, mask, value] if what == "load" else [value, pointer, alignment, mask]
        return self._call(f"llvm.masked.{what}.{self.name}.p0", result, arguments)

    def _call(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)


def _lane_numbers(numbers: Iterable[int]) -> ir.Constant:
    """A constant vector of integers, for shuffles."""
    values = list(numbers)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(values)), values)


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
    """Cover `rows` rows with tiles of two neighbouring heights, at most `height`: tile(first row, how many).

    25 rows by at most 4 are 4 + 4 + 4 + 4 + 3 + 3 + 3, not six fours and a one: a tile of one
    row has too few sums to keep the multipliers busy.
    """
    tiles = builder.sdiv(builder.add(rows, INDEX(height - 1)), INDEX(height))
    low = builder.sdiv(rows, tiles)
    tall = builder.srem(rows, tiles)
    first = INDEX(0)
    for R in range(height, 0, -1):
        is_low = builder.icmp_signed("==", low, INDEX(R))
        is_tall = builder.icmp_signed("==", low, INDEX(R - 1))
        count = builder.select(is_low, builder.sub(tiles, tall), builder.select(is_tall, tall, INDEX(0)))
        with counted(builder, count) as number:
            tile(builder.add(first, builder.mul(number, INDEX(R))), R)
        first = builder.add(first, builder.mul(count, INDEX(R)))
