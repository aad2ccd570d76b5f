# SPDX-License-Identifier: MIT
"""What the file commands share: running a request, and options that take several values.

``alpot VERB --request request.json`` runs the job exactly as a computer of AiiDA does; the other
flags of a verb are for people. Options marked :class:`SeveralValues` take all words up to the next
option, as in ``--training a.xyz b.xyz``.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class SeveralValues(click.Option):
    """An option that takes every following word, until the next option or until one is refused.

    Parameters
    ----------
    accepts : callable, optional
        Whether a word can be a value; the first word that cannot is left for the arguments.
    """

    def __init__(
        self,
        declarations: Sequence[str],
        *,
        accepts: Callable[[str], bool] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(declarations, **(settings | {"multiple": True}))
        self.accepts = accepts or (lambda word: True)


class SpreadingCommand(click.Command):
    """A command that knows options of several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after spreading out options of several values."""
        return super().parse_args(ctx, self._spread(args))

    def _spread(self, args: list[str]) -> list[str]:
        """Turn ``--x a b`` into ``--x a --x b`` for options of several values."""
        several = {
            name: option
            for option in self.params
            if isinstance(option, SeveralValues)
            for name in option.opts
        }
        spread: list[str] = []
        current: tuple[str, SeveralValues] | None = None
        for word in args:
            if word.startswith("-") and len(word) > 1:
                current = (word, several[word]) if word in several else None
                spread.append(word)
            elif current is None or (spread[-1] != current[0] and not current[1].accepts(word)):
                current = None
                spread.append(word)
            else:
                spread.extend([word] if spread[-1] == current[0] else [current[0], word])
        return spread


class JobCommand(SpreadingCommand):
    """A verb of the jobs: either ``--request FILE``, or flags."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse a request alone, or the flags."""
        if any(word == "--request" or word.startswith("--request=") for word in args):
            return click.Command(self.name, params=[REQUEST]).parse_args(ctx, args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the flags and ``--request``, which help shows with them."""
        return [*super().get_params(ctx)[:-1], REQUEST, *super().get_params(ctx)[-1:]]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the request, or the function of the command."""
        request = ctx.params.pop("request", None)
        if request is None:
            return super().invoke(ctx)
        return run_request_file(self.name or "", Path(request))


REQUEST = click.Option(
    ["--request"],
    type=click.Path(path_type=Path),
    help="Run the job of this request.json, as AiiDA does; no other flags then.",
)


def run_request_file(verb: str, path: Path) -> None:
    """Run the request at ``path`` and say where the result is.

    The number of threads is set before any numerical library is loaded, because a sum over another
    number of threads may round differently.

    Raises
    ------
    SettingError
        If the request asks for another job than ``verb``.
    AlpotError
        Whatever the job raises.
    """
    from aiida_alpot.errors import AlpotError, SettingError
    from aiida_alpot.jobs.requests import RESULT_FILE, read_request
    from aiida_alpot.jobs.run import run_request

    file = path / "request.json" if path.is_dir() else path
    content = read_request(file)
    if content.get("job") != verb:
        raise SettingError(
            f"{file} asks for the job {json.dumps(content.get('job'))}, not '{verb}'. Call "
            f"'alpot {content.get('job')} --request {file}'."
        )
    set_threads(content.get("threads"))
    try:
        result = run_request(file)
    except (AlpotError, KeyboardInterrupt):
        raise
    except Exception:  # the retrieved stderr is all that there is to find a bug on another computer
        traceback.print_exc()
        raise
    click.echo(f"{verb}: done in {result['seconds']:.1f} s; see {file.parent / RESULT_FILE}")


def set_threads(threads: Any) -> None:
    """Set the number of threads of numerical libraries that are not loaded yet."""
    if isinstance(threads, int) and not isinstance(threads, bool) and threads > 0:
        for variable in _THREAD_VARIABLES:
            os.environ[variable] = str(threads)
