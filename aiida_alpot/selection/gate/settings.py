# SPDX-License-Identifier: MIT
"""Settings of the gate: what a candidate must satisfy before a label is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ase.data import atomic_numbers

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.settings import make_settings

_POSITIVE = (
    "max_atoms",
    "min_volume_factor",
    "max_volume_factor",
    "min_density",
    "max_density",
    "max_force",
    "max_energy_above",
    "max_grade",
    "fragment_factor",
)
_NOT_NEGATIVE = (
    "min_distance_factor",
    "duplicate_tolerance",
    "quarantine_distance",
    "min_cell_angle",
    "min_thickness",
)


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
    core_radii : mapping of str to float
        Radii of the cores (of PAW data sets or pseudopotentials) by species, Angstrom; species
        without one are not looked at.
    core_overlap : float
        By which share the cores of two atoms may overlap: the distance must be at least ``(1 -
        core_overlap)`` times the sum of their radii. Usual PAW data sets overlap by a third in
        molecules such as N2.
    max_atoms : int or None
        Largest cell that is to be labelled.
    min_volume_factor, max_volume_factor : float or None
        Volume per atom of a crystal, as a multiple of the smallest and the largest among known
        crystals.
    min_density, max_density : float or None
        Density of a crystal, g/cm^3.
    min_cell_angle : float or None
        Two periodic cell vectors must be so far from parallel and from antiparallel, degrees.
    max_aspect_ratio : float or None
        Length of the longest periodic cell vector over that of the shortest.
    min_thickness : float or None
        Distance between opposite faces of the cell along its periodic directions, Angstrom.
    fragment_factor : float or None
        Atoms nearer than this factor times the sum of their covalent radii hang together. A
        candidate must not fall apart into more pieces than known configurations of its composition.
    max_force : float or None
        Largest predicted force on an atom, eV/A.
    max_energy_above : float or None
        Largest predicted energy above the convex hull of the known configurations, eV/atom; for one
        composition, above the lowest of them.
    max_grade : float or None
        Largest extrapolation grade; looked at where candidates come with grades.
    duplicate_tolerance : float or None
        Largest difference of two fingerprints, in Angstrom, of configurations that count as the
        same; see :mod:`aiida_alpot.selection.duplicates`. Exact duplicates are always refused.
    quarantine_distance : float or None
        As ``duplicate_tolerance``, from a configuration whose label failed for good. In copper
        frames of molecular dynamics 2 fs apart differ by 0.004 to 0.007 A (medians; 32 and 108
        atoms, 300 and 1000 K), 10 fs apart by 0.015 to 0.026.
    """

    min_distance_factor: float = 0.7
    min_distances: Mapping[str, float] = field(default_factory=dict)
    core_radii: Mapping[str, float] = field(default_factory=dict)
    core_overlap: float = 0.4
    max_atoms: int | None = None
    min_volume_factor: float | None = 0.5
    max_volume_factor: float | None = 5.0
    min_density: float | None = None
    max_density: float | None = None
    min_cell_angle: float | None = 15.0
    max_aspect_ratio: float | None = 30.0
    min_thickness: float | None = 1.0
    fragment_factor: float | None = 1.5
    max_force: float | None = 25.0
    max_energy_above: float | None = None
    max_grade: float | None = None
    duplicate_tolerance: float | None = 1e-3
    quarantine_distance: float | None = 0.01

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingError(f"{name} of the gate is {value!r}; it must be positive.")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise SettingError(f"{name} of the gate is {value!r}; it must not be negative.")
        if self.max_aspect_ratio is not None and not self.max_aspect_ratio >= 1:
            raise SettingError(
                f"max_aspect_ratio of the gate is {self.max_aspect_ratio!r}; it must be at least 1."
            )
        if not 0 <= self.core_overlap < 1:
            raise SettingError(
                f"core_overlap of the gate is {self.core_overlap!r}; give a share from 0, below 1."
            )
        self._check_species()

    def _check_species(self) -> None:
        for pair, distance in self.min_distances.items():
            atomic_numbers_of(pair)
            if not distance >= 0:
                raise SettingError(
                    f"The smallest distance of {pair} is {distance!r}; it must not be negative."
                )
        for symbol, radius in self.core_radii.items():
            if symbol not in atomic_numbers or not radius > 0:
                raise SettingError(
                    f"core_radii of the gate has {radius!r} for {symbol!r}; give chemical symbols "
                    "with radii in Angstrom."
                )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> GateSettings:
        """Build the settings from plain JSON.

        Raises
        ------
        SettingError
            If a key is unknown, or a value of the wrong type or out of range.
        """
        made: GateSettings = make_settings(cls, settings, owner="the gate")
        return made


def atomic_numbers_of(pair: str) -> tuple[int, int]:
    """Return the atomic numbers of a pair such as "Cu-Zr", the smaller first.

    Raises
    ------
    SettingError
        If it is not a pair of chemical symbols.
    """
    symbols = pair.split("-")
    if len(symbols) != 2 or any(symbol not in atomic_numbers for symbol in symbols):
        raise SettingError(
            f"The pair {pair!r} of the gate is not two chemical symbols joined by '-', as in "
            "'Cu-Zr'."
        )
    a, b = sorted(atomic_numbers[symbol] for symbol in symbols)
    return a, b
