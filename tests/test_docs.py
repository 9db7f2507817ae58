"""What is written keeps its promises: every block of code runs, and every link leads somewhere."""

import re

import pytest

from tests.written import PAGES, ROOT, Reading

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WRITTEN = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "tests/MUTATIONS.md"]


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_runs(page, tmp_path, monkeypatch, no_settings):
    monkeypatch.chdir(tmp_path)
    reading = Reading(page, tmp_path)
    try:
        reading.follow()
    finally:
        reading.close()


def anchors(page):
    """What headings can be linked by, as GitHub makes it of them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text()))
    return set(plain)


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file() or "made" in there.parts, f"{name(page)}: {link}: there is no such file"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{name(page)}: {link}: there is no such heading"
