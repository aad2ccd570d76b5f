# SPDX-License-Identifier: MIT
"""A small valid campaign that tests spoil in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import AlpotError

CAMPAIGN = """\
name: test
species: [Cu]
potential: {level: 8, cutoff: 5.0}
start:
  training:
    - {crystal: fcc, a: 3.6, cubic: true, strain: 0.01, rattle: 0.03, copies: 2}
  structures:
    bulk: {crystal: fcc, a: 3.6, cubic: true}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
grades: {gamma_select: 2, gamma_break: 10}
label: {calculator: EMT}
budget: {labels: 20}
"""


@pytest.fixture
def write_campaign(tmp_path: Path) -> Callable[..., Path]:
    """Write the campaign with replacements (old, new) and return its path."""

    def write(*replacements: tuple[str, str], added: str = "") -> Path:
        text = CAMPAIGN
        for old, new in replacements:
            assert old in text, f"{old!r} does not stand in the campaign"
            text = text.replace(old, new, 1)
        path = tmp_path / "campaign.yaml"
        path.write_text(text + added, encoding="utf-8")
        return path

    return write


@pytest.fixture
def assert_refused(write_campaign):
    """Check that one line with all the words answers what is written in place of something."""

    def check(new: str, old: str, words: list[str]) -> None:
        path = write_campaign((old, new))
        with pytest.raises(AlpotError) as caught:
            load_campaign(path)
        message = str(caught.value)
        assert "\n" not in message
        assert str(path.parent) in message  # the file itself, or one that it names
        for word in words:
            assert word in message
        assert caught.value.exit_status != 0

    return check
