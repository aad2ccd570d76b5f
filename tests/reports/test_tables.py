# SPDX-License-Identifier: MIT
"""Progress as text: the same figures in the live table and in plain lines."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from aiida_alpot.reports.progress import as_json
from aiida_alpot.reports.tables import (
    budget_line,
    criterion_lines,
    duration,
    live_table,
    plain_lines,
    turn_cells,
    turn_line,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (47, "47 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273600, "3 d 4 h")],
)
def test_durations_are_told_as_people_read_them(seconds, text):
    assert duration(seconds) == text


def test_the_cells_of_a_turn_show_what_became_of_it(report_data):
    start, first, last = (turn_cells(turn) for turn in report_data.progress.turns)
    assert start["turn"] == "start"
    assert start["frames"] == ""
    assert (first["chains"], first["frames"], first["grade"]) == ("1/1", "101", "12.1")
    assert (first["selected"], first["labelled"]) == ("2", "2")
    assert (first["energy"], first["forces"]) == ("1.000", "0.0200")
    assert last["energy"] == ""


def test_a_fit_before_the_first_turn_of_a_successor_is_no_second_turn(report_data):
    turn = report_data.progress.turns[1]
    refit = dataclasses.replace(turn, is_refit=True, samplers_total=0)
    assert turn_line(turn).startswith("turn 1 done;")
    assert turn_line(refit).startswith("turn 1 refitted;")
    assert turn_cells(refit)["stage"] == "refitted"
    assert dataclasses.replace(refit, stage="fitting").shown_stage == "fitting"


def test_training_errors_stand_in_where_there_is_no_test_set(report_data):
    turn = report_data.progress.turns[1]
    errors = {"training": turn.errors["training"], "test": {}}
    assert turn_cells(dataclasses.replace(turn, errors=errors))["energy"] == "0.100 (train)"


def test_the_live_table_and_the_plain_lines_tell_the_same(report_data):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(live_table(report_data.progress))
    shown = console.export_text()
    lines = plain_lines(report_data.progress)
    for word in ("12.1", "0.0200", "101", "converged", "labels 6 of 60"):
        assert word in shown
        assert any(word in line for line in lines)


def test_warnings_of_the_latest_fit_are_told(report_data):
    start, first, last = report_data.progress.turns
    turns = (
        dataclasses.replace(start, warnings=("an old one",)),
        dataclasses.replace(first, warnings=("7 (hot/000040): its energy is off",)),
        last,  # fitted nothing
    )
    progress = dataclasses.replace(report_data.progress, turns=turns)
    lines = plain_lines(progress)
    assert "warning: 7 (hot/000040): its energy is off" in lines
    assert not any("an old one" in line for line in lines)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(live_table(progress))
    assert "warning: 7 (hot/000040)" in console.export_text()


def test_a_turn_is_one_line(report_data):
    line = turn_line(report_data.progress.turns[1])
    assert "\n" not in line
    assert "chains 1/1, frames 101; largest grade 12.1, selected 2; labelled 2, failed 0" in line


CONDITIONS = (
    {"name": "rate", "holds": True, "detail": "0 of 600 independent frames extrapolate"},
    {"name": "audit", "holds": False, "detail": "forces_rmse_eV_per_A 0.09, target 0.05"},
)


def test_the_criterion_is_told_condition_by_condition(report_data):
    turns = [*report_data.progress.turns]
    turns[-1] = dataclasses.replace(turns[-1], criterion=CONDITIONS, held=0, asked=2)
    progress = dataclasses.replace(report_data.progress, turns=tuple(turns))
    assert criterion_lines(progress) == [
        "Finished? After turn 2: 0 turns in a row hold, 2 must.",
        "  rate: holds, 0 of 600 independent frames extrapolate",
        "  audit: not yet, forces_rmse_eV_per_A 0.09, target 0.05",
    ]
    assert set(criterion_lines(progress)) <= set(plain_lines(progress))
    assert criterion_lines(report_data.progress) == []


def test_hours_are_told_with_their_budgets_and_shares(report_data):
    progress = dataclasses.replace(
        report_data.progress,
        core_seconds={"sample": 1800.0, "label": 5400.0},
        core_hours_budget=10.0,
        wall_hours_budget=48.0,
    )
    assert budget_line(progress) == (
        "labels 6 of 60, turns 2 of 6, 3 min 20 s of 48 h, 2 core-hours of 10 core-hours "
        "(sampling 25 %, labelling 75 %)"
    )


def test_a_campaign_that_waits_for_a_person_says_for_what(report_data):
    waiting = "paused before labelling 8 configurations, about 3.2 core-hours: alpot approve"
    progress = dataclasses.replace(
        report_data.progress, state="waiting", doing="turn 2: selecting", waiting=waiting
    )
    assert progress.verdict == f"turn 2: {waiting}"


def test_the_budget_is_told_with_what_is_used(report_data):
    assert budget_line(report_data.progress) == "labels 6 of 60, turns 2 of 6, 3 min 20 s"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "converged"),
        ({"exit_status": 501, "message": "budget spent"}, "budget spent (exit 501)"),
        ({"state": "waiting", "exit_status": None}, "turn 2 done"),
        (
            {"state": "waiting", "exit_status": None, "stop_requested": True},
            "turn 2 done, stops after this turn",
        ),
        (
            {"state": "excepted", "exit_status": None, "message": "ValueError"},
            "excepted: ValueError",
        ),
        ({"state": "killed", "exit_status": None}, "killed"),
    ],
)
def test_the_verdict_says_how_it_ended_or_what_it_does(changes, verdict, report_data):
    assert dataclasses.replace(report_data.progress, **changes).verdict == verdict


def test_progress_is_plain_json(report_data):
    import json

    content = json.loads(json.dumps(as_json(report_data.progress)))
    assert content["verdict"] == "converged"
    assert len(content["turns"]) == 3
