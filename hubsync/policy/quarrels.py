"""Two writers who undo one another (policy/pingpong.py), shown as findings where no write of ours was stopped for it.

Whoever they are, somebody has to switch one of the two off: a workflow against a rep, say. Only where the history was
read for a decision anyway: nothing is read for this. Pure.
"""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.brake import at_odds
from hubsync.policy.changes import REPORT, Decision, Finding
from hubsync.policy.contact import Contact
from hubsync.policy.pingpong import SHORTEST
from hubsync.policy.policy import Policy
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS

RULE, PLAYBOOK = "ping_pong", "A18"


def quarrels(policy: Policy, contact: Contact, decision: Decision, now: datetime) -> tuple[Finding, ...]:
    """A finding for Lead status and Lifecycle stage each, naming both writers; none where `decision` has it told."""
    history = contact.history or {}
    names = [name for name in (STATUS, STAGE) if len(history.get(name, ())) >= SHORTEST]
    names = [name for name in names if all(finding.braked != name for finding in decision.findings)]
    if not names or not policy.in_scope(contact):
        return ()
    view = View(policy.of(contact), contact, now)
    return tuple(
        Finding(REPORT, RULE, PLAYBOOK, found.why, backlog=False, braked=name)
        for name in names
        if (found := at_odds(view, name)) is not None
    )
