# SPDX-License-Identifier: MIT
"""A package that is not installed is missed before anything is run, in one line that names it."""

import sys

import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling import make_sampler
from aiida_alpot.sampling.structures.space_groups import space_group


@pytest.mark.parametrize(
    ("kind", "settings", "package"),
    [
        ("random_crystals", {}, "spglib"),
        ("evolution", {}, "spglib"),
        ("decorations", {"species": ["Cu", "Au"]}, "spglib"),
        ("decorations", {"species": ["Cu", "Au"]}, "icet"),
        ("harmonic", {"temperature_K": 300}, "phonopy"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_run(kind, settings, package, monkeypatch):
    starts = [bulk("Cu", cubic=True)]
    make_sampler(kind, settings).check(starts)
    monkeypatch.setitem(sys.modules, package, None)
    space_group.cache_clear()
    with pytest.raises(SettingError, match=rf"need .*{package}.*pip install 'aiida-alpot\[sampl"):
        make_sampler(kind, settings).check(starts)


@pytest.mark.parametrize(
    ("kind", "settings", "package"),
    [
        ("evolution", {}, "spglib"),
        ("harmonic", {"temperature_K": 300}, "phonopy"),
    ],
)
def test_clusters_need_neither(kind, settings, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    space_group.cache_clear()
    cluster = Atoms("Cu3", positions=[[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]])
    make_sampler(kind, settings).check([cluster])
