# SPDX-License-Identifier: MIT
"""Label with VASP: one WorkChain of aiida-vasp for each configuration.

The label is the free energy, of which VASP's forces are the gradient. Whether a run is a label is
judged here from its own files and not from exit codes alone: handlers of aiida-vasp can let a run
pass that stopped at its limit of electronic steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
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
from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.interfaces.vasp_output import (
    OutcarFacts,
    VaspRun,
    find_failure,
    read_outcar,
    read_vasprun,
)
from aiida_alpot.interfaces.vasp_rules import (
    count_kpoints,
    divide_cores,
    find_left_state,
    magmom_tag,
    mesh_of,
    needs_gamma_only,
    work_of,
)
from aiida_alpot.workflows.label.cells import make_cell
from aiida_alpot.workflows.label.plugin import PluginLabelWorkChain
from aiida_alpot.workflows.label.reading import Label, NoLabelError, require_same_cell
from aiida_alpot.workflows.label.recipes import (
    FAILED,
    MAGNETIC_STATE,
    TRUNCATED,
    UNCONVERGED,
    VASP_RECIPES,
    Recipes,
)
from aiida_alpot.workflows.label.sizes import cores_of

ENERGIES = ("energy_free", "energy_extrapolated")
POSCAR_DIGITS = 14
HARMLESS_IF_CONVERGED = ("edddav_zhegv", "eddrmm_zhegv")


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
        retrieved = outputs.get("retrieved")
        if retrieved is None:
            raise NoLabelError(TRUNCATED, "nothing was retrieved")
        try:
            run = read_vasprun(_content(retrieved, "vasprun.xml"))
        except InputFileError as error:
            raise NoLabelError(TRUNCATED, str(error)) from error
        outcar = _read_outcar(retrieved)
        failure = find_failure(run, outcar)
        if failure is not None:
            raise NoLabelError(*failure)
        _require_what_was_asked(run, atoms, request)
        _require_good_summary(outputs.get("misc"), run)
        moments = outcar.magnetic_moments
        if request["moments"] is not None:
            _require_state(moments, request)
        return Label(
            energy=run.free_energy,
            energy_extrapolated=run.energy_extrapolated,
            forces=run.forces,
            stress=run.stress,
            magnetic_moments=moments,
            seconds=outcar.seconds,
        )


def potcar_names(symbols: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the POTCAR file of each species."""
    return {symbol: mapping.get(symbol, symbol) for symbol in sorted(set(symbols))}


def potcar_hashes(species: list[str], family: str, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of the POTCAR file of each species.

    Raises
    ------
    SettingError
        If the family is not in this profile, or has no such file.
    """
    from aiida_vasp.data.potcar import PotcarData

    names = potcar_names(species, mapping)
    if PotcarData.get_potcar_group(family) is None:
        raise SettingError(
            f"There is no family {family!r} of POTCAR files in this profile. Upload it: "
            f"aiida-vasp potcar uploadfamily --path FOLDER --name {family} --description TEXT"
        )
    try:
        found = PotcarData.get_potcars_dict(list(names), family_name=family, mapping=names)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise SettingError(
            f"The family {family!r} lacks a POTCAR file of {names}: {error}. Name another in "
            "settings.mapping, or upload it."
        ) from error
    return {symbol: f"sha512:{found[symbol].sha512}" for symbol in names}


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


def _content(retrieved: orm.FolderData, name: str) -> bytes:
    try:
        content: bytes = retrieved.base.repository.get_object_content(name, mode="rb")
    except FileNotFoundError as error:
        raise NoLabelError(TRUNCATED, f"there is no {name}") from error
    return content


def _read_outcar(retrieved: orm.FolderData) -> OutcarFacts:
    """Read the OUTCAR line by line, since it can be large."""
    try:
        with retrieved.base.repository.open("OUTCAR", mode="rb") as stream:
            return read_outcar(line.decode("utf-8", "replace") for line in stream)
    except FileNotFoundError as error:
        raise NoLabelError(TRUNCATED, "there is no OUTCAR") from error


def _require_what_was_asked(run: VaspRun, atoms: Atoms, request: Mapping[str, Any]) -> None:
    """Refuse a run of another cell, other k-points or another level of theory."""
    other = Atoms(run.symbols, scaled_positions=run.scaled_positions, cell=run.cell, pbc=True)
    require_same_cell(atoms, other)
    if run.mesh is not None and list(run.mesh) != list(request["mesh"]):
        raise NoLabelError(FAILED, f"VASP took the mesh {run.mesh}, not {request['mesh']}")
    for tag, asked in deciding_tags(request["incar"]).items():
        if tag in run.incar and not _is_same(run.incar[tag], asked):
            raise NoLabelError(
                FAILED, f"VASP ran with {tag.upper()} = {run.incar[tag]}, not {asked}"
            )


def _is_same(found: Any, asked: Any) -> bool:
    """Return whether a tag was read as it was asked for; VASP shortens texts and numbers."""
    if isinstance(asked, list):
        words = found if isinstance(found, list) else [found]
        return len(words) == len(asked) and all(map(_is_same, words, asked))
    if isinstance(asked, str) and isinstance(found, str):
        short, long = sorted((found.strip().lower(), asked), key=len)
        return long.startswith(short)
    if isinstance(asked, float) and isinstance(found, float):
        return math.isclose(found, asked, rel_tol=1e-6, abs_tol=1e-8)
    return bool(found == asked) if isinstance(found, bool) == isinstance(asked, bool) else True


def _require_good_summary(misc: orm.Dict | None, run: VaspRun) -> None:
    """Refuse a run of which aiida-vasp's parser has something bad to say."""
    from aiida_vasp.parsers.vasp import ParserSettingsConfig

    if misc is None:
        raise NoLabelError(TRUNCATED, "aiida-vasp parsed no summary of the run")
    summary = misc.get_dict()
    status = summary.get("run_status", {})
    if not status.get("finished"):
        raise NoLabelError(TRUNCATED, "aiida-vasp says that the run did not finish")
    if not status.get("electronic_converged") or status.get("contains_nelm_breach"):
        raise NoLabelError(UNCONVERGED, "aiida-vasp says that the electrons did not converge")
    fatal = set(ParserSettingsConfig().critical_notification_errors) - set(HARMLESS_IF_CONVERGED)
    for notification in summary.get("notifications", []):
        if notification["name"] in fatal:
            raise NoLabelError(FAILED, f"VASP says: {notification['message']}")
    energy = summary.get("total_energies", {}).get("energy_free")
    if energy is not None and not math.isclose(energy, run.free_energy, abs_tol=1e-5):
        raise NoLabelError(
            FAILED,
            f"aiida-vasp read the free energy {energy} eV, vasprun.xml has {run.free_energy}",
        )


def _require_state(moments: np.ndarray | None, request: Mapping[str, Any]) -> None:
    if moments is None or len(moments) != len(request["moments"]):
        raise NoLabelError(TRUNCATED, "the OUTCAR has no moments of the atoms")
    left = find_left_state(np.array(request["moments"]), moments, kept=request["moment_kept"])
    if left is not None:
        raise NoLabelError(MAGNETIC_STATE, left)
