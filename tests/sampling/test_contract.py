# SPDX-License-Identifier: MIT
"""Every sampler meets the contract of samplers."""

from typing import ClassVar

from aiida_alpot.sampling import make_sampler
from aiida_alpot.testing.samplers import SamplerContract


class MolecularDynamicsContract(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        return make_sampler(
            "molecular_dynamics", {"temperature_K": 500, "steps": 12, **self.settings}
        )


class TestLangevin(MolecularDynamicsContract):
    settings: ClassVar = {"thermostat": "langevin"}


class TestBussi(MolecularDynamicsContract):
    settings: ClassVar = {"thermostat": "bussi", "temperature_K": [300, 900]}


class TestConstantEnergy(MolecularDynamicsContract):
    settings: ClassVar = {"ensemble": "nve"}


class TestConstantPressure(MolecularDynamicsContract):
    settings: ClassVar = {"ensemble": "npt"}


class TestFlexibleCell(MolecularDynamicsContract):
    settings: ClassVar = {"ensemble": "npt", "cell": "flexible"}


class TestRelaxationOfPositions(SamplerContract):
    is_random = False

    def make_sampler(self):
        return make_sampler("relaxation", {})


class TestRelaxationOfTheCell(SamplerContract):
    is_random = False

    def make_sampler(self):
        return make_sampler("relaxation", {"cell": "flexible", "optimizer": "FIRE", "steps": 8})
