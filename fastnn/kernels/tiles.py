"""The machine: vector width, tile shapes, the two micro-kernels that fill its registers, and products of them.

A tile is a small matrix of sums that stay in vector registers while one loop feeds them. All
large products of the fused engine are made of strips of tiles, of one kind for each way a sum
can lie:

    dot_strip    C[r, v]  = bias[v] + sum_k A[r, k] B[v, k]      along the rows of A and B: `affine`
    outer_strip  C[r, :] (+)= sum_p A[p, r] B[p, :]              down the columns of A and B: `affine_by_panels`,
                                                                 `add_product`

They are emitted as LLVM vector code: from a loop, LLVM keeps such a block of sums in registers
only by luck. A matrix is a flat array with an offset and a row stride, so that parameters, rows
of X and buffers are all the same to them. Every shape runs on every target; the table only says
which one fills the registers of which.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from ..runtime.cache import cpu_features
from ..runtime.jit import by_address, inner
from .vectors import INDEX, SIZE, Vectors, choose, counted, tiled


class Shape(NamedTuple):
    bytes: int  # of a vector
    dot_rows: int  # dot_strip: dot_rows * dot_columns sums at a time, each one vector
    dot_columns: int
    outer_rows: int  # outer_strip: outer_rows * outer_vectors sums at a time, each one vector
    outer_vectors: int
    masks: bool  # it has masked loads: then the last vector of outer_strip is always a masked one, and not
    # only if it is not full. As fast (AVX2, AVX-512), and 1.4 of 10.6 s of compiling less.


# By CPU feature, widest first. The sums leave registers for one row of B and one value of A. dot_columns are lanes
# of float64 at most, so that a row's sums fit in a vector. In cache and on one core of an AMD Zen 4, tiles of the
# course's network reach 0.96 (float64) and 0.91 (float32) of its peak; 5 x 5 sums, stored one by one, 0.95 and 0.88.
# Of AVX2, 3 x 3 reach 0.85, 2 x 4 reach 0.80, and 3 x 4, which leave no register, 0.55.
SHAPES = {
    "avx512f": Shape(bytes=64, dot_rows=6, dot_columns=4, outer_rows=8, outer_vectors=3, masks=True),  # 32 registers
    "avx2": Shape(bytes=32, dot_rows=3, dot_columns=3, outer_rows=4, outer_vectors=3, masks=True),  # 16 registers
    "": Shape(bytes=16, dot_rows=4, dot_columns=2, outer_rows=4, outer_vectors=3, masks=False),
}


def _host_shape() -> Shape:
    """The first entry of the table that is among the features numba compiles for."""
    present = {feature.removeprefix("+") for feature in cpu_features().split(",") if feature.startswith("+")}
    return next(shape for name, shape in SHAPES.items() if not name or name in present)


SHAPE = _host_shape()


def _vectors(builder, pointer):
    """Full vectors of the numbers that `pointer` points to."""
    real = pointer.type.pointee
    return Vectors(builder, SHAPE.bytes // SIZE[str(real)], real)


def _dot_strip(builder, rows, columns, A, a, lda, B, b, ldb, bias, bias_0, length, C, c, ldc):
    vec = _vectors(builder, A)
    left_over = builder.srem(length, INDEX(vec.lanes))
    whole = builder.sub(length, left_over)

    def tile(first, R, V):
        a_row = [vec.at(A, a, builder.mul(builder.add(first, INDEX(r)), lda)) for r in range(R)]
        c_row = [vec.at(C, c, builder.mul(builder.add(first, INDEX(r)), ldc)) for r in range(R)]
        b_row = [vec.at(B, b, builder.mul(INDEX(v), ldb)) for v in range(V)]
        sums = vec.sums(R * V)

        def step(k, mask=None):
            right = [vec.load(vec.at(b_row[v], k), mask) for v in range(V)]
            for r in range(R):
                left = vec.load(vec.at(a_row[r], k), mask)
                for v in range(V):
                    vec.add_product(sums[r * V + v], left, right[v])

        with counted(builder, whole, vec.lanes) as k:
            step(k)
        with builder.if_then(builder.icmp_signed(">", left_over, INDEX(0))):
            step(whole, vec.first_lanes(left_over))

        part = Vectors(builder, V, vec.real)
        constant = part.load(vec.at(bias, bias_0))
        totals = [builder.load(slot) for slot in sums]
        for r, total in enumerate(vec.lane_sums([totals[r * V : (r + 1) * V] for r in range(R)])):
            part.store(builder.fadd(constant, total), c_row[r])

    def strip(V):
        tiled(builder, rows, SHAPE.dot_rows, lambda first, R: tile(first, R, V))

    choose(builder, columns, SHAPE.dot_columns, strip)


@intrinsic
def dot_strip(typing_context, rows, columns, A, a, lda, B, b, ldb, bias, bias_0, length, C, c, ldc):
    """C[r, v] = bias[v] + sum_k A[r, k] B[v, k]   for r < rows, v < columns, k < length.

    The lanes of a vector are consecutive k. `columns` is at most SHAPE.dot_columns; all arrays
    are of one type.
    """
    signature = types.void(rows, columns, A, a, lda, B, b, ldb, bias, bias_0, length, C, c, ldc)
    return signature, by_address(_dot_strip)


def _outer_strip(
    builder, rows, columns, A, a, row_step, step, B, b, ldb, length, keep, K, k, ldk, C, c, ldc, fetch, stride
):
    vec = _vectors(builder, B)
    out = Vectors(builder, vec.lanes, C.type.pointee)
    keeps = builder.icmp_signed("!=", keep, INDEX(0))

    def tile(first, R, V, masks):
        def row(matrix, start, distance):
            return [vec.at(matrix, start, builder.mul(builder.add(first, INDEX(r)), distance)) for r in range(R)]

        a_row, kept, c_row = row(A, a, row_step), row(K, k, ldk), row(C, c, ldc)
        column = [INDEX(v * vec.lanes) for v in range(V)]
        done = builder.sdiv(builder.mul(builder.mul(first, length), stride), INDEX(SHAPE.outer_rows))
        coming = vec.at(B, fetch, done)
        sums = vec.sums(R * V)

        with counted(builder, length) as p:
            b_row = vec.at(B, b, builder.mul(p, ldb))
            vec.prefetch(vec.at(coming, builder.mul(p, stride)))
            right = [vec.load(vec.at(b_row, column[v]), masks[v]) for v in range(V)]
            for r in range(R):
                left = vec.splat(builder.load(vec.at(a_row[r], builder.mul(p, step))))
                for v in range(V):
                    vec.add_product(sums[r * V + v], left, right[v])

        totals = [out.convert(builder.load(slot)) for slot in sums]
        for r in range(R):
            for v in range(V):
                before = builder.select(keeps, out.load(out.at(kept[r], column[v]), masks[v]), out.type(None))
                out.store(builder.fadd(before, totals[r * V + v]), out.at(c_row[r], column[v]), masks[v])

    def strip(V):
        """All vectors are full but the last, which holds what is left."""
        left_over = builder.sub(columns, INDEX((V - 1) * vec.lanes))
        masks = [None] * (V - 1) + [vec.first_lanes(left_over)]
        if SHAPE.masks:
            tiles(V, masks)
            return
        with builder.if_else(builder.icmp_signed("==", left_over, INDEX(vec.lanes))) as (full, partial):
            with full:
                tiles(V, [None] * V)
            with partial:
                tiles(V, masks)

    def tiles(V, masks):
        tiled(builder, rows, SHAPE.outer_rows, lambda first, R: tile(first, R, V, masks))

    vectors = builder.sdiv(builder.add(columns, INDEX(vec.lanes - 1)), INDEX(vec.lanes))
    choose(builder, vectors, SHAPE.outer_vectors, strip)


@intrinsic
def outer_strip(
    typing_context, rows, columns, A, a, row_step, step, B, b, ldb, length, keep, K, k, ldk, C, c, ldc, fetch, stride
):
    """C[r, v] = keep * K[r, v] + sum_p A[r*row_step + p*step] B[p, v]   for r < rows, v < columns, p < length.

    `keep` is 1 or 0; with 0 nothing of K counts, NaN included. K may be C itself, which is added to then,
    or with ldk = 0 a row that all rows begin with. The lanes of a vector are consecutive v. `columns` is at most
    SHAPE.outer_vectors vectors; K and C may be wider than A and B. Meanwhile the numbers of B at fetch, fetch + stride,
    ... are asked for from memory, one with every step of every tile, rows * length * stride / SHAPE.outer_rows
    numbers on; they need not exist.
    """
    signature = types.void(
        rows, columns, A, a, row_step, step, B, b, ldb, length, keep, K, k, ldk, C, c, ldc, fetch, stride
    )
    return signature, by_address(_outer_strip)


class Matrix(NamedTuple):
    """A matrix inside a flat array: element (r, c) is numbers[first + r * row + c * column]."""

    numbers: np.ndarray
    first: int
    row: int
    column: int  # 1: neighbours, as `affine` wants of all its matrices, and `add_product` of B and C


@inner()
def _chunk(whole, number, chunks):
    """Where the chunk of that number starts when `whole` is cut into `chunks` as even as can be."""
    return whole * number // chunks


@inner()
def affine(examples, units, inputs, A, W, bias, Z):
    """Z (examples, units) = A (examples, inputs) W.T + bias, which starts at that place of W's numbers."""
    chunks = -(-units // SHAPE.dot_columns)
    for chunk in range(chunks):
        v = _chunk(units, chunk, chunks)
        columns = _chunk(units, chunk + 1, chunks) - v
        dot_strip(
            examples, columns, A.numbers, A.first, A.row, W.numbers, W.first + v * W.row, W.row,
            W.numbers, bias + v, inputs, Z.numbers, Z.first + v, Z.row,
        )  # fmt: skip


@inner()
def affine_by_panels(examples, units, inputs, A, W, panels, bias, Z):
    """The same with W.T in panels, from that place of the numbers W; see `panel`."""
    chunks = panel_count(units, W.itemsize)
    for chunk in range(chunks):
        v, width = panel(units, chunk, chunks, W.itemsize)
        outer_strip(
            examples, min(width, units - v), A.numbers, A.first, A.row, 1, W, panels + v * inputs, width,
            inputs, 1, W, bias + v, 0, Z.numbers, Z.first + v, Z.row, 0, 0,
        )  # fmt: skip


# What a dot_strip's sum costs at its end, to be taken from lanes and stored, in steps of its loop. Of 400 inputs and
# 25 units `affine` reaches 0.96 of the peak and panels 0.75, of 28 and 64 units 0.68 and 0.93 (float32 0.34 and 0.82),
# of 400 and 512 0.97 and 0.99 (0.85 and 0.96). Panels were not cut in their depth: a whole one comes from L2 in time.
REDUCTION = 2


def panels_pay(inputs, units, size):
    """Whether `affine_by_panels` takes fewer steps than `affine`; lanes stay empty where units, or inputs, end."""
    lanes = SHAPE.bytes // size
    return -(-units // lanes) * inputs < units * (-(-inputs // lanes) + REDUCTION)


@inner()
def panel_count(units, size):
    """How many panels W.T (inputs, units) has, of numbers of so many bytes; each is as wide as a tile at most."""
    return -(-units // (SHAPE.outer_vectors * SHAPE.bytes // size))


@inner()
def panel(units, chunk, chunks, size):
    """The first column of that panel, and its width, in whole vectors.

    It stands at column * inputs, row behind row: as a part of W.T with rows as far apart as 512 units are, it would
    meet itself in the few places of the cache that such a distance leaves.
    """
    lanes = SHAPE.bytes // size
    vectors = -(-units // lanes)
    v = _chunk(vectors, chunk, chunks) * lanes
    return v, _chunk(vectors, chunk + 1, chunks) * lanes - v


@inner()
def add_product(rows, columns, length, A, B, keep, C, ahead):
    """C (rows, columns) = keep C + A (rows, length) B (length, columns).

    On the way as many numbers as B has, `ahead` of it, are fetched from memory, a little with
    every step of the tiles (0: nothing): the next block of X arrives behind the arithmetic. Left
    to the hardware's own prefetching, the two large products of the course's network take 1.07 to
    1.17 times as long; fetching in the forward pass too gains nothing (2 cores, AVX2).
    """
    lanes = SHAPE.bytes // B.numbers.itemsize
    vectors = -(-columns // lanes)
    chunks = -(-vectors // SHAPE.outer_vectors)
    stride = min(8, -(-columns * SHAPE.outer_rows // (chunks * rows))) if ahead > 0 else 0
    for chunk in range(chunks):
        v = _chunk(vectors, chunk, chunks) * lanes
        width = min(columns, _chunk(vectors, chunk + 1, chunks) * lanes) - v
        fetch = B.first + ahead + chunk * (rows * length * stride // SHAPE.outer_rows)
        outer_strip(
            rows, width, A.numbers, A.first, A.row, A.column, B.numbers, B.first + v, B.row,
            length, keep, C.numbers, C.first + v, C.row, C.numbers, C.first + v, C.row, fetch, stride,
        )  # fmt: skip
