# SPDX-License-Identifier: MIT
"""PLACEHOLDER workflows."""
