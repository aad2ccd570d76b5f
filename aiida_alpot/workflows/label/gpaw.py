# SPDX-License-Identifier: MIT
"""Label with GPAW, by a driver that travels with each job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida_alpot.configurations import Configurations
from aiida_alpot.interfaces.vasp_rules import mesh_of, work_of
from aiida_alpot.workflows.label.batch import BatchLabelWorkChain
from aiida_alpot.workflows.label.recipes import GPAW_RECIPES, Recipes


class GpawLabelWorkChain(BatchLabelWorkChain):
    """Label with GPAW through the Python that it is installed in, or through ``gpaw python``.

    The set-up of the code decides whether the job runs under MPI. Memory and time are those of
    the role ``label``.
    """

    RECIPES: ClassVar[Recipes] = GPAW_RECIPES

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Refuse every calculator but GPAW."""
        name = calculator.get("name")
        if str(name).lower() != "gpaw":
            return f"The workchain 'gpaw' labels with GPAW, not with {name!r}; use 'ase' for that."
        return None

    @classmethod
    def work_of(
        cls, configurations: Configurations, index: int, settings: Mapping[str, Any]
    ) -> int:
        """Return atoms x k-points, of which GPAW takes as many as VASP for one spacing."""
        cell, pbc = configurations.cells[index], configurations.pbc[index]
        n_atoms = int(configurations.n_atoms[index])
        if settings["kpts"] is not None:
            return work_of(n_atoms, settings["kpts"])
        if not pbc.all():
            return n_atoms
        return work_of(n_atoms, mesh_of(cell, pbc, settings["kspacing"]))
