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
