# SPDX-License-Identifier: MIT
"""Exceptions of the package: one class for each remedy.

Every message names the value that is wrong and says what to do about it. The command line prints
the message alone and exits with :attr:`AlpotError.exit_status`; the parsers of jobs map the class
name to an exit code of the AiiDA process.
"""

from __future__ import annotations


class AlpotError(Exception):
    """Base of all errors that the user can mend; never raised itself."""

    exit_status = 1


class InputFileError(AlpotError):
    """A file is missing, unreadable, truncated or of the wrong format. Remedy: another file."""

    exit_status = 2


class CampaignFileError(AlpotError):
    """A campaign or machines file has a wrong key or value. Remedy: edit the line that is named."""

    exit_status = 2


class SettingError(AlpotError):
    """An argument of a command or of a request is out of range. Remedy: change that argument."""

    exit_status = 2


class SpeciesError(AlpotError):
    """A species is not known to the potential or to the labels. Remedy: retrain or filter."""

    exit_status = 3


class GeometryError(AlpotError):
    """Positions or cell are not usable (NaN, overlap, no volume). Remedy: repair them."""

    exit_status = 3


class LabelError(AlpotError):
    """Labels are absent, incomplete or not finite. Remedy: label again or leave the frame out."""

    exit_status = 3


class LevelOfTheoryError(AlpotError):
    """Labels of two levels of theory meet in one data set. Remedy: keep them in two data sets."""

    exit_status = 3


class EmptyDataError(AlpotError):
    """A data set holds nothing. Remedy: give at least one configuration."""

    exit_status = 3


class ActiveSetError(AlpotError):
    """An active set does not belong to the potential. Remedy: build it again."""

    exit_status = 3


class BudgetError(AlpotError):
    """A budget is too small for what is asked. Remedy: raise the budget or change the mode."""

    exit_status = 4


class ServiceError(AlpotError):
    """A profile, code, computer or daemon is not there. Remedy: the command in the message."""

    exit_status = 5
