# SPDX-License-Identifier: MIT
"""PLACEHOLDER cli."""
