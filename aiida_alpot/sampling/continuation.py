# SPDX-License-Identifier: MIT
"""The state of a run of a sampler as plain JSON, from which it goes on to the same bits.

Numbers are written with all digits. What a chain remembers (its recorder, its stop conditions, its
counts) and the frames that it kept are in it, and where its sampler tells one, the state of
the motion; without that the chain that was running begins once more, with the same random numbers.
Chains that depend on one another (a population, structures that relax together) all go on or all
begin once more.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.errors import InputFileError
from aiida_alpot.sampling.census import FrameCensus, _Count
from aiida_alpot.sampling.found import FoundStructure
from aiida_alpot.sampling.recording import KeptFrame, Recorder
from aiida_alpot.sampling.restarting import frame_state, restore_frame
from aiida_alpot.sampling.stopping import Stop, StopOnEnergyChange

SCHEMA = 1


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Say plainly that a checkpoint is damaged where something in it is missing or no number."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputFileError(
            f"The checkpoint of the sampler is damaged ({error}). Run the job from its start."
        ) from error


def describe_atoms(atoms: Atoms) -> dict[str, Any]:
    """Return numbers, positions, cell and periodicity as JSON."""
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "pbc": atoms.pbc.tolist(),
    }


def atoms_from(described: Mapping[str, Any]) -> Atoms:
    """Return the atoms that :func:`describe_atoms` described."""
    return Atoms(
        numbers=np.array(described["numbers"], dtype=int).reshape(-1),
        positions=np.array(described["positions"], dtype=float).reshape(-1, 3),
        cell=np.array(described["cell"], dtype=float).reshape(3, 3),
        pbc=described["pbc"],
    )


def pack(array: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON: its bytes as text, which is shorter than digits and as exact."""
    content = np.asarray(array, order="C")
    text = base64.b64encode(content.tobytes()).decode("ascii")
    return {"dtype": content.dtype.str, "shape": list(content.shape), "bytes": text}


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """Return the array that :func:`pack` wrote; ValueError where it is of another kind."""
    dtype = np.dtype(str(packed["dtype"]))
    if dtype.kind not in "biufU":
        raise ValueError(f"no array of {dtype}")
    content = base64.b64decode(packed["bytes"], validate=True)
    shape = tuple(int(length) for length in packed["shape"])
    array: np.ndarray = np.frombuffer(content, dtype=dtype).reshape(shape).copy()
    return array


def pairs_of(calculator: Any) -> Atoms | None:
    """Return the structure that the calculator's list of pairs was made for, None without one.

    The order in which pairs are summed is that of the list.
    """
    reference = getattr(getattr(calculator, "neighbors", None), "reference", None)
    return reference if reference is not None and len(reference) else None


def restore_pairs(calculator: Any, described: Mapping[str, Any] | None) -> None:
    """Let a calculator make its list of pairs for the structure that another one made it for."""
    if described is not None:
        calculator.neighbors.update(atoms_from(described))


def chain_state(chain: Any) -> dict[str, Any]:
    """Return what the driver knows of a chain."""
    recorder: Recorder = chain.recorder
    highest = [n for n, frame in enumerate(recorder.frames) if frame is recorder._highest]
    starts = [one._start for one in chain.conditions if isinstance(one, StopOnEnergyChange)]
    return {
        "name": chain.name,
        "frames": chain.frames,
        "graded": chain.graded,
        "discarded": chain.discarded,
        "largest_grade": chain.largest_grade,
        "stop": None if chain.stop is None else list(chain.stop),
        "final": dict(chain.describe_last() if chain.stop is None else chain.final),
        "last_step": chain.last.step if chain.last is not None else chain.last_step,
        "first_energy": starts[0] if starts else None,
        "known": frame_state(chain.memory),
        "found": None
        if chain.found is None
        else {"atoms": describe_atoms(chain.found.atoms), "energy": chain.found.energy},
        "recorder": {
            "interval": recorder._interval,
            "window_start": recorder._window_start,
            "highest": highest[0] if highest else None,
            # the highest of a window may have made room for higher ones of others
            "dropped": None
            if highest or recorder._highest is None
            else [recorder._highest.step, recorder._highest.grade],
            "kept": [
                {"step": one.step, "grade": one.grade, "atoms": describe_atoms(one.atoms)}
                for one in recorder.frames
            ],
        },
    }


@refusing_damage()
def restore_chain(chain: Any, state: Mapping[str, Any]) -> None:
    """Give a new chain of the driver the state that another one had.

    Raises
    ------
    InputFileError
        If the state is damaged.
    """
    chain.frames, chain.graded = int(state["frames"]), int(state["graded"])
    chain.discarded = int(state.get("discarded", 0))
    chain.largest_grade = float(state["largest_grade"])
    chain.stop = None if state["stop"] is None else Stop(*state["stop"])
    chain.final = dict(state["final"])
    chain.last_step = int(state["last_step"])
    for condition in chain.conditions:
        if isinstance(condition, StopOnEnergyChange):
            condition._start = state["first_energy"]
    restore_frame(chain.memory, state.get("known"))
    found = state.get("found")
    if found is not None:
        atoms, energy = atoms_from(found["atoms"]), float(found["energy"])
        chain.found = FoundStructure(chain.name, atoms, energy)
    told, recorder = state["recorder"], chain.recorder
    recorder.frames = [
        KeptFrame(atoms_from(one["atoms"]), int(one["step"]), float(one["grade"]))
        for one in told["kept"]
    ]
    recorder._interval = int(told["interval"])
    recorder._window_start = float(told["window_start"])
    recorder._highest = None if told["highest"] is None else recorder.frames[told["highest"]]
    if told.get("dropped") is not None:
        step, grade = told["dropped"]
        recorder._highest = KeptFrame(Atoms(), int(step), float(grade))


def census_state(census: FrameCensus | None) -> dict[str, Any] | None:
    """Return what the census of the frames has counted and drawn."""
    if census is None:
        return None
    return {
        "counts": {name: vars(one) for name, one in census._counts.items()},
        "drawn": [
            [str(key), chain, step, grade, describe_atoms(atoms)]
            for key, chain, step, grade, atoms in census._drawn
        ],
    }


@refusing_damage()
def restore_census(census: FrameCensus | None, state: Mapping[str, Any]) -> None:
    """Give a new census what another one had, but for the chain that begins once more.

    Its frames are met again, with the same keys, so that the same ones are drawn in the end.
    """
    told = state.get("census")
    if census is None or told is None:
        return
    again = {
        one["name"] for one in state["chains"] if one["stop"] is None and state["moving"] is None
    }
    census._counts = {
        name: _Count(**one) for name, one in told["counts"].items() if name not in again
    }
    census._drawn = [
        (int(key), chain, int(step), float(grade), atoms_from(atoms))
        for key, chain, step, grade, atoms in told["drawn"]
        if chain not in again
    ]


def check_state(state: Any, names: list[str]) -> None:
    """Raise unless a state is one of a run with these chains.

    Raises
    ------
    InputFileError
        If it is not.
    """
    if not isinstance(state, Mapping) or state.get("schema") != SCHEMA:
        raise InputFileError("The checkpoint is not one of a sampler. Run the job from its start.")
    with refusing_damage():
        found = [one["name"] for one in state["chains"]]
    if found != names:
        raise InputFileError(
            "The checkpoint is of a run with other starts. Run the job from its start."
        )
