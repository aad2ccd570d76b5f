# SPDX-License-Identifier: MIT
"""What an evolutionary search remembers between two relaxations, and that as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.sampling.continuation import (
    atoms_from,
    describe_atoms,
    pairs_of,
    refusing_damage,
    restore_pairs,
)
from aiida_alpot.sampling.global_search.population import Member, make_member


@dataclass
class Tally:
    """What a search has done so far."""

    relaxed: int = 0
    abandoned: int = 0
    duplicates: int = 0
    lowest: float = np.inf
    found_at: int = 0
    generations: int = 0

    def __str__(self) -> str:
        given_up = f", {self.abandoned} given up" if self.abandoned else ""
        found = f"the lowest has {self.lowest:.6g} eV/atom, found as number {self.found_at}"
        if not self.found_at:
            found = "none of them reached a minimum or the end of its steps"
        return (
            f"{self.relaxed} structures relaxed{given_up} ({self.duplicates} duplicates among the "
            f"last parents and children) in {self.generations} generations; {found}"
        )


@dataclass
class Search:
    """The state of one run.

    ``number`` counts structures made so far, ``steps`` the frames of each chain; ``children`` are
    those of the generation that is not complete yet.
    """

    starts: Sequence[Atoms]
    rng: np.random.Generator
    steps: list[int]
    number: int = 0
    members: list[Member] = field(default_factory=list)
    children: list[Member] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class Pause:
    """A search before the next structure is made: copies of what changes, nothing written yet."""

    search: Search
    rng_state: Mapping[str, Any]
    pairs: Atoms | None

    @classmethod
    def of(cls, search: Search, calculator: Any) -> Pause:
        """Return where a search and its calculator stand now."""
        copied = replace(
            search,
            steps=list(search.steps),
            members=list(search.members),
            children=list(search.children),
            tally=replace(search.tally),
        )
        return cls(copied, search.rng.bit_generator.state, pairs_of(calculator))

    def as_json(self) -> dict[str, Any]:
        """Return all that the search goes on from."""
        search = self.search
        tally = asdict(search.tally)
        return {
            "number": search.number,
            "steps": list(search.steps),
            "members": [_describe(member) for member in search.members],
            "children": [_describe(member) for member in search.children],
            "tally": {**tally, "lowest": tally["lowest"] if search.tally.found_at else None},
            "rng": dict(self.rng_state),
            "list_of": None if self.pairs is None else describe_atoms(self.pairs),
        }


def restore_search(
    search: Search, calculator: Any, state: Mapping[str, Any], *, width: float
) -> None:
    """Give a new search the state that :meth:`Pause.as_json` told.

    Parameters
    ----------
    search : Search
        With its starts and its generator.
    calculator : ASE calculator
    state : mapping
    width : float
        Of the peaks of fingerprints, A.

    Raises
    ------
    InputFileError
        If the state is damaged.
    """
    with refusing_damage():
        search.number = int(state["number"])
        if len(state["steps"]) != len(search.starts):
            raise ValueError(f"it is of {len(state['steps'])} chains")
        search.steps = [int(step) for step in state["steps"]]
        search.members = [_member_from(one, width=width) for one in state["members"]]
        search.children = [_member_from(one, width=width) for one in state["children"]]
        tally = dict(state["tally"])
        lowest = tally.pop("lowest")
        search.tally = Tally(
            **{name: int(value) for name, value in tally.items()},
            lowest=np.inf if lowest is None else float(lowest),
        )
        search.rng.bit_generator.state = dict(state["rng"])
        restore_pairs(calculator, state["list_of"])


def _describe(member: Member) -> dict[str, Any]:
    return {
        "atoms": describe_atoms(member.atoms),
        "energy": float(member.energy),
        "number": member.number,
    }


def _member_from(described: Mapping[str, Any], *, width: float) -> Member:
    atoms = atoms_from(described["atoms"])
    energy, number = float(described["energy"]), int(described["number"])
    return make_member(atoms, energy, number=number, width=width)
