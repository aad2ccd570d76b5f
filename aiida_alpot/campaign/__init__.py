# SPDX-License-Identifier: MIT
"""PLACEHOLDER campaign."""
