"""The pages in a real browser: the login, a phone and a desktop, light and dark, by keyboard, readable by everyone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from hubsync.service.status import Status
from hubsync.web.server import WebServer
from tests.browser import a_browser, faults_of
from tests.web.asking import PASSWORD, Web
from tests.web.statuses import ILL, WELL

SHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder for pictures of every page, where somebody wants to look at them."""
PHONE = ViewportSize(width=360, height=740)
DESKTOP = ViewportSize(width=1280, height=900)
CONTRAST = """
() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = text => text.match(/[0-9.]+/g).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = colour(getComputedStyle(e).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.offsetParent)
    .map(e => {
      const pair = [light(colour(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
      return [(pair[0] + 0.05) / (pair[1] + 0.05), e.tagName + " " + e.textContent.trim().slice(0, 30)];
    })
    .filter(([ratio]) => ratio < 4.5);
}
"""
INTRUSION = """
() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = 1";
  const image = document.createElement("img");
  image.src = "http://127.0.0.1:9/x.png";
  document.body.append(script, image);
}
"""


@dataclass
class Site:
    """A running web side whose status a test chooses."""

    url: str
    status: Status = WELL


@pytest.fixture(scope="module")
def browser(demanded: Callable[[str], NoReturn]) -> Iterator[Browser]:
    with a_browser() as running:
        yield running or demanded("a browser (chromium)")


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site("")
    web = Web(status=lambda: found.status, public_url=None)
    with WebServer(web.app, port=0) as server:
        found.url = server.url
        yield found


@pytest.fixture(params=["phone-light", "phone-dark", "desktop-light", "desktop-dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser's window of one size and one colour scheme, without scripts of its own."""
    size, _, scheme = request.param.partition("-")
    context = browser.new_context(
        viewport=PHONE if size == "phone" else DESKTOP, color_scheme="dark" if scheme == "dark" else "light"
    )
    yield context.new_page()
    context.close()


def log_in(page: Page, site: Site) -> None:
    page.goto(site.url)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1).wait_for()


def look(page: Page, name: str, request: pytest.FixtureRequest) -> None:
    """Nothing sticks out sideways, every text stands out from its ground; a picture for who wants one."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(CONTRAST) == []
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}-{request.node.callspec.id}.png", full_page=True)


def test_one_logs_in_reads_the_status_and_logs_out(page: Page, site: Site, request: pytest.FixtureRequest) -> None:
    faults = faults_of(page)
    page.goto(site.url)
    assert page.url == f"{site.url}/login"
    assert page.evaluate("document.activeElement.id") == "password"
    look(page, "login", request)
    log_in(page, site)
    assert page.title() == "All is well · hubsync"
    look(page, "well", request)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Password").wait_for()
    page.goto(site.url)
    assert page.url == f"{site.url}/login"
    assert faults == []


def test_a_wrong_password_is_said_beside_the_field(page: Page, site: Site, request: pytest.FixtureRequest) -> None:
    page.goto(site.url)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("alert").inner_text() == "That is not the password."
    assert page.get_by_label("Password").get_attribute("aria-describedby") == "problem"
    look(page, "wrong", request)


def test_a_page_full_of_trouble_is_readable_everywhere(page: Page, site: Site, request: pytest.FixtureRequest) -> None:
    faults = faults_of(page)
    site.status = ILL
    log_in(page, site)
    look(page, "ill", request)
    assert page.title() == "Something is wrong · hubsync"
    levels = page.eval_on_selector_all("h1, h2", "all => all.map(h => h.tagName)")
    assert levels == ["H1", *["H2"] * 7]
    regions = page.get_by_role("region").count()
    assert regions == 9
    link = page.get_by_role("link", name="4211")
    assert link.get_attribute("href") == "https://app-eu1.hubspot.com/contacts/62515/record/0-1/4211"
    assert faults == []


def test_everything_can_be_reached_by_keyboard(page: Page, site: Site) -> None:
    site.status = ILL
    log_in(page, site)
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 9)"))
    assert {"hubsync", "Log out", "Look agai", "4211"} <= set(reached)


def test_the_session_is_out_of_reach_of_scripts(page: Page, site: Site) -> None:
    log_in(page, site)
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_scripts_and_foreign_files_are_forbidden(page: Page, site: Site) -> None:
    log_in(page, site)
    faults = faults_of(page)
    page.evaluate(INTRUSION)
    assert page.evaluate("window.ran") is None
    assert sum("Content Security Policy" in fault for fault in faults) >= 2
