# SPDX-License-Identifier: MIT
"""ASE structures with their labels as the arrays of :class:`Configurations`, and back.

Labels travel in the calculator of a structure; the rest of what ASE has no place for travels in
``atoms.info`` and ``atoms.arrays``, so that nothing is lost on the way there and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

if TYPE_CHECKING:
    from aiida_alpot.configurations import Configurations

Array = np.ndarray


CARVED = "carve"
"""Sampler of a chunk of a structure; of one of a sampler's frame the end of it, ``nvt/carve``."""


def sampler_of_frame(sampler: str) -> str:
    """Return the sampler of an origin, for a chunk that of the frame it was carved from.

    Examples
    --------
    >>> sampler_of_frame("nvt/carve"), sampler_of_frame("nvt"), sampler_of_frame("carve")
    ('nvt', 'nvt', 'carve')
    """
    return sampler.removesuffix(f"/{CARVED}")


class Origin(NamedTuple):
    """Where a configuration came from.

    ``turn`` is -1 and ``sampler`` empty for configurations given from outside. ``chain`` names the
    start the sampler set out from; ``grade`` is the extrapolation grade on which it was selected.
    """

    turn: int = -1
    sampler: str = ""
    chain: str = ""
    step: int = 0
    grade: float = float("nan")


def arrays_of_structures(
    structures: Iterable[Atoms],
    *,
    identifiers: Sequence[str] | None = None,
    origins: Sequence[Origin] | None = None,
) -> dict[str, Any]:
    """Return the arrays of :class:`Configurations` by name, for structures with or without labels.

    Arguments as for :meth:`Configurations.from_atoms`, which says what is read from a structure.
    """
    structures = list(structures)
    origins = origins if origins is not None else [_origin_of(atoms) for atoms in structures]
    if identifiers is None:
        identifiers = [
            str(atoms.info.get("identifier", index)) for index, atoms in enumerate(structures)
        ]
    counts = [len(atoms) for atoms in structures]
    return {
        **_geometry(structures),
        **_labels(structures),
        **_columns(origins),
        "offsets": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        "identifier": _text(identifiers),
    }


def _geometry(structures: list[Atoms]) -> dict[str, Array]:
    return {
        "numbers": _join([atoms.numbers for atoms in structures], (), np.int32),
        "positions": _join([atoms.positions for atoms in structures], (3,), np.float64),
        "cells": _stack([atoms.cell.array for atoms in structures], (3, 3), np.float64),
        "pbc": _stack([atoms.pbc for atoms in structures], (3,), np.bool_),
    }


def _labels(structures: list[Atoms]) -> dict[str, Array]:
    labels = [_labels_of(atoms) for atoms in structures]
    extrapolated = [label["energy_extrapolated"] for label in labels]
    masks = [
        np.asarray(atoms.arrays.get("force_mask", np.ones(len(atoms))), dtype=bool)
        for atoms in structures
    ]
    weights = [atoms.info.get("weight", 1.0) for atoms in structures]
    return {
        "energy": _stack([label["energy"] for label in labels], (), np.float64),
        "energy_extrapolated": _stack(extrapolated, (), np.float64),
        "forces": _join([label["forces"] for label in labels], (3,), np.float64),
        "stress": _stack([label["stress"] for label in labels], (6,), np.float64),
        "magnetic_moments": _join([label["magnetic_moments"] for label in labels], (), np.float64),
        "force_mask": _join(masks, (), np.bool_),
        "weight": _stack(weights, (), np.float64),
    }


def _columns(origins: Sequence[Origin]) -> dict[str, Array]:
    return {
        "turn": np.array([origin.turn for origin in origins], dtype=np.int64),
        "sampler": _text([origin.sampler for origin in origins]),
        "chain": _text([origin.chain for origin in origins]),
        "step": np.array([origin.step for origin in origins], dtype=np.int64),
        "grade": np.array([origin.grade for origin in origins], dtype=np.float64),
    }


def _join(arrays: list[Array], shape: tuple[int, ...], dtype: Any) -> Array:
    """Return values of atoms one configuration after the other, also where there is none."""
    if not arrays:
        return np.zeros((0, *shape), dtype)
    return np.concatenate(arrays).astype(dtype).reshape(-1, *shape)


def _stack(values: list[Any], shape: tuple[int, ...], dtype: Any) -> Array:
    """Return values of configurations as one array, also where there is none."""
    return np.array(values, dtype=dtype).reshape(len(values), *shape)


def _text(values: Sequence[str]) -> Array:
    """Return an array of text whose width depends on the content alone."""
    return np.array([str(value) for value in values], dtype=np.str_).reshape(len(values))


def _origin_of(atoms: Atoms) -> Origin:
    info = atoms.info
    if "sampler" not in info:
        return Origin()
    return Origin(
        int(info.get("turn", -1)),
        str(info["sampler"]),
        str(info.get("chain", "")),
        int(info.get("step", 0)),
        float(info.get("grade", float("nan"))),
    )


def _labels_of(atoms: Atoms) -> dict[str, Any]:
    # results of another geometry are no labels of this one
    current = atoms.calc is not None and not atoms.calc.check_state(atoms)
    results = dict(atoms.calc.results) if current else {}
    absent = np.full((len(atoms), 3), np.nan)
    energy = results.get("energy", np.nan)
    free_energy = results.get("free_energy", energy)
    extrapolated = atoms.info.get("energy_extrapolated", np.nan)
    if free_energy != energy:
        extrapolated = energy
    stress = results.get("stress", np.full(6, np.nan))
    if np.shape(stress) == (3, 3):
        stress = np.asarray(stress)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return {
        "energy": np.nan if free_energy is None else free_energy,
        "energy_extrapolated": np.nan if extrapolated is None else extrapolated,
        "forces": np.asarray(results.get("forces", absent)),
        "stress": stress,
        "magnetic_moments": np.asarray(results.get("magmoms", np.full(len(atoms), np.nan))),
    }


def structure_at(configurations: Configurations, index: int) -> Atoms:
    """Return configuration ``index`` as Atoms, its labels in a SinglePointCalculator."""
    rows = configurations.atoms_slice(index)
    atoms = Atoms(
        numbers=configurations.numbers[rows],
        positions=configurations.positions[rows],
        cell=configurations.cells[index],
        pbc=configurations.pbc[index],
    )
    atoms.info["identifier"] = str(configurations.identifier[index])
    if configurations.weight[index] != 1.0:
        atoms.info["weight"] = float(configurations.weight[index])
    if configurations.turn[index] >= 0:
        for key, value in configurations.origin(index)._asdict().items():
            if key != "grade" or np.isfinite(value):
                atoms.info[key] = value
    if not configurations.force_mask[rows].all():
        atoms.set_array("force_mask", configurations.force_mask[rows].copy())
    results = _results(configurations, index)
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    if np.isfinite(configurations.energy_extrapolated[index]):
        atoms.info["energy_extrapolated"] = float(configurations.energy_extrapolated[index])
    return atoms


def _results(configurations: Configurations, index: int) -> dict[str, Any]:
    rows = configurations.atoms_slice(index)
    results: dict[str, Any] = {}
    if np.isfinite(configurations.energy[index]):
        results["energy"] = float(configurations.energy[index])
        results["free_energy"] = float(configurations.energy[index])
    if np.isfinite(configurations.forces[rows]).any():
        results["forces"] = configurations.forces[rows].copy()
    if np.isfinite(configurations.stress[index]).all():
        results["stress"] = configurations.stress[index].copy()
    if np.isfinite(configurations.magnetic_moments[rows]).any():
        results["magmoms"] = configurations.magnetic_moments[rows].copy()
    return results
