# SPDX-License-Identifier: MIT
"""What a file of named arrays declares, checked before any memory is given to it.

An ``.npz`` file is a zip archive of ``.npy`` files, and both declare sizes: a header of a hundred
bytes can ask for a terabyte. Nothing is believed here: a member must hold as many bytes as
its header asks for, members together may not unpack to much more than the file itself, and shapes
must be those of the layout.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import IO, NamedTuple

import numpy as np

Array = np.ndarray
Layout = Mapping[str, tuple[str, tuple["str | int", ...]]]
"""Type and shape of each array by name: ``("f8", ("n_atoms", 3))``. Lengths of one name are equal;
``"n+1"`` is one more than ``"n"``. The type ``U`` is text of any width."""

ALWAYS_ALLOWED = 512 * 2**20
LARGEST_EXPANSION = 200
"""A file may unpack to so many times its size beyond :data:`ALWAYS_ALLOWED` bytes. Labels that are
absent and perfect crystals pack well, by a factor of up to about a hundred."""

DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,  # an encrypted member, a method of compression that is not known
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged file raises."""

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 4096
_TYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U\d{1,9})")
_LARGEST_CODE_POINT = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


class ArrayHeader(NamedTuple):
    """What stands at the beginning of an ``.npy`` file, and how many bytes it takes."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype
    n_bytes: int = 0


def check_members(archive: zipfile.ZipFile, n_bytes: int, expected: Sequence[str]) -> None:
    """Raise ValueError unless an archive of ``n_bytes`` holds what is expected, at a usable size.

    Names are checked by the caller where their absence has a remedy of its own; here only that
    there are not more members than names.
    """
    members = archive.infolist()
    if len(members) > len(expected) + 1 or len({one.filename for one in members}) < len(members):
        raise ValueError(f"it has {len(members)} members")
    if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in members):
        raise ValueError("it is not packed by deflation")
    unpacked = sum(one.file_size for one in members)
    allowed = ALWAYS_ALLOWED + LARGEST_EXPANSION * n_bytes
    if unpacked > allowed:
        raise ValueError(f"its {n_bytes} bytes unpack to {unpacked}, at most {allowed} are read")


def read_header(file: IO[bytes], name: str, n_bytes: int) -> ArrayHeader:
    """Read the header of an ``.npy`` file of ``n_bytes`` bytes, and stop where the data begin.

    Raises
    ------
    ValueError
        If it is no header, or asks for another number of bytes than there are.
    """
    start = file.read(len(_MAGIC) + 2)
    if start[:-2] != _MAGIC or start[-2] not in (1, 2):
        raise ValueError(f"{name} is no array")
    width = 2 if start[-2] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if not 0 < length <= _LONGEST_HEADER:
        raise ValueError(f"{name} has a header of {length} bytes")
    text = file.read(length).decode("latin-1")
    try:
        header = _parse_header(text)
    except ValueError as error:
        raise ValueError(f"{name} has a header that cannot be read") from error
    header = header._replace(n_bytes=len(start) + width + length)
    wanted = math.prod(header.shape) * header.dtype.itemsize
    if wanted != n_bytes - header.n_bytes:
        raise ValueError(f"{name} takes {wanted} bytes, {n_bytes - header.n_bytes} are there")
    return header


@lru_cache(maxsize=1024)
def _parse_header(text: str) -> ArrayHeader:
    try:
        content = ast.literal_eval(text.strip())
        shape, descr = tuple(content["shape"]), content["descr"]
        is_fortran = content["fortran_order"]
        is_known = isinstance(descr, str) and _TYPE.fullmatch(descr) and is_fortran in (0, 1)
        if not is_known or not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError("a type or shape that is not used")
        return ArrayHeader(shape, bool(is_fortran), np.dtype(descr))
    # what literal_eval and NumPy say of hostile text
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("a header that cannot be read") from error


def check_layout(headers: Mapping[str, ArrayHeader], layout: Layout) -> None:
    """Raise ValueError unless arrays have the types and the shapes of the layout."""
    lengths: dict[str, int] = {}
    for name, (kind, dimensions) in layout.items():
        shape, dtype = headers[name].shape, headers[name].dtype
        found = dtype.kind if kind == "U" else f"{dtype.kind}{dtype.itemsize}"
        if found != kind or len(shape) != len(dimensions):
            raise ValueError(f"{name} is of type {dtype} and shape {shape}")
        for length, dimension in zip(shape, dimensions, strict=True):
            if isinstance(dimension, int):
                wanted = dimension
            else:
                symbol, _, more = dimension.partition("+")
                wanted = lengths.setdefault(symbol, length - int(more or 0)) + int(more or 0)
            if length != wanted or length < 0:
                raise ValueError(f"{name} has the shape {shape}")


def check_text(values: Array, name: str) -> None:
    """Raise ValueError if an array of text holds code points that are no characters."""
    if values.dtype.kind != "U" or not values.size or not values.dtype.itemsize:
        return
    points = np.ascontiguousarray(values).reshape(-1).view(np.uint32)
    if not values.dtype.isnative:
        points = points.byteswap()
    first, last = _SURROGATES
    if (points > _LARGEST_CODE_POINT).any() or ((points >= first) & (points <= last)).any():
        raise ValueError(f"{name} holds text that cannot be decoded")
