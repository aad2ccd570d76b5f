# SPDX-License-Identifier: MIT
"""Rules by which VASP is set up for a cell: k-points, division of cores, executable, moments.

A campaign labels cells of all sizes. What decides a label (spacing of the k-points, moments that
are asked for) is given once; what does not (division of cores, executable) follows from atoms,
k-points and cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

Array = np.ndarray
Mesh = tuple[int, int, int]

ATOMS_PER_CORE = 8
"""Most atoms for each core of a group of k-points, which holds wave functions of its own."""
ATOMS_PER_BAND_CORE = 25
"""Atoms for each core that shares a band; below twice as many, bands are not shared."""
SMALLEST_MOMENT = 0.5
"""Bohr magnetons; smaller moments that are asked for are not judged."""


def mesh_of(cell: Array, pbc: Sequence[bool], spacing: float) -> Mesh:
    """Return the divisions of a mesh around Gamma, at most ``spacing`` apart.

    ``n_i = max(1, ceil(|b_i| / spacing))`` with the factor 2 pi in the reciprocal vectors ``b_i``,
    as VASP's KSPACING; one along directions that are not periodic.

    Parameters
    ----------
    cell : (3, 3) array
        Rows are cell vectors, Angstrom.
    pbc : (3,) bool
        Periodic directions.
    spacing : float
        Largest distance of k-points, 1/A.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(np.asarray(cell, dtype=float)), axis=0)
    # a hair off, so that rounding of a cell vector does not add a plane of points
    counts = np.maximum(1, np.ceil(lengths / spacing - 1e-6)).astype(int)
    first, second, third = (
        int(n) if periodic else 1 for n, periodic in zip(counts, pbc, strict=True)
    )
    return first, second, third


def count_kpoints(mesh: Sequence[int]) -> int:
    """Return how many points of a mesh around Gamma differ when k and -k are the same.

    Cells of a campaign have no other symmetry as a rule.
    """
    total = math.prod(mesh)
    own_inverse = math.prod(1 if n % 2 else 2 for n in mesh)
    return (total + own_inverse) // 2


def work_of(n_atoms: int, mesh: Sequence[int]) -> int:
    """Return atoms x k-points, by which resources are chosen."""
    return n_atoms * count_kpoints(mesh)


@dataclass(frozen=True)
class CoreDivision:
    """How VASP divides its cores: groups of k-points (KPAR), cores that share a band (NCORE)."""

    kpar: int
    ncore: int


def divide_cores(
    n_cores: int, n_kpoints: int, n_atoms: int, *, cores_per_node: int | None = None
) -> CoreDivision:
    """Return KPAR and NCORE for a number of cores.

    KPAR is the divisor of the cores that leaves the fewest rounds of k-points, the smallest of
    those that do, among those not above the number of k-points whose groups keep a core for every
    :data:`ATOMS_PER_CORE` atoms (each group holds its own wave functions). NCORE is the largest
    divisor of a group that fits a node and exceeds neither the root of the group nor a core for
    every :data:`ATOMS_PER_BAND_CORE` atoms.

    Parameters
    ----------
    n_cores : int
        Processes of MPI.
    n_kpoints : int
        Points in the irreducible part of the mesh, as of :func:`count_kpoints`.
    n_atoms : int
        Atoms of the cell.
    cores_per_node : int, optional
        Processes on one node; all of them by default.
    """
    least = min(n_cores, math.ceil(n_atoms / ATOMS_PER_CORE))
    allowed = [
        kpar
        for kpar in _divisors(n_cores)
        if kpar <= max(1, n_kpoints) and (n_cores // kpar >= least or kpar == 1)
    ]
    kpar = min(allowed, key=lambda number: (math.ceil(n_kpoints / number), number))
    group = n_cores // kpar
    node = cores_per_node or n_cores
    most = min(math.isqrt(group), n_atoms // ATOMS_PER_BAND_CORE)
    ncore = max(
        (size for size in _divisors(group) if size <= max(1, most) and node % size == 0), default=1
    )
    return CoreDivision(kpar, ncore)


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]


def needs_gamma_only(mesh: Sequence[int]) -> bool:
    """Return whether Gamma is the only point, for which ``vasp_gam`` is the faster executable."""
    return math.prod(mesh) == 1


def magmom_tag(moments: Sequence[float]) -> str:
    """Return moments as MAGMOM writes them: ``8*2.2 4*-1``."""
    runs = [(len(list(group)), value) for value, group in groupby(float(m) for m in moments)]
    return " ".join(f"{count}*{value:g}" if count > 1 else f"{value:g}" for count, value in runs)


def find_left_state(requested: Array, final: Array, *, kept: float) -> str | None:
    """Return which atom left the magnetic state that was asked for, or None.

    An atom left it whose moment has the other sign, or less than the share ``kept`` of the size
    that was asked for. All moments reversed are the same state. Atoms for which less than
    :data:`SMALLEST_MOMENT` was asked are not judged.

    Parameters
    ----------
    requested, final : (n,) array
        Moments asked for and found, Bohr magnetons.
    kept : float
        Least share of a moment that must be left, from 0 to 1.
    """
    requested, final = np.asarray(requested, dtype=float), np.asarray(final, dtype=float)
    sense = -1.0 if float(requested @ final) < 0 else 1.0
    judged = np.abs(requested) >= SMALLEST_MOMENT
    share = np.ones_like(requested)
    share[judged] = sense * final[judged] / requested[judged]
    if not judged.any() or share.min() >= kept:
        return None
    atom = int(np.argmin(share))
    return (
        f"atom {atom} was asked to have {requested[atom]:+.2f} Bohr magnetons and ended with "
        f"{final[atom]:+.2f}; {int((share < kept).sum())} of {int(judged.sum())} atoms left "
        "the state"
    )
