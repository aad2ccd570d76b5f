# SPDX-License-Identifier: MIT
"""PLACEHOLDER jobs."""
