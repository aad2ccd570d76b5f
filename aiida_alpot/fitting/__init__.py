# SPDX-License-Identifier: MIT
"""PLACEHOLDER fitting."""
