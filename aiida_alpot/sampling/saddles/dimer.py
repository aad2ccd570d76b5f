# SPDX-License-Identifier: MIT
"""The dimer method: uphill along the softest mode, downhill along all others, to a saddle point.

The dimer is two images of a structure, a small distance apart. It turns until it lies along the
mode of lowest curvature, and moves along the force with the component along that mode inverted
(Henkelman and Jonsson, J. Chem. Phys. 111, 7010 (1999); the rotation of Heyden, Bell and Keil,
J. Chem. Phys. 123, 224101 (2005)). The code is ASE's, with a memory of its own for each search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.mep import DimerControl, MinModeAtoms, MinModeTranslate

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.own_results import OwnResults
from aiida_alpot.sampling.rigid_motions import remove_rigid_motions
from aiida_alpot.sampling.settings import require, setting

# The keys of a campaign file carry their units.
# ruff: noqa: N815

Array = np.ndarray
LEAST_CURVATURE = 1e-3
"""Size of a curvature, eV/A^2, that is told from zero; a glide of everything has none."""

NO_MOTION = 1e-9
"""Share of a mode that must be left where rigid motions are taken away."""


@dataclass(frozen=True)
class DimerSettings:
    """What every search with a dimer can be told; the defaults are those of ASE."""

    steps: int = setting(200, "Most steps of the dimer.")
    fmax: float = setting(
        0.01, "Largest force on an atom at which a saddle point has converged, eV/A."
    )
    max_step_A: float = setting(
        0.1,
        "Longest step of the dimer, A, the length of the vector of all displacements together.",
    )
    rotations: int = setting(1, "Most rotations of the dimer between two steps.")
    rotation_force_min: float = setting(
        0.1, "Rotational force, eV/A, below which the dimer is not turned."
    )
    rotation_force_max: float = setting(
        1.0, "Rotational force, eV/A, below which the dimer is turned once only."
    )
    separation_A: float = setting(
        1e-4, "Distance of an image of the dimer from its centre, A; forces in double precision."
    )

    def __post_init__(self) -> None:
        for name in ("steps", "rotations"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in (
            *("fmax", "max_step_A", "separation_A"),
            *("rotation_force_min", "rotation_force_max"),
        ):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")


class Dimer:
    """One search for a saddle point from where ``atoms`` stand, along ``mode``.

    Parameters
    ----------
    atoms : Atoms
        Moves; its calculator is an :class:`~aiida_alpot.sampling.own_results.OwnResults`, which
        always has the results of the centre of the dimer.
    mode : (n_atoms, 3) float64
        First guess of the mode; its length does not count.
    settings : DimerSettings

    Raises
    ------
    GeometryError
        If the mode moves all atoms as one body.
    """

    def __init__(self, atoms: Atoms, mode: Array, settings: DimerSettings) -> None:
        self.atoms, self.settings = atoms, settings
        self.failure: str | None = None
        free = remove_rigid_motions(atoms, np.asarray(mode, dtype=float))
        length = float(np.linalg.norm(free))
        if not length > NO_MOTION * float(np.linalg.norm(mode)):
            raise GeometryError(
                "The mode of the dimer moves all atoms as one body, which no energy depends on. "
                "Give a mode that changes distances."
            )
        self._followed = _FollowedAtoms(atoms, free / length, settings)

    @property
    def curvature(self) -> float:
        """Curvature along the mode, eV/A^2."""
        return float(self._followed.get_curvature())

    @property
    def mode(self) -> Array:
        """(n_atoms, 3): the mode as it is known now, of unit length."""
        mode: Array = self._followed.get_eigenmode()
        return mode

    @property
    def largest_force(self) -> float:
        """Largest force on an atom, eV/A."""
        return float(np.linalg.norm(self.atoms.get_forces(), axis=1).max())

    @property
    def has_converged(self) -> bool:
        """Whether no force is left and the energy falls along the mode, both ways."""
        return self.largest_force < self.settings.fmax and self.curvature < -LEAST_CURVATURE

    def run(self) -> Iterator[bool]:
        """Go on step by step and yield whether it was the last; ``failure`` says why in vain then.

        Where it yields first, the dimer has been turned and not moved.
        """
        given = self.settings
        translation = MinModeTranslate(self._followed, logfile=None)
        try:
            for step, _ in enumerate(translation.irun(fmax=0.0, steps=given.steps)):
                is_last = self.has_converged or step == given.steps
                if is_last and not self.has_converged:
                    self.failure = self._explain()
                yield is_last
                if is_last:
                    return
        except RuntimeError as error:
            # ASE says so where the force is infinite, before anything has moved
            self.failure = f"the forces on the dimer grew beyond all bounds ({error})"
            yield True

    def _explain(self) -> str:
        steps = self.settings.steps
        if self.curvature >= -LEAST_CURVATURE:
            return (
                f"the curvature along the softest mode is still {self.curvature:+.3g} eV/A^2 after "
                f"{steps} steps of the dimer, so that it never left the basin of its start"
            )
        return (
            f"the largest force is still {self.largest_force:.3g} eV/A > {self.settings.fmax:g} "
            f"after {steps} steps of the dimer"
        )


class _OwnControl(DimerControl):  # type: ignore[misc]
    """Settings of one dimer: those of ASE are shared by all that were ever made."""

    def __init__(self, settings: DimerSettings) -> None:
        self.parameters = dict(DimerControl.parameters)
        super().__init__(
            logfile=None,
            f_rot_min=settings.rotation_force_min,
            f_rot_max=settings.rotation_force_max,
            max_num_rot=settings.rotations,
            maximum_translation=settings.max_step_A,
            dimer_separation=settings.separation_A,
        )


class _FollowedAtoms(MinModeAtoms):  # type: ignore[misc]
    """Atoms whose dimer is evaluated beside them, so that they keep the results of the centre."""

    def __init__(self, atoms: Atoms, mode: Array, settings: DimerSettings) -> None:
        self._beside = atoms.copy()
        self._beside.calc = OwnResults(atoms.calc.shared)
        # no random number is drawn where the mode is given
        super().__init__(atoms, _OwnControl(settings), eigenmodes=[mode], random_seed=0)

    def get_forces(self, real: bool = False, pos: Array | None = None, **settings: Any) -> Array:
        """Return forces at the centre or, with ``real``, at other positions."""
        if not real or pos is None:
            forces: Array = super().get_forces(real=real, pos=pos, **settings)
            return forces
        self._beside.positions = pos
        self.control.increment_counter("forcecalls")
        at_end: Array = self._beside.get_forces()
        return at_end
