# SPDX-License-Identifier: MIT
"""Saddle points between two given structures: dimer first, then a climbing image.

The starts come in pairs, the start and the end of a path. Both are relaxed, the path between them
is interpolated, and a dimer climbs from its highest image along the tangent there. Where the dimer
finds no saddle point, or one that lies on no path between the two, a nudged elastic band is relaxed
and its highest image climbs. It is the search of active barrier learning.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.continuation import (
    describe_atoms,
    pairs_of,
    refusing_damage,
    restore_pairs,
)
from aiida_alpot.sampling.own_results import with_own_results
from aiida_alpot.sampling.rigid_motions import remove_rigid_motions
from aiida_alpot.sampling.saddles.band import Band, BandSettings, displacement_between
from aiida_alpot.sampling.saddles.dimer import LEAST_CURVATURE, Dimer, DimerSettings
from aiida_alpot.sampling.saddles.saddle_search import StepCounter, relax
from aiida_alpot.sampling.settings import require, setting

# The keys of a campaign file carry their units.

SAME_PLACE = 0.1
"""Two structures in which no atom stands further away than this, in A, are one minimum."""
ENERGY_TOLERANCE = 1e-3
"""How far below the higher end of its path a saddle point may seem to lie, eV."""


@dataclass(frozen=True)
class PathSearchSettings(DimerSettings):
    """Settings of :class:`PathSearch`."""

    method: Literal["dimer_then_band", "dimer", "band"] = setting(
        "dimer_then_band",
        "How saddle points are looked for: dimer_then_band (a band where the dimer fails), dimer "
        "or band alone.",
    )
    relax_ends: bool = setting(True, "Whether both ends are relaxed first, their cell as it is.")
    relax_steps: int = setting(100, "Most steps of each of these relaxations.")
    relax_fmax: float = setting(0.01, "Largest force on an atom of a relaxed end, eV/A.")
    images: int = setting(5, "Images between the ends of a path.")
    interpolation: Literal["idpp", "linear"] = setting(
        "idpp", "How the path is drawn first: idpp (distances change evenly) or linear."
    )
    band_steps: int = setting(
        100, "Most steps of the band, and again of the band with its climbing image."
    )
    band_fmax: float = setting(
        0.05, "Largest force on an atom of a band at which its highest image begins to climb, eV/A."
    )
    band_optimizer: Literal["BFGS", "LBFGS", "FIRE"] = setting(
        "LBFGS",
        "Name of the ASE optimiser of the band. LBFGS takes the way of BFGS without its matrix, "
        "which costs more than EMT from some 100 atoms in all images on.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("relax_steps", "images", "band_steps"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in ("relax_fmax", "band_fmax"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")

    @property
    def band(self) -> BandSettings:
        """What concerns the band."""
        return BandSettings(
            images=self.images,
            interpolation=self.interpolation,
            steps=self.band_steps,
            fmax_loose=max(self.band_fmax, self.fmax),
            fmax=self.fmax,
            optimizer=self.band_optimizer,
        )


class PathSearch:
    """From pairs of starts to the saddle point between the two.

    Frames of the chain of an end: its relaxation. Frames of the chain of a start: its relaxation,
    the images of the path, the steps of the dimer, and all images at each step of the band.
    """

    joint: ClassVar[bool] = True
    searches: ClassVar[bool] = True
    independent: ClassVar[bool] = False
    starts_together: ClassVar[int] = 2

    def __init__(self, settings: PathSearchSettings) -> None:
        self.settings = settings
        self._left: set[int] = set()
        self.is_resting = False
        self._next = 0
        self._pairs: Atoms | None = None

    def __str__(self) -> str:
        given = self.settings
        how = {
            "dimer_then_band": "by dimer, by a band with a climbing image where that fails,",
            "dimer": "by dimer",
            "band": "by a band with a climbing image",
        }[given.method]
        ends = "relaxed ends" if given.relax_ends else "ends as given"
        return (
            f"search for the saddle point between pairs of starts ({ends}) {how} to "
            f"{given.fmax:g} eV/A: at most {given.steps} steps of the dimer, "
            f"2 x {given.band_steps} of a band of {given.images} images"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError unless the starts are pairs of the same atoms in the same cell."""
        if len(starts) % 2:
            raise GeometryError(
                f"The number of starts of a path search is {len(starts)}; they are pairs, the "
                "start and the end of each path one after the other. Name an even number."
            )
        for index in range(0, len(starts), 2):
            first, last = starts[index], starts[index + 1]
            names = " and ".join(str(one.info.get("identifier", "?")) for one in (first, last))
            alike = len(first) == len(last) and np.array_equal(first.numbers, last.numbers)
            if not alike or not np.allclose(first.cell, last.cell, atol=1e-6):
                raise GeometryError(
                    f"Starts {names} are the ends of a path and differ in their atoms, the order "
                    "of these, or the cell. Make one out of the other by moving atoms."
                )

    def leave(self, chain: int) -> None:
        """Spend nothing more on a chain that was stopped."""
        self._left.add(chain)

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of one pair after the other; nothing here is random.

        With ``moving``, the :meth:`state` of an earlier run, those of the pairs that were left.
        """
        self._left = set()
        first = 0
        if moving is not None:
            with refusing_damage():
                first = int(moving["next"])
                self._left = {int(chain) for chain in moving["left"]}
                restore_pairs(calculator, moving["list_of"])
        for chain in range(first, len(starts), 2):
            pair = starts[chain], starts[chain + 1]
            self.is_resting, self._next, self._pairs = True, chain, pairs_of(calculator)
            for frame in self._search(chain, pair, calculator):
                yield frame
                self.is_resting = False
                if chain in self._left:
                    break

    def state(self) -> dict[str, Any]:
        """Return as JSON which pairs are left; a pair that is interrupted begins once more."""
        return {
            "next": self._next,
            "left": sorted(self._left),
            "list_of": None if self._pairs is None else describe_atoms(self._pairs),
        }

    def _search(self, chain: int, pair: tuple[Atoms, Atoms], calculator: Any) -> Iterator[Frame]:
        given = self.settings
        first, last = (with_own_results(one, calculator) for one in pair)
        for frame in self._prepare(last, StepCounter(chain + 1), close=_close_end):
            yield frame
            if chain + 1 in self._left:
                break
        count = StepCounter(chain)
        yield from self._prepare(first, count)
        reason = self._reason_for_no_path(first, last, chain)
        if reason is not None:
            yield count.frame(first, Ending("unconverged", f"no saddle point: {reason}"))
            return
        band = Band(first, last, calculator, given.band)
        for image in band.inner:
            image.get_forces()
            yield count.frame(image)
        failure: str | None = None
        if given.method != "band":
            failure = yield from self._climb(band, count)
        if given.method == "band" or (failure is not None and given.method != "dimer"):
            yield from self._relax_band(band, count, failure)

    def _prepare(
        self, atoms: Atoms, count: StepCounter, close: Callable[[str], Ending] | None = None
    ) -> Iterator[Frame]:
        """Yield an end as it is given and, where it is to be relaxed, the steps of that."""
        given = self.settings
        if given.relax_ends:
            yield from relax(
                atoms, count, steps=given.relax_steps, fmax=given.relax_fmax, close=close
            )
            return
        atoms.get_forces()
        ending = Ending("finished", "the end of a path, taken as it is") if close else None
        yield count.frame(atoms, ending)

    def _reason_for_no_path(self, first: Atoms, last: Atoms, chain: int) -> str | None:
        if chain + 1 in self._left:
            return "the end of the path was stopped before it was a minimum"
        between = remove_rigid_motions(first, displacement_between(first, last))
        furthest = float(np.linalg.norm(between, axis=1).max())
        if furthest < SAME_PLACE:
            return (
                f"both ends are one minimum, in which no atom stands further apart than "
                f"{furthest:.2g} A, so that there is no path"
            )
        return None

    def _climb(self, band: Band, count: StepCounter) -> Generator[Frame, None, str | None]:
        """Yield the steps of the dimer from the highest image; return what went wrong."""
        highest = band.highest()
        atoms = with_own_results(band.images[highest], band.shared)
        dimer = Dimer(atoms, band.tangent(highest), self.settings)
        failure = None
        for is_last in dimer.run():
            ending = None
            if is_last:
                failure = dimer.failure or _reason_for_other_path(atoms, band)
                ending = self._end_climb(dimer, band, failure)
            yield count.frame(atoms, ending)
        return failure

    def _end_climb(self, dimer: Dimer, band: Band, failure: str | None) -> Ending | None:
        """Return how the chain ends with the dimer, None if a band follows."""
        if failure is None:
            return _found(dimer.atoms, band, dimer.curvature, f"dimer to {dimer.settings.fmax:g}")
        if self.settings.method == "dimer":
            return Ending("unconverged", f"no saddle point: {failure}")
        return None

    def _relax_band(self, band: Band, count: StepCounter, failure: str | None) -> Iterator[Frame]:
        """Yield all images at each step of the band, the saddle point last of all."""
        before = "" if failure is None else f" (the dimer found none: {failure})"
        for is_last in band.relax():
            highest = band.highest()
            for index, image in enumerate(band.images):
                if index not in (0, highest, len(band.images) - 1):
                    yield count.frame(image)
            ending = self._end_band(band, highest, before) if is_last else None
            yield count.frame(band.images[highest], ending)

    def _end_band(self, band: Band, highest: int, before: str) -> Ending:
        fmax = self.settings.fmax
        reason = band.failure or _reason_for_other_path(band.images[highest], band)
        curvature = band.curvature(highest)
        if reason is None and curvature > -LEAST_CURVATURE:
            reason = f"the energy does not fall along the path from its highest image, {highest}"
        if reason is not None:
            return Ending("unconverged", f"no saddle point: {reason}{before}")
        return _found(band.images[highest], band, curvature, f"climbing image to {fmax:g}", before)


def _close_end(wrong: str) -> Ending:
    if wrong:
        return Ending("unconverged", f"the end of a path: {wrong}")
    return Ending("converged", "the end of a path, relaxed")


def _found(saddle: Atoms, band: Band, curvature: float, method: str, before: str = "") -> Ending:
    energy = saddle.get_potential_energy()
    above = [energy - band.images[index].get_potential_energy() for index in (0, -1)]
    return Ending(
        "converged",
        f"saddle point {above[0]:.4f} eV above the start and {above[1]:.4f} eV above the end, "
        f"curvature {curvature:.3g} eV/A^2, by {method} eV/A{before}",
    )


def _reason_for_other_path(saddle: Atoms, band: Band) -> str | None:
    """Return why a saddle point cannot be the one of the path, None if it can."""
    energy = saddle.get_potential_energy()
    first, last = band.images[0], band.images[-1]
    for name, end in (("start", first), ("end", last)):
        below = end.get_potential_energy() - energy
        if below > ENERGY_TOLERANCE:
            return f"what was found lies {below:.3g} eV below the {name} of the path"
    length = float(np.linalg.norm(displacement_between(first, last)))
    away = min(float(np.linalg.norm(displacement_between(one, saddle))) for one in (first, last))
    if away > length:
        return (
            f"what was found is {away:.3g} A away from both ends (all atoms together), further "
            f"than they are from one another, {length:.3g} A"
        )
    return None
