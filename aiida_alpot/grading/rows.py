# SPDX-License-Identifier: MIT
"""Rows of D-optimality: derivatives of energies with respect to all parameters of a potential.

The energy of a potential that is not linear in its parameters is linearised where it stands
(Gubaev, Podryabinkin, Hart and Shapeev, Comput. Mater. Sci. 156, 148 (2019)). By neighbourhood
there is one row for each atom, dV_i/dtheta; by configuration one row, (dE/dtheta) / N.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
Mode = Literal["neighborhood", "configuration"]
MODES: tuple[str, ...] = get_args(Mode)
ATOMS_PER_BLOCK = 4096
WHOLE_CONFIGURATION = -1
"""Atom index of a row that belongs to a whole configuration."""


@dataclass(frozen=True)
class RowBlock:
    """Rows of some configurations.

    Parameters
    ----------
    rows : (m, n_parameters) float64
        eV per unit of each parameter.
    configuration : (m,) int64
        Configuration of each row.
    atom : (m,) int64
        Atom within its configuration, -1 for a row of a whole configuration.
    """

    rows: Array
    configuration: Array
    atom: Array

    def __len__(self) -> int:
        return len(self.rows)


def check_mode(mode: str) -> None:
    """Raise SettingError unless ``mode`` is one that rows are made for."""
    if mode not in MODES:
        raise SettingError(f"Unknown grading mode {mode!r}; allowed are {', '.join(MODES)}.")


def iterate_rows(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    mode: str,
    atoms_per_block: int = ATOMS_PER_BLOCK,
) -> Iterator[RowBlock]:
    """Yield the rows of ``configurations`` in their order, some whole configurations at a time.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the energy is linearised.
    configurations : Configurations
        Labels are not looked at.
    mode : {"neighborhood", "configuration"}
        One row for each atom, or the mean over the atoms of each configuration.
    atoms_per_block : int
        A block is closed when it has reached this number of atoms.

    Raises
    ------
    SettingError
        If there is no such mode.
    SpeciesError
        If the potential lacks a species that occurs.
    """
    from aiida_alpot.mtp.evaluate import energy_rows

    check_mode(mode)
    for first, last in _blocks_of_configurations(configurations.n_atoms, atoms_per_block):
        part = configurations.select(np.arange(first, last))
        rows = energy_rows(potential, part)
        owner = np.repeat(np.arange(first, last), part.n_atoms)
        if mode == "neighborhood":
            atom = np.arange(len(rows)) - np.repeat(part.offsets[:-1], part.n_atoms)
            yield RowBlock(rows, owner, atom)
        else:
            means = np.add.reduceat(rows, part.offsets[:-1], axis=0) / part.n_atoms[:, None]
            whole = np.full(len(part), WHOLE_CONFIGURATION)
            yield RowBlock(means, np.arange(first, last), whole)


def _blocks_of_configurations(n_atoms: Array, atoms_per_block: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of runs of configurations with about ``atoms_per_block`` atoms."""
    first, count = 0, 0
    for index, n in enumerate(n_atoms):
        count += int(n)
        if count >= atoms_per_block:
            yield first, index + 1
            first, count = index + 1, 0
    if first < len(n_atoms):
        yield first, len(n_atoms)
