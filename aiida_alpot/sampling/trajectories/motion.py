# SPDX-License-Identifier: MIT
"""Samplers that an integrator of ASE moves, and the state of their motion as plain JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics as Integrator

from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.restarting import Restart

REMEMBERED = (
    *("p_eps", "accel", "force_eps", "gamma_mod", "v", "transferred_energy"),
    *("Told", "Nold", "rold", "previous_energies", "energy_target"),
)
"""What integrators carry from one step to the next beside the atoms."""


class MovingSampler(ABC):
    """A sampler whose chains are one geometry each, moved by an integrator, one after the other."""

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True
    _moving: tuple[Integrator, np.random.Generator, int] | None = None
    """The integrator, its generator and the steps that it has done."""

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None = None,
        restart: Restart | None = None,
    ) -> Iterator[Frame]:
        """Yield the start and each step of one chain after the other.

        With ``moving``, the ``state()`` of an earlier run of the only chain, what follows it;
        with ``restart`` the only chain begins there.

        Raises
        ------
        GeometryError
            If contour exploration finds no forces at the displaced start.
        """
        for chain, start in enumerate(starts):
            yield from self._run(chain, start, calculator, rng, moving=moving, restart=restart)

    def state(self) -> dict[str, Any] | None:
        """Return the state of the motion as JSON, from which it goes on to the same bits."""
        return None if self._moving is None else motion_state(*self._moving)

    @abstractmethod
    def _run(
        self,
        chain: int,
        start: Atoms,
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None,
        restart: Restart | None,
    ) -> Iterator[Frame]:
        """Yield the frames of one chain."""

    def _integrate(
        self,
        chain: int,
        shown: Atoms,
        motion: tuple[Integrator, np.random.Generator, int],
        *,
        n_steps: int,
        is_resumed: bool,
        prepare: Callable[[int], None],
    ) -> Iterator[Frame]:
        """Yield the frames of an integrator from the step on that it has done, to ``n_steps``.

        Before each further step ``prepare`` is given its number.
        """
        integrator, rng, first = motion
        for step, through in enumerate(integrator.irun(n_steps - first), start=first):
            ending = Ending("finished", f"all {n_steps} steps done") if through else None
            self._moving = (integrator, rng, step)
            if not is_resumed or step > first:  # the frame before is judged already
                yield Frame(shown, chain, step, ending)
            prepare(step + 1)


def motion_state(integrator: Integrator, rng: np.random.Generator, step: int) -> dict[str, Any]:
    """Return the state of a motion after ``step`` steps."""
    atoms = integrator.atoms
    tell = getattr(atoms.calc, "chain_state", None)
    reference = getattr(getattr(atoms.calc, "neighbors", None), "reference", None)
    return {
        "step": step,
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "momenta": atoms.get_momenta().tolist(),
        "rng": rng.bit_generator.state,
        "integrator": {
            name: np.asarray(getattr(integrator, name)).tolist()
            for name in REMEMBERED
            if hasattr(integrator, name)
        },
        # a bias whose strength follows the forces
        "calculator": None if tell is None else tell(),
        # the order in which pairs are summed is that of the list, made at these places
        "list_of": None
        if reference is None
        else {"positions": reference.positions.tolist(), "cell": reference.cell.array.tolist()},
    }


def restore_motion(
    integrator: Integrator, rng: np.random.Generator, state: Mapping[str, Any]
) -> int:
    """Give a new integrator and generator the state of a motion; return how many steps it did."""
    atoms = integrator.atoms
    if state["list_of"] is not None:
        atoms.calc.neighbors.update(
            Atoms(
                atoms.numbers,
                np.array(state["list_of"]["positions"]),
                cell=np.array(state["list_of"]["cell"]),
                pbc=atoms.pbc,
            )
        )
    atoms.set_cell(np.array(state["cell"]), scale_atoms=False, apply_constraint=False)
    atoms.set_positions(np.array(state["positions"]), apply_constraint=False)
    atoms.set_momenta(np.array(state["momenta"]), apply_constraint=False)
    if state.get("calculator") is not None:
        atoms.calc.restore_chain(state["calculator"])
    rng.bit_generator.state = dict(state["rng"])
    for name, value in state["integrator"].items():
        setattr(integrator, name, np.array(value) if isinstance(value, list) else value)
    integrator.nsteps = int(state["step"])
    return int(state["step"])
