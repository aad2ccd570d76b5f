# SPDX-License-Identifier: MIT
"""What takes the place of DFT in these benchmarks: it labels at no cost.

``emt``
    ASE's EMT, which a moment tensor potential can nearly become: rankings made with it alone
    flatter whatever finds many different frames.
``mtp``
    A published moment tensor potential of level 20, whose student is of level 8 to 12 and cannot
    become it, with noise of 2 meV/atom in the energies. The noise depends on the cell and on
    nothing else, as that of a mesh of k-points does: frames of one cell share it, so that it does
    not average out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.mlip_files import read_potential

NOISE = 0.002  # eV/atom, standard deviation over cells
CUTOFF = 5.0  # of the student, A
NAMES = ("emt", "mtp")


@dataclass(frozen=True)
class Teacher:
    """A metal and who labels it.

    Parameters
    ----------
    name, element : str
        Of the teacher and of the metal.
    lattice : float
        Constant of its fcc lattice, A.
    make_calculator : callable
        Returns a calculator of ASE, which also moves the atoms of molecular dynamics.
    noise : float
        Standard deviation of the energies over cells, eV/atom.
    level, cutoff : int, float
        Of the student.
    """

    name: str
    element: str
    lattice: float
    make_calculator: Callable[[], Any]
    noise: float
    level: int
    cutoff: float = CUTOFF

    def label(self, structures: Sequence[Atoms], **origin: Any) -> Configurations:
        """Return structures with energies, forces and stresses."""
        calculator = self.make_calculator()
        labelled = []
        for atoms in structures:
            one = atoms.copy()
            one.calc = calculator
            energy, forces, stress = one.get_potential_energy(), one.get_forces(), one.get_stress()
            energy += len(one) * self.noise * noise_of_cell(one)
            one.calc = SinglePointCalculator(one, energy=energy, forces=forces, stress=stress)
            labelled.append(one)
        return Configurations.from_atoms(labelled, **origin)


def make_teacher(name: str, *, data: Path | None = None) -> Teacher:
    """Return a teacher by its name; ``data`` is the folder of the published potentials."""
    if name == "emt":
        return Teacher("emt", "Cu", 3.60, EMT, noise=0.0, level=16)
    if data is None:
        raise SystemExit("The teacher 'mtp' is a published potential: give its folder, --data.")
    published = read_potential(data / "Ni.mtp", ["Ni"])
    return Teacher("mtp", "Ni", 3.52, lambda: MTP(published), noise=NOISE, level=12)


def noise_of_cell(atoms: Atoms) -> float:
    """Return a normal deviate that the cell and the number of atoms determine, to 1e-6 A."""
    rounded = np.round(atoms.cell.array, 6) + 0.0
    digest = hashlib.sha256(rounded.tobytes() + str(len(atoms)).encode()).digest()
    return float(np.random.default_rng(int.from_bytes(digest[:8], "little")).normal())
