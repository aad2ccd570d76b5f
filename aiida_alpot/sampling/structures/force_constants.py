# SPDX-License-Identifier: MIT
r"""Force constants by finite differences, and the normal modes that follow from them.

``Phi = -dF/du``, eV/A^2. Of a crystal phonopy says which displacements its symmetry leaves to be
done; of anything else each coordinate is displaced both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units

from aiida_alpot.errors import SettingError

Array = np.ndarray
THZ = 2 * np.pi * 1e12 / units.s
"""1 THz as an angular frequency in the units of ASE."""


class NormalModes(NamedTuple):
    """Modes without translations (and, of free molecules and clusters, rotations).

    ``squares`` are squared angular frequencies in units of ASE, ``vectors`` (m, n, 3) the
    displacements of a unit amplitude, A: eigenvectors over the root of the mass.
    """

    squares: Array
    vectors: Array


def require_phonopy(structures: Sequence[Atoms]) -> None:
    """Raise SettingError if one of them is a crystal and phonopy is not installed."""
    if any(one.pbc.all() for one in structures) and find_spec("phonopy") is None:
        raise SettingError(
            "Phonons need phonopy; install it with: pip install 'aiida-alpot[samplers]'."
        )


def force_constants(atoms: Atoms, calculator: Any, displacement: float) -> Array:
    """Return the force constants (3n, 3n) of the cell as it is, images moving along.

    Raises
    ------
    SettingError
        If the atoms are a crystal and phonopy is not installed.
    """
    if atoms.pbc.all():
        constants = _by_symmetry(atoms, calculator, displacement)
    else:
        constants = _by_coordinate(atoms, calculator, displacement)
    symmetric: Array = (constants + constants.T) / 2
    return symmetric


def normal_modes(atoms: Atoms, constants: Array) -> NormalModes:
    """Return the modes that remain once rigid motions are projected out."""
    masses = np.repeat(atoms.get_masses(), 3)
    weighted = constants / np.sqrt(np.outer(masses, masses))
    rigid = _rigid_motions(atoms) * np.sqrt(masses)
    basis, sizes, _ = np.linalg.svd(rigid.T, full_matrices=True)
    n_rigid = int((sizes > 1e-8 * sizes.max()).sum())
    inner = basis[:, n_rigid:]
    squares, vectors = np.linalg.eigh(inner.T @ weighted @ inner)
    displacements = (inner @ vectors).T / np.sqrt(masses)
    return NormalModes(squares, displacements.reshape(len(squares), -1, 3))


def _rigid_motions(atoms: Atoms) -> Array:
    """Return translations, and rotations of what is not periodic, one in each row (r, 3n)."""
    n_atoms = len(atoms)
    rows = [np.tile(axis, (n_atoms, 1)) for axis in np.eye(3)]
    if not atoms.pbc.any():
        centred = atoms.positions - atoms.get_center_of_mass()
        rows += [np.cross(axis, centred) for axis in np.eye(3)]
    return np.array(rows).reshape(len(rows), -1)


def _by_symmetry(atoms: Atoms, calculator: Any, displacement: float) -> Array:
    require_phonopy([atoms])
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        positions=atoms.positions,
        masses=atoms.get_masses(),
    )
    phonon: Any = Phonopy(cell, supercell_matrix=np.eye(3, dtype=int), primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=displacement, is_plusminus=True)
    moved = atoms.copy()
    moved.calc = calculator
    forces = []
    for displaced in phonon.supercells_with_displacements:
        moved.positions = displaced.positions
        forces.append(moved.get_forces())
    phonon.forces = forces
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    size = 3 * len(atoms)
    constants: Array = np.swapaxes(phonon.force_constants, 1, 2).reshape(size, size)
    return constants


def _by_coordinate(atoms: Atoms, calculator: Any, displacement: float) -> Array:
    moved = atoms.copy()
    moved.calc = calculator
    rows = []
    for step in np.eye(3 * len(atoms)).reshape(-1, len(atoms), 3) * displacement:
        moved.positions = atoms.positions + step
        ahead = moved.get_forces()
        moved.positions = atoms.positions - step
        rows.append((moved.get_forces() - ahead).ravel() / (2 * displacement))
    return np.array(rows)
