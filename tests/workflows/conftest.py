# SPDX-License-Identifier: MIT
"""A two-turn campaign of copper cells with 32 atoms, labelled by EMT."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations


@pytest.fixture(scope="session")
def campaign_settings(emt_level):
    """Return the settings of the small campaign, with sections exchanged."""

    def settings(**changes):
        dynamics = {"kind": "molecular_dynamics", "temperature_K": 600, "steps": 60}
        content = {
            "schema": 1,
            "name": "small_copper",
            "seed": 3,
            "species": ["Cu"],
            "max_jobs": 2,
            "threads": {"fit": 1, "sample": 1},
            "potential": {"level": 4, "cutoff": 4.5, "min_distance": None},
            "explore": [
                {
                    "name": "nvt",
                    "starts": ["bulk", "vacancy"],
                    "sampler": dynamics,
                    "max_frames": 10,
                    "record_every": 5,
                    "starts_per_job": 2,
                },
                {
                    "name": "relax",
                    "starts": ["bulk"],
                    "sampler": {"kind": "relaxation"},
                    "max_frames": 5,
                    "record_every": 5,
                    "starts_per_job": 1,
                },
            ],
            "exploration": None,
            "grades": {
                "gamma_entry": 1.1,
                "gamma_select": 2.0,
                "gamma_break": 20.0,
                "mode": "neighborhood",
                "method": "projected",
            },
            "gate": {},
            "label": {
                "workchain": "ase",
                "calculator": {"name": "EMT", "settings": {}},
                "level_of_theory": emt_level,
                "batch_size": 20,
                "max_jobs": 2,
                "max_attempts": 2,
                "min_success": 0.5,
            },
            "fit": {
                "weights": {
                    "energy": 1.0,
                    "force": 0.01,
                    "stress": 0.001,
                    "relative_force_eps": None,
                },
                "max_iterations": 40,
                "tolerance": 1e-6,
            },
            "budget": {"labels": 30, "labels_per_turn": 5, "turns": 2},
            "test_fraction": 0.0,
            "validation": None,
        }
        content.update(copy.deepcopy(changes))
        return copy.deepcopy(content)

    return settings


@pytest.fixture(scope="session")
def named_structures():
    """Starts of the samplers: a bulk cell and one with a vacancy."""
    cell = bulk("Cu", a=3.61, cubic=True).repeat(2)
    cell.rattle(0.01, rng=np.random.default_rng(1))
    vacancy = cell.copy()
    del vacancy[5]
    return Configurations.from_atoms([cell, vacancy], identifiers=["bulk", "vacancy"])


@pytest.fixture(scope="session")
def campaign_builder(alpot_code, campaign_settings, copper_cells, named_structures):
    """Return the inputs of the small campaign; nodes are made anew each time."""
    from aiida import orm

    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.campaign import CampaignWorkChain

    def node_of(configurations):
        return ConfigurationsData.from_configurations(configurations)

    def build(*, start=copper_cells, structures=named_structures, test=None, **changes):
        builder = CampaignWorkChain.get_builder()
        builder.settings = orm.Dict(campaign_settings(**changes))
        if start is not None:
            builder.start = node_of(start)
        builder.structures = node_of(structures)
        builder.test = {name: node_of(one) for name, one in (test or {}).items()}
        builder.codes = {"alpot": alpot_code}
        builder.metadata.label = "small copper"
        return builder

    return build
