# SPDX-License-Identifier: MIT
"""Configurations that are the same but for rounding, order of atoms, cell, translation or rotation.

Two configurations are alike if they have the same reduced composition and their fingerprints
(:mod:`aiida_alpot.selection.fingerprints`) differ nowhere by more than a tolerance. Configurations
are gone through in order; one counts as a duplicate of what was kept before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from aiida_alpot.selection.fingerprints import Composition, Fingerprint

Array = np.ndarray
_AT_A_TIME = 1_000
_ROUNDING = 2e-6  # Angstrom, of lengths in single precision


def find_alike(
    fingerprints: Sequence[Fingerprint], tolerance: float, *, n_known: int = 0
) -> list[int | None]:
    """Return for each fingerprint the place of one before it that it is like, or None.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        The ``n_known`` ones that come first are kept whatever they are like.
    tolerance : float
        Largest difference of two entries, Angstrom.
    n_known : int
        How many of the first ones are known.

    Returns
    -------
    list of int or None
        Places of fingerprints that were kept: known ones, and ones that are like none before them.
    """
    alike: list[int | None] = [None] * len(fingerprints)
    for places in _group(fingerprints).values():
        known = sum(place < n_known for place in places)
        for place, found in _find_in_group(_rows(fingerprints, places), tolerance, known):
            alike[places[place]] = places[found]
    return alike


def find_like_known(
    fingerprints: Sequence[Fingerprint], known: Sequence[Fingerprint], tolerance: float
) -> list[int | None]:
    """Return for each fingerprint the place of the nearest known one within the tolerance."""
    sought, there = _group(fingerprints), _group(known)
    found: list[int | None] = [None] * len(fingerprints)
    for composition in sought.keys() & there.keys():
        tree = _GrowingTree(_rows(known, there[composition]))
        tree.add(np.arange(len(there[composition])))
        places = sought[composition]
        nearest = tree.nearest(_rows(fingerprints, places), tolerance + _ROUNDING)
        for place, one in zip(places, nearest.tolist(), strict=True):
            found[place] = there[composition][one] if one >= 0 else None
    return found


def _group(fingerprints: Sequence[Fingerprint]) -> dict[Composition, list[int]]:
    groups: dict[Composition, list[int]] = defaultdict(list)
    for place, one in enumerate(fingerprints):
        groups[one.composition].append(place)
    return groups


def _rows(fingerprints: Sequence[Fingerprint], places: Sequence[int]) -> Array:
    return np.array([fingerprints[place].lengths for place in places]).reshape(len(places), -1)


def _find_in_group(rows: Array, tolerance: float, n_known: int) -> Iterator[tuple[int, int]]:
    """Yield pairs (duplicate, kept) of rows of one composition."""
    reach = tolerance + _ROUNDING
    kept = _GrowingTree(rows)
    kept.add(np.arange(n_known))
    for start in range(n_known, len(rows), _AT_A_TIME):
        fresh = np.arange(start, min(start + _AT_A_TIME, len(rows)))
        nearest = kept.nearest(rows[fresh], reach)
        yield from zip(fresh[nearest >= 0].tolist(), nearest[nearest >= 0].tolist(), strict=True)
        fresh = fresh[nearest < 0]
        among = dict(_find_among(rows[fresh], reach))
        yield from ((int(fresh[one]), int(fresh[other])) for one, other in among.items())
        kept.add(np.delete(fresh, list(among)))


def _find_among(rows: Array, reach: float) -> Iterator[tuple[int, int]]:
    """Yield pairs (duplicate, kept) of a few rows, compared with each other."""
    if len(rows) < 2:
        return
    pairs = cKDTree(rows).query_pairs(reach, p=np.inf, output_type="ndarray")
    dropped = np.zeros(len(rows), dtype=bool)
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        # pairs come by their second end, so what is before it has been decided on
        if not dropped[first] and not dropped[second]:
            dropped[second] = True
            yield second, first


class _GrowingTree:
    """Nearest neighbours among rows that come in batches: trees of doubling sizes."""

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self.trees: list[tuple[Array, cKDTree]] = []

    def add(self, places: Array) -> None:
        while self.trees and len(self.trees[-1][0]) <= len(places):
            places = np.concatenate([self.trees.pop()[0], places])
        if len(places):
            self.trees.append((places, cKDTree(self.rows[places])))

    def nearest(self, sought: Array, reach: float) -> Array:
        """Return the place of the nearest row within ``reach`` of each, -1 where there is none."""
        best = np.full(len(sought), np.inf)
        found = np.full(len(sought), -1, dtype=np.int64)
        for members, tree in self.trees:
            answer = tree.query(sought, p=np.inf, distance_upper_bound=reach)
            distances, which = np.asarray(answer[0]), np.asarray(answer[1])
            nearer = distances < best
            found[nearer] = members[which[nearer]]
            best[nearer] = distances[nearer]
        return found
