# SPDX-License-Identifier: MIT
"""Compiled kernels of the moment tensor potential, and the index tables that they read."""
