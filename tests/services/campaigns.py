# SPDX-License-Identifier: MIT
"""A campaign of seconds, what is left of it at the end, and a command that tests interfere with.

Two campaigns are compared after each other in one profile, where the second would find the labels
of the first; so the first is forgotten as soon as its outcome is kept.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .daemon import wait_for
from .processes import wait_until

CAMPAIGN = """\
name: {name}
species: [Cu]
seed: {seed}
potential: {{level: 4, cutoff: 4.5}}
start:
  training:
    - {{crystal: fcc, a: 3.6, cubic: true, supercell: 2, strain: 0.01, rattle: 0.05, copies: 4}}
  structures:
    bulk: {{crystal: fcc, a: 3.61, cubic: true, supercell: 2, rattle: 0.01}}
    vacancy: {{crystal: fcc, a: 3.61, cubic: true, supercell: 2, rattle: 0.01, vacancies: 1}}
explore:
  - name: nvt
    kind: molecular_dynamics
    starts: [bulk, vacancy]
    temperature_K: 900
    steps: 60
    max_frames: 10
    record_every: 5
    starts_per_job: 2
grades: {{gamma_select: 2, gamma_break: 20}}
label: {{calculator: EMT, max_attempts: 3}}
budget: {{labels: 16, labels_per_turn: 4, turns: {turns}}}
"""
MACHINES = """\
fit: {{code: {code}, options: {options}}}
sample: {{code: {code}, options: {options}}}
label: {{code: {code}, options: {options}}}
"""
INTERFERED = """\
#!/bin/sh
# alpot, with moments before and after a job at which a test interferes, once each
{exports}here={folder}; verb=$1
interfere() {{
  mv "$here/$1_$verb" "$here/$1_$verb.$$" 2>/dev/null && . "$here/$1_$verb.$$"
}}
interfere before
while [ -e "$here/hold_$verb" ]; do touch "$here/held_$verb"; sleep 0.1; done
{alpot} "$@"; status=$?
interfere after
exit $status
"""
TRIES = ("node", "attempt", "attempts", "recipe", "exit_code", "seconds", "core_seconds")
"""Keys of the ledger that tell which attempt it was and how long it took."""


@dataclass(frozen=True)
class Outcome:
    """What a campaign leaves: all that must not depend on what happened on the way."""

    exit_status: int
    potential: bytes
    active_set: bytes
    training: dict[str, bytes]
    ledger: tuple[tuple[tuple[str, Any], ...], ...]


class Interference:
    """The command ``alpot`` on a computer, whose jobs can be held, and disturbed once each.

    Verbs are those of the command: ``sample``, ``select``, ``label``, ``fit``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.program = folder / "alpot_interfered"
        alpot = Path(sys.executable).with_name("alpot")
        text = INTERFERED.format(folder=folder, alpot=alpot, exports=export_blas())
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(0o755)

    def before(self, verb: str, script: str) -> None:
        """Run shell commands in the folder of the next job of a verb, before it."""
        self._arm(f"before_{verb}", script)

    def after(self, verb: str, script: str) -> None:
        """Run shell commands in the folder of the next job of a verb, after it."""
        self._arm(f"after_{verb}", script)

    def hold(self, verb: str) -> None:
        """Let jobs of a verb wait from now on."""
        (self.folder / f"held_{verb}").unlink(missing_ok=True)
        (self.folder / f"hold_{verb}").touch()

    def wait_held(self, verb: str, *, timeout: float = 300) -> None:
        """Wait until a job of a verb is held, and with it runs."""
        held = self.folder / f"held_{verb}"
        wait_until(held.exists, timeout=timeout, what=f"a job of {verb} runs")

    def release(self, verb: str) -> None:
        """Let the jobs of a verb go on."""
        (self.folder / f"hold_{verb}").unlink(missing_ok=True)

    def is_done(self, moment: str) -> bool:
        """Return whether what was to happen, such as at ``before_fit``, has happened."""
        return any(self.folder.glob(f"{moment}.*")) and not (self.folder / moment).exists()

    def clear(self) -> None:
        """Interfere no more."""
        for kind in ("before", "after", "hold", "held"):
            for path in self.folder.glob(f"{kind}_*"):
                path.unlink()

    def _arm(self, name: str, script: str) -> None:
        armed = self.folder / f"{name}.armed"
        armed.write_text(script, encoding="utf-8")
        armed.rename(self.folder / name)


def export_blas() -> str:
    """Return lines of a script that set what chooses the kernels of OpenBLAS here.

    Sessions by ssh lack it, and with other kernels the last digits are others.
    """
    chosen = {name: it for name, it in os.environ.items() if name.startswith("OPENBLAS_")}
    return "".join(f"export {name}={shlex.quote(it)}\n" for name, it in sorted(chosen.items()))


def start_campaign(
    folder: Path, code: str, *, seed: int = 3, turns: int = 1, options: str = "{}"
) -> Any:
    """Submit the small campaign with all its jobs on one code; return its process."""
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.cli.launch import submit_campaign

    name = f"copper-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    file, machines = folder / f"{name}.yaml", folder / "machines.yaml"
    file.write_text(CAMPAIGN.format(name=name, seed=seed, turns=turns), encoding="utf-8")
    machines.write_text(MACHINES.format(code=code, options=options), encoding="utf-8")
    return submit_campaign(load_campaign(file, machines=machines))


def end_of(node: Any, *, timeout: float = 420) -> Outcome:
    """Wait until a campaign has ended; return what is left of it."""
    wait_for(node, timeout=timeout)
    assert "potential" in node.outputs, f"{node.exit_status}: {node.exit_message} {node.exception}"
    entries = node.outputs.ledger.get_dict()["entries"]
    return Outcome(
        exit_status=node.exit_status,
        potential=node.outputs.potential.content,
        active_set=node.outputs.active_set.content,
        training={name: one.content for name, one in node.outputs.training.items()},
        ledger=tuple(_settled(entry) for entry in entries),
    )


def jobs_of(node: Any, verb: str) -> list[Any]:
    """Return the jobs of a campaign at one verb, in the order of submission."""
    from aiida.orm import CalcJobNode

    found = [
        child
        for child in node.called_descendants
        if isinstance(child, CalcJobNode) and child.process_type.endswith(f"alpot.{verb}")
    ]
    return sorted(found, key=lambda child: child.pk)


def is_stored(number: int) -> bool:
    """Return whether the campaign with this PK was not forgotten yet."""
    from aiida.orm import QueryBuilder, WorkChainNode

    return bool(QueryBuilder().append(WorkChainNode, filters={"id": number}).count())


def forget(node: Any) -> None:
    """Delete a campaign with all that came of it, so that no other finds its labels."""
    from aiida.tools import delete_nodes

    number = node.pk
    deleted, done = delete_nodes([number], dry_run=False)
    assert done
    assert number in deleted


def seconds_since(begun: float) -> float:
    """Return the wall time since ``time.monotonic()`` was ``begun``, in tenths of a second."""
    return round(time.monotonic() - begun, 1)


def _settled(entry: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, value) for key, value in entry.items() if key not in TRIES))
