# SPDX-License-Identifier: MIT
"""What the options of ``alpot init`` say, and the answers to what they leave open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from aiida_alpot.cli.installation import Broker, Cluster, Database
from aiida_alpot.cli.questions import Questions
from aiida_alpot.errors import SettingError

DATABASE_PASSWORD, BROKER_PASSWORD = "ALPOT_DATABASE_PASSWORD", "ALPOT_BROKER_PASSWORD"


def is_known(name: str) -> bool:
    """Return whether there is a profile of that name, so that no service is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # AiiDA tells of a folder that it makes
        from aiida.common.exceptions import AiidaException
        from aiida.manage import get_config

        try:
            return name in get_config(create=False).profile_names
        except AiidaException:
            return False


def database_of(questions: Questions, given: dict[str, Any]) -> Database:
    """Return the database, asking for what no option says."""
    ask = questions.answer
    text = "PostgreSQL: "
    return Database(
        host=ask(given["database_host"], "--database-host", text + "host", default="localhost"),
        port=ask(given["database_port"], "--database-port", text + "port", default=5432, kind=int),
        name=ask(given["database_name"], "--database-name", text + "database", default="aiida"),
        user=ask(given["database_user"], "--database-user", text + "user", default="aiida"),
        password=questions.secret(DATABASE_PASSWORD, text + "password"),
    )


def broker_of(questions: Questions, given: dict[str, Any]) -> Broker:
    """Return the account at RabbitMQ, asking for what no option says."""
    ask = questions.answer
    text = "RabbitMQ: "
    return Broker(
        host=ask(given["broker_host"], "--broker-host", text + "host", default="127.0.0.1"),
        port=ask(given["broker_port"], "--broker-port", text + "port", default=5672, kind=int),
        user=ask(given["broker_user"], "--broker-user", text + "account", default="aiida"),
        password=questions.secret(BROKER_PASSWORD, text + "password"),
    )


def cluster_of(questions: Questions, given: dict[str, Any]) -> Cluster:
    """Return the cluster, asking for what no option says."""
    ask = questions.answer
    host = ask(
        given["host"],
        "--host",
        "Cluster: name for ssh, or localhost where sbatch runs on this computer",
        default="localhost",
    )
    folder = str(Path.home() / "aiida_scratch") if host == "localhost" else None
    return Cluster(
        label=ask(given["computer"], "--computer", "Cluster: name in AiiDA", default="cluster"),
        host=host,
        work_dir=ask(
            given["work_dir"],
            "--work-dir",
            "Cluster: folder of the jobs, such as /scratch/{username}/aiida",
            default=folder,
        ),
        processes=ask(
            given["processes"], "--processes", "Cluster: cores of a node", default=1, kind=int
        ),
        poll_interval=given["poll_interval"],
        prepend_text=given["prepend_text"],
    )


def label_and_path(text: str) -> tuple[str, str]:
    """Return the two parts of LABEL=PATH.

    Raises
    ------
    SettingError
        If it is something else.
    """
    label, separator, path = text.partition("=")
    if not (label and separator and path.startswith("/")):
        raise SettingError(f"--code is '{text}'; give LABEL=PATH with the whole path.")
    return label, path
