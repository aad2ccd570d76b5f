# SPDX-License-Identifier: MIT
"""Structures of a campaign: read from files or built as crystals, then strained and rattled.

All randomness comes from the generator that is passed in, so that the same campaign file gives the
same bits. :func:`generator_for` makes one for each named item, so that an item that is added or
taken away leaves the others as they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_alpot.campaign.file_names import file_of_campaign
from aiida_alpot.campaign.schema import StructureItem
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import CampaignFileError, EmptyDataError, LabelError, LevelOfTheoryError
from aiida_alpot.mtp.structure_files import read_configurations

MOST_ATOMS = 2_000_000
"""Atoms of all structures that an item of a campaign file makes."""


def generator_for(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of the item ``name`` in a campaign with ``seed``."""
    digest = hashlib.sha256(f"{seed}/structures/{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def build_structures(
    item: StructureItem,
    rng: np.random.Generator,
    *,
    species: Sequence[str],
    folder: Path | str = ".",
    level: str = "",
    read_group: Callable[[str], Configurations] | None = None,
) -> list[Atoms]:
    """Return the structures that an item describes.

    In this order: read or build, repeat, scale; then for each copy substitute, take atoms out,
    strain, rattle. Labels of a file are kept only with ``labels: use`` and if nothing is changed.

    Parameters
    ----------
    item : StructureItem
        From the campaign file.
    rng : numpy.random.Generator
        Source of all randomness.
    species : sequence of str
        Species of the campaign; the first one is the default of ``formula``, and they are the order
        of the types in an MLIP ``.cfg`` file.
    folder : path
        Folder of the campaign file, from which file names count.
    level : str
        Level of theory of the campaign, which labels that are used must have.
    read_group : callable, optional
        Reads the labels of a group of AiiDA.

    Raises
    ------
    CampaignFileError
        If the crystal cannot be built, or there are too few atoms for the vacancies.
    InputFileError, EmptyDataError
        If the file cannot be read, or the index picks nothing.
    LabelError, LevelOfTheoryError
        If the file has labels and nothing says what to do with them, or it records another level.
    """
    if item.file:
        originals = _from_file(item, Path(folder), species, level)
    elif item.group:
        originals = _from_group(item, read_group, level)
    else:
        originals = [_from_crystal(item, species)]
    _refuse_huge_sets(item, originals)
    made = []
    for original in originals:
        for scale in item.scales:
            cell = _repeated_and_scaled(original, item.supercell, scale)
            made += [_changed(cell, item, rng) for _ in range(item.copies)]
    return made


def _refuse_huge_sets(item: StructureItem, originals: Sequence[Atoms]) -> None:
    """Count the atoms before any is made."""
    repetitions = [item.supercell] * 3 if isinstance(item.supercell, int) else item.supercell
    n_structures = len(originals) * len(item.scales) * item.copies
    n_atoms = sum(map(len, originals)) * len(item.scales) * item.copies * math.prod(repetitions)
    if max(n_atoms, n_structures) > MOST_ATOMS:
        raise CampaignFileError(
            f"the item makes {n_structures} structures with {n_atoms} atoms, at most {MOST_ATOMS} "
            "are made; take fewer copies, scales or repetitions."
        )


def named_configurations(
    items: dict[str, Sequence[Atoms]], *, level_of_theory: str = ""
) -> Configurations:
    """Collect structures under names: ``bulk``, or ``bulk_000, bulk_001, ...`` for several."""
    structures, names = [], []
    for name, members in items.items():
        structures += list(members)
        names += identifiers_of(name, len(members))
    return Configurations.from_atoms(structures, identifiers=names, level_of_theory=level_of_theory)


def identifiers_of(name: str, count: int) -> list[str]:
    """Return the identifiers of the structures of one item."""
    return [name] if count == 1 else [f"{name}_{index:03d}" for index in range(count)]


def _from_file(
    item: StructureItem, folder: Path, species: Sequence[str], level: str
) -> list[Atoms]:
    path = file_of_campaign(folder, str(item.file), place="file")
    configurations = read_configurations(path, species=species)
    return _labelled_as_asked(item, configurations, level, str(path))


def _from_group(
    item: StructureItem, read_group: Callable[[str], Configurations] | None, level: str
) -> list[Atoms]:
    if read_group is None:
        raise CampaignFileError(
            f"group is {item.group!r}, which only an AiiDA profile knows; load the campaign there."
        )
    configurations = read_group(str(item.group))
    return _labelled_as_asked(item, configurations, level, f"the group {item.group}")


def _labelled_as_asked(
    item: StructureItem, configurations: Configurations, level: str, source: str
) -> list[Atoms]:
    """Return what was read with its labels, if they are to be used and are of the right level."""
    if item.labels == "drop" or not configurations.labelled.any():
        configurations = configurations.without_labels()
    elif item.labels is None:
        raise LabelError(
            f"{source} holds energies or forces. Write 'labels: use' if they were made at the "
            "level of theory of this campaign, else 'labels: drop'."
        )
    if item.level_of_theory != "force":
        _check_level(configurations.level_of_theory, level, source)
    structures = [_without_origin(atoms) for atoms in configurations]
    if item.index is not None:
        structures = _pick(structures, item.index)
    if not structures:
        raise EmptyDataError(f"The index {item.index!r} picks no structure of {source}.")
    return structures


def _check_level(recorded: str, wanted: str, source: str) -> None:
    """Refuse labels that record another level of theory than the campaign's."""
    if recorded and recorded != wanted:
        raise LevelOfTheoryError(
            f"The labels in {source} were made at {recorded}, those of the campaign are made at "
            f"{wanted}. Write 'labels: drop' to label the structures anew, or 'level_of_theory: "
            "force' if both may be trained on together."
        )


def _without_origin(atoms: Atoms) -> Atoms:
    """Drop what names a frame within the campaign that made it; weights and masks stay."""
    kept = {key: atoms.info[key] for key in ("weight", "energy_extrapolated") if key in atoms.info}
    atoms.info = kept
    return atoms


def _pick(structures: list[Atoms], index: int | str) -> list[Atoms]:
    if isinstance(index, int):
        return structures[index : index + 1 or None]
    try:
        chosen = slice(*(int(part) if part.strip() else None for part in index.split(":")))
        return structures[chosen]
    except (ValueError, TypeError) as error:
        raise CampaignFileError(
            f"index is {index!r}; write a number or a slice such as '::10'."
        ) from error


def _from_crystal(item: StructureItem, species: Sequence[str]) -> Atoms:
    formula = item.formula or species[0]
    arguments = {name: getattr(item, name) for name in "abc" if getattr(item, name) is not None}
    try:
        return bulk(formula, item.crystal, cubic=item.cubic, **arguments)
    except (ValueError, RuntimeError, NotImplementedError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CampaignFileError(
            f"ASE cannot build {formula} as {item.crystal} with lattice constants {arguments} and "
            f"cubic: {str(item.cubic).lower()} ({reason})."
        ) from error


def _repeated_and_scaled(atoms: Atoms, supercell: int | list[int], scale: float) -> Atoms:
    repetitions = [supercell] * 3 if isinstance(supercell, int) else supercell
    if repetitions == [1, 1, 1] and scale == 1.0:
        return atoms
    cell: Atoms = atoms.repeat(repetitions)
    cell.set_cell(cell.cell.array * scale, scale_atoms=True)
    return cell


def _changed(atoms: Atoms, item: StructureItem, rng: np.random.Generator) -> Atoms:
    changed: Atoms = atoms.copy()
    changed.calc = atoms.calc
    if item.substitute:
        changed = _substituted(changed, item.substitute, rng)
    if item.vacancies:
        changed = _with_vacancies(changed, item.vacancies, rng)
    if item.strain:
        changed = _strained(changed, item.strain, rng)
    if item.rattle:
        changed.positions += rng.normal(scale=item.rattle, size=(len(changed), 3))
        changed.calc = None
    return changed


def _substituted(atoms: Atoms, shares: dict[str, float], rng: np.random.Generator) -> Atoms:
    """Replace the given share of all atoms by each species, at sites drawn at random."""
    sites = rng.permutation(len(atoms))
    symbols = np.array(atoms.get_chemical_symbols(), dtype="<U2")
    first = 0
    for symbol, share in shares.items():
        last = min(first + round(share * len(atoms)), len(atoms))
        symbols[sites[first:last]] = symbol
        first = last
    atoms.set_chemical_symbols(list(symbols))
    atoms.calc = None
    return atoms


def _with_vacancies(atoms: Atoms, count: int, rng: np.random.Generator) -> Atoms:
    if count >= len(atoms):
        raise CampaignFileError(
            f"vacancies is {count}, but the cell has {len(atoms)} atoms; leave at least one."
        )
    kept = np.ones(len(atoms), dtype=bool)
    kept[rng.permutation(len(atoms))[:count]] = False
    return atoms[kept]


def _strained(atoms: Atoms, largest: float, rng: np.random.Generator) -> Atoms:
    """Apply a symmetric strain whose six components are uniform in [-largest, largest]."""
    xx, yy, zz, yz, xz, xy = rng.uniform(-largest, largest, size=6)
    strain = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.calc = None
    return atoms
