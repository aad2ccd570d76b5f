# SPDX-License-Identifier: MIT
"""Labels without the repulsion of the core.

The core is added to a moment tensor potential and has no parameters. A fit therefore subtracts it
from the labels, once, and goes on with the moment tensor potential alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.repulsion import repulsion_of, site_repulsion


def subtract_repulsion(
    targets: Targets, potential: MomentTensorPotential, environment: Environment
) -> Targets:
    """Return the labels less the repulsion of the core of ``potential``; weights stay the same.

    Parameters
    ----------
    targets : Targets
        Labels as they came from the calculation.
    potential : MomentTensorPotential
        With or without a core.
    environment : Environment
        Of the same configurations.
    """
    repulsion = repulsion_of(potential)
    if repulsion is None or not targets.n_rows:
        return targets
    energies, forces, strains = site_repulsion(repulsion, environment.neighbors, environment.types)
    starts = environment.offsets[:-1]
    # absent labels have no weight, so that it does not matter what is taken off them
    return dataclasses.replace(
        targets,
        energy=targets.energy - np.add.reduceat(energies, starts),
        strain=targets.strain - np.add.reduceat(strains, starts),
        forces=targets.forces - forces,
    )
