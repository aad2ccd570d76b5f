# SPDX-License-Identifier: MIT
"""What becomes a label of the files of a run: recorded ones, spoiled in one place at a time."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from ase.io import read

from aiida_alpot.campaign.vasp_settings import check_vasp_settings
from aiida_alpot.workflows.label.reading import NoLabelError
from aiida_alpot.workflows.label.vasp import VaspLabelWorkChain

RECORDED = Path(__file__).with_name("recorded")
SETTINGS = {
    "encut": 300,
    "kpts": [4, 4, 4],
    "family": "as recorded",
    "xc": None,
    "incar": {"lreal": "Auto", "algo": "Fast", "nelm": 20, "ncore": 4},
}
GOOD = {
    "run_status": {
        "finished": True,
        "electronic_converged": True,
        "contains_nelm_breach": False,
    },
    "notifications": [],
    "total_energies": {"energy_free": -6.50214658},
}


def files_of(folder, **changes):
    """The retrieved folder of a recorded run; a change of None leaves a file out."""
    content = {
        path.name.removesuffix(".gz"): gzip.decompress(path.read_bytes())
        for path in (RECORDED / folder).glob("*.gz")
    }
    content |= changes
    retrieved = orm.FolderData()
    for name, text in content.items():
        if text is not None:
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(text), name)
    return retrieved


@pytest.fixture(scope="module")
def silicon():
    return read(RECORDED / "converged" / "POSCAR", format="vasp")


@pytest.fixture(scope="module")
def read_label(aiida_profile, silicon):
    def read_one(folder="converged", misc=GOOD, atoms=silicon, changes=None, **settings):
        checked = check_vasp_settings({**SETTINGS, **settings})
        request = VaspLabelWorkChain.request_for(atoms, checked, {}, ())
        outputs = {"retrieved": files_of(folder, **(changes or {}))}
        if misc is not None:
            outputs["misc"] = orm.Dict(misc)
        return VaspLabelWorkChain.read_label(outputs, atoms, request)

    return read_one


def test_a_recorded_run_that_converged_is_a_label(read_label):
    label = read_label()
    assert label.energy == -6.50214658
    assert label.energy_extrapolated == pytest.approx(-6.5016163, abs=1e-7)
    assert np.abs(label.forces).max() == pytest.approx(11.337, abs=1e-3)
    assert label.stress[3] == pytest.approx(0.2603, abs=1e-4)
    assert label.seconds == 8.668


def cause_of(read_label, **arguments):
    with pytest.raises(NoLabelError) as caught:
        read_label(**arguments)
    assert str(caught.value)
    return caught.value.cause


def test_a_run_that_stopped_at_nelm_is_none_whatever_its_summary_says(read_label):
    assert cause_of(read_label, folder="unconverged") == "unconverged"


@pytest.mark.parametrize(
    ("misc", "cause"),
    [
        (None, "truncated"),
        ({}, "truncated"),
        ({**GOOD, "run_status": {"finished": False}}, "truncated"),
        ({**GOOD, "run_status": {"finished": True, "electronic_converged": False}}, "unconverged"),
        (
            {**GOOD, "run_status": {**GOOD["run_status"], "contains_nelm_breach": True}},
            "unconverged",
        ),
        ({**GOOD, "notifications": [{"name": "brmix", "message": "BRMIX"}]}, "failed"),
        ({**GOOD, "total_energies": {"energy_free": -6.6}}, "failed"),
    ],
    ids=["no summary", "empty", "unfinished", "unconverged", "breach", "complaint", "energy"],
)
def test_a_run_of_which_the_summary_says_no_good_is_none_whatever_its_files_say(
    read_label, misc, cause
):
    assert cause_of(read_label, misc=misc) == cause


def test_complaints_that_convergence_has_answered_do_no_harm(read_label):
    told = [{"name": "edddav_zhegv", "message": "EDDDAV"}, {"name": "unknown", "message": "advice"}]
    assert read_label(misc={**GOOD, "notifications": told}).energy == -6.50214658


@pytest.mark.parametrize(
    "changes",
    [{"vasprun.xml": b""}, {"vasprun.xml": None}, {"OUTCAR": None}, {"OUTCAR": b""}],
    ids=["empty", "no vasprun", "no OUTCAR", "empty OUTCAR"],
)
def test_files_that_are_missing_or_empty_are_no_label(read_label, changes):
    assert cause_of(read_label, changes=changes) == "truncated"


def test_a_run_of_another_cell_is_no_label_of_this_one(read_label, silicon):
    moved = silicon.copy()
    moved.positions[1, 2] += 1e-3
    assert cause_of(read_label, atoms=moved) == "failed"
    swapped = silicon[[1, 0]]
    assert cause_of(read_label, atoms=swapped) == "failed"
    other = silicon.copy()
    other.symbols = "Ge2"
    assert cause_of(read_label, atoms=other) == "failed"


def test_an_atom_on_the_other_side_of_the_cell_is_the_same_atom(read_label, silicon):
    wrapped = silicon.copy()
    wrapped.positions[1] += wrapped.cell[0] - 2 * wrapped.cell[1]
    assert read_label(atoms=wrapped).energy == -6.50214658


@pytest.mark.parametrize(
    "settings",
    [
        {"encut": 301},
        {"kpts": [4, 4, 5]},
        {"incar": {**SETTINGS["incar"], "sigma": 0.1}},
        {"incar": {**SETTINGS["incar"], "lasph": False}},
        {"incar": {**SETTINGS["incar"], "prec": "normal"}},
    ],
    ids=str,
)
def test_a_run_at_another_level_of_theory_is_no_label(read_label, settings):
    assert cause_of(read_label, **settings) == "failed"


def test_a_run_with_moments_needs_them_in_its_outcar(read_label):
    # the recorded run has no spin: asked for, its moments are missing
    assert cause_of(read_label, magmoms={"Si": 1.0}) == "truncated"
