# SPDX-License-Identifier: MIT
"""Files of named arrays: deterministic, versioned, never unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from aiida_alpot.errors import InputFileError


def pack_arrays(arrays: Mapping[str, Any], *, schema: int) -> bytes:
    """Return the content of an ``.npz`` file: equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, schema=np.array(schema), **arrays)
    return buffer.getvalue()


def unpack_arrays(
    content: bytes, *, schema: int, names: Collection[str], source: str, what: str, remedy: str
) -> dict[str, Any]:
    """Read what :func:`pack_arrays` gave.

    Parameters
    ----------
    content : bytes
        Of the file.
    schema : int
        The one schema that is read.
    names : collection of str
        The arrays that must be there, and no others.
    source, what, remedy : str
        For messages: the name of the file, what it should hold, and what to do if it does not.

    Raises
    ------
    InputFileError
        If the content is no ``.npz`` file, is truncated, or holds another schema or other arrays.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputFileError(
            f"{source} is not a readable .npz file of {what} ({error}). It may be truncated: "
            f"{remedy}."
        ) from error
    found = int(arrays.pop("schema", -1))
    if found != schema or set(arrays) != set(names):
        raise InputFileError(
            f"{source} is not a file of {what} of schema {schema} (found schema {found}): {remedy} "
            "with this version of aiida-alpot."
        )
    return arrays
