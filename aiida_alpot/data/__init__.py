# SPDX-License-Identifier: MIT
"""PLACEHOLDER data."""
