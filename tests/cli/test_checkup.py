# SPDX-License-Identifier: MIT
"""The parts of the doctor: jobs through a scheduler, the daemon's code, kernels that are kept."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from aiida_alpot.cli import main
from aiida_alpot.cli.checkup.computers import check_computer
from aiida_alpot.cli.checkup.daemon import check_slots, newest_source, require_slots
from aiida_alpot.cli.checkup.kernels import check_kernels_there
from aiida_alpot.cli.checkup.plan import kind_of, most_waiting, short_options
from aiida_alpot.cli.checkup.scheduler import JobFailedError, job_script, run_in_job
from aiida_alpot.errors import ServiceError

ONE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}


def test_a_command_runs_as_a_job_and_its_folder_is_taken_away(localhost):
    done = run_in_job(localhost, ["echo", "it ran"], options={"resources": ONE}, timeout=60)
    assert done.output == "it ran\n"
    with localhost.get_transport() as transport:
        folder = localhost.get_workdir().format(username=transport.whoami())
        assert not transport.glob(f"{folder}/alpot-doctor-*")


def test_a_job_that_fails_tells_its_last_line_and_keeps_its_folder(localhost):
    command = ["sh", "-c", "echo first >&2; echo second >&2; exit 3"]
    with pytest.raises(JobFailedError, match=r"ended with 3 in /.*alpot-doctor-\w+: second"):
        run_in_job(localhost, command, options={"resources": ONE}, timeout=60)


def test_a_job_that_does_not_end_is_given_up(localhost):
    with pytest.raises(JobFailedError, match="still running after 1 s"):
        run_in_job(localhost, ["sleep", "60"], options={"resources": ONE}, timeout=1)


def test_queue_account_and_commands_of_all_sources_reach_the_script(slurm_like):
    options = {"resources": ONE, "queue_name": "normal", "account": "me", "prepend_text": "two"}
    script = job_script(slurm_like, ["true"], options=options, prepend_text="one")
    assert "#SBATCH --partition=normal" in script
    assert "#SBATCH --account=me" in script
    assert script.index("\none\n") < script.index("\ntwo\n") < script.index("'true'")


@pytest.fixture
def slurm_like(aiida_profile, tmp_path):
    """A computer with Slurm as AiiDA describes it; no job is sent there."""
    from aiida.orm import Computer

    return Computer(
        label=f"slurm-{tmp_path.name}",
        hostname="localhost",
        workdir=str(tmp_path),
        transport_type="core.local",
        scheduler_type="core.slurm",
    ).store()


def test_a_computer_that_is_not_configured_is_found_with_its_remedy(slurm_like):
    found = check_computer(slurm_like, {}, run_job=False, timeout=10)
    assert not found.passed
    assert found.remedy == f"verdi computer configure core.local {slurm_like.label}"


def test_a_scheduler_that_is_not_there_is_found_by_a_job(slurm_like, monkeypatch):
    slurm_like.configure(safe_interval=0, use_login_shell=False)
    slurm_like.set_default_mpiprocs_per_machine(1)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    found = check_computer(slurm_like, {}, run_job=True, timeout=10)
    assert not found.passed
    assert found.remedy


def test_kernels_are_looked_at_by_a_real_job(alpot_code):
    found = check_kernels_there(alpot_code, {}, timeout=300)
    assert found.passed
    assert "kept in /" in found.detail


def test_another_program_in_place_of_alpot_is_another_version(python_code):
    found = check_kernels_there(python_code, {}, timeout=60)
    assert not found.passed
    assert found.remedy.startswith("install aiida-alpot")


def test_here_needs_no_profile_and_prints_plain_json(tmp_path, monkeypatch):
    monkeypatch.setenv("AIIDA_PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["doctor", "--here", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.output)
    assert found["error"] is None
    assert found["folder"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_changed_last_is_something_that_the_daemon_loads():
    changed, file = newest_source()
    assert changed > 0
    assert not file.startswith(("cli/", "reports/"))


def test_short_jobs_keep_queue_and_account_on_one_core():
    given = {"queue_name": "q", "resources": {"num_machines": 4}, "max_wallclock_seconds": 86400}
    assert short_options(given) == {
        "queue_name": "q",
        "resources": ONE,
        "max_wallclock_seconds": 600,
    }
    by_slots = {"parallel_env": "mpi", "tot_num_mpiprocs": 8}
    assert short_options({"resources": by_slots})["resources"] == by_slots


@pytest.mark.parametrize(
    ("program", "label", "kind"),
    [
        ("/bin/alpot", "mine", "alpot"),
        ("/usr/bin/python3", "gpaw", "gpaw"),
        ("/opt/vasp_std", "dft", "vasp"),
        ("/bin/bash", "add", None),
    ],
)
def test_what_a_code_runs_is_told_by_program_or_label(program, label, kind):
    assert kind_of(SimpleNamespace(label=label, get_executable=lambda: program)) == kind


def test_species_and_family_of_potcars_go_together():
    done = CliRunner().invoke(main, ["doctor", "--potcars", "PBE"])
    assert done.exit_code == 2
    assert "give both" in done.output


def test_processes_that_wait_for_others_are_refused_where_they_could_take_every_slot(
    aiida_profile, daemon, aiida_config
):
    aiida_profile.set_option("daemon.worker_process_slots", 20)
    aiida_config.store()
    try:
        require_slots(aiida_profile, 13)
        with pytest.raises(ServiceError, match=r"20 slots.*20 processes.*process_slots 21, then"):
            require_slots(aiida_profile, 14)
        assert check_slots(aiida_profile, 14).passed
        assert "process_slots 21" in check_slots(aiida_profile, 15).remedy
    finally:
        aiida_profile.set_option("daemon.worker_process_slots", 200)
        aiida_config.store()


@pytest.mark.parametrize(("kind", "count"), [("ase", 0), ("gpaw", 0), ("vasp", 14)])
def test_jobs_of_this_package_wait_for_nothing_and_those_of_plugins_do(kind, count):
    assert most_waiting({"label": {"workchain": kind, "max_jobs": 7}}) == count
