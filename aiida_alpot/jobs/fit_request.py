# SPDX-License-Identifier: MIT
"""What the job ``fit`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiida_alpot.fitting.fit import DEFAULT_ITERATIONS, DEFAULT_TOLERANCE
from aiida_alpot.jobs.requests import Request


@dataclass(frozen=True)
class FitRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    training : list of str
        Files of the training set.
    level : int
        Even, 2 to 28.
    cutoff : float
        Angstrom.
    test : dict
        Files of frozen test sets by name, which are never trained on.
    species : list of str or null
        Order of the types; those that occur, by atomic number, if null.
    min_distance : float or null
        Lower end of the interval of the radial functions, Angstrom. If null that of ``initial``, or
        0.99 times the smallest distance in the training set.
    zbl : dict or null
        ``inner`` and ``outer`` radius (Angstrom), ``pairs`` and ``overlay`` of the repulsive core,
        see :func:`~aiida_alpot.mtp.repulsion.core_of_training`; each may be absent. If null the
        core of ``initial``, or none.
    initial : str or null
        File of a potential to go on from, of the same or a lower level.
    widen_interval : bool
        Whether ``min_distance`` follows distances of the training set that are below that of
        ``initial``. Its radial functions are then expanded on the new interval, which is exact.
    weights : dict
        Keys of :class:`~aiida_alpot.fitting.loss.LossWeights`.
    weighting : dict or null
        Keys of :class:`~aiida_alpot.fitting.weighting.Weighting`: weights of configurations by
        name, energy and force.
    atomic_energies : dict, str or null
        Energies of free atoms (eV) by species, or where they are taken from, see
        :func:`aiida_alpot.fitting.references.atomic_references`.
    frozen : list of str
        Blocks of parameters that keep the values of ``initial``, see
        :mod:`aiida_alpot.fitting.strata`.
    train_only : list of str or null
        Blocks outside of which all do.
    pull : dict or null
        ``strength`` of a pull towards ``initial`` and the ``blocks`` that are pulled (all if null).
        Without ``initial`` the blocks ``species``, ``moments`` and ``linear`` are pulled to zero.
    robust : float or null
        Labels with errors above so many times what nine of ten stay below lose influence.
    committee : dict or null
        Keys of :class:`~aiida_alpot.fitting.committee.CommitteeSettings`; members are written as
        ``potential_000.mtp``, ``potential_001.mtp``, ...
    max_iterations, tolerance, seed, n_starts, threads, method
        See :func:`aiida_alpot.fitting.fit_potential`.
    active_set : dict or null
        ``mode`` and ``method`` of the active set to build, see
        :func:`aiida_alpot.grading.build_active_set`; none is built if null.
    checkpoint : str or null
        File of a checkpoint from which the job goes on.
    checkpoint_seconds : float or null
        Seconds between two checkpoints. The job writes none if null, and ends at a signal with the
        best potential so far; else with a checkpoint.
    stop_after_seconds : float or null
        Seconds after which the job writes a checkpoint and ends, if it is to.
    """

    training: tuple[str, ...]
    level: int
    cutoff: float
    test: dict[str, str] = field(default_factory=dict)
    species: tuple[str, ...] | None = None
    min_distance: float | None = None
    zbl: dict[str, float | bool | dict[str, tuple[float, float]] | None] | None = None
    initial: str | None = None
    widen_interval: bool = False
    weights: dict[str, int | float | None] = field(default_factory=dict)
    weighting: dict[str, Any] | None = None
    atomic_energies: dict[str, float] | str | None = None
    frozen: tuple[str, ...] = ()
    train_only: tuple[str, ...] | None = None
    pull: dict[str, Any] | None = None
    robust: float | None = None
    committee: dict[str, int | bool] | None = None
    max_iterations: int = DEFAULT_ITERATIONS
    tolerance: float = DEFAULT_TOLERANCE
    seed: int = 0
    n_starts: int = 1
    threads: int = 1
    method: str | None = None
    active_set: dict[str, str] | None = None
    checkpoint: str | None = None
    checkpoint_seconds: float | None = None
    stop_after_seconds: float | None = None
