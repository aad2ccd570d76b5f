# SPDX-License-Identifier: MIT
"""PLACEHOLDER testing."""
