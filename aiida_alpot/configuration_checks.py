# SPDX-License-Identifier: MIT
"""Checks of configurations before anything expensive starts.

Each raises on the first fault, naming the configuration, the atom and the remedy.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, GeometryError, LabelError
from aiida_alpot.neighbors import batch_neighbor_list, minimum_distance
from aiida_alpot.periodic_cells import complete_cells

_SURELY_A_VOLUME = 1e-3  # A^3
_LARGEST_LENGTH = 1e6
"""Angstrom; no position or cell vector is longer, so that distances keep their digits."""
_FLATTEST_CELL = 0.3
"""Angstrom; in a cell with planes nearer than this the images within a cutoff are too many."""


def check_geometry(configurations: Configurations, *, collision: float = 0.3) -> None:
    """Raise unless every configuration is a usable structure.

    Parameters
    ----------
    configurations : Configurations
        Labelled or not.
    collision : float
        Two atoms nearer than this, in Angstrom, count as overlapping.

    Raises
    ------
    EmptyDataError
        If there is no configuration.
    GeometryError
        If a position or cell is not finite or beyond 10^6 A, a periodic cell has no volume or is
        flat, a configuration has no atom, or two atoms overlap.
    """
    if len(configurations) == 0:
        raise EmptyDataError("The data set holds no configuration; give at least one.")
    if _is_usable(configurations, collision):
        return
    for index in range(len(configurations)):
        _check_numbers_of(configurations, index)
        closest = minimum_distance(configurations.atoms(index), collision)
        if closest is not None:
            distance, i, j = closest
            raise GeometryError(
                f"Configuration {configurations.describe(index)}: atoms {i} and {j} overlap "
                f"(distance {distance:.3g} A). Repair the structure or leave it out."
            )


def check_labels(configurations: Configurations) -> None:
    """Raise unless every configuration has an energy or forces, and all of them are numbers.

    Forces of atoms that the mask leaves out may be absent.

    Raises
    ------
    LabelError
        If a configuration has no label at all, a force is finite in part, or a value infinite.
    """
    labelled = configurations.labelled
    for index in range(len(configurations)):
        name = configurations.describe(index)
        rows = configurations.atoms_slice(index)
        forces = configurations.forces[rows]
        values = (configurations.energy[index], forces, configurations.stress[index])
        if any(np.isinf(value).any() for value in values):
            raise LabelError(
                f"Configuration {name} has an infinite label. Label it again or leave it out."
            )
        trained = np.isfinite(forces)[configurations.force_mask[rows]]
        if trained.any() and not trained.all():
            raise LabelError(
                f"Configuration {name} has forces that are not numbers (NaN) beside finite ones. "
                "Label it again or leave it out."
            )
        if not labelled[index]:
            raise LabelError(
                f"Configuration {name} has no energy and no forces, or they are NaN. Label it or "
                "leave it out."
            )


def _is_usable(configurations: Configurations, collision: float) -> bool:
    """Whether all configurations together pass, which is quickly known; if not, one is to blame."""
    # a number that is not finite is not below any other
    has_numbers = (np.abs(configurations.positions) < _LARGEST_LENGTH).all()
    has_cells = (np.abs(configurations.cells) < _LARGEST_LENGTH).all()
    if not (has_numbers and has_cells and configurations.n_atoms.all()):
        return False
    boxes = complete_cells(configurations.cells, configurations.pbc)
    if (np.abs(np.linalg.det(boxes)) < _SURELY_A_VOLUME).any():
        return False
    if (_heights(boxes)[configurations.pbc] < _FLATTEST_CELL).any():
        return False
    return batch_neighbor_list(configurations, collision).n_pairs == 0


def _check_numbers_of(configurations: Configurations, index: int) -> None:
    rows = configurations.atoms_slice(index)
    name = configurations.describe(index)
    cell, pbc = configurations.cells[index], configurations.pbc[index]
    if rows.start == rows.stop:
        raise GeometryError(f"Configuration {name} has no atom. Leave it out.")
    finite = np.isfinite(configurations.positions[rows]).all(axis=1)
    if not finite.all():
        raise GeometryError(
            f"Configuration {name}: the position of atom {int(np.argmin(finite))} is not finite. "
            "Repair the structure or leave it out."
        )
    if not np.isfinite(cell).all():
        raise GeometryError(f"Configuration {name}: the cell is not finite. Repair it.")
    if not max(np.abs(configurations.positions[rows]).max(), np.abs(cell).max()) < _LARGEST_LENGTH:
        raise GeometryError(
            f"Configuration {name}: a position or the cell reaches beyond {_LARGEST_LENGTH:g} A. "
            "Give lengths in Angstrom."
        )
    periodic = cell[pbc]
    if len(periodic) and np.linalg.matrix_rank(periodic, tol=1e-6) < len(periodic):
        raise GeometryError(
            f"Configuration {name}: the cell has no volume along its periodic directions. "
            "Give cell vectors, or switch pbc off for a cluster."
        )
    if len(periodic):
        lowest = float(_heights(complete_cells(cell[None], pbc[None]))[0][pbc].min())
        if not lowest >= _FLATTEST_CELL:
            raise GeometryError(
                f"Configuration {name}: the cell is flat, opposite faces are {lowest:.2g} A apart, "
                "and atoms overlap their images. Repair it, or choose vectors that are less skew."
            )


def _heights(boxes: np.ndarray) -> np.ndarray:
    """(n, 3): distance of opposite faces of each cell, Angstrom."""
    areas = np.linalg.norm(np.cross(boxes[:, [1, 2, 0]], boxes[:, [2, 0, 1]]), axis=2)
    heights: np.ndarray = np.abs(np.linalg.det(boxes))[:, None] / np.maximum(areas, 1e-300)
    return heights
