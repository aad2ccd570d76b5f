# SPDX-License-Identifier: MIT
"""What a sampler is: something that yields frames, one after the other.

The frames go to :func:`aiida_alpot.sampling.driver.run_sampler`, which grades, records and stops,
so that a sampler holds nothing but its method. The contract, tested for any sampler by
:class:`aiida_alpot.testing.samplers.SamplerContract`:

- the start is copied, never changed;
- when a frame is yielded, ``frame.atoms.calc.results`` belong to just that geometry;
- steps count from 0 (the start itself) upwards in each chain;
- all randomness comes from the generator that is passed in;
- where frames are ``independent``, each is judged alone and none ends the chain;
- the last frame of a chain says how the chain ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from ase import Atoms


class Ending(NamedTuple):
    """How a sampler ended a chain by itself.

    ``kind`` is one of ``finished`` (all steps done), ``converged`` and ``unconverged`` (all steps
    done without reaching the criterion); ``reason`` says it in words, with numbers.
    """

    kind: str
    reason: str


class Frame(NamedTuple):
    """One geometry of a chain.

    ``atoms`` is the sampler's own object and changes with the next frame: copy what is kept.
    ``chain`` is the index of the start; ``step`` counts from 0; ``ending`` is set on the last frame
    only.
    """

    atoms: Atoms
    chain: int
    step: int
    ending: Ending | None = None


class Sampler(Protocol):
    """Explore from one or several starts.

    ``joint`` is true where the chains depend on one another (a band, a population): then the driver
    hands over all starts at once, otherwise it starts each chain alone with a generator of its own.
    A joint sampler may have a number ``starts_together``, where groups of so many starts depend on
    one another and not all of them, and a method ``leave(chain)``, which the driver calls where it
    stops a chain: nothing more is to be spent on it.

    ``independent`` is true where a frame does not come of the one before it (random or derived
    structures): what would stop a chain of dynamics then concerns that frame only. One that cannot
    be labelled is discarded, one beyond ``gamma_break`` is kept, and the chain goes on. ``starts``
    are the parents of such frames; where nothing else is set they give composition and density.

    A sampler may say ``in_pieces = True`` where a chain is made of pieces that begin anew, as the
    relaxations of a search: what would stop the chain then ends the piece. Such a sampler is a
    generator, to which the driver sends the :class:`~aiida_alpot.sampling.stopping.Stop` that held
    of a frame, or None. It returns the endings of its chains, by their index, for those whose last
    frame could not tell because its piece was stopped there.

    What a search looked for is the last frame of each chain that ends ``converged``, unless the
    sampler has a method ``found()``, which tells of several
    (:class:`~aiida_alpot.sampling.found.FoundStructure`), the best first. One that is run for what
    it finds says ``searches = True``: campaigns keep that.

    A sampler that can be interrupted has a method ``state()``, which tells as JSON what it needs to
    yield all frames after the one that it has just yielded (None: the chain begins once more), and
    takes that as ``moving`` in ``frames``. One that can be interrupted only between pieces of its
    work has a flag ``is_resting`` beside it: true where the frame just yielded is the first of a
    piece; the state is that before this frame, which it yields once more.

    A sampler that moves one geometry may say ``goes_on = True``: then its ``frames`` take a
    ``restart`` of the only chain (:class:`~aiida_alpot.sampling.restarting.Restart`), which begins
    there with the frame and the step that the restart names.
    """

    joint: ClassVar[bool]
    independent: ClassVar[bool]

    @property
    def settings(self) -> Any:
        """The frozen dataclass of settings the sampler was made with."""
        ...

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start is nothing for this sampler, before anything is run."""
        ...

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield the frames of every chain, the start first."""
        ...
