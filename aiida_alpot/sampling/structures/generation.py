# SPDX-License-Identifier: MIT
"""Samplers that make structures one by one: what they share is the chain of what was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from ase import Atoms

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.starts import prepare_start

Made: TypeAlias = Atoms | str
"""A structure, or in words why it could not be made."""


def frames_of_made(
    starts: Sequence[Atoms],
    calculator: Any,
    rng: np.random.Generator,
    structures: int,
    make: Callable[[Atoms, np.random.Generator], Made],
    *,
    note: str = "",
) -> Iterator[Frame]:
    """Yield each start and then the structures that ``make`` makes of it.

    A structure that cannot be made is left out; how many and why stands in the ending, where
    ``note`` follows.

    Raises
    ------
    GeometryError
        If of some start not one structure could be made; the message says why.
    """
    for chain, start in enumerate(starts):
        failures: Counter[str] = Counter()
        made = _make_each(start, rng, structures, make, failures)
        step, current = 0, prepare_start(start, calculator)
        current.get_forces()
        for following in made:
            yield Frame(current, chain, step)
            step, current = step + 1, prepare_start(following, calculator)
            current.get_forces()
        if step == 0:
            yield Frame(current, chain, 0)
            raise GeometryError(f"None of {structures} structures could be made: {_say(failures)}.")
        yield Frame(current, chain, step, _ending(step, structures, failures, note))


def _make_each(
    start: Atoms,
    rng: np.random.Generator,
    structures: int,
    make: Callable[[Atoms, np.random.Generator], Made],
    failures: Counter[str],
) -> Iterator[Atoms]:
    for _ in range(structures):
        made = make(start, rng)
        if isinstance(made, Atoms):
            yield made
        else:
            failures[made] += 1


def _ending(made: int, asked: int, failures: Counter[str], note: str) -> Ending:
    note = f"; {note}" if note else ""
    if made == asked:
        return Ending("finished", f"all {asked} structures made{note}")
    return Ending("unconverged", f"{made} of {asked} structures made: {_say(failures)}{note}")


def _say(failures: Counter[str]) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in failures.most_common(3))
