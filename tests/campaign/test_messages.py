# SPDX-License-Identifier: MIT
"""Every mistake in a campaign file is answered by one line: the key, the value, what is allowed."""

from __future__ import annotations

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import AlpotError, CampaignFileError, InputFileError

BULK = "bulk: {crystal: fcc, a: 3.6, cubic: true}"

# (what is written, in place of what, words that the message must hold)
MISTAKES = {
    "unknown key": (
        "budgett: {labels: 20}",
        "budget: {labels: 20}",
        ["budgett", "did you mean 'budget'"],
    ),
    "unknown key inside": (
        "cutof: 5.0",
        "cutoff: 5.0",
        ["potential.cutof", "did you mean 'cutoff'"],
    ),
    "missing key": ("", "label: {calculator: EMT}\n", ["label is missing", "calculator"]),
    "text for a number": ("level: high", "level: 8", ["potential.level", '"high"', "2 to 28"]),
    "odd level": ("level: 7", "level: 8", ["potential.level is 7", "even numbers"]),
    "number for text": ("name: 3", "name: test", ["name is 3", "letters"]),
    "true for a number": (
        "labels: true",
        "labels: 20",
        ["budget.labels is true", "numbers from 1"],
    ),
    "no budget": ("labels: 0", "labels: 20", ["budget.labels is 0", "numbers from 1"]),
    "budget below the start": (
        "labels: 1, labels_per_turn: 1",
        "labels: 20",
        ["budget.labels is 1", "at least 2"],
    ),
    "turn above the budget": (
        "labels: 5",
        "labels: 20",
        ["budget.labels_per_turn is 10", "which is 5"],
    ),
    "budget below the rank of a potential graded by configuration": (
        "grades: {mode: configuration, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["budget.labels", "20 labels", "23 directions", "neighborhood"],
    ),
    "thresholds out of order": (
        "gamma_select: 12",
        "gamma_select: 2",
        ["grades.gamma_select is 12", "gamma_break", "10"],
    ),
    "entry above the threshold": (
        "gamma_select: 2, gamma_entry: 3",
        "gamma_select: 2",
        ["grades.gamma_entry is 3", "gamma_select", "2"],
    ),
    "threshold below one": (
        "gamma_select: 0.5",
        "gamma_select: 2",
        ["grades.gamma_select is 0.5", "from 1"],
    ),
    "costs with the method that knows none": (
        "grades: {per_cost: true, method: parity, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.per_cost is true", "parity"],
    ),
    "power of a cost that does not count": (
        "grades: {cost_exponent: 3, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.cost_exponent is 3", "per_cost is false"],
    ),
    "committee that grades and is not fitted": (
        "grades: {grader: committee}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["fit.committee is missing", "the committee that grades"],
    ),
    "threshold of another grader": (
        "grades: {force_deviation_select: 0.2, gamma_break: 10}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_select is 0.2", "nothing, since grades.grader is extrapolation"],
    ),
    "deviations out of order": (
        "fit: {committee: {}}\ngrades: {grader: committee, force_deviation_select: 0.6}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_select is 0.6", "above 0", "force_deviation_break", "0.5"],
    ),
    "entry above the deviation": (
        "fit: {committee: {}}\ngrades: {grader: committee, force_deviation_entry: 0.2}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_entry is 0.2", "grades.force_deviation_select, which is 0.1"],
    ),
    "committee of one": (
        "fit: {committee: {members: 1}}\nname: test",
        "name: test",
        ["fit.committee.members is 1", "numbers from 2"],
    ),
    "committee of equals": (
        "fit: {committee: {bootstrap: false, random_starts: false}}\nname: test",
        "name: test",
        ["fit.committee.bootstrap is false", "all members would be the same"],
    ),
    "unknown block": (
        "fit: {frozen: [angular]}\nname: test",
        "name: test",
        ["fit.frozen", "'angular'", "radial, species, moments, linear"],
    ),
    "block of a species that is not there": (
        "fit: {train_only: [Cu-Au]}\nname: test",
        "name: test",
        ["fit.train_only", "'Cu-Au'"],
    ),
    "nothing left to fit": (
        "fit: {frozen: [radial, linear]}\nname: test",
        "name: test",
        ["fit.frozen", "Nothing is left to be fitted"],
    ),
    "blocks to be pulled without a pull": (
        "fit: {pull_blocks: [moments]}\nname: test",
        "name: test",
        ["fit.pull is missing", "since pull_blocks is given"],
    ),
    "unknown method": (
        "fit: {method: bfgs}\nname: test",
        "name: test",
        ["fit.method", '"bfgs"', "projection or matrix-free"],
    ),
    "unknown mode": (
        "grades: {mode: atoms, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.mode", '"atoms"', "neighborhood"],
    ),
    "not a species": ("species: [Cq]", "species: [Cu]", ["species[0]", '"Cq"', "chemical symbols"]),
    "species twice": ("species: [Cu, Cu]", "species: [Cu]", ["species", "once"]),
    "species without a start": (
        "species: [Cu, Zr]\nseed: 1",
        "species: [Cu]",
        ["formula", "Cu, Zr"],
    ),
    "unknown sampler": (
        "kind: md",
        "kind: molecular_dynamics",
        ["explore[0].kind", '"md"', "relaxation"],
    ),
    "unknown sampler setting": (
        "temperature: 300",
        "temperature_K: 300",
        ["explore[0].temperature", "did you mean 'temperature_K'"],
    ),
    "missing sampler setting": (
        "pressure_GPa: 0",
        "temperature_K: 300",
        ["explore[0].temperature_K", "missing"],
    ),
    "wrong sampler setting": ("steps: -1", "steps: 10", ["explore[0]", "-1", "at least 1"]),
    "unknown start": ("starts: [slab]", "starts: [bulk]", ["explore[0].starts", '"slab"', "bulk"]),
    "sampler twice": (
        "  - {name: hot, kind: relaxation, starts: [bulk]}\ngrades",
        "grades",
        ["hot", "once"],
    ),
    "unknown calculator": (
        "calculator: EMTT",
        "calculator: EMT",
        ["label.calculator", '"EMTT"', "did you mean EMT"],
    ),
    "unknown calculator setting": (
        "calculator: EMT, settings: {ecut: 3}",
        "calculator: EMT",
        ["label.settings.ecut", "asap_cutoff"],
    ),
    "wrong calculator setting": (
        "calculator: LennardJones, settings: {sigma: -1}",
        "calculator: EMT",
        ["sigma", "-1", "> 0"],
    ),
    "missing code": (
        "calculator: GPAW, settings: {ecut: 300, kpts: [1, 1, 1]}",
        "calculator: EMT",
        ["label.code is missing", "gpaw@localhost"],
    ),
    "atomic energies of other species": (
        "fit: {atomic_energies: {Au: -3.2}}\nbudget",
        "budget",
        ["fit.atomic_energies", "an energy for each of Cu"],
    ),
    "atomic energies from nowhere": (
        "fit: {atomic_energies: guess}\nbudget",
        "budget",
        ["fit.atomic_energies", "isolated"],
    ),
    "window without a decay": (
        "fit: {weighting: {energy_window: 0.5}}\nbudget",
        "budget",
        ["fit.weighting.energy_decay is missing", "beside energy_window"],
    ),
    "decay without a window": (
        "fit: {weighting: {energy_decay: 0.5}}\nbudget",
        "budget",
        ["fit.weighting.energy_window is missing", "beside energy_decay"],
    ),
    "limit inside the window": (
        "fit: {weighting: {energy_window: 0.5, energy_decay: 1, energy_limit: 0.2}}\nbudget",
        "budget",
        ["fit.weighting.energy_limit is 0.2", "numbers from energy_window, 0.5"],
    ),
    "robust below one": (
        "fit: {robust: 0.5}\nbudget",
        "budget",
        ["fit.robust is 0.5", "numbers above 1"],
    ),
    "neither file nor crystal": (
        "bulk: {rattle: 0.1}",
        BULK,
        ["start.structures.bulk", "either a file or a crystal"],
    ),
    "both file and crystal": (
        "bulk: {file: a.xyz, crystal: fcc}",
        BULK,
        ["start.structures.bulk", "a.xyz"],
    ),
    "index of a crystal": (
        "bulk: {crystal: fcc, index: 1}",
        BULK,
        ["start.structures.bulk.index", "this item is a crystal"],
    ),
    "unknown crystal": (
        "bulk: {crystal: fc}",
        BULK,
        ["start.structures.bulk.crystal", '"fc"', "fcc"],
    ),
    "crystal that ASE cannot build": (
        "bulk: {crystal: hcp, a: 3.6, cubic: true}",
        BULK,
        ["start.structures.bulk", "cannot build Cu as hcp"],
    ),
    "bad index": (
        "bulk: {file: a.xyz, index: 'a:b'}",
        BULK,
        ["start.structures.bulk.index", "start:stop:step"],
    ),
    "all atoms taken out": (
        "bulk: {crystal: fcc, vacancies: 1}",
        BULK,
        ["start.structures.bulk", "vacancies is 1"],
    ),
    "too many shares": (
        "bulk: {crystal: fcc, substitute: {Cu: 0.7, Au: 0.4}}",
        BULK,
        ["substitute", "Au"],
    ),
    "overlapping atoms": (
        "bulk: {crystal: fcc, a: 0.2}",
        BULK,
        ["start.structures.bulk", "overlap"],
    ),
    "no structures": (
        "structures: {}",
        "structures:\n    " + BULK,
        ["start.structures", "at least one"],
    ),
    "negative strain": (
        "strain: -0.1",
        "strain: 0.01",
        ["start.training[0].strain is -0.1", "0 to 0.5"],
    ),
    "not a number": ("cutoff: .nan", "cutoff: 5.0", ["potential.cutoff", ".nan", "1 to 20"]),
    "min_distance above the cutoff": (
        "cutoff: 5.0, min_distance: 6",
        "cutoff: 5.0",
        ["potential.min_distance is 6", "cutoff"],
    ),
    "core beyond the cutoff": (
        "cutoff: 5.0, zbl: {outer: 5.5}",
        "cutoff: 5.0",
        ["potential.zbl.outer is 5.5", "below the cutoff"],
    ),
    "core inside out": (
        "cutoff: 5.0, zbl: {inner: 2.0, outer: 1.5}",
        "cutoff: 5.0",
        ["potential.zbl.inner is 2.0", "below outer"],
    ),
    "core whose outer radius follows and is too large": (
        "cutoff: 5.0, zbl: {inner: 3.6}",
        "cutoff: 5.0",
        ["potential.zbl.inner is 3.6", "outer in the cutoff"],
    ),
    "unknown key of the core": (
        "cutoff: 5.0, zbl: {outter: 1.5}",
        "cutoff: 5.0",
        ["potential.zbl.outter", "did you mean 'outer'"],
    ),
    "core of a pair with a foreign species": (
        "cutoff: 5.0, zbl: {pairs: {Cu-H: [0.9, 1.4]}}",
        "cutoff: 5.0",
        ['potential.zbl.pairs is "Cu-H"', "two of the species"],
    ),
    "core of a pair inside out": (
        "cutoff: 5.0, zbl: {pairs: {Cu-Cu: [1.4, 0.9]}}",
        "cutoff: 5.0",
        ["potential.zbl.pairs.Cu-Cu is [1.4, 0.9]", "inner below outer"],
    ),
    "core of a pair with one radius": (
        "cutoff: 5.0, zbl: {pairs: {Cu-Cu: [1.4]}}",
        "cutoff: 5.0",
        ["potential.zbl.pairs", "[1.4]", "two numbers"],
    ),
    "core that is no section": (
        "cutoff: 5.0, zbl: auto",
        "cutoff: 5.0",
        ['potential.zbl is "auto"', "inner, outer, pairs, overlay"],
    ),
    "unknown property": (
        "name: test\nvalidate: [{kind: eos}]",
        "name: test",
        ["validate[0].kind", '"eos"', "equation_of_state"],
    ),
    "unknown setting of a property": (
        "name: test\nvalidate: [{kind: vacancy, sites: 1}]",
        "name: test",
        ["validate[0].sites", "did you mean 'site'"],
    ),
    "unknown structure of a property": (
        "name: test\nvalidate: [{kind: vacancy, structure: slab}]",
        "name: test",
        ["validate[0].structure", '"slab"', "bulk"],
    ),
    "unknown figure": (
        "name: test\nvalidate: [{kind: vacancy, targets: {energy: 1}}]",
        "name: test",
        ["validate[0].targets.energy", "formation_energy_eV"],
    ),
    "percentage of an error": (
        "name: test\nvalidate: [{kind: stability, targets: {largest_grade: 2 %}}]",
        "name: test",
        ["validate[0].targets.largest_grade", "numbers from 0"],
    ),
    "target that is no number": (
        "name: test\nvalidate: [{kind: vacancy, targets: {formation_energy_eV: small}}]",
        "name: test",
        ["validate[0].targets.formation_energy_eV", '"small"', "percentages"],
    ),
    "comparison with what needs a code": (
        "label: {calculator: GPAW, code: gpaw@localhost, settings: {ecut: 300, kpts: [1, 1, 1]}}\n"
        "validate: [{kind: trajectory_errors}]",
        "label: {calculator: EMT}",
        ["validate[0].kind", "with label.calculator GPAW", "stability"],
    ),
    "targets without test sets": (
        "name: test\ntest_targets: {forces_rmse_eV_per_A: 0.1}",
        "name: test",
        ["test_targets", "without test sets"],
    ),
    "unknown error of a test set": (
        "name: test\ntest_targets: {force: 0.1}",
        "name: test",
        ["test_targets.force", "forces_rmse_eV_per_A"],
    ),
    "empty test set": (
        "name: test\ntest_sets: {hot: []}",
        "name: test",
        ["test_sets.hot", "at least one item"],
    ),
    "unknown rule of the gate": (
        "name: test\ngate: {max_atom: 3}",
        "name: test",
        ["gate.max_atom", "did you mean 'max_atoms'"],
    ),
    "wrong value of the gate": (
        "name: test\ngate: {max_atoms: -3}",
        "name: test",
        ["gate", "max_atoms", "-3"],
    ),
    "missing machines file": (
        "name: test\nmachines: nothing.yaml",
        "name: test",
        ["nothing.yaml", "no such file"],
    ),
    "duplicate key": (
        "name: test\nname: other",
        "name: test",
        ["'name' stands twice", "lines 1 and 2"],
    ),
    "duplicate key inside": ("labels: 20, labels: 30", "labels: 20", ["'labels' stands twice"]),
    "broken YAML": ("species: [Cu", "species: [Cu]", ["line"]),
    "a list": ("[", "name: test", ["line"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_key_value_and_remedy(mistake, write_campaign):
    new, old, words = MISTAKES[mistake]
    path = write_campaign((old, new))
    with pytest.raises(AlpotError) as caught:
        load_campaign(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.parent) in message  # the file itself, or one that it names
    for word in words:
        assert word in message
    assert caught.value.exit_status != 0


def test_a_missing_campaign_file_is_named(tmp_path):
    with pytest.raises(CampaignFileError, match=r"no\.yaml: No such file"):
        load_campaign(tmp_path / "no.yaml")


def test_a_binary_campaign_file_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CampaignFileError, match="not a text file"):
        load_campaign(path)


def test_an_empty_campaign_file_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text("")
    with pytest.raises(CampaignFileError, match="keys and values"):
        load_campaign(path)


def test_a_missing_structure_file_is_named_with_its_key(write_campaign):
    path = write_campaign((BULK, "bulk: {file: nothing.xyz}"))
    with pytest.raises(InputFileError, match=r"start\.structures\.bulk: .*nothing\.xyz"):
        load_campaign(path)


def test_a_species_that_nothing_holds_is_refused(write_campaign):
    path = write_campaign(
        ("species: [Cu]", "species: [Cu, Zr]"),
        (
            "{crystal: fcc, a: 3.6, cubic: true, strain",
            "{formula: Cu, crystal: fcc, a: 3.6, strain",
        ),
        (BULK, "bulk: {formula: Cu, crystal: fcc, a: 3.6}"),
    )
    with pytest.raises(CampaignFileError, match=r"species is .*Zr.* where Zr does not"):
        load_campaign(path)


def test_a_misspelt_required_key_is_named_rather_than_the_missing_one(write_campaign):
    with pytest.raises(CampaignFileError, match=r"unknown key nam; did you mean 'name'"):
        load_campaign(write_campaign(("name: test", "nam: test")))
