# SPDX-License-Identifier: MIT
"""What a campaign tells its owner: progress, outcome, provenance, tables, plots, one HTML file."""
