# SPDX-License-Identifier: MIT
"""What the documents say of files holds: each link leads to one, and each page can be found."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith((".", "_")) for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def links_of(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [target for target, _ in LINK.findall(text) if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_to_a_file_leads_to_one(page):
    missing = [target for target in links_of(page) if not (page.parent / target).exists()]
    assert missing == []


def test_each_page_of_the_documentation_stands_in_its_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = set(index.partition("```{toctree}")[2].partition("```")[0].split())
    pages = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for path in PAGES
        if path.is_relative_to(ROOT / "docs")
    }
    assert pages - {"index"} <= listed
