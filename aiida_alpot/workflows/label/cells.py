# SPDX-License-Identifier: MIT
"""Cells as other codes want them, and results of such cells as the configuration has them.

Many codes want atoms of one species together, right-handed cell vectors and a box in all three
directions. Species are put together in the order of the alphabet, two cell vectors change places
where they are left-handed, and a vector is made where there is none. None of this changes a label:
energies and stress are the same, and forces go back to the order of the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from aiida_alpot.data import ConfigurationsData


@dataclass(frozen=True)
class Cell:
    """A configuration as it is handed to a code.

    Parameters
    ----------
    atoms : Atoms
        Sorted by species, right-handed, with three cell vectors; ``pbc`` as it was.
    order : (n,) int
        Atom ``i`` of ``atoms`` is atom ``order[i]`` of the configuration.
    """

    atoms: Atoms
    order: np.ndarray

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Return values of the atoms of the cell in the order of the configuration."""
        back = np.empty_like(values)
        back[self.order] = values
        return back


def make_cell(atoms: Atoms, vacuum: float) -> Cell:
    """Return a configuration as it is handed to a code.

    Parameters
    ----------
    atoms : Atoms
        The configuration.
    vacuum : float
        Angstrom on each side along directions that have no cell vector.
    """
    order = np.array(sorted(range(len(atoms)), key=lambda i: atoms[i].symbol), dtype=int)
    bare = Atoms(
        numbers=atoms.numbers[order],
        positions=atoms.positions[order],
        cell=atoms.cell,
        pbc=atoms.pbc,
    )
    for axis in np.flatnonzero(~bare.cell.array.any(axis=1)):
        bare.center(vacuum=vacuum, axis=int(axis))
    if np.linalg.det(bare.cell.array) < 0:
        bare.set_cell(bare.cell.array[[1, 0, 2]], scale_atoms=False)
        bare.set_pbc(np.array(bare.pbc)[[1, 0, 2]])
    return Cell(bare, order)


@calcfunction
def make_structure(configurations: ConfigurationsData, request: orm.Dict) -> orm.StructureData:
    """Return one configuration as the structure of AiiDA that a code is given.

    Parameters
    ----------
    configurations : ConfigurationsData
        Holds it.
    request : Dict
        ``index`` of the configuration, ``vacuum`` in Angstrom.
    """
    atoms = configurations.get_configurations().atoms(request["index"])
    structure = make_cell(atoms, request["vacuum"]).atoms
    structure.calc = None
    return orm.StructureData(ase=structure)
