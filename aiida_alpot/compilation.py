# SPDX-License-Identifier: MIT
"""How functions are compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile with numba on the first call, and keep the machine code on disk where that can be.

    numba puts the code in ``__pycache__`` next to the source, else in the user's cache folder, else
    in ``NUMBA_CACHE_DIR``; it is kept for each kind of processor apart. Where none can be written
    the function is compiled in every process.
    """
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        return njit(function, cache=True, **options)
    except RuntimeError:  # "cannot cache function: no locator available"
        return njit(function, **options)
