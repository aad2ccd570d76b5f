# SPDX-License-Identifier: MIT
"""Our engine inside other programs."""
