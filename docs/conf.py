# SPDX-License-Identifier: MIT
"""Sphinx settings: `make docs`."""

import aiida_alpot

project = "aiida-alpot"
author = "The aiida-alpot developers"
version = release = aiida_alpot.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
# pages link to files of the repository; tests/test_documentation.py looks after those links
suppress_warnings = ["myst.xref_missing"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
