# SPDX-License-Identifier: MIT
"""Services fail under a campaign, which ends as if nothing had happened."""

from __future__ import annotations

import time

import pytest

from . import aiida_setup, postgres, rabbitmq, slurm, ssh


def test_the_broker_is_killed(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("kill -9 of the broker"):
        interference.wait_held("sample")
        rabbitmq.kill_rabbitmq(services)
        interference.release("sample")
        rabbitmq.start_rabbitmq(services)


@pytest.mark.full
def test_the_database_is_restarted(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("PostgreSQL restarted"):
        interference.wait_held("sample")
        postgres.restart_postgres(services)
        aiida_setup.reconnect()
        interference.release("sample")


@pytest.mark.full
def test_the_controller_of_slurm_is_restarted(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("slurmctld restarted"):
        interference.wait_held("sample")
        slurm.stop_slurmctld(services)
        interference.release("sample")
        time.sleep(3)  # so that a look at the queue fails
        slurm.start_slurmctld(services)


@pytest.mark.full
def test_connections_by_ssh_are_refused_for_a_minute(
    disturbed, interference, services, ssh_slurm_computer
):
    aiida_setup.make_code(ssh_slurm_computer, "alpot_interfered", interference.program)
    interference.hold("sample")
    with disturbed("ssh refused for a minute", code="alpot_interfered@slurm-ssh"):
        interference.wait_held("sample")
        ssh.stop_sshd(services)
        interference.release("sample")
        time.sleep(60)
        ssh.start_sshd(services)
