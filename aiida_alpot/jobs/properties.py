# SPDX-License-Identifier: MIT
"""The job ``properties``: measure a potential, and the reference calculator beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError

from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.jobs.calculators import load_calculator
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.properties.registry import (
    compares_with_reference,
    make_property_settings,
    measure,
    needs_reference,
)
from aiida_alpot.properties.relaxing import PropertyError


@dataclass(frozen=True)
class PropertiesRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    calculator : dict
        See :mod:`aiida_alpot.jobs.calculators`.
    structures : str
        File of the structures, told apart by their identifiers.
    properties : tuple of dict
        ``kind``, its settings, and ``structure``, the identifier of one of the structures; the
        first one by default.
    reference : dict, optional
        Calculator with which every property is measured too, or that the property compares with.
    seed, threads : int
        Seed of all randomness, number of threads.
    """

    calculator: dict[str, Any]
    structures: str
    properties: tuple[dict[str, Any], ...]
    reference: dict[str, Any] | None = None
    seed: int = 0
    threads: int = 1


REQUEST = PropertiesRequest


@dataclass(frozen=True)
class Task:
    """One property to be measured."""

    kind: str
    structure: str
    settings: dict[str, Any]


def run(request: PropertiesRequest, folder: Path) -> Mapping[str, Any]:
    """Measure every property; one that fails says why and does not stop the others.

    Returns
    -------
    dict
        ``properties``: a list of ``{"kind", "structure", "settings", "values", "reference",
        "difference", "failed"}``. ``values`` and ``reference`` are the results, ``difference`` that
        of their numbers, ``failed`` the reason why there are no values.

    Raises
    ------
    AlpotError
        If the request or a file is not usable; nothing has been measured then.
    """
    structures = Configurations.load(file_in(folder, request.structures))
    check_geometry(structures)
    tasks = [read_task(content, structures) for content in request.properties]
    if request.seed < 0:
        raise SettingError(f"'seed' is {request.seed}; it must be zero or positive.")
    calculator = load_calculator(request.calculator, folder, threads=request.threads)
    reference = None
    if request.reference is not None:
        reference = load_calculator(request.reference, folder, threads=request.threads)
    _check_references(tasks, reference)
    by_name = dict(zip((str(name) for name in structures.identifier), structures, strict=True))
    seeds = np.random.SeedSequence(request.seed).spawn(len(tasks))
    return {
        "properties": [
            _run_task(task, by_name[task.structure], calculator, reference, seed)
            for task, seed in zip(tasks, seeds, strict=True)
        ]
    }


def read_task(content: Mapping[str, Any], structures: Configurations) -> Task:
    """Check one entry of ``properties`` before anything is measured.

    Raises
    ------
    SettingError
        If the kind, a setting or the structure is not known.
    """
    if "kind" not in content:
        raise SettingError("A property lacks the key 'kind'.")
    kind = str(content["kind"])
    settings = {key: value for key, value in content.items() if key not in ("kind", "structure")}
    made = make_property_settings(kind, settings)
    names = [str(name) for name in structures.identifier]
    structure = str(content.get("structure", names[0]))
    if structure not in names:
        raise SettingError(
            f"The property '{kind}' asks for the structure {structure!r}; there are "
            f"{', '.join(names)}."
        )
    return Task(kind, structure, dataclasses.asdict(made))


def _check_references(tasks: list[Task], reference: Any) -> None:
    for task in tasks:
        if needs_reference(task.kind) and reference is None:
            raise SettingError(
                f"The property '{task.kind}' compares with a reference calculator; give the key "
                "'reference' of the request."
            )


def _run_task(
    task: Task, structure: Atoms, calculator: Any, reference: Any, seed: np.random.SeedSequence
) -> dict[str, Any]:
    structure = Atoms(
        numbers=structure.numbers,
        positions=structure.positions,
        cell=structure.cell,
        pbc=structure.pbc,
    )
    entry: dict[str, Any] = {**dataclasses.asdict(task), "reference": None, "difference": None}
    compares = compares_with_reference(task.kind)
    entry["values"], entry["failed"] = _measure(
        task, structure, calculator, reference if compares else None, seed
    )
    if reference is not None and not compares:
        entry["reference"], failed = _measure(task, structure, reference, None, seed)
        entry["failed"] = entry["failed"] or (failed and f"with the reference: {failed}")
    if entry["values"] and entry["reference"]:
        entry["difference"] = subtract(entry["values"], entry["reference"])
    return entry


def _measure(
    task: Task, structure: Atoms, calculator: Any, reference: Any, seed: np.random.SeedSequence
) -> tuple[dict[str, Any] | None, str | None]:
    try:
        result = measure(
            task.kind,
            calculator,
            structure,
            task.settings,
            reference=reference,
            rng=np.random.default_rng(seed),
        )
    except (PropertyError, GeometryError, CalculatorError, ArithmeticError) as error:
        return None, " ".join(str(error).split())
    return dataclasses.asdict(result), None


def subtract(values: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """Return value minus reference for every result that is a single real number."""
    return {
        key: value - reference[key]
        for key, value in values.items()
        if isinstance(value, float)
        and math.isfinite(value)
        and isinstance(reference.get(key), float)
        and math.isfinite(reference[key])
    }
