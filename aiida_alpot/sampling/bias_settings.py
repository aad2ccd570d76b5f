# SPDX-License-Identifier: MIT
"""The bias of a sampler: what drives it to where the potential is uncertain, and how strongly.

:mod:`aiida_alpot.bias` holds what these words mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.settings import require, required_setting, setting


@dataclass(frozen=True)
class BiasSettings:
    """Settings of a bias.

    Strength is either fixed (``alpha``) or follows the forces (``tau_rel``); ``gamma`` is for steps
    along a contour, which have a direction only.
    """

    kind: Literal["committee", "grade"] = required_setting(
        "Measure of uncertainty: the spread of a committee's energies, eV, or the logarithm of the "
        "extrapolation grade."
    )
    alpha: float | None = setting(
        None,
        "Fixed strength: the energy is U - alpha B. Dimensionless for committee, eV for grade.",
    )
    tau_rel: float | None = setting(
        None, "Forces of the bias as a share of those of the potential, 0.1 to 0.3; without alpha."
    )
    tau_hist: int = setting(
        100, "With tau_rel: steps over which forces are averaged, and before the bias sets in."
    )
    gamma: float | None = setting(
        None, "Along a contour: how far steps lean towards growing uncertainty, 0 to 1."
    )
    tolerance: float | None = setting(
        None,
        "With committee: error of a force relative to its size (and 0.1 eV/A) at which a chain "
        "stops, 0.2 to 0.4.",
    )
    power: float = setting(8.0, "With grade: power of the norm that stands for the largest grade.")

    def __post_init__(self) -> None:
        given = [name for name in ("alpha", "tau_rel", "gamma") if getattr(self, name) is not None]
        if len(given) != 1:
            told = " and ".join(given) or "neither"
            raise SettingError(
                f"The bias '{self.kind}' has {told}; give one of alpha, tau_rel and gamma."
            )
        require(
            self.alpha is None or self.alpha >= 0,
            "alpha",
            self.alpha,
            "zero or positive, which drives to where the potential is uncertain",
        )
        require(
            self.tau_rel is None or self.tau_rel >= 0, "tau_rel", self.tau_rel, "zero or positive"
        )
        require(self.tau_hist >= 1, "tau_hist", self.tau_hist, "a whole number of at least 1")
        require(
            self.gamma is None or 0 <= self.gamma <= 1, "gamma", self.gamma, "a number from 0 to 1"
        )
        require(
            self.tolerance is None or self.tolerance > 0,
            "tolerance",
            self.tolerance,
            "a positive number or null",
        )
        require(
            self.tolerance is None or self.kind == "committee",
            "tolerance",
            self.tolerance,
            "null for the bias 'grade', which tells no error of forces",
        )
        require(self.power >= 2, "power", self.power, "a number of at least 2")

    def require_one_of(self, *names: str, sampler: str) -> None:
        """Raise SettingError unless the strength is told by a key that a sampler can use."""
        if all(getattr(self, name) is None for name in names):
            raise SettingError(
                f"The bias of a sampler of the kind {sampler} needs {' or '.join(names)}."
            )

    def __str__(self) -> str:
        measure = {"committee": "the committee's spread", "grade": "the extrapolation grade"}
        if self.gamma is not None:
            how = f"leaning by {self.gamma:g}"
        elif self.tau_rel is not None:
            how = f"with {self.tau_rel:g} of the forces"
        else:
            how = f"with strength {self.alpha:g}"
        return f"driven up {measure[self.kind]} {how}"
