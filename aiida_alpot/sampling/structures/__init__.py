# SPDX-License-Identifier: MIT
"""Structures that are made: random, derived from others, displaced as phonons displace them."""
