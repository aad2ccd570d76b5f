# SPDX-License-Identifier: MIT
"""Relaxations on the way to a property: they converge, or the property cannot be measured."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.errors import AlpotError, SettingError
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.stopping import Observation, StopRules
from aiida_alpot.sampling.trajectories.relaxation import Relaxation, RelaxationSettings


class PropertyError(AlpotError):
    """A property cannot be measured with this calculator. Remedy: train the potential further."""

    exit_status = 3


def relax(
    atoms: Atoms,
    calculator: Any,
    *,
    cell: Literal["fixed", "isotropic", "flexible"] = "fixed",
    fmax: float = 1e-3,
    steps: int = 200,
) -> Atoms:
    """Return a relaxed copy of ``atoms`` with its calculator.

    Parameters
    ----------
    atoms : Atoms
    calculator : ASE calculator
    cell : str
        What of the cell relaxes.
    fmax : float
        Largest force, eV/A; of a cell the virial per atom, eV.
    steps : int
        Most steps.

    Raises
    ------
    PropertyError
        If the relaxation does not converge or runs away.
    """
    sampler = Relaxation(RelaxationSettings(cell=cell, fmax=fmax, steps=steps))
    seen: list[Observation] = []

    def keep_last(observation: Observation) -> None:
        seen[:] = [observation]

    start = atoms.copy()
    start.info["identifier"] = "structure"
    [chain] = run_sampler(
        sampler,
        [start],
        calculator,
        rng=np.random.default_rng(0),
        stop_rules=StopRules(gamma_break=None),
        observe=keep_last,
    ).chains
    if chain.stop != "converged":
        raise PropertyError(
            f"The relaxation of {atoms.get_chemical_formula()} ended without a minimum "
            f"({chain.reason}). Train the potential further or start nearer to the minimum."
        )
    relaxed: Atoms = seen[-1].atoms
    return relaxed


def require_crystal(structure: Atoms) -> None:
    """Raise SettingError unless the structure is periodic in three directions."""
    if not structure.pbc.all() or structure.cell.rank < 3:
        raise SettingError(
            f"{structure.get_chemical_formula()} is not periodic in three directions; this "
            "property needs a crystal."
        )
