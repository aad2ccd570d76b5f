# SPDX-License-Identifier: MIT
"""Potentials in MLIP-2's text format, ``.mtp``.

A file is a sequence of ``key = value`` entries in a fixed order, some values lists in braces, and
one block ``radial_coeffs`` of a list for each ordered pair of types and each radial function. It
names no species; our writer records their symbols, separated by spaces, in ``potential_tag``, which
other readers skip. Numbers are written with 17 significant digits, so that reading and writing
again gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from aiida_alpot.errors import InputFileError, SpeciesError
from aiida_alpot.mtp.contractions import MomentBasis, recognise_level
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
RADIAL_BASIS_TYPE = "RBChebyshev"
_WRITTEN_VERSION = "1.1.0"
_READ_VERSIONS = ("1.0.", "1.1.")
# names that files of version 1.0 use
_ALIASES = {"min_val": "min_dist", "max_val": "max_dist", "basis_size": "radial_basis_size"}
_REQUIRED = (
    "version",
    "species_count",
    "radial_basis_type",
    "min_dist",
    "max_dist",
    "radial_basis_size",
    "radial_funcs_count",
    "alpha_moments_count",
    "alpha_index_basic_count",
    "alpha_index_basic",
    "alpha_index_times_count",
    "alpha_index_times",
    "alpha_scalar_moments",
    "alpha_moment_mapping",
)
_TRAINED = ("radial_coeffs", "species_coeffs", "moment_coeffs")
_OPTIONAL = ("potential_name", "potential_tag", "scaling")
_LISTS = (
    "alpha_index_basic",
    "alpha_index_times",
    "alpha_moment_mapping",
    "species_coeffs",
    "moment_coeffs",
)
_DAMAGED = "The file is truncated or damaged: copy or write it again."
_KEY = re.compile(r"\s*([A-Za-z_]\w*)[ \t]*(=?)[ \t]*")
_LIST = re.compile(r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_PAIR = re.compile(r"\s*(\d+)\s*-\s*(\d+)")


def read_potential(
    path: str | Path, species: Sequence[str] | None = None, *, allow_untrained: bool = False
) -> MomentTensorPotential:
    """Read the potential at ``path``.

    Parameters
    ----------
    path : path
        An ``.mtp`` file of MLIP-2, version 1.0.x or 1.1.0.
    species : sequence of str, optional
        Chemical symbols in the order of the types, for files that do not record them.
    allow_untrained : bool
        Accept a file without coefficients, which become zero.

    Raises
    ------
    InputFileError
        If the file is missing, truncated, garbled, of another kind, or without coefficients.
    SpeciesError
        If ``species`` has not one name for each type, or contradicts what the file records.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"Cannot read {path}: {error.strerror}.") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not a text file. Give a potential (.mtp).") from error
    return parse_potential(text, source=str(path), species=species, allow_untrained=allow_untrained)


def parse_potential(
    text: str,
    *,
    source: str = "the potential",
    species: Sequence[str] | None = None,
    allow_untrained: bool = False,
) -> MomentTensorPotential:
    """Read a potential from the text of its file; ``source`` names it in messages.

    See :func:`read_potential` for the other parameters and the errors.
    """
    entries = _Scanner(text, source).entries()
    _require_known_kind(entries, source)
    is_trained = all(key in entries for key in _TRAINED)
    if not is_trained and not allow_untrained:
        missing = next(key for key in _TRAINED if key not in entries)
        raise InputFileError(
            f"{source} has no '{missing}': it is truncated or not trained. Fit it first, "
            "or write it again."
        )
    reader = _Entries(entries, source)
    basis = reader.basis()
    potential = MomentTensorPotential(
        basis=basis,
        species=(),
        radial_coefficients=reader.radial_coefficients(),
        species_coefficients=reader.coefficients("species_coeffs", reader.integer("species_count")),
        moment_coefficients=reader.coefficients("moment_coeffs", basis.n_scalars),
        min_distance=reader.real("min_dist"),
        cutoff=reader.real("max_dist"),
        scaling=reader.real("scaling") if "scaling" in entries else 1.0,
        name=entries.get("potential_name", "MTP"),
    )
    if not 0.0 <= potential.min_distance < potential.cutoff:
        raise reader.error("min_dist", "and max_dist are not in order")
    return _name_species(potential, entries.get("potential_tag", ""), species, source)


def write_potential(potential: MomentTensorPotential, path: str | Path) -> None:
    """Write ``potential`` at ``path``, whole or not at all.

    Raises
    ------
    InputFileError
        If the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    try:
        partial.write_text(dump_potential(potential), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror}.") from error


def dump_potential(potential: MomentTensorPotential) -> str:
    """Return the text of the ``.mtp`` file; equal potentials give equal text."""
    basis = potential.basis
    # other readers split the line at "=" and stop the name at a line break
    name = " ".join(potential.name.replace("=", " ").split())
    tag = " ".join(potential.species)
    lines = [
        "MTP",
        f"version = {_WRITTEN_VERSION}",
        f"potential_name = {name}" if name else "potential_name = MTP",
        f"scaling = {_real(potential.scaling)}",
        f"species_count = {potential.n_species}",
        f"potential_tag = {tag}".rstrip(),
        f"radial_basis_type = {RADIAL_BASIS_TYPE}",
        f"\tmin_dist = {_real(potential.min_distance)}",
        f"\tmax_dist = {_real(potential.cutoff)}",
        f"\tradial_basis_size = {potential.radial_coefficients.shape[-1]}",
        f"\tradial_funcs_count = {basis.n_radial}",
        "\tradial_coeffs",
    ]
    for centre, of_centre in enumerate(potential.radial_coefficients):
        for neighbor, functions in enumerate(of_centre):
            lines.append(f"\t\t{centre}-{neighbor}")
            lines += [f"\t\t\t{_list(row, _real)}" for row in functions]
    lines += [
        f"alpha_moments_count = {basis.n_moments}",
        f"alpha_index_basic_count = {basis.n_basic}",
        f"alpha_index_basic = {_table(basis.basic)}",
        f"alpha_index_times_count = {basis.n_products}",
        f"alpha_index_times = {_table(basis.products)}",
        f"alpha_scalar_moments = {basis.n_scalars}",
        f"alpha_moment_mapping = {_list(basis.scalars, str)}",
        f"species_coeffs = {_list(potential.species_coefficients, _real)}",
        f"moment_coeffs = {_list(potential.moment_coefficients, _real)}",
    ]
    return "\n".join(lines) + "\n"


def _real(value: float) -> str:
    return f"{value:.16e}"


def _list(values: Array, write: Callable[[float], str]) -> str:
    return "{" + ", ".join(write(value) for value in values.tolist()) + "}"


def _table(rows: Array) -> str:
    return "{" + ", ".join(_list(row, str) for row in rows) + "}"


class _Scanner:
    """Splits the text into its entries; only their shape is checked."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.at = 0

    def entries(self) -> dict[str, str]:
        """Return the text of each value, lists without their braces."""
        first = self.text.split(None, 1)[:1]
        if first != ["MTP"]:
            raise InputFileError(
                f"{self.source} does not begin with 'MTP'. Give a potential in MLIP's format, "
                "a .mtp file."
            )
        self.at = self.text.index("MTP") + len("MTP")
        entries: dict[str, str] = {}
        while self.text[self.at :].strip():
            key, has_value = self._next_key()
            if key == "radial_coeffs" and not has_value:
                entries[key] = self._radial_block()
            elif not has_value:
                raise self._garbled(f"'{key}' has no value")
            elif key == "scaling" and key in entries:
                # a second factor stands in the radial block
                entries[key] = f"{float(entries[key]) * self._factor():.17g}"
            elif key in entries:
                raise self._garbled(f"'{key}' occurs twice")
            elif key in _LISTS:
                entries[key] = self._list_after(key)
            elif key in _REQUIRED + _OPTIONAL:
                entries[key] = self._rest_of_line()
                if key == "scaling":
                    entries[key] = f"{_number(entries[key], self.source, key):.17g}"
            else:
                raise self._garbled(f"there is an unknown key '{key}'")
        return entries

    def _next_key(self) -> tuple[str, bool]:
        match = _KEY.match(self.text, self.at)
        if match is None:
            shown = self.text[self.at :].strip()[:20]
            raise self._garbled(f"a key is expected, not {shown!r}")
        self.at = match.end()
        return _ALIASES.get(match[1], match[1]), bool(match[2])

    def _rest_of_line(self) -> str:
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        value, self.at = self.text[self.at : end].strip(), end
        return value

    def _factor(self) -> float:
        return _number(self._rest_of_line(), self.source, "scaling")

    def _list_after(self, key: str) -> str:
        match = _LIST.match(self.text, self.at)
        if match is None:
            raise self._garbled(f"the list of '{key}' is missing or not closed")
        self.at = match.end()
        return match[1]

    def _radial_block(self) -> str:
        """Return the lists of all pairs, one to a line, each pair headed by its types."""
        parts = []
        while pair := _PAIR.match(self.text, self.at):
            self.at = pair.end()
            parts.append(f"{pair[1]}-{pair[2]}")
            while (row := _LIST.match(self.text, self.at)) is not None:
                self.at = row.end()
                parts.append(row[1])
        return "\n".join(parts)

    def _garbled(self, what: str) -> InputFileError:
        line = self.text.count("\n", 0, self.at) + 1
        return InputFileError(f"{self.source}, line {line}: {what}. {_DAMAGED}")


class _Entries:
    """Turns the text of the entries into checked arrays."""

    def __init__(self, entries: dict[str, str], source: str) -> None:
        self.entries = entries
        self.source = source

    def error(self, key: str, what: str) -> InputFileError:
        return InputFileError(f"{self.source}: '{key}' {what}. {_DAMAGED}")

    def real(self, key: str) -> float:
        return _number(self.entries[key], self.source, key)

    def integer(self, key: str) -> int:
        value = self.entries[key]
        if not value.isdigit():
            raise self.error(key, f"is {value!r}, not a count")
        return int(value)

    def integers(self, key: str, shape: tuple[int, ...]) -> Array:
        found = re.findall(r"[^\s{},]+", self.entries[key])
        if len(found) != math.prod(shape):
            raise self.error(key, f"holds {len(found)} numbers, {math.prod(shape)} are announced")
        try:
            return np.array([int(value) for value in found], dtype=np.int64).reshape(shape)
        except ValueError as error:
            raise self.error(key, f"holds something that is no integer ({error})") from error

    def reals(self, key: str, text: str, count: int) -> Array:
        found = [_number(value, self.source, key) for value in re.findall(r"[^\s,]+", text)]
        if len(found) != count:
            raise self.error(key, f"holds {len(found)} numbers where {count} are announced")
        return np.array(found)

    def coefficients(self, key: str, count: int) -> Array:
        return self.reals(key, self.entries[key], count) if key in self.entries else np.zeros(count)

    def radial_coefficients(self) -> Array:
        key = "radial_coeffs"
        n_species, n_radial, size = map(
            self.integer, ("species_count", "radial_funcs_count", "radial_basis_size")
        )
        coefficients = np.zeros((n_species, n_species, n_radial, size))
        if key not in self.entries:
            return coefficients
        lines = iter(self.entries[key].split("\n"))
        for centre, neighbor in np.ndindex(n_species, n_species):
            if next(lines, None) != f"{centre}-{neighbor}":
                raise self.error(key, f"lacks the pair {centre}-{neighbor}")
            for mu in range(n_radial):
                row = next(lines, None)
                if row is None:
                    raise self.error(key, f"lacks radial function {mu} of {centre}-{neighbor}")
                coefficients[centre, neighbor, mu] = self.reals(key, row, size)
        if next(lines, None) is not None:
            raise self.error(key, "holds more than the announced pairs and radial functions")
        return coefficients

    def basis(self) -> MomentBasis:
        n_basic = self.integer("alpha_index_basic_count")
        n_moments = self.integer("alpha_moments_count")
        n_products = self.integer("alpha_index_times_count")
        n_scalars = self.integer("alpha_scalar_moments")
        basis = MomentBasis(
            basic=self.integers("alpha_index_basic", (n_basic, 4)),
            products=self.integers("alpha_index_times", (n_products, 4)),
            scalars=self.integers("alpha_moment_mapping", (n_scalars,)),
            n_moments=n_moments,
            level=None,
        )
        self._check_tables(basis, self.integer("radial_funcs_count"))
        return dataclasses.replace(basis, level=recognise_level(basis))

    def _check_tables(self, basis: MomentBasis, n_radial: int) -> None:
        if (
            not basis.n_basic
            or (basis.basic < 0).any()
            or set(range(n_radial)) != set(basis.basic[:, 0].tolist())
        ):
            raise self.error("alpha_index_basic", "does not use each radial function")
        if not basis.n_scalars or not _within(basis.scalars, 0, basis.n_moments):
            raise self.error("alpha_moment_mapping", "names a moment that does not exist")
        n_basic, sources, targets = basis.n_basic, basis.products[:, :2], basis.products[:, 3]
        n_moments = basis.n_moments
        if not (_within(sources, 0, n_moments) and _within(targets, n_basic, n_moments)):
            raise self.error("alpha_index_times", "names a moment that does not exist")
        # a moment must be complete before it is multiplied, else its products could not be grouped
        last_written = np.full(basis.n_moments, -1)
        np.maximum.at(last_written, targets, np.arange(len(targets)))
        if (last_written[sources] >= np.arange(len(targets))[:, None]).any() or (
            sources >= targets[:, None]
        ).any():
            raise self.error("alpha_index_times", "multiplies a moment before it is complete")


def _within(values: Array, first: int, end: int) -> bool:
    return bool(((values >= first) & (values < end)).all())


def _number(text: str, source: str, key: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputFileError(
            f"{source}: '{key}' holds {text!r}, which is not a finite number. {_DAMAGED}"
        )
    return value


def _require_known_kind(entries: dict[str, str], source: str) -> None:
    for key in _REQUIRED:
        if key not in entries:
            raise InputFileError(f"{source} has no '{key}'. {_DAMAGED}")
    if not entries["version"].startswith(_READ_VERSIONS):
        raise InputFileError(
            f"{source} has version {entries['version']}; 1.0.x and 1.1.x of MLIP-2's "
            "format are read."
        )
    kind = entries["radial_basis_type"]
    if kind != RADIAL_BASIS_TYPE:
        raise InputFileError(
            f"{source} has the radial basis {kind}; only {RADIAL_BASIS_TYPE} is supported. "
            "Train the potential again with it."
        )


def _name_species(
    potential: MomentTensorPotential, tag: str, species: Sequence[str] | None, source: str
) -> MomentTensorPotential:
    recorded = tuple(tag.split())
    is_recorded = len(recorded) == potential.n_species == len(set(recorded)) and all(
        atomic_numbers.get(symbol, 0) > 0 for symbol in recorded
    )
    if species is not None and is_recorded and tuple(species) != recorded:
        raise SpeciesError(
            f"{source} records the species {' '.join(recorded)}, not {' '.join(species)}. "
            "Leave the names away, or give them in this order."
        )
    if species is not None:
        return potential.with_species(species)
    return potential.with_species(recorded) if is_recorded else potential
