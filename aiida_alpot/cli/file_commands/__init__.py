# SPDX-License-Identifier: MIT
"""The commands on files, which need no AiiDA: one module for each verb."""
