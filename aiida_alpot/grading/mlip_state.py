# SPDX-License-Identifier: MIT
r"""Active sets in the files of MLIP: potential and active rows in one ``.almtp``.

MLIP grades by max \|b A^-1\| with a square A of raw rows. An active set of the method ``parity`` is
one. For the method ``projected`` the coordinates are undone and A is completed by the rows that no
environment has (:class:`~aiida_alpot.grading.row_space.RowSpace`): their places stay fictitious for
ever, and the grades are the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, InputFileError
from aiida_alpot.grading.active_rows import ActiveSet, potential_hash
from aiida_alpot.grading.row_space import row_space
from aiida_alpot.grading.rows import WHOLE_CONFIGURATION
from aiida_alpot.mtp.mlip_files import dump_potential, parse_content
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.selection_state import SelectionState, format_state, parse_state, split_content
from aiida_alpot.whole_files import read_content, write_content

Array = np.ndarray
_PER_ATOM = 2  # energies divided by N^(2/2)
_ZIP = b"PK"  # how every .npz file begins


def load_active_set(path: str | Path, species: Sequence[str] | None = None) -> ActiveSet:
    """Read the active set at ``path``: our ``.npz``, or the one in an ``.almtp`` or ``.mvs``.

    Raises
    ------
    InputFileError
        If the file is missing, damaged or holds no active set, or one of a kind that is not
        supported: rows of forces or stresses, or of sites and energies together.
    SpeciesError
        If ``species`` contradicts what the file records.
    """
    content = read_content(path)
    if content.startswith(_ZIP):
        return ActiveSet.from_bytes(content, source=str(path))
    active_set = active_set_in(content, source=str(path), species=species)
    if active_set is None:
        raise InputFileError(
            f"{path} holds no active set. Give an .npz of one, an .almtp with one inside, or the "
            "training set."
        )
    return active_set


def active_set_in(
    content: bytes, *, source: str, species: Sequence[str] | None = None
) -> ActiveSet | None:
    """Return the active set inside a potential file, None if there is only a potential.

    Errors as :func:`load_active_set`.
    """
    state_bytes = split_content(content).state
    if state_bytes is None:
        return None
    potential = parse_content(content, source=source, species=species)
    state = parse_state(
        state_bytes,
        n_parameters=potential.n_parameters,
        species=potential.species,
        source=source,
    )
    return _from_state(state, potential, source)


def write_almtp(
    path: str | Path,
    potential: MomentTensorPotential,
    active_set: ActiveSet,
    configurations: Configurations | None = None,
) -> None:
    """Write potential and active set in one file of MLIP-3, whole or not at all.

    Parameters
    ----------
    path : path
        Usually with the suffix ``.almtp``.
    potential : MomentTensorPotential
        Its species must be named.
    active_set : ActiveSet
        Of this potential.
    configurations : Configurations, optional
        Where the configurations of the active rows are found by their content, so that the file
        names them; without them MLIP can grade but not go on selecting.

    Raises
    ------
    ActiveSetError
        If the active set belongs to another potential.
    InputFileError
        If the file cannot be written.
    """
    write_content(path, dump_almtp(potential, active_set, configurations))


def dump_almtp(
    potential: MomentTensorPotential,
    active_set: ActiveSet,
    configurations: Configurations | None = None,
) -> bytes:
    """Return the content of the file of :func:`write_almtp`."""
    active_set.check_potential(potential)
    state = _to_state(potential, active_set, configurations)
    # MLIP-3 takes the first "#" of the file for the beginning of the active set
    text = dump_potential(potential).replace("#", " ")
    return text.encode() + format_state(state, potential.species)


def _from_state(state: SelectionState, potential: MomentTensorPotential, source: str) -> ActiveSet:
    by_atom = state.site_energy_weight > 0.0
    others = (state.force_weight, state.stress_weight, state.energy_weight if by_atom else 0.0)
    weight = state.site_energy_weight if by_atom else state.energy_weight
    if any(others) or not weight > 0.0:
        raise InputFileError(
            f"{source}: the active set has rows with the weights energy {state.energy_weight:g}, "
            f"force {state.force_weight:g}, stress {state.stress_weight:g}, site energy "
            f"{state.site_energy_weight:g}; sets of either energies or site energies are read. "
            "Build it again from the training set."
        )
    if not by_atom and state.weight_scaling != _PER_ATOM:
        raise InputFileError(
            f"{source}: the active set has weight_scaling {state.weight_scaling}; sets of energies "
            "per atom (2) are read. Build it again from the training set."
        )
    n = potential.n_parameters
    filled = np.flatnonzero(state.configuration >= 0)
    hashes, identifiers = [""] * n, [""] * n
    names = state.configurations.hashes() if len(state.configurations) else []
    for place in filled:
        index = int(state.configuration[place])
        hashes[place] = names[index]
        identifiers[place] = str(state.configurations.identifier[index])
    atom = np.full(n, WHOLE_CONFIGURATION)
    if by_atom:
        atom[filled] = state.row[filled]
    return ActiveSet(
        rows=state.rows / weight,
        inverse=state.inverse * weight,
        projection=np.eye(n),
        identifier=np.array(identifiers, dtype=np.str_),
        hash=np.array(hashes, dtype=np.str_),
        atom=atom,
        mode="neighborhood" if by_atom else "configuration",
        method="parity",
        potential_hash=potential_hash(potential),
    )


def _to_state(
    potential: MomentTensorPotential,
    active_set: ActiveSet,
    configurations: Configurations | None,
) -> SelectionState:
    rows, inverse = _square_matrices(potential, active_set)
    n = len(rows)
    by_atom = active_set.mode == "neighborhood"
    configuration, row = np.full(n, -1), np.full(n, -1)
    chosen = Configurations.empty()
    if configurations is not None and len(configurations):
        place_of = {
            hash_: index for index, hash_ in reversed(list(enumerate(configurations.hashes())))
        }
        found = {hash_: place_of[hash_] for hash_ in active_set.hash.tolist() if hash_ in place_of}
        kept = sorted(set(found.values()))
        chosen = configurations.select(kept).without_labels()
        for place, hash_ in enumerate(active_set.hash.tolist()):
            if hash_ in found:
                configuration[place] = kept.index(found[hash_])
                row[place] = active_set.atom[place] if by_atom else 0
    return SelectionState(
        energy_weight=0.0 if by_atom else 1.0,
        force_weight=0.0,
        stress_weight=0.0,
        site_energy_weight=1.0 if by_atom else 0.0,
        weight_scaling=_PER_ATOM,
        rows=rows,
        inverse=inverse,
        configuration=configuration,
        row=row,
        configurations=chosen,
    )


def _square_matrices(
    potential: MomentTensorPotential, active_set: ActiveSet
) -> tuple[Array, Array]:
    """Return A of raw rows and its inverse, (n_parameters, n_parameters)."""
    n = potential.n_parameters
    if active_set.method == "parity":
        return active_set.rows, active_set.inverse
    space = row_space(potential)
    if space.rank != active_set.rank:
        raise ActiveSetError(
            f"The active set has {active_set.rank} rows, the rows of the potential span "
            f"{space.rank} dimensions. Build it again from the training set."
        )
    rows = np.concatenate([active_set.rows @ space.lift(active_set.projection), space.absent_rows])
    inverse = np.concatenate([active_set.coefficient_matrix, space.absent_directions], axis=1)
    assert rows.shape == inverse.shape == (n, n)
    return rows, inverse
