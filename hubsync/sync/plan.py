"""What a run is about to do or has done, in the words of its JSON contract (design 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hubsync.policy.changes import PROPOSE, Cause, CreateTask, Finding, Notice, SetProperty, Superseded, WithdrawTask
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Policy
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.store.values import Write
from hubsync.sync.looking import Look

Row = dict[str, Any]
Seen = Mapping[str, tuple[str, str]]
"""Property → (value, time stamp) of the newest entry of its history when it was decided on; ("", "") for none."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One contact's part of a plan."""

    look: Look
    seen: Seen


def plan_of(look: Look) -> Planned:
    """A decision with what it was based on."""
    return Planned(look, seen_in(look.contact))


def seen_in(contact: Contact) -> dict[str, tuple[str, str]]:
    """The newest entry of each property's history that was read."""
    return {
        name: (str(entries[0].get("value") or ""), str(entries[0]["timestamp"])) if entries else ("", "")
        for name, entries in (contact.history or {}).items()
    }


def is_as_seen(planned: Planned, now: Contact) -> bool:
    """Whether nobody has written Lead status, stage or a planned property since the plan was made."""
    fresh = seen_in(now)
    names = {STATUS, STAGE, *(c.property for c in planned.look.decision.changes)}
    nothing = ("", "")
    return all(planned.seen.get(n, nothing) == fresh.get(n, nothing) for n in names)


def instant(moment: datetime) -> str:
    """A moment as JSON has it: ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cause_row(cause: Cause | None) -> Row | None:
    """A cause as JSON has it."""
    return {"kind": cause.kind, "at": instant(cause.at), "id": cause.id} if cause else None


def change_row(contact: str, change: SetProperty, state: str) -> Row:
    """A change as JSON has it; null stands for empty."""
    return {
        "contact": contact,
        "rule": change.rule,
        "playbook": change.playbook,
        "cause": cause_row(change.cause),
        "property": change.property,
        "from": change.old or None,
        "to": change.new or None,
        "state": state,
    }


def proposal_row(contact: str, finding: Finding) -> Row:
    """A proposal as JSON has it."""
    name, old, new = finding.fix or ("", "", "")
    return {
        "contact": contact,
        "rule": finding.rule,
        "playbook": finding.playbook,
        "cause": cause_row(finding.cause),
        "property": name,
        "from": old or None,
        "to": new or None,
        "state": "proposed",
    }


def task_row(contact: str, task: CreateTask, state: str) -> Row:
    """A task as JSON has it."""
    return {
        "contact": contact,
        "rule": task.rule,
        "subject": task.subject,
        "owner": task.owner,
        "due": instant(task.due),
        "state": state,
    }


def notice_row(contact: str, notice: Notice, state: str) -> Row:
    """An entry of a digest, or an alert, as JSON has it; a recipient of null is marketing ops."""
    return {
        "contact": contact,
        "rule": notice.rule,
        "playbook": notice.playbook,
        "kind": notice.kind,
        "to": notice.to,
        "recipient": notice.recipient,
        "text": notice.text,
        "state": state,
    }


def finding_row(write: Write, message: str) -> Row:
    """Something about one of hubsync's writes that somebody should look at, as JSON has it."""
    return {
        "contact": write.contact,
        "rule": write.rule,
        "playbook": write.playbook,
        "property": write.target,
        "message": message,
    }


def withdrawal_row(contact: str, withdrawal: WithdrawTask, state: str) -> Row:
    """A task to be taken back, or taken back, as JSON has it."""
    task = withdrawal.task
    return {
        "contact": contact,
        "rule": task.rule,
        "subject": task.subject,
        "owner": task.owner,
        "due": task.due or None,
        "state": state,
        "why": withdrawal.why,
    }


def superseded_row(contact: str, lost: Superseded) -> Row:
    """A cause that lost to a later one, as JSON has it."""
    return change_row(
        contact, SetProperty(lost.target, "", lost.value, lost.rule, lost.playbook, lost.cause, ""), "superseded"
    )


def braked_row(contact: str, finding: Finding) -> Row:
    """What hubsync keeps from writing so as not to fight (A18), as JSON has it."""
    return {
        "contact": contact,
        "rule": finding.rule,
        "playbook": finding.playbook,
        "property": finding.braked,
        "message": finding.message,
    }


@dataclass(slots=True)
class Tally:
    """What a run found and did, as it goes."""

    all_contacts: bool = False
    contacts: int = 0
    in_scope: int = 0
    acted: int = 0
    waiting: int = 0
    backlog: int = 0
    withdrawn: int = 0
    overridden: int = 0
    """Writes that people were found to have changed back (A18)."""
    changes: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    told: list[Row] = field(default_factory=list)
    """Entries of digests, and alerts."""
    conflicts: list[Row] = field(default_factory=list)
    held: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Contacts asked for by id that the portal does not have."""
    uncertain: int = 0
    """Tasks that HubSpot may or may not have created; a later run finds out."""

    def count(self, look: Look, policy: Policy) -> None:
        """Count one look: what it shows besides what it changes."""
        decision, contact = look.decision, look.contact.id
        self.contacts += 1
        self.waiting += decision.waiting is not None
        self.backlog += sum(f.backlog for f in decision.findings)
        self.in_scope += policy.in_scope(look.contact)
        self.changes += [
            proposal_row(contact, f) for f in decision.findings if f.kind == PROPOSE and not f.backlog and f.fix
        ]
        self.findings += [braked_row(contact, f) for f in decision.findings if f.braked and not f.backlog]
        self.conflicts += [
            {
                "contact": contact,
                "property": c.property,
                "at": instant(c.at),
                "rules": [{"rule": rule, "to": value or None} for rule, value in c.wants],
            }
            for c in decision.conflicts
        ]
        self.held += [task_row(contact, t, "held") for t in decision.held]
        self.held += [withdrawal_row(contact, w, "left") for w in decision.left]

    def changed_contacts(self) -> int:
        """How many contacts have a change that is not only proposed."""
        return len({c["contact"] for c in self.changes if c["state"] != "proposed"})

    def states(self) -> dict[str, int]:
        """How many changes ended in each state."""
        found: dict[str, int] = {}
        for row in self.changes:
            found[row["state"]] = found.get(row["state"], 0) + 1
        return found
