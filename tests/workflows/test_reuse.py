# SPDX-License-Identifier: MIT
"""No label is paid for twice: imported ones, those of other profiles; and how to do it all anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.cli.importing import group_reader, import_group, store_labels
from aiida_alpot.cli.launch import campaign_builder
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import LevelOfTheoryError, ServiceError
from aiida_alpot.workflows.lookup import find_labels
from aiida_alpot.workflows.restate import force_level, is_forced

OTHER = '{"calculator":"other"}'

CAMPAIGN = """\
name: reuse
species: [Cu]
potential: {level: 2, cutoff: 4.5}
start:
  structures: {bulk: {crystal: fcc, a: 3.6, cubic: true}}
  training: [{crystal: fcc, a: 3.7, cubic: true, rattle: 0.05, copies: 3}]
explore:
  - name: hot
    kind: molecular_dynamics
    starts: [bulk]
    temperature_K: 900
    steps: 20
    record_every: 5
label: {calculator: EMT, batch_size: 2}
fit: {max_iterations: 5}
budget: {labels: 12, labels_per_turn: 3, turns: 1}
"""

SCRIPT = """\
import json, sys
from pathlib import Path
from aiida import load_profile, orm
load_profile()
from aiida.engine import run_get_node
from aiida.tools.archive import create_archive, import_archive
from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.cli.launch import campaign_builder
archive = Path(sys.argv[2])
if archive.exists():
    import_archive(archive)
node = run_get_node(campaign_builder(load_campaign(sys.argv[1]))).node
jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
label = [one.pk for one in jobs if one.process_type.endswith("alpot.label")]
told = {
    "exit_status": node.exit_status,
    "label_jobs": len(label),
    "summary": node.outputs.summary.get_dict(),
    "potential": node.outputs.potential.content.decode(),
}
if not archive.exists():
    create_archive([node], filename=archive)
print("told:" + json.dumps(told))
"""


@pytest.fixture
def imported(labelled_copper):
    """Labels from elsewhere in a group, which no other test looks up."""

    def make(offset, group, **changes):
        moved = labelled_copper.replace(positions=labelled_copper.positions + offset, **changes)
        return store_labels(moved, group, ["labels.npz"])

    return make


def test_imported_labels_are_found(imported, emt_level):
    node = imported(0.711, "imported one")
    assert find_labels(node.label_hashes, emt_level) == dict.fromkeys(node.label_hashes, node.uuid)
    assert node in orm.load_group("imported one").nodes
    assert node.base.extras.get("alpot_imported_from") == ["labels.npz"]


def test_the_same_labels_are_imported_once(imported):
    node = imported(0.755, "imported twice")
    assert imported(0.755, "imported twice").uuid == node.uuid
    assert len(orm.load_group("imported twice").nodes) == 1


def test_labels_that_were_forced_to_a_level_are_never_found(imported, emt_level):
    node = imported(0.722, "imported two", level_of_theory=OTHER)
    forced = force_level(node, emt_level)
    assert forced.level_of_theory == emt_level
    assert forced.creator.inputs.configurations.uuid == node.uuid
    assert find_labels(node.label_hashes, emt_level) == {}
    own = find_labels(node.label_hashes, emt_level, given=forced)
    assert set(own.values()) == {forced.uuid}
    assert force_level(forced, emt_level).uuid == forced.uuid


def test_a_group_joins_its_sets_with_each_configuration_once(imported, labelled_copper):
    first = imported(0.733, "many")
    imported(0.733, "many", identifier=np.array(["a", "b", "c", "d"]))
    second = imported(0.744, "many")
    joined = import_group("many", "joined")
    assert joined.n_labelled == 2 * len(labelled_copper)
    assert joined.label_hashes == first.label_hashes + second.label_hashes
    assert {link.node.uuid for link in joined.creator.base.links.get_incoming()} >= {first.uuid}
    imported(0.755, "many", level_of_theory=OTHER)
    with pytest.raises(LevelOfTheoryError, match="2 levels of theory"):
        import_group("many", "joined")
    with pytest.raises(ServiceError, match="no group 'none'"):
        import_group("none", "joined")


def campaign_of(tmp_path, item):
    path = tmp_path / "campaign.yaml"
    start = "{crystal: fcc, a: 3.7, cubic: true, rattle: 0.05, copies: 3}"
    text = CAMPAIGN.replace(start, item).replace("labels: 12,", "labels: 30,")
    path.write_text(text, encoding="utf-8")
    return load_campaign(path, read_group=group_reader(None))


def test_a_campaign_names_a_group_of_labels(imported, alpot_code, tmp_path):
    node = imported(0.766, "for campaign")
    campaign = campaign_of(tmp_path, "{group: for campaign, labels: use}")
    assert campaign.training.hashes() == node.label_hashes
    builder = campaign_builder(campaign)
    assert builder.start.label_hashes == node.label_hashes
    assert not is_forced(builder.start)
    dropped = campaign_of(tmp_path, "{group: for campaign, labels: drop}")
    assert not dropped.training.labelled.any()


def test_levels_are_mixed_only_where_that_is_forced_by_name(imported, alpot_code, tmp_path):
    imported(0.777, "foreign", level_of_theory=OTHER)
    with pytest.raises(LevelOfTheoryError, match="level_of_theory: force"):
        campaign_of(tmp_path, "{group: foreign, labels: use}")
    item = "{group: foreign, labels: use, level_of_theory: force}"
    builder = campaign_builder(campaign_of(tmp_path, item))
    assert is_forced(builder.start)
    assert builder.start.level_of_theory == builder.settings["label"]["level_of_theory"]


def label(configurations, level, code, *, look_up, cache=True):
    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = code
    builder.configurations = configurations
    section = {
        "workchain": "ase",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": level,
        "look_up": look_up,
    }
    builder.settings = orm.Dict({"label": section})
    builder.metadata.disable_cache = not cache
    node = run_get_node(builder).node
    assert node.exit_status == 0, node.exit_message
    return node, [one for one in node.called if isinstance(one, orm.CalcJobNode)]


def test_forced_labels_are_used_and_mark_what_is_made_of_them(imported, alpot_code, emt_level):
    foreign = imported(0.788, "forced", level_of_theory=OTHER)
    node, jobs = label(force_level(foreign, emt_level), emt_level, alpot_code, look_up=True)
    assert jobs == []
    assert is_forced(node.outputs.labelled)
    assert find_labels(foreign.label_hashes, emt_level) == {}


def test_without_look_up_labels_are_made_anew_and_caching_is_off(imported, alpot_code, emt_level):
    node = imported(0.799, "known")
    bare = node.get_configurations().without_labels().select(np.array([0, 1]))
    bare = ConfigurationsData.from_configurations(bare)
    _, jobs = label(bare, emt_level, alpot_code, look_up=True)
    assert jobs == []
    _, jobs = label(bare, emt_level, alpot_code, look_up=False, cache=False)
    assert len(jobs) == 1
    assert not jobs[0].base.caching.should_use_cache()
    assert jobs[0].get_metadata_inputs()["metadata"]["disable_cache"]


def run_in_profile(home, *words):
    environment = {**os.environ, "AIIDA_PATH": str(home)}
    environment.pop("AIIDA_PROFILE", None)
    done = subprocess.run(
        [*map(str, words)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_campaign_in_another_profile_pays_for_no_label_of_an_archive(tmp_path):
    """Another profile, computer and batch: only the archive connects the two."""
    told = []
    for name, text in (
        ("first", CAMPAIGN),
        ("second", CAMPAIGN.replace("batch_size: 2", "batch_size: 1")),
    ):
        home = tmp_path / name
        home.mkdir()
        (home / "campaign.yaml").write_text(text, encoding="utf-8")
        (home / "script.py").write_text(SCRIPT, encoding="utf-8")
        alpot = Path(sys.executable).with_name("alpot")
        run_in_profile(home, alpot, "init", "--no-daemon", "--no-compile")
        archive = tmp_path / "labels.aiida"
        out = run_in_profile(home, sys.executable, "script.py", "campaign.yaml", archive)
        line = next(line for line in out.splitlines() if line.startswith("told:"))
        told.append(json.loads(line.removeprefix("told:")))
    first, second = told
    assert first["label_jobs"] > 0
    assert first["summary"]["n_looked_up"] == 0
    assert second["label_jobs"] == 0
    assert second["summary"]["n_looked_up"] == first["summary"]["n_labelled"]
    assert second["potential"] == first["potential"]
