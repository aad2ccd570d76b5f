# SPDX-License-Identifier: MIT
"""Blocks of the parameters by name, for training in strata: one group of species after another.

Only radial functions depend on pairs of species. Once a potential has been fitted to all pure
elements together, the radial functions of a pair A-B can be fitted to binaries with everything else
frozen: they never enter a configuration that holds only A or only B, whose energies stay the same
to the last bit. The same adds an element to a potential: with A-B and B-C known only A-C is left.

Names of blocks:

========== ======================================================================
radial     radial functions of all pairs
A-B        radial functions of the pair of species A and B, A seen from B and back
species    energies of isolated atoms
A          energy of an isolated atom of species A
moments    coefficients of the scalars, which all species share
linear     species and moments
========== ======================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
BLOCKS = ("radial", "species", "moments", "linear")


def select_parameters(potential: MomentTensorPotential, blocks: Sequence[str]) -> Array:
    """Return which parameters belong to any of some blocks.

    Parameters
    ----------
    potential : MomentTensorPotential
        With species named.
    blocks : sequence of str
        Names, see the module.

    Returns
    -------
    (n_parameters,) bool

    Raises
    ------
    SettingError
        If a name is none of a block, or names a species that the potential lacks.
    """
    radial = np.zeros(potential.radial_coefficients.shape, dtype=bool)
    species = np.zeros(potential.n_species, dtype=bool)
    moments = np.zeros(len(potential.moment_coefficients), dtype=bool)
    for block in blocks:
        if block in BLOCKS:
            radial |= block == "radial"
            species |= block in ("species", "linear")
            moments |= block in ("moments", "linear")
        elif "-" in block:
            one, other = (_type_of(potential, symbol, block) for symbol in _pair_of(block))
            radial[one, other] = radial[other, one] = True
        else:
            species[_type_of(potential, block, block)] = True
    return np.concatenate([radial.ravel(), species, moments])


def frozen_parameters(
    potential: MomentTensorPotential,
    *,
    frozen: Sequence[str] = (),
    train_only: Sequence[str] | None = None,
) -> Array:
    """Return which parameters keep their values.

    Parameters
    ----------
    potential : MomentTensorPotential
        With species named.
    frozen : sequence of str
        Blocks that do.
    train_only : sequence of str, optional
        Blocks outside of which all do.

    Raises
    ------
    SettingError
        If a block is not known or nothing is left to be fitted.
    """
    mask = select_parameters(potential, frozen)
    if train_only is not None:
        mask |= ~select_parameters(potential, train_only)
    if mask.all():
        raise SettingError(
            f"Nothing is left to be fitted: frozen are {_listed(frozen)}, to be trained "
            f"{_listed(train_only) if train_only is not None else 'all others'}. Free a block."
        )
    return mask


def _listed(blocks: Sequence[str]) -> str:
    return ", ".join(blocks) or "none"


def _pair_of(block: str) -> tuple[str, str]:
    parts = block.split("-")
    if len(parts) != 2:
        raise _unknown(block)
    return parts[0], parts[1]


def _type_of(potential: MomentTensorPotential, symbol: str, block: str) -> int:
    if symbol not in potential.species:
        raise _unknown(block, potential.species)
    return potential.species.index(symbol)


def _unknown(block: str, species: Sequence[str] = ()) -> SettingError:
    return SettingError(
        f"There is no block of parameters {block!r}. Name one of {', '.join(BLOCKS)}, a species "
        f"({', '.join(species) or 'Cu'}), or a pair of species such as "
        f"{'-'.join((*species, *species)[:2]) or 'Cu-Au'}."
    )
