# SPDX-License-Identifier: MIT
"""What the searches of a training have come to, from which another process goes on.

A training is a row of searches, each a function of what is known before it: the data, the seed and
the searches before. So the journal holds no generators and no weights of labels. It has the end of
each search that is through and the place of the one at work, and the training, begun once more,
takes the same way: it reads in the journal what it would compute, and searches from there on. On
the same processor it ends in the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.fitting.nonlinear import Place, SearchState
from aiida_alpot.mtp.potential import MomentTensorPotential

SCHEMA = 1
Report = Callable[[SearchState], None]


@dataclass(frozen=True)
class Outcome:
    """How a search ended: its best potential, whether it converged, and the loss on the way."""

    potential: MomentTensorPotential
    damping: float
    losses: tuple[float, ...]
    converged: bool


class SearchLog:
    """What is known of one search.

    Parameters
    ----------
    place : Place or None
        Where it goes on; None if it begins.
    outcome : Outcome or None
        How it ended; None if it has not.
    offer : callable
        Is called after every trial, and raises if the search is to end there.
    """

    def __init__(
        self, place: Place | None, outcome: Outcome | None, offer: Callable[[], None]
    ) -> None:
        self.place, self.outcome, self.offer = place, outcome, offer
        self._states: list[SearchState] = []

    def keep(self, place: Place) -> None:
        """Remember an accepted point."""
        self.place = place

    def listen(self, report: Report) -> Report:
        """Return what hands the states of the search on and remembers the last and the losses."""

        def hand_on(state: SearchState) -> None:
            self._states.append(state)
            report(state)

        return hand_on

    def close(self, converged: bool) -> None:
        """Remember that the search is through."""
        last, losses = self._states[-1], tuple(state.loss for state in self._states)
        self.outcome = Outcome(last.potential, last.damping, losses, converged)

    def tell_again(self, report: Report) -> bool:
        """Report the steps of a search that is through; return whether it converged.

        Each has the last potential, the best one.
        """
        assert self.outcome is not None
        for iteration, loss in enumerate(self.outcome.losses):
            report(SearchState(iteration, self.outcome.potential, loss, self.outcome.damping))
        return self.outcome.converged

    def as_json(self) -> dict[str, Any] | None:
        """Return all this as plain JSON, None of a search that has come to nothing yet."""
        if self.outcome is not None:
            return {
                "parameters": self.outcome.potential.parameters.tolist(),
                "damping": self.outcome.damping,
                "losses": list(self.outcome.losses),
                "converged": self.outcome.converged,
            }
        if self.place is None:
            return None
        return {
            "trial": self.place.trial.parameters.tolist(),
            "after_foretold": self.place.after_foretold,
            "damping": self.place.damping,
            "n_quiet": self.place.n_quiet,
            "losses": list(self.place.losses),
        }


class Journal:
    """The searches of a training in their order.

    Parameters
    ----------
    key : str
        Of the training, see :func:`~aiida_alpot.fitting.training.key_of_training`.
    offer : callable
        Is called after every trial with this journal, and raises if the training is to end there.
    state : mapping, optional
        :meth:`as_json` of an earlier process.

    Raises
    ------
    InputFileError
        If the state is not that of a journal, or of another training.
    """

    def __init__(
        self,
        key: str,
        *,
        offer: Callable[[Journal], None],
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.key = key
        self._offer = offer
        self._known = [] if state is None else _read_searches(state, key)
        self._logs: list[SearchLog] = []

    def offer(self) -> None:
        """Let the training end here if it is to."""
        self._offer(self)

    def open_next(self, potential: MomentTensorPotential) -> SearchLog:
        """Return the log of the next search, which begins at a potential."""
        number = len(self._logs)
        place = outcome = None
        if number < len(self._known):
            place, outcome = _read_search(self._known[number], potential)
        self._logs.append(SearchLog(place, outcome, self.offer))
        return self._logs[-1]

    def as_json(self) -> dict[str, Any]:
        """Return what is known as plain JSON; numbers have all digits."""
        known = [log.as_json() for log in self._logs]
        # what is known of searches that this process has not come to yet is still true
        searches = [one for one in known if one is not None] + self._known[len(known) :]
        return {"schema": SCHEMA, "job": "fit", "key": self.key, "searches": searches}


def _read_searches(state: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    searches = state.get("searches")
    if state.get("schema") != SCHEMA or state.get("job") != "fit" or not isinstance(searches, list):
        raise InputFileError("The checkpoint is not one of a fit. Run the job from its start.")
    if state.get("key") != key:
        raise InputFileError(
            "The checkpoint is of a fit to other data or with other settings. Run the job from its "
            "start."
        )
    return searches


def _read_search(
    told: Any, potential: MomentTensorPotential
) -> tuple[Place | None, Outcome | None]:
    """Return place and outcome of a search as it was written."""
    try:
        losses = tuple(float(loss) for loss in told["losses"])
        damping = float(told["damping"])
        if not (losses and math.isfinite(damping)):
            raise ValueError("no losses")
        if "converged" in told:
            best = potential.with_parameters(np.array(told["parameters"], dtype=float))
            return None, Outcome(best, damping, losses, bool(told["converged"]))
        trial = potential.with_parameters(np.array(told["trial"], dtype=float))
        n_quiet = int(told["n_quiet"])
        return Place(trial, bool(told["after_foretold"]), damping, n_quiet, losses), None
    except (KeyError, TypeError, ValueError, SettingError) as error:
        raise InputFileError(
            f"The checkpoint of the fit is damaged ({error}). Run the job from its start."
        ) from error
