# SPDX-License-Identifier: MIT
"""Label with VASP: one WorkChain of aiida-vasp for each configuration.

The label is the free energy, of which VASP's forces are the gradient. Whether a run is a label is
judged here from its own files and not from exit codes alone: handlers of aiida-vasp can let a run
pass that stopped at its limit of electronic steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from aiida.engine import ProcessSpec
from ase import Atoms

from aiida_alpot.campaign.vasp_settings import (
    check_vasp_settings,
    deciding_tags,
    incar_of,
    moments_of,
    vasp_level,
)
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.interfaces.vasp_rules import (
    count_kpoints,
    divide_cores,
    magmom_tag,
    mesh_of,
    needs_gamma_only,
    work_of,
)
from aiida_alpot.workflows.label.cells import make_cell
from aiida_alpot.workflows.label.plugin import PluginLabelWorkChain
from aiida_alpot.workflows.label.potcars import potcar_hashes, potcar_names
from aiida_alpot.workflows.label.reading import Label
from aiida_alpot.workflows.label.recipes import (
    VASP_RECIPES,
    Recipes,
)
from aiida_alpot.workflows.label.sizes import cores_of
from aiida_alpot.workflows.label.vasp_reading import (
    read_run,
    require_good_summary,
    require_state,
    require_what_was_asked,
)

ENERGIES = ("energy_free", "energy_extrapolated")
POSCAR_DIGITS = 14


class VaspLabelWorkChain(PluginLabelWorkChain):
    """Label with VASP through ``vasp.v2.vasp`` of aiida-vasp."""

    PROCESS: ClassVar[str] = "vasp.v2.vasp"
    READS: ClassVar[tuple[str, ...]] = ("misc", "retrieved")
    RECIPES: ClassVar[Recipes] = VASP_RECIPES

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the executable for Gamma alone."""
        super().define(spec)
        spec.input(
            "code_gamma",
            valid_type=orm.AbstractCode,
            required=False,
            help="For cells of which Gamma is the only k-point: vasp_gam.",
        )

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Refuse every calculator but VASP."""
        name = calculator.get("name")
        if name != "VASP":
            return f"The workchain 'vasp' labels with VASP, not with {name!r}; use 'ase' for that."
        return None

    @classmethod
    def check_settings(cls, calculator: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of VASP with defaults filled in."""
        return check_vasp_settings(calculator.get("settings") or {})

    @classmethod
    def level_of_theory(cls, calculator: Mapping[str, Any], species: list[str]) -> str:
        """Return the level of theory, with the hashes of the POTCAR files of the species."""
        settings = cls.check_settings(calculator)
        return vasp_level(settings, potcar_hashes(species, settings["family"], settings["mapping"]))

    @classmethod
    def work_of(
        cls, configurations: Configurations, index: int, settings: Mapping[str, Any]
    ) -> int:
        """Return atoms x k-points."""
        cell = make_cell(configurations.atoms(index), settings["vacuum"])
        return work_of(len(cell.atoms), _mesh(cell.atoms, settings))

    @classmethod
    def request_for(
        cls,
        atoms: Atoms,
        settings: Mapping[str, Any],
        changes: Mapping[str, Any],
        names: tuple[str, ...],
    ) -> dict[str, Any]:
        """Return mesh, INCAR and moments for a cell, as the recipes so far have it."""
        base = incar_of(settings)
        incar = {**base, **changes.get("incar", {})}
        if deciding_tags(incar) != deciding_tags(base):
            raise SettingError(f"A recipe changes the level of theory: {changes['incar']}.")
        moments = moments_of(settings, list(atoms.symbols), names)
        if moments is not None:
            incar["magmom"] = magmom_tag(changes.get("moments", 1.0) * np.array(moments))
        return {
            "mesh": list(_mesh(atoms, settings)),
            "incar": incar,
            "moments": moments,
            "moment_kept": settings["moment_kept"],
            "kpar": changes.get("kpar"),
        }

    def code_for(self, request: Mapping[str, Any]) -> orm.AbstractCode:
        """Return the executable for Gamma alone where there is one and that is all."""
        if needs_gamma_only(request["mesh"]) and "code_gamma" in self.inputs:
            return self.inputs.code_gamma
        return self.inputs.code

    def inputs_for(
        self, structure: orm.StructureData, atoms: Atoms, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the inputs of the WorkChain of aiida-vasp."""
        settings = self.check_settings(self.label_settings().calculator)
        options = request["options"]
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(request["mesh"])
        inputs: dict[str, Any] = {
            "code": self.code_for(request),
            "structure": structure,
            "kpoints": kpoints,
            "parameters": orm.Dict({"incar": {**request["incar"], **_parallel(atoms, request)}}),
            "potential_family": orm.Str(settings["family"]),
            "potential_mapping": orm.Dict(potcar_names(list(atoms.symbols), settings["mapping"])),
            "settings": orm.Dict(
                {
                    "parser_settings": {"energy_type": list(ENERGIES), **settings["parser"]},
                    "poscar_precision": POSCAR_DIGITS,
                    # they keep each job for seconds, and that of loop times finds no file
                    "no_default_monitors": True,
                }
            ),
            "max_iterations": orm.Int(settings["max_iterations"]),
            "calc": {"metadata": {"options": options}},
        }
        if settings["ldau"]:
            inputs["ldau_mapping"] = orm.Dict(settings["ldau"])
        return inputs

    @classmethod
    def read_label(
        cls, outputs: Mapping[str, orm.Data], atoms: Atoms, request: Mapping[str, Any]
    ) -> Label:
        """Return the label of a run that converged, finished, and did what was asked of it."""
        run, outcar = read_run(outputs.get("retrieved"))
        require_what_was_asked(run, atoms, request)
        require_good_summary(outputs.get("misc"), run)
        if request["moments"] is not None:
            require_state(outcar.magnetic_moments, request)
        return Label(
            energy=run.free_energy,
            energy_extrapolated=run.energy_extrapolated,
            forces=run.forces,
            stress=run.stress,
            magnetic_moments=outcar.magnetic_moments,
            seconds=outcar.seconds,
        )


def _mesh(atoms: Atoms, settings: Mapping[str, Any]) -> tuple[int, int, int]:
    if settings["kpts"] is not None:
        first, second, third = (
            n if periodic else 1 for n, periodic in zip(settings["kpts"], atoms.pbc, strict=True)
        )
        return first, second, third
    return mesh_of(atoms.cell.array, atoms.pbc, settings["kspacing"])


def _parallel(atoms: Atoms, request: Mapping[str, Any]) -> dict[str, int]:
    """Return KPAR and NCORE by rule, unless the INCAR divides the cores itself."""
    if {"kpar", "ncore", "npar"} & set(request["incar"]):
        return {}
    n_cores, per_node = cores_of(request["options"]["resources"])
    division = divide_cores(
        n_cores, count_kpoints(request["mesh"]), len(atoms), cores_per_node=per_node
    )
    return {"kpar": request["kpar"] or division.kpar, "ncore": division.ncore}
