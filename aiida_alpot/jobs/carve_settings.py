# SPDX-License-Identifier: MIT
"""The section ``carve`` of a request or of a campaign: when frames are cut up, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.carving.chunks import put_in_box
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.jobs.requests import Request, parse_request

Array = np.ndarray


@dataclass(frozen=True)
class CarveSettings(Request):
    """Which frames are never labelled as a whole, and what is labelled in place of them.

    Parameters
    ----------
    above_atoms : int
        Frames with more atoms than this are carved; no chunk holds more either.
    radius, vacuum : float
        See :func:`aiida_alpot.carving.carve_at_most`; A.
    kind : {"cluster", "periodic"}
        Whether chunks are clusters, or smaller periodic cells.
    passivate : str or null
        Element that saturates the cut bonds of clusters. A potential that does not know it is
        trained on chunks without these atoms.
    per_structure : int
        Most chunks of one frame.
    smallest_radius : float
        Cutoff of the potential, A: of chunks that would have to be smaller there is none.
    """

    above_atoms: int
    radius: float
    vacuum: float
    kind: Literal["cluster", "periodic"] = "cluster"
    passivate: str | None = None
    per_structure: int = 1
    smallest_radius: float = 0.0

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any] | None) -> CarveSettings | None:
        """Build the settings from plain JSON; None where nothing is carved.

        Raises
        ------
        SettingError
            If a key is unknown, missing or out of range.
        """
        if settings is None:
            return None
        try:
            made = parse_request(cls, settings)
        except SettingError as error:
            raise SettingError(f"Settings 'carve': {error}") from error
        for name in ("above_atoms", "per_structure"):
            if getattr(made, name) < 1:
                raise SettingError(f"carve.{name} is {getattr(made, name)}; give one or more.")
        if not 0.0 < made.radius < np.inf or not 0.0 <= made.vacuum < np.inf:
            raise SettingError(
                f"carve.radius is {made.radius:g} A and carve.vacuum {made.vacuum:g} A; give a "
                "positive radius, and zero or more of vacuum."
            )
        return made

    def is_large(self, configurations: Configurations) -> Array:
        """(n,) bool: whether each configuration is too large to be labelled as a whole."""
        large: Array = configurations.n_atoms > self.above_atoms
        return large

    def largest_chunks(self, configurations: Configurations) -> Configurations:
        """Return a set with something as large as the largest chunk in place of large frames.

        It has the number of atoms, the cell and the periodicity that tell what a label would cost,
        but for clusters no more than that: its atoms are any of the frame.

        Parameters
        ----------
        configurations : Configurations
            Frames of samplers.
        """
        made = []
        for atoms, is_large in zip(configurations, self.is_large(configurations), strict=True):
            chunk = atoms
            if is_large:
                chunk = Atoms(
                    atoms.numbers[: self.above_atoms],
                    atoms.positions[: self.above_atoms],
                    cell=atoms.cell,
                    pbc=atoms.pbc,
                )
                if self.kind == "periodic":
                    share = (self.above_atoms / len(atoms)) ** (1.0 / max(atoms.pbc.sum(), 1))
                    scale = np.where(atoms.pbc, share, 1.0)
                    chunk.set_cell(atoms.cell.array * scale[:, None], scale_atoms=True)
                else:
                    chunk = put_in_box(chunk, self.vacuum)
            made.append(chunk)
        return Configurations.from_atoms(made)
