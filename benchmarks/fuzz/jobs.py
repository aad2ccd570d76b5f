# SPDX-License-Identifier: MIT
"""What jobs read and leave: requests with all their keys, results, progress and checkpoints."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.jobs.label_driver import begin_progress, parse_configurations
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.continuation import chain_state
from aiida_alpot.sampling.found import FoundStructure
from aiida_alpot.sampling.recording import KeptFrame, Recorder, RecordRules
from aiida_alpot.sampling.restarting import LastKnownFrame
from aiida_alpot.sampling.stopping import Stop

REQUESTS: tuple[dict[str, Any], ...] = (
    {
        "job": "fit",
        "training": ["a.npz"],
        "level": 8,
        "cutoff": 5.0,
        "test": {"hot": "b.npz"},
        "species": ["Cu"],
        "min_distance": 1.9,
        "zbl": {"inner": 1.0, "outer": 1.6, "pairs": {"Cu-Cu": [1.1, 1.7]}, "overlay": False},
        "initial": "p.mtp",
        "widen_interval": False,
        "weights": {"energy": 1.0, "force": 0.01, "stress": 0.001, "size_power": 1},
        "weighting": {"by_name": {"hot": 0.5}, "energy_limit": 2.0},
        "atomic_energies": {"Cu": -1.0},
        "frozen": ["radial"],
        "train_only": None,
        "pull": {"strength": 0.1, "blocks": ["radial"]},
        "robust": 3.0,
        "committee": {"members": 2, "bootstrap": True},
        "max_iterations": 20,
        "tolerance": 0.001,
        "seed": 1,
        "n_starts": 2,
        "threads": 1,
        "method": "projection",
        "active_set": {"mode": "neighborhood", "method": "projected"},
        "checkpoint": "checkpoint.json",
        "checkpoint_seconds": 300.0,
        "stop_after_seconds": 3000.0,
    },
    {
        "job": "sample",
        "calculator": {"potential": "p.mtp", "active_set": "active.npz"},
        "sampler": {"kind": "molecular_dynamics", "temperature_K": 300},
        "starts": "a.npz",
        "name": "hot",
        "turn": 1,
        "seed": 2,
        "threads": 1,
        "gamma_select": 2.0,
        "gamma_break": 10.0,
        "max_frames": 20,
        "record_every": 5,
        "limits": {"max_steps": 10},
        "gamma_known": 2.0,
        "audit_frames": 2,
        "audit_seed": 3,
        "carve": {"above_atoms": 100, "radius": 6.0, "vacuum": 5.0},
        "restart": "last_good_frame",
        "restarts": "b.npz",
        "found": True,
        "checkpoint": "checkpoint.json",
        "checkpoint_seconds": 300.0,
        "stop_after_seconds": None,
    },
    {
        "job": "select",
        "candidates": ["a.npz", "b.npz"],
        "training": ["a.npz"],
        "potential": "p.mtp",
        "committee": [],
        "species": ["Cu"],
        "level": None,
        "cutoff": None,
        "min_distance": None,
        "rule": None,
        "tail_k": 3.0,
        "tail_kind": "rms",
        "mode": "neighborhood",
        "method": "projected",
        "threshold": 2.0,
        "entry": 1.1,
        "limit": 5,
        "alike_within": 0.0,
        "costs": [1.0, 8.0],
        "cost_exponent": None,
        "carve": {
            "above_atoms": 30,
            "radius": 5.0,
            "vacuum": 5.0,
            "kind": "cluster",
            "passivate": None,
            "per_structure": 2,
            "smallest_radius": 5.0,
        },
        "gate": {"min_distance_factor": 0.7},
        "quarantined": ["b.npz"],
        "pending": [],
        "frozen": [],
        "test_fraction": 0.1,
        "test_split": "chain",
        "gentle_tests": 0,
        "seed": 1,
        "threads": 1,
    },
    {
        "job": "carve",
        "configurations": "a.npz",
        "committee": [],
        "potential": "p.mtp",
        "training": ["a.npz"],
        "species": ["Cu"],
        "choice": "fraction",
        "value": 0.1,
        "limit": 3,
        "factor": 2.58,
        "radius": 6.0,
        "vacuum": 5.0,
        "kind": "cluster",
        "passivate": None,
        "alike_within": 0.0,
        "check": None,
        "turn": 1,
        "threads": 1,
    },
    {
        "job": "relax",
        "potential": "p.mtp",
        "configurations": "a.npz",
        "species": ["Cu"],
        "active_set": "active.npz",
        "settings": {"steps": 20, "fmax": 0.01, "cell": True, "pressure_GPa": 0.0},
        "threads": 1,
    },
    {
        "job": "grade",
        "potential": "p.mtp",
        "configurations": "a.npz",
        "active_set": None,
        "training": ["a.npz"],
        "committee": [],
        "species": ["Cu"],
        "mode": "configuration",
        "method": "parity",
        "threads": 1,
    },
    {
        "job": "label",
        "configurations": "a.npz",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": "{}",
    },
    {
        "job": "evaluate",
        "potential": "p.mtp",
        "committee": [],
        "configurations": "a.npz",
        "species": ["Cu"],
        "threads": 1,
    },
    {
        "job": "properties",
        "calculator": {"potential": "p.mtp"},
        "structures": "a.npz",
        "properties": [{"kind": "equation_of_state", "structure": "bulk"}],
        "reference": {"ase": "EMT", "settings": {}},
        "seed": 1,
        "threads": 1,
    },
)
RESULT = {
    "schema": 1,
    "job": "label",
    "seconds": 1.5,
    "versions": {"numpy": "2.0"},
    "complete": True,
    "n_configurations": 2,
    "verdicts": [
        {
            "identifier": "a",
            "hash": "0" * 64,
            "status": "failed",
            "reason": "SCF",
            "seconds": 0.1,
        }
    ],
    "error": {"class": "InputFileError", "message": "wrong"},
}


def progress_of_labels(configurations: Configurations) -> bytes:
    """Return what a label job notes that has ended one configuration and is at the next."""
    arrays = parse_configurations(configurations.to_bytes(), "the configurations")
    verdict = {"hash": configurations.hashes()[0], "status": "failed", "reason": "SCF"}
    done = {"done": 0, "label": None, "verdict": {**verdict, "identifier": "a", "seconds": 0.1}}
    lines = [json.dumps(done), json.dumps({"running": 1})]
    return (begin_progress(arrays, "{}") + "\n".join(lines) + "\n").encode()


def checkpoint_of_fit(potential: MomentTensorPotential) -> dict[str, Any]:
    """Return the checkpoint of a fit whose first search has ended and whose second has not."""
    parameters = potential.parameters.tolist()
    searches = [
        {"losses": [2.0, 1.0], "damping": 0.1, "converged": True, "parameters": parameters},
        {
            "losses": [2.0],
            "damping": 0.1,
            "trial": parameters,
            "n_quiet": 1,
            "after_foretold": False,
        },
    ]
    state = Journal("key", offer=lambda journal: None).as_json()
    return {**state, "searches": searches}


def bare_chain(name: str) -> Any:
    """Return a chain of a sampler of which nothing is known."""
    return SimpleNamespace(
        name=name,
        recorder=Recorder(RecordRules()),
        conditions=[],
        frames=0,
        graded=0,
        discarded=0,
        largest_grade=0.0,
        stop=None,
        final={},
        describe_last=dict,
        last=None,
        last_step=0,
        memory=LastKnownFrame(2.0, 1),
        found=FoundStructure(name, bulk("Cu"), -3.5),
    )


def checkpoint_of_sampler(configurations: Configurations) -> dict[str, Any]:
    """Return the checkpoint of a sampler with a chain that has stopped and one that has not."""
    ended, running = bare_chain("first"), bare_chain("second")
    ended.stop = Stop("gamma_break", "grade 12")
    frame = KeptFrame(configurations.atoms(0), 10, 3.0)
    ended.recorder.frames = [frame]
    chains = [chain_state(chain) for chain in (ended, running)]
    return {"schema": 1, "chains": chains, "moving": None}
