# SPDX-License-Identifier: MIT
"""The job ``carve``: chunks about the atoms of structures whose forces are most uncertain.

Uncertain is what a committee disagrees about, or what an active set does not know. The chunks are
labelled like any configurations; a fit trains on the force of their central atoms alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.carving import (
    Chunk,
    choose_atoms,
    chunks_as_configurations,
    measure_locality,
)
from aiida_alpot.carving.chunks import RADIUS, VACUUM
from aiida_alpot.carving.most_atoms import carve
from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader, force_uncertainty
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.jobs.calculators import load_calculator
from aiida_alpot.jobs.chunks import find_unlike
from aiida_alpot.jobs.grade import read_committee, read_sets
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.selection.picking import ALIKE_WITHIN

Array = np.ndarray
CHUNKS_FILE = "chunks.npz"
CHECKED_ATOMS = 5


@dataclass(frozen=True)
class CarveRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    configurations : str
        File of the structures to carve from.
    committee : list of str
        Files of at least two potentials, whose disagreement chooses the atoms.
    potential, training : str or null, list of str
        In place of a committee: the potential and its training set, whose neighbourhood grades
        choose them.
    species : list of str or null
        Order of the types, for potential files that name none.
    choice, value, limit
        See :func:`aiida_alpot.carving.choose_atoms`; in each structure. The value of a threshold
        is eV/A, or a grade (2 if null).
    factor : float
        delta = factor x standard deviation of the forces of the committee.
    radius, vacuum : float
        See :func:`aiida_alpot.carving.carve_chunk`.
    kind : {"cluster", "periodic"}
        Whether chunks are clusters, or smaller periodic cells.
    passivate : str or null
        Element that saturates the cut bonds of clusters.
    alike_within : float
        Of chunks whose fingerprints differ by no more than this, A, that of the most uncertain atom
        is kept.
    check : dict or null
        ``{"calculator": {...}, "radii": [...], "reference": R or null, "atoms": n}``: the forces on
        the n most uncertain central atoms of the first structure in chunks of several radii, each
        against that in a chunk of radius R, or in the whole structure.
    turn, threads : int
        Turn of the origin; threads of the linear algebra.
    """

    configurations: str
    committee: tuple[str, ...] = ()
    potential: str | None = None
    training: tuple[str, ...] = ()
    species: tuple[str, ...] | None = None
    choice: Literal["threshold", "fraction", "worst"] = "threshold"
    value: float | None = None
    limit: int | None = None
    factor: float = 2.58
    radius: float = RADIUS
    vacuum: float = VACUUM
    kind: Literal["cluster", "periodic"] = "cluster"
    passivate: str | None = None
    alike_within: float = ALIKE_WITHIN
    check: dict[str, Any] | None = None
    turn: int = 0
    threads: int = 1


REQUEST = CarveRequest


def run(request: CarveRequest, folder: Path) -> Mapping[str, Any]:
    """Write the chunks as ``chunks.npz``; return what was chosen and how uncertain it was.

    Raises
    ------
    SettingError
        If neither a committee nor a potential with its training set is given, or both are, or a
        key is out of range.
    SpeciesError
        If a potential lacks a species that occurs.
    GeometryError
        If a structure is not usable, or not periodic where periodic chunks are asked for.
    InputFileError
        If a file is missing or not readable.
    """
    structures = read_sets(folder, [request.configurations], request.species)
    check_geometry(structures)
    uncertainties = _uncertainties(request, folder, structures)
    chunks: list[Chunk] = []
    names: list[str] = []
    values: list[float] = []
    chosen: list[Array] = []
    for index, atoms in enumerate(structures):
        of_atoms = uncertainties[structures.atoms_slice(index)]
        chosen.append(_choose(request, of_atoms))
        for centre in chosen[-1].tolist():
            chunks.append(
                carve(
                    atoms,
                    centre,
                    radius=request.radius,
                    vacuum=request.vacuum,
                    kind=request.kind,
                    element=request.passivate,
                )
            )
            names.append(str(structures.identifier[index]))
            values.append(float(of_atoms[centre]))
    order = np.argsort([-value for value in values], kind="stable").tolist()
    configurations = chunks_as_configurations(
        [chunks[place] for place in order],
        names=[names[place] for place in order],
        uncertainties=[values[place] for place in order],
        turn=request.turn,
    )
    kept = find_unlike(configurations, request.alike_within)
    configurations.select(kept).save(folder / CHUNKS_FILE)
    largest = float(uncertainties.max(initial=0.0))
    checked = None
    if request.check is not None:
        of_first = uncertainties[structures.atoms_slice(0)]
        checked = _check(request, folder, structures.atoms(0), of_first)
    return {
        "uncertainty": "committee" if request.committee else "grade",
        "n_structures": len(structures),
        "n_atoms": len(structures.numbers),
        "n_chosen": len(order),
        "n_chunks": len(kept),
        "n_alike": len(order) - len(kept),
        "largest_uncertainty": largest,
        "mean_uncertainty": float(uncertainties.mean()) if len(uncertainties) else None,
        "chunk_sizes": configurations.select(kept).n_atoms,
        "chosen": [atoms.tolist() for atoms in chosen],
        "locality": checked,
    }


def _uncertainties(request: CarveRequest, folder: Path, structures: Configurations) -> Array:
    """Return delta, or the grade, of every atom."""
    has_active_set = request.potential is not None and len(request.training) > 0
    if bool(request.committee) == has_active_set:
        raise SettingError(
            "Atoms are chosen by a committee or by grades: give either 'committee', or 'potential' "
            "and 'training'."
        )
    if request.committee:
        grader = CommitteeGrader(read_committee(folder, request.committee, request.species))
        return force_uncertainty(grader.force_deviations(structures), factor=request.factor)
    assert request.potential is not None
    potential = read_potential(file_in(folder, request.potential), request.species)
    training = read_sets(folder, request.training, potential.species)
    active_set = build_active_set(potential, training, mode="neighborhood")
    grades = ExtrapolationGrader(potential, active_set).grade(structures).per_atom
    assert grades is not None
    return grades


def _choose(request: CarveRequest, uncertainties: Array) -> Array:
    value = request.value
    if value is None and request.choice == "threshold" and not request.committee:
        value = 2.0
    return choose_atoms(uncertainties, kind=request.choice, value=value, limit=request.limit)


def _check(
    request: CarveRequest, folder: Path, structure: Atoms, uncertainties: Array
) -> dict[str, Any]:
    """Return how forces on central atoms converge with the radius."""
    given = dict(request.check or {})
    calculator = given.pop("calculator", None)
    radii = given.pop("radii", [request.radius - 1.0, request.radius])
    reference = given.pop("reference", None)
    count = given.pop("atoms", CHECKED_ATOMS)
    if calculator is None or given:
        raise SettingError(
            "'check' needs 'calculator' and may have 'radii', 'reference' and 'atoms'"
            + (f", not {', '.join(sorted(given))}." if given else ".")
        )
    centres = np.argsort(-uncertainties, kind="stable")[:count].tolist()
    table = measure_locality(
        structure,
        centres,
        make_calculator=lambda: load_calculator(calculator, folder),
        radii=radii,
        reference=reference,
        vacuum=request.vacuum,
        kind=request.kind,
        element=request.passivate,
    )
    return {
        **dataclasses.asdict(table),
        "reference": reference,
        "centres": centres,
        "largest": table.largest,
        "mean": table.mean,
        "mean_size": table.sizes.mean(axis=1),
    }
