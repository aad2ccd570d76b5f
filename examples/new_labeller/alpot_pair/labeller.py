# SPDX-License-Identifier: MIT
"""The labeller: which process, its inputs, and how its outputs become a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from ase import Atoms
from ase.units import Pascal, kcal, mol

from aiida_alpot.campaign.calculators import plain_level
from aiida_alpot.workflows.label.plugin import PluginLabelWorkChain, require_settings
from aiida_alpot.workflows.label.reading import Label, NoLabelError
from aiida_alpot.workflows.label.recipes import RECIPES, UNCONVERGED, Recipe, Recipes

KCAL_PER_MOL = kcal / mol
ATMOSPHERE = 101325 * Pascal
DECIDES = ("epsilon_kcal_per_mol", "sigma", "cutoff")


class PairLabelWorkChain(PluginLabelWorkChain):
    """Label with the code ``alpot-pair``."""

    PROCESS = "pair.energy"
    READS = ("results",)
    RECIPES: ClassVar[Recipes] = {
        **RECIPES,
        UNCONVERGED: (Recipe("more patience", {"settings": {"max_pairs": 1_000_000}}),),
    }

    @classmethod
    def check_settings(cls, calculator: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with defaults filled in."""
        known = {"epsilon_kcal_per_mol": ..., "sigma": ..., "cutoff": 6.0, "max_pairs": 1000}
        return require_settings(calculator.get("settings") or {}, known)

    @classmethod
    def level_of_theory(cls, calculator: Mapping[str, Any], species: list[str]) -> str:
        """Return what decides a label; how patient the code is does not."""
        settings = cls.check_settings(calculator)
        return plain_level("alpot-pair", {name: settings[name] for name in DECIDES})

    @classmethod
    def request_for(
        cls,
        atoms: Atoms,
        settings: Mapping[str, Any],
        changes: Mapping[str, Any],
        names: tuple[str, ...],
    ) -> dict[str, Any]:
        """Return the parameters of the code, as the recipes so far have it."""
        return {"parameters": {**settings, **changes.get("settings", {})}}

    def inputs_for(
        self, structure: orm.StructureData, atoms: Atoms, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the inputs of the CalcJob."""
        return {
            "code": self.inputs.code,
            "structure": structure,
            "parameters": orm.Dict(request["parameters"]),
            "metadata": {"options": request["options"]},
        }

    @classmethod
    def read_label(
        cls, outputs: Mapping[str, orm.Data], atoms: Atoms, request: Mapping[str, Any]
    ) -> Label:
        """Return the label in eV, eV/A and eV/A^3; a stress is minus a pressure."""
        found = outputs["results"].get_dict()
        if not found["done"]:
            raise NoLabelError(UNCONVERGED, f"{found['n_pairs']} pairs were too many")
        pressure = np.array(found["pressure_atm"]) * ATMOSPHERE
        return Label(
            energy=found["energy_kcal_per_mol"] * KCAL_PER_MOL,
            forces=np.array(found["forces_kcal_per_mol_A"]) * KCAL_PER_MOL,
            stress=-pressure[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        )
