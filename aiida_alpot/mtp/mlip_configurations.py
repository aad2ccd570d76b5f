# SPDX-License-Identifier: MIT
"""Configurations in MLIP's text format, ``.cfg``.

A file holds any number of blocks ``BEGIN_CFG`` ... ``END_CFG``: number of atoms, up to three cell
vectors (as many as periodic directions), a table of the atoms, and labels where there are any.
Types count from zero and have no names. ``PlusStress`` is -V sigma in eV, sigma with ASE's sign, in
the order xx yy zz yz xz xy; the ``Virial`` of old files is the same, their ``Stress`` had the other
sign and is refused. Where a configuration came from and its weight travel as ``Feature`` lines,
which MLIP keeps and ignores; what the format cannot hold (magnetic moments, the extrapolated
energy, cell vectors of directions that are not periodic) is left out. Numbers are written in full
precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError, LabelError, SpeciesError
from aiida_alpot.mtp.mlip_configuration_reader import (
    AXES,
    FORCES,
    STRESS_ORDER,
    ConfigurationReader,
)
from aiida_alpot.whole_files import read_text

Array = np.ndarray


def read_cfg(path: str | Path, species: Sequence[str] | None = None) -> Configurations:
    """Read all configurations of the ``.cfg`` file at ``path``.

    Parameters
    ----------
    path : path
        File in MLIP's format.
    species : sequence of str, optional
        Chemical symbols in the order of the types; needed unless the file records them, as our
        writer does.

    Raises
    ------
    InputFileError
        If the file is missing, truncated or garbled, or has the key ``Stress``.
    SpeciesError
        If a type has no name in ``species``.
    """
    text = read_text(path, wanted="an MLIP .cfg file")
    return parse_cfg(text, source=str(path), species=species)


def parse_cfg(
    text: str, *, source: str = "the configurations", species: Sequence[str] | None = None
) -> Configurations:
    """Read configurations from the text of a file; see :func:`read_cfg`."""
    reader = ConfigurationReader(text, source, species)
    structures = list(reader.structures())
    return Configurations.from_atoms(structures, level_of_theory=reader.level_of_theory)


def write_cfg(configurations: Configurations, path: str | Path, species: Sequence[str]) -> None:
    """Write ``configurations`` at ``path``, types counted in the order of ``species``.

    Raises
    ------
    SpeciesError, LabelError
        As :func:`format_cfg`.
    InputFileError
        If the file cannot be written.
    """
    text = format_cfg(configurations, species)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror}.") from error


def format_cfg(configurations: Configurations, species: Sequence[str]) -> str:
    """Return the text of a file of ``configurations``, types in the order of ``species``.

    Raises
    ------
    SpeciesError
        If a species of the configurations is not in ``species``.
    LabelError
        If a configuration has forces for some of its atoms only, which the format cannot express.
    """
    missing = [symbol for symbol in configurations.species if symbol not in species]
    if missing:
        raise SpeciesError(
            f"Species {', '.join(missing)} is not among the types {' '.join(species)}. Name every "
            "species, in the order of the types."
        )
    return "".join(_block(configurations, index, species) for index in range(len(configurations)))


def _block(configurations: Configurations, index: int, species: Sequence[str]) -> str:
    """Return the text of one configuration."""
    rows = configurations.atoms_slice(index)
    forces = configurations.forces[rows]
    has_forces = np.isfinite(forces)
    if has_forces.any() and not (has_forces.all() and configurations.force_mask[rows].all()):
        raise LabelError(
            f"Configuration {configurations.describe(index)} has forces for some atoms only, which "
            "an MLIP .cfg file cannot express. Write it as .npz or .xyz."
        )
    lines = ["BEGIN_CFG", " Size", f"    {rows.stop - rows.start}"]
    pbc = configurations.pbc[index]
    if pbc.any():
        lines.append(" Supercell")
        lines += ["    " + _words(vector) for vector in configurations.cells[index][pbc]]
    columns = ["id", "type", *(f"cartes_{axis}" for axis in AXES)]
    values = configurations.positions[rows]
    if has_forces.any():
        columns += FORCES
        values = np.concatenate([values, forces], axis=1)
    lines.append(" AtomData:  " + " ".join(columns))
    type_of = {atomic_numbers[symbol]: kind for kind, symbol in enumerate(species)}
    for atom, (number, row) in enumerate(zip(configurations.numbers[rows], values, strict=True)):
        lines.append(f"    {atom + 1} {type_of[int(number)]} {_words(row)}")
    lines += _labels(configurations, index)
    lines += [
        # a line break would end the value
        f" Feature   {key}\t{' '.join(value.splitlines())}"
        for key, value in _features(configurations, index, species)
    ]
    return "\n".join(lines) + "\nEND_CFG\n\n"


def _labels(configurations: Configurations, index: int) -> list[str]:
    lines = []
    if np.isfinite(configurations.energy[index]):
        lines += [" Energy", f"    {_words([configurations.energy[index]])}"]
    stress = configurations.stress[index]
    if np.isfinite(stress).all() and configurations.pbc[index].all():
        plus_stress = -stress * configurations.volumes[index]
        lines += [" PlusStress:  " + " ".join(STRESS_ORDER), "    " + _words(plus_stress)]
    return lines


def _features(
    configurations: Configurations, index: int, species: Sequence[str]
) -> Iterator[tuple[str, str]]:
    yield "species", " ".join(species)
    yield "identifier", str(configurations.identifier[index])
    if configurations.weight[index] != 1.0:
        yield "weight", _words([configurations.weight[index]])
    origin = configurations.origin(index)
    if origin.turn >= 0:
        yield "turn", str(origin.turn)
        yield "sampler", origin.sampler
        yield "chain", origin.chain
        yield "step", str(origin.step)
    if np.isfinite(origin.grade):
        yield "MV_grade", _words([origin.grade])
    if configurations.level_of_theory:
        yield "level_of_theory", configurations.level_of_theory


def _words(values: Sequence[float] | Array) -> str:
    """Write numbers in full precision, without exponents, which some readers do not know."""
    return " ".join(np.format_float_positional(value, unique=True, trim="0") for value in values)
