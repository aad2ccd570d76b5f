# SPDX-License-Identifier: MIT
r"""How large a chunk must be: forces on central atoms against those in a larger chunk.

For each radius r_c the force on the central atom in its chunk is compared with the force in the
reference, which is the whole structure or, where that is too large for the calculator, a larger
chunk. The length of the difference is \|dF\|. A radius is large enough where the largest \|dF\| is
small beside the errors that the potential is to have. Chunks are of the kind that is to be
labelled: clusters, with cut bonds saturated or not, or smaller periodic cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from aiida_alpot.carving.chunks import VACUUM, Chunk
from aiida_alpot.carving.most_atoms import carve as carve_kind
from aiida_alpot.errors import SettingError

Array = np.ndarray


@dataclass(frozen=True)
class Locality:
    """Differences of forces by radius.

    Parameters
    ----------
    radii : (n_radii,) float64
        r_c, A, increasing.
    differences : (n_radii, n_centres) float64
        Length of the difference of the force on each central atom, eV/A.
    sizes : (n_radii, n_centres) int64
        Atoms of each chunk.
    reference : float
        Radius of the chunks that were compared with, A; infinite for the whole structure.
    """

    radii: Array
    differences: Array
    sizes: Array
    reference: float

    @property
    def largest(self) -> Array:
        """(n_radii,) float64: largest difference for each radius, eV/A."""
        return np.asarray(self.differences.max(axis=1))

    @property
    def mean(self) -> Array:
        """(n_radii,) float64: mean difference for each radius, eV/A."""
        return np.asarray(self.differences.mean(axis=1))

    def smallest_radius(self, tolerance: float) -> float | None:
        """Return the radius from which on no difference exceeds a tolerance in eV/A, or None."""
        is_good = np.logical_and.accumulate((self.largest <= tolerance)[::-1])[::-1]
        good = self.radii[is_good]
        return float(good[0]) if len(good) else None


def measure_locality(
    structure: Atoms,
    centres: Sequence[int],
    *,
    make_calculator: Callable[[], BaseCalculator],
    radii: Sequence[float],
    reference: float | None = None,
    vacuum: float = VACUUM,
    kind: str = "cluster",
    element: str | None = None,
) -> Locality:
    """Compare the forces on central atoms in chunks of several sizes with those in a reference.

    Parameters
    ----------
    structure : Atoms
        What chunks are carved from.
    centres : sequence of int
        Their central atoms.
    make_calculator : callable
        Makes a calculator; called for every chunk, as many cannot change the number of atoms.
    radii : sequence of float
        r_c, A.
    reference : float, optional
        Radius of the chunks to compare with, A, larger than all ``radii``; the whole structure if
        absent.
    vacuum, kind, element
        See :func:`~aiida_alpot.carving.most_atoms.carve`.

    Raises
    ------
    SettingError
        If there is no radius or no centre, the reference is not the largest radius, or there is no
        such kind.
    GeometryError
        If chunks of this kind cannot be carved from the structure.
    """
    ordered = np.array(sorted(radii), dtype=np.float64)
    if not len(ordered) or not len(centres):
        raise SettingError("Give at least one radius and one atom to measure the locality with.")
    if reference is not None and not reference > ordered[-1]:
        raise SettingError(
            f"The chunks to compare with have the radius {reference:g} A; it must be larger than "
            f"{ordered[-1]:g} A, the largest of the others."
        )

    def carve(centre: int, radius: float) -> Chunk:
        return carve_kind(
            structure, centre, radius=radius, vacuum=vacuum, kind=kind, element=element
        )

    if reference is None:
        expected = _forces(structure, make_calculator)[np.asarray(centres)]
    else:
        expected = np.array(
            [_forces(carve(one, reference).atoms, make_calculator)[0] for one in centres]
        )
    differences = np.empty((len(ordered), len(centres)))
    sizes = np.empty((len(ordered), len(centres)), dtype=np.int64)
    for row, radius in enumerate(ordered.tolist()):
        for column, centre in enumerate(centres):
            chunk = carve(centre, radius)
            found = _forces(chunk.atoms, make_calculator)[0]
            differences[row, column] = np.linalg.norm(found - expected[column])
            sizes[row, column] = len(chunk.atoms)
    return Locality(ordered, differences, sizes, np.inf if reference is None else reference)


def _forces(atoms: Atoms, make_calculator: Callable[[], BaseCalculator]) -> Array:
    copy = atoms.copy()
    copy.calc = make_calculator()
    return np.asarray(copy.get_forces())
