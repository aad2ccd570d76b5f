# SPDX-License-Identifier: MIT
"""The job properties: a request in, values, reference and differences out."""

from functools import partial

import pytest
from ase.build import bulk

from aiida_alpot import errors
from aiida_alpot.configurations import Configurations

EMT = {"ase": "EMT", "settings": {}}
LENNARD_JONES = {"ase": "LennardJones", "settings": {"sigma": 2.27, "epsilon": 0.4, "rc": 6.0}}


@pytest.fixture
def folder(tmp_path):
    crystal = bulk("Cu", a=3.6, cubic=True)
    structures = Configurations.from_atoms(
        [crystal, crystal * (2, 2, 2)], identifiers=["cell", "supercell"]
    )
    structures.save(tmp_path / "structures.npz")
    return tmp_path


@pytest.fixture
def run(folder, run_job):
    return partial(run_job, folder, job="properties", structures="structures.npz")


def test_values_reference_and_difference_stand_side_by_side(run):
    result = run(
        calculator=LENNARD_JONES,
        reference=EMT,
        properties=[
            {"kind": "equation_of_state", "points": 7},
            {"kind": "trajectory_errors", "structure": "supercell", "steps": 4, "every": 2},
        ],
    )
    equation, trajectory = result["properties"]
    assert (equation["kind"], equation["structure"]) == ("equation_of_state", "cell")
    assert equation["settings"] == {"strain": 0.02, "points": 7, "fmax": 1e-3}
    key = "lattice_constant_A"
    assert equation["reference"][key] == pytest.approx(3.5898, abs=1e-4)
    assert equation["values"][key] != equation["reference"][key]
    assert equation["difference"][key] == pytest.approx(
        equation["values"][key] - equation["reference"][key]
    )
    assert trajectory["values"]["n_frames"] == 2
    assert trajectory["values"]["forces_rmse_eV_per_A"] > 0
    assert trajectory["reference"] is None
    assert trajectory["failed"] is None


def test_a_property_that_fails_says_why_and_does_not_stop_the_others(run):
    result = run(
        calculator=EMT,
        properties=[
            {"kind": "vacancy", "structure": "supercell", "steps": 1, "fmax": 1e-6},
            {"kind": "stability", "steps": 3, "temperature_K": 300},
        ],
    )
    vacancy, stability = result["properties"]
    assert vacancy["values"] is None
    assert "ended without a minimum" in vacancy["failed"]
    assert stability["values"]["completed"] is True
    assert stability["values"]["largest_grade"] is None


def test_the_seed_decides_the_trajectories(run):
    request = {
        "calculator": EMT,
        "reference": EMT,
        "properties": [{"kind": "trajectory_errors", "steps": 4, "every": 2}],
    }
    temperatures = [
        run(**request, seed=seed)["properties"][0]["values"]["mean_temperature_K"]
        for seed in (1, 1, 2)
    ]
    assert temperatures[0] == temperatures[1] != temperatures[2]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ([{"structure": "cell"}], "lacks the key 'kind'"),
        ([{"kind": "melting"}], "Unknown property 'melting'"),
        ([{"kind": "vacancy", "size": 3}], "Unknown key 'size' of property 'vacancy'"),
        ([{"kind": "vacancy", "structure": "x"}], "there are cell, supercell"),
        ([{"kind": "trajectory_errors"}], "give the key 'reference' of the request"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_measured(properties, message, run):
    with pytest.raises(errors.SettingError) as raised:
        run(calculator=EMT, properties=properties)
    assert message in str(raised.value)
