# SPDX-License-Identifier: MIT
"""Labels made elsewhere: read from files with their level of theory, bad ones refused by name.

A level of theory is what a file of its own says (calculator and settings as in the section
``label`` of a campaign file), else what the labels record: ``.npz`` and extended XYZ of this
package carry it, a ``vasprun.xml`` tells INCAR, mesh and titles of its POTCAR files.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.campaign.calculators import check_calculator, level_of_label
from aiida_alpot.campaign.vasp_settings import deciding_tags
from aiida_alpot.campaign.yaml_file import parse_yaml, read_yaml_text
from aiida_alpot.configuration_checks import check_geometry, check_labels
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import (
    CampaignFileError,
    InputFileError,
    LabelError,
    LevelOfTheoryError,
)
from aiida_alpot.interfaces.vasp_output import VaspRun, read_ionic_steps, read_potcar_titles
from aiida_alpot.mtp.structure_files import read_configurations

LARGEST_FILE = 2**30
_NELM = re.compile(r"NELM\s*=\s*(\d+)")
_ITERATION = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
_LEVEL_KEYS = {"calculator", "settings", "workchain"}


def read_labels(
    paths: Iterable[Path], *, level: str | None = None, species: Sequence[str] | None = None
) -> Configurations:
    """Return the labelled configurations of files, all of one level of theory.

    Parameters
    ----------
    paths : iterable of Path
        ``vasprun*.xml``, ``OUTCAR*``, ``.npz``, ``.cfg``, extended XYZ, or what else ASE reads.
    level : str, optional
        Level of theory of all labels, in place of what the files record.
    species : sequence of str, optional
        Order of the types in a ``.cfg`` file.

    Raises
    ------
    LabelError
        If a label is missing, not finite or not converged.
    LevelOfTheoryError
        If a file tells no level and none is given, it tells another one, or the files differ.
    """
    sets = [_read_one(Path(path), level, species) for path in paths]
    levels = {one.level_of_theory for one in sets}
    if len(levels) > 1:
        raise LevelOfTheoryError(
            f"The files hold labels of {len(levels)} levels of theory: {', '.join(sorted(levels))}."
            " Import each level on its own."
        )
    joined = concatenate(sets)
    check_geometry(joined)
    return joined


def species_in(paths: Iterable[Path], *, species: Sequence[str] | None = None) -> list[str]:
    """Return the chemical symbols that occur in files of labels, in alphabetical order."""
    found: set[str] = set()
    for path in map(Path, paths):
        if ".xml" in path.suffixes[-2:]:
            found.update(read_ionic_steps(_bytes_of(path))[0].symbols)
        else:
            found.update(read_configurations(path, species=species).species)
    return sorted(found)


def read_level(path: Path) -> dict[str, Any]:
    """Return the section ``label`` that a file holds: ``calculator``, ``settings``, ``workchain``.

    Raises
    ------
    CampaignFileError
        If the file cannot be read, or names no calculator or other keys.
    """
    content = parse_yaml(read_yaml_text(path), source=str(path))
    content = content.get("label", content)
    if not isinstance(content, dict) or "calculator" not in content:
        raise CampaignFileError(
            f"{path} names no calculator. Write 'calculator: GPAW' and its 'settings', or give a "
            "campaign file, whose section 'label' is read."
        )
    unknown = sorted(set(content) - _LEVEL_KEYS)
    if unknown and "label" not in parse_yaml(read_yaml_text(path), source=str(path)):
        raise CampaignFileError(f"{path}: unknown key {unknown[0]}; allowed: calculator, settings.")
    return {key: content[key] for key in sorted(_LEVEL_KEYS & set(content))}


def level_of_file(path: Path) -> str:
    """Return the level of theory that a file says, as far as it can be told without a profile."""
    content = read_level(path)
    name, settings = str(content["calculator"]), dict(content.get("settings") or {})
    if content.get("workchain") is None:
        settings = check_calculator(name, settings)
    return level_of_label(
        name, settings, workchain=content.get("workchain"), folder=Path(path).parent
    )


def _read_one(path: Path, level: str | None, species: Sequence[str] | None) -> Configurations:
    name = path.name.lower()
    if ".xml" in path.suffixes[-2:]:
        found = _read_vasprun(path, level)
    else:
        if "outcar" in name:
            _require_converged_outcar(path)
        found = read_configurations(path, species=species)
        if found.level_of_theory and level is not None and found.level_of_theory != level:
            raise LevelOfTheoryError(
                f"The labels in {path} were made at {found.level_of_theory}, the level given is "
                f"{level}. Leave the option out, or correct its file."
            )
        told = level or found.level_of_theory
        if not told:
            raise LevelOfTheoryError(
                f"{path} does not tell at which level of theory its labels were made. Give "
                "'--level-of-theory FILE.yaml' with calculator and settings."
            )
        found = found.replace(level_of_theory=told)
    return _checked(found, path)


def _checked(found: Configurations, path: Path) -> Configurations:
    try:
        check_labels(found)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    whole = np.isfinite(found.energy)
    for index in range(len(found)):
        if not whole[index] or not np.isfinite(found.forces[found.atoms_slice(index)]).all():
            raise LabelError(
                f"{path}: configuration {found.describe(index)} lacks its energy or forces, or "
                "they are not finite. Leave it out, or label it again."
            )
    return found


def _read_vasprun(path: Path, level: str | None) -> Configurations:
    content = _bytes_of(path)
    runs = read_ionic_steps(content)
    for number, run in enumerate(runs):
        _require_good_step(run, f"{path}: ionic step {number}")
    told = level
    if told is None:
        told = level_of_vasprun(runs[0], read_potcar_titles(content))
    else:
        _require_same_incar(runs[0], told, path)
    return Configurations.from_atoms(
        [_atoms_of(run) for run in runs],
        identifiers=[f"{path.parent.name or path.stem}_{number}" for number in range(len(runs))],
        level_of_theory=told,
    )


def level_of_vasprun(run: VaspRun, titles: dict[str, str]) -> str:
    """Return the level of theory that a ``vasprun.xml`` tells, as canonical JSON.

    Hashes of POTCAR files are not in it, so it is never that of a campaign; labels of it are used
    where that is forced, or imported with the level that they were made at.
    """
    settings = {
        "incar": deciding_tags(run.incar),
        "mesh": None if run.mesh is None else list(run.mesh),
        "titles": dict(sorted(titles.items())),
    }
    level = {"calculator": "VASP", "settings": settings, "told_by": "vasprun.xml"}
    return json.dumps(level, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _require_same_incar(run: VaspRun, level: str, path: Path) -> None:
    """Refuse a level of theory that the INCAR of a run contradicts."""
    asked = json.loads(level).get("settings", {}).get("incar")
    if asked is None:
        return
    found = deciding_tags(run.incar)
    for tag in sorted(set(asked) & set(found)):
        if asked[tag] != found[tag]:
            raise LevelOfTheoryError(
                f"{path} was made with {tag.upper()} = {found[tag]}, the level of theory given has "
                f"{asked[tag]}. Correct its file."
            )
    for tag in sorted(set(found) - set(asked)):
        raise LevelOfTheoryError(
            f"{path} was made with {tag.upper()} = {found[tag]}, of which the level of theory "
            "given says nothing. Add it to its settings."
        )


def _require_good_step(run: VaspRun, place: str) -> None:
    (steps,) = run.electronic_steps
    if not 0 < steps < run.nelm:
        raise LabelError(
            f"{place} is not converged: {steps} electronic steps of {run.nelm} allowed ones. Leave "
            "it out, or label it again."
        )
    whole = len(run.symbols) == len(run.forces) == len(run.scaled_positions) > 0
    if not whole or not np.isfinite(run.free_energy) or not np.isfinite(run.forces).all():
        raise LabelError(
            f"{place} lacks its energy or forces, or they are not finite. Leave it out, or label "
            "it again."
        )


def _atoms_of(run: VaspRun) -> Atoms:
    atoms = Atoms(run.symbols, scaled_positions=run.scaled_positions, cell=run.cell, pbc=True)
    results: dict[str, Any] = {
        "energy": run.energy_extrapolated,
        "free_energy": run.free_energy,
        "forces": run.forces,
    }
    if np.isfinite(run.stress).all():
        results["stress"] = run.stress
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _require_converged_outcar(path: Path) -> None:
    """Refuse an OUTCAR with an ionic step that used all of its electronic steps, or no end."""
    most, steps = 60, {}
    finished = False
    for line in _bytes_of(path).decode("utf-8", "replace").splitlines():
        if found := _ITERATION.search(line):
            steps[int(found[1])] = int(found[2])
        elif found := _NELM.search(line):
            most = int(found[1])
        finished |= "General timing and accounting" in line
    if not finished:
        raise LabelError(f"{path} does not reach the end of a run. Leave it out, or run it again.")
    for step, count in steps.items():
        if count >= most:
            raise LabelError(
                f"{path}: ionic step {step - 1} is not converged: {count} electronic steps of "
                f"{most} allowed ones. Leave it out, or label it again."
            )


def _bytes_of(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content: bytes = file.read(LARGEST_FILE + 1)
    except (OSError, EOFError) as error:
        raise InputFileError(f"Cannot read {path}: {error}.") from error
    if len(content) > LARGEST_FILE:
        raise InputFileError(f"{path} is larger than {LARGEST_FILE} bytes. Split it.")
    return content
