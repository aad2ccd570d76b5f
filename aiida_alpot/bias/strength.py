# SPDX-License-Identifier: MIT
"""How strongly a bias pulls: by a fixed factor, or one that follows the forces.

Hyperactive learning (van der Oord, Sachs, Kovacs, Ortner and Csanyi, npj Comput. Mater. 9, 168
(2023)) sets the factor so that the forces of the bias are a given share of those of the potential,

    tau = tau_rel <|F|> / <|F_bias|>,

where <> is a mean over atoms, smoothed over the steps: each new one counts 1 / tau_hist. The bias
sets in after tau_hist steps. The factor of a step is known before the step is evaluated, so that
its forces are the gradient of one energy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from aiida_alpot.errors import SettingError

Array = np.ndarray


class Strength(Protocol):
    """The factor alpha of a bias, step by step."""

    @property
    def factor(self) -> float:
        """Alpha of the step to come."""
        ...

    def observe(self, forces: Array, bias_forces: Array) -> None:
        """Learn of the forces of a step, (n_atoms, 3), those of the bias without the factor."""
        ...

    def begin(self) -> None:
        """Forget all steps: another chain begins."""
        ...

    def state(self) -> dict[str, Any]:
        """Return, as JSON, what was remembered before the step that was observed last."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did; the step that it observed last is to be observed again."""
        ...


class FixedStrength:
    """The same factor for all steps; see :class:`Strength`."""

    def __init__(self, alpha: float) -> None:
        if not np.isfinite(alpha):
            raise SettingError(f"The strength of the bias is {alpha!r}; it must be a number.")
        self.factor = float(alpha)

    def observe(self, forces: Array, bias_forces: Array) -> None:
        """Learn nothing."""

    def begin(self) -> None:
        """Forget nothing."""

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember nothing."""


class _History(NamedTuple):
    """What hyperactive learning remembers: number of steps, smoothed means of both forces."""

    steps: int = 0
    force: float = 0.0
    bias_force: float = 0.0


class HyperactiveStrength:
    """The factor that makes the forces of the bias a share of those of the potential.

    Parameters
    ----------
    tau_rel : float
        Share; 0.1 to 0.3 is usual.
    tau_hist : int
        Steps over which means are smoothed, and after which the bias sets in.

    Raises
    ------
    SettingError
        If the share is negative or there is no step to smooth over.
    """

    def __init__(self, tau_rel: float = 0.2, tau_hist: int = 100) -> None:
        if not tau_rel >= 0.0:
            raise SettingError(f"'tau_rel' is {tau_rel!r}; it must be zero or positive.")
        if tau_hist < 1:
            raise SettingError(f"'tau_hist' is {tau_hist!r}; it must be at least 1.")
        self.tau_rel = tau_rel
        self.tau_hist = tau_hist
        self._now = self._before = _History()

    @property
    def factor(self) -> float:
        """Tau of the step to come."""
        past = self._now
        if past.steps <= self.tau_hist or past.bias_force == 0.0:
            return 0.0
        return self.tau_rel * past.force / past.bias_force

    def observe(self, forces: Array, bias_forces: Array) -> None:
        """Let the means of this step count."""
        past = self._before = self._now
        share = 1.0 if past.steps == 0 else 1.0 / self.tau_hist
        force, bias_force = _mean_length(forces), _mean_length(bias_forces)
        self._now = _History(
            past.steps + 1,
            past.force + share * (force - past.force),
            past.bias_force + share * (bias_force - past.bias_force),
        )

    def begin(self) -> None:
        """Forget all steps: another chain begins."""
        self._now = self._before = _History()

    def state(self) -> dict[str, Any]:
        """Return, as JSON, what was remembered before the step that was observed last."""
        return self._before._asdict()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what another one did; the step that it observed last is to be observed again."""
        self._now = self._before = _History(**state)


def _mean_length(vectors: Array) -> float:
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)).mean()) if len(vectors) else 0.0
