# SPDX-License-Identifier: MIT
"""Relaxation of thousands of structures side by side, one evaluation per step for all."""
