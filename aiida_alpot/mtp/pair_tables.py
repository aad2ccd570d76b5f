# SPDX-License-Identifier: MIT
"""The repulsion of a ZBL core as tables for LAMMPS.

An overlay is the sum of a moment tensor potential and the pair potential V (1 - s): where the first
comes from the ``.mtp`` file, the second can come from ``pair_style table``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.zbl import CorePair, switched_repulsion
from aiida_alpot.whole_files import write_text

SHORTEST = 0.1
"""First distance of the tables, Angstrom; LAMMPS stops where atoms come nearer."""
_POINTS = 4000


def write_pair_tables(
    potential: MomentTensorPotential, path: str | Path, *, n_points: int = _POINTS
) -> None:
    """Write one table for each pair of species, named ``ZBL_Cu_Au``, in units "metal".

    Parameters
    ----------
    potential : MomentTensorPotential
        With a core. Its repulsion is written, whether its radial functions fade or not.
    path : path
        Written whole or not at all.
    n_points : int
        Rows of each table, evenly spaced in the square of the distance, as ``pair_style table``
        interpolates.

    Raises
    ------
    SettingError
        If the potential has no core.
    InputFileError
        If the file cannot be written.
    """
    write_text(path, dump_pair_tables(potential, n_points=n_points))


def dump_pair_tables(potential: MomentTensorPotential, *, n_points: int = _POINTS) -> str:
    """Return the text of the tables, see :func:`write_pair_tables`."""
    if potential.core is None:
        raise SettingError("The potential has no ZBL core; there is no table to write.")
    parts = [
        "# repulsion of the ZBL core of a potential of aiida-alpot; units: metal\n",
        *(_table(pair, n_points) for pair in potential.core.pairs),
    ]
    return "\n".join(parts)


def pair_commands(potential: MomentTensorPotential, table: str) -> list[str]:
    """Return the commands of LAMMPS that add the tables in the file ``table`` to the potential.

    Types are numbered in the order of the species of the potential.
    """
    commands = [
        f"pair_style hybrid/overlay mlip mlip.ini table spline {_POINTS}",
        "pair_coeff * * mlip",
    ]
    return [*commands, *(f"pair_coeff {line}" for line in table_coefficients(potential, table))]


def table_coefficients(potential: MomentTensorPotential, table: str) -> list[str]:
    """Return what follows ``pair_coeff`` for each pair, under ``pair_style hybrid/overlay``."""
    if potential.core is None:
        return []
    types = {symbol: index for index, symbol in enumerate(potential.species, start=1)}
    lines = []
    for pair in potential.core.pairs:
        first, second = sorted((types[pair.first], types[pair.second]))
        lines.append(f"{first} {second} table {table} {_name(pair)} {pair.outer!r}")
    return lines


def _table(pair: CorePair, n_points: int) -> str:
    squares = np.linspace(SHORTEST**2, pair.outer**2, n_points)
    distances = np.sqrt(squares)
    energies, slopes = switched_repulsion(pair, distances)
    rows = [
        f"{index} {distance:.12e} {energy:.12e} {-slope:.12e}"
        for index, (distance, energy, slope) in enumerate(
            zip(distances, energies, slopes, strict=True), start=1
        )
    ]
    head = f"{_name(pair)}\nN {n_points} RSQ {SHORTEST} {pair.outer!r}\n"
    return "\n".join([head, *rows]) + "\n"


def _name(pair: CorePair) -> str:
    return f"ZBL_{pair.first}_{pair.second}"
