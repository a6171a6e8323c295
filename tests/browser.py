"""A real browser for tests of pages: CHROMIUM, one on the PATH, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",  # as root, in containers; it sees our own pages only
    "--disable-dev-shm-usage",
    "--disable-gpu",
]
ABORTED = "net::ERR_ABORTED"


def path_of_browser(playwright: Playwright) -> str | None:
    """The program to start; None where this machine has none."""
    if given := os.environ.get("CHROMIUM"):
        return given
    for name in NAMES:
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


@contextmanager
def a_browser() -> Iterator[Browser | None]:
    """A browser that is running; None where this machine has none.

    Keep it no longer than a module: while it runs, `asyncio.run` doesn't in the same thread.
    """
    with sync_playwright() as playwright:
        path = path_of_browser(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def faults_of(page: Any) -> list[str]:
    """Collects what the page complains of from now on: errors, and whatever its security policy forbids.

    What is cut short because one goes on to another page is no fault.
    """
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "requestfailed",
        lambda request: None if ABORTED in request.failure else faults.append(f"{request.url}: {request.failure}"),
    )
    return faults
