# SPDX-License-Identifier: MIT
"""Reading MLIP's text format of configurations, block after block from its text.

:mod:`aiida_alpot.mtp.mlip_configurations` describes the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from aiida_alpot.errors import InputFileError, SpeciesError

Array = np.ndarray
STRESS_ORDER = ("xx", "yy", "zz", "yz", "xz", "xy")
_LARGEST_INTEGER = 2.0**53
AXES = ("x", "y", "z")
FORCES = ("fx", "fy", "fz")
# features and the keys of atoms.info that Configurations reads
_TEXT_FEATURES = ("identifier", "sampler", "chain")
_NUMBER_FEATURES = {"MV_grade": "grade", "weight": "weight", "turn": "turn", "step": "step"}


class ConfigurationReader:
    """Reads block after block and keeps its place for messages.

    Parameters
    ----------
    text : str
        Of the whole file.
    source : str
        Names the file in messages.
    species : sequence of str, optional
        Chemical symbols in the order of the types; by default those that the file records.
    """

    def __init__(self, text: str, source: str, species: Sequence[str] | None) -> None:
        self.lines = text.splitlines()
        self.source = source
        self.species = species
        self.at = 0
        self.level_of_theory = ""

    def structures(self) -> Iterator[Atoms]:
        """Yield the configurations with their labels, names and origins.

        Raises
        ------
        InputFileError
            If the text is truncated or garbled, or has the key ``Stress``.
        SpeciesError
            If a type has no name.
        """
        while self._has_more():
            if (line := self._next()) != "BEGIN_CFG":
                raise self._error(f"'BEGIN_CFG' is expected, not {line[:30]!r}")
            with np.errstate(all="ignore"):  # numbers that are too large are refused later
                atoms = self._structure()
            yield atoms

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
                name, *value = rest.split(None, 1) or [""]
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
            atoms.positions = np.stack([table[f"cartes_{axis}"] for axis in AXES], axis=1)
        else:
            if not pbc.all():
                raise self._error("direct coordinates need three cell vectors")
            fractions = np.stack([table[f"direct_{axis}"] for axis in AXES], axis=1)
            atoms.positions = fractions @ cell
        results = self._results(content, atoms)
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info.update({key: features[key] for key in _TEXT_FEATURES if key in features})
        for feature, key in _NUMBER_FEATURES.items():
            if feature in features:
                value = self._numbers(features[feature], 1)[0]
                if key in ("turn", "step") and not abs(value) < _LARGEST_INTEGER:
                    raise self._error(f"'{feature}' is {value:g}, not a whole number")
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
        unknown = [name for name in species if atomic_numbers.get(name, 0) == 0]
        if unknown:
            raise SpeciesError(
                f"{self.source} names the species {unknown[0]!r}, which is no chemical symbol."
            )
        is_known = not len(types) or 0 <= types.min() <= types.max() < len(species)
        if not is_known or (types % 1).any():
            raise SpeciesError(
                f"{self.source} has the type {types.max():g}, but only {len(species)} species "
                f"are named ({' '.join(species)}). Name one for each type."
            )
        return [species[int(kind)] for kind in types]

    def _results(self, content: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
        results: dict[str, Any] = {}
        if "energy" in content:
            results["energy"] = results["free_energy"] = float(content["energy"])
        if "fx" in content["table"]:
            results["forces"] = np.stack([content["table"][axis] for axis in FORCES], axis=1)
        if "plus_stress" in content and atoms.pbc.all():
            volume = abs(float(np.linalg.det(atoms.cell.array)))
            if volume > 0.0:  # a cell without a volume is refused where geometries are checked
                results["stress"] = -content["plus_stress"] / volume
        return results

    def _size(self) -> int:
        line = self._next()
        # an atom takes a line
        if not (line.isascii() and line.isdigit() and int(line[:20]) <= len(self.lines)):
            raise self._error(f"'Size' is {line[:20]!r}, not a number of atoms of this file")
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
        if len(set(columns)) < len(columns):
            raise self._error("'AtomData' has a column twice")
        rows = [self._numbers(self._next(), len(columns)) for _ in range(size)]
        values = np.array(rows).reshape(size, len(columns))
        table = dict(zip(columns, values.T, strict=True))
        kind = "direct" if "direct_x" in table else "cartes"
        for name in ("id", "type", *(f"{kind}_{axis}" for axis in AXES)):
            if name not in table:
                raise self._error(f"'AtomData' has no column {name!r}")
        if "fx" in table and not {"fy", "fz"} <= set(table):
            raise self._error("'AtomData' has not all three components of the forces")
        if not np.array_equal(table["id"], np.arange(1, size + 1)):
            raise self._error("the ids of the atoms must count from 1 in order")
        return table

    def _stress(self, columns: list[str]) -> Array:
        columns = columns or list(STRESS_ORDER)
        if sorted(columns) != sorted(STRESS_ORDER):
            raise self._error(f"the stress has the components {' '.join(columns)}")
        values = dict(zip(columns, self._numbers(self._next(), 6), strict=True))
        return np.array([values[name] for name in STRESS_ORDER])

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
