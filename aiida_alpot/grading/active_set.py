# SPDX-License-Identifier: MIT
r"""Active sets: the training environments that span the largest volume, and grades by them.

With the active rows A (rank x rank, in coordinates b P of the rows b) the extrapolation grade of a
row is

    gamma = max_j \|c_j\|,   c = b P A^-1

so that gamma <= 1 interpolates, and exchanging the row for active row j multiplies \|det A\| by
\|c_j\| (Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017)). Two methods differ in P:

``projected``
    P projects on the space that rows can span at all (:mod:`aiida_alpot.grading.row_space`).
``parity``
    P = 1: raw rows, one batch, grades as MLIP-2 prints them.

Both start from short fictitious rows, which stay along the directions the training set lacks.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, EmptyDataError, InputFileError, SettingError
from aiida_alpot.grading.maxvol import (
    START_SCALE,
    SWAP_THRESHOLD,
    UNFILLED,
    MaxvolResult,
    maxvol_in_blocks,
    scaled_identity,
)
from aiida_alpot.grading.row_space import structural_projection
from aiida_alpot.grading.rows import WHOLE_CONFIGURATION, RowBlock, check_mode, iterate_rows
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
Method = Literal["projected", "parity"]
METHODS: tuple[str, ...] = get_args(Method)
SCHEMA = 1
REMEMBERED_BYTES = 256 * 2**20


class RowOrigin(NamedTuple):
    """Where an active row came from; empty identifier where no configuration filled the place.

    ``atom`` counts within the configuration and is -1 for a row of the whole configuration.
    """

    identifier: str
    hash: str
    atom: int


@dataclass(frozen=True)
class ActiveSet:
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

    rows: Array
    inverse: Array
    projection: Array
    identifier: Array
    hash: Array
    atom: Array
    mode: str
    method: str
    potential_hash: str

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

    def to_bytes(self) -> bytes:
        """Return the content of the ``.npz`` file: equal active sets give equal bytes."""
        buffer = io.BytesIO()
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez_compressed(buffer, allow_pickle=False, schema=np.array(SCHEMA), **arrays)
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the ``.npz`` file at ``path``, whole or not at all."""
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(self.to_bytes())
        partial.replace(target)

    @classmethod
    def from_bytes(cls, content: bytes, *, source: str = "npz") -> ActiveSet:
        """Read what :meth:`to_bytes` gave; ``source`` names it in messages.

        Raises
        ------
        InputFileError
            If the content is not such a file, is truncated, or has another schema.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
            raise InputFileError(
                f"{source} is not a readable .npz file of an active set ({error}). It may be "
                "truncated: build the active set again from the training set."
            ) from error
        schema = int(arrays.pop("schema", -1))
        if schema != SCHEMA or set(arrays) != {field.name for field in fields(cls)}:
            raise InputFileError(
                f"{source} is not an active set of schema {SCHEMA} (found schema {schema}). Build "
                "it again from the training set with this version of aiida-alpot."
            )
        for name in ("mode", "method", "potential_hash"):
            arrays[name] = str(arrays[name])
        return cls(**arrays)

    @classmethod
    def load(cls, path: str | Path) -> ActiveSet:
        """Read the ``.npz`` file at ``path``.

        Raises
        ------
        InputFileError
            If the file is missing or is not an active set.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputFileError(f"Cannot read {path}: {error.strerror}.") from error
        return cls.from_bytes(content, source=str(path))


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
    return digest.hexdigest()


def empty_active_set(
    potential: MomentTensorPotential,
    *,
    mode: Literal["neighborhood", "configuration"] | str = "neighborhood",
    method: Method | str = "projected",
    scale: float = START_SCALE,
) -> ActiveSet:
    """Return the regularised start: only fictitious rows, along which everything extrapolates.

    Raises
    ------
    SettingError
        If there is no such mode or method.
    """
    check_mode(mode)
    if method not in METHODS:
        raise SettingError(f"Unknown grading method {method!r}; allowed are {', '.join(METHODS)}.")
    if method == "projected":
        projection = structural_projection(potential)
    else:
        projection = np.eye(potential.n_parameters)
    rank = projection.shape[1]
    rows, inverse = scaled_identity(rank, scale)
    return ActiveSet(
        rows=rows,
        inverse=inverse,
        projection=projection,
        identifier=np.zeros(rank, dtype="<U1"),
        hash=np.zeros(rank, dtype="<U1"),
        atom=np.full(rank, WHOLE_CONFIGURATION),
        mode=mode,
        method=method,
        potential_hash=potential_hash(potential),
    )


def build_active_set(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    mode: str = "neighborhood",
    method: str = "projected",
    scale: float = START_SCALE,
    threshold: float = SWAP_THRESHOLD,
) -> ActiveSet:
    """Select the active rows of a training set by MAXVOL.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where energies are linearised.
    configurations : Configurations
        Training set; labels are not looked at.
    mode : {"neighborhood", "configuration"}
        One row for each atom, or for each configuration.
    method : {"projected", "parity"}
        See the module; ``parity`` keeps all rows in memory.
    scale : float
        Length of the fictitious rows of the start.
    threshold : float
        Smallest gain of volume for which rows are exchanged, >= 1.

    Raises
    ------
    EmptyDataError
        If there is no configuration.
    SettingError
        If there is no such mode or method.
    SpeciesError
        If the potential lacks a species that occurs.
    """
    if len(configurations) == 0:
        raise EmptyDataError(
            "The training set of an active set holds no configuration; give at least one."
        )
    start = empty_active_set(potential, mode=mode, method=method, scale=scale)
    return extend_active_set(start, potential, configurations, threshold=threshold).active_set


@dataclass(frozen=True)
class Extension:
    """An active set after candidates competed for its places.

    Parameters
    ----------
    active_set : ActiveSet
        With the candidates that gained volume.
    configurations : (k,) int64
        Candidates with at least one row in it, increasing.
    maxvol : MaxvolResult
        What MAXVOL did; its indices count rows of the candidates.
    """

    active_set: ActiveSet
    configurations: Array
    maxvol: MaxvolResult


def extend_active_set(
    active_set: ActiveSet,
    potential: MomentTensorPotential,
    candidates: Configurations,
    *,
    threshold: float = SWAP_THRESHOLD,
) -> Extension:
    """Let the rows of ``candidates`` replace active rows where that gains volume.

    Rows are computed and filtered block by block; beyond 256 MiB they are computed again in each
    sweep, so that memory does not grow with the number of candidates. With the method ``parity``
    all are kept and each exchange is the best of all.

    Parameters
    ----------
    active_set : ActiveSet
        To start from; must belong to ``potential``.
    potential : MomentTensorPotential
        Where energies are linearised.
    candidates : Configurations
        Labels are not looked at.
    threshold : float
        Smallest factor on the volume for which a row enters, >= 1.

    Raises
    ------
    ActiveSetError
        If the active set belongs to another potential.
    """
    active_set.check_potential(potential)
    check_threshold(threshold)
    owners: list[RowBlock] = []

    def blocks() -> Iterable[Array]:
        owners.clear()
        for block in iterate_rows(potential, candidates, mode=active_set.mode):
            owners.append(RowBlock(block.rows[:0], block.configuration, block.atom))
            yield active_set.coordinates(block.rows)

    one_batch = active_set.method == "parity"
    result = maxvol_in_blocks(
        _joined(blocks) if one_batch else _remembered(blocks),
        start=(active_set.rows, active_set.inverse),
        threshold=max(threshold, SWAP_THRESHOLD),
        keep_all=one_batch,
    )
    return _with_entered_rows(active_set, candidates, owners, result)


def check_threshold(threshold: float) -> None:
    """Raise SettingError unless ``threshold`` is at least one."""
    if not threshold >= 1.0:
        raise SettingError(
            f"The threshold of a grade is {threshold:g}; it must be at least 1, where "
            "interpolation ends."
        )


def _joined(blocks: Callable[[], Iterable[Array]]) -> Callable[[], Iterable[Array]]:
    """Return the blocks as a single one, which is computed once and kept."""
    kept: list[Array] = []

    def one_block() -> Iterable[Array]:
        if not kept:
            kept.extend(np.concatenate(parts) for parts in [list(blocks())] if parts)
        return iter(kept)

    return one_block


def _remembered(blocks: Callable[[], Iterable[Array]]) -> Callable[[], Iterable[Array]]:
    """Return the blocks so that only the first sweep computes them, if memory allows."""
    kept: list[Array] = []
    complete = False

    def sweep() -> Iterable[Array]:
        nonlocal complete
        if complete:
            yield from kept
            return
        kept.clear()
        size = 0
        for block in blocks():
            size += block.nbytes
            if size <= REMEMBERED_BYTES:
                kept.append(block)
            else:
                kept.clear()
            yield block
        complete = size <= REMEMBERED_BYTES

    return sweep


def _with_entered_rows(
    active_set: ActiveSet, candidates: Configurations, owners: list[RowBlock], result: MaxvolResult
) -> Extension:
    """Record which candidate fills each place now."""
    identifier = [str(name) for name in active_set.identifier]
    content = [str(digest) for digest in active_set.hash]
    atom = active_set.atom.copy()
    filled = np.flatnonzero(result.places != UNFILLED)
    entered = np.zeros(0, dtype=np.int64)
    if len(filled):
        rows = result.places[filled]
        entered = np.concatenate([block.configuration for block in owners])[rows]
        atom[filled] = np.concatenate([block.atom for block in owners])[rows]
        distinct, position = np.unique(entered, return_inverse=True)
        hashes = candidates.select(distinct).hashes()
        for place, k in zip(filled, position, strict=True):
            identifier[place] = str(candidates.identifier[distinct[k]])
            content[place] = hashes[k]
    updated = ActiveSet(
        rows=result.matrix,
        inverse=result.inverse,
        projection=active_set.projection,
        identifier=np.array(identifier, dtype=np.str_),
        hash=np.array(content, dtype=np.str_),
        atom=atom,
        mode=active_set.mode,
        method=active_set.method,
        potential_hash=active_set.potential_hash,
    )
    return Extension(updated, np.unique(entered), result)
