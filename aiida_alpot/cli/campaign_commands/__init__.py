# SPDX-License-Identifier: MIT
"""The commands on campaigns, which live in AiiDA: one module for each verb."""
