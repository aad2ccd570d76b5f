# SPDX-License-Identifier: MIT
"""Inputs, exit codes and names that turn, loop and campaign share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec, WorkChain

from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData

PREDECESSOR = "predecessor"
"""Inputs of a campaign that goes on from another one."""
REFIT = "_refit"
"""Ends the name of the record of a fit before the first turn of a successor."""


@dataclass(frozen=True)
class NodesByName:
    """Nodes of one kind, by name, that processes hand on to one another; there may be none.

    Parameters
    ----------
    port : str
        The namespace in which they go in and come out.
    kind : type
        Of the nodes.
    input_help, output_help : str
        What they are to the process that takes them, and to the one that gives them.
    """

    port: str
    kind: type[orm.Data]
    input_help: str
    output_help: str

    def define_input(self, spec: ProcessSpec) -> None:
        """Give a WorkChain these nodes as inputs."""
        self._define(spec.input_namespace, self.input_help)

    def define_output(self, spec: ProcessSpec) -> None:
        """Give a WorkChain these nodes as outputs."""
        self._define(spec.output_namespace, self.output_help)

    def _define(self, add_namespace: Callable[..., None], help_text: str) -> None:
        add_namespace(self.port, valid_type=self.kind, dynamic=True, required=False, help=help_text)

    def of(self, source: Any) -> dict[str, Any]:
        """Return the nodes among the inputs or outputs of a process."""
        return dict(source[self.port].items()) if self.port in source else {}

    def hand_out(self, process: WorkChain, source: Any) -> None:
        """Hand on the nodes among the inputs or outputs of a process as outputs of another."""
        for name, node in sorted(self.of(source).items()):
            process.out(f"{self.port}.{name}", node)


MEMBERS = NodesByName(
    "committee",
    PotentialData,
    input_help="Members of the committee of the potential.",
    output_help="Members of the committee of the potential, where one is asked for.",
)
RESTARTS = NodesByName(
    "restarts",
    ConfigurationsData,
    input_help="Where chains go on that the turn before stopped, by the name of their job.",
    output_help="Last known frames of chains that their grades stopped, by the name of their job.",
)


def define_campaign_inputs(spec: ProcessSpec) -> None:
    """Give a WorkChain the inputs that turn, loop and campaign share."""
    spec.input("settings", valid_type=orm.Dict, help="The campaign; see `check_settings`.")
    spec.input("structures", valid_type=ConfigurationsData, help="Named starts of the samplers.")
    spec.input_namespace(
        "test",
        valid_type=ConfigurationsData,
        dynamic=True,
        required=False,
        help="Frozen test sets, by name.",
    )
    spec.input_namespace(
        "codes",
        valid_type=orm.AbstractCode,
        dynamic=True,
        help="`alpot` for every role; `fit`, `sample`, `label` where a role has its own.",
    )
    define_job_inputs(spec)


def define_job_inputs(spec: ProcessSpec) -> None:
    """Give a WorkChain the inputs that it hands on to its jobs."""
    spec.input("options", valid_type=orm.Dict, required=False, help="Options by role.")
    spec.input_namespace(
        "files",
        valid_type=orm.SinglefileData,
        dynamic=True,
        required=False,
        help="Files that the settings of a calculator name.",
    )


def define_predecessor_inputs(spec: ProcessSpec) -> None:
    """Give the campaign the state that its predecessor left, from which it goes on."""
    spec.input_namespace(PREDECESSOR, required=False, help="What another campaign has come to.")
    inner = f"{PREDECESSOR}."
    spec.input(f"{inner}turn", valid_type=orm.Int, required=False, help="Its last turn.")
    spec.input(
        f"{inner}refit", valid_type=orm.Bool, required=False, help="Fit before the next turn."
    )
    for name in ("potential", "initial_potential"):
        spec.input(f"{inner}{name}", valid_type=PotentialData, required=False)
    for name in ("active_set", "initial_active_set"):
        spec.input(f"{inner}{name}", valid_type=ActiveSetData, required=False)
    spec.input(f"{inner}outstanding", valid_type=ConfigurationsData, required=False)
    for name, kind in (
        (MEMBERS.port, PotentialData),
        ("training", ConfigurationsData),
        ("test", ConfigurationsData),
        ("unlabelled", ConfigurationsData),
        (RESTARTS.port, ConfigurationsData),
        ("ledgers", orm.Dict),
        ("records", orm.Dict),
    ):
        spec.input_namespace(f"{inner}{name}", valid_type=kind, dynamic=True, required=False)
    spec.input(
        "amendment", valid_type=orm.Dict, required=False, help="What was changed, by its keys."
    )


def define_turn_exit_codes(spec: ProcessSpec) -> None:
    """Give turn, loop and campaign the exit codes that they share."""
    spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
    spec.exit_code(301, "ERROR_LABELLING_FAILED", message="labelling: {message}")
    spec.exit_code(302, "ERROR_FIT_FAILED", message="fit: {message}")
    spec.exit_code(303, "ERROR_SAMPLING_FAILED", message="sampling: {message}")
    spec.exit_code(304, "ERROR_SELECTION_FAILED", message="selection: {message}")


def define_loop_exit_codes(spec: ProcessSpec) -> None:
    """Give loop and campaign their exit codes; with 5xx all outputs are there."""
    define_turn_exit_codes(spec)
    spec.exit_code(305, "ERROR_TURN_LOST", message="a turn was lost")
    spec.exit_code(
        501,
        "VERDICT_BUDGET_SPENT",
        message="all {labels_used} labels of the budget are spent",
    )
    spec.exit_code(
        502,
        "VERDICT_TURNS_USED",
        message="ended after {turns} turns, all that are allowed",
    )
    spec.exit_code(
        503,
        "VERDICT_NOTHING_SELECTED",
        message="nothing more is worth a label in turn {turns}; its record says why",
    )
    spec.exit_code(504, "VERDICT_STOPPED", message="stopped on request after turn {turns}")
    spec.exit_code(506, "VERDICT_CORE_HOURS", message="the core-hours are spent: {spent}")
    spec.exit_code(507, "VERDICT_WALL_TIME", message="the time is over: {spent}")


def increment_name(turn: int, training: Any) -> str:
    """Return the link of the increment of a turn; what is explored beside a start goes after it."""
    name = f"turn_{turn:03d}"
    return f"{name}_explored" if name in training else name


def added_name(turn: int, taken: Any) -> str:
    """Return the link of a set that joins the training when a campaign goes on after a turn."""
    name = f"added_{turn:03d}"
    number = sum(str(one).startswith(name) for one in taken)
    return f"{name}_{number}" if number else name


def held_out_name(turn: int) -> str:
    """Return the name of the test set that a turn held out."""
    return f"held_out_{turn:03d}"
