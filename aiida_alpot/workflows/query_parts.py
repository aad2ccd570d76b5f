# SPDX-License-Identifier: MIT
"""Nodes asked for by their PKs, so many at a time that a database takes them in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterator

AT_A_TIME = 5000
"""SQLite takes 32766 values in one query, PostgreSQL 65535."""


def in_parts(pks: Collection[int]) -> Iterator[list[int]]:
    """Yield all PKs, each once, in lists that fit into a filter of one query."""
    chosen = list(pks)
    for first in range(0, len(chosen), AT_A_TIME):
        yield chosen[first : first + AT_A_TIME]
