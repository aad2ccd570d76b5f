# SPDX-License-Identifier: MIT
"""WorkChains: sampling, labelling, fitting, one turn, the loop and the campaign."""
