# SPDX-License-Identifier: MIT
"""Candidates of a selection as what could be labelled: chunks in place of frames too large for it.

A chunk is carved about the atoms of a large frame that the potential knows least: those with the
largest neighbourhood grades, or about whose forces a committee disagrees most. Which of the chunks
and of the smaller frames get a label is left to the gate and to the rule of the selection, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aiida_alpot.carving import choose_atoms, is_carved, without_saturation
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader, Grader
from aiida_alpot.grading.row_space import is_trained
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.jobs.chunks import CarvedFrames, carve_frames, find_unlike
from aiida_alpot.jobs.grade import read_committee
from aiida_alpot.jobs.selection_choice import ALIKE, NOT_NEEDED
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.gate import Verdict
from aiida_alpot.selection.gate.cells import find_not_finite
from aiida_alpot.selection.maxvol_selection import ENTRY_THRESHOLD, SELECT_THRESHOLD

if TYPE_CHECKING:
    from aiida_alpot.jobs.select_request import SelectRequest

Array = np.ndarray
_ALIKE = "is like a chunk that is known, or one about an atom that is known less"


@dataclass(frozen=True)
class Candidates:
    """What a selection chooses from.

    Parameters
    ----------
    configurations : Configurations
        Frames that can be labelled as they are, chunks, and frames of which there is no chunk.
    decided : dict of int to Verdict
        Those of them that are not selected, whatever gate and rule say.
    grades : (n,) float64
        Grade of the central atom of each chunk in its frame; NaN of all else.
    costs : (n,) float64 or None
        What each label costs.
    is_beyond : bool
        Whether an atom of a frame that was carved is above the threshold.
    n_carved : int
        Frames that were too large to be labelled.
    """

    configurations: Configurations
    decided: dict[int, Verdict]
    grades: Array
    costs: Array | None
    is_beyond: bool = False
    n_carved: int = 0


def carve_candidates(
    request: SelectRequest,
    folder: Path,
    potential: MomentTensorPotential | None,
    frames: Configurations,
    training: Configurations,
    *,
    costs: Array | None,
) -> Candidates:
    """Return the candidates with chunks in place of the frames that are too large.

    Parameters
    ----------
    request : SelectRequest
        ``carve`` says which frames these are, and how chunks are carved.
    folder : Path
        Where its files lie.
    potential : MomentTensorPotential or None
        That of the request.
    frames, training : Configurations
        Frames of samplers, and what is known already.
    costs : (n_frames,) float64, optional
        What the label of each frame would cost.

    Raises
    ------
    SettingError
        If ``carve`` is not usable, or configurations are graded as wholes.
    SpeciesError
        If the potential or its committee lacks a species of the frames.
    """
    settings = CarveSettings.from_mapping(request.carve)
    if settings is None or not settings.is_large(frames).any():
        return Candidates(frames, {}, np.full(len(frames), np.nan), costs)
    species = request.species if potential is None else potential.species
    carver = _Carver(request, settings, frames, species=species)
    chosen = carver.choose_atoms(_grader(request, folder, potential, training))
    carved = carve_frames(frames.select(carver.large), chosen.atoms, chosen.grades, settings)
    return carver.join(carved, chosen, known=training.select(is_carved(training)), costs=costs)


def _grader(
    request: SelectRequest,
    folder: Path,
    potential: MomentTensorPotential | None,
    training: Configurations,
) -> Grader | None:
    """Return what grades the atoms, None where nothing is known that could."""
    if request.committee:
        species = request.species if potential is None else potential.species
        return CommitteeGrader(read_committee(folder, request.committee, species))
    if potential is None or not is_trained(potential) or not len(training):
        return None
    if request.mode != "neighborhood":
        raise SettingError(
            f"The mode '{request.mode}' grades whole configurations and cannot tell about which "
            "atoms of a large frame chunks are to be carved; use the mode 'neighborhood' or a "
            "committee."
        )
    active_set = build_active_set(potential, training, mode="neighborhood", method=request.method)
    return ExtrapolationGrader(potential, active_set)


def _grades_of(grader: Grader | None, frame: Configurations) -> Array | Verdict:
    """Return the grades of the atoms of a frame, or why there are none."""
    if grader is None:
        reason = f"{frame.n_atoms[0]} atoms, and before the first fit nothing tells where to carve"
        return Verdict(False, "size", reason)
    try:
        grades = grader.grade(frame).per_atom
    except GeometryError as error:
        return Verdict(False, "distance", str(error))
    assert grades is not None
    known: Array = np.nan_to_num(grades, nan=0.0, posinf=np.finfo(np.float64).max)
    return known


class _Chosen(NamedTuple):
    """Atoms of each large frame, their grades, and why there are none in some."""

    atoms: list[Array]
    grades: list[Array]
    reasons: dict[int, Verdict]
    is_beyond: bool


class _Carver:
    """Large frames among others, and what is made of them."""

    def __init__(
        self,
        request: SelectRequest,
        settings: CarveSettings,
        frames: Configurations,
        *,
        species: Sequence[str] | None,
    ) -> None:
        self.species = species
        self.request = request
        self.settings = settings
        self.frames = frames
        is_large = settings.is_large(frames)
        self.small, self.large = np.flatnonzero(~is_large), np.flatnonzero(is_large)

    def choose_atoms(self, grader: Grader | None) -> _Chosen:
        """Return the atoms to carve about: those with the largest grades, as many as are asked."""
        request = self.request
        entry = ENTRY_THRESHOLD if request.entry is None else request.entry
        threshold = SELECT_THRESHOLD if request.threshold is None else request.threshold
        wrong = find_not_finite(self.frames, self.large)
        reasons = {place: Verdict(False, "finite", reason) for place, reason in wrong.items()}
        chosen = _Chosen([], [], reasons, False)
        for place in self.large.tolist():
            grades = np.zeros(0)
            if place not in reasons:
                found = _grades_of(grader, self.frames.select([place]))
                if isinstance(found, Verdict):
                    reasons[place] = found
                else:
                    grades = found
            is_beyond = chosen.is_beyond or bool(grades.max(initial=0.0) > threshold)
            chosen = chosen._replace(is_beyond=is_beyond)
            atoms = choose_atoms(
                grades, value=min(entry, threshold), limit=self.settings.per_structure
            )
            chosen.atoms.append(atoms)
            chosen.grades.append(grades[atoms])
        return chosen

    def join(
        self,
        carved: CarvedFrames,
        chosen: _Chosen,
        *,
        known: Configurations,
        costs: Array | None,
    ) -> Candidates:
        """Put small frames, chunks and frames without a chunk together, in this order."""
        owners = self.large[carved.frame]
        without = np.setdiff1d(self.large, owners)
        n_small, n_chunks = len(self.small), len(owners)
        alike = n_small + self._alike(carved, known)
        decided = dict.fromkeys(alike.tolist(), Verdict(True, ALIKE, _ALIKE))
        too_large = {int(self.large[one]): reason for one, reason in carved.too_large.items()}
        for number, place in enumerate(without.tolist(), start=n_small + n_chunks):
            decided[number] = chosen.reasons.get(place) or self._without(place, too_large)
        parts = [self.frames.select(self.small), carved.chunks, self.frames.select(without)]
        joined = concatenate(parts)
        grades = np.full(len(joined), np.nan)
        grades[n_small : n_small + n_chunks] = carved.values
        if costs is not None:
            sizes = carved.chunks.n_atoms / np.maximum(self.frames.n_atoms[owners], 1)
            power = 1.0 if self.request.cost_exponent is None else self.request.cost_exponent
            costs = np.concatenate(
                [costs[self.small], costs[owners] * sizes**power, costs[without]]
            )
        return Candidates(joined, decided, grades, costs, chosen.is_beyond, len(self.large))

    def _alike(self, carved: CarvedFrames, known: Configurations) -> Array:
        """Return the chunks that are like a known one, or like one about an atom known less."""
        order = np.argsort(-carved.values, kind="stable")
        ranked = without_saturation(carved.chunks.select(order), self.species)
        kept = order[find_unlike(ranked, self.request.alike_within, known=known)]
        return np.setdiff1d(np.arange(len(order)), kept)

    def _without(self, place: int, too_large: dict[int, str]) -> Verdict:
        if place in too_large:
            return Verdict(False, "size", too_large[place])
        detail = f"none of its {self.frames.n_atoms[place]} atoms is above the grade of a candidate"
        return Verdict(True, NOT_NEEDED, detail)
