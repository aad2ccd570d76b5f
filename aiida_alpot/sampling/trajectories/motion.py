# SPDX-License-Identifier: MIT
"""The state of an integrator of ASE as plain JSON: atoms, momenta, random numbers, thermostat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics as Integrator

REMEMBERED = (
    *("p_eps", "accel", "force_eps", "gamma_mod", "v", "transferred_energy"),
    *("Told", "Nold", "rold", "previous_energies", "energy_target"),
)
"""What integrators carry from one step to the next beside the atoms."""


def motion_state(integrator: Integrator, rng: np.random.Generator, step: int) -> dict[str, Any]:
    """Return the state of a motion after ``step`` steps."""
    atoms = integrator.atoms
    tell = getattr(atoms.calc, "chain_state", None)
    reference = getattr(getattr(atoms.calc, "neighbors", None), "reference", None)
    return {
        "step": step,
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "momenta": atoms.get_momenta().tolist(),
        "rng": rng.bit_generator.state,
        "integrator": {
            name: np.asarray(getattr(integrator, name)).tolist()
            for name in REMEMBERED
            if hasattr(integrator, name)
        },
        # a bias whose strength follows the forces
        "calculator": None if tell is None else tell(),
        # the order in which pairs are summed is that of the list, made at these places
        "list_of": None
        if reference is None
        else {"positions": reference.positions.tolist(), "cell": reference.cell.array.tolist()},
    }


def restore_motion(
    integrator: Integrator, rng: np.random.Generator, state: Mapping[str, Any]
) -> int:
    """Give a new integrator and generator the state of a motion; return how many steps it did."""
    atoms = integrator.atoms
    if state["list_of"] is not None:
        atoms.calc.neighbors.update(
            Atoms(
                atoms.numbers,
                np.array(state["list_of"]["positions"]),
                cell=np.array(state["list_of"]["cell"]),
                pbc=atoms.pbc,
            )
        )
    atoms.set_cell(np.array(state["cell"]), scale_atoms=False, apply_constraint=False)
    atoms.set_positions(np.array(state["positions"]), apply_constraint=False)
    atoms.set_momenta(np.array(state["momenta"]), apply_constraint=False)
    if state.get("calculator") is not None:
        atoms.calc.restore_chain(state["calculator"])
    rng.bit_generator.state = dict(state["rng"])
    for name, value in state["integrator"].items():
        setattr(integrator, name, np.array(value) if isinstance(value, list) else value)
    integrator.nsteps = int(state["step"])
    return int(state["step"])
