# SPDX-License-Identifier: MIT
"""The commands on campaigns where something is missing: one line with the remedy, nothing lost.

They run in processes of their own, with an AIIDA_PATH below a temporary folder.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ALPOT = Path(sys.executable).with_name("alpot")
RECIPE = Path(__file__).parents[2] / "workflows" / "01_copper_emt"

CAMPAIGN = """\
name: test
species: [Cu]
start:
  training: [{crystal: fcc, a: 3.6, cubic: true, rattle: 0.03, copies: 2}]
  structures: {bulk: {crystal: fcc, a: 3.6, cubic: true}}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
label: {calculator: EMT}
budget: {labels: 20}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """An AIIDA_PATH that ``alpot init`` has set up, without a daemon."""
    folder = tmp_path_factory.mktemp("home")
    done = run_alpot(folder, "init", "--no-daemon", "--no-compile")
    assert done.returncode == 0, done.stderr
    return folder


def run_alpot(home, *words):
    environment = {**os.environ, "AIIDA_PATH": str(home)}
    environment.pop("AIIDA_PROFILE", None)
    return subprocess.run(
        [ALPOT, *map(str, words)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check(done, status, *words):
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    for word in words:
        assert word in done.stderr


@pytest.fixture
def campaign_file(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    return path


def test_without_a_profile_the_remedy_is_named(tmp_path):
    check(run_alpot(tmp_path, "status"), 5, "no AiiDA profile", "alpot init")


def test_init_can_be_repeated_and_keeps_what_is_there(home):
    before = sorted(home.rglob("database.sqlite"))
    done = run_alpot(home, "init", "--no-daemon", "--no-compile")
    assert done.returncode == 0
    assert done.stdout.count("there already") >= 3
    assert "made" not in done.stdout.replace("there already", "")
    assert sorted(home.rglob("database.sqlite")) == before


def test_a_new_profile_lets_readers_and_writers_meet(home):
    (database,) = home.rglob("database.sqlite")
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_run_without_a_daemon_says_how_to_start_it_and_leaves_nothing_behind(home, campaign_file):
    check(run_alpot(home, "run", campaign_file), 5, "not running", "verdi -p alpot daemon start")
    done = run_alpot(home, "status", "--all")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_daemon_that_was_killed_counts_as_not_running(home, campaign_file):
    folder = home / ".aiida" / "daemon"
    folder.mkdir(exist_ok=True)
    stale = next(iter(folder.glob("circus-alpot.pid")), folder / "circus-alpot.pid")
    # a number that this very test has, as if the system had given it away again
    stale.write_text(f"{os.getpid()}\n", encoding="utf-8")
    try:
        check(run_alpot(home, "run", campaign_file), 5, "not running", "daemon start")
    finally:
        stale.unlink()


def test_a_code_that_does_not_exist_is_named_with_those_that_do(home, campaign_file):
    text = CAMPAIGN.replace("calculator: EMT", "calculator: EMT, code: dft@cluster")
    campaign_file.write_text(text, encoding="utf-8")
    done = run_alpot(home, "run", campaign_file)
    check(done, 5, "dft@cluster", "alpot@localhost", "verdi code create")


def test_a_mistake_in_the_file_comes_before_anything_else(home, campaign_file):
    campaign_file.write_text(CAMPAIGN + "budgett: 3\n", encoding="utf-8")
    check(run_alpot(home, "run", campaign_file), 2, "budgett", "did you mean 'budget'")


def test_a_profile_that_does_not_exist_is_named_with_those_that_do(home):
    check(run_alpot(home, "status", "-p", "other"), 5, "'other'", "alpot init --name other")


def test_without_a_campaign_the_remedy_is_named(home):
    check(run_alpot(home, "report"), 5, "no campaign", "alpot run campaign.yaml")


def test_a_campaign_that_does_not_exist_is_named(home):
    check(run_alpot(home, "status", "nothing"), 5, "'nothing'", "alpot status --all")


def test_a_potential_that_no_fit_made_has_no_origin(home, files):
    check(run_alpot(home, "why", files / "potential.mtp"), 5, "potential.mtp", "profile")


def test_a_dry_run_shows_all_and_submits_nothing(home):
    done = run_alpot(home, "run", RECIPE / "campaign.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    for told in (
        "training: 4 of 108 atoms (Cu)",
        "vacancy: 1 of 107 atoms",
        "npt: npt molecular dynamics at 300 to 1200 K",
        "calculator EMT",
        "60 labels in all",
        "'label' '--request' 'request.json'",
        "Nothing was submitted.",
    ):
        assert told in done.stdout


def test_a_dry_run_needs_no_profile(tmp_path):
    done = run_alpot(tmp_path, "run", RECIPE / "campaign.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "not known yet: There is no AiiDA profile" in done.stdout


def test_doctor_names_the_remedy_of_each_failure(home):
    done = run_alpot(home, "doctor", "--no-jobs")
    assert done.returncode == 5
    assert "FAIL daemon: not running\n     remedy: verdi -p alpot daemon start" in done.stdout
    assert "ok   code alpot@localhost" in done.stdout
    assert "1 to mend." in done.stdout


def test_the_recipe_runs_through_verdi_too(home):
    environment = {**os.environ, "AIIDA_PATH": str(home)}
    verdi = Path(sys.executable).with_name("verdi")
    done = subprocess.run(
        [verdi, "-p", "alpot", "run", RECIPE / "submit.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert "Error: The daemon of profile 'alpot' is not running." in done.stderr


def test_a_dry_run_says_who_grades_and_in_which_unit(tmp_path):
    driven = "fit: {committee: {members: 3}}\ngrades: {grader: committee}\n"
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN + driven, encoding="utf-8")
    done = run_alpot(tmp_path, "run", "campaign.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "extrapolates above force deviation 0.1 eV/A" in done.stdout
    assert "above 0.05; a chain stops at 0.5 (committee of 3)" in done.stdout
