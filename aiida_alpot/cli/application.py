# SPDX-License-Identifier: MIT
"""The command group ``alpot``: which commands there are, and how errors reach the user.

Each command lies in a module of its own that is imported when the command is called. An error that
the user can mend is one line on standard error and the exit status of its class; ``--debug`` shows
the traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

import click

import aiida_alpot
from aiida_alpot.errors import AlpotError

# section: the package of its commands, each a module of its name, and one line of help for each
_SECTIONS = {
    "Campaigns": (
        "aiida_alpot.cli.campaign_commands",
        {
            "init": "Set up an AiiDA profile, a computer and the codes.",
            "doctor": "Check profile, daemon and codes; name remedies.",
            "converge": "Measure the noise of labels, the floor of errors.",
            "run": "Submit a campaign file and watch it.",
            "submit": "Submit a campaign file and return.",
            "status": "Show how far a campaign is.",
            "watch": "Follow a campaign until it ends.",
            "approve": "Let a paused campaign take its next step.",
            "stop": "Stop a campaign cleanly.",
            "resume": "Go on after an outage, a stop or a spent budget.",
            "amend": "Go on with changed settings and all labels.",
            "report": "Write one HTML file about a campaign.",
            "export": "Write potential, labels and provenance as files.",
            "why": "Tell where each training configuration came from.",
            "import": "Take labels that were made elsewhere.",
            "labels": "List labels by sampler, start, turn, temperature.",
            "calculations": "List and export what a potential rests on.",
            "costs": "Show core-hours by stage, sampler, size.",
            "price": "Show what each meV/atom of a campaign cost.",
            "potcar": "Find the campaigns that used a POTCAR file.",
            "without": "Refit without some labels, show the difference.",
        },
    ),
    "Files": (
        "aiida_alpot.cli.file_commands",
        {
            "fit": "Fit a potential to labelled configurations.",
            "evaluate": "Energies, forces, stresses and errors.",
            "grade": "Extrapolation grades of configurations.",
            "select": "Select the configurations worth labelling.",
            "carve": "Cut chunks about uncertain atoms for labels.",
            "sample": "Run a sampler that stops on extrapolation.",
            "relax": "Relax thousands of structures together.",
            "label": "Label configurations with an ASE calculator.",
            "properties": "Compute properties of a material.",
            "convert": "Convert between formats of configurations.",
        },
    ),
}
COMMANDS = {
    name: f"{package}.{name}{'_' * iskeyword(name)}"
    for package, lines in _SECTIONS.values()
    for name in lines
}
"""The module of each command."""

UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h: a bug, not a mistake of the user
INTERRUPTED = 130


class Application(click.Group):
    """A group whose commands are imported on demand and whose errors are single lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command ``cmd_name``, or return None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, suggesting the nearest one for a name that does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(_unknown_command(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section without importing any."""
        for section, (_, lines) in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(lines.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "alpot",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; see :class:`click.Command`. Errors end it with one line."""
        arguments = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in arguments[:1] or bool(os.environ.get("ALPOT_DEBUG"))
        # whichever module imports AiiDA first, it makes its folder, which nobody needs to know
        warnings.filterwarnings("ignore", "Creating AiiDA configuration folder", UserWarning)
        try:
            result = super().main(arguments, prog_name, complete_var, False, **extra)
        except (click.exceptions.Abort, KeyboardInterrupt):
            _fail("interrupted.", INTERRUPTED)
        except Exception as error:
            if debug:
                raise
            _fail(*describe(error))
        # outside standalone mode click hands back the status of ctx.exit()
        status = result if isinstance(result, int) else 0
        if standalone_mode or status:
            sys.exit(status)
        return result


def describe(error: Exception) -> tuple[str, int]:
    """Return the one line that is shown for ``error`` and the exit status."""
    if isinstance(error, AlpotError):
        return str(error), error.exit_status
    if isinstance(error, click.ClickException):
        return _describe_usage(error), error.exit_code
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return f"Cannot access{where}: {error.strerror or error}.", 2
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The Python package '{error.name}' is not installed. Install it with "
            f"'pip install {error.name}', or everything with 'pip install aiida-alpot'.",
            5,
        )
    return (
        f"unexpected {type(error).__name__}: {error}. This is a bug; 'alpot --debug' shows where.",
        UNEXPECTED,
    )


def _describe_usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    ending = "" if message.endswith((".", "?")) else "."
    return f"{message}{ending} See '{context.command_path} --help'."


def _unknown_command(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else f" Commands: {', '.join(COMMANDS)}."
    return f"There is no command '{name}'.{hint}"


def _fail(message: str, status: int) -> None:
    # what stands in foreign files must not move the cursor of a terminal
    shown = "".join(one if one.isprintable() else "?" for one in " ".join(message.split()))
    click.echo(f"Error: {shown}", err=True)
    sys.exit(status)


@click.group(
    cls=Application,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(aiida_alpot.__version__, "--version", message="alpot %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Train moment tensor potentials by active learning, with the provenance of every label.

    A campaign goes from a YAML file to a validated potential: 'alpot init', then
    'alpot run campaign.yaml'.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
