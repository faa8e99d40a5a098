"""Asking for memory before it is needed."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

#: A line of memory as processors fetch it, in bytes.
LINE = 64


@intrinsic
def prefetch(typing_context, array, index):
    """Ask for the line of memory around ``array[index]``; the array may end before it.

    A list that begins anywhere in a large array is else waited for each time.
    """

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
