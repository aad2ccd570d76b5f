# SPDX-License-Identifier: MIT
"""Which files ASE reads for us, and what is made sure of before it does.

ASE knows a hundred formats. Some are databases or open other files, some are guessed from a
name, and most believe the counts that a file declares. Here a file is read in one of the formats of
:data:`FORMATS` or not at all, from a stream that has no name from which other files could
be found, unpacked to a bounded size, and after the counts in its header were compared with
its length.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

import ase.io
from ase import Atoms
from ase.io.extxyz import key_val_str_to_dict, read_xyz
from ase.io.formats import filetype, ioformats

from aiida_alpot.mtp.trajectory_check import check_trajectory

FORMATS = (
    "extxyz",
    "xyz",
    "traj",
    "vasp",
    "vasp-xdatcar",
    "vasp-out",
    "vasp-xml",
    "cif",
    "aims",
    "aims-output",
    "espresso-in",
    "espresso-out",
    "gen",
    "gpaw-out",
    "lammps-data",
    "lammps-dump-text",
    "proteindatabank",
    "xsf",
)
"""Formats of ASE that are read: text or plain numbers, complete in one file."""
_NEED_A_NAME = ("vasp-out",)  # constraints are looked for beside it

_UNPACK: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": gzip.open,  # type: ignore[dict-item]
    ".bz2": bz2.open,  # type: ignore[dict-item]
    ".xz": lzma.open,  # type: ignore[dict-item]
}
_ALWAYS_UNPACKED = 64 * 2**20
_LARGEST_EXPANSION = 50
_INTEGERS = re.compile(r"[ \t]*\d+(?:[ \t]+\d+)*(?=[ \t!\r\n]|$)")
_LAMMPS_COUNT = re.compile(r"[ \t]*(\d+)[ \t]+(?:atoms|bonds|angles|dihedrals|impropers)\b")
_OUTCAR_HEADERS = ("ions per type", "NIONS", "NKPTS", "NBANDS")
_COLUMNS_WITHOUT_ATOMS = 1000
_STEPS = re.compile(r"[ \t]*ANIMSTEPS[ \t]+(\d+)")


def read_structures(path: Path) -> Iterator[Atoms]:
    """Yield the structures of a file, frame by frame where the format allows.

    Parameters
    ----------
    path : Path
        Of an existing file; ``.gz``, ``.bz2`` and ``.xz`` behind the suffix are unpacked.

    Raises
    ------
    ValueError
        If the format is not one of :data:`FORMATS`, or the file declares more than it holds.
    Exception
        Whatever ASE raises on a damaged file.
    """
    format_name = format_of(path)
    with ExitStack() as stack:
        if not ioformats[format_name].acceptsfd:
            _refuse_counts(path, path.stat().st_size, format_name)
            yield from ase.io.iread(
                str(path.absolute()), ":", format=format_name, do_not_split_by_at_sign=True
            )
            return
        stream, n_bytes = _open_nameless(path, format_name, stack)
        if format_name == "extxyz":
            yield from _xyz_frames(stream)
            return
        if format_name == "traj":
            check_trajectory(stream, n_bytes)
        else:
            _refuse_large_counts(stream, n_bytes, format_name)
        stream.seek(0)
        yield from ase.io.iread(stream, ":", format=format_name)


def format_of(path: Path) -> str:
    """Return the format of a file by its name and its first bytes.

    Raises
    ------
    ValueError
        If it is none of :data:`FORMATS`.
    """
    found: str = filetype(str(path.absolute()))
    if found == "xyz":
        return "extxyz"
    if found not in FORMATS:
        raise ValueError(
            f"the format '{found}' is not among those that are read ({', '.join(FORMATS)})"
        )
    return found


def _open_nameless(path: Path, format_name: str, stack: ExitStack) -> tuple[IO[Any], int]:
    """Open a file such that ASE learns no name; return it with the number of its bytes."""
    kind = ioformats[format_name]
    encoding = None if kind.isbinary else kind.encoding or "utf-8"
    if path.suffix in _UNPACK:
        content = _unpack(path)
        unpacked: IO[Any] = io.BytesIO(content)
        return (unpacked if kind.isbinary else io.TextIOWrapper(unpacked, encoding)), len(content)
    if format_name in _NEED_A_NAME:
        named = stack.enter_context(path.open(encoding=encoding))
        return named, path.stat().st_size
    # opened by its number, the name of a stream is that number
    number = os.open(path, os.O_RDONLY)
    stream = stack.enter_context(
        os.fdopen(number, "rb" if kind.isbinary else "r", encoding=encoding)
    )
    return stream, os.fstat(number).st_size


def _unpack(path: Path) -> bytes:
    allowed = _ALWAYS_UNPACKED + _LARGEST_EXPANSION * path.stat().st_size
    with _UNPACK[path.suffix](path) as file:
        content = file.read(allowed + 1)
    if len(content) > allowed:
        raise ValueError(f"it unpacks to more than {allowed} bytes; unpack it first")
    return content


def _refuse_counts(path: Path, n_bytes: int, format_name: str) -> None:
    with path.open(encoding="utf-8") as file:
        _refuse_large_counts(file, n_bytes, format_name)


def _refuse_large_counts(lines: Iterable[str], n_bytes: int, format_name: str) -> None:
    """Raise ValueError where a header announces more than the file can hold."""
    for count in _announced_counts(lines, format_name):
        if count > n_bytes:
            raise ValueError(f"it announces {count} entries in {n_bytes} bytes")


def _announced_counts(lines: Iterable[str], format_name: str) -> Iterator[int]:
    """Yield what ASE would make room for before it reads on."""
    is_count = False
    for line in lines:
        if format_name in ("vasp", "vasp-xdatcar", "xsf"):
            steps = _STEPS.match(line)
            # ASE makes lists by the first numbers of a line, also where others are no counts
            leading = _INTEGERS.match(line)
            text = steps[1] if steps else leading[0] if leading else ""
            yield sum(map(_whole_number, text.split()))
        elif format_name == "lammps-dump-text":
            if is_count:
                yield _whole_number(line)
            is_count = line.startswith("ITEM: NUMBER OF ATOMS")
        elif format_name == "lammps-data":
            found = _LAMMPS_COUNT.match(line)
            yield _whole_number(found[1]) if found else 0
        elif format_name == "vasp-out" and any(header in line for header in _OUTCAR_HEADERS):
            yield sum(map(_whole_number, line.split()))


def _whole_number(word: str) -> int:
    """Return the number that Python reads in a word, up to 20 digits; zero where it is none."""
    try:
        return int(word.strip()[:20])
    except ValueError:
        return 0


def _xyz_frames(stream: IO[str]) -> Iterator[Atoms]:
    """Yield the frames of an extended XYZ file one at a time, each cut out before it is parsed."""
    line = stream.readline()
    while line.strip():
        if not (line.strip().isascii() and line.strip().isdigit()):
            raise ValueError(f"a number of atoms is expected, not {line.strip()[:30]!r}")
        n_atoms = int(line.strip()[:20])
        frame = [line, stream.readline()]
        for _ in range(n_atoms):
            frame.append(stream.readline())
            if not frame[-1]:
                raise ValueError(f"a frame has {len(frame) - 3} atoms, {n_atoms} are announced")
        line = stream.readline()
        while line.startswith("VEC"):
            frame.append(line)
            line = stream.readline()
        n_words = len(frame[2].split()) if n_atoms else _COLUMNS_WITHOUT_ATOMS
        yield from read_xyz(
            io.StringIO("".join(frame)),
            index=slice(None),
            properties_parser=partial(_parse_comment, n_columns=n_words),
        )


def _parse_comment(comment: str, *, n_columns: int) -> dict[str, Any]:
    """Return the keys of a frame; raise ValueError where it declares more columns than it has."""
    keys: dict[str, Any] = key_val_str_to_dict(comment)
    counts = str(keys.get("Properties", "")).split(":")[2::3]
    if not all(one.isascii() and one.isdigit() for one in counts):
        raise ValueError(f"its columns are {str(keys['Properties'])[:60]!r}")
    if sum(int(one[:9]) for one in counts) > n_columns:
        raise ValueError(f"it announces more columns than the {n_columns} that are there")
    return keys
