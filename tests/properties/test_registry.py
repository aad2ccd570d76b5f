# SPDX-License-Identifier: MIT
"""Every property is known by name and documents its settings."""

import dataclasses

import pytest

from aiida_alpot.properties import PROPERTIES


@pytest.mark.parametrize("kind", PROPERTIES)
def test_every_setting_has_a_default_and_a_help_text(kind):
    _, settings_class = PROPERTIES[kind]
    settings_class()
    for field in dataclasses.fields(settings_class):
        assert len(field.metadata["help"]) > 9, field.name
