# SPDX-License-Identifier: MIT
"""The repulsion of the ZBL core over neighbour lists, and its radii from training data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.blocks import run_chunks
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.zbl import CorePair, ZblCore, core_from_distances, repulsion_table
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
_ATOMS_PER_CHUNK = 4096


@dataclass(frozen=True)
class Repulsion:
    """The core of a potential as the kernel reads it.

    Parameters
    ----------
    table : (n_species, n_species, 4) float64
        Of :func:`aiida_alpot.mtp.zbl.repulsion_table`.
    reach : float
        Largest outer radius, Angstrom.
    """

    table: Array
    reach: float

    def add_to(
        self,
        results: tuple[Array, Array, Array],
        neighbors: NeighborList,
        types: Array,
        *,
        threads: int = 1,
    ) -> None:
        """Add energies, forces and strain derivatives to those of the sites, in place.

        Parameters
        ----------
        results : (n_atoms,), (n_atoms, 3), (n_atoms, 6) float64
            As :class:`~aiida_alpot.mtp.site_evaluator.SiteResults`; forces and strains are left
            alone where they have no rows.
        neighbors : NeighborList
            All pairs within ``reach``, and any number beyond.
        types : (n_atoms,) int32
        threads : int
            The result does not depend on it.
        """
        starts = range(0, len(types), _ATOMS_PER_CHUNK)

        def run(index: int) -> None:
            stop = min(starts[index] + _ATOMS_PER_CHUNK, len(types))
            self.add_to_rows(starts[index], stop, results, neighbors, types)

        run_chunks(run, len(starts), threads)

    def add_to_rows(
        self,
        start: int,
        stop: int,
        results: tuple[Array, Array, Array],
        neighbors: NeighborList,
        types: Array,
    ) -> None:
        """Add to the atoms from ``start`` to ``stop`` alone, as :meth:`add_to`."""
        from aiida_alpot.mtp.kernels.zbl import add_repulsion

        add_repulsion(
            start,
            stop,
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            types,
            self.table,
            self.reach,
            *results,
        )


def repulsion_of(potential: MomentTensorPotential) -> Repulsion | None:
    """Return the repulsion that a potential adds, or None."""
    core, species = potential.core, potential.species
    if core is None or not core.repels:
        return None
    return Repulsion(repulsion_table(core, species), core.reach(species))


def without_repulsion(potential: MomentTensorPotential) -> MomentTensorPotential:
    """Return what a fit works on: the potential without the repulsion, faded as with it."""
    if potential.core is None:
        return potential
    core = dataclasses.replace(potential.core, repels=False)
    return dataclasses.replace(potential, core=core)


def site_repulsion(
    repulsion: Repulsion, neighbors: NeighborList, types: Array
) -> tuple[Array, Array, Array]:
    """Return the repulsion alone: site energies (eV), forces (eV/A), strain derivatives (eV).

    Arguments as those of :meth:`Repulsion.add_to`.
    """
    n_atoms = len(types)
    results = (np.zeros(n_atoms), np.zeros((n_atoms, 3)), np.zeros((n_atoms, 6)))
    repulsion.add_to(results, neighbors, types)
    return results


def core_of_training(
    training: Configurations,
    species: Sequence[str],
    cutoff: float,
    *,
    inner: float | None = None,
    outer: float | None = None,
    pairs: Mapping[str, tuple[float, float]] | None = None,
    overlay: bool = False,
    known: ZblCore | None = None,
) -> ZblCore:
    """Return the core of a potential for a training set.

    Parameters
    ----------
    training : Configurations
        Gives the default radii: 0.65 and 0.95 times the smallest distance of each pair of species.
    species : sequence of str
        Species of the potential.
    cutoff : float
        Of the potential, Angstrom; pairs beyond it are not looked at.
    inner, outer : float, optional
        Radii of all pairs in place of the defaults, Angstrom.
    pairs : mapping of str to (inner, outer), optional
        Radii of single pairs such as "W-H", which go before all others, Angstrom.
    overlay : bool
        Whether the radial functions stay as they are, see :mod:`aiida_alpot.mtp.zbl`.
    known : ZblCore, optional
        Core of an earlier potential; its pairs stay as they are.

    Raises
    ------
    SettingError
        If the radii are not in order, or a pair is not one of ``species``.
    """
    chosen = ZblCore(tuple(_named_pairs(pairs or {}, species)), fades=not overlay)
    if known is not None:
        chosen = chosen.extended(known)
    smallest = {} if inner or outer else smallest_distances(training, cutoff)
    others = core_from_distances(smallest, species, inner=inner, outer=outer)
    return chosen.extended(others).completed(species)


def _named_pairs(
    pairs: Mapping[str, tuple[float, float]], species: Sequence[str]
) -> Iterator[CorePair]:
    for name, (inner, outer) in pairs.items():
        symbols = name.split("-")
        if len(symbols) != 2 or not set(symbols) <= set(species):
            raise SettingError(
                f"The pair {name!r} of the ZBL core is not two of the species "
                f"{', '.join(species)} joined by '-', as in 'W-H'."
            )
        yield CorePair(symbols[0], symbols[1], inner, outer)


def smallest_distances(
    configurations: Configurations, cutoff: float
) -> dict[frozenset[str], float]:
    """Return the smallest distance of each pair of species nearer than ``cutoff``, Angstrom."""
    from ase.data import chemical_symbols

    pairs = batch_neighbor_list(configurations, cutoff)
    distances = np.sqrt(np.einsum("ij,ij->i", pairs.vectors, pairs.vectors))
    numbers = configurations.numbers
    first = np.repeat(numbers, np.diff(pairs.first)).astype(np.int64)
    keys = first * len(chemical_symbols) + numbers[pairs.neighbor]
    smallest: dict[frozenset[str], float] = {}
    for key in np.unique(keys):
        names = frozenset(chemical_symbols[z] for z in divmod(int(key), len(chemical_symbols)))
        found = float(distances[keys == key].min())
        smallest[names] = min(found, smallest.get(names, np.inf))
    return smallest
