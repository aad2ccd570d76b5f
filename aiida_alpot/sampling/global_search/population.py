# SPDX-License-Identifier: MIT
r"""The population of a search: who is fit, who is a duplicate, who stays, who has children.

Fitness falls with the energy, ``f = (1 - tanh(2 (E - Emin) / (Emax - Emin) - 1)) / 2``. A structure
that is like a fitter one with similarity ``t`` beyond a limit is a duplicate, and has ``0.001 + (1
- t)^2`` of its fitness. The best stay in any case, the others by roulette.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from aiida_alpot.sampling.global_search.rdf_fingerprint import (
    PairFingerprint,
    pair_fingerprint,
    similarity,
)

Array = np.ndarray


@dataclass(frozen=True)
class Member:
    """A relaxed structure; energy (or enthalpy) and volume per atom."""

    atoms: Atoms
    energy: float
    volume: float
    fingerprint: PairFingerprint
    number: int


def make_member(atoms: Atoms, energy: float, *, number: int, width: float) -> Member:
    """Return a member from a relaxed structure and its energy per atom, eV."""
    volume = atoms.get_volume() / len(atoms) if atoms.pbc.all() else 0.0
    return Member(atoms, energy, volume, pair_fingerprint(atoms, width=width), number)


def fitnesses(members: Sequence[Member], *, duplicate_limit: float) -> tuple[Array, int]:
    """Return the fitness of members sorted by energy, and how many are duplicates."""
    energies = np.array([member.energy for member in members])
    spread = max(energies.max() - energies.min(), 1e-12)
    fitness: Array = 0.5 * (1 - np.tanh(2 * (energies - energies.min()) / spread - 1))
    originals: list[Member] = []
    n_duplicates = 0
    for index, member in enumerate(members):
        alike = max((_similarity(member, one) for one in originals), default=0.0)
        if alike > duplicate_limit:
            fitness[index] *= 0.001 + (1 - alike) ** 2
            n_duplicates += 1
        else:
            originals.append(member)
    return fitness, n_duplicates


def without_duplicates(members: Sequence[Member], *, duplicate_limit: float) -> list[Member]:
    """Return members by energy, of those that are alike the lowest."""
    kept: list[Member] = []
    for member in sorted(members, key=lambda member: (member.energy, member.number)):
        if all(_similarity(member, one) <= duplicate_limit for one in kept):
            kept.append(member)
    return kept


def survivors(
    members: Sequence[Member],
    size: int,
    *,
    best: int,
    duplicate_limit: float,
    rng: np.random.Generator,
) -> tuple[list[Member], int]:
    """Return who stays, by energy, and how many of all were duplicates."""
    ranked = sorted(members, key=lambda member: (member.energy, member.number))
    fitness, n_duplicates = fitnesses(ranked, duplicate_limit=duplicate_limit)
    if len(ranked) <= size:
        return ranked, n_duplicates
    # the best that are no duplicates: their fitness is not cut down
    whole, _ = fitnesses(ranked, duplicate_limit=2.0)
    original = np.flatnonzero(fitness == whole)
    kept = set(original[:best].tolist())
    others = np.array([index for index in range(len(ranked)) if index not in kept])
    shares = fitness[others] / fitness[others].sum()
    drawn = rng.choice(others, size=size - len(kept), replace=False, p=shares)
    return [ranked[index] for index in sorted(kept | set(drawn.tolist()))], n_duplicates


def draw_parents(
    members: Sequence[Member], count: int, *, duplicate_limit: float, rng: np.random.Generator
) -> list[Member]:
    """Return different members, the fitter the likelier."""
    fitness, _ = fitnesses(members, duplicate_limit=duplicate_limit)
    drawn = rng.choice(len(members), size=count, replace=False, p=fitness / fitness.sum())
    return [members[index] for index in drawn]


def _similarity(first: Member, second: Member) -> float:
    return similarity(
        first.fingerprint,
        second.fingerprint,
        energies=(first.energy, second.energy),
        volumes=(first.volume, second.volume),
    )
