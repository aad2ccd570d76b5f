# SPDX-License-Identifier: MIT
"""The samplers by name, and how they are made from plain settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.base import Sampler
from aiida_alpot.sampling.batched.sampler import BatchedRelaxationSampler, BatchedSamplerSettings
from aiida_alpot.sampling.global_search.evolution import Evolution, EvolutionSettings
from aiida_alpot.sampling.global_search.lattice_monte_carlo import (
    LatticeMonteCarlo,
    LatticeMonteCarloSettings,
)
from aiida_alpot.sampling.saddles.path_search import PathSearch, PathSearchSettings
from aiida_alpot.sampling.saddles.saddle_search import SaddleSearch, SaddleSearchSettings
from aiida_alpot.sampling.settings import make_settings
from aiida_alpot.sampling.structures.decorations import Decorations, DecorationsSettings
from aiida_alpot.sampling.structures.derived_structures import (
    DerivedStructures,
    DerivedStructuresSettings,
)
from aiida_alpot.sampling.structures.harmonic import Harmonic, HarmonicSettings
from aiida_alpot.sampling.structures.random_crystals import RandomCrystals, RandomCrystalsSettings
from aiida_alpot.sampling.structures.random_structures import (
    RandomStructures,
    RandomStructuresSettings,
)
from aiida_alpot.sampling.structures.rattled import Rattled, RattledSettings
from aiida_alpot.sampling.trajectories.contour_exploration import (
    ContourExploration,
    ContourExplorationSettings,
)
from aiida_alpot.sampling.trajectories.metadynamics import Metadynamics, MetadynamicsSettings
from aiida_alpot.sampling.trajectories.molecular_dynamics import (
    MolecularDynamics,
    MolecularDynamicsSettings,
)
from aiida_alpot.sampling.trajectories.relaxation import Relaxation, RelaxationSettings

SAMPLERS: dict[str, tuple[type, type]] = {
    "molecular_dynamics": (MolecularDynamics, MolecularDynamicsSettings),
    "relaxation": (Relaxation, RelaxationSettings),
    "random_structures": (RandomStructures, RandomStructuresSettings),
    "random_crystals": (RandomCrystals, RandomCrystalsSettings),
    "derived_structures": (DerivedStructures, DerivedStructuresSettings),
    "harmonic": (Harmonic, HarmonicSettings),
    "rattled": (Rattled, RattledSettings),
    "decorations": (Decorations, DecorationsSettings),
    "evolution": (Evolution, EvolutionSettings),
    "lattice_monte_carlo": (LatticeMonteCarlo, LatticeMonteCarloSettings),
    "batched_relaxation": (BatchedRelaxationSampler, BatchedSamplerSettings),
    "metadynamics": (Metadynamics, MetadynamicsSettings),
    "contour_exploration": (ContourExploration, ContourExplorationSettings),
    "saddle_search": (SaddleSearch, SaddleSearchSettings),
    "path_search": (PathSearch, PathSearchSettings),
}
"""Name in a campaign file: (the sampler, the frozen dataclass of its settings)."""


def make_sampler(kind: str, settings: Mapping[str, Any]) -> Sampler:
    """Return the sampler ``kind`` with plain ``settings``, as they stand in a campaign file.

    Raises
    ------
    SettingError
        If the kind or a key is unknown, a key is missing, or a value is of the wrong type or out of
        range; the message says what is allowed.
    """
    if kind not in SAMPLERS:
        raise SettingError(f"Unknown sampler {kind!r}; allowed are {', '.join(SAMPLERS)}.")
    sampler, settings_class = SAMPLERS[kind]
    made: Sampler = sampler(make_settings(settings_class, settings, owner=f"sampler '{kind}'"))
    return made


def is_search(kind: str) -> bool:
    """Return whether the sampler ``kind`` is run for the structures that it finds."""
    return bool(getattr(SAMPLERS[kind][0], "searches", False))


def describe(kind: str, settings: Mapping[str, Any]) -> str:
    """Return in one sentence what the sampler will do, for a dry run."""
    return str(make_sampler(kind, settings))
