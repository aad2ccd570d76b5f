# SPDX-License-Identifier: MIT
"""How site energies and forces change along directions of the parameters, exactly.

For directions w_i of the parameters, one for each atom, D = sum_i w_i . dV_i/dtheta is a function
of the positions like an energy is; it has forces and strain derivatives. With them any smooth
function of the rows dV_i/dtheta has a gradient: w_i is its derivative by the row of atom i. No
matrix of mixed derivatives (3 N x n_parameters for each atom) is made on the way; see
:mod:`aiida_alpot.mtp.kernels.parameter_tangents` for the formulas.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.kernels.parameter_tangents import (
    evaluate_along,
    parameter_tangent_work_size,
)
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator, SiteResults, _WorkSpace
from aiida_alpot.neighbors import NeighborList, PairSource

Array = np.ndarray
_NO_ROWS = np.zeros((0, 0, 0))


class TangentEvaluator(SiteEvaluator):
    """Evaluates D_i = w_i . dV_i/dtheta for atoms of fixed species.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the energy is linearised. A repulsive core has no parameters and adds nothing.
    types : (n_atoms,) int32
        Of :meth:`MomentTensorPotential.types_of`.
    """

    _work_size = staticmethod(parameter_tangent_work_size)

    def __init__(self, potential: MomentTensorPotential, types: Array) -> None:
        super().__init__(potential, types)
        self._repulsion = None
        self._directions = np.zeros((0, 0))

    def evaluate_along(
        self, neighbors: PairSource, directions: Array, *, threads: int = 1
    ) -> SiteResults:
        """Return D_i as ``energies``, minus the gradient of their sum, and strain derivatives.

        Parameters
        ----------
        neighbors : PairSource
            As for :meth:`SiteEvaluator.evaluate`.
        directions : (n_atoms, n_parameters) or (n_parameters,) float64
            w_i of every atom, or the one of all of them.
        threads : int
            The numbers do not depend on it.

        Raises
        ------
        SettingError
            If the directions are not of as many parameters as the potential has.
        """
        shape = (len(self.types), self.potential.n_parameters)
        if directions.shape not in (shape, shape[1:]):
            raise SettingError(
                f"Directions of the shape {directions.shape} do not belong to {shape[0]} atoms and "
                f"{shape[1]} parameters; give one for each atom, or one for all."
            )
        self._directions = np.ascontiguousarray(np.broadcast_to(directions, shape))
        return self.evaluate(neighbors, threads=threads)

    def _run_blocks(
        self,
        blocks: Array,
        neighbors: NeighborList,
        space: _WorkSpace,
        results: SiteResults,
        rows: Array = _NO_ROWS,
    ) -> None:
        evaluate_along(
            blocks,
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            self.types,
            self._coefficients,
            self._limits,
            self.potential.moment_coefficients,
            self._seeds,
            self.tables,
            self._directions,
            space.work,
            space.places,
            *results,
        )
