# SPDX-License-Identifier: MIT
"""Configurations in any file: ours (``.npz``), MLIP's (``.cfg``), or whatever ASE reads and writes.

Extended XYZ (``.xyz``, ``.extxyz``) is written here, with all digits; ASE's writer keeps eight
decimals, which would change positions and thereby the key of a label. Weights, masks, identifiers,
origins and the level of theory go along in it and are found again.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, InputFileError, LevelOfTheoryError
from aiida_alpot.mtp.ase_formats import read_structures
from aiida_alpot.mtp.mlip_configurations import read_cfg, write_cfg

Array = np.ndarray
OUR_XYZ = (".xyz", ".extxyz")
_VOIGT_TO_MATRIX = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
_LEVEL = "level_of_theory"
# per-atom columns of extended XYZ beside species and positions
_COLUMNS = {"forces": "forces:R:3", "magmoms": "magmoms:R:1", "force_mask": "force_mask:L:1"}


def read_configurations(
    path: str | Path, *, species: Sequence[str] | None = None, allow_empty: bool = False
) -> Configurations:
    """Read all configurations of a file, in the format that its suffix names.

    Parameters
    ----------
    path : path
        ``.npz`` (ours), ``.cfg`` (MLIP), or a format of ASE, see
        :data:`~aiida_alpot.mtp.ase_formats.FORMATS`.
    species : sequence of str, optional
        Order of the types in a ``.cfg`` file, which may name none.
    allow_empty : bool
        Whether a file without configurations is accepted.

    Raises
    ------
    InputFileError
        If the file is missing or unreadable.
    EmptyDataError
        If it holds no configuration.
    LevelOfTheoryError
        If its labels have several levels of theory.
    """
    path = Path(path)
    if not path.is_file():
        raise InputFileError(f"Cannot read {path}: there is no such file.")
    if path.suffix == ".npz":
        configurations = Configurations.load(path)
    elif path.stat().st_size == 0:
        configurations = Configurations.empty()
    elif path.suffix == ".cfg":
        configurations = read_cfg(path, species)
    else:
        configurations = configurations_of(list(iterate_structures(path)), path)
    if len(configurations) == 0 and not allow_empty:
        raise EmptyDataError(f"{path} holds no configuration; give at least one.")
    return configurations


def write_configurations(
    configurations: Configurations, path: str | Path, *, species: Sequence[str] | None = None
) -> None:
    """Write all configurations to a file, in the format that its suffix names.

    Parameters
    ----------
    configurations : Configurations
        Labelled or not.
    path : path
        ``.npz``, ``.cfg``, ``.xyz``, ``.extxyz``, or any format that ASE writes.
    species : sequence of str, optional
        Order of the types in a ``.cfg`` file; by atomic number if absent.

    Raises
    ------
    InputFileError
        If the file cannot be written, or its format is not known or does not hold them.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            configurations.save(path)
        elif path.suffix == ".cfg":
            write_cfg(configurations, path, tuple(species or configurations.species))
        elif path.suffix in OUR_XYZ:
            path.write_text(format_xyz(configurations), encoding="utf-8")
        else:
            _write_with_ase(configurations, path)
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror or error}.") from error


def iterate_structures(path: Path) -> Iterator[Atoms]:
    """Yield the structures of a file as ASE reads them; frame by frame where the format allows.

    Raises
    ------
    InputFileError
        If the file is damaged or of no known format.
    """
    frames: Iterator[Atoms] | None = None
    while True:
        try:
            with warnings.catch_warnings():
                # readers of ASE warn of what they skip; what matters is checked afterwards
                warnings.simplefilter("ignore")
                frames = frames or read_structures(path)
                atoms = next(frames, None)
        # readers of a hundred formats fail in as many ways on a damaged file
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputFileError(
                f"Cannot read {path}: {reason[:400]}. Give a complete file in a format that ASE "
                "reads, an MLIP .cfg or a .npz of configurations."
            ) from error
        if atoms is None:
            return
        _adopt_text(atoms)
        yield atoms


def configurations_of(structures: list[Atoms], path: Path) -> Configurations:
    """Collect structures of the file at ``path``, with the level of theory that they name.

    Raises
    ------
    LevelOfTheoryError
        If they name several.
    InputFileError
        If labels are not numbers, or of another shape than labels have.
    """
    levels = {str(atoms.info[_LEVEL]) for atoms in structures if _LEVEL in atoms.info}
    for text in levels:
        _require_text(text, path)
    if len(levels) > 1:
        raise LevelOfTheoryError(
            f"{path} holds labels of several levels of theory: {' and '.join(sorted(levels))}. "
            "Keep them in separate files."
        )
    try:
        with np.errstate(all="ignore"):
            configurations = Configurations.from_atoms(
                structures, level_of_theory=levels.pop() if levels else ""
            )
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise InputFileError(
            f"Cannot read {path}: what it holds beside positions is no label ({error}). Give "
            "energies, forces, stresses and weights as numbers."
        ) from error
    for name in ("identifier", "sampler", "chain"):
        _require_text("".join(getattr(configurations, name).tolist()), path)
    return configurations


def _require_text(text: str, path: Path) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputFileError(f"{path} holds a name that is no text ({error}).") from error


def _adopt_text(atoms: Atoms) -> None:
    """Undo what the reader of extended XYZ makes of names that look like numbers."""
    for key in ("identifier", "sampler", "chain"):
        if key in atoms.info:
            atoms.info[key] = str(atoms.info[key])
    for key in ("weight", "energy_extrapolated"):
        if key in atoms.info and not np.isscalar(atoms.info[key]):
            del atoms.info[key]


def _write_with_ase(configurations: Configurations, path: Path) -> None:
    try:
        ase.io.write(path, list(configurations))
    except OSError:
        raise
    # as for reading
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputFileError(
            f"Cannot write {path}: {reason}. Give a name that ends in .xyz, .npz or .cfg."
        ) from error


def format_xyz(configurations: Configurations) -> str:
    """Return the text of an extended XYZ file."""
    return "".join(
        _xyz_frame(atoms, configurations.level_of_theory if labelled else "")
        for atoms, labelled in zip(configurations, configurations.labelled, strict=True)
    )


def _xyz_frame(atoms: Atoms, level_of_theory: str) -> str:
    """Return one frame of extended XYZ."""
    results = atoms.calc.results if atoms.calc is not None else {}
    columns = {key: results[key] for key in ("forces", "magmoms") if key in results}
    if "force_mask" in atoms.arrays:
        columns["force_mask"] = atoms.arrays["force_mask"]
    properties = ":".join(["species:S:1:pos:R:3", *(_COLUMNS[key] for key in columns)])
    header = [f'Lattice="{_reals(atoms.cell.array.ravel())}"', f"Properties={properties}"]
    header += [f"{key}={results[key]!r}" for key in ("energy", "free_energy") if key in results]
    if "stress" in results:
        matrix = results["stress"][np.array(_VOIGT_TO_MATRIX)]
        header.append(f'stress="{_reals(matrix.ravel())}"')
    info = dict(atoms.info) | ({_LEVEL: level_of_theory} if level_of_theory else {})
    header += [_key_and_value(key, value) for key, value in info.items()]
    header.append('pbc="{}"'.format(" ".join("T" if flag else "F" for flag in atoms.pbc)))
    lines = [str(len(atoms)), " ".join(header)]
    for index, symbol in enumerate(atoms.symbols):
        words = [symbol, _reals(atoms.positions[index])]
        words += [_reals(values[index]) for values in columns.values()]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _key_and_value(key: str, value: Any) -> str:
    """Return ``key=value``, quoted such that names like ``007`` or ``T`` are read as text again."""
    text = str(key_val_dict_to_str({key: value}))
    if isinstance(value, str):
        read_back = key_val_str_to_dict(text)[key]
        if not (isinstance(read_back, str) and read_back == value):
            return str(key_val_dict_to_str({key: "_JSON " + json.dumps(value)}))
    return text


def _reals(values: Array) -> str:
    if values.dtype == bool:
        return "T" if values else "F"
    return " ".join(repr(float(value)) for value in np.atleast_1d(values))
