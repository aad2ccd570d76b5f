# SPDX-License-Identifier: MIT
r"""The value of an active set: its rows, their origins, the grades by them, and its file.

With the active rows A (rank x rank, in coordinates b P of the rows b) the extrapolation grade of a
row is

    gamma = max_j \|c_j\|,   c = b P A^-1

so that gamma <= 1 interpolates, and exchanging the row for active row j multiplies \|det A\| by
\|c_j\| (Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017)).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np

from aiida_alpot.array_files import ArrayFile
from aiida_alpot.array_headers import Layout
from aiida_alpot.errors import ActiveSetError
from aiida_alpot.mtp.core_words import core_as_words
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
Mode = Literal["neighborhood", "configuration"]
Method = Literal["projected", "parity"]


class RowOrigin(NamedTuple):
    """Where an active row came from; empty identifier where no configuration filled the place.

    ``atom`` counts within the configuration and is -1 for a row of the whole configuration.
    """

    identifier: str
    hash: str
    atom: int


@dataclass(frozen=True)
class ActiveSet(ArrayFile):
    """Active rows of a potential with their inverse; see the module for the symbols.

    Parameters
    ----------
    rows : (rank, rank) float64
        A, each row in the coordinates that ``projection`` gives.
    inverse : (rank, rank) float64
        A^-1.
    projection : (n_parameters, rank) float64
        P.
    identifier, hash : (rank,) str
        Configuration of each active row by name and by content; empty for a fictitious row.
    atom : (rank,) int64
        Atom of each active row within its configuration, -1 for whole configurations.
    mode : {"neighborhood", "configuration"}
        What a row stands for: an atom, or the mean over a configuration.
    method : {"projected", "parity"}
        How coordinates are made.
    potential_hash : str
        :func:`potential_hash` of the potential the rows were computed with.
    """

    TEXTS: ClassVar[tuple[str, ...]] = ("mode", "method", "potential_hash")
    LAYOUT: ClassVar[Layout] = {
        "rows": ("f8", ("rank", "rank")),
        "inverse": ("f8", ("rank", "rank")),
        "projection": ("f8", ("n_parameters", "rank")),
        "identifier": ("U", ("rank",)),
        "hash": ("U", ("rank",)),
        "atom": ("i8", ("rank",)),
        "mode": ("U", ()),
        "method": ("U", ()),
        "potential_hash": ("U", ()),
    }
    CONTENT: ClassVar[str] = "an active set"
    REMEDY: ClassVar[str] = "build the active set again from the training set"

    rows: Array
    inverse: Array
    projection: Array
    identifier: Array
    hash: Array
    atom: Array
    mode: str
    method: str
    potential_hash: str

    @classmethod
    def check_arrays(cls, arrays: Mapping[str, Any]) -> None:
        """Raise ValueError where a matrix cannot be used or a word is unknown."""
        if not len(arrays["rows"]) or str(arrays["mode"]) not in get_args(Mode):
            raise ValueError("it has no rows, or rows of an unknown mode")
        if str(arrays["method"]) not in get_args(Method):
            raise ValueError("it has an unknown method")
        if not all(np.isfinite(arrays[name]).all() for name in ("rows", "inverse", "projection")):
            raise ValueError("it holds numbers that are not finite")

    @property
    def rank(self) -> int:
        """Number of places."""
        return len(self.rows)

    @property
    def n_parameters(self) -> int:
        """Number of columns of the rows that can be graded."""
        return len(self.projection)

    @property
    def initialized(self) -> Array:
        """(rank,) bool: whether a configuration fills each place."""
        filled: Array = self.hash != ""
        return filled

    @property
    def n_initialized(self) -> int:
        """Number of places that a configuration fills."""
        return int(self.initialized.sum())

    @property
    def log_det(self) -> float:
        """Logarithm of the volume, log |det A|."""
        return float(np.linalg.slogdet(self.rows)[1])

    @cached_property
    def coefficient_matrix(self) -> Array:
        r"""(n_parameters, rank) float64: P A^-1, so that gamma = max \|row @ P A^-1\|."""
        matrix: Array = np.ascontiguousarray(self.projection @ self.inverse)
        return matrix

    @cached_property
    def packed_coefficients(self) -> Array:
        """The same matrix as the kernels take it."""
        from aiida_alpot.mtp.kernels.grades import pack_columns

        return pack_columns(self.coefficient_matrix)

    def origin(self, place: int) -> RowOrigin:
        """Return where the row in ``place`` came from."""
        return RowOrigin(str(self.identifier[place]), str(self.hash[place]), int(self.atom[place]))

    @property
    def origins(self) -> list[RowOrigin]:
        """Origin of each active row."""
        return [self.origin(place) for place in range(self.rank)]

    def coordinates(self, rows: Array) -> Array:
        """(m, rank): rows dE/dtheta in the coordinates of the active rows."""
        if self.method == "parity":
            return rows
        coordinates: Array = rows @ self.projection
        return coordinates

    def grades(self, rows: Array) -> Array:
        """Return the extrapolation grade of each row.

        Parameters
        ----------
        rows : (m, n_parameters) float64
            dV_i/dtheta in neighbourhood mode, (dE/dtheta) / N in configuration mode.

        Returns
        -------
        (m,) float64
            At least zero; above one a row extrapolates.

        Raises
        ------
        ActiveSetError
            If the rows have another number of columns than the potential has parameters.
        """
        if rows.shape[1] != self.n_parameters:
            raise ActiveSetError(
                f"The rows have {rows.shape[1]} columns, the active set belongs to a potential "
                f"with {self.n_parameters} parameters. Build it again from the training set."
            )
        coefficients = rows @ self.coefficient_matrix
        grades: Array = np.maximum(
            coefficients.max(axis=1, initial=0.0), -coefficients.min(axis=1, initial=0.0)
        )
        return grades

    def check_potential(self, potential: MomentTensorPotential) -> None:
        """Raise unless this active set was built with ``potential``.

        Raises
        ------
        ActiveSetError
            If it belongs to another potential: grades would mean nothing.
        """
        found = potential_hash(potential)
        if found != self.potential_hash:
            raise ActiveSetError(
                f"The active set was built with another potential (it names "
                f"{self.potential_hash[:12]}, the potential is {found[:12]}). Build it again from "
                "the training set, or give the potential that belongs to it."
            )


def potential_hash(potential: MomentTensorPotential) -> str:
    """Return a SHA-256 of all that decides the energies of a potential; its name does not enter."""
    digest = hashlib.sha256()
    basis = potential.basis
    settings = (potential.min_distance, potential.cutoff, potential.scaling)
    for part, dtype in (
        (basis.basic, "<i8"),
        (basis.products, "<i8"),
        (basis.scalars, "<i8"),
        (potential.radial_coefficients.shape, "<i8"),
        (potential.parameters, "<f8"),
        (settings, "<f8"),
    ):
        digest.update(np.ascontiguousarray(part, dtype=dtype).tobytes())
    digest.update(" ".join(potential.species).encode())
    if potential.core is not None:
        digest.update(core_as_words(potential.core, potential.species).encode())
    return digest.hexdigest()
