# SPDX-License-Identifier: MIT
"""Parsers: results of jobs become nodes and exit codes."""

from aiida_alpot.parsers.job import JobParser
from aiida_alpot.parsers.label import LabelParser

__all__ = ["JobParser", "LabelParser"]
