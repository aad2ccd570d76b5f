# SPDX-License-Identifier: MIT
"""PLACEHOLDER selection."""
