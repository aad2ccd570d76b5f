# SPDX-License-Identifier: MIT
"""PLACEHOLDER parsers."""
