# SPDX-License-Identifier: MIT
"""Exit codes of the jobs, and which error class of a job means which.

2xx bad input, 3xx nothing usable, 4xx partial output usable, 5xx a scientific verdict. What a
job refuses or loses must not be replayed from the cache, so 2xx, 3xx and partial batches
invalidate it.
"""

from __future__ import annotations

from aiida.engine import CalcJobProcessSpec

# class of aiida_alpot.errors: (status, label)
ERROR_CLASSES: dict[str, tuple[int, str]] = {
    "SettingError": (201, "ERROR_SETTINGS"),
    "InputFileError": (202, "ERROR_INPUT_FILE"),
    "SpeciesError": (203, "ERROR_SPECIES"),
    "GeometryError": (204, "ERROR_GEOMETRY"),
    "LabelError": (205, "ERROR_LABELS"),
    "LevelOfTheoryError": (206, "ERROR_LEVEL_OF_THEORY"),
    "EmptyDataError": (207, "ERROR_EMPTY_DATA"),
    "ActiveSetError": (208, "ERROR_ACTIVE_SET"),
    "BudgetError": (209, "ERROR_BUDGET"),
    "CampaignFileError": (210, "ERROR_CAMPAIGN_FILE"),
    "ServiceError": (211, "ERROR_SERVICE"),
}

NOTHING_USABLE: dict[str, tuple[int, str]] = {
    "ERROR_NO_RESULT": (301, "the job left no result.json; its last words: {message}"),
    "ERROR_RESULT_UNREADABLE": (302, "result.json is not the result of a job: {message}"),
    "ERROR_UNKNOWN_SCHEMA": (303, "result.json has schema {message}"),
    "ERROR_MISSING_OUTPUT": (304, "the job finished without its file {message}"),
    "ERROR_UNREADABLE_OUTPUT": (305, "a file of the job cannot be used: {message}"),
    "ERROR_UNEXPECTED": (306, "the job failed: {message}"),
    "ERROR_UNFINISHED": (320, "the job ended before it was through; its checkpoint goes on"),
}

# codes that AiiDA gives for what the scheduler reports: no parser may replace them
SCHEDULER_STATUSES = (110, 120, 140)
UNFINISHED = NOTHING_USABLE["ERROR_UNFINISHED"][0]
# no result, or files that are damaged or missing: the job did not end by itself
STATUSES_OF_LOSS = (301, 302, 304, 305)


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Give a CalcJob the exit codes of all jobs."""
    for status, label in ERROR_CLASSES.values():
        spec.exit_code(status, label, message="{message}", invalidates_cache=True)
    for label, (status, message) in NOTHING_USABLE.items():
        spec.exit_code(status, label, message=message, invalidates_cache=True)
