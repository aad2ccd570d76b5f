# SPDX-License-Identifier: MIT
"""How functions are compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from aiida_alpot.machine_code import keep_machine_code


def compiled(function: Callable[..., Any]) -> Any:
    """Compile with numba on the first call, and keep the machine code on disk where that can be.

    It is kept in ``__pycache__`` next to the source, or in ``NUMBA_CACHE_DIR`` where that is set,
    or in the user's cache folder, for each kind of processor apart; see
    :mod:`aiida_alpot.machine_code`.
    """
    return keep_machine_code(njit(function, nogil=True, error_model="numpy", boundscheck=False))


def inlined(function: Callable[..., Any]) -> Any:
    """Compile for use in inner loops of other compiled functions, into which it is always put.

    LLVM leaves a function that takes many arrays a call, which costs more than a short body.
    """
    return njit(function, forceinline=True, nogil=True, error_model="numpy", boundscheck=False)


def spliced(function: Callable[..., Any]) -> Any:
    """Write the body of a function into the compiled functions that call it.

    It is never compiled itself, so that a body that serves two kernels costs no time of its own
    before the first energy of a job; it may take functions as arguments.
    """
    return njit(function, inline="always")
