# SPDX-License-Identifier: MIT
"""Files of named arrays read and written some rows at a time, for sets larger than memory.

The files are those of :mod:`aiida_alpot.array_files`, byte by byte.
"""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from aiida_alpot.array_files import ArrayFile
from aiida_alpot.array_headers import (
    DAMAGED,
    check_layout,
    check_members,
    check_text,
    read_header,
)
from aiida_alpot.errors import InputFileError

Array = np.ndarray


class ArrayRows:
    """Gives the rows of one array in their order, from its open ``.npy`` file of so many bytes."""

    def __init__(self, file: IO[bytes], name: str, n_bytes: int) -> None:
        self.header = read_header(file, name, n_bytes)
        self.shape, self._dtype = self.header.shape, self.header.dtype
        # what was written column by column, by an earlier version
        self._file = self._by_rows(file) if self.header.is_fortran else file
        self._name = name

    def _by_rows(self, file: IO[bytes]) -> IO[bytes]:
        columns = np.frombuffer(file.read(), self._dtype)
        return io.BytesIO(columns.reshape(self.shape, order="F").tobytes())

    def read(self, n_rows: int) -> Array:
        """Return the next rows; an array without rows is read by ``read(1)``.

        Raises
        ------
        ValueError
            If there are not as many, or text cannot be decoded.
        """
        shape = (n_rows, *self.shape[1:]) if self.shape else ()
        size = math.prod(shape) * self._dtype.itemsize
        content = self._file.read(size)
        if len(content) < size:
            raise ValueError("an array is truncated")
        rows: Array = np.frombuffer(content, self._dtype).reshape(shape)
        check_text(rows, self._name)
        return rows.astype(self._dtype.newbyteorder("="))


class ArrayFileReader(ExitStack):
    """An open ``.npz`` file of one kind of :class:`ArrayFile`, for a ``with`` statement.

    Parameters
    ----------
    path : path
        Names the file in messages too.
    kind : type
        What it should hold.

    Raises
    ------
    InputFileError
        If it does not, or is damaged.
    """

    def __init__(self, path: str | Path, kind: type[ArrayFile]) -> None:
        super().__init__()
        self._path, self._kind = path, kind
        try:
            self._open()
        except DAMAGED as error:
            self.close()
            raise self.damaged(error) from error
        except InputFileError:
            self.close()
            raise

    def _open(self) -> None:
        archive = self.enter_context(zipfile.ZipFile(self._path))
        check_members(archive, Path(self._path).stat().st_size, list(self._kind.LAYOUT))
        self.rows: dict[str, ArrayRows] = {}
        for member in archive.infolist():
            file = self.enter_context(archive.open(member))
            name = member.filename.removesuffix(".npy")
            self.rows[name] = ArrayRows(file, name, member.file_size)
        schema = -1
        if "schema" in self.rows and self.rows["schema"].shape == ():
            schema = int(self.rows["schema"].read(1))
        self._kind.check_names(set(self.rows), schema, str(self._path))
        check_layout({name: rows.header for name, rows in self.rows.items()}, self._kind.LAYOUT)

    def read(self, name: str, n_rows: int) -> Array:
        """Return the next rows of one array.

        Raises
        ------
        InputFileError
            If the file is damaged.
        """
        try:
            return self.rows[name].read(n_rows)
        except DAMAGED as error:
            raise self.damaged(error) from error

    def check(self, arrays: Mapping[str, Any]) -> None:
        """Raise InputFileError where arrays that were read do not belong together."""
        try:
            self._kind.check_arrays(arrays)
        except ValueError as error:
            raise self.damaged(error) from error

    def damaged(self, reason: Exception | str) -> InputFileError:
        """Return the error that says why the file is of no use."""
        return InputFileError(
            f"{self._path} is not a readable .npz file of {self._kind.CONTENT} ({reason}). It may "
            f"be truncated: {self._kind.REMEDY}."
        )


class ArrayFileWriter(ExitStack):
    """Collects rows of named arrays on disk and writes the ``.npz`` file at the end.

    Used in a ``with`` statement; the file is there, whole, once :meth:`finish` has returned. Rows
    lie in a temporary folder beside it until then.

    Parameters
    ----------
    path : path
        File to write.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._path = Path(path)
        folder = tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".alpot-")
        self._folder = Path(self.enter_context(folder))
        self._parts: dict[str, list[tuple[tuple[int, ...], np.dtype[Any]]]] = {}
        self._files: dict[str, IO[bytes]] = {}

    def append(self, arrays: Mapping[str, Array]) -> None:
        """Add rows to the arrays; all calls name the same arrays."""
        for name, array in arrays.items():
            if name not in self._files:
                self._files[name] = self.enter_context((self._folder / name).open("w+b"))
                self._parts[name] = []
            self._parts[name].append((array.shape, array.dtype))
            self._files[name].write(np.ascontiguousarray(array).tobytes())

    def finish(self, constants: Mapping[str, Array], order: list[str]) -> None:
        """Write the file.

        Parameters
        ----------
        constants : mapping
            Further arrays, whole.
        order : list of str
            Names of all arrays as they stand in the file.
        """
        partial = self._path.with_name(self._path.name + ".partial")
        with zipfile.ZipFile(partial, "w", compression=zipfile.ZIP_DEFLATED) as archive:
            for name in order:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as target:
                    if name in constants:
                        npy.write_array(target, np.asarray(constants[name]), allow_pickle=False)
                    else:
                        self._copy(name, target)
        partial.replace(self._path)

    def _copy(self, name: str, target: IO[bytes]) -> None:
        parts, file = self._parts[name], self._files[name]
        # texts of different length stand in arrays of different width
        dtype = np.result_type(*[part for _, part in parts])
        shape = (sum(shape[0] for shape, _ in parts), *parts[0][0][1:])
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(target, header)
        file.seek(0)
        for part_shape, part_dtype in parts:
            content = file.read(math.prod(part_shape) * part_dtype.itemsize)
            target.write(np.frombuffer(content, part_dtype).astype(dtype).tobytes())
