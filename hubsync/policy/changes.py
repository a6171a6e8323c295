"""What a decision may ask for: values to set, tasks to create or withdraw, findings to show. Plain values."""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.value import value


@value
class Cause:
    """Why a rule fires now. `key` identifies it: a cause fires once per contact, rule and target (design 1).

    `id` names the object behind it (an e-mail, a deal), None for an entry in the contact's own history.
    """

    kind: str
    at: datetime
    key: str
    id: str | None = None
    since: datetime | None = None
    """When it happened, where the rule waits a while after it (`after`) and `at` is when that time had passed."""
    whole: datetime | None = None
    """When all of that time has passed, where the rule waits for a share of it."""

    @property
    def happened(self) -> datetime:
        """When it happened, however long the rule waited."""
        return self.since or self.at

    @property
    def due(self) -> datetime:
        """When the time that the rule waits for is over, all of it."""
        return self.whole or self.at


@value
class SetProperty:
    """Set a contact property. `old` and `new` are HubSpot's internal values, "" for empty."""

    property: str
    old: str
    new: str
    rule: str
    playbook: str
    cause: Cause
    says: str


@value
class CreateTask:
    """Create a task on the contact. `owner` is an owner id, `due` the cause's moment plus the allowance (T11)."""

    template: str
    subject: str
    body: str
    owner: str | None
    due: datetime
    priority: str
    rule: str
    playbook: str
    cause: Cause


DIGEST, ALERT = "digest", "alert"
OWNER, MANAGER, OPS = "owner", "manager", "ops"


@value
class Notice:
    """Something that somebody is told once per cause: in their next digest, or at once (`kind` alert).

    `to` is whom the rule means, `recipient` that person's owner id; None, nobody known or `to` ops, is marketing ops.
    """

    kind: str
    to: str
    recipient: str | None
    text: str
    rule: str
    playbook: str
    cause: Cause

    @property
    def target(self) -> str:
        """What its cause is spent for, in the ledger."""
        return f"{self.kind}:{self.to}"


@value
class OpenTask:
    """A hubsync task on the contact that is not completed, as the ledger knows it and as HubSpot shows it now.

    `untouched` says that it was not started and that subject, body, due date and owner are as written.
    """

    write_id: int
    task_id: str
    rule: str
    template: str
    cause_key: str
    untouched: bool
    subject: str = ""
    owner: str | None = None
    due: str = ""
    """Subject, owner id and due date (ISO 8601) as written."""
    written: datetime | None = None
    """When it was created, or its cause came about, if that is later."""


@value
class CompletedTask:
    """A hubsync task that a person completed, and when: it says that they saw it, not that they agreed (A19)."""

    write_id: int
    rule: str
    template: str
    written: datetime
    at: datetime


@value
class WithdrawTask:
    """Delete an untouched task whose reason is gone (T11)."""

    task: OpenTask
    why: str


@value
class Superseded:
    """A rule that lost to a later cause (or lies before it): its cause is spent without a write."""

    rule: str
    playbook: str
    cause: Cause
    target: str
    value: str
    by: str


@value
class Conflict:
    """Two rules that want different values for one property at the same moment: shown, never written."""

    property: str
    wants: tuple[tuple[str, str], ...]
    """(rule, value) of each."""
    at: datetime


CORRECT, PROPOSE, REPORT, PORTAL = "correct", "propose", "report", "portal"


@value
class Finding:
    """Something an audit shows. `fix` is (property, from, to) in HubSpot's values; None: there is nothing to set."""

    kind: str
    rule: str
    playbook: str
    message: str
    backlog: bool
    fix: tuple[str, str, str] | None = None
    cause: Cause | None = None
    braked: str = ""
    """The property that hubsync keeps from writing so as not to fight (A18): every run names such findings."""


@value
class Decision:
    """All that follows from one contact's state at one moment.

    `changes` are to be written now; `findings` hold proposals, reports and the backlog; `waiting` is when a value that
    just changed may be judged (D7); `look_again` the earliest moment the answer changes by itself; `needs` the mask of
    dear facts that must be read before the rest can be trusted (then everything else is empty).
    """

    changes: tuple[SetProperty, ...] = ()
    tasks: tuple[CreateTask, ...] = ()
    withdrawn: tuple[WithdrawTask, ...] = ()
    findings: tuple[Finding, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    left: tuple[WithdrawTask, ...] = ()
    """Tasks whose reason is gone but that a person edited or began: they stay (T11)."""
    held: tuple[CreateTask, ...] = ()
    """Tasks that wait because an older one was edited by a person (T11)."""
    notices: tuple[Notice, ...] = ()
    """What people are told in a digest or by an alert, once per cause."""
    waiting: datetime | None = None
    look_again: datetime | None = None
    needs: int = 0

    @property
    def acts(self) -> bool:
        """Whether anything is to be written, to HubSpot or to the ledger."""
        return bool(self.changes or self.tasks or self.withdrawn or self.notices)


NOTHING = Decision()
