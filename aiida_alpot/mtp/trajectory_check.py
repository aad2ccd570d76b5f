# SPDX-License-Identifier: MIT
"""What a trajectory of ASE (``.traj``) declares, compared with its length before ASE reads it.

Such a file is a header of five words of 8 bytes (tag, version, number of items, where the offsets
stand), then for each item a length and a JSON object. Arrays stand in the file at an offset that
the object names, or in the object itself as ``__ndarray__``.
"""

from __future__ import annotations

import json
import math
from typing import IO, Any

import numpy as np

_MAGICS = (b"- of UlmASE-Traj", b"AFFormatASE-Traj")
_HEADER = 48
_DEEPEST = 20


def check_trajectory(file: IO[bytes], n_bytes: int) -> None:
    """Raise ValueError unless all that a trajectory declares lies within its bytes."""
    head = file.read(_HEADER)
    if len(head) < _HEADER or head[:16] not in _MAGICS:
        raise ValueError("it is no trajectory of ASE")
    _, n_items, first = (int(one) for one in np.frombuffer(head[24:48], "<i8"))
    if not (0 <= n_items <= n_bytes // 8 and 0 <= first <= n_bytes - 8 * n_items):
        raise ValueError(f"it announces {n_items} structures in {n_bytes} bytes")
    file.seek(first)
    for offset in np.frombuffer(file.read(8 * n_items), "<i8").tolist():
        if not 0 <= offset <= n_bytes - 8:
            raise ValueError("a structure lies outside of the file")
        file.seek(offset)
        length = int(np.frombuffer(file.read(8), "<i8")[0])
        if not 0 <= length <= n_bytes - offset - 8:
            raise ValueError("a structure lies outside of the file")
        _check(json.loads(file.read(length)), n_bytes)


def _check(value: Any, n_bytes: int, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        if "ndarray" in value:
            _check_array(value["ndarray"], n_bytes)
        if "__ndarray__" in value:
            shape, dtype, data = value["__ndarray__"]
            _check_array([shape, dtype, 0], max(16 * len(data), 16))
        for name, one in value.items():
            # constraints are JSON within JSON
            is_text = name == "constraints" and isinstance(one, str)
            _check(json.loads(one) if is_text else one, n_bytes, depth + 1)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, (dict, list)):
                _check(one, n_bytes, depth + 1)


def _check_array(description: Any, n_bytes: int) -> None:
    shape, dtype, offset = description
    if not all(type(one) is int and one >= 0 for one in [*shape, offset]):
        raise ValueError("an array has a shape that is none")
    kind = np.dtype(str(dtype))
    if kind.hasobject or math.prod(shape) * kind.itemsize + offset > n_bytes:
        raise ValueError(f"an array takes {math.prod(shape)} numbers, there are fewer")
