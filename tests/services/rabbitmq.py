# SPDX-License-Identifier: MIT
"""RabbitMQ in a folder of its own: started, stopped, restarted, killed.

Every function takes the folder of the services. AiiDA warns that RabbitMQ gives up on messages
that nobody acknowledges for half an hour; ``consumer_timeout`` is raised, as AiiDA's
documentation asks.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from .processes import (
    answers,
    end_process,
    free_port,
    home_of_service,
    is_alive,
    new_password,
    read_number,
    remember,
    spawn,
    wait_until,
    write_private,
)

USER = "rabbitmq"
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
ACCOUNT = "alpot"
START_TIMEOUT = 120  # seconds


def start_rabbitmq(folder: Path) -> int:
    """Start the broker, on loopback only; return its port."""
    home, settings = _home(folder), _settings(folder)
    if not is_alive(broker_number(folder)):
        _write_configuration(home, settings)
        environment = _environment(home, settings)
        spawn([PROGRAM], log=folder / "rabbitmq.log", user=USER, environment=environment)
        wait_until(
            lambda: answers(settings["port"]),
            timeout=START_TIMEOUT,
            what=f"RabbitMQ answers; see {folder / 'rabbitmq.log'}",
        )
    return int(settings["port"])


def stop_rabbitmq(folder: Path) -> None:
    """Stop the broker as an administrator would."""
    end_process(broker_number(folder), signal.SIGTERM, timeout=60)


def kill_rabbitmq(folder: Path) -> None:
    """Kill the broker at once."""
    end_process(broker_number(folder), signal.SIGKILL)
    # its threads can outlive the process for a moment
    wait_until(lambda: not rabbitmq_answers(folder), timeout=30, what="RabbitMQ is gone")


def restart_rabbitmq(folder: Path) -> None:
    """Stop the broker and start it again on the same port, with the messages that it kept."""
    stop_rabbitmq(folder)
    start_rabbitmq(folder)


def broker_number(folder: Path) -> int | None:
    """Return the process number of the broker, None where it never ran."""
    return read_number(_home(folder) / "broker.pid")


def rabbitmq_answers(folder: Path) -> bool:
    """Return whether the broker takes connections."""
    return answers(_settings(folder)["port"])


def broker_settings(folder: Path) -> dict[str, Any]:
    """Return how AiiDA's ``core.rabbitmq`` reaches the broker."""
    settings = _settings(folder)
    return {
        "broker_protocol": "amqp",
        "broker_username": ACCOUNT,
        "broker_password": settings["password"],
        "broker_host": "127.0.0.1",
        "broker_port": settings["port"],
        "broker_virtual_host": "",
    }


def end_port_mapper() -> None:
    """End Erlang's port mapper, which the broker leaves behind; it stays where others use it."""
    subprocess.run(["epmd", "-kill"], capture_output=True, check=False)


def _write_configuration(home: Path, settings: dict[str, Any]) -> None:
    lines = (
        f"listeners.tcp.default = 127.0.0.1:{settings['port']}",
        f"default_user = {ACCOUNT}",
        f"default_pass = {settings['password']}",
        "consumer_timeout = 360000000",
        "log.console = true",
    )
    write_private(home / "rabbitmq.conf", "\n".join(lines) + "\n", USER)
    write_private(home / "environment", "", USER)
    write_private(home / "plugins", "[].\n", USER)


def _environment(home: Path, settings: dict[str, Any]) -> dict[str, str]:
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"alpot{settings['port']}@localhost",
        "RABBITMQ_DIST_PORT": str(settings["distribution_port"]),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "broker.pid"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "environment"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def _home(folder: Path) -> Path:
    return home_of_service(folder / "rabbitmq", USER)


def _settings(folder: Path) -> dict[str, Any]:
    return remember(
        folder / "rabbitmq.json",
        lambda: {
            "port": free_port(),
            "distribution_port": free_port(),
            "password": new_password(),
        },
    )
