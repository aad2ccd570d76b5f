# SPDX-License-Identifier: MIT
"""Values kept in files of named arrays: deterministic, versioned, never unpickled."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from aiida_alpot.errors import InputFileError
from aiida_alpot.whole_files import read_content, write_whole

Value = TypeVar("Value", bound="ArrayFile")


@dataclass(frozen=True)
class ArrayFile:
    """Base of frozen dataclasses whose fields are arrays or texts, kept in one ``.npz`` file.

    ``SCHEMA`` is the one schema that is read, ``TEXTS`` names the fields that are texts. For
    messages ``CONTENT`` says what a file holds, ``REMEDY`` what to do if it does not.
    """

    SCHEMA: ClassVar[int] = 1
    TEXTS: ClassVar[tuple[str, ...]] = ()
    CONTENT: ClassVar[str]
    REMEDY: ClassVar[str]

    def to_bytes(self) -> bytes:
        """Return the content of the ``.npz`` file: equal values give equal bytes."""
        arrays = {
            # row by row, whatever the order in memory, which is no part of the value
            field.name: np.asarray(getattr(self, field.name), order="C")
            for field in fields(self)
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, schema=np.array(self.SCHEMA), **arrays)
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the ``.npz`` file at ``path``, whole or not at all."""
        write_whole(path, self.to_bytes())

    @classmethod
    def from_bytes(cls: type[Value], content: bytes, *, source: str = "npz") -> Value:
        """Read what :meth:`to_bytes` gave; ``source`` names it in messages.

        Raises
        ------
        InputFileError
            If the content is no ``.npz`` file, is truncated, or holds another schema or other
            arrays.
        """
        arrays = _unpack(content, source, cls)
        found = int(arrays.pop("schema", -1))
        if found != cls.SCHEMA or set(arrays) != {field.name for field in fields(cls)}:
            raise InputFileError(
                f"{source} is not a file of {cls.CONTENT} of schema {cls.SCHEMA} (found schema "
                f"{found}): {cls.REMEDY} with this version of aiida-alpot."
            )
        return cls(**(arrays | {name: str(arrays[name]) for name in cls.TEXTS}))

    @classmethod
    def load(cls: type[Value], path: str | Path) -> Value:
        """Read the ``.npz`` file at ``path``.

        Raises
        ------
        InputFileError
            If the file is missing or not such a file.
        """
        return cls.from_bytes(read_content(path), source=str(path))


def _unpack(content: bytes, source: str, kind: type[ArrayFile]) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputFileError(
            f"{source} is not a readable .npz file of {kind.CONTENT} ({error}). It may be "
            f"truncated: {kind.REMEDY}."
        ) from error
