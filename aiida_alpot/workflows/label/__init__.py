# SPDX-License-Identifier: MIT
"""WorkChains that label: what they share, and one for each kind of calculator."""
