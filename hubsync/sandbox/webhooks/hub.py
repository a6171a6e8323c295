"""All senders of a sandbox: added while it runs, drained and stopped together."""

from __future__ import annotations

import time
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks.app import AppSender
from hubsync.sandbox.webhooks.sender import Sender
from hubsync.sandbox.webhooks.workflow import WorkflowSender

AnySender = TypeVar("AnySender", bound=Sender)


class Webhooks:
    """The portal's senders. `secret` is the app's client secret, which signs every request."""

    def __init__(self, portal: Portal, secret: str) -> None:
        self.portal = portal
        self.secret = secret
        self.senders: list[Sender] = []

    def subscribe(self, url: str, **how: Any) -> AppSender:
        """Send the app's webhooks to `url` from now on; `how` as `AppSender` takes it. Raises ValueError."""
        return self._started(AppSender(self.portal, checked_url(url), lambda: self.secret, **how))

    def subscribe_workflow(self, url: str, **how: Any) -> WorkflowSender:
        """Send contacts through a workflow's webhook from now on; `how` as `WorkflowSender` takes it.

        Raises ValueError.
        """
        return self._started(WorkflowSender(self.portal, checked_url(url), lambda: self.secret, **how))

    def rotate_secret(self) -> str:
        """A new client secret: it signs from now on."""
        self.secret += "-r"
        return self.secret

    def drain(self, timeout: float = 10.0, *, hurry: bool = False) -> bool:
        """Wait until every sender is done; False after `timeout` seconds in all."""
        deadline = time.monotonic() + timeout
        done = [each.drain(max(0.0, deadline - time.monotonic()), hurry=hurry) for each in list(self.senders)]
        return all(done)

    def stop(self) -> None:
        """Stop and forget every sender."""
        while self.senders:
            self.senders.pop().stop()

    def _started(self, sender: AnySender) -> AnySender:
        sender.start()
        self.senders.append(sender)
        return sender


def checked_url(url: str) -> str:
    """The receiver's address. Raises ValueError for what can't be called."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError(f"webhooks go to a full address such as http://127.0.0.1:8000/webhooks/hubspot, not {url!r}")
    return url
