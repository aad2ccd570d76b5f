# SPDX-License-Identifier: MIT
"""PLACEHOLDER calculations."""
