# SPDX-License-Identifier: MIT
"""Questions of a command: answered by options, by the environment, or by whoever sits there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import click

from aiida_alpot.errors import SettingError


@dataclass(frozen=True)
class Questions:
    """Asks for what no option has answered.

    Parameters
    ----------
    asks : bool
        Whether somebody can be asked; else defaults are taken, and what has none is an error.
    """

    asks: bool

    def answer(
        self, given: Any, option: str, text: str, *, default: Any = None, kind: Any = str
    ) -> Any:
        """Return what was given, or what is answered now.

        Parameters
        ----------
        given : object
            Value of the option, None where it was not used.
        option : str
            The option, for the message.
        text : str
            The question.
        default : object, optional
            Answer if nothing is typed; empty text where nothing is an answer.
        kind : type
            Type of the answer.

        Raises
        ------
        SettingError
            If nobody can be asked and there is no default.
        """
        if given is not None:
            return given
        if self.asks:
            shown = default not in (None, "")
            return click.prompt(text, default=default, type=kind, show_default=shown)
        if default is None:
            raise SettingError(f"{text}: give {option}, or leave out --no-questions.")
        return default

    def secret(self, variable: str, text: str) -> str:
        """Return a password, from a variable of the environment or typed in without an echo.

        It is no option, since all users of a computer see the options of a command.

        Raises
        ------
        SettingError
            If the variable is not set and nobody can be asked.
        """
        given = os.environ.get(variable)
        if given:
            return given
        if not self.asks:
            raise SettingError(f"{text}: set the environment variable {variable}.")
        return str(click.prompt(text, hide_input=True))
