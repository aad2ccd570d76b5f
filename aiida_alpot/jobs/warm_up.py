# SPDX-License-Identifier: MIT
"""Compile the kernels once, before jobs that need them start side by side."""

from __future__ import annotations

import time

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations


def compile_kernels() -> float:
    """Compile every kernel a job may need, or load it where that was done before.

    The machine code is kept in ``__pycache__`` next to the sources; where that folder cannot be
    written, in the cache folder of the user; set ``NUMBA_CACHE_DIR`` for another place, for example
    one on the disk of a compute node. Each kind of processor has machine code of its own there.

    Returns
    -------
    float
        Seconds it took.
    """
    from aiida_alpot.bias import make_biased
    from aiida_alpot.fitting.normal_equations import add_weighted_products
    from aiida_alpot.grading import empty_active_set
    from aiida_alpot.mtp.calculator import MTP
    from aiida_alpot.mtp.evaluate import energy_rows
    from aiida_alpot.mtp.gradient import loss_gradient
    from aiida_alpot.mtp.jacobian import block_jacobian, make_environment
    from aiida_alpot.mtp.potential import initial_potential
    from aiida_alpot.mtp.zbl import ZblCore
    from aiida_alpot.sampling.bias_settings import BiasSettings

    start = time.perf_counter()
    potential = initial_potential(
        4, 3.0, species=["Cu"], min_distance=1.5, rng=np.random.default_rng(0)
    ).with_core(ZblCore())
    active_set = empty_active_set(potential, method="parity")
    atoms = Atoms("Cu2", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    atoms.calc = MTP(potential, active_set=active_set)
    atoms.get_potential_energy()
    make_biased(atoms.calc, BiasSettings("grade", alpha=1.0)).calculate(atoms)
    configurations = Configurations.from_atoms([atoms])
    energy_rows(potential, configurations)
    loss_gradient(potential, configurations)
    environment = make_environment(potential, configurations)
    jacobian = block_jacobian(potential, environment, (0, 1))
    labels = np.zeros(jacobian.planes.shape[1])
    products = np.zeros((jacobian.n_lanes, jacobian.n_lanes))
    add_weighted_products(jacobian, np.zeros(1), labels, labels + 1.0, products)
    return time.perf_counter() - start
