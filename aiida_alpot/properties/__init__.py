# SPDX-License-Identifier: MIT
"""PLACEHOLDER properties."""
