# SPDX-License-Identifier: MIT
"""Rules about the cell and the number of atoms, which need no distances.

Each returns why candidates are refused, by their place; ``places`` are those still open.
"""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses
from ase.units import _amu

from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.gate.settings import GateSettings

Array = np.ndarray
Refused = dict[int, str]
_FAR_AWAY = 1e6  # Angstrom: no atom that belongs to a cell is there
_FLAT = 1e-3  # Angstrom, Angstrom^3: no cell
_MARGIN = 1.0 + 1e-6  # cells nearer to a limit are looked at one by one
_GRAMS_PER_CM3 = _amu * 1e3 / 1e-24  # of one atomic mass unit per cubic Angstrom


def find_not_finite(candidates: Configurations, places: Array) -> Refused:
    """Refuse positions and cells that are no numbers, and atoms that flew away."""
    usable = (np.abs(candidates.positions) < _FAR_AWAY).all(axis=1)
    refused: Refused = {}
    for place in places.tolist():
        of_atoms = usable[candidates.atoms_slice(place)]
        if not of_atoms.all():
            atom = int(np.argmin(of_atoms))
            where = candidates.positions[candidates.atoms_slice(place)][atom]
            what = "NaN" if np.isnan(where).any() else f"{np.abs(where).max():.3g} A away"
            refused[place] = f"the position of atom {atom} is {what}"
        elif not np.isfinite(candidates.cells[place]).all():
            refused[place] = "the cell is not finite"
    return refused


def find_wrong_sizes(candidates: Configurations, places: Array, largest: int | None) -> Refused:
    """Refuse cells without atoms, or with more than are to be labelled."""
    refused: Refused = {}
    for place, n_atoms in zip(places.tolist(), candidates.n_atoms[places].tolist(), strict=True):
        if n_atoms == 0:
            refused[place] = "it has no atom"
        elif largest is not None and n_atoms > largest:
            refused[place] = f"{n_atoms} atoms, at most {largest} are labelled"
    return refused


def find_wrong_volumes(
    candidates: Configurations, places: Array, known: Array, settings: GateSettings
) -> Refused:
    """Refuse crystals that shrank or evaporated, by volume per atom and by density.

    ``known`` are the volumes per atom of known crystals, A^3.
    """
    crystals = places[candidates.pbc[places].all(axis=1)]
    volumes = np.abs(np.linalg.det(candidates.cells[crystals])).tolist()
    sizes = candidates.n_atoms[crystals].tolist()
    refused: Refused = {}
    for place, volume, n_atoms in zip(crystals.tolist(), volumes, sizes, strict=True):
        per_atom = volume / n_atoms
        mass = atomic_masses[candidates.numbers[candidates.atoms_slice(place)]].sum()
        if per_atom < _FLAT:
            refused[place] = "the cell has no volume"
            continue
        bound = _volume_bound(per_atom, known, settings) or _density_bound(
            float(mass) / volume * _GRAMS_PER_CM3, settings
        )
        if bound:
            refused[place] = bound
    return refused


def _volume_bound(volume: float, known: Array, settings: GateSettings) -> str:
    low, high = settings.min_volume_factor, settings.max_volume_factor
    found = f"{volume:.2f} A^3 per atom"
    if len(known) and low is not None and volume < low * known.min():
        return f"{found}, less than {low:g} x {known.min():.2f} A^3, the smallest known"
    if len(known) and high is not None and volume > high * known.max():
        return f"{found}, more than {high:g} x {known.max():.2f} A^3, the largest known"
    return ""


def _density_bound(density: float, settings: GateSettings) -> str:
    low, high = settings.min_density, settings.max_density
    if low is not None and density < low:
        return f"{density:.2f} g/cm^3, less than {low:g}"
    if high is not None and density > high:
        return f"{density:.2f} g/cm^3, more than {high:g}"
    return ""


def find_wrong_shapes(candidates: Configurations, places: Array, settings: GateSettings) -> Refused:
    """Refuse cells that are skewed, elongated or thin along their periodic directions."""
    refused: Refused = {}
    is_sound = candidates.pbc[places].all(axis=1)
    is_sound[is_sound] = _are_sound(candidates.cells[places[is_sound]], settings)
    for place in places[~is_sound].tolist():
        vectors = candidates.cells[place][candidates.pbc[place]]
        reason = _wrong_shape(vectors, settings) if len(vectors) else ""
        if reason:
            refused[place] = reason
    return refused


def _are_sound(cells: Array, settings: GateSettings) -> Array:
    """(n,) bool: whether cells, (n, 3, 3), are well within all limits; the others need a look."""
    lengths = np.linalg.norm(cells, axis=2)
    faces = np.linalg.norm(np.cross(cells[:, [1, 2, 0]], cells[:, [2, 0, 1]]), axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        thickness = (np.abs(np.linalg.det(cells))[:, None] / faces).min(axis=1)
        aspect = lengths.max(axis=1) / lengths.min(axis=1)
        units = cells / lengths[:, :, None]
        cosines = np.abs(units @ units.swapaxes(1, 2))[:, [0, 0, 1], [1, 2, 2]].max(axis=1)
        largest = np.inf if settings.max_aspect_ratio is None else settings.max_aspect_ratio
        sound: Array = (
            (thickness > _MARGIN * max(settings.min_thickness or 0.0, _FLAT))
            & (_MARGIN * aspect < largest)
            & (_MARGIN * cosines < np.cos(np.radians(settings.min_cell_angle or 0.0)))
        )
    return sound


def _wrong_shape(vectors: Array, settings: GateSettings) -> str:
    lengths = np.linalg.norm(vectors, axis=1)
    thickness = face_distances(vectors).min()
    if thickness < max(settings.min_thickness or 0.0, _FLAT):
        return f"opposite faces of the cell are {thickness:.3f} A apart"
    aspect = lengths.max() / lengths.min()
    if settings.max_aspect_ratio is not None and aspect > settings.max_aspect_ratio:
        return f"one cell vector is {aspect:.1f} times as long as another"
    cosines = np.abs(vectors @ vectors.T / np.outer(lengths, lengths))
    cosine = float(np.minimum(cosines[np.triu_indices(len(vectors), 1)], 1.0).max(initial=0.0))
    angle = float(np.degrees(np.arccos(cosine)))
    if settings.min_cell_angle is not None and angle < settings.min_cell_angle:
        return f"two cell vectors are {angle:.1f} degrees from parallel"
    return ""


def face_distances(vectors: Array) -> Array:
    """Return the distance between opposite faces along each of one to three vectors, Angstrom.

    It is the length of the part of a vector that is normal to the others: the inverse of the
    length of its reciprocal vector.
    """
    metric = vectors @ vectors.T
    lengths = np.sqrt(np.diag(metric))
    scaled = metric / np.outer(lengths, lengths) if lengths.min() > 0 else np.zeros_like(metric)
    if np.linalg.det(scaled) < 1e-18:
        return np.zeros(len(vectors))
    distances: Array = lengths / np.sqrt(np.diag(np.linalg.inv(scaled)))
    return distances
