# SPDX-License-Identifier: MIT
"""Files of configurations read and written part by part, in memory that does not grow with them.

A part holds whole configurations. ``.npz``, ``.cfg`` and extended XYZ are streamed; so is what ASE
reads frame by frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.array_streams import ArrayFileReader, ArrayFileWriter
from aiida_alpot.configurations import ATOM_ARRAYS, Configurations
from aiida_alpot.errors import EmptyDataError, InputFileError, LevelOfTheoryError
from aiida_alpot.mtp.mlip_configuration_reader import ConfigurationReader
from aiida_alpot.mtp.mlip_configurations import format_cfg
from aiida_alpot.mtp.structure_files import (
    OUR_XYZ,
    configurations_of,
    format_xyz,
    iterate_structures,
    write_configurations,
)

Array = np.ndarray
ATOMS_PER_PART = 20_000
_CONFIGURATIONS_PER_PART = 4_000


def stream_configurations(
    path: str | Path,
    *,
    species: Sequence[str] | None = None,
    atoms_per_part: int = ATOMS_PER_PART,
) -> Iterator[Configurations]:
    """Yield the configurations of a file in parts of about so many atoms, at least one each.

    Arguments and errors otherwise as :func:`~aiida_alpot.mtp.structure_files.read_configurations`;
    an error in the middle of a file is raised when that is reached.
    """
    path = Path(path)
    if not path.is_file():
        raise InputFileError(f"Cannot read {path}: there is no such file.")
    if path.suffix == ".npz":
        parts = _stream_npz(path, atoms_per_part)
    elif path.stat().st_size == 0:
        parts = iter(())
    elif path.suffix == ".cfg":
        parts = _collect(_cfg_structures(path, species), path, atoms_per_part)
    else:
        parts = _collect(iterate_structures(path), path, atoms_per_part)
    level, is_empty = "", True
    for part in parts:
        is_empty = False
        if level and part.level_of_theory not in ("", level):
            raise LevelOfTheoryError(
                f"{path} holds labels of several levels of theory: {level} and "
                f"{part.level_of_theory}. Keep them in separate files."
            )
        level = level or part.level_of_theory
        yield part
    if is_empty:
        raise EmptyDataError(f"{path} holds no configuration; give at least one.")


def _collect(
    structures: Iterator[Atoms], path: Path, atoms_per_part: int
) -> Iterator[Configurations]:
    """Yield structures in parts; those that have no name are numbered through the file."""
    part: list[Atoms] = []
    n_atoms = 0
    for index, atoms in enumerate(structures):
        is_full = n_atoms + len(atoms) > atoms_per_part or len(part) == _CONFIGURATIONS_PER_PART
        if part and is_full:
            yield configurations_of(part, path)
            part, n_atoms = [], 0
        atoms.info.setdefault("identifier", str(index))
        part.append(atoms)
        n_atoms += len(atoms)
    if part:
        yield configurations_of(part, path)


def _cfg_structures(path: Path, species: Sequence[str] | None) -> Iterator[Atoms]:
    """Yield the structures of an MLIP file, block after block."""
    lines: list[str] = []
    first = 1
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                lines.append(line)
                if line.strip() == "END_CFG":
                    yield from _cfg_block(lines, path, first, species)
                    lines, first = [], number + 1
    except OSError as error:
        raise InputFileError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not a text file. Give an MLIP .cfg file.") from error
    yield from _cfg_block(lines, path, first, species)


def _cfg_block(
    lines: list[str], path: Path, first: int, species: Sequence[str] | None
) -> Iterator[Atoms]:
    reader = ConfigurationReader("".join(lines), f"{path} (from line {first})", species)
    for atoms in reader.structures():
        if reader.level_of_theory:
            atoms.info["level_of_theory"] = reader.level_of_theory
        yield atoms


def _stream_npz(path: Path, atoms_per_part: int) -> Iterator[Configurations]:
    names = set(Configurations.LAYOUT) - {"offsets", *Configurations.TEXTS}
    with ArrayFileReader(path, Configurations) as file:
        texts = {name: str(file.read(name, 1)) for name in Configurations.TEXTS}
        left = file.rows["offsets"].shape[0] - 1
        begin = file.read("offsets", 1)
        while left > 0:
            ends = file.read("offsets", min(left, _CONFIGURATIONS_PER_PART))
            left -= len(ends)
            _check_ends(np.concatenate([begin, ends]), file)
            while len(ends):
                fits = int(np.searchsorted(ends, begin[0] + atoms_per_part, side="right"))
                offsets = np.concatenate([begin, ends[: max(fits, 1)]])
                arrays: dict[str, Any] = {
                    name: file.read(
                        name,
                        int(offsets[-1] - offsets[0]) if name in ATOM_ARRAYS else len(offsets) - 1,
                    )
                    for name in sorted(names)
                }
                arrays["offsets"] = offsets - offsets[0]
                file.check(arrays)
                yield Configurations(**(arrays | texts))
                begin, ends = offsets[-1:], ends[len(offsets) - 1 :]


def _check_ends(offsets: Array, file: ArrayFileReader) -> None:
    """Refuse offsets that do not grow, or lead beyond the atoms that there are."""
    n_atoms = file.rows["numbers"].shape[0]
    if offsets[0] < 0 or (np.diff(offsets) < 0).any() or offsets[-1] > n_atoms:
        raise file.damaged("offsets do not divide the atoms into configurations")


class ConfigurationsWriter(ArrayFileWriter):
    """Writes parts, one after the other, to the ``.npz`` file that all of them together give.

    Used in a ``with`` statement; the file appears when that ends without an error.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._n_atoms = 0
        self._texts: dict[str, str] = {}
        self.append({"offsets": np.zeros(1, np.int64)})

    def write(self, part: Configurations) -> None:
        """Add a part."""
        arrays = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
        self._texts = {name: arrays.pop(name) for name in part.TEXTS}
        self.append(arrays | {"offsets": part.offsets[1:] + self._n_atoms})
        self._n_atoms += int(part.offsets[-1])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if kind is None and self._n_atoms:
            constants = {name: np.asarray(text) for name, text in self._texts.items()}
            constants["schema"] = np.array(Configurations.SCHEMA)
            names = [field.name for field in dataclasses.fields(Configurations)]
            self.finish(constants, ["schema", *names])
        return super().__exit__(kind, error, traceback)


def write_stream(
    parts: Iterator[Configurations], path: str | Path, *, species: Sequence[str] | None = None
) -> None:
    """Write parts to a file, in the format that its suffix names.

    ``.npz``, ``.cfg`` and extended XYZ are written part by part, other formats at once. Arguments
    and errors as :func:`~aiida_alpot.mtp.structure_files.write_configurations`; for ``.cfg`` the
    species of all parts have to be given.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with ConfigurationsWriter(path) as writer:
                for part in parts:
                    writer.write(part)
        elif path.suffix == ".cfg" or path.suffix in OUR_XYZ:
            partial = path.with_name(path.name + ".partial")
            with partial.open("w", encoding="utf-8") as file:
                for part in parts:
                    is_cfg = path.suffix == ".cfg"
                    kinds = tuple(species or part.species)
                    file.write(format_cfg(part, kinds) if is_cfg else format_xyz(part))
            partial.replace(path)
        else:
            _write_at_once(parts, path, species)
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror or error}.") from error


def _write_at_once(
    parts: Iterator[Configurations], path: Path, species: Sequence[str] | None
) -> None:
    from aiida_alpot.configurations import concatenate

    write_configurations(concatenate(list(parts)), path, species=species)
