# SPDX-License-Identifier: MIT
"""Searches over many minima: evolution of a population, exchanges on a lattice."""
