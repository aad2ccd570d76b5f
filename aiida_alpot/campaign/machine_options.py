# SPDX-License-Identifier: MIT
"""What a machines file may ask of a scheduler, depending on who named the file.

Options such as ``prepend_text`` are lines of a submit script: whoever writes them runs programs.
A machines file that the user names on the command line may hold any; one that a campaign file names
may hold plain figures and names only, because both may come from somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida_alpot.campaign.schema import MachinesFile
from aiida_alpot.errors import CampaignFileError

PLAIN_OPTIONS = (
    "account",
    "import_sys_environment",
    "max_memory_kb",
    "max_wallclock_seconds",
    "priority",
    "qos",
    "queue_name",
    "rerunnable",
    "resources",
    "withmpi",
)
"""Options that run nothing and name no file."""
_SHELL_TEXT = ("prepend_text", "append_text", "custom_scheduler_commands")
_ROLES = ("fit", "sample", "label")


def require_plain_options(machines: MachinesFile, source: str) -> None:
    """Refuse options that can run programs or fetch files.

    Raises
    ------
    CampaignFileError
        On the first of them.
    """
    for place, options in _options(machines):
        refuse_programs(options, f"{source}: {place}")


def refuse_programs(options: Mapping[str, Any], place: str) -> None:
    """Refuse options of jobs that can run programs, or hold a line break; ``place`` names them.

    Raises
    ------
    CampaignFileError
        On the first of them.
    """
    for name, value in options.items():
        if name not in PLAIN_OPTIONS:
            raise CampaignFileError(
                f"{place}.{name} can run programs, which a campaign and a machines file that it "
                "names may not. Give a machines file with --machines, or put the lines into the "
                f"code (verdi code create). Allowed here: {', '.join(PLAIN_OPTIONS)}."
            )
        _refuse_line_break(name, value, place)


def require_single_lines(machines: MachinesFile, source: str) -> None:
    """Refuse line breaks in values that become one line of a submit script.

    Raises
    ------
    CampaignFileError
        On the first of them.
    """
    for place, options in _options(machines):
        for name, value in options.items():
            if name not in _SHELL_TEXT:
                _refuse_line_break(name, value, f"{source}: {place}")


def _refuse_line_break(name: str, value: Any, place: str) -> None:
    if any(_has_line_break(one) for one in _texts(value)):
        raise CampaignFileError(f"{place}.{name} holds a line break. Write it on one line.")


def _options(machines: MachinesFile) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in _ROLES:
        role = getattr(machines, name)
        yield f"{name}.options", role.options
        yield f"{name}.options", {"resources": role.resources}
        for number, size in enumerate(role.sizes):
            yield f"{name}.sizes[{number}].options", size.options
            yield f"{name}.sizes[{number}].options", {"resources": size.resources}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (*_texts(key), *_texts(one))
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _texts(one)


def _has_line_break(text: str) -> bool:
    return len(text.splitlines()) > 1 or any(one in text for one in "\n\r\0")
