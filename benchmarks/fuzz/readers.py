# SPDX-License-Identifier: MIT
"""The readers, each with the name under which it finds its file and with valid files."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.campaign.amendment import amend_text
from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.campaign.machines import load_machines
from aiida_alpot.campaign.yaml_file import read_yaml
from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.mlip_state import dump_almtp, load_active_set
from aiida_alpot.interfaces.vasp_outcar import read_outcar
from aiida_alpot.interfaces.vasp_output import find_failure, read_ionic_steps, read_potcar_titles
from aiida_alpot.jobs.checkpoints import read_checkpoint
from aiida_alpot.jobs.label_driver import recover
from aiida_alpot.jobs.requests import file_in, parse_request, read_request
from aiida_alpot.jobs.results import parse_result
from aiida_alpot.jobs.run import JOBS
from aiida_alpot.mtp.mlip_configurations import format_cfg
from aiida_alpot.mtp.mlip_files import dump_potential, read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential
from aiida_alpot.mtp.structure_files import format_xyz, read_configurations
from aiida_alpot.mtp.structure_streams import stream_configurations
from aiida_alpot.sampling.continuation import check_state, restore_chain

from . import foreign_files as foreign
from .campaign_files import CAMPAIGN, CHANGES, MACHINES, WHOLE_CAMPAIGN
from .jobs import (
    REQUESTS,
    RESULT,
    bare_chain,
    checkpoint_of_fit,
    checkpoint_of_sampler,
    progress_of_labels,
)
from .structures import SPECIES, by_ase, labelled


@dataclass(frozen=True)
class Reader:
    """A reader, the name under which it finds its file, and valid contents."""

    filename: str
    read: Callable[[Path], Any]
    seeds: tuple[bytes, ...]


def read_any_request(path: Path) -> None:
    """Read the request of any job, and find the files that it names."""
    content = read_request(path)
    job = content.get("job")
    if job in JOBS:
        module = importlib.import_module(f"aiida_alpot.jobs.{job}")
        request = parse_request(module.REQUEST, content)
        for name in (getattr(request, "starts", None), getattr(request, "potential", None)):
            if isinstance(name, str):
                file_in(path.parent, name)


def read_any_result(path: Path) -> None:
    """Read the result of a label job."""
    parse_result(path.read_bytes(), job="label", source=str(path))


def read_changes(path: Path) -> None:
    """Put changes over a campaign and read what comes of it."""
    text = amend_text(CAMPAIGN, read_yaml(path), source=path.name)
    amended = path.with_name("amended.yaml")
    amended.write_text(text, encoding="utf-8")
    load_campaign(amended)


def read_vasp_run(path: Path) -> None:
    """Read a run of VASP as the labeller does."""
    content = path.read_bytes()
    read_potcar_titles(content)
    for run in read_ionic_steps(content):
        find_failure(run, read_outcar(foreign.OUTCAR.splitlines()))


def read_vasp_facts(path: Path) -> None:
    """Read the facts of an OUTCAR as the labeller does."""
    read_outcar(path.read_text(encoding="utf-8", errors="replace").splitlines())


def go_on_sampling(path: Path) -> None:
    """Give two chains the state that a checkpoint holds."""
    state = read_checkpoint(path)
    check_state(state, ["first", "second"])
    for name, told in zip(("first", "second"), state["chains"], strict=True):
        restore_chain(bare_chain(name), told)


def fit_reader(potential: MomentTensorPotential) -> Callable[[Path], None]:
    """Return what reads the searches of a checkpoint of a fit."""

    def go_on_fitting(path: Path) -> None:
        state = read_checkpoint(path)
        journal = Journal("key", offer=lambda one: None, state=state)
        for _ in range(2):
            journal.open_next(potential)

    return go_on_fitting


def make_readers() -> dict[str, Reader]:
    """Return all readers by their names."""
    configurations = labelled()
    rng = np.random.default_rng(0)
    potential = initial_potential(4, 4.5, species=SPECIES, min_distance=2.0, rng=rng)
    found = {
        **our_text_readers(),
        **our_array_readers(configurations, potential),
        **job_readers(configurations, potential),
    }
    for name, seeds in foreign_seeds(configurations).items():
        found[name] = Reader(name, read_configurations, seeds)
    return found


def our_text_readers() -> dict[str, Reader]:
    """Return the readers of what people write."""
    campaigns = (CAMPAIGN.encode(), WHOLE_CAMPAIGN.encode())
    return {
        "campaign": Reader("campaign.yaml", load_campaign, campaigns),
        "changes": Reader("changes.yaml", read_changes, (CHANGES.encode(),)),
        "machines": Reader("machines.yaml", load_machines, (MACHINES.encode(),)),
    }


def our_array_readers(
    configurations: Configurations, potential: MomentTensorPotential
) -> dict[str, Reader]:
    """Return the readers of potentials, data sets and active sets."""
    parity = build_active_set(potential, configurations, mode="configuration", method="parity")
    projected = build_active_set(potential, configurations)
    text = dump_potential(potential).encode()
    core = text.replace(b"= Cu Au", b"= Cu Au zbl Cu-Cu 1.2 1.9 Cu-Au 1.3 2.1 Au-Au 1.4 2.2")
    npz, almtp = configurations.to_bytes(), dump_almtp(potential, parity, configurations)
    cfg = format_cfg(configurations, SPECIES).encode()
    return {
        "mtp": Reader("potential.mtp", read_potential, (text, core)),
        "almtp": Reader("potential.almtp", load_active_set, (almtp,)),
        "cfg": Reader("data.cfg", lambda path: read_configurations(path, species=SPECIES), (cfg,)),
        "configurations": Reader("data.npz", Configurations.load, (npz,)),
        "streamed": Reader("data.npz", lambda path: list(stream_configurations(path)), (npz,)),
        "active_set": Reader("active.npz", ActiveSet.load, (projected.to_bytes(),)),
    }


def job_readers(
    configurations: Configurations, potential: MomentTensorPotential
) -> dict[str, Reader]:
    """Return the readers of what jobs are given and leave."""

    def as_json(content: Any) -> bytes:
        return json.dumps(content, indent=1).encode()

    npz = configurations.to_bytes()
    requests = tuple(as_json({"schema": 1, **one}) for one in REQUESTS)
    fit, sampler = checkpoint_of_fit(potential), checkpoint_of_sampler(configurations)
    return {
        "request": Reader("request.json", read_any_request, requests),
        "result": Reader("result.json", read_any_result, (as_json(RESULT),)),
        "progress": Reader(
            "label_progress.jsonl",
            lambda path: recover(path.read_bytes().decode("utf-8", "replace"), npz),
            (progress_of_labels(configurations),),
        ),
        "fit_checkpoint": Reader("checkpoint.json", fit_reader(potential), (as_json(fit),)),
        "sample_checkpoint": Reader("checkpoint.json", go_on_sampling, (as_json(sampler),)),
        "vasp_run": Reader("vasprun.xml", read_vasp_run, (foreign.VASPRUN.encode(),)),
        "vasp_facts": Reader("OUTCAR", read_vasp_facts, (foreign.OUTCAR.encode(),)),
    }


def foreign_seeds(configurations: Configurations) -> dict[str, tuple[bytes, ...]]:
    """Return valid files of other programs by their names."""
    own = format_xyz(configurations).encode()
    pwi = by_ase("a.pwi", "espresso-in", pseudopotentials={"Cu": "Cu.UPF"})
    return {
        "data.xyz": (own, by_ase("a.xyz", "extxyz")),
        "data.traj": (by_ase("a.traj", "traj"),),
        "POSCAR": (by_ase("POSCAR", "vasp"), by_ase("POSCAR", "vasp", direct=True)),
        "data.cif": (by_ase("a.cif", "cif"),),
        "geometry.in": (by_ase("geometry.in", "aims"),),
        "data.pwi": (pwi,),
        "data.gen": (by_ase("a.gen", "gen"),),
        "data.lammps-data": (by_ase("a.lammps-data", "lammps-data", masses=True),),
        "data.pdb": (by_ase("a.pdb", "proteindatabank"),),
        "data.xsf": (by_ase("a.xsf", "xsf"),),
        "OUTCAR": (foreign.OUTCAR.encode(),),
        "vasprun.xml": (foreign.VASPRUN.encode(),),
        "data.dump": (foreign.DUMP.encode(),),
        "XDATCAR": (foreign.XDATCAR.encode(),),
        "data.pwo": (foreign.PWO.encode(),),
    }
