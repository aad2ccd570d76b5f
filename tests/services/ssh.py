# SPDX-License-Identifier: MIT
"""An ssh server on loopback with keys of its own: started, stopped, killed.

Every function takes the folder of the services. Clients find the server by the name
:data:`HOST` in the ``.ssh/config`` of a home folder, see :func:`ssh_environment`: nothing is
written into the home folder of the user.
"""

from __future__ import annotations

import getpass
import signal
from pathlib import Path
from typing import Any

import psutil

from .processes import (
    answers,
    end_process,
    free_port,
    is_alive,
    read_number,
    remember,
    run,
    spawn,
    wait_until,
    write_private,
)
from .slurm import slurm_environment

HOST = "alpot-cluster"
_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host_key
AuthorizedKeysFile {home}/user_key.pub
PidFile {home}/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
SetEnv {environment}
"""
_CLIENT = """\
Host {host}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {home}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {home}/known_hosts
"""


def start_sshd(folder: Path) -> int:
    """Start the server; return its port. In its sessions ``SLURM_CONF`` is set."""
    home, port = _home(folder), int(_settings(folder)["port"])
    if not (home / "host_key").is_file():
        _make_keys(home, port)
    if not is_alive(server_number(folder)):
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd does not start without it
        environment = " ".join(f"{name}={it}" for name, it in slurm_environment(folder).items())
        text = _SERVER.format(home=home, port=port, environment=environment)
        (home / "sshd_config").write_text(text, encoding="utf-8")
        spawn(["/usr/sbin/sshd", "-D", "-e", "-f", home / "sshd_config"], log=home / "sshd.log")
        wait_until(lambda: answers(port), timeout=30, what=f"sshd answers; see {home / 'sshd.log'}")
    return port


def stop_sshd(folder: Path) -> None:
    """Stop the server and cut every session: new connections are refused."""
    number = server_number(folder)
    sessions = [] if not is_alive(number) else psutil.Process(number).children(recursive=True)
    end_process(number, signal.SIGTERM)
    for session in sessions:
        if "sshd" in _name(session):
            end_process(session.pid, signal.SIGKILL)


def restart_sshd(folder: Path) -> None:
    """Stop the server, which cuts every session, and start it again on the same port."""
    stop_sshd(folder)
    start_sshd(folder)


def server_number(folder: Path) -> int | None:
    """Return the process number of the server, None where it never ran."""
    return read_number(_home(folder) / "sshd.pid")


def ssh_environment(folder: Path) -> dict[str, str]:
    """Return the variable that makes AiiDA's ``core.ssh_async`` find the server.

    It is the home folder, in which asyncssh looks for ``.ssh/config``.
    """
    return {"HOME": str(_home(folder) / "home")}


def _make_keys(home: Path, port: int) -> None:
    for name in ("host_key", "user_key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", home / name])
    public = (home / "host_key.pub").read_text(encoding="utf-8").strip()
    write_private(home / "known_hosts", f"[127.0.0.1]:{port} {public}\n")
    client = home / "home" / ".ssh"
    client.mkdir(parents=True, mode=0o700)
    text = _CLIENT.format(host=HOST, port=port, user=getpass.getuser(), home=home)
    write_private(client / "config", text)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _home(folder: Path) -> Path:
    home = folder / "ssh"
    home.mkdir(exist_ok=True)
    return home


def _settings(folder: Path) -> dict[str, Any]:
    return remember(folder / "ssh.json", lambda: {"port": free_port()})
