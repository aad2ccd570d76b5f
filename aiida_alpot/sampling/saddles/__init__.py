# SPDX-License-Identifier: MIT
"""Searches for saddle points: from one minimum by a dimer, between two by a band."""
