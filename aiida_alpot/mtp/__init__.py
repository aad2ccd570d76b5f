# SPDX-License-Identifier: MIT
"""PLACEHOLDER mtp."""
