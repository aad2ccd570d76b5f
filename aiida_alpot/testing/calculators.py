# SPDX-License-Identifier: MIT
"""Assertions about any ASE calculator: gradients and the symmetries of physics.

Each evaluates copies of the structure, so the structure is not changed. Tolerances are absolute, in
eV, eV/A and eV/A^3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def assert_gradients(
    calculator: Any,
    atoms: Atoms,
    *,
    atol: float = 1e-6,
    step: float = 1e-4,
    stress: bool = True,
) -> None:
    """Assert that forces and stress are the gradients of the force-consistent energy.

    All force components and the six stresses are compared with central differences. They must
    agree within ``atol``, and must not agree exactly: two numbers that are equal to the last bit
    would have been computed the same way, and the comparison would prove nothing.

    Parameters
    ----------
    calculator : ASE calculator
    atoms : Atoms
        Forces must not all vanish by symmetry: displace the atoms first.
    atol : float
        Largest difference, eV/A and eV/A^3.
    step : float
        Displacement in Angstrom, and strain.
    stress : bool
        Whether the cell has a volume and the stress is checked too.

    Raises
    ------
    AssertionError
        With the largest difference and where it is.
    """
    __tracebackhide__ = True
    moved = _prepare(atoms, calculator)
    forces = moved.get_forces()
    assert np.abs(forces).max() > 10 * atol, "all forces vanish; displace the atoms first"
    _assert_close("force", forces, _forces_by_differences(moved, step), atol)
    if stress:
        moved = _prepare(atoms, calculator)
        given = moved.get_stress()
        _assert_close("stress", given, _stress_by_differences(moved, step), atol)


def assert_rotation_invariant(
    calculator: Any, atoms: Atoms, *, atol: float = 1e-9, seed: int = 0
) -> None:
    """Assert that a rotation and a reflection leave the energy and turn the forces and the stress.

    Raises
    ------
    AssertionError
        If energy, forces or stress (where the cell has a volume) differ by more than ``atol``.
    """
    __tracebackhide__ = True
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    for name, turn in (("rotation", rotation), ("reflection", -rotation)):
        before, after = _prepare(atoms, calculator), _prepare(atoms, calculator)
        after.set_cell(atoms.cell.array @ turn.T)
        after.set_positions(atoms.positions @ turn.T)
        energy, forces, stress = _evaluate(before)
        turned_energy, turned_forces, turned_stress = _evaluate(after)
        given, expected = (turned_energy, turned_forces), (energy, forces @ turn.T)
        _assert_same(f"after a {name}", given, expected, atol)
        if stress is not None:
            _assert_close(
                f"stress after a {name}",
                turned_stress,
                turn @ stress @ turn.T,
                atol,
                distinct=False,
            )


def assert_translation_invariant(
    calculator: Any, atoms: Atoms, *, atol: float = 1e-9, seed: int = 0
) -> None:
    """Assert that a common displacement changes neither energy nor forces.

    Raises
    ------
    AssertionError
        If they differ by more than ``atol``.
    """
    __tracebackhide__ = True
    moved = _prepare(atoms, calculator)
    moved.positions += np.random.default_rng(seed).uniform(-5, 5, 3)
    energy, forces, _ = _evaluate(_prepare(atoms, calculator))
    moved_energy, moved_forces, _ = _evaluate(moved)
    _assert_same("after a translation", (moved_energy, moved_forces), (energy, forces), atol)


def assert_permutation_invariant(
    calculator: Any, atoms: Atoms, *, atol: float = 1e-9, seed: int = 0
) -> None:
    """Assert that the order of the atoms does not change the energy, and orders the forces.

    Raises
    ------
    AssertionError
        If they differ by more than ``atol``.
    """
    __tracebackhide__ = True
    order = np.random.default_rng(seed).permutation(len(atoms))
    energy, forces, _ = _evaluate(_prepare(atoms, calculator))
    moved_energy, moved_forces, _ = _evaluate(_prepare(atoms[order], calculator))
    given, expected = (moved_energy, moved_forces), (energy, forces[order])
    _assert_same("after a permutation", given, expected, atol)


def assert_extensive(
    calculator: Any, atoms: Atoms, *, repeats: tuple[int, int, int] = (2, 1, 1), atol: float = 1e-9
) -> None:
    """Assert that a repeated cell has the energy of its parts, and the same forces in each.

    Raises
    ------
    AssertionError
        If energy per cell or forces differ by more than ``atol``.
    """
    __tracebackhide__ = True
    count = int(np.prod(repeats))
    energy, forces, _ = _evaluate(_prepare(atoms, calculator))
    large_energy, large_forces, _ = _evaluate(_prepare(atoms.repeat(repeats), calculator))
    given, expected = (large_energy / count, large_forces), (energy, np.tile(forces, (count, 1)))
    _assert_same("of a repeated cell", given, expected, atol)


def _prepare(atoms: Atoms, calculator: Any) -> Atoms:
    prepared = atoms.copy()
    prepared.set_constraint()
    prepared.calc = calculator
    return prepared


def _evaluate(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray | None]:
    energy = atoms.get_potential_energy(force_consistent=True)
    forces = atoms.get_forces()
    has_volume = bool(atoms.pbc.all()) and atoms.cell.rank == 3
    return energy, forces, atoms.get_stress(voigt=False) if has_volume else None


def _energy_at(atoms: Atoms) -> float:
    return float(atoms.get_potential_energy(force_consistent=True))


def _forces_by_differences(atoms: Atoms, step: float) -> np.ndarray:
    start = atoms.get_positions()
    forces = np.zeros((len(atoms), 3))
    for index in np.ndindex(*forces.shape):
        energies = []
        for sign in (1, -1):
            positions = start.copy()
            positions[index] += sign * step
            atoms.set_positions(positions)
            energies.append(_energy_at(atoms))
        forces[index] = -(energies[0] - energies[1]) / (2 * step)
    atoms.set_positions(start)
    return forces


def _stress_by_differences(atoms: Atoms, step: float) -> np.ndarray:
    cell, volume = atoms.cell.array.copy(), atoms.get_volume()
    stress = np.zeros(6)
    for component, (row, column) in enumerate(VOIGT):
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            atoms.set_cell(cell @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(_energy_at(atoms))
        stress[component] = (energies[0] - energies[1]) / (2 * step * volume)
    return stress


def _assert_same(
    where: str, given: tuple[float, np.ndarray], expected: tuple[float, np.ndarray], atol: float
) -> None:
    """Assert that energy and forces agree; they may be equal to the last bit."""
    __tracebackhide__ = True
    for name, one, other in zip(("energy", "forces"), given, expected, strict=True):
        _assert_close(f"{name} {where}", one, other, atol, distinct=False)


def _assert_close(
    name: str, given: Any, expected: Any, atol: float, *, distinct: bool = True
) -> None:
    __tracebackhide__ = True
    given, expected = np.asarray(given), np.asarray(expected)
    difference = np.abs(given - expected)
    worst = tuple(int(k) for k in np.unravel_index(int(difference.argmax()), difference.shape))
    assert difference.max() <= atol, (
        f"{name} {worst}: {given[worst]:.10g} differs from {expected[worst]:.10g} "
        f"by {difference.max():.3g} > {atol:g}"
    )
    if distinct:
        assert difference.max() > 0, f"{name} agrees to the last bit: it was computed the same way"
