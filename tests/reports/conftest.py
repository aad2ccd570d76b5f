# SPDX-License-Identifier: MIT
"""The data of a report, made up of plain values as a campaign leaves them."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

from aiida_alpot.reports.outcome import assess
from aiida_alpot.reports.progress import CampaignProgress
from aiida_alpot.reports.report_data import ParitySet, ReportData
from aiida_alpot.reports.turn_progress import from_record


def errors(energy, forces):
    return {
        "n_configurations": 4,
        "n_atoms": 128,
        "energy": {"rmse_meV_per_atom": energy, "mae_meV_per_atom": 0.8 * energy},
        "forces": {
            "rmse_eV_per_A": forces,
            "mae_eV_per_A": 0.8 * forces,
            "mean_angle_deg": 1.0,
        },
        "stress": {"rmse_GPa": None, "mae_GPa": None},
    }


def record(turn, *, largest_grade, stop="finished", fitted=True, selected=2):
    chain = {
        "sampler": "hot <b>",
        "chain": "bulk",
        "steps": 100,
        "frames": 101,
        "kept": 3,
        "stop": stop,
        "reason": "grade 12.1 > gamma_break 10 at step 40" if stop != "finished" else "all done",
        "completed": stop == "finished",
        "largest_grade": largest_grade,
    }
    return {
        "turn": turn,
        "samples": [chain] if turn else [],
        "n_candidates": 3 if selected else 0,
        "gate": {"passed": 2, "duplicate": 1} if selected else {},
        "n_selected": selected,
        "n_looked_up": 0,
        "n_labelled": selected,
        "n_failed": 0,
        "largest_grade": largest_grade,
        "extrapolating": bool(largest_grade and largest_grade > 2),
        "errors": {"training": errors(0.1, 0.01), "test": {"hot": errors(2.0 / (turn + 1), 0.02)}}
        if fitted
        else None,
        "seconds": {"sample": 4.0, "select": 1.0, "label": 0.5, "fit": 2.0},
        "labels_used": selected,
    }


RECORDS = (
    record(0, largest_grade=None, selected=4),
    record(1, largest_grade=12.1, stop="gamma_break"),
    record(2, largest_grade=1.1, fitted=False, selected=0),
)

VALIDATION = {
    "properties": [
        {
            "kind": "vacancy",
            "structure": "bulk",
            "settings": {"site": 0},
            "values": {"formation_energy_eV": 1.21},
            "reference": {"formation_energy_eV": 1.22},
            "difference": {"formation_energy_eV": -0.01},
            "failed": None,
        }
    ]
}


def parts_of_an_outcome():
    """Arguments of :func:`assess` for a campaign that met its targets."""
    before = {
        "properties": [{**VALIDATION["properties"][0], "values": {"formation_energy_eV": 1.4}}]
    }
    return {
        "after": VALIDATION,
        "before": before,
        "targets": [{"formation_energy_eV": 0.02}],
        "test_targets": {"forces_rmse_eV_per_A": 0.05},
        "turns": list(RECORDS),
    }


@pytest.fixture
def outcome_parts():
    """Arguments of :func:`assess`, to be changed by a test."""
    return parts_of_an_outcome()


@pytest.fixture(scope="session")
def report_data():
    """All that a report shows."""
    rng = np.random.default_rng(0)
    energy, forces = rng.normal(size=6), rng.normal(size=300)
    sets = tuple(
        ParitySet(name, energy, energy + 1e-3, forces, forces + 1e-2)
        for name in ("start", "selected", "test hot")
    )
    entry = {
        "identifier": "turn_001/hot/bulk/000040",
        "hash": "0" * 64,
        "turn": 1,
        "status": "labelled",
        "reason": "",
        "node": "12345678-0000-0000-0000-000000000000",
        "attempt": 1,
        "seconds": 0.2,
    }
    failed = {**entry, "status": "failed", "reason": "SCF did not converge in 333 steps"}
    return ReportData(
        progress=CampaignProgress(
            name="copper & <script>",
            pk=7,
            uuid="campaign-uuid",
            state="finished",
            exit_status=0,
            message="",
            doing="turn 2 done",
            started=datetime(2026, 1, 1, tzinfo=timezone.utc),
            seconds=200.0,
            turns=tuple(from_record(one) for one in RECORDS),
            turns_budget=6,
            labels_used=6,
            labels_budget=60,
            stop_requested=False,
        ),
        settings={
            "species": ["Cu"],
            "potential": {"level": 8, "cutoff": 5.0},
            "label": {"calculator": {"name": "EMT"}, "level_of_theory": '{"calculator":"EMT"}'},
            "budget": {"labels": 60, "turns": 6},
            "grades": {"gamma_entry": 1.1, "gamma_select": 2.0, "gamma_break": 10.0},
        },
        campaign_file="campaign.yaml",
        campaign_text="name: copper  # a <comment>\n",
        records=RECORDS,
        ledger=(entry, failed),
        outcome=assess(**parts_of_an_outcome()),
        parity=sets,
        nodes=(("campaign", "campaign-uuid", 7), ("potential", "potential-uuid", 9)),
        versions={"aiida-core": "2.9.4"},
        written=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )
