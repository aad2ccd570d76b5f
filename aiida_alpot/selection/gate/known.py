# SPDX-License-Identifier: MIT
"""The scales that known configurations set: distances, volumes, pieces, fingerprints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.fingerprints import Fingerprint, FingerprintMaker
from aiida_alpot.selection.gate.distances import Pair
from aiida_alpot.selection.gate.fragments import KnownFragments, bond_lengths, count_fragments
from aiida_alpot.selection.gate.settings import GateSettings
from aiida_alpot.selection.pairs import pair_blocks

Array = np.ndarray


@dataclass(frozen=True)
class Scales:
    """What known configurations say about distances, volumes and pieces.

    Parameters
    ----------
    smallest : dict of (int, int) to float
        Smallest distance of each pair of atomic numbers, Angstrom.
    volumes : (m,) float64
        Volumes per atom of the crystals, A^3.
    bonds : (n_kinds,) float64 or None
        Bond length by kind of pair; None where pieces are not counted.
    fragments : KnownFragments
        Pieces of the configurations.
    fingerprints : list of Fingerprint
        One for each configuration.
    """

    smallest: dict[Pair, float]
    volumes: Array
    bonds: Array | None
    fragments: KnownFragments
    fingerprints: list[Fingerprint]


def learn_scales(known: Configurations, settings: GateSettings, kinds: Array) -> Scales:
    """Return the scales that known configurations set.

    Raises
    ------
    GeometryError
        If one of them has a position or a cell that is not finite, or a cell without volume.
    """
    everything = np.arange(len(known))
    smallest = np.full(len(kinds), np.inf)
    maker = FingerprintMaker()
    bonds, fragments = None, KnownFragments()
    if settings.fragment_factor is not None:
        bonds = bond_lengths(kinds, settings.fragment_factor)
    for block in pair_blocks(known, everything, kinds):
        smallest = np.minimum(smallest, block.smallest().min(axis=0))
        maker.add(block)
        if bonds is not None:
            fragments.add(known, block.indices, count_fragments(block, bonds))
    crystals = known.volumes > 0.0
    return Scales(
        smallest={
            (a, b): float(distance)
            for (a, b), distance in zip(kinds.tolist(), smallest, strict=True)
            if np.isfinite(distance)
        },
        volumes=known.volumes[crystals] / known.n_atoms[crystals],
        bonds=bonds,
        fragments=fragments,
        fingerprints=[maker.made[place] for place in range(len(known))],
    )
