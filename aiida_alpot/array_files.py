# SPDX-License-Identifier: MIT
"""Values kept in files of named arrays: deterministic, versioned, never unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from aiida_alpot.array_headers import (
    DAMAGED,
    ArrayHeader,
    Layout,
    check_layout,
    check_members,
    check_text,
    read_header,
)
from aiida_alpot.errors import InputFileError
from aiida_alpot.whole_files import read_content, write_whole

Value = TypeVar("Value", bound="ArrayFile")
Array = np.ndarray


@dataclass(frozen=True)
class ArrayFile:
    """Base of frozen dataclasses whose fields are arrays or texts, kept in one ``.npz`` file.

    ``SCHEMA`` is the one schema that is read, ``TEXTS`` names the fields that are texts, ``LAYOUT``
    gives the type and the shape of each field. For messages ``CONTENT`` says what a file holds,
    ``REMEDY`` what to do if it does not.
    """

    SCHEMA: ClassVar[int] = 1
    TEXTS: ClassVar[tuple[str, ...]] = ()
    LAYOUT: ClassVar[Layout]
    CONTENT: ClassVar[str]
    REMEDY: ClassVar[str]

    @classmethod
    def check_arrays(cls, arrays: Mapping[str, Any]) -> None:
        """Raise ValueError where arrays of the right layout do not belong together."""

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

        Sizes that the content declares are checked before memory is given to them.

        Raises
        ------
        InputFileError
            If the content is no ``.npz`` file, is truncated, or holds another schema, other arrays
            or arrays that do not belong together.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                check_members(archive, len(content), [field.name for field in fields(cls)])
                arrays = cls._read(archive, source)
            cls.check_arrays(arrays)
            return cls(**(arrays | {name: str(arrays[name]) for name in cls.TEXTS}))
        except DAMAGED as error:
            raise InputFileError(
                f"{source} is not a readable .npz file of {cls.CONTENT} ({error}). It may be "
                f"truncated: {cls.REMEDY}."
            ) from error

    @classmethod
    def load(cls: type[Value], path: str | Path) -> Value:
        """Read the ``.npz`` file at ``path``.

        Raises
        ------
        InputFileError
            If the file is missing or not such a file.
        """
        return cls.from_bytes(read_content(path), source=str(path))

    @classmethod
    def check_names(cls, names: set[str], schema: int, source: str) -> None:
        """Raise InputFileError unless a file holds the arrays of the schema that is read."""
        if schema != cls.SCHEMA or names - {"schema"} != {field.name for field in fields(cls)}:
            raise InputFileError(
                f"{source} is not a file of {cls.CONTENT} of schema {cls.SCHEMA} (found schema "
                f"{schema}): {cls.REMEDY} with this version of aiida-alpot."
            )

    @classmethod
    def _read(cls, archive: zipfile.ZipFile, source: str) -> dict[str, Any]:
        with ExitStack() as stack:
            files: dict[str, Any] = {}
            headers: dict[str, ArrayHeader] = {}
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                files[name] = stack.enter_context(archive.open(member))
                headers[name] = read_header(files[name], name, member.file_size)
            schema = -1
            if "schema" in files and headers["schema"].shape == ():
                schema = int(_read_array(files["schema"], headers["schema"], "schema"))
            cls.check_names(set(files), schema, source)
            check_layout(headers, cls.LAYOUT)
            return {name: _read_array(files[name], headers[name], name) for name in cls.LAYOUT}


def _read_array(file: Any, header: ArrayHeader, name: str) -> Array:
    """Read what follows the header of an open array."""
    array: Array = np.empty(header.shape[::-1] if header.is_fortran else header.shape, header.dtype)
    # reading beyond the end has the checksum compared
    if file.readinto(array.reshape(-1).view(np.uint8)) != array.nbytes or file.read(1):
        raise ValueError(f"{name} is truncated")
    check_text(array, name)
    array = np.ascontiguousarray(array.T) if header.is_fortran else array
    return array.astype(header.dtype.newbyteorder("="), copy=False)
