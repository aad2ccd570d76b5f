# SPDX-License-Identifier: MIT
"""Tables of high levels kept on disk, as their generation takes seconds to a minute.

A file is named by the level and by a digest of the code that generates tables and of the versions
of the libraries that solve the integer programme, so that another version never reads it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from aiida_alpot.user_cache import keep_file, user_cache_folder

Array = np.ndarray
_GENERATORS = (
    "contractions",
    "contraction_parts",
    "contraction_schedule",
    "contraction_steps",
    "moment_graphs",
    "tensor_components",
)


def load_tables(level: int) -> dict[str, Array] | None:
    """Return the arrays that :func:`keep_tables` kept for a level, None if there are none."""
    path = _path(level)
    if path is None:
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None  # not there, or damaged: it is made again


def keep_tables(level: int, tables: Mapping[str, Array]) -> None:
    """Keep the arrays of a level where that is possible."""
    path = _path(level)
    if path is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **tables)
        keep_file(path, buffer.getvalue())


def _path(level: int) -> Path | None:
    folder = user_cache_folder()
    return folder and folder / f"moment_basis_{level}_{_digest()}.npz"


@cache
def _digest() -> str:
    digest = hashlib.sha256(f"numpy {version('numpy')} scipy {version('scipy')}".encode())
    for name in _GENERATORS:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]
