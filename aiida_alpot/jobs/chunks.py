# SPDX-License-Identifier: MIT
"""Chunks in jobs: carved about atoms of frames, each once, with the origins of the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from aiida_alpot.ase_structures import CARVED
from aiida_alpot.carving import Chunk, carve_at_most, chunks_as_configurations
from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import GeometryError
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.sampling.draw_keys import draw_key
from aiida_alpot.selection.duplicates import find_alike
from aiida_alpot.selection.fingerprints import Fingerprint, fingerprints

Array = np.ndarray


@dataclass(frozen=True)
class CarvedFrames:
    """Chunks of some frames.

    Parameters
    ----------
    chunks : Configurations
        Without labels; frame by frame, about the atoms in the order asked for.
    frame : (n,) int64
        Place of the frame of each.
    values : (n,) float64
        Uncertainty or grade of the central atom of each.
    too_large : dict of int to str
        Frames about one of whose atoms no chunk could be carved, and why.
    """

    chunks: Configurations
    frame: Array
    values: Array
    too_large: dict[int, str]


def carve_frames(
    frames: Configurations,
    atoms: Sequence[Array],
    values: Sequence[Array],
    settings: CarveSettings,
) -> CarvedFrames:
    """Carve chunks about some atoms of some frames.

    Parameters
    ----------
    frames : Configurations
        With the origins that a sampler gives them.
    atoms, values : sequence of arrays
        For each frame the atoms, and how uncertain each of them is.
    settings : CarveSettings
        How.
    """
    chunks: list[Chunk] = []
    owners: list[int] = []
    kept: list[float] = []
    failed: dict[int, str] = {}
    for place, (chosen, of_chosen) in enumerate(zip(atoms, values, strict=True)):
        structure = frames.atoms(place)
        for centre, value in zip(chosen.tolist(), of_chosen.tolist(), strict=True):
            try:
                chunk = carve_at_most(
                    structure,
                    centre,
                    radius=settings.radius,
                    vacuum=settings.vacuum,
                    kind=settings.kind,
                    element=settings.passivate,
                    most=settings.above_atoms,
                    smallest_radius=settings.smallest_radius,
                )
            except GeometryError as error:
                failed[place] = str(error)
                continue
            if chunk is None:
                failed[place] = (
                    f"a chunk about atom {centre} with the cutoff of the potential for a radius "
                    f"holds more than {settings.above_atoms} atoms"
                )
                continue
            chunks.append(chunk)
            owners.append(place)
            kept.append(value)
    made = chunks_as_configurations(
        chunks,
        names=[str(frames.identifier[place]) for place in owners],
        frames=[origin_of(frames, place) for place in owners],
    )
    return CarvedFrames(made, np.array(owners, dtype=np.int64), np.array(kept), failed)


def origin_of(frames: Configurations, place: int) -> Origin:
    """Return the origin of a frame; of one without a sampler its name is the chain."""
    origin = frames.origin(place)
    if origin.sampler or origin.chain:
        return origin
    return origin._replace(chain=str(frames.identifier[place]))


def find_unlike(
    chunks: Configurations, tolerance: float, *, known: Configurations | None = None
) -> Array:
    """Return the chunks that are like none before them nor like a known one, in their order.

    Alike are chunks whose fingerprints differ by no more than a tolerance and whose central atoms
    see the same: chunks about two atoms may hold the same atoms, and teach two forces.

    Parameters
    ----------
    chunks : Configurations
        Central atoms first; the chunk to be kept of those that are alike before the others.
    tolerance : float
        A.
    known : Configurations, optional
        Chunks too.

    Returns
    -------
    (k,) int64
        Places of the chunks to keep.
    """
    known = Configurations.empty() if known is None else known
    both = concatenate([known.without_labels(), chunks.without_labels()])
    made = [
        _seen_from_centre(one, atoms) for one, atoms in zip(fingerprints(both), both, strict=True)
    ]
    alike = find_alike(made, tolerance, n_known=len(known))[len(known) :]
    return np.flatnonzero([other is None for other in alike])


def _seen_from_centre(fingerprint: Fingerprint, chunk: Atoms) -> Fingerprint:
    """Return the fingerprint of a chunk that also tells its central atom."""
    view = np.sort(np.linalg.norm(chunk.positions - chunk.positions[0], axis=1))
    centre = (int(chunk.numbers[0]), -len(chunk))
    return Fingerprint(
        (*fingerprint.composition, centre), np.concatenate([fingerprint.lengths, view])
    )


def carve_audit(frames: Configurations, settings: CarveSettings, *, seed: int) -> Configurations:
    """Return the frames of an audit, of large ones a chunk about an atom drawn at random.

    The atom follows from the seed, the sampler, the chain and the step alone. What cannot be carved
    is left out.

    Parameters
    ----------
    frames : Configurations
        Drawn at random.
    settings : CarveSettings
        How.
    seed : int
        That of the draw.
    """
    large = settings.is_large(frames)
    parts = []
    for place in range(len(frames)):
        one = frames.select([place])
        if not large[place]:
            parts.append(one)
            continue
        turn, sampler, chain, step, _ = one.origin(0)
        key = draw_key(seed, f"{sampler}/{CARVED}", f"{turn}/{chain}", step)
        atom = np.random.default_rng(key).integers(int(one.n_atoms[0]))
        carved = carve_frames(one, [np.array([atom])], [np.array([one.grade[0]])], settings)
        parts.append(carved.chunks)
    return concatenate(parts)
