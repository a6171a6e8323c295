"""Webhooks by the control surface: JSON in, JSON out. The portal's lock must not be held meanwhile.

POST subscribe {"url", …} and workflow {"url", …}: as `AppSender` and `WorkflowSender` take them, with "mischief" as an
     object and "retry_seconds" for the time until each retry · drain {"timeout", "hurry"} · enrol {"contact"} ·
     unsubscribe · rotate-secret
GET  webhooks (each sender with its tally) · sendings (the last requests of all senders) · lost (events, contacts)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from hubsync.sandbox.webhooks.courier import Sending
from hubsync.sandbox.webhooks.hub import Webhooks
from hubsync.sandbox.webhooks.mischief import Mischief
from hubsync.sandbox.webhooks.workflow import WorkflowSender


class Remote:
    """The control routes of a sandbox's webhooks. Handlers raise ValueError, KeyError or TypeError for wrong JSON."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self.routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("POST", "subscribe"): lambda body: webhooks.subscribe(**_how(body)).url,
            ("POST", "workflow"): lambda body: webhooks.subscribe_workflow(**_how(body)).url,
            ("POST", "drain"): lambda body: webhooks.drain(**(body or {})),
            ("POST", "enrol"): self._enrol,
            ("POST", "unsubscribe"): lambda _: webhooks.stop(),
            ("POST", "rotate-secret"): lambda _: webhooks.rotate_secret(),
            ("GET", "webhooks"): lambda _: [_shown(each) for each in webhooks.senders],
            ("GET", "sendings"): lambda _: [_sent(one) for each in webhooks.senders for one in each.sendings],
            ("GET", "lost"): lambda _: [one for each in webhooks.senders for one in each.lost],
        }

    def _enrol(self, body: Any) -> int:
        workflows = [each for each in self._webhooks.senders if isinstance(each, WorkflowSender)]
        for each in workflows:
            each.enrol(str(body["contact"]))
        return len(workflows)


def _how(body: Mapping[str, Any]) -> dict[str, Any]:
    how = dict(body)
    if "mischief" in how:
        how["mischief"] = Mischief(**how["mischief"])
    if "retry_seconds" in how:
        seconds = float(how.pop("retry_seconds"))
        how["retry_after"] = lambda _: seconds
    return how


def _shown(sender: Any) -> dict[str, Any]:
    return {"kind": type(sender).__name__, "url": sender.url, **asdict(sender.tally)}


def _sent(sending: Sending) -> dict[str, Any]:
    return {
        "number": sending.number,
        "at": sending.at,
        "method": sending.request.method,
        "url": sending.request.url,
        "items": sending.request.items,
        "attempt": sending.attempt,
        "status": sending.answer.status,
        "error": sending.answer.error,
        "ms": sending.ms,
        "again_in": sending.again_in,
    }
