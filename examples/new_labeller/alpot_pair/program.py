# SPDX-License-Identifier: MIT
"""The code: Lennard-Jones of a periodic cell, in the units of its taste.

``alpot-pair input.json output.json`` reads ``{"cell", "positions", "epsilon_kcal_per_mol", "sigma",
"cutoff", "max_pairs"}`` (Angstrom) and writes ``{"done", "n_pairs", "energy_kcal_per_mol",
"forces_kcal_per_mol_A", "pressure_atm"}``, the last a tensor that is positive under compression.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list
from ase.units import Pascal, kcal, mol

ATMOSPHERE = 101325 * Pascal


def main() -> int:
    """Run as the command says."""
    source, target = (Path(word) for word in sys.argv[1:3])
    asked = json.loads(source.read_text(encoding="utf-8"))
    atoms = Atoms(positions=asked["positions"], cell=asked["cell"], pbc=True)
    atoms.numbers[:] = 1
    found = {"n_pairs": len(neighbor_list("i", atoms, asked["cutoff"])) // 2}
    found["done"] = found["n_pairs"] <= asked["max_pairs"]  # the limit of this code's patience
    if found["done"]:
        atoms.calc = LennardJones(
            epsilon=asked["epsilon_kcal_per_mol"] * kcal / mol,
            sigma=asked["sigma"],
            rc=asked["cutoff"],
            smooth=True,
        )
        found["energy_kcal_per_mol"] = atoms.get_potential_energy() / (kcal / mol)
        found["forces_kcal_per_mol_A"] = (atoms.get_forces() / (kcal / mol)).tolist()
        found["pressure_atm"] = (-atoms.get_stress(voigt=False) / ATMOSPHERE).tolist()
    target.write_text(json.dumps(found), encoding="utf-8")
    print(f"{found['n_pairs']} pairs of {np.shape(asked['positions'])[0]} atoms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
