# SPDX-License-Identifier: MIT
"""An example of a labeller: a small code, its CalcJob, and how its outputs become labels."""
