# SPDX-License-Identifier: MIT
"""Fixtures of the tests of the engine."""

from __future__ import annotations

import pytest

from .builders import STRUCTURES


@pytest.fixture
def structure(request):
    """The structure that a test names by indirect parametrisation."""
    return STRUCTURES[request.param]()
