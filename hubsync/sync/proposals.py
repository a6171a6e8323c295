"""Proposals on the record (playbook A19): what a rule would set, for a person to accept or decline.

`hubsync_proposal` holds the text of one proposal, the most recent that stands. It is accepted by setting the value
oneself, or by `hubsync_proposal_answer`; either way, and when it no longer holds, the text goes. Only decisions change
here: what is written goes through the ledger like any other change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import PROPOSE, Cause, Decision, Finding, SetProperty, Superseded
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy
from hubsync.policy.sentences import NONE
from hubsync.policy.view import View
from hubsync.policy.vocabulary import ANSWER, PROPOSAL, STAGE, STATUS

RULE, PLAYBOOK = "proposals", "A19"
"""Whose writes the clearing of a text and of an answer are, in the ledger."""
ACCEPT, DECLINE = "accept", "decline"
OWN = frozenset({PROPOSAL, ANSWER})


def is_told(change: SetProperty, state: str) -> bool:
    """Whether a run lists the change: what is written for a proposal isn't listed beside it, unless it failed."""
    return change.property not in OWN or state not in {"planned", "applied"}


class Proposals:
    """Adds to a decision what becomes of the proposals on the contact. `has` are the portal's contact properties."""

    def __init__(self, policy: Policy, has: frozenset[str], now: Callable[[], datetime]) -> None:
        self.policy = policy
        self.shows = PROPOSAL in has
        self.asks = ANSWER in has
        self.now = now

    def __call__(self, contact: Contact, decision: Decision) -> Decision:
        """The decision with proposals written, answered and cleared; as it is where something still settles."""
        shown, answer = contact.properties.get(PROPOSAL) or "", contact.properties.get(ANSWER) or ""
        if not self.shows or decision.waiting is not None:
            return decision
        proposal = _foremost(decision)
        if proposal is None:
            managed = (shown or answer) and self.policy.managed(View(self.policy, contact, self.now())) > 0
            return _with(decision, self._cleared(contact)) if managed else decision
        text = self._text(proposal)
        if shown == text and answer == ACCEPT:
            return _with(decision, [_accepted(proposal), *self._cleared(contact)])
        if shown == text and answer == DECLINE:
            after = _with(decision, self._cleared(contact))
            return replace(after, superseded=(*after.superseded, _declined(proposal)))
        changes = [c for c in self._cleared(contact) if c.property == ANSWER]
        if shown != text:
            changes += self._written(contact, proposal, shown, text)
        return _with(decision, changes)

    def _text(self, proposal: Finding) -> str:
        name, old, new = proposal.fix or ("", "", "")
        words = {STATUS: self.policy.statuses, STAGE: self.policy.stages}.get(name)
        none = self.policy.say(NONE)
        before = (words.label(words.key(old)) if words is not None else old) if old else none
        after = (words.label(words.key(new)) if words is not None else new) if new else none
        return f"{before} → {after}: {proposal.message} ({proposal.rule}, {proposal.playbook})"

    def _written(self, contact: Contact, proposal: Finding, shown: str, text: str) -> list[SetProperty]:
        """The text, once for a cause."""
        if proposal.cause is None:
            return []
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        cause = replace(proposal.cause, key=f"proposal:{mark}:{proposal.cause.key}")
        if contact.has_fired(ledger_key(proposal.rule, cause, PROPOSAL)):
            return []
        return [SetProperty(PROPOSAL, shown, text, proposal.rule, proposal.playbook, cause, proposal.message)]

    def _cleared(self, contact: Contact) -> list[SetProperty]:
        """What takes text and answer off the record, as far as they are there."""
        found = []
        for name in (PROPOSAL, ANSWER):
            value = contact.properties.get(name)
            if value:
                entries = (contact.history or {}).get(name) or ()
                stamp = str(entries[0]["timestamp"]) if entries else ""
                cause = Cause("proposal", self.now(), f"closed:{stamp}")
                found.append(SetProperty(name, value, "", RULE, PLAYBOOK, cause, "The proposal is settled."))
        return found


def _foremost(decision: Decision) -> Finding | None:
    """The proposal to show: about the Lead status before anything else, then the one with the latest cause."""
    written = {change.property for change in decision.changes}
    standing = [
        f
        for f in decision.findings
        if f.kind == PROPOSE and f.fix is not None and f.cause is not None and not f.backlog and f.fix[0] not in written
    ]
    return max(standing, key=_order, default=None)


def _order(finding: Finding) -> tuple[bool, float, str]:
    about_status = finding.fix is not None and finding.fix[0] == STATUS
    return about_status, finding.cause.at.timestamp() if finding.cause else 0.0, finding.rule


def _with(decision: Decision, changes: list[SetProperty]) -> Decision:
    return replace(decision, changes=(*decision.changes, *changes)) if changes else decision


def _accepted(proposal: Finding) -> SetProperty:
    if proposal.fix is None or proposal.cause is None:
        raise TypeError("a proposal without a value or a cause can't be accepted")
    name, old, new = proposal.fix
    return SetProperty(name, old, new, proposal.rule, proposal.playbook, proposal.cause, proposal.message)


def _declined(proposal: Finding) -> Superseded:
    if proposal.fix is None or proposal.cause is None:
        raise TypeError("a proposal without a value or a cause can't be declined")
    name, _, new = proposal.fix
    return Superseded(proposal.rule, proposal.playbook, proposal.cause, name, new, "a person who declined")
