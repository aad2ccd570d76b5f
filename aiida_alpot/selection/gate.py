# SPDX-License-Identifier: MIT
"""The gate before labels are paid for: which candidates no label should be spent on, and why.

A trajectory that left the region a potential knows may hold atoms on top of each other, a cell that
has evaporated, or the same frame twice. Each candidate gets a verdict: the first rule that it
breaks, in the order of :data:`RULES`, with the figures in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.duplicates import (
    KnownFingerprints,
    PairDistances,
    fingerprint,
    pair_distances,
)

Array = np.ndarray
PASSED = "passed"
RULES = ("finite", "size", "volume", "distance", "force", "duplicate", "near_duplicate")


@dataclass(frozen=True)
class GateSettings:
    """What a candidate must satisfy; ``None`` switches a rule off.

    Parameters
    ----------
    min_distance_factor : float
        Two atoms must not be nearer than this factor times the smallest distance that the known
        configurations have for their pair of species, or times the sum of their covalent radii
        where no such pair is known.
    min_distances : mapping of str to float
        Explicit bounds in Angstrom by pair, as in ``{"Cu-Zr": 1.9}``; they replace the factor for
        their pair.
    max_atoms : int or None
        Largest cell that is to be labelled.
    min_volume_factor, max_volume_factor : float or None
        Volume per atom of a crystal, as a multiple of the smallest and the largest among known
        crystals.
    max_force : float or None
        Largest predicted force on an atom, eV/A; looked at where candidates come with forces.
    duplicate_tolerance : float or None
        Largest difference of sorted distances, in Angstrom, of two configurations that count as the
        same. Exact duplicates are always refused.
    """

    min_distance_factor: float = 0.7
    min_distances: Mapping[str, float] = field(default_factory=dict)
    max_atoms: int | None = None
    min_volume_factor: float | None = 0.5
    max_volume_factor: float | None = 5.0
    max_force: float | None = 25.0
    duplicate_tolerance: float | None = 1e-3

    def __post_init__(self) -> None:
        for name in ("max_atoms", "min_volume_factor", "max_volume_factor", "max_force"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingError(f"{name} of the gate is {value!r}; it must be positive.")
        for name in ("min_distance_factor", "duplicate_tolerance"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise SettingError(f"{name} of the gate is {value!r}; it must not be negative.")
        for pair, distance in self.min_distances.items():
            _atomic_numbers_of(pair)
            if not distance >= 0:
                raise SettingError(
                    f"The smallest distance of {pair} is {distance!r}; it must not be negative."
                )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> GateSettings:
        """Build the settings from plain JSON.

        Raises
        ------
        SettingError
            If a key is unknown or a value out of range.
        """
        allowed = {one.name for one in fields(cls)}
        for key in settings:
            if key not in allowed:
                raise SettingError(
                    f"Unknown key '{key}' of the gate; allowed are {', '.join(sorted(allowed))}."
                )
        return cls(**settings)


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one candidate: ``rule`` is "passed" or the rule that it breaks."""

    passed: bool
    rule: str = PASSED
    detail: str = ""


def gate(
    candidates: Configurations, known: Configurations, settings: GateSettings | None = None
) -> list[Verdict]:
    """Return a verdict for each candidate.

    Parameters
    ----------
    candidates : Configurations
        Forces, where they are there, are taken as predicted ones.
    known : Configurations
        What has been labelled already: it sets the scale of distances and volumes, and what counts
        as duplicate.
    settings : GateSettings, optional
        The defaults if not given.
    """
    keeper = _Gate(known, settings or GateSettings())
    digests = candidates.hashes()
    return [keeper.judge(candidates, index, digests[index]) for index in range(len(candidates))]


def count_verdicts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many candidates each rule decided on, "passed" among them."""
    return dict(sorted(Counter(verdict.rule for verdict in verdicts).items()))


class _Gate:
    """The scales taken from what is known, and what has been let through so far."""

    def __init__(self, known: Configurations, settings: GateSettings) -> None:
        self.settings = settings
        self.seen = dict(zip(known.hashes(), known.identifier.tolist(), strict=True))
        self.smallest: dict[tuple[int, int], float] = {}
        self.fingerprints = KnownFingerprints(settings.duplicate_tolerance or 0.0)
        for index in range(len(known)):
            distances = pair_distances(known, index)
            for pair, distance in distances.smallest().items():
                self.smallest[pair] = min(distance, self.smallest.get(pair, np.inf))
            self._remember(str(known.identifier[index]), known, index, distances)
        self.explicit = {
            _atomic_numbers_of(pair): float(distance)
            for pair, distance in settings.min_distances.items()
        }
        crystals = known.volumes > 0.0
        self.volumes = known.volumes[crystals] / known.n_atoms[crystals]

    def judge(self, candidates: Configurations, index: int, digest: str) -> Verdict:
        """Return the verdict on one candidate and remember it if it passes."""
        broken = (
            _judge_finite(candidates, index)
            or self._judge_size(candidates, index)
            or self._judge_volume(candidates, index)
        )
        if broken:
            return broken
        distances = pair_distances(candidates, index)
        name = str(candidates.identifier[index])
        broken = (
            self._judge_distance(distances)
            or self._judge_force(candidates, index)
            or self._judge_duplicate(candidates, index, digest, distances)
        )
        if broken:
            return broken
        self.seen[digest] = name
        self._remember(name, candidates, index, distances)
        return Verdict(True)

    def _remember(
        self, name: str, configurations: Configurations, index: int, distances: PairDistances
    ) -> None:
        if self.settings.duplicate_tolerance is not None:
            numbers = configurations.numbers[configurations.atoms_slice(index)]
            self.fingerprints.add(name, fingerprint(numbers, distances))

    def _judge_size(self, candidates: Configurations, index: int) -> Verdict | None:
        n_atoms, largest = int(candidates.n_atoms[index]), self.settings.max_atoms
        if n_atoms == 0:
            return Verdict(False, "size", "it has no atom")
        if largest is not None and n_atoms > largest:
            return Verdict(False, "size", f"{n_atoms} atoms, at most {largest} are labelled")
        return None

    def _judge_volume(self, candidates: Configurations, index: int) -> Verdict | None:
        volume = float(candidates.volumes[index]) / int(candidates.n_atoms[index])
        if candidates.pbc[index].all() and volume < 1e-3:
            return Verdict(False, "volume", "the cell has no volume")
        if volume == 0.0 or len(self.volumes) == 0:
            return None
        low, high = self.settings.min_volume_factor, self.settings.max_volume_factor
        if low is not None and volume < low * self.volumes.min():
            bound = f"less than {low:g} x {self.volumes.min():.2f} A^3, the smallest known"
        elif high is not None and volume > high * self.volumes.max():
            bound = f"more than {high:g} x {self.volumes.max():.2f} A^3, the largest known"
        else:
            return None
        return Verdict(False, "volume", f"{volume:.2f} A^3 per atom, {bound}")

    def _judge_distance(self, distances: PairDistances) -> Verdict | None:
        for (a, b), found in distances.smallest().items():
            bound, reason = self._distance_bound(a, b)
            if found < bound:
                return Verdict(
                    False,
                    "distance",
                    f"{chemical_symbols[a]}-{chemical_symbols[b]} at {found:.3f} A, "
                    f"less than {bound:.3f} A ({reason})",
                )
        return None

    def _distance_bound(self, a: int, b: int) -> tuple[float, str]:
        factor = self.settings.min_distance_factor
        if (a, b) in self.explicit:
            return self.explicit[a, b], "given"
        if (a, b) in self.smallest:
            known = self.smallest[a, b]
            return factor * known, f"{factor:g} x the smallest known, {known:.3f} A"
        radii = float(covalent_radii[a] + covalent_radii[b])
        return factor * radii, f"{factor:g} x the sum of covalent radii, {radii:.3f} A"

    def _judge_force(self, candidates: Configurations, index: int) -> Verdict | None:
        forces = candidates.forces[candidates.atoms_slice(index)]
        largest = float(np.nan_to_num(np.linalg.norm(forces, axis=1), nan=0.0).max())
        if self.settings.max_force is not None and largest > self.settings.max_force:
            bound = f"more than {self.settings.max_force:g} eV/A"
            return Verdict(False, "force", f"predicted force of {largest:.1f} eV/A, {bound}")
        return None

    def _judge_duplicate(
        self, candidates: Configurations, index: int, digest: str, distances: PairDistances
    ) -> Verdict | None:
        if digest in self.seen:
            return Verdict(False, "duplicate", f"equal to {self.seen[digest]}")
        if self.settings.duplicate_tolerance is None:
            return None
        numbers = candidates.numbers[candidates.atoms_slice(index)]
        like = self.fingerprints.find(fingerprint(numbers, distances))
        if like is None:
            return None
        detail = f"distances equal those of {like} within {self.settings.duplicate_tolerance:g} A"
        return Verdict(False, "near_duplicate", detail)


def _judge_finite(candidates: Configurations, index: int) -> Verdict | None:
    finite = np.isfinite(candidates.positions[candidates.atoms_slice(index)]).all(axis=1)
    if not finite.all():
        return Verdict(False, "finite", f"the position of atom {int(np.argmin(finite))} is NaN")
    if not np.isfinite(candidates.cells[index]).all():
        return Verdict(False, "finite", "the cell is not finite")
    return None


def _atomic_numbers_of(pair: str) -> tuple[int, int]:
    """Return the atomic numbers of a pair such as "Cu-Zr", the smaller first."""
    symbols = pair.split("-")
    if len(symbols) != 2 or any(symbol not in atomic_numbers for symbol in symbols):
        raise SettingError(
            f"The pair {pair!r} of the gate is not two chemical symbols joined by '-', as in "
            "'Cu-Zr'."
        )
    a, b = sorted(atomic_numbers[symbol] for symbol in symbols)
    return a, b
