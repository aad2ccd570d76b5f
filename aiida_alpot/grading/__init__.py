# SPDX-License-Identifier: MIT
"""PLACEHOLDER grading."""
