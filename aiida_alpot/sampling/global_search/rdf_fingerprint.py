# SPDX-License-Identifier: MIT
r"""How alike two structures are: the scalar product of their smeared pair distributions.

For species ``a <= b``, ``g_ab(x) = sum_pairs f(x) exp(-(r - x)^2 / 2 s^2)``, cut off at ``3 s``, on
a grid of 3000 points; ``f`` is 1 to 5.94 A and falls as a cosine to 0 at 6 A. The fingerprint is
normalised to length 1, so that a structure has the product 1 with itself and with its supercells
(Kolmogorov et al., MAISE, Comput. Phys. Commun. 259, 107679 (2021)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from aiida_alpot.neighbors import neighbor_list

Array = np.ndarray
SHARP_WIDTH = 0.008
"""Width of MAISE, A: 1 % of strain already gives 0.76."""
SOFT_CUTOFF = 5.94
CUTOFF = 6.0
POINTS = 3000
_ENERGY_SCALE = 0.05  # eV/atom
_VOLUME_SCALE = 0.01


@dataclass(frozen=True)
class PairFingerprint:
    """The smeared pair distribution of a structure.

    Parameters
    ----------
    parts : dict of (int, int) to (3000,) array
        By atomic numbers, the smaller first; the squares of all sum up to 1.
    """

    parts: dict[tuple[int, int], Array]

    def product(self, other: PairFingerprint) -> float:
        """Return the scalar product, 1 for structures of equal distances."""
        shared = self.parts.keys() & other.parts.keys()
        return float(sum(self.parts[pair] @ other.parts[pair] for pair in sorted(shared)))


def pair_fingerprint(atoms: Atoms, *, width: float = SHARP_WIDTH) -> PairFingerprint:
    """Return the fingerprint of a structure; ``width`` is the deviation of each peak, A."""
    pairs = neighbor_list(atoms, CUTOFF + 3 * width)
    first = pairs.owner
    lengths = np.linalg.norm(pairs.vectors, axis=1)
    kinds = np.sort(np.stack([atoms.numbers[first], atoms.numbers[pairs.neighbor]]), axis=0)
    parts = {}
    for a, b in np.unique(kinds, axis=1).T.tolist():
        chosen = lengths[(kinds[0] == a) & (kinds[1] == b)]
        parts[a, b] = _smeared(chosen, width)
    norm = np.sqrt(sum(float(one @ one) for one in parts.values()))
    return PairFingerprint({pair: one / max(norm, 1e-300) for pair, one in parts.items()})


def similarity(
    first: PairFingerprint,
    second: PairFingerprint,
    *,
    energies: tuple[float, float],
    volumes: tuple[float, float],
) -> float:
    """Return how alike two relaxed structures are, 1 if they are the same.

    ``0.8 C1xC2 + 0.1 exp(-dE^2 / 2 (0.05)^2) + 0.1 exp(-dv^2 / 2 (0.01)^2)``, where ``dv = (V1 -
    V2) / 2 (V1 + V2)``.

    Parameters
    ----------
    energies : (float, float)
        eV/atom.
    volumes : (float, float)
        Of an atom; both 0 where there are none.
    """
    rise = (energies[0] - energies[1]) / _ENERGY_SCALE
    total = sum(volumes)
    swelling = (volumes[0] - volumes[1]) / (2 * total) / _VOLUME_SCALE if total else 0.0
    return float(
        0.8 * first.product(second)
        + 0.1 * np.exp(-(rise**2) / 2)
        + 0.1 * np.exp(-(swelling**2) / 2)
    )


def _smeared(lengths: Array, width: float) -> Array:
    """Return the sum of Gaussians about the lengths on the grid, cut off softly."""
    spacing = CUTOFF / POINTS
    grid = spacing * np.arange(POINTS)
    reach = int(np.ceil(3 * width / spacing))
    nearest = np.round(lengths / spacing).astype(np.int64)
    places = nearest[:, None] + np.arange(-reach, reach + 1)
    apart = lengths[:, None] - spacing * places
    heights = np.exp(-(apart**2) / (2 * width**2))
    inside = (np.abs(apart) <= 3 * width) & (places >= 0) & (places < POINTS)
    summed = np.bincount(places[inside], weights=heights[inside], minlength=POINTS)
    fade = np.cos(np.pi / 2 * (grid - SOFT_CUTOFF) / (CUTOFF - SOFT_CUTOFF))
    smeared: Array = summed * np.where(grid < SOFT_CUTOFF, 1.0, fade)
    return smeared
