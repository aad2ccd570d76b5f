# SPDX-License-Identifier: MIT
"""Configurations in MLIP's text format, ``.cfg``.

A file holds any number of blocks ``BEGIN_CFG`` ... ``END_CFG``: number of atoms, up to three cell
vectors (as many as periodic directions), a table of the atoms, and labels where there are any.
Types count from zero and have no names. ``PlusStress`` is -V sigma in eV, sigma with ASE's sign, in
the order xx yy zz yz xz xy; the ``Virial`` of old files is the same, their ``Stress`` had the other
sign and is refused. Where a configuration came from and its weight travel as ``Feature`` lines,
which MLIP keeps and ignores; what the format cannot hold (magnetic moments, the extrapolated
energy, cell vectors of directions that are not periodic) is left out. Numbers are written in full
precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError, LabelError, SpeciesError
from aiida_alpot.whole_files import read_text

Array = np.ndarray
_STRESS_ORDER = ("xx", "yy", "zz", "yz", "xz", "xy")
_AXES = ("x", "y", "z")
_FORCES = ("fx", "fy", "fz")
# features and the keys of atoms.info that Configurations reads
_TEXT_FEATURES = ("identifier", "sampler", "chain")
_NUMBER_FEATURES = {"MV_grade": "grade", "weight": "weight", "turn": "turn", "step": "step"}


def read_cfg(path: str | Path, species: Sequence[str] | None = None) -> Configurations:
    """Read all configurations of the ``.cfg`` file at ``path``.

    Parameters
    ----------
    path : path
        File in MLIP's format.
    species : sequence of str, optional
        Chemical symbols in the order of the types; needed unless the file records them, as our
        writer does.

    Raises
    ------
    InputFileError
        If the file is missing, truncated or garbled, or has the key ``Stress``.
    SpeciesError
        If a type has no name in ``species``.
    """
    text = read_text(path, wanted="an MLIP .cfg file")
    reader = _Reader(text, str(path), species)
    structures = list(reader.structures())
    return Configurations.from_atoms(structures, level_of_theory=reader.level_of_theory)


def write_cfg(configurations: Configurations, path: str | Path, species: Sequence[str]) -> None:
    """Write ``configurations`` at ``path``, types counted in the order of ``species``.

    Raises
    ------
    SpeciesError
        If a species of the configurations is not in ``species``.
    LabelError
        If a configuration has forces for some of its atoms only, which the format cannot express.
    InputFileError
        If the file cannot be written.
    """
    missing = [symbol for symbol in configurations.species if symbol not in species]
    if missing:
        raise SpeciesError(
            f"Species {', '.join(missing)} is not among the types {' '.join(species)}. Name every "
            "species, in the order of the types."
        )
    blocks = [_block(configurations, index, species) for index in range(len(configurations))]
    try:
        Path(path).write_text("".join(blocks), encoding="utf-8")
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror}.") from error


class _Reader:
    """Reads block after block; keeps its place for messages."""

    def __init__(self, text: str, source: str, species: Sequence[str] | None) -> None:
        self.lines = text.splitlines()
        self.source = source
        self.species = species
        self.at = 0
        self.level_of_theory = ""

    def structures(self) -> Iterator[Atoms]:
        while self._has_more():
            if (line := self._next()) != "BEGIN_CFG":
                raise self._error(f"'BEGIN_CFG' is expected, not {line[:30]!r}")
            yield self._structure()

    def _structure(self) -> Atoms:
        content: dict[str, Any] = {"cell": np.zeros((0, 3)), "features": {}}
        while (line := self._next()) != "END_CFG":
            key, _, rest = line.partition(" ")
            if key == "Size":
                content["size"] = self._size()
            elif key.lower() == "supercell":
                content["cell"] = self._cell()
            elif key in ("AtomData:", "Atomic_data:"):
                content["table"] = self._table(rest.split(), content.get("size"))
            elif key == "Energy":
                content["energy"] = self._numbers(self._next(), 1)[0]
            elif key in ("PlusStress:", "Virial:"):
                content["plus_stress"] = self._stress(rest.split())
            elif key.startswith("Stress"):
                raise self._error("'Stress' has no defined sign; write the file with 'PlusStress'")
            elif key == "Feature":
                name, *value = rest.split(None, 1)
                content["features"][name] = value[0] if value else ""
            else:
                raise self._error(f"there is an unknown key {key!r}")
        if "table" not in content:
            raise self._error("a configuration has no 'AtomData'")
        return self._make_atoms(content)

    def _make_atoms(self, content: dict[str, Any]) -> Atoms:
        table, features = content["table"], content["features"]
        pbc = np.arange(3) < len(content["cell"])
        cell = np.zeros((3, 3))
        cell[pbc] = content["cell"]
        atoms = Atoms(self._symbols(table["type"], features), cell=cell, pbc=pbc)
        if "cartes_x" in table:
            atoms.positions = np.stack([table[f"cartes_{axis}"] for axis in _AXES], axis=1)
        else:
            if not pbc.all():
                raise self._error("direct coordinates need three cell vectors")
            fractions = np.stack([table[f"direct_{axis}"] for axis in _AXES], axis=1)
            atoms.positions = fractions @ cell
        results = self._results(content, atoms)
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info.update({key: features[key] for key in _TEXT_FEATURES if key in features})
        for feature, key in _NUMBER_FEATURES.items():
            if feature in features:
                value = self._numbers(features[feature], 1)[0]
                atoms.info[key] = int(value) if key in ("turn", "step") else value
        if "grade" in atoms.info:
            # without a sampler the grade would not be taken for the origin
            atoms.info.setdefault("sampler", "")
        self.level_of_theory = features.get("level_of_theory", self.level_of_theory)
        return atoms

    def _symbols(self, types: Array, features: dict[str, str]) -> list[str]:
        species = self.species or features.get("species", "").split()
        if not len(species):
            raise SpeciesError(f"{self.source} names no species. Give their order with --species.")
        if len(types) and not 0 <= types.min() <= types.max() < len(species):
            raise SpeciesError(
                f"{self.source} has the type {int(types.max())}, but only {len(species)} species "
                f"are named ({' '.join(species)}). Name one for each type."
            )
        return [species[int(kind)] for kind in types]

    def _results(self, content: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
        results: dict[str, Any] = {}
        if "energy" in content:
            results["energy"] = results["free_energy"] = float(content["energy"])
        if "fx" in content["table"]:
            results["forces"] = np.stack([content["table"][axis] for axis in _FORCES], axis=1)
        if "plus_stress" in content and atoms.pbc.all():
            results["stress"] = -content["plus_stress"] / atoms.get_volume()
        return results

    def _size(self) -> int:
        line = self._next()
        if not line.isdigit():
            raise self._error(f"'Size' is {line[:20]!r}, not a number of atoms")
        return int(line)

    def _cell(self) -> Array:
        vectors: list[list[float]] = []
        while (
            len(vectors) < 3 and self._has_more() and not self.lines[self.at].strip()[0].isalpha()
        ):
            vectors.append(self._numbers(self._next(), 3))
        return np.array(vectors).reshape(-1, 3)

    def _table(self, columns: list[str], size: int | None) -> dict[str, Array]:
        if size is None:
            raise self._error("'Size' must stand before 'AtomData'")
        rows = [self._numbers(self._next(), len(columns)) for _ in range(size)]
        values = np.array(rows).reshape(size, len(columns))
        table = dict(zip(columns, values.T, strict=True))
        kind = "direct" if "direct_x" in table else "cartes"
        for name in ("id", "type", *(f"{kind}_{axis}" for axis in _AXES)):
            if name not in table:
                raise self._error(f"'AtomData' has no column {name!r}")
        if "fx" in table and not {"fy", "fz"} <= set(table):
            raise self._error("'AtomData' has not all three components of the forces")
        if not np.array_equal(table["id"], np.arange(1, size + 1)):
            raise self._error("the ids of the atoms must count from 1 in order")
        return table

    def _stress(self, columns: list[str]) -> Array:
        columns = columns or list(_STRESS_ORDER)
        if set(columns) != set(_STRESS_ORDER):
            raise self._error(f"the stress has the components {' '.join(columns)}")
        values = dict(zip(columns, self._numbers(self._next(), 6), strict=True))
        return np.array([values[name] for name in _STRESS_ORDER])

    def _has_more(self) -> bool:
        """Skip empty lines; tell whether anything is left."""
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1
        return self.at < len(self.lines)

    def _next(self) -> str:
        if not self._has_more():
            raise self._error("the file ends within a configuration")
        self.at += 1
        return self.lines[self.at - 1].strip()

    def _numbers(self, line: str, count: int) -> list[float]:
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            values = []
        if len(values) != count:
            raise self._error(f"{count} numbers are expected, not {line[:40]!r}")
        return values

    def _error(self, what: str) -> InputFileError:
        return InputFileError(
            f"{self.source}, line {self.at}: {what}. The file may be truncated or damaged: copy or "
            "write it again."
        )


def _block(configurations: Configurations, index: int, species: Sequence[str]) -> str:
    """Return the text of one configuration."""
    rows = configurations.atoms_slice(index)
    forces = configurations.forces[rows]
    has_forces = np.isfinite(forces)
    if has_forces.any() and not (has_forces.all() and configurations.force_mask[rows].all()):
        raise LabelError(
            f"Configuration {configurations.describe(index)} has forces for some atoms only, which "
            "an MLIP .cfg file cannot express. Write it as .npz or .xyz."
        )
    lines = ["BEGIN_CFG", " Size", f"    {rows.stop - rows.start}"]
    pbc = configurations.pbc[index]
    if pbc.any():
        lines.append(" Supercell")
        lines += ["    " + _words(vector) for vector in configurations.cells[index][pbc]]
    columns = ["id", "type", *(f"cartes_{axis}" for axis in _AXES)]
    values = configurations.positions[rows]
    if has_forces.any():
        columns += _FORCES
        values = np.concatenate([values, forces], axis=1)
    lines.append(" AtomData:  " + " ".join(columns))
    type_of = {atomic_numbers[symbol]: kind for kind, symbol in enumerate(species)}
    for atom, (number, row) in enumerate(zip(configurations.numbers[rows], values, strict=True)):
        lines.append(f"    {atom + 1} {type_of[int(number)]} {_words(row)}")
    lines += _labels(configurations, index)
    lines += [
        f" Feature   {key}\t{value}" for key, value in _features(configurations, index, species)
    ]
    return "\n".join(lines) + "\nEND_CFG\n\n"


def _labels(configurations: Configurations, index: int) -> list[str]:
    lines = []
    if np.isfinite(configurations.energy[index]):
        lines += [" Energy", f"    {_words([configurations.energy[index]])}"]
    stress = configurations.stress[index]
    if np.isfinite(stress).all() and configurations.pbc[index].all():
        plus_stress = -stress * configurations.volumes[index]
        lines += [" PlusStress:  " + " ".join(_STRESS_ORDER), "    " + _words(plus_stress)]
    return lines


def _features(
    configurations: Configurations, index: int, species: Sequence[str]
) -> Iterator[tuple[str, str]]:
    yield "species", " ".join(species)
    yield "identifier", str(configurations.identifier[index])
    if configurations.weight[index] != 1.0:
        yield "weight", _words([configurations.weight[index]])
    origin = configurations.origin(index)
    if origin.turn >= 0:
        yield "turn", str(origin.turn)
        yield "sampler", origin.sampler
        yield "chain", origin.chain
        yield "step", str(origin.step)
    if np.isfinite(origin.grade):
        yield "MV_grade", _words([origin.grade])
    if configurations.level_of_theory:
        yield "level_of_theory", configurations.level_of_theory


def _words(values: Sequence[float] | Array) -> str:
    """Write numbers in full precision, without exponents, which some readers do not know."""
    return " ".join(np.format_float_positional(value, unique=True, trim="0") for value in values)
