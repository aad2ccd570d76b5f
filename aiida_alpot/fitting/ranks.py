# SPDX-License-Identifier: MIT
"""Fits that are shared among the processes of MPI, each with threads of its own.

Rank 0 runs the whole job. The sums over labels, which are nearly all of the time, it shares: every
rank is sent some configurations once and adds up what these give whenever rank 0 asks, at the
parameters that rank 0 sends along. Only rank 0 decides anything, so that rounding on different
processors cannot part the ranks. The sums over ranks are done by MPI: results depend on the number
of ranks by rounding, and are the same from run to run.

Needs ``mpi4py`` (``pip install aiida-alpot[mpi]``), and a launcher: ``mpiexec -n 4 alpot fit ...``.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ase.parallel
import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.curvature import data_curvature_product
from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.loss_gradient import data_loss_and_gradient
from aiida_alpot.fitting.normal_equations import sum_products
from aiida_alpot.mtp.contractions import MomentBasis
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
_SIZES = ("PMI_SIZE", "PMIX_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_SIZE")
_current: Ranks | None = None


class Ranks:
    """The ranks of a communicator as rank 0 sees them.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
        All other ranks of it must run :func:`serve`.
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self._n_sets = 0

    def share(
        self, environment: Environment, targets: Targets, potential: MomentTensorPotential
    ) -> SharedSums:
        """Send every rank some configurations; return what asks them for sums.

        Only potentials of the same basis may be asked for; it is sent once, and what is made from
        it by each rank is made once.

        The configurations are dealt out by number of neighbours, the largest first.
        """
        size = self._communicator.Get_size()
        n_pairs = np.add.reduceat(np.diff(environment.neighbors.first), environment.offsets[:-1])
        loads, owner = np.zeros(size), np.zeros(len(n_pairs), dtype=np.int64)
        for index in np.argsort(-n_pairs, kind="stable"):
            owner[index] = np.argmin(loads)
            loads[owner[index]] += n_pairs[index] + 1
        # what is no sum over labels is added by rank 0
        bare = dataclasses.replace(targets, restraints=None)
        shares = []
        for rank in range(size):
            mine = np.flatnonzero(owner == rank)
            shares.append((environment.select(mine), bare.select(mine, environment.offsets)))
        self._ask("keep", self._n_sets)
        for rank in range(1, size):
            self._communicator.send((potential.basis, *shares[rank]), dest=rank)
        self._n_sets += 1
        return SharedSums(self, self._n_sets - 1, *shares[0])

    def _ask(self, command: str, *arguments: Any) -> None:
        self._communicator.bcast((command, arguments), root=0)

    def ask_and_add(self, command: str, *arguments: Any, mine: Any) -> Array:
        """Let all ranks run a command; return the sum of their arrays and what ``mine`` gives.

        Signals wait until the ranks are done: an interrupt in between would part them.
        """
        with _signals_wait():
            self._ask(command, *arguments)
            try:
                return _add_up(self._communicator, mine())
            except Exception:
                traceback.print_exc()
                self._communicator.Abort(1)
                raise

    def forget(self, key: int) -> None:
        """Let the ranks drop a set of configurations."""
        self._ask("forget", key)

    def stop(self) -> None:
        """Let the other ranks go."""
        self._ask("stop")


class SharedSums:
    """Sums over the labels of a set whose configurations are spread over ranks."""

    def __init__(self, ranks: Ranks, key: int, environment: Environment, targets: Targets) -> None:
        self._ranks, self._key = ranks, key
        self._environment, self._targets = environment, targets

    def products(
        self, potential: MomentTensorPotential, *, with_radial: bool, threads: int
    ) -> Array:
        """Return what :func:`sum_products` does for the whole set."""
        return self._ranks.ask_and_add(
            "products",
            self._key,
            _without_basis(potential),
            with_radial,
            threads,
            mine=lambda: sum_products(
                potential,
                self._environment,
                self._targets,
                with_radial=with_radial,
                threads=threads,
            ),
        )

    def loss_and_gradient(
        self, potential: MomentTensorPotential, *, threads: int
    ) -> tuple[float, Array]:
        """Return what :func:`data_loss_and_gradient` does for the whole set."""
        total = self._ranks.ask_and_add(
            "gradient",
            self._key,
            _without_basis(potential),
            threads,
            mine=lambda: _pack_gradient(potential, self._environment, self._targets, threads),
        )
        return float(total[0]), total[1:]

    def curvature_product(
        self, potential: MomentTensorPotential, direction: Array, *, threads: int
    ) -> Array:
        """Return what :func:`data_curvature_product` does for the whole set."""
        return self._ranks.ask_and_add(
            "curvature",
            self._key,
            _without_basis(potential),
            direction,
            threads,
            mine=lambda: data_curvature_product(
                potential, self._environment, self._targets, direction, threads=threads
            ),
        )

    def close(self) -> None:
        """Let all ranks drop their shares."""
        self._ranks.forget(self._key)


def _without_basis(potential: MomentTensorPotential) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(potential) if field.name != "basis")
    return {name: getattr(potential, name) for name in names}


def _pack_gradient(
    potential: MomentTensorPotential, environment: Environment, targets: Targets, threads: int
) -> Array:
    loss, gradient = data_loss_and_gradient(potential, environment, targets, threads=threads)
    return np.concatenate([[loss], gradient])


def _add_up(communicator: Any, mine: Array) -> Array:
    """Add the arrays of all ranks on rank 0; the others get something without meaning."""
    total = np.empty_like(mine)
    communicator.Reduce(np.ascontiguousarray(mine), total, root=0)
    return total


def serve(communicator: Any) -> None:
    """Do what rank 0 asks for until it says stop; run by all other ranks.

    An error here ends all ranks, since rank 0 would wait for ever.
    """
    sets: dict[int, tuple[MomentBasis, Environment, Targets]] = {}
    try:
        while True:
            command, arguments = communicator.bcast(None, root=0)
            if command == "stop":
                return
            if command == "keep":
                sets[arguments[0]] = communicator.recv(source=0)
                continue
            if command == "forget":
                del sets[arguments[0]]
                continue
            key, parts, *settings = arguments
            basis, environment, targets = sets[key]
            potential = MomentTensorPotential(basis=basis, **parts)
            if command == "products":
                with_radial, threads = settings
                mine = sum_products(
                    potential, environment, targets, with_radial=with_radial, threads=threads
                )
            elif command == "curvature":
                direction, threads = settings
                mine = data_curvature_product(
                    potential, environment, targets, direction, threads=threads
                )
            else:
                mine = _pack_gradient(potential, environment, targets, *settings)
            _add_up(communicator, mine)
    except Exception:
        traceback.print_exc()
        communicator.Abort(1)


@contextmanager
def _signals_wait() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def spread(
    environment: Environment, targets: Targets, potential: MomentTensorPotential
) -> Iterator[Environment]:
    """Yield the environment; while inside, the ranks share its sums if there are several.

    They do for potentials of the basis of ``potential``.
    """
    if _current is None:
        yield environment
        return
    sums = _current.share(environment, targets, potential)
    try:
        yield dataclasses.replace(environment, shared=sums)
    finally:
        sums.close()


@contextmanager
def share_fits(communicator: Any) -> Iterator[None]:
    """Share all fits inside among the ranks; the other ranks never come out of it.

    Raises
    ------
    SystemExit
        On all ranks but 0, with status 0, when rank 0 has left.
    """
    global _current  # noqa: PLW0603 - one set of ranks belongs to a process
    communicator = communicator.Dup()  # nobody else's messages come between
    _keep_ase_serial()
    if communicator.Get_rank():
        serve(communicator)
        raise SystemExit(0)
    ranks = Ranks(communicator)
    _current = ranks
    try:
        yield
    finally:
        _current = None
        ranks.stop()


def _keep_ase_serial() -> None:
    """Let ASE read and write files on rank 0 alone.

    Where mpi4py is loaded it would share what it has read with the other ranks, which do not ask.
    """
    ase.parallel.world.comm = ase.parallel.DummyMPI()


@contextmanager
def share_fits_if_launched() -> Iterator[None]:
    """Share all fits inside if a launcher of MPI has started several processes.

    Raises
    ------
    SettingError
        If it has and ``mpi4py`` is missing.
    """
    if not _is_launched():
        yield
        return
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise SettingError(
            "Several processes of MPI were started, but mpi4py is missing. Install it by "
            "'pip install aiida-alpot[mpi]', or start one process."
        ) from error
    if MPI.COMM_WORLD.Get_size() == 1:
        yield
        return
    with share_fits(MPI.COMM_WORLD):
        yield


def _is_launched() -> bool:
    sizes = (os.environ.get(name, "1") for name in _SIZES)
    return any(size.isdigit() and int(size) > 1 for size in sizes)
