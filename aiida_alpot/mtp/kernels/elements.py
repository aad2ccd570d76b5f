# SPDX-License-Identifier: MIT
"""Elements of arrays read in inner loops.

numba lets indices count from the end and tests every one for it, which costs more than the
arithmetic where the elements of small matrices are multiplied. These functions can be called from
compiled code only, with indices from 0 on.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


def _read(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    data = context.make_array(sig.args[0])(context, builder, value=args[0]).data
    index = context.cast(builder, args[1], sig.args[1], types.intp)
    value = builder.load(builder.gep(data, [index]))
    if isinstance(sig.args[0].dtype, types.Float):
        return value
    return context.cast(builder, value, sig.args[0].dtype, types.intp)


@intrinsic
def element(typing_context, array, index):
    """Return ``array[index]``; integers as those of 64 bits."""
    result = array.dtype if isinstance(array.dtype, types.Float) else types.intp
    return result(array, index), _read
