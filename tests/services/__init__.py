# SPDX-License-Identifier: MIT
"""Real services for tests: PostgreSQL, RabbitMQ, Slurm, sshd, and AiiDA profiles on them.

They run as root without systemd, on loopback, on ports that were free, with passwords and keys
made at run time, each in its part of one folder, so that several sets of them can run at once. A
module for each service has plain functions ``start_X``, ``stop_X``, ``restart_X`` and ``kill_X``,
which take that folder; :mod:`.everything` starts and stops all of them, :mod:`.aiida_setup`
makes computers and codes, :mod:`.daemon` looks after the daemon, and ``conftest.py`` offers it
all as fixtures. By hand, from the folder above ``tests``::

    python -m tests.services start FOLDER     # prints the variables to export
    python -m tests.services stop FOLDER
"""
