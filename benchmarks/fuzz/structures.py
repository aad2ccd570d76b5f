# SPDX-License-Identifier: MIT
"""Labelled cells, and how other programs write them down."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations, Origin

SPECIES = ("Cu", "Au")


def structures() -> list[Any]:
    rng = np.random.default_rng(0)
    found = []
    for index, symbol in enumerate(SPECIES * 2):
        atoms = bulk(symbol, a=3.8, cubic=True)
        atoms.positions += rng.normal(0.0, 0.1, (4, 3))
        atoms.calc = EMT()
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
        atoms.info["identifier"] = f"turn_001/hot/{index}"
        found.append(atoms)
    return found


def labelled() -> Configurations:
    origins = [Origin(index, "hot", "bulk", 10 * index, 2.5) for index in range(4)]
    return Configurations.from_atoms(structures(), origins=origins, level_of_theory='{"a":1}')


def by_ase(name: str, format_name: str, **options: Any) -> bytes:
    several = format_name in ("extxyz", "traj", "proteindatabank")
    images = structures()[:2] if several else structures()[0]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase.io.write(Path(folder) / name, images, format=format_name, **options)
        return (Path(folder) / name).read_bytes()
