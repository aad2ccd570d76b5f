# SPDX-License-Identifier: MIT
"""Turn the errors of the label driver, which stands alone, into those of the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiida_alpot import errors
from aiida_alpot.jobs.label_driver import DriverError


@contextmanager
def alpot_errors() -> Iterator[None]:
    """Raise the error of the same name in :mod:`aiida_alpot.errors` for one of the driver."""
    try:
        yield
    except DriverError as error:
        own: type[errors.AlpotError] = getattr(errors, type(error).__name__)
        raise own(str(error)) from error
