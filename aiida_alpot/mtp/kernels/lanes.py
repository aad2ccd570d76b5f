# SPDX-License-Identifier: MIT
"""Vectors of doubles as values inside numba kernels.

numba has no vector type, and its loops over eight atoms are vectorised badly by LLVM (a factor of
4-5 in the contractions). Two types are defined here as values that live in registers:

- *narrow*: 8 doubles, one for each of 8 atoms (a *lane* each);
- *wide*: 4 x 8 doubles, 4 neighbours of each of the 8 atoms; neighbour ``s`` of atom ``lane`` is
  element ``8 s + lane``.

LLVM splits both into whatever registers the processor has (zmm with AVX-512, ymm with AVX2, ...).
Every operation is a plain IEEE operation in the order written; nothing is re-associated, hence the
same inputs give the same bits. These functions can be called from compiled code only.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from aiida_alpot.compilation import compiled

__all__ = [
    "LANES",
    "SLOTS",
    "WIDE",
    "LanesType",
    "add_slots",
    "compiled",
    "fma",
    "fma_slots",
    "indicator",
    "load_narrow",
    "load_wide",
    "positive_part",
    "repeat_slots",
    "splat_narrow",
    "splat_wide",
    "square_root",
    "store",
]

LANES = 8
"""Atoms that are computed side by side."""
SLOTS = 4
"""Neighbours of each of them in a wide vector."""
WIDE = LANES * SLOTS

_INT32 = ir.IntType(32)


class LanesType(types.Type):
    """A vector of doubles held in registers."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes{width}")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: LanesType) -> None:
        super().__init__(manager, lanes, _vector(lanes))


_NARROW_TYPE = LanesType(LANES)
_WIDE_TYPE = LanesType(WIDE)


def _vector(lanes: LanesType) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType(), lanes.width)


def _repeat(builder: Any, scalar: Any, width: int) -> Any:
    """Return a vector of equal elements."""
    vector = ir.VectorType(ir.DoubleType(), width)
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    mask = ir.Constant(ir.VectorType(_INT32, width), [0] * width)
    return builder.shuffle_vector(single, undefined, mask)


def _address(
    context: Any, builder: Any, array_type: Any, array: Any, start: Any, width: int
) -> Any:
    """Return the address of ``array[start]`` as that of a vector."""
    data = context.make_array(array_type)(context, builder, value=array).data
    vector = ir.VectorType(ir.DoubleType(), width)
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


def _quarter(builder: Any, wide: Any, slot: int) -> Any:
    """Return the narrow vector of one slot of a wide one."""
    undefined = ir.Constant(ir.VectorType(ir.DoubleType(), WIDE), ir.Undefined)
    elements = list(range(slot * LANES, (slot + 1) * LANES))
    mask = ir.Constant(ir.VectorType(_INT32, LANES), elements)
    return builder.shuffle_vector(wide, undefined, mask)


def _call(builder: Any, name: str, width: int, arguments: list[Any]) -> Any:
    """Call an LLVM intrinsic that maps vectors to a vector of the same width."""
    vector = ir.VectorType(ir.DoubleType(), width)
    function_type = ir.FunctionType(vector, [vector] * len(arguments))
    function = cgutils.get_or_insert_function(
        builder.module, function_type, f"llvm.{name}.v{width}f64"
    )
    return builder.call(function, arguments)


def _make_load(lanes: LanesType) -> Any:
    @intrinsic
    def load(typing_context, array, start):
        def generate(context, builder, sig, args):
            start = context.cast(builder, args[1], sig.args[1], types.intp)
            address = _address(context, builder, sig.args[0], args[0], start, lanes.width)
            return builder.load(address, align=8)

        return lanes(array, start), generate

    return load


def _make_splat(lanes: LanesType) -> Any:
    @intrinsic
    def splat(typing_context, scalar):
        def generate(context, builder, sig, args):
            return _repeat(builder, args[0], lanes.width)

        return lanes(types.float64), generate

    return splat


load_narrow = _make_load(_NARROW_TYPE)
load_wide = _make_load(_WIDE_TYPE)
splat_narrow = _make_splat(_NARROW_TYPE)
splat_wide = _make_splat(_WIDE_TYPE)


@intrinsic
def store(typing_context, array, start, value):
    """Write a vector to ``array[start : start + width]``."""

    def generate(context, builder, sig, args):
        start = context.cast(builder, args[1], sig.args[1], types.intp)
        address = _address(context, builder, sig.args[0], args[0], start, sig.args[2].width)
        builder.store(args[2], address, align=8)
        return context.get_dummy_value()

    return types.void(array, start, value), generate


@intrinsic
def fma(typing_context, left, right, addend):
    """Return left * right + addend, rounded once."""

    def generate(context, builder, sig, args):
        return _call(builder, "fma", sig.return_type.width, list(args))

    return left(left, left, left), generate


@intrinsic
def square_root(typing_context, value):
    """Return the square root of each element."""

    def generate(context, builder, sig, args):
        return _call(builder, "sqrt", sig.return_type.width, list(args))

    return value(value), generate


@intrinsic
def positive_part(typing_context, value):
    """Return max(value, 0) of each element."""

    def generate(context, builder, sig, args):
        zero = ir.Constant(_vector(sig.return_type), [0.0] * sig.return_type.width)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[0], zero)

    return value(value), generate


@intrinsic
def indicator(typing_context, value, scalar):
    """Return 1 where an element equals the scalar, else 0."""

    def generate(context, builder, sig, args):
        width = sig.return_type.width
        zero = ir.Constant(_vector(sig.return_type), [0.0] * width)
        one = ir.Constant(_vector(sig.return_type), [1.0] * width)
        equal = builder.fcmp_ordered("==", args[0], _repeat(builder, args[1], width))
        return builder.select(equal, one, zero)

    return value(value, types.float64), generate


@intrinsic
def any_less(typing_context, value, scalar):
    """Return whether any element is less than the scalar."""

    def generate(context, builder, sig, args):
        width = sig.args[0].width
        less = builder.fcmp_ordered("<", args[0], _repeat(builder, args[1], width))
        bits = builder.bitcast(less, ir.IntType(width))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(width), 0))

    return types.boolean(value, types.float64), generate


@intrinsic
def fma_slots(typing_context, left, right, addend):
    """Return addend + sum over slots of left * right, slot after slot; narrow from wide."""

    def generate(context, builder, sig, args):
        total = args[2]
        for slot in range(SLOTS):
            factors = [_quarter(builder, args[0], slot), _quarter(builder, args[1], slot)]
            total = _call(builder, "fma", LANES, [*factors, total])
        return total

    return addend(left, right, addend), generate


@intrinsic
def add_slots(typing_context, value, addend):
    """Return addend + sum over slots of value, slot after slot; narrow from wide."""

    def generate(context, builder, sig, args):
        total = args[1]
        for slot in range(SLOTS):
            total = builder.fadd(total, _quarter(builder, args[0], slot))
        return total

    return addend(value, addend), generate


@intrinsic
def repeat_slots(typing_context, value):
    """Return the wide vector that holds a narrow one in every slot."""

    def generate(context, builder, sig, args):
        undefined = ir.Constant(ir.VectorType(ir.DoubleType(), LANES), ir.Undefined)
        mask = ir.Constant(ir.VectorType(_INT32, WIDE), list(range(LANES)) * SLOTS)
        return builder.shuffle_vector(args[0], undefined, mask)

    return _WIDE_TYPE(value), generate


class _SameLanes(AbstractTemplate):
    """An operator on two vectors of the same width gives one of that width."""

    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], LanesType) and args[0] == args[1]:
            return signature(args[0], *args)
        return None


def _define_operator(symbol: Any, instruction: str) -> None:
    infer_global(symbol)(type(f"_Lanes_{instruction}", (_SameLanes,), {}))

    @lower_builtin(symbol, LanesType, LanesType)
    def generate(context, builder, sig, args):
        return getattr(builder, instruction)(args[0], args[1])


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")
