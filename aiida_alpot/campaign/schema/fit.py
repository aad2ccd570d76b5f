# SPDX-License-Identifier: MIT
"""The section ``fit``: how potentials are fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aiida_alpot.campaign.schema.keys import Count, NotNegative, PositiveFloat, Section, Symbol, key

BLOCKS = "a list of radial, species, moments, linear, pairs such as Cu-Au, and species such as Cu"
Blocks = Annotated[list[str], Field(min_length=1)]


class WeightsSection(Section):
    """Weights of the loss function."""

    energy: float = key(1.0, "Weight of energies.", "numbers from 0", ge=0)
    force: float = key(0.01, "Weight of forces in A^2.", "numbers from 0", ge=0)
    stress: float = key(0.001, "Weight of stresses times volume.", "numbers from 0", ge=0)
    size_power: int = key(
        1,
        "Power of the number of atoms that the terms of energy and stress are divided by: with 2 "
        "energies per atom count alike in small and large cells.",
        "0, 1 or 2",
        ge=0,
        le=2,
    )


class WeightingSection(Section):
    """Weights of configurations in the loss."""

    by_name: dict[str, NotNegative] = key(
        {},
        "Factors by patterns of names, as in {'start_*': 2}; those of several patterns multiply.",
        "patterns with numbers from 0",
    )
    energy_window: NotNegative | None = key(
        None,
        "Energy in eV/atom above the lowest up to which configurations count in full.",
        "numbers from 0 together with energy_decay, or nothing",
    )
    energy_decay: PositiveFloat | None = key(
        None,
        "Energy in eV/atom beyond the window at which the weight is halved.",
        "numbers above 0 together with energy_window, or nothing",
    )
    energy_limit: NotNegative | None = key(
        None,
        "Energy in eV/atom above the lowest from which on configurations are left out.",
        "numbers from energy_window, or nothing",
    )
    energy_zero: Literal["lowest", "hull"] = key(
        "lowest",
        "Lowest energy of the same composition, or the convex hull over all compositions.",
        "lowest or hull",
    )
    force_limit: PositiveFloat | None = key(
        None,
        "Force in eV/A above which a configuration counts less, by the square of the ratio.",
        "numbers above 0, or nothing",
    )


class CommitteeSection(Section):
    """Further potentials, whose disagreement is an uncertainty."""

    members: int = key(5, "Number of further potentials.", "numbers from 2", ge=2)
    bootstrap: bool = key(
        True,
        "Whether each is fitted to a bootstrap sample of the training set.",
        "true, or false with random_starts",
    )
    random_starts: bool = key(
        True,
        "Whether each starts from random radial functions in every turn; else from those of the "
        "potential, which takes fewer steps and gives less disagreement.",
        "true, or false with bootstrap",
    )


class FitSection(Section):
    """How potentials are fitted."""

    weights: WeightsSection = key(
        WeightsSection(), "Weights of the loss.", "energy, force, stress, size_power"
    )
    relative_force_eps: PositiveFloat | None = key(
        None,
        "Softening (eV^2/A^2) of forces weighted by their size; absolute forces if absent.",
        "numbers above 0, or nothing",
    )
    weighting: WeightingSection | None = key(
        None, "Weights of configurations; all alike if absent.", "by_name, energy_window, ..."
    )
    atomic_energies: dict[Symbol, float] | Literal["isolated", "composition"] | None = key(
        None,
        "Energies of free atoms in eV, which are taken off before a fit and put back: given, of "
        "the isolated atoms among the data, or such that they suit the compositions.",
        "species with numbers, isolated, composition, or nothing",
    )
    robust: float | None = key(
        None,
        "Labels with errors above so many times what nine labels of ten stay below lose influence, "
        "so that one absurd label does no harm; all count in full if absent.",
        "numbers above 1, such as 5, or nothing",
        gt=1,
        allow_inf_nan=False,
    )
    pull: PositiveFloat | None = key(
        None,
        "Strength of a pull towards the potential of the turn before, and of the first fit towards "
        "start.potential: what the squared distance "
        "of the parameters from its own is multiplied by in the loss.",
        "numbers above 0, or nothing",
    )
    pull_blocks: Blocks | None = key(
        None,
        "Blocks of parameters that are pulled, all if absent. Of species, moments and linear the "
        "first fit is pulled to zero: a ridge.",
        BLOCKS + ", or nothing; only together with pull",
    )
    frozen: list[str] = key(
        [],
        "Blocks of parameters that stay as start.potential has them, or else as the first fit has "
        "left them; those of free atoms stay at their atomic_energies.",
        BLOCKS,
    )
    train_only: Blocks | None = key(
        None,
        "Blocks of parameters outside of which all stay as start.potential has them, or else as "
        "the first fit has left them.",
        BLOCKS + ", or nothing",
    )
    committee: CommitteeSection | None = key(
        None,
        "Further potentials fitted with each potential, whose disagreement tells how far its "
        "forces can be trusted; {} takes the defaults, none if absent.",
        "members, bootstrap, random_starts, or nothing",
    )
    widen_interval: bool = key(
        False,
        "Whether the inner end of the radial functions follows shorter distances in later data. "
        "They are expanded again, which changes no prediction.",
        "true or false",
    )
    n_starts: Count = key(
        1,
        "Random starts of the first fit, of which the best is taken; later turns go on from the "
        "potential before. In a large training set they are compared on a part of it.",
        "numbers from 1",
    )
    method: Literal["projection", "matrix-free"] | None = key(
        None,
        "How a fit is searched: with matrices of all parameters, or without, which takes less "
        "memory and more time; by the memory that is needed if absent.",
        "projection or matrix-free, or nothing",
    )
    max_iterations: Count = key(200, "Most iterations of one fit.", "numbers from 1")
    tolerance: PositiveFloat = key(
        1e-3,
        "A fit ends when three steps in a row lower the loss by less than this share.",
        "numbers above 0",
    )
