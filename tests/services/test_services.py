# SPDX-License-Identifier: MIT
"""The services do what the tests of faults rely on: they come back, and forget nothing."""

from __future__ import annotations

import stat
import time

import pytest

from . import postgres, rabbitmq, slurm, ssh
from .aiida_setup import reconnect
from .everything import start_services
from .processes import HarnessError, answers, run, wait_until


@pytest.fixture(autouse=True)
def mended_afterwards(services):
    """All services, and the connection to the database, after each test."""
    yield
    start_services(services)
    reconnect()


def test_a_database_outlives_a_restart_and_a_kill(services):
    login = postgres.create_database(services, "lasting")
    postgres.query(services, "CREATE TABLE kept (one int)", database="lasting")
    postgres.restart_postgres(services)
    postgres.query(services, "INSERT INTO kept VALUES (7)", database="lasting")
    postgres.kill_postgres(services)
    assert not postgres.postgres_answers(services)
    assert postgres.start_postgres(services) == login["database_port"]
    assert postgres.query(services, "SELECT one FROM kept", database="lasting").strip() == "7"
    assert postgres.database_size(services, "lasting") > 1_000_000


def test_the_broker_comes_back_on_its_port_after_a_kill(services):
    port = rabbitmq.broker_settings(services)["broker_port"]
    rabbitmq.kill_rabbitmq(services)
    assert not rabbitmq.rabbitmq_answers(services)
    assert rabbitmq.start_rabbitmq(services) == port


def submit(folder, command, *options):
    told = slurm.slurm(
        folder, "sbatch", "--parsable", "--mem=100", *options, "--output=/dev/null", command
    )
    return int(told.split(";")[0])


def states(folder):
    return {job.number: job.state for job in slurm.jobs(folder)}


def test_jobs_outlive_the_controller(services):
    number = submit(services, "--wrap=sleep 60")
    wait_until(lambda: states(services)[number] == "RUNNING", timeout=20, what="it runs")
    slurm.stop_slurmctld(services)
    assert not slurm.controller_answers(services)
    slurm.start_slurmctld(services)
    assert states(services)[number] == "RUNNING"
    slurm.kill_slurmctld(services)
    slurm.start_slurmctld(services)
    wait_until(lambda: states(services)[number] == "RUNNING", timeout=30, what="it runs again")
    slurm.cancel_jobs(services, number)
    wait_until(lambda: not states(services), timeout=20, what="it is cancelled")


@pytest.mark.parametrize("disturb", ["preempt", "node down", "requeue"])
def test_a_job_that_is_disturbed_starts_again(services, disturb):
    number = submit(services, "--wrap=sleep 60")
    wait_until(lambda: states(services)[number] == "RUNNING", timeout=20, what="it runs")
    if disturb == "preempt":
        slurm.preempt_jobs(services, seconds=1)
    elif disturb == "requeue":
        slurm.requeue_job(services, number)
    else:
        slurm.set_node_down(services)
        assert slurm.node_state(services) == "down"
    wait_until(lambda: states(services)[number] == "PENDING", timeout=20, what="it waits again")
    slurm.resume_node(services)
    wait_until(lambda: states(services)[number] == "RUNNING", timeout=40, what="it runs again")
    slurm.cancel_jobs(services)


def test_a_job_that_takes_too_much_memory_is_killed(services):
    greedy = "/usr/bin/python3 -c 'import time; kept = b\"x\" * 400_000_000; time.sleep(60)'"
    number = submit(services, f"--wrap={greedy}")
    wait_until(lambda: number not in states(services), timeout=30, what="it is killed")
    ended = {entry["JobId"]: entry["JobState"] for entry in slurm.completed_jobs(services)}
    assert ended[str(number)] in ("FAILED", "OUT_OF_MEMORY")


def test_the_ssh_server_refuses_when_it_is_stopped_and_takes_the_key_when_it_runs(services):
    config = services / "ssh" / "home" / ".ssh" / "config"
    command = ["ssh", "-F", config, ssh.HOST, "sinfo --noheader --format=%P"]
    assert "debug*" in run(command)
    port = ssh.start_sshd(services)
    ssh.stop_sshd(services)
    assert not answers(port)
    with pytest.raises(HarnessError, match="refused"):
        run(command)
    ssh.start_sshd(services)
    assert "debug*" in run(command)


def test_files_with_passwords_are_closed_to_others(services):
    files = list(services.glob("*.json"))
    assert {"postgres", "rabbitmq", "slurm", "ssh"} <= {path.stem for path in files}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_service_that_runs_is_not_started_twice(services):
    before = postgres.server_number(services), rabbitmq.broker_number(services)
    begun = time.monotonic()
    postgres.start_postgres(services)
    rabbitmq.start_rabbitmq(services)
    assert (postgres.server_number(services), rabbitmq.broker_number(services)) == before
    assert time.monotonic() - begun < 5
