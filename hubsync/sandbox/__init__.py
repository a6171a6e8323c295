"""A faithful local HubSpot portal for demos, rule authors and tests.

It imports nothing of hubsync but its errors, so that a misreading of HubSpot can't hide on both sides.
`Portal` is the portal in memory, `acts` the people in it, `Sandbox` serves it over HTTP.
"""

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.http.faults import Fault
from hubsync.sandbox.server import Sandbox
from hubsync.sandbox.state import Portal, Switches

__all__ = ["Fault", "Portal", "Sandbox", "SandboxClock", "Switches"]
