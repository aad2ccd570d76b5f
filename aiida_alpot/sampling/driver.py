# SPDX-License-Identifier: MIT
"""The one driver: iterate over the frames of a sampler, grade, record, stop.

The grade of a frame is read from ``calculator.results["grade"]``, where the calculator of a moment
tensor potential with an active set puts it; a calculator that gives none explores ungraded. Every
chain ends with a :class:`Stop`: its sampler is through, or a condition held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError

from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling.base import Ending, Frame, Sampler
from aiida_alpot.sampling.chains import Chain, ChainResult
from aiida_alpot.sampling.continuation import SCHEMA, chain_state, check_state, restore_chain
from aiida_alpot.sampling.found import FoundStructure
from aiida_alpot.sampling.recording import KeptFrame, Recorder, RecordRules
from aiida_alpot.sampling.restarting import KnownFrame, LastKnownFrame, Restart, require_restarts
from aiida_alpot.sampling.stopping import (
    Observation,
    Stop,
    StopRules,
)


@dataclass(frozen=True)
class SampleResult:
    """The chains in the order of their starts, and the recorded frames in that order.

    ``frames`` has no labels; origins and grades are filled in. So has ``restarts``, where chains
    that were stopped by their grade can go on: the last known frame of each that has one.
    ``found`` is what was looked for: where chains converged, or what the sampler says it is.
    """

    chains: tuple[ChainResult, ...]
    frames: Configurations
    restarts: Configurations
    found: tuple[FoundStructure, ...] = ()


def run_sampler(
    sampler: Sampler,
    starts: Sequence[Atoms],
    calculator: Any,
    *,
    rng: np.random.Generator,
    stop_rules: StopRules | None = None,
    record_rules: RecordRules | None = None,
    name: str = "sampler",
    turn: int = 0,
    observe: Callable[[Observation], None] | None = None,
    offer: Callable[[Callable[[], dict[str, Any]]], None] | None = None,
    state: Mapping[str, Any] | None = None,
    known: float | None = None,
    restarts: Mapping[str, Restart] | None = None,
) -> SampleResult:
    """Run every chain of ``sampler`` to its end or to a stop, and keep the frames worth a label.

    Chains that do not depend on one another get a generator each, spawned from ``rng``: how far one
    runs does not change another.

    Parameters
    ----------
    sampler : Sampler
        Made by :func:`aiida_alpot.sampling.registry.make_sampler` or any object of the protocol.
    starts : sequence of Atoms
        One chain each, named by ``atoms.info["identifier"]`` or by a running number; not changed.
    calculator : ASE calculator
        With ``results["grade"]`` to be graded.
    rng : numpy.random.Generator
        Source of all randomness.
    stop_rules, record_rules : StopRules, RecordRules
        The defaults of their classes by default.
    name, turn : str, int
        Go into the origin of each frame.
    observe : callable, optional
        Called with every frame that has been judged, recorded or not.
    offer : callable, optional
        Called with what returns the state of the run, whenever the sampler can be interrupted.
    state : mapping, optional
        State from which the run goes on; the other arguments must be as before.
    known : float, optional
        Grade up to which a frame is one to go on from; without it the result has no ``restarts``.
        Frames at multiples of ``record_rules.every`` steps count.
    restarts : mapping, optional
        Frames in which chains begin, by the names of their starts, in place of these.

    Returns
    -------
    SampleResult

    Raises
    ------
    EmptyDataError
        If there is no start.
    GeometryError
        If a start is not a usable structure or two of its atoms overlap.
    SettingError
        If the thresholds are out of order, two starts have one name, or chains are to begin in
        their middle and the sampler cannot do that.
    """
    stop_rules = stop_rules or StopRules()
    record_rules = record_rules or RecordRules()
    _check_thresholds(stop_rules, record_rules)
    if sampler.independent:
        record_rules = replace(record_rules, every=1)
    names = _name_chains(starts)
    check_geometry(Configurations.from_atoms(_bare(starts), identifiers=names))
    sampler.check(starts)
    restarts = {one: restart for one, restart in (restarts or {}).items() if restart.step > 0}
    if restarts:
        require_restarts(sampler, name)
        check_geometry(Configurations.from_atoms(_bare([one.atoms for one in restarts.values()])))
    chains = [
        Chain(
            name=one,
            conditions=stop_rules.conditions(calculator),
            recorder=Recorder(record_rules),
            observer=observe,
            fresh=partial(stop_rules.conditions, calculator) if _survives(sampler) else None,
            memory=None if known is None else LastKnownFrame(known, record_rules.every),
            first_step=restarts[one].step if one in restarts else 0,
        )
        for one in names
    ]
    moving = _restore(chains, state, joint=sampler.joint)
    pauses = _Pauses(sampler, chains, offer)
    if sampler.joint:
        going_on: dict[str, Any] = {} if moving is None else {"moving": moving}
        leave = getattr(sampler, "leave", None)
        _drive(sampler.frames(starts, calculator, rng, **going_on), chains, pauses, leave=leave)
        return _collect(sampler, chains, starts, name=name, turn=turn)
    for start, chain, generator in zip(starts, chains, rng.spawn(len(starts)), strict=True):
        if chain.stop is None:
            _forget_pairs(calculator)
            going_on = {} if moving is None else {"moving": moving}
            if chain.name in restarts:
                going_on["restart"] = restarts[chain.name]
            _drive(sampler.frames([start], calculator, generator, **going_on), [chain], pauses)
            moving = None
    return _collect(sampler, chains, starts, name=name, turn=turn)


def _survives(sampler: Sampler) -> bool:
    """Return whether what would stop a chain concerns one frame or piece of it alone."""
    return sampler.independent or getattr(sampler, "in_pieces", False)


def _forget_pairs(calculator: Any) -> None:
    """Let a chain begin with a list of pairs of its own, whatever chain ran before it."""
    forget = getattr(getattr(calculator, "neighbors", None), "forget", None)
    if forget is not None:
        forget()


@dataclass(frozen=True)
class _Pauses:
    """Offers the state of a run where its sampler can be interrupted."""

    sampler: Any
    chains: Sequence[Chain]
    offer: Callable[[Callable[[], dict[str, Any]]], None] | None

    def before_frame(self) -> None:
        """Offer it before a frame is looked at, if that is the first of a piece."""
        if self.offer is not None and getattr(self.sampler, "is_resting", False):
            self.offer(self.state)

    def after_frame(self) -> None:
        """Offer it after a frame, of a sampler that can be interrupted at each of them."""
        sampler = self.sampler
        if self.offer is not None and not (sampler.joint or hasattr(sampler, "is_resting")):
            self.offer(self.state)

    def state(self) -> dict[str, Any]:
        """Return the state of the run."""
        tell = getattr(self.sampler, "state", None)
        return {
            "schema": SCHEMA,
            "chains": [chain_state(chain) for chain in self.chains],
            "moving": None if tell is None else tell(),
        }


def _restore(
    chains: Sequence[Chain], state: Mapping[str, Any] | None, *, joint: bool
) -> dict[str, Any] | None:
    """Give chains the state of an earlier run; return that of the motion of the next one."""
    if state is None:
        return None
    check_state(state, [chain.name for chain in chains])
    moving: dict[str, Any] | None = state["moving"]
    if joint:
        for chain, told in zip(chains, state["chains"], strict=True):
            if moving is not None:
                restore_chain(chain, told)
        return moving
    for chain, told in zip(chains, state["chains"], strict=True):
        # a chain whose motion is not known begins once more
        if told["stop"] is not None or moving is not None:
            restore_chain(chain, told)
        if chain.stop is None:
            break
    running = next((one for one in state["chains"] if one["stop"] is None), None)
    has_begun = running is not None and running["frames"] > 0
    return moving if has_begun else None


def _drive(
    frames: Iterator[Frame],
    chains: Sequence[Chain],
    pauses: _Pauses,
    leave: Callable[[int], None] | None = None,
) -> None:
    """Hand each frame to its chain until the sampler or every chain has ended.

    A sampler that is a generator is told what held of each frame.
    """
    send = getattr(frames, "send", None)
    held: Stop | None = None
    endings: dict[int, Ending] = {}
    try:
        while (frame := _following(frames, send, held, endings)) is not None:
            pauses.before_frame()
            chain = chains[frame.chain]
            held = chain.stop
            if chain.stop is None:
                held = chain.take(frame, frame.atoms.calc.results)
                if leave is not None and chain.stop is not None and frame.ending is None:
                    leave(frame.chain)
                pauses.after_frame()
            if all(one.stop is not None for one in chains):
                break
    except (CalculatorError, GeometryError, ArithmeticError, np.linalg.LinAlgError) as error:
        _fail_all(chains, error)
    except ValueError as error:
        # calculators choke on broken positions in many ways; anything else is a fault of ours
        if not _left_finite_numbers(chains):
            raise
        _fail_all(chains, error)
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
    for index, chain in enumerate(chains):
        if chain.stop is None:
            chain.stop = Stop(*endings[index]) if index in endings else None
            chain.close()


def _following(
    frames: Iterator[Frame],
    send: Callable[[Stop], Frame] | None,
    held: Stop | None,
    endings: dict[int, Ending],
) -> Frame | None:
    """Return the next frame; None after the last one, with what the sampler says of the end."""
    try:
        return next(frames) if held is None or send is None else send(held)
    except StopIteration as over:
        endings.update(over.value or {})
        return None


def _fail_all(chains: Sequence[Chain], error: Exception) -> None:
    for chain in chains:
        if chain.stop is None:
            chain.fail(error)


def _left_finite_numbers(chains: Sequence[Chain]) -> bool:
    lasts = [chain.last for chain in chains if chain.stop is None and chain.last is not None]
    return any(
        not (np.isfinite(last.atoms.positions).all() and np.isfinite(last.atoms.cell.array).all())
        for last in lasts
    )


def _check_thresholds(stop_rules: StopRules, record_rules: RecordRules) -> None:
    gamma_break, gamma_select = stop_rules.gamma_break, record_rules.gamma_select
    if gamma_break is not None and gamma_break < gamma_select:
        raise SettingError(
            f"gamma_break ({gamma_break:g}) is below gamma_select ({gamma_select:g}); a chain "
            "would stop before anything is kept. Raise gamma_break or lower gamma_select."
        )


def _name_chains(starts: Sequence[Atoms]) -> list[str]:
    names = [str(start.info.get("identifier", index)) for index, start in enumerate(starts)]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(
                f"Two starts have the identifier {name!r}; chains are told apart by it. Rename one."
            )
    return names


def _bare(starts: Sequence[Atoms]) -> list[Atoms]:
    """Return the starts without calculators, whose results do not matter here."""
    return [
        Atoms(numbers=one.numbers, positions=one.positions, cell=one.cell, pbc=one.pbc)
        for one in starts
    ]


def _collect(
    sampler: Sampler, chains: Sequence[Chain], starts: Sequence[Atoms], *, name: str, turn: int
) -> SampleResult:
    kept: list[tuple[str, KeptFrame]] = [
        (chain.name, frame) for chain in chains for frame in chain.recorder.frames
    ]
    known = [
        (chain.name, KeptFrame(_moved(start, frame), frame.step, frame.grade))
        for chain, start in zip(chains, starts, strict=True)
        if (frame := chain.known_frame()) is not None
    ]
    return SampleResult(
        tuple(chain.result() for chain in chains),
        frames=_with_origins(kept, name=name, turn=turn),
        restarts=_with_origins(known, name=name, turn=turn),
        found=_found(sampler, chains),
    )


def _found(sampler: Sampler, chains: Sequence[Chain]) -> tuple[FoundStructure, ...]:
    tell = getattr(sampler, "found", None)
    if tell is not None:
        return tuple(tell())
    return tuple(chain.found for chain in chains if chain.found is not None)


def _moved(start: Atoms, frame: KnownFrame) -> Atoms:
    return Atoms(numbers=start.numbers, positions=frame.positions, cell=frame.cell, pbc=start.pbc)


def _with_origins(
    frames: Sequence[tuple[str, KeptFrame]], *, name: str, turn: int
) -> Configurations:
    return Configurations.from_atoms(
        [frame.atoms for _, frame in frames],
        identifiers=[f"turn_{turn:03d}/{name}/{chain}/{frame.step:06d}" for chain, frame in frames],
        origins=[Origin(turn, name, chain, frame.step, frame.grade) for chain, frame in frames],
    )
