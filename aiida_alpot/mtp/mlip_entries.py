# SPDX-License-Identifier: MIT
"""The grammar of MLIP-2's potential files: from text to checked tables.

:class:`Scanner` splits the text into its entries and looks at their shape alone; :class:`Entries`
turns them into arrays and checks that they belong together. Whatever is wrong, the message names
the file and what is missing.
"""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np

from aiida_alpot.errors import InputFileError
from aiida_alpot.mtp.contractions import MomentBasis, recognise_level

Array = np.ndarray
# names that files of version 1.0 use
_ALIASES = {"min_val": "min_dist", "max_val": "max_dist", "basis_size": "radial_basis_size"}
REQUIRED = (
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
TRAINED = ("radial_coeffs", "species_coeffs", "moment_coeffs")
_OPTIONAL = ("potential_name", "potential_tag", "scaling")
_LISTS = (
    "alpha_index_basic",
    "alpha_index_times",
    "alpha_moment_mapping",
    "species_coeffs",
    "moment_coeffs",
)
_DEEPEST_LIST = 2
_LARGEST_COUNT = 10**7
_LARGEST_RANK = 50  # of a basic moment; level 28 has 12
_LARGEST_UNTRAINED = 10**6  # radial coefficients of a file that names none
LARGEST_CUTOFF = 100.0
"""Angstrom; beyond it an atom has more neighbours than memory holds."""
DAMAGED = "The file is truncated or damaged: copy or write it again."
_KEY = re.compile(r"\s*([A-Za-z_]\w*)[ \t]*(=?)[ \t]*")
_BLANK = re.compile(r"\s*")
_BRACE = re.compile(r"[{}]")
_PAIR = re.compile(r"\s*(\d+)\s*-\s*(\d+)")


class Scanner:
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
        has_factor = False
        while self.text[self.at :].strip():
            key, has_value = self._next_key()
            if key == "radial_coeffs" and not has_value:
                entries[key] = self._radial_block()
            elif not has_value:
                raise self._garbled(f"'{key}' has no value")
            elif key == "scaling" and key in entries and not has_factor:
                # a second factor stands in the radial block
                has_factor = True
                entries[key] = f"{float(entries[key]) * self._factor():.17g}"
            elif key in entries:
                raise self._garbled(f"'{key}' occurs twice")
            elif key in _LISTS:
                entries[key] = self._list_after(key)
            elif key in REQUIRED + _OPTIONAL:
                entries[key] = self._rest_of_line()
                if key == "scaling":
                    entries[key] = f"{number(entries[key], self.source, key):.17g}"
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
        return number(self._rest_of_line(), self.source, "scaling")

    def _list_after(self, key: str) -> str:
        found = self._next_list()
        if found is None:
            raise self._garbled(f"the list of '{key}' is missing or not closed")
        return found

    def _next_list(self) -> str | None:
        """Return what stands within the next braces, which may hold braces once more."""
        first = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]
        if not self.text.startswith("{", first):
            return None
        depth = 0
        for brace in _BRACE.finditer(self.text, first):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                self.at = brace.end()
                return self.text[first + 1 : brace.start()]
            if depth > _DEEPEST_LIST:
                return None
        return None

    def _radial_block(self) -> str:
        """Return the lists of all pairs, one to a line, each pair headed by its types."""
        parts = []
        while pair := _PAIR.match(self.text, self.at):
            self.at = pair.end()
            parts.append(f"{pair[1]}-{pair[2]}")
            while (row := self._next_list()) is not None:
                parts.append(row)
        return "\n".join(parts)

    def _garbled(self, what: str) -> InputFileError:
        line = self.text.count("\n", 0, self.at) + 1
        return InputFileError(f"{self.source}, line {line}: {what}. {DAMAGED}")


class Entries:
    """Turns the text of the entries into checked arrays."""

    def __init__(self, entries: dict[str, str], source: str) -> None:
        self.entries = entries
        self.source = source

    def error(self, key: str, what: str) -> InputFileError:
        """Return the error that an entry is wrong in some way."""
        return InputFileError(f"{self.source}: '{key}' {what}. {DAMAGED}")

    def real(self, key: str) -> float:
        """Return an entry as a finite number."""
        return number(self.entries[key], self.source, key)

    def integer(self, key: str) -> int:
        """Return an entry as a count."""
        value = self.entries[key]
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(_LARGEST_COUNT))):
            raise self.error(key, f"is {value[:40]!r}, not a count up to {_LARGEST_COUNT}")
        return int(value)

    def integers(self, key: str, shape: tuple[int, ...]) -> Array:
        """Return a list or table of integers."""
        found = re.findall(r"[^\s{},]+", self.entries[key])
        if len(found) != math.prod(shape):
            raise self.error(key, f"holds {len(found)} numbers, {math.prod(shape)} are announced")
        try:
            return np.array([int(value) for value in found], dtype=np.int64).reshape(shape)
        except (ValueError, OverflowError) as error:
            raise self.error(key, f"holds something that is no integer ({error})") from error

    def reals(self, key: str, text: str, count: int) -> Array:
        """Return so many numbers from the text of an entry or a part of it."""
        found = [number(value, self.source, key) for value in re.findall(r"[^\s,]+", text)]
        if len(found) != count:
            raise self.error(key, f"holds {len(found)} numbers where {count} are announced")
        return np.array(found)

    def coefficients(self, key: str, count: int) -> Array:
        """Return so many coefficients, zeros where the potential is not trained."""
        return self.reals(key, self.entries[key], count) if key in self.entries else np.zeros(count)

    def radial_coefficients(self) -> Array:
        """(n_species, n_species, n_radial, size): the block of the radial functions."""
        key = "radial_coeffs"
        n_species, n_radial, size = map(
            self.integer, ("species_count", "radial_funcs_count", "radial_basis_size")
        )
        n_numbers = n_species**2 * n_radial * size
        if n_numbers > max(_LARGEST_UNTRAINED, len(self.entries.get(key, ""))):
            raise self.error(key, f"would hold {n_numbers} numbers")
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
        """Return the tables of the moments, in the order of the file."""
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
        functions = np.unique(basis.basic[:, 0])
        if (
            not basis.n_basic
            or (basis.basic < 0).any()
            or not np.array_equal(functions, np.arange(min(n_radial, basis.n_basic + 1)))
        ):
            raise self.error("alpha_index_basic", "does not use each radial function")
        if (basis.basic[:, 1:] > _LARGEST_RANK).any():
            raise self.error("alpha_index_basic", f"has a power above {_LARGEST_RANK}")
        if not basis.n_basic <= basis.n_moments <= basis.n_basic + basis.n_products:
            raise self.error("alpha_moments_count", "is not the number of moments of the tables")
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


def number(text: str, source: str, key: str) -> float:
    """Return a finite number, or name the entry that holds none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputFileError(
            f"{source}: '{key}' holds {text!r}, which is not a finite number. {DAMAGED}"
        )
    return value
