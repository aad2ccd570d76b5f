# SPDX-License-Identifier: MIT
r"""Push atoms apart until no two are nearer than allowed.

What is made smaller is the overlap ``sum_pairs (1 - d / d_min)^2`` over the pairs with ``d <
d_min``, by its gradient (L-BFGS); it has nothing to do with energies. Random insertion alone jams
below the density of metals.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.optimize import minimize

from aiida_alpot.neighbors import neighbor_list
from aiida_alpot.sampling.structures.pair_limits import PairLimits

Array = np.ndarray
_MARGIN = 1.002  # pushed slightly farther than needed, so that a small rest of overlap is none
_STEPS = 200


def push_apart(atoms: Atoms, limits: PairLimits) -> bool:
    """Move atoms, in place, until all keep their distances; return whether they do."""
    if limits.keeps(atoms):
        return True
    kinds = np.unique(atoms.numbers)
    table = _MARGIN * limits.table(kinds, kinds)
    places = np.searchsorted(kinds, atoms.numbers)
    moved = atoms.copy()

    def overlap(flat: Array) -> tuple[float, Array]:
        moved.positions = flat.reshape(-1, 3)
        return _overlap(moved, table, places)

    found = minimize(
        overlap,
        atoms.positions.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "ftol": 0.0, "gtol": 1e-7},
    )
    atoms.positions = found.x.reshape(-1, 3)
    return limits.keeps(atoms)


def _overlap(atoms: Atoms, table: Array, places: Array) -> tuple[float, Array]:
    """Return the overlap of all ordered pairs, and its gradient."""
    pairs = neighbor_list(atoms, float(table.max()))
    first = pairs.owner
    distances = np.linalg.norm(pairs.vectors, axis=1)
    limits = table[places[first], places[pairs.neighbor]]
    depth = np.maximum(1 - distances / limits, 0.0)
    along = pairs.vectors / np.maximum(distances, 1e-9)[:, None]
    # each pair stands twice, and so moves the energy twice
    slope = (4 * depth / limits)[:, None] * along
    gradient = np.zeros((len(atoms), 3))
    np.add.at(gradient, first, slope)
    return float((depth**2).sum()), gradient.ravel()
