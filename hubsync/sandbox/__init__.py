"""A faithful local HubSpot portal for demos, rule authors and tests.

It imports nothing of hubsync but its errors, so that a misreading of HubSpot can't hide on both sides.
"""

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.state import Portal, Switches

__all__ = ["Portal", "SandboxClock", "Switches"]
