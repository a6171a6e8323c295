"""The sandbox's webhooks: what happens in the portal is sent to a receiver, signed as HubSpot signs (hubspot-api.md 7).

`AppSender` plays an app's subscriptions, `WorkflowSender` a workflow's action, `Mischief` what goes wrong on the way.
They queue under the portal's lock and send from threads of their own, so that no route waits for a receiver.
"""

from hubsync.sandbox.webhooks.app import AppSender, as_hubspot, briskly
from hubsync.sandbox.webhooks.courier import Sending, Tally
from hubsync.sandbox.webhooks.hub import Webhooks, checked_url
from hubsync.sandbox.webhooks.mischief import Mischief
from hubsync.sandbox.webhooks.workflow import WorkflowSender, as_workflow

__all__ = [
    "AppSender",
    "Mischief",
    "Sending",
    "Tally",
    "Webhooks",
    "WorkflowSender",
    "as_hubspot",
    "as_workflow",
    "briskly",
    "checked_url",
]
