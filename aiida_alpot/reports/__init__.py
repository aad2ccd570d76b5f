# SPDX-License-Identifier: MIT
"""PLACEHOLDER reports."""
