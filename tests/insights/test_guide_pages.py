"""The guide in a browser: readable on a telephone and on a desk, in every language, with nothing to fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NoReturn, get_args

import pytest
from playwright.sync_api import Browser

from hubsync.insights.guide import write_guide
from hubsync.insights.guide_pages import as_html
from hubsync.policy.spec import Language
from hubsync.rulefiles.load import load_rules
from tests.browser import a_browser, faults_of

RULES = Path(__file__).parents[2] / "rules"
SIZES = {"telephone": (360, 740), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def browser(demanded: Callable[[str], NoReturn]) -> Iterator[Browser]:
    with a_browser() as found:
        if found is None:
            demanded("a browser (set CHROMIUM, or install chromium)")
        yield found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", get_args(Language))
def test_the_guide_fits_the_screen_and_every_link_leads_to_its_status(
    browser: Browser, tmp_path: Path, language: Language, size: str
) -> None:
    written = write_guide(load_rules(RULES), language, date(2026, 3, 3))
    path = tmp_path / "guide.html"
    path.write_text(as_html(written), encoding="utf-8")
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    faults = faults_of(page)
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.hash)?.id)") == [
        entry.key for entry in written.entries
    ]
    assert page.locator("h1").count() == 1
    assert faults == []
    page.close()
