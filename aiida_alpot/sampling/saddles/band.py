# SPDX-License-Identifier: MIT
"""Paths between two minima: interpolated, and relaxed as a band whose highest image climbs.

The band is nudged. Tangents are the improved ones of Henkelman and Jonsson, J. Chem. Phys. 113,
9978 (2000), the climbing image is that of Henkelman, Uberuaga and Jonsson, J. Chem. Phys. 113, 9901
(2000), the interpolation IDPP of Smidstrup et al., J. Chem. Phys. 140, 214106 (2014). The code is
ASE's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.mep import NEB
from ase.optimize import BFGS, FIRE, LBFGS

from aiida_alpot.sampling.own_results import with_own_results

Array = np.ndarray
OPTIMIZERS = {"BFGS": BFGS, "LBFGS": LBFGS, "FIRE": FIRE}
SPRING = 0.1
"""Constant of the springs between images, eV/A^2."""
_CURVATURE_STEP = 1e-3


@dataclass(frozen=True)
class BandSettings:
    """How a band is relaxed.

    Parameters
    ----------
    images : int
        Images between the ends.
    interpolation : str
        ``idpp`` or ``linear``.
    steps : int
        Most steps without a climbing image, and again with one.
    fmax_loose, fmax : float
        Largest force on an atom of an image at which the band begins to climb, and at which it has
        converged, eV/A.
    optimizer : str
        Name of the ASE optimiser.
    """

    images: int
    interpolation: str
    steps: int
    fmax_loose: float
    fmax: float
    optimizer: str


def displacement_between(first: Atoms, last: Atoms) -> Array:
    """Return the shortest displacement of each atom from one structure to the other, (n, 3) A."""
    displacement: Array = find_mic(last.positions - first.positions, first.cell, first.pbc)[0]
    return displacement


class Band:
    """Images of a path from ``first`` to ``last``, each with results of its own.

    Parameters
    ----------
    first, last : Atoms
        The ends, which stay.
    shared : ASE calculator
        Evaluates all images in turn.
    settings : BandSettings
    """

    def __init__(self, first: Atoms, last: Atoms, shared: Any, settings: BandSettings) -> None:
        self.settings, self.shared = settings, shared
        inner = [with_own_results(first, shared) for _ in range(settings.images)]
        self.images = [
            with_own_results(first, shared),
            *inner,
            with_own_results(last, shared),
        ]
        self._neb = NEB(self.images, k=SPRING, method="improvedtangent")
        method = "idpp" if settings.interpolation == "idpp" else "linear"
        self._neb.interpolate(method=method, mic=bool(first.pbc.any()))
        self.failure: str | None = None

    @property
    def inner(self) -> list[Atoms]:
        """Images between the ends."""
        return self.images[1:-1]

    def highest(self) -> int:
        """Return the index of the image of the highest energy, the ends left out."""
        return 1 + int(np.argmax([image.get_potential_energy() for image in self.inner]))

    def tangent(self, index: int) -> Array:
        """Return the unit direction from the image before to the image after, (n_atoms, 3)."""
        along = displacement_between(self.images[index - 1], self.images[index + 1])
        unit: Array = along / np.linalg.norm(along)
        return unit

    def relax(self) -> Iterator[bool]:
        """Relax the band, then let its highest image climb; yield after each step.

        What is yielded is whether it was the last step; ``failure`` then says what went wrong.
        """
        given = self.settings
        for climbs, fmax in ((False, given.fmax_loose), (True, given.fmax)):
            self._neb.climb = climbs
            optimizer = OPTIMIZERS[given.optimizer](self._neb, logfile=None)
            for step, converged in enumerate(optimizer.irun(fmax=fmax, steps=given.steps)):
                is_last = climbs and (bool(converged) or step == given.steps)
                if is_last and not converged:
                    self.failure = self._explain(fmax)
                yield is_last

    def _explain(self, fmax: float) -> str:
        largest = float(np.linalg.norm(self._neb.get_forces(), axis=1).max())
        return (
            f"the band with its climbing image still has forces of {largest:.3g} eV/A > {fmax:g} "
            f"after {self.settings.steps} steps"
        )

    def curvature(self, index: int) -> float:
        """Return the curvature of the energy along the tangent at an image, eV/A^2."""
        image, along = self.images[index], self.tangent(index)
        forces = []
        for sign in (1, -1):
            beside = with_own_results(image, self.shared)
            beside.positions += sign * _CURVATURE_STEP * along
            forces.append(np.vdot(beside.get_forces(), along))
        return float((forces[1] - forces[0]) / (2 * _CURVATURE_STEP))
