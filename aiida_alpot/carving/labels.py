# SPDX-License-Identifier: MIT
"""Chunks as configurations, and what of their labels is trained on: one force each.

The force mask of a chunk is true for its central atom alone. Its energy and stress are those of a
cluster, or of a cell that was cut to size, and say nothing about the structure; trained on they
would only teach surfaces. They are taken out wherever a chunk is trained on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers

from aiida_alpot.ase_structures import CARVED
from aiida_alpot.carving.chunks import Chunk
from aiida_alpot.configurations import Configurations, Origin

Array = np.ndarray
_NAME = re.compile(r"_chunk_(\d+)$")


def chunks_as_configurations(
    chunks: Sequence[Chunk],
    *,
    names: Sequence[str],
    uncertainties: Sequence[float] | None = None,
    turn: int = 0,
    frames: Sequence[Origin] | None = None,
) -> Configurations:
    """Return chunks as configurations whose central atoms alone are trained on.

    Parameters
    ----------
    chunks : sequence of Chunk
        In any order.
    names : sequence of str
        What each was carved from; becomes the chain of its origin, the atom its step. The atom
        stands in the name of the chunk too, see :func:`central_atom`.
    uncertainties : sequence of float, optional
        Of the force on each central atom, or its grade; becomes the grade of its origin.
    turn : int
        Of the campaign.
    frames : sequence of Origin, optional
        Origins of the frames of a sampler that the chunks were carved from. A chunk keeps turn,
        chain, step and grade of its frame then, and its sampler is that of the frame followed by
        ``/carve``.
    """
    grades = [float("nan")] * len(chunks) if uncertainties is None else uncertainties
    structures = []
    for chunk in chunks:
        atoms = chunk.atoms.copy()
        atoms.set_array("force_mask", chunk.force_mask)
        structures.append(atoms)
    if frames is None:
        origins = [
            Origin(turn, CARVED, name, chunk.centre, float(grade))
            for name, chunk, grade in zip(names, chunks, grades, strict=True)
        ]
    else:
        origins = [one._replace(sampler=f"{one.sampler}/{CARVED}") for one in frames]
    return Configurations.from_atoms(
        structures,
        identifiers=[
            f"{name}_chunk_{chunk.centre}" for name, chunk in zip(names, chunks, strict=True)
        ],
        origins=origins,
    )


def central_atom(identifier: str) -> int | None:
    """Return the atom about which a chunk was carved, by the name of the chunk.

    Examples
    --------
    >>> central_atom("turn_001/nvt/particle/000040_chunk_17"), central_atom("particle")
    (17, None)
    """
    found = _NAME.search(identifier)
    return None if found is None else int(found[1])


def frame_of_chunk(identifier: str) -> str:
    """Return the name of what a chunk was carved from, by the name of the chunk."""
    return _NAME.sub("", identifier)


def is_carved(configurations: Configurations) -> Array:
    """(n,) bool: whether each configuration is a chunk, by its origin and its force mask."""
    has_mask = np.zeros(len(configurations), dtype=bool)
    if len(configurations):
        masked = ~np.append(configurations.force_mask, True)
        has_mask = np.logical_or.reduceat(masked, configurations.offsets[:-1])
    sampler = configurations.sampler
    of_frame = np.char.endswith(sampler, f"/{CARVED}") if len(sampler) else has_mask
    carved: Array = has_mask & ((sampler == CARVED) | of_frame)
    return carved


def keep_central_forces(configurations: Configurations) -> Configurations:
    """Return a set in which the labels of chunks are the forces on their central atoms alone.

    Energies, stresses and the forces that the mask leaves out become absent in chunks; other
    configurations stay as they are.
    """
    carved = is_carved(configurations)
    if not carved.any():
        return configurations
    outside = np.repeat(carved, configurations.n_atoms) & ~configurations.force_mask
    return configurations.replace(
        energy=np.where(carved, np.nan, configurations.energy),
        energy_extrapolated=np.where(carved, np.nan, configurations.energy_extrapolated),
        stress=np.where(carved[:, None], np.nan, configurations.stress),
        forces=np.where(outside[:, None], np.nan, configurations.forces),
    )


def without_species(configurations: Configurations, numbers: Sequence[int]) -> Configurations:
    """Return a set without atoms of some elements, such as the hydrogen that saturated bonds.

    Labels of the other atoms stay; energies and stresses become absent where an atom was taken out.

    Parameters
    ----------
    configurations : Configurations
        Labelled chunks.
    numbers : sequence of int
        Atomic numbers to take out.
    """
    return _keep_atoms(
        configurations, ~np.isin(configurations.numbers, np.asarray(numbers, dtype=np.int32))
    )


def without_saturation(
    configurations: Configurations, species: Sequence[str] | None
) -> Configurations:
    """Return a set whose chunks lack the atoms of elements that a potential does not know.

    They saturate cut bonds of what is labelled; the potential is trained and asked without them.
    Atoms of other configurations, and those whose forces are trained on, are not touched.

    Parameters
    ----------
    configurations : Configurations
        With chunks among them, or without.
    species : sequence of str or None
        What the potential knows; None if that is not settled, so that everything stays.
    """
    if species is None or set(configurations.species) <= set(species):
        return configurations
    known = [atomic_numbers[symbol] for symbol in species]
    of_chunk = np.repeat(is_carved(configurations), configurations.n_atoms)
    saturates = of_chunk & ~configurations.force_mask & ~np.isin(configurations.numbers, known)
    return _keep_atoms(configurations, ~saturates) if saturates.any() else configurations


def _keep_atoms(configurations: Configurations, stays: Array) -> Configurations:
    """Return a set with some of its atoms, without energies and stresses where one is missing."""
    owner = np.repeat(np.arange(len(configurations)), configurations.n_atoms)
    counts = np.bincount(owner[stays], minlength=len(configurations))
    touched = counts != configurations.n_atoms
    return configurations.replace(
        numbers=configurations.numbers[stays],
        positions=configurations.positions[stays],
        forces=configurations.forces[stays],
        magnetic_moments=configurations.magnetic_moments[stays],
        force_mask=configurations.force_mask[stays],
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        energy=np.where(touched, np.nan, configurations.energy),
        energy_extrapolated=np.where(touched, np.nan, configurations.energy_extrapolated),
        stress=np.where(touched[:, None], np.nan, configurations.stress),
    )
