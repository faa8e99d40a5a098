"""Compiled inner loops of the connectome measures.

A kernel knows only arrays: a graph is ``(indptr, indices)``, the rows of its adjacency in
CSR form (row *i* holds the postsynaptic neurons of *i*, ascending, each once, never *i*
itself). What the arrays mean, and every check of them, belongs to the modules above.

Here are the machine instructions they share that numba does not offer.  Eight numbers at once are
written as vectors of LLVM: one instruction where a processor has it, else a few.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

# Unsigned throughout: no question whether an index counts from the end.
ONE = np.uint64(1)
WORD = np.uint64(6)
IN_WORD = np.uint64(63)
ZERO, TWO, BITS = np.uint64(0), np.uint64(2), np.uint64(64)


@intrinsic
def popcount(typing_context, word):
    """Count the set bits of a uint64: one machine instruction."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


#: A line of memory as processors fetch it, in bytes.
LINE = 64


@intrinsic
def prefetch(typing_context, array, index):
    """Ask for the line of memory around ``array[index]``; the array may end before it."""

    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        # To be read, to be kept as near as can be, data and not code.
        builder.call(instruction, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def _pext(typing_context, word, mask):
    def generate(context, builder, signature, arguments):
        number = ir.IntType(64)
        kind = ir.FunctionType(number, [number, number])
        instruction = builder.module.declare_intrinsic("llvm.x86.bmi.pext.64", (), kind)
        return builder.call(instruction, arguments)

    return types.uint64(types.uint64, types.uint64), generate


@njit(cache=True)
def _extract(word, mask):
    """Return the bits of `word` that `mask` has, moved together to the low end."""
    found, both = ZERO, word & mask
    while both:
        left = both & (both - ONE)
        found |= ONE << popcount(mask & ((both ^ left) - ONE))
        both = left
    return found


extract = _pext if "+bmi2" in get_host_cpu_features().split(",") else _extract


def _eight(context, builder, kind, array, *where):
    """Return where the eight numbers of an array lie that begin at the sum of `where`."""
    at = where[0] if len(where) == 1 else builder.add(*where)
    data = make_array(kind)(context, builder, array).data
    eight = ir.VectorType(context.get_data_type(kind.dtype), 8)
    return builder.bitcast(builder.gep(data, [at]), eight.as_pointer())


def _all(builder, number):
    """Return eight times one number."""
    one = builder.insert_element(ir.VectorType(number.type, 8)(None), number, ir.IntType(32)(0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
    return builder.shuffle_vector(one, one, first)


def _those(builder, word):
    """Return the lowest eight bits of a word, each by itself."""
    return builder.bitcast(builder.trunc(word, ir.IntType(8)), ir.VectorType(ir.IntType(1), 8))


def _add(builder, place, what):
    """Add eight numbers to those at a place."""
    kind = place.type.pointee
    if what.type != kind:
        wider = kind.element.width > what.type.element.width
        what = (builder.zext if wider else builder.trunc)(what, kind)
    builder.store(builder.add(builder.load(place, align=1), what), place, align=1)


@intrinsic
def add_eight(typing_context, to, at, what, first):
    """Add ``what[first : first + 8]`` to ``to[at : at + 8]``."""

    def generate(context, builder, signature, arguments):
        kinds, (to, at, what, first) = signature.args, arguments
        more = builder.load(_eight(context, builder, kinds[2], what, first), align=1)
        _add(builder, _eight(context, builder, kinds[0], to, at), more)
        return context.get_dummy_value()

    return types.void(to, types.uint64, what, types.uint64), generate


@intrinsic
def add_one(typing_context, to, at, number):
    """Add a number to ``to[at]``, of which the seven beside it are read and written, too.

    What is written as eight is read as eight without waiting, one number among them is not.
    """

    def generate(context, builder, signature, arguments):
        to, at, number = arguments
        in_eight = builder.and_(at, ir.IntType(64)(7))
        place = _eight(context, builder, signature.args[0], to, builder.sub(at, in_eight))
        here = _those(builder, builder.shl(ir.IntType(64)(1), in_eight))
        number = _all(builder, number)
        _add(builder, place, builder.select(here, number, number.type(None)))
        return context.get_dummy_value()

    return types.void(to, types.uint64, types.uint64), generate


@intrinsic
def count_eight(typing_context, out, before, y, rows, cols, pairs, at, more, to):
    """Count the threes of a set with x and each of eight neurons from `y` on that x contacts.

    Of the set, x contacts `out` and is contacted by `before`; whom y contacts, and who contacts
    y, are ``rows[y]`` and ``cols[y]``.  Adds to ``pairs[at + y]`` in how many both are, to
    ``more[to + y]`` in how many y is not the first.  Returns in how many x is the first (16 bits),
    and in eight bits each which y are not the first in two or more, which come before two or more
    others, and which are in any.
    """

    def generate(context, builder, signature, arguments):
        out, before, y, rows, cols, pairs, at, more, to = arguments
        kinds, word = signature.args, ir.IntType(64)
        eight = ir.VectorType(word, 8)
        kind = ir.FunctionType(eight, [eight])
        count = builder.module.declare_intrinsic("llvm.ctpop.v8i64", (), kind)
        kind = ir.FunctionType(word, [eight])
        total = builder.module.declare_intrinsic("llvm.vector.reduce.add.v8i64", (), kind)
        row = builder.load(_eight(context, builder, kinds[3], rows, y), align=1)
        col = builder.load(_eight(context, builder, kinds[4], cols, y), align=1)
        here = _those(builder, builder.lshr(out, y))
        out, before = _all(builder, out), _all(builder, before)
        after, between, ahead = (
            builder.select(here, builder.call(count, [builder.and_(*both)]), eight(None))
            for both in ((out, row), (out, col), (before, col))
        )
        behind = builder.add(after, between)
        each = builder.add(behind, ahead)
        _add(builder, _eight(context, builder, kinds[5], pairs, at, y), each)
        _add(builder, _eight(context, builder, kinds[7], more, to, y), behind)
        result = builder.call(total, [after])
        for numbers, limit, shift in ((behind, 1, 16), (after, 1, 24), (each, 0, 32)):
            above = builder.icmp_unsigned(">", numbers, eight([limit] * 8))
            above = builder.zext(builder.bitcast(above, ir.IntType(8)), word)
            result = builder.or_(result, builder.shl(above, word(shift)))
        return result

    size = types.uint64
    return size(size, size, size, rows, cols, pairs, size, more, size), generate


@intrinsic
def try_lock(typing_context, locks, at):
    """Set ``locks[at]``; return 0 if it was not set, so that it is the caller's now."""

    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        place, one = builder.gep(data, [arguments[1]]), ir.IntType(8)(1)
        return builder.atomic_rmw("xchg", place, one, "acquire")

    return locks.dtype(locks, at), generate


@intrinsic
def unlock(typing_context, locks, at):
    """Unset ``locks[at]``, once what was written before is to be seen by all."""

    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.store_atomic(ir.IntType(8)(0), builder.gep(data, [arguments[1]]), "release", 1)
        return context.get_dummy_value()

    return types.void(locks, at), generate
