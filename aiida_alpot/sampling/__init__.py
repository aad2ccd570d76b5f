# SPDX-License-Identifier: MIT
"""PLACEHOLDER sampling."""
