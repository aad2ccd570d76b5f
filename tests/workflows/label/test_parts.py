# SPDX-License-Identifier: MIT
"""The parts of labelling that need no process: cells, sizes, recipes, checks of a label."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.interfaces.vasp_rules import find_left_state
from aiida_alpot.jobs.label_driver import require_state
from aiida_alpot.workflows.label.cells import make_cell
from aiida_alpot.workflows.label.reading import Label, NoLabelError, fill_label, load_labeller
from aiida_alpot.workflows.label.recipes import (
    CAUSES,
    GPAW_RECIPES,
    RECIPES,
    VASP_RECIPES,
    cause_of_end,
    cause_of_reason,
    merge_changes,
    next_recipe,
)
from aiida_alpot.workflows.label.sizes import (
    check_sizes,
    class_of,
    cores_of,
    options_for,
    plan_batches,
)


def mixed_cell():
    atoms = bulk("Cu", a=3.7, cubic=True).repeat((2, 1, 1))
    atoms.symbols[[0, 3, 5]] = "Au"
    atoms.rattle(0.1, seed=3)
    return atoms


def left_handed():
    atoms = mixed_cell()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]], scale_atoms=False)
    return atoms


@pytest.mark.parametrize("atoms", [mixed_cell(), left_handed()], ids=["right", "left"])
def test_a_cell_that_is_handed_over_has_the_same_label(atoms):
    cell = make_cell(atoms, 5.0)
    assert list(cell.atoms.symbols) == sorted(atoms.symbols)
    assert np.linalg.det(cell.atoms.cell.array) > 0
    given, handed = atoms.copy(), cell.atoms.copy()
    given.calc, handed.calc = EMT(), EMT()
    assert handed.get_potential_energy() == pytest.approx(given.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(handed.get_stress(), given.get_stress(), atol=1e-12)
    np.testing.assert_allclose(cell.restored(handed.get_forces()), given.get_forces(), atol=1e-10)


def test_a_direction_without_vector_gets_a_box_and_stays_open():
    cell = make_cell(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.2]]), 5.0)
    np.testing.assert_allclose(cell.atoms.cell.lengths(), [10, 10, 12.2])
    assert not cell.atoms.pbc.any()


CLASSES = [
    {"up_to": 10, "resources": {"num_machines": 1}, "options": {"queue_name": "short"}},
    {"up_to": 100, "resources": {}, "options": {}, "batch_size": 2},
    {"up_to": None, "resources": {"num_machines": 4}, "options": {}},
]


def test_a_cell_belongs_to_the_smallest_class_that_holds_it():
    assert [class_of(work, CLASSES) for work in (1, 10, 11, 100, 101)] == [0, 0, 1, 1, 2]
    assert class_of(101, CLASSES[:2]) is None


@pytest.mark.parametrize("limits", [[10, 5], [10, 10], [None, 10]])
def test_classes_that_do_not_grow_are_refused(limits):
    with pytest.raises(SettingError, match="growing"):
        check_sizes([{"up_to": limit} for limit in limits])


def test_cells_share_a_job_with_their_like():
    works = {0: 5, 1: 50, 2: 500, 3: 60, 4: 7, 5: 70}
    assert plan_batches(works, CLASSES, 50) == [[0, 4], [1, 3], [5], [2]]
    assert plan_batches(works, [], 4) == [[0, 1, 2, 3], [4, 5]]


def test_options_follow_the_size():
    options = {"resources": {"num_machines": 9}, "queue_name": "normal"}
    assert options_for(options, 5, CLASSES) == {
        "resources": {"num_machines": 1},
        "queue_name": "short",
    }
    assert options_for(options, 50, CLASSES) == options
    assert options_for(options, 5, []) == options


def test_a_retry_has_the_options_kept_for_it_or_twice_the_time():
    options = {"resources": {}, "max_wallclock_seconds": 100}
    assert options_for(options, 1, [], retry={})["max_wallclock_seconds"] == 200
    other = options_for(options, 1, [], retry={"queue_name": "long"})
    assert (other["queue_name"], other["max_wallclock_seconds"]) == ("long", 100)


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        ({"num_machines": 2, "num_mpiprocs_per_machine": 16}, (32, 16)),
        ({"num_machines": 2, "tot_num_mpiprocs": 24}, (24, 12)),
        ({"num_cpus": 6, "memory_mb": 1000}, (6, 6)),
        ({}, (1, 1)),
    ],
)
def test_cores_are_read_from_resources_of_any_scheduler(resources, cores):
    assert cores_of(resources) == cores


@pytest.mark.parametrize("recipes", [RECIPES, GPAW_RECIPES, VASP_RECIPES])
def test_recipes_are_for_known_causes_and_the_last_is_repeated(recipes):
    assert set(recipes) <= set(CAUSES)
    for cause, known in recipes.items():
        assert [next_recipe(recipes, cause, n) for n in range(len(known))] == list(known)
        assert next_recipe(recipes, cause, 99) == known[-1]
    assert next_recipe(recipes, "refused", 0) is None


def test_recipes_of_gpaw_change_nothing_that_decides_a_label():
    from aiida_alpot.level_of_theory import level_of_theory

    settings = {"ecut": 300, "kspacing": 0.3}
    for known in GPAW_RECIPES.values():
        for recipe in known:
            changed = merge_changes(settings, recipe.changes.get("settings", {}))
            assert level_of_theory("GPAW", changed) == level_of_theory("GPAW", settings)


@pytest.mark.parametrize(
    ("requested", "final"),
    [
        ([2.2, 2.2, -2.2, 0.0], [2.5, 1.9, -2.0, 0.4]),
        ([2.0, -2.0, 2.0], [-2.1, 1.9, -2.0]),
        ([2.0, 2.0, -2.0], [2.1, 2.0, 2.1]),
        ([2.0, 2.0, -2.0], [2.1, 0.1, -2.1]),
        ([2.0, 2.0], [0.0, 0.0]),
        ([0.3, 0.0], [-0.3, 0.0]),
    ],
)
def test_gpaw_and_vasp_judge_magnetic_states_alike(requested, final):
    requested, final = np.array(requested), np.array(final)
    told = find_left_state(requested, final, kept=0.3)
    if told is None:
        require_state(requested, final, 0.3)
        return
    with pytest.raises(ValueError, match="left its magnetic state") as caught:
        require_state(requested, final, 0.3)
    assert cause_of_reason(f"ValueError: {caught.value}") == "magnetic state"
    assert told.split(" was asked")[0] in str(caught.value)


def test_moments_that_a_run_without_spin_lacks_are_no_state():
    with pytest.raises(ValueError, match="left its magnetic state"):
        require_state(np.array([2.0]), np.array([np.nan]), 0.3)


@pytest.fixture
def ended_job(localhost):
    """Factory of jobs that ended with an exit status and last words of the scheduler."""
    import io

    from aiida import orm
    from aiida.common import LinkType

    def make(status, spoken=""):
        job = orm.CalcJobNode(computer=localhost, process_type="aiida.calculations:alpot.label")
        job.set_process_state("finished")
        job.set_exit_status(status)
        job.set_option("scheduler_stderr", "_scheduler-stderr.txt")
        job.store()
        retrieved = orm.FolderData()
        retrieved.base.repository.put_object_from_filelike(
            io.BytesIO(spoken.encode()), "_scheduler-stderr.txt"
        )
        retrieved.base.links.add_incoming(job, LinkType.CREATE, "retrieved")
        retrieved.store()
        return job

    return make


@pytest.mark.parametrize(
    ("status", "spoken", "cause"),
    [
        (110, "", "out of memory"),
        (120, "", "out of time"),
        (140, "", "lost"),
        (
            700,
            "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT ... DUE TO TIME LIMIT ***",
            "out of time",
        ),
        (
            352,
            "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.batch.",
            "out of memory",
        ),
        (301, "", "lost"),
        (203, "", "refused"),
    ],
)
def test_the_cause_of_an_end_is_what_the_scheduler_says_whatever_the_parser_says(
    ended_job, status, spoken, cause
):
    assert cause_of_end(ended_job(status, spoken)) == cause


def test_changes_add_up():
    first = {"incar": {"nelm": 200, "algo": "normal"}, "moments": 1.5}
    merged = merge_changes(first, {"incar": {"nelm": 300}, "kpar": 1})
    assert merged == {"incar": {"nelm": 300, "algo": "normal"}, "moments": 1.5, "kpar": 1}
    assert first["incar"]["nelm"] == 200


def test_what_gpaw_says_of_its_self_consistency_is_understood():
    reason = "the SCF did not converge within 333 iterations (KohnShamConvergenceError)"
    assert cause_of_reason(reason) == "unconverged"
    assert cause_of_reason("NotImplementedError: No EMT-potential for Fe") == "failed"


GOOD = {"energy": -1.0, "forces": np.zeros((8, 3)), "stress": np.zeros(6)}


@pytest.mark.parametrize(
    ("spoiled", "cause"),
    [
        ({"energy": np.nan}, "not finite"),
        ({"forces": np.full((8, 3), np.inf)}, "not finite"),
        ({"stress": np.full(6, np.nan)}, "not finite"),
        ({"forces": np.zeros((7, 3))}, "truncated"),
        ({"stress": np.zeros((3, 3))}, "failed"),
    ],
    ids=["energy", "forces", "stress", "atoms", "tensor"],
)
def test_what_a_plugin_says_is_checked(spoiled, cause):
    one = Configurations.from_atoms([mixed_cell()])
    with pytest.raises(NoLabelError) as caught:
        fill_label(one, make_cell(mixed_cell(), 5.0), Label(**{**GOOD, **spoiled}), "level")
    assert caught.value.cause == cause


def test_an_open_cell_has_no_stress_whatever_a_plugin_says():
    atoms = mixed_cell()
    atoms.pbc = (True, True, False)
    filled = fill_label(
        Configurations.from_atoms([atoms]), make_cell(atoms, 5.0), Label(**GOOD), "level"
    )
    assert np.isnan(filled.stress).all()
    assert filled.level_of_theory == "level"


def test_a_labeller_is_found_by_its_process_type():
    from aiida_alpot.workflows.label.vasp import VaspLabelWorkChain

    assert load_labeller("aiida.workflows:alpot.label.vasp") is VaspLabelWorkChain
    assert (
        load_labeller("aiida_alpot.workflows.label.vasp.VaspLabelWorkChain") is VaspLabelWorkChain
    )
