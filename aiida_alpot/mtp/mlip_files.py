# SPDX-License-Identifier: MIT
"""Potentials in MLIP's text format, ``.mtp``, which is the first part of an ``.almtp`` too.

A file is a sequence of ``key = value`` entries in a fixed order, some values lists in braces, and
one block ``radial_coeffs`` of a list for each ordered pair of types and each radial function. It
names no species; our writer records their symbols, separated by spaces, in ``potential_tag``, which
other readers skip, and after them the radii of a ZBL core, if there is one. Numbers are written
with 17 significant digits, so that reading and writing again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from aiida_alpot.errors import InputFileError, SpeciesError
from aiida_alpot.mtp.core_words import core_as_words, core_from_words, split_core
from aiida_alpot.mtp.mlip_entries import (
    DAMAGED,
    LARGEST_CUTOFF,
    REQUIRED,
    TRAINED,
    Entries,
    Scanner,
)
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.selection_state import check_size, split_content
from aiida_alpot.whole_files import read_content, write_text

Array = np.ndarray
RADIAL_BASIS_TYPE = "RBChebyshev"
_WRITTEN_VERSION = "1.1.0"
_READ_VERSIONS = ("1.0.", "1.1.")


def read_potential(
    path: str | Path, species: Sequence[str] | None = None, *, allow_untrained: bool = False
) -> MomentTensorPotential:
    """Read the potential at ``path``.

    Parameters
    ----------
    path : path
        An ``.mtp`` file of MLIP-2, version 1.0.x or 1.1.0, also with an active set behind it:
        ``.mvs``, or ``.almtp`` of MLIP-3.
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
    return parse_content(
        read_content(path), source=str(path), species=species, allow_untrained=allow_untrained
    )


def parse_content(
    content: bytes,
    *,
    source: str = "the potential",
    species: Sequence[str] | None = None,
    allow_untrained: bool = False,
) -> MomentTensorPotential:
    """Read a potential from the content of its file, whether or not an active set follows.

    See :func:`read_potential` for the other parameters and the errors.
    """
    text_part, state = split_content(content)
    try:
        text = text_part.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{source} is not a text file. Give a potential (.mtp or .almtp)."
        ) from error
    potential = parse_potential(
        text, source=source, species=species, allow_untrained=allow_untrained
    )
    if state is not None:
        check_size(state, n_parameters=potential.n_parameters, source=source)
    return potential


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
    entries = Scanner(text, source).entries()
    _require_known_kind(entries, source)
    is_trained = all(key in entries for key in TRAINED)
    if not is_trained and not allow_untrained:
        missing = next(key for key in TRAINED if key not in entries)
        raise InputFileError(
            f"{source} has no '{missing}': it is truncated or not trained. Fit it first, "
            "or write it again."
        )
    reader = Entries(entries, source)
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
    if not 0.0 <= potential.min_distance < potential.cutoff <= LARGEST_CUTOFF:
        raise reader.error(
            "min_dist", f"and max_dist are not in order, or above {LARGEST_CUTOFF:g} A"
        )
    return _name_species(potential, entries.get("potential_tag", ""), species, source)


def write_potential(potential: MomentTensorPotential, path: str | Path) -> None:
    """Write ``potential`` at ``path``, whole or not at all.

    Raises
    ------
    InputFileError
        If the file cannot be written.
    """
    write_text(path, dump_potential(potential))


def dump_potential(potential: MomentTensorPotential) -> str:
    """Return the text of the ``.mtp`` file; equal potentials give equal text."""
    basis = potential.basis
    # other readers split the line at "=" and stop the name at a line break
    name = " ".join(potential.name.replace("=", " ").split())
    tag = " ".join(potential.species)
    if potential.core is not None:
        tag += f" {core_as_words(potential.core, potential.species)}"
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


def _require_known_kind(entries: dict[str, str], source: str) -> None:
    for key in REQUIRED:
        if key not in entries:
            raise InputFileError(f"{source} has no '{key}'. {DAMAGED}")
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
    symbols, core_words = split_core(tag.split())
    recorded = tuple(symbols)
    is_recorded = len(recorded) == potential.n_species == len(set(recorded)) and all(
        atomic_numbers.get(symbol, 0) > 0 for symbol in recorded
    )
    if species is not None and is_recorded and tuple(species) != recorded:
        raise SpeciesError(
            f"{source} records the species {' '.join(recorded)}, not {' '.join(species)}. "
            "Leave the names away, or give them in this order."
        )
    if is_recorded:
        core = core_from_words(core_words, recorded, source)
        return potential.with_species(recorded).with_core(core)
    return potential if species is None else potential.with_species(species)
