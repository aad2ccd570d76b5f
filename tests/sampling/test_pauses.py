# SPDX-License-Identifier: MIT
"""Searches that are interrupted between pieces of their work go on to the same bits."""

import copy
import json
from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler

SAMPLERS = {
    "evolution": {"relaxations": 8, "population": 3, "relax_steps": 6, "random": 0.2},
    "evolution_of_clusters": {"relaxations": 8, "population": 3, "relax_steps": 4},
    "lattice_monte_carlo": {"temperature_K": 3000, "exchanges": 8, "relax_steps": 3},
    "lattice_monte_carlo_as_it_is": {"temperature_K": 3000, "exchanges": 20, "relax_steps": 0},
    "batched_relaxation": {"steps": 15, "fmax": 1e-4},
    "batched_relaxation_of_cells": {"steps": 15, "fmax": 1e-3, "cell": "flexible"},
    "path_search": {"images": 2, "steps": 4, "band_steps": 3, "relax_steps": 4},
    "saddle_search": {"steps": 5, "relax_steps": 3},
    "relaxation": {"steps": 6},
    "random_structures": {"structures": 6},
}


class InterruptionError(Exception):
    """The run has told its state and ends."""


@cache
def trained():
    rng = np.random.default_rng(0)
    labelled = []
    for index in range(8):
        atoms = bulk("Cu", a=3.8, cubic=True) * ((2, 1, 1) if index % 2 else (2, 2, 1))
        atoms.symbols[rng.permutation(len(atoms))[: len(atoms) // 2]] = "Au"
        atoms.set_cell(atoms.cell.array * rng.uniform(0.95, 1.1), scale_atoms=True)
        atoms.rattle(0.15, rng=rng)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        labelled.append(atoms)
    training = Configurations.from_atoms(labelled, level_of_theory='{"calculator":"EMT"}')
    initial = initial_potential(6, 4.5, species=["Cu", "Au"], min_distance=1.8, rng=rng)
    potential = fit_potential(training, initial=initial, max_iterations=30).potential
    return potential, build_active_set(potential, training)


def starts_for(name):
    """Starts, of which some are so alike that one list of pairs would do for two of them."""
    rng = np.random.default_rng(5)
    if name.startswith("path_search"):
        return jumps()
    cells = []
    for index in range(4):
        atoms = bulk("Cu", a=3.8, cubic=True)
        atoms.symbols[:2] = "Au"
        if name.startswith("batched") and index % 2:
            atoms *= (2, 1, 1)
        atoms.rattle(0.03 + 0.05 * (index > 1), rng=rng)
        atoms.pbc = not name.endswith("clusters")
        cells.append(atoms)
    chosen = cells[: 2 if name.startswith("evolution") else 4]
    for index, atoms in enumerate(chosen):
        atoms.info["identifier"] = f"start {index}"
    return chosen


def jumps():
    ends = []
    for path in range(3):
        for removed in (0, 1):
            atoms = bulk("Cu", a=3.8 + 0.01 * path, cubic=True) * (2, 1, 1)
            if removed:
                atoms.positions[1] = atoms.positions[0]
            del atoms[0]
            atoms.info["identifier"] = f"path {path} end {removed}"
            ends.append(atoms)
    return ends


def explore(name, *, state=None, stop_after=10**9, rules=None):
    """Run a sampler; return what it found, or the state told when it was interrupted."""
    settings = SAMPLERS[name]
    kind = next(kind for kind in sorted(SAMPLERS, key=len) if name.startswith(kind))
    potential, active_set = trained()
    left = [stop_after]
    told = []

    def offer(tell):
        left[0] -= 1
        if left[0] < 0:
            told.append(json.loads(json.dumps(tell())))
            raise InterruptionError

    seen = []
    try:
        result = run_sampler(
            make_sampler(kind, settings),
            starts_for(name),
            MTP(potential, active_set=active_set),
            rng=np.random.default_rng(3),
            stop_rules=rules or StopRules(gamma_break=None, max_energy_change=None),
            record_rules=RecordRules(gamma_select=1.01, every=2, max_frames=6),
            offer=offer,
            state=state,
            observe=lambda frame: seen.append((frame.chain, frame.step, frame.energy)),
        )
    except InterruptionError:
        return told[0]
    return result


def summary(result):
    return result.frames.to_bytes(), repr(result.chains)


def in_parts(name, counts, rules=None):
    """Run a sampler that is interrupted again and again; return what it found and how often."""
    state, interruptions = None, 0
    for count in counts:
        found = explore(name, state=state, stop_after=count, rules=rules)
        if not isinstance(found, dict):
            return found, interruptions
        state, interruptions = found, interruptions + 1
    return explore(name, state=state, rules=rules), interruptions


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_search_that_is_interrupted_ends_in_the_same_bits(name):
    whole = explore(name)
    assert len(whole.frames) > 1
    counts = (1, 1) if name == "path_search" else (2, 1, 3, 1)
    found, interruptions = in_parts(name, counts)
    assert interruptions >= 2
    assert summary(found) == summary(whole)


@pytest.mark.parametrize("name", ["evolution", "batched_relaxation", "path_search"])
def test_so_does_one_whose_chains_are_stopped_on_the_way(name):
    rules = StopRules(gamma_break=1.5, max_energy_change=None)
    whole = explore(name, rules=rules)
    found, interruptions = in_parts(name, (1, 1, 1, 1), rules=rules)
    assert interruptions >= 1
    assert summary(found) == summary(whole)


@pytest.mark.parametrize(
    "name", ["evolution", "batched_relaxation", "path_search", "lattice_monte_carlo"]
)
def test_work_that_is_done_is_not_done_again(name, monkeypatch):
    evaluations = []
    evaluate = SiteEvaluator.evaluate

    def counted(self, *given, **keys):
        evaluations[-1] += 1
        return evaluate(self, *given, **keys)

    monkeypatch.setattr(SiteEvaluator, "evaluate", counted)
    evaluations.append(0)
    explore(name)
    whole = evaluations[-1]
    evaluations.append(0)
    late = explore(name, stop_after=2)
    before = evaluations[-1]
    evaluations.append(0)
    explore(name, state=late)
    after = evaluations[-1]
    # the piece at whose first frame it was interrupted begins once more
    assert before > 1
    assert whole <= before + after <= whole + 1


@pytest.mark.parametrize("name", ["evolution", "batched_relaxation", "lattice_monte_carlo"])
@pytest.mark.parametrize("damage", [None, "no number", []])
def test_a_state_that_is_damaged_is_refused_or_makes_no_difference_to_us(name, damage):
    state = explore(name, stop_after=3)
    refused = 0
    for path in leaves(state["moving"]):
        broken = copy.deepcopy(state)
        inner = broken["moving"]
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = damage
        with suppress(InputFileError):
            explore(name, state=broken, stop_after=1)
            refused -= 1
        refused += 1
    assert refused > 3


def leaves(content, path=()):
    """Paths of some entries of nested mappings, the first of each level."""
    return [(*path, key) for key in content] + [
        one
        for key, inner in content.items()
        if isinstance(inner, dict)
        for one in leaves(inner, (*path, key))
    ]
