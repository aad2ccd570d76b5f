# SPDX-License-Identifier: MIT
"""Labelling with VASP through aiida-vasp and the test double (tests/doubles/README.md)."""

from itertools import pairwise

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.campaign.vasp_settings import deciding_tags
from aiida_alpot.configurations import Configurations
from aiida_alpot.testing.labels import assert_gradients_of_labels, gradient_probe


def entries(node):
    return {entry["identifier"]: entry for entry in node.outputs.ledger["entries"]}


def jobs(node):
    """The runs of VASP, in their order."""
    found = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return sorted(found, key=lambda job: job.pk)


def incar(job):
    return {name.lower(): value for name, value in job.inputs.parameters.get_dict().items()}


def chain(symbol, n_atoms, *, seed=0):
    """A rattled cell of ``n_atoms`` atoms of one species."""
    atoms = bulk(symbol, "fcc", a=3.8).repeat((1, 1, n_atoms))
    atoms.rattle(0.05, rng=np.random.default_rng(seed))
    atoms.info["identifier"] = str(n_atoms)
    return atoms


@pytest.fixture(scope="module")
def displaced(make_distorted):
    """A cell of two species in mixed order, also with atoms moved and strained to either side."""
    cell = make_distorted({"symbols": ["Cu", "Au", "Au", "Cu"]}).atoms(0)
    return gradient_probe(cell, np.random.default_rng(6))


@pytest.fixture(scope="module")
def labelled(label_with_vasp, displaced):
    return label_with_vasp(displaced)


@pytest.fixture(scope="module")
def labels(labelled):
    return labelled.outputs.labelled.get_configurations()


def test_energies_forces_and_stresses_come_back_in_the_order_of_the_atoms(labels, displaced):
    for index in range(len(displaced)):
        atoms = displaced.atoms(index)
        atoms.calc = EMT()
        rows = labels.atoms_slice(index)
        assert labels.energy[index] == pytest.approx(atoms.get_potential_energy(), abs=2e-8)
        np.testing.assert_allclose(labels.forces[rows], atoms.get_forces(), atol=2e-8)
        np.testing.assert_allclose(labels.stress[index], atoms.get_stress(), atol=1e-10)


def test_forces_and_stress_are_the_gradients_of_the_label(labels):
    assert_gradients_of_labels(labels)


def test_they_are_not_those_of_the_extrapolated_energy(labels):
    with pytest.raises(AssertionError, match="forces say"):
        assert_gradients_of_labels(labels.replace(energy=labels.energy_extrapolated))


def test_the_level_of_theory_names_the_content_of_the_potcar_files(labels):
    assert labels.level_of_theory.count("sha512:") == 2
    assert "encut" in labels.level_of_theory


def test_every_part_of_a_label_has_its_creator(labelled):
    for job in jobs(labelled):
        assert job.inputs.structure.creator.process_label == "make_structure"
    collected = labelled.outputs.labelled.creator
    sources = collected.base.links.get_incoming(link_label_filter="labels_%").all_nodes()
    assert {source.creator.process_label for source in sources} == {"make_label"}
    assert {entry["node"] for entry in entries(labelled).values()} == {
        job.uuid for job in jobs(labelled)
    }


def test_the_run_asked_aiida_vasp_for_the_free_energy_and_keeps_no_potcar(labelled):
    job = jobs(labelled)[0]
    assert "energy_free" in job.outputs.misc["total_energies"]
    assert "POTCAR" not in job.base.repository.list_object_names()


def test_labels_are_looked_up_whatever_is_said_of_their_conduct(
    labelled, label_with_vasp, displaced
):
    again = label_with_vasp(displaced, incar={"nelm": 300, "algo": "all"}, moment_kept=0.9)
    assert jobs(again) == []
    assert {entry["status"] for entry in entries(again).values()} == {"looked_up"}


FAULTS = {
    1: ("needs 5000", "unconverged"),
    2: ("truncated", "truncated"),
    3: ("nan", "not finite"),
    4: ("crash", "truncated"),
    5: ("notice", "failed"),
}


@pytest.fixture(scope="module")
def spoiled(make_double, label_with_vasp):
    """Six cells, of which all but the last run into a fault of their own."""
    faults = ",".join(f"{size}:{fault}" for size, (fault, _) in FAULTS.items())
    code = make_double("spoiled", faults)
    cells = Configurations.from_atoms([chain("Cu", size) for size in range(1, 7)])
    section = {"max_attempts": 1, "max_jobs": 6, "min_success": 0.1}
    return label_with_vasp(cells, code=code, section=section, kspacing=3.0)


@pytest.mark.parametrize("size", FAULTS, ids=[fault for fault, _ in FAULTS.values()])
def test_a_faulty_run_is_never_a_label(spoiled, size):
    fault, cause = FAULTS[size]
    entry = entries(spoiled)[str(size)]
    assert entry["status"] == "failed", fault
    assert entry["cause"] == cause, entry["reason"]
    assert entry["reason"]
    assert (entry["attempt"], entry["attempts"]) == (1, 1)
    node = orm.load_node(entry["node"])
    assert isinstance(node, orm.CalcJobNode)
    assert not node.base.caching.is_valid_cache


def test_a_fault_costs_its_own_configuration_alone(spoiled):
    assert spoiled.exit_status == 0
    assert list(spoiled.outputs.labelled.get_configurations().identifier) == ["6"]
    assert entries(spoiled)["6"]["exit_code"] == 0


@pytest.fixture(scope="module")
def retried(make_double, label_with_vasp):
    """Cells that need more steps, or other moments, or have none that last."""
    code = make_double("demanding", "1:needs 150, 2:holds 0.8, 3:holds 99")
    cells = Configurations.from_atoms([chain("Ni", size) for size in (1, 2, 3)])
    return label_with_vasp(
        cells,
        code=code,
        section={"max_attempts": 3, "max_jobs": 4, "min_success": 0.1},
        kspacing=3.0,
        magmoms={"Ni": 0.6},
    )


@pytest.mark.parametrize(
    ("size", "recipe", "attempts"),
    [("1", "more steps", 2), ("2", "larger moments", 2)],
)
def test_a_recipe_that_suits_the_cause_makes_the_label(retried, size, recipe, attempts):
    entry = entries(retried)[size]
    assert entry["status"] == "labelled"
    assert (entry["recipe"], entry["attempt"], entry["attempts"]) == (recipe, attempts, attempts)
    assert entry["cause"] == ""


def test_a_magnetic_state_that_is_lost_for_good_is_no_label(retried):
    entry = entries(retried)["3"]
    assert entry["status"] == "failed"
    assert entry["cause"] == "magnetic state"
    assert entry["reason"].startswith("magnetic state: atom 0 was asked")
    assert (entry["attempts"], entry["recipe"]) == (3, "largest moments, linear mixing")


def test_moments_asked_for_and_found_are_stored(retried):
    labelled = retried.outputs.labelled.get_configurations()
    rows = labelled.atoms_slice(list(labelled.identifier).index("2"))
    np.testing.assert_allclose(labelled.magnetic_moments[rows], 0.9)
    asked = [
        verdict["request"]["moments"]
        for node in retried.called
        if node.process_label == "make_label"
        for verdict in node.outputs.verdict["verdicts"]
        if verdict["identifier"] == "2"
    ]
    assert asked == [[0.6, 0.6]] * 2


def test_no_attempt_changes_what_belongs_to_the_level_of_theory(retried):
    tags = [incar(job) for job in jobs(retried)]
    assert len(tags) == 7
    assert len({str(sorted(one.items())) for one in tags}) >= 5
    assert len({str(deciding_tags(one)) for one in tags}) == 1
    assert len({str(job.inputs.potential["Ni"].sha512) for job in jobs(retried)}) == 1
    assert retried.outputs.labelled.level_of_theory in str(retried.inputs.settings.get_dict())


def test_a_run_that_crashed_is_tried_again_as_it_was(make_double, label_with_vasp, tmp_path):
    code = make_double("unlucky", "crash, once", tmp_path)
    cells = Configurations.from_atoms([chain("Cu", 1, seed=7)])
    node = label_with_vasp(cells, code=code, section={"max_attempts": 2}, kspacing=3.0)
    first, second = jobs(node)
    assert incar(first) == incar(second)
    (entry,) = entries(node).values()
    assert (entry["status"], entry["attempt"], entry["recipe"]) == ("labelled", 2, "again")
    assert entry["node"] == second.uuid


def test_a_failed_run_is_not_replayed_from_the_cache(make_double, label_with_vasp):
    """aiida-vasp's own exit code of such a run leaves it in the cache."""
    from aiida.manage.caching import enable_caching

    code = make_double("hopeless", "needs 5000")
    cells = Configurations.from_atoms([chain("Cu", 1, seed=5)])
    section = {"max_attempts": 1}
    with enable_caching(identifier="aiida.calculations:vasp.vasp"):
        first = label_with_vasp(cells, code=code, section=section, kspacing=3.0)
        second = label_with_vasp(cells, code=code, section=section, kspacing=3.0)
    assert first.exit_status == second.exit_status == 301
    (job,) = jobs(second)
    assert job.exit_status == 701
    assert not job.base.caching.is_created_from_cache


@pytest.fixture(scope="module")
def sized(make_double, vasp_code, label_with_vasp):
    """A small and two larger cells, one at a time on the computer, with resources by size."""
    cells = Configurations.from_atoms(
        [chain("Au", 1), bulk("Au", a=4.1, cubic=True), bulk("Au", a=4.2, cubic=True)],
        identifiers=["one", "four", "four again"],
    )
    two = {"num_machines": 1, "num_mpiprocs_per_machine": 2}
    section = {
        "max_submitted": 1,
        "max_jobs": 3,
        "sizes": [{"up_to": 3, "options": {"max_wallclock_seconds": 77}}, {"resources": two}],
    }
    return label_with_vasp(
        cells, gamma=make_double("gamma"), section=section, kspacing=2.0, options={"withmpi": False}
    )


def job_of(node, identifier):
    return orm.load_node(entries(node)[identifier]["node"])


def test_gamma_alone_runs_with_its_own_executable(sized):
    assert job_of(sized, "four").inputs.code.label == "gamma"
    assert job_of(sized, "one").inputs.code.label == "vasp"
    assert job_of(sized, "one").inputs.kpoints.get_kpoints_mesh()[0] == [2, 2, 2]


def test_resources_follow_the_size_of_the_cell(sized):
    small, large = job_of(sized, "one"), job_of(sized, "four")
    assert small.get_option("resources")["num_mpiprocs_per_machine"] == 2
    assert large.get_option("resources")["num_mpiprocs_per_machine"] == 2
    assert (incar(small)["kpar"], incar(small)["ncore"]) == (2, 1)
    assert incar(large)["kpar"] == 1


def test_no_more_jobs_are_on_the_computer_than_may_be(sized):
    spans = sorted(
        (one.ctime, one.mtime) for one in sized.called if one.process_label == "VaspWorkChain"
    )
    assert len(spans) == 3
    for (_, ended), (started, _) in pairwise(spans):
        assert started >= ended


def test_a_family_that_is_not_there_is_named_with_its_remedy(label_with_vasp, displaced):
    from aiida_alpot.errors import SettingError

    with pytest.raises(SettingError, match="uploadfamily"):
        label_with_vasp(displaced, family="absent")


def test_a_species_without_potcar_file_is_named(label_with_vasp, displaced):
    from aiida_alpot.errors import SettingError

    with pytest.raises(SettingError, match="W"):
        label_with_vasp(displaced, species=["Cu", "Au", "W"])


def test_a_level_of_theory_that_is_not_that_of_the_run_is_refused(
    label_with_vasp, displaced, labels
):
    other = labels.level_of_theory.replace("300.0", "301.0")
    node = label_with_vasp(displaced.without_labels(), level=other)
    assert node.exit_status == 203
    assert jobs(node) == []


def test_another_calculator_is_refused(label_with_vasp, displaced):
    calculator = {"name": "EMT", "settings": {}}
    node = label_with_vasp(displaced, level="x", section={"calculator": calculator})
    assert node.exit_status == 201
    assert "EMT" in node.exit_message
