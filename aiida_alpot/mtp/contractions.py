# SPDX-License-Identifier: MIT
"""Moment basis (being written)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MomentBasis:
    basic: np.ndarray
    products: np.ndarray
    scalars: np.ndarray
    n_moments: int
    level: int | None

    @property
    def n_basic(self) -> int:
        return len(self.basic)

    @property
    def n_products(self) -> int:
        return len(self.products)

    @property
    def n_scalars(self) -> int:
        return len(self.scalars)

    @property
    def n_radial(self) -> int:
        return int(self.basic[:, 0].max()) + 1


def moment_basis(level: int) -> MomentBasis:
    raise NotImplementedError
