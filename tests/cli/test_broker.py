# SPDX-License-Identifier: MIT
"""The built-in broker hands the processes of a dead worker out again after a visit."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from aiida.brokers.zeromq import ZeromqBroker
from aiida.brokers.zeromq.communicator import ZeromqCommunicator
from aiida.brokers.zeromq.server import ZeromqBrokerServer

from aiida_alpot.cli.broker import visit_broker

WORKER = """
import concurrent.futures, sys, time
from aiida.brokers.zeromq.communicator import ZeromqCommunicator
def take(communicator, task):
    print("taken", flush=True)
    return concurrent.futures.Future()
communicator = ZeromqCommunicator(sys.argv[1])
communicator.start()
communicator.add_task_subscriber(take)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A broker in a thread, which the profile of the test is made to use."""
    one = ZeromqBrokerServer(tmp_path / "storage", tmp_path / "sockets")
    one.start()
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            one.run_once(0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    monkeypatch.setattr(ZeromqBroker, "check_service_reachable", lambda self: True)
    monkeypatch.setattr(ZeromqBroker, "_router_endpoint", one.router_endpoint)
    yield one
    ended.set()
    thread.join()
    one.stop()


@pytest.fixture
def communicator(server):
    one = ZeromqCommunicator(server.router_endpoint)
    one.start()
    yield one
    one.close()


def test_a_visit_hands_out_again_what_a_dead_worker_had(
    aiida_profile, server, communicator, monkeypatch
):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, server.router_endpoint], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    communicator.task_send("a process", no_reply=True)
    assert worker.stdout.readline() == "taken\n"
    taken_over = threading.Event()
    communicator.add_task_subscriber(lambda _, task: taken_over.set())

    looked = threading.Event()
    with monkeypatch.context() as too_early:
        too_early.setattr(ZeromqBrokerServer, "_probe_workers", lambda self: looked.set())
        worker.kill()
        worker.wait()
        worker.stdout.close()
        assert looked.wait(10)
    assert not taken_over.wait(1)

    assert visit_broker(aiida_profile)
    assert taken_over.wait(10)


def test_profiles_without_the_built_in_broker_are_left_alone():
    assert not visit_broker(SimpleNamespace(process_control_backend="core.rabbitmq"))


def test_a_broker_that_does_not_run_is_no_error(aiida_profile, monkeypatch):
    monkeypatch.setattr(ZeromqBroker, "check_service_reachable", lambda self: False)
    assert not visit_broker(aiida_profile)


def test_a_broker_that_does_not_answer_is_no_error(aiida_profile, monkeypatch):
    def refuse(self):
        raise ConnectionError("no sockets")

    monkeypatch.setattr(ZeromqBroker, "check_service_reachable", lambda self: True)
    monkeypatch.setattr(ZeromqBroker, "get_communicator", refuse)
    assert not visit_broker(aiida_profile)
