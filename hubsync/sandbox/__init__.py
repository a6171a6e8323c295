"""A faithful local HubSpot portal for demos, rule authors and tests.

It imports nothing of hubsync but its errors, so that a misreading of HubSpot can't hide on both sides.
`Portal` is the portal in memory, `acts` the people in it, `Sandbox` serves it over HTTP
and sends its webhooks, `Mischief` and `Fault` make both go wrong.
"""

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.http.faults import Fault
from hubsync.sandbox.server import Sandbox
from hubsync.sandbox.state import Portal, Switches
from hubsync.sandbox.webhooks import Mischief

__all__ = ["Fault", "Mischief", "Portal", "Sandbox", "SandboxClock", "Switches"]
