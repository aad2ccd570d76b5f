# SPDX-License-Identifier: MIT
"""The gate itself: rule after rule, a candidate leaves at the first that it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.carving.labels import is_carved
from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.duplicates import find_alike, find_like_known
from aiida_alpot.selection.fingerprints import Fingerprint, FingerprintMaker, fingerprints
from aiida_alpot.selection.gate.cells import (
    find_not_finite,
    find_wrong_shapes,
    find_wrong_sizes,
    find_wrong_volumes,
)
from aiida_alpot.selection.gate.distances import DistanceBounds
from aiida_alpot.selection.gate.fragments import count_fragments
from aiida_alpot.selection.gate.known import Scales, learn_scales
from aiida_alpot.selection.gate.predictions import (
    find_high_energies,
    find_large_forces,
    find_large_grades,
    predict_missing,
)
from aiida_alpot.selection.gate.settings import GateSettings
from aiida_alpot.selection.gate.verdict import Verdict
from aiida_alpot.selection.pairs import kinds_of, pair_blocks

if TYPE_CHECKING:
    from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
OTHERS = {
    "quarantined": "like {}, whose label failed for good",
    "pending": "like {}, whose label is on its way",
}


def gate(
    candidates: Configurations,
    known: Configurations,
    settings: GateSettings | None = None,
    *,
    quarantined: Configurations | None = None,
    pending: Configurations | None = None,
    potential: MomentTensorPotential | None = None,
) -> list[Verdict]:
    """Return a verdict for each candidate.

    Parameters
    ----------
    candidates : Configurations
        Forces and grades, where they are there, are taken as predicted ones.
    known : Configurations
        What has been labelled already: it sets the scale of distances and volumes, and what counts
        as duplicate.
    settings : GateSettings, optional
        The defaults if not given.
    quarantined : Configurations, optional
        Whose labels failed for good; neither they nor what is like them is asked for again.
    pending : Configurations, optional
        Whose labels are on their way; what is like them within the tolerance of duplicates waits.
    potential : MomentTensorPotential, optional
        Predicts energies and forces of candidates that come without.

    Raises
    ------
    GeometryError
        If a known configuration is not usable.
    """
    gatekeeper = _Gatekeeper(candidates, settings or GateSettings())
    others = {
        "quarantined": quarantined or Configurations.empty(),
        "pending": pending or Configurations.empty(),
    }
    kinds = kinds_of(candidates, known)
    gatekeeper.judge_finite_and_size()
    scales = learn_scales(known, gatekeeper.settings, kinds)
    gatekeeper.judge_cells(scales)
    gatekeeper.judge_predictions()
    made: dict[int, Fingerprint] = {}
    if gatekeeper.looks_at_pairs() or any(map(len, others.values())):
        made = gatekeeper.judge_pairs(scales, kinds)
    gatekeeper.judge_by_potential(known, potential)
    gatekeeper.judge_others(made, others)
    gatekeeper.judge_duplicates(made, known, scales.fingerprints)
    return gatekeeper.verdicts()


class _Gatekeeper:
    """The verdicts so far; ``open`` are the candidates that broke no rule yet."""

    def __init__(self, candidates: Configurations, settings: GateSettings) -> None:
        self.candidates = candidates
        self.settings = settings
        self.refused: dict[int, Verdict] = {}

    @property
    def open(self) -> Array:
        """Places of the candidates that broke no rule yet."""
        return np.setdiff1d(np.arange(len(self.candidates)), list(self.refused)).astype(np.int64)

    def refuse(self, rule: str, reasons: Mapping[int, str]) -> None:
        """Take candidates out, by a rule and for a reason."""
        for place, reason in reasons.items():
            self.refused.setdefault(place, Verdict(False, rule, reason))

    def verdicts(self) -> list[Verdict]:
        """Return what is said of each candidate."""
        passed = Verdict(True)
        return [self.refused.get(place, passed) for place in range(len(self.candidates))]

    def judge_finite_and_size(self) -> None:
        """Look at what makes every other rule meaningless."""
        self.refuse("finite", find_not_finite(self.candidates, self.open))
        largest = self.settings.max_atoms
        self.refuse("size", find_wrong_sizes(self.candidates, self.open, largest))

    def judge_cells(self, scales: Scales) -> None:
        """Look at volumes and shapes."""
        settings = self.settings
        wrong = find_wrong_volumes(self.candidates, self.open, scales.volumes, settings)
        self.refuse("volume", wrong)
        self.refuse("shape", find_wrong_shapes(self.candidates, self.open, settings))

    def judge_predictions(self) -> None:
        """Look at forces and grades."""
        settings = self.settings
        self.refuse("force", find_large_forces(self.candidates, self.open, settings.max_force))
        self.refuse("grade", find_large_grades(self.candidates, self.open, settings.max_grade))

    def judge_by_potential(
        self, known: Configurations, potential: MomentTensorPotential | None
    ) -> None:
        """Look at the forces and energies that a potential predicts."""
        settings, places = self.settings, self.open
        if settings.max_force is None and settings.max_energy_above is None:
            return
        predicted = predict_missing(self.candidates, places, potential)
        self.refuse("force", find_large_forces(predicted, places, settings.max_force))
        largest = settings.max_energy_above
        self.refuse("energy", find_high_energies(predicted, self.open, known, largest))

    def judge_pairs(self, scales: Scales, kinds: Array) -> dict[int, Fingerprint]:
        """Look at distances and pieces; return the fingerprints of those that are left."""
        bounds = DistanceBounds(self.settings, scales.smallest)
        maker = FingerprintMaker()
        pieces: dict[int, int] = {}
        for block in pair_blocks(self.candidates, self.open, kinds):
            self.refuse("distance", bounds.find_close_atoms(block))
            self.refuse("core", bounds.find_overlapping_cores(block))
            maker.add(block)
            if scales.bonds is not None:
                counts = count_fragments(block, scales.bonds).tolist()
                pieces |= dict(zip(block.indices.tolist(), counts, strict=True))
        left = {place: count for place, count in pieces.items() if place not in self.refused}
        self.refuse("fragments", scales.fragments.find_too_many(self.candidates, left))
        return maker.made

    def looks_at_pairs(self) -> bool:
        """Return whether any setting asks for distances."""
        settings = self.settings
        return bool(
            settings.min_distance_factor
            or settings.min_distances
            or settings.core_radii
            or settings.fragment_factor
            or settings.duplicate_tolerance is not None
        )

    def judge_others(
        self, made: Mapping[int, Fingerprint], others: Mapping[str, Configurations]
    ) -> None:
        """Look for what is like a quarantined configuration, or one whose label is on its way."""
        for rule, tolerance in (
            ("quarantined", self.settings.quarantine_distance),
            ("pending", self.settings.duplicate_tolerance or 0.0),
        ):
            if len(others[rule]) == 0 or tolerance is None:
                continue
            places = self.open.tolist()
            sought = [made[place] for place in places]
            found = find_like_known(sought, fingerprints(others[rule]), tolerance)
            names = others[rule].identifier
            like = {p: f for p, f in zip(places, found, strict=True) if f is not None}
            self.refuse(rule, {place: OTHERS[rule].format(names[like[place]]) for place in like})

    def judge_duplicates(
        self, made: Mapping[int, Fingerprint], known: Configurations, known_made: list[Fingerprint]
    ) -> None:
        """Look for what is known, or was let through before."""
        digests = self.candidates.hashes()
        seen = dict(zip(known.hashes(), known.identifier.tolist(), strict=True))
        for place in self.open.tolist():
            if digests[place] in seen:
                self.refuse("duplicate", {place: f"equal to {seen[digests[place]]}"})
            else:
                seen[digests[place]] = str(self.candidates.identifier[place])
        tolerance = self.settings.duplicate_tolerance
        if tolerance is None:
            return
        carved = is_carved(self.candidates)
        # two chunks may hold the same atoms about two centres; alike ones are gone already
        places = [place for place in self.open.tolist() if not carved[place]]
        sought = [*known_made, *(made[place] for place in places)]
        names = np.concatenate([known.identifier, self.candidates.identifier[places]])
        found = find_alike(sought, tolerance, n_known=len(known))[len(known) :]
        for place, like in zip(places, found, strict=True):
            if like is not None:
                reason = f"distances equal those of {names[like]} within {tolerance:g} A"
                self.refuse("near_duplicate", {place: reason})
