"""All senders of a sandbox: added while it runs, drained and stopped together."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks.app import AppSender
from hubsync.sandbox.webhooks.sender import Sender

AnySender = TypeVar("AnySender", bound=Sender)


class Webhooks:
    """The portal's senders. `secret` is the app's client secret, which signs; it may be replaced at any time."""

    def __init__(self, portal: Portal, secret: str) -> None:
        self.portal = portal
        self.secret = secret
        self.senders: list[Sender] = []

    def subscribe(self, url: str, **how: Any) -> AppSender:
        """Send the app's webhooks to `url` from now on; `how` as `AppSender` takes it."""
        return self._started(AppSender(self.portal, url, lambda: self.secret, **how))

    def drain(self, timeout: float = 10.0, *, hurry: bool = False) -> bool:
        """Wait until every sender is done; False after `timeout` seconds in all."""
        deadline = time.monotonic() + timeout
        return all(each.drain(max(0.0, deadline - time.monotonic()), hurry=hurry) for each in list(self.senders))

    def stop(self) -> None:
        """Stop every sender; those that are subscribed later run again."""
        while self.senders:
            self.senders.pop().stop()

    def _started(self, sender: AnySender) -> AnySender:
        sender.start()
        self.senders.append(sender)
        return sender
