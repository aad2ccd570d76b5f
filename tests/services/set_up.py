# SPDX-License-Identifier: MIT
"""Commands of ``alpot`` and ``verdi`` in processes of their own, each in an AIIDA_PATH."""

from __future__ import annotations

import os
import subprocess

from .aiida_setup import SCRIPTS


def run_program(home, *words, answers="", status=0, **variables):
    """Run a program of this environment in an AIIDA_PATH; return all that it prints.

    Parameters
    ----------
    home : path
        The AIIDA_PATH.
    words : str
        The program and its arguments.
    answers : str
        What is typed in.
    status : int
        The exit status that it must have.
    variables : str
        Variables of the environment.
    """
    program, *others = (str(word) for word in words)
    environment = {**os.environ, "AIIDA_PATH": str(home), **variables}
    environment.pop("AIIDA_PROFILE", None)
    done = subprocess.run(
        [SCRIPTS / program, *others],
        env=environment,
        input=answers,
        start_new_session=True,  # without a terminal, so that passwords are read from answers
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def reach(login):
    """Options of ``alpot init`` that say where the services are, and the passwords."""
    database, broker = login
    options = {
        "--database-host": database["database_hostname"],
        "--database-port": database["database_port"],
        "--database-name": database["database_name"],
        "--database-user": database["database_username"],
        "--broker-host": broker["broker_host"],
        "--broker-port": broker["broker_port"],
        "--broker-user": broker["broker_username"],
    }
    passwords = {
        "ALPOT_DATABASE_PASSWORD": database["database_password"],
        "ALPOT_BROKER_PASSWORD": broker["broker_password"],
    }
    return [word for pair in options.items() for word in pair], passwords
