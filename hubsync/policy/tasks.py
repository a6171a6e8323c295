"""Which tasks to create and which to take back (playbook T11), and whom to tell what (T13).

Both once per cause; of tasks at most one is open per lead, and one that a person edited is never taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Cause, CreateTask, Decision, Notice, OpenTask, Superseded, WithdrawTask
from hubsync.policy.instants import earlier
from hubsync.policy.policy import Horizon
from hubsync.policy.rules import NoticeAction, Rule, TaskAction
from hubsync.policy.view import Missing, View

REPLACED = "a newer task replaces it"
"""Why an untouched task goes where another cause brings a new one."""
TWICE = "another task of hubsync's is open for the same lead"
"""Why one goes where two leads were merged."""


class TaskDecisions:
    """The tasks of one contact, on the state that the live changes leave."""

    def __init__(self, view: View, horizon: Horizon) -> None:
        self.view = view
        self.horizon = horizon
        self.needs = 0
        self.waiting: datetime | None = None
        self.look_again: datetime | None = None
        self.created: list[CreateTask] = []
        self._wanted: list[tuple[Rule, TaskAction, Cause]] = []
        self.withdrawn: list[WithdrawTask] = []
        self.left: list[WithdrawTask] = []
        self.held: list[CreateTask] = []
        self.superseded: list[Superseded] = []
        self.notices: list[Notice] = []

    def decide(self, fired: Sequence[tuple[Rule, Cause]] = ()) -> None:
        """Fill all lists; where facts are missing, only `needs`.

        `fired` are rules whose changes are being written now and that bring tasks or notices as well.
        """
        for rule, cause in fired:
            self._create(rule, cause)
        view = self.view
        cell = view.cell()
        for residual in cell.tasks if cell is not None else ():
            truth = residual.test(view)
            if truth > 0:
                self._ask(residual.rule)
            else:
                self.needs |= -truth
        if not self.needs:
            self._withdraw()
        if not self.needs:
            self._one_at_a_time()

    def withdraw_all(self) -> Decision:
        """For a contact that is no longer managed: untouched tasks go."""
        return Decision(
            withdrawn=tuple(
                WithdrawTask(t, "the contact is no longer managed") for t in self.view.contact.open_tasks if t.untouched
            )
        )

    def _ask(self, rule: Rule) -> None:
        """What follows from a rule that holds."""
        view = self.view
        if self._unsettled(rule):
            return
        cause = rule.cause(view)
        if isinstance(cause, Missing):
            self.needs |= cause.mask
        elif cause is not None and cause.at > view.now:
            self.look_again = earlier(self.look_again, cause.at)
        elif cause is not None and not self.horizon.is_backlog(rule.id, cause.at) and not self._undone(rule, cause):
            self._create(rule, cause)

    def _undone(self, rule: Rule, cause: Cause) -> bool:
        """Whether what the rule looks at was put back since: an undo brings back the value, not the work it meant.

        A repair does bring the work: it only puts right what hubsync did to somebody's fresh choice.
        """
        if not self.view.contact.ours:
            return False
        undone = (o for o in self.view.contact.ours if o.restores and not o.repairs)
        return any(o.property in rule.watches and o.written_at > cause.at for o in undone)

    def _unsettled(self, rule: Rule) -> bool:
        """Whether what the rule looks at just changed (D7), or can't be told yet."""
        quiet = self.view.settled_at(rule.watches, rule.quiet)
        if isinstance(quiet, Missing):
            self.needs |= quiet.mask
        elif quiet is not None:
            self.waiting = earlier(self.waiting, quiet)
        return quiet is not None

    def _create(self, rule: Rule, cause: Cause) -> None:
        fired = self.view.contact.has_fired
        for task in rule.tasks:
            if not fired(ledger_key(rule.id, cause, task.template)):
                self._wanted.append((rule, task, cause))
        for notice in rule.notices:
            if not fired(ledger_key(rule.id, cause, notice.target)):
                self._notice(rule, notice, cause)

    def _task(self, rule: Rule, action: TaskAction, cause: Cause) -> CreateTask | None:
        """The task with its texts; None where facts must be read for them."""
        view, policy = self.view, self.view.policy
        subject, body = action.subject.fill(view, cause), action.body.fill(view, cause)
        if isinstance(subject, Missing) or isinstance(body, Missing):
            for text in (subject, body):
                self.needs |= text.mask if isinstance(text, Missing) else 0
            return None
        return CreateTask(
            template=action.template,
            subject=subject,
            body=body,
            owner=_owner(view, action.owner),
            due=action.due.after(cause.at, view.calendar, policy.zone),
            priority=action.priority,
            rule=rule.id,
            playbook=rule.playbook,
            cause=cause,
        )

    def _notice(self, rule: Rule, action: NoticeAction, cause: Cause) -> None:
        text = action.text.fill(self.view, cause)
        if isinstance(text, Missing):
            self.needs |= text.mask
            return
        recipient = self._recipient(action.to)
        self.notices.append(Notice(action.kind, action.to, recipient, text, rule.id, rule.playbook, cause))

    def _recipient(self, to: str) -> str | None:
        """The owner id of who is meant; None is ops, also where nobody owns the contact or manages its owner (B4)."""
        owner = self.view.properties.get("hubspot_owner_id") or None
        match to:
            case "owner":
                return owner
            case "manager":
                return self.view.policy.managers.get(owner or "")
        return None

    def _withdraw(self) -> None:
        for task in self.view.contact.open_tasks:
            rule = self.view.policy.rule(task.rule)
            if rule is None:
                continue
            still = self._still_stands(task) if rule.sets else rule.test(self.view)
            if still < 0:
                self.needs |= -still
            elif still == 0 and not self._unsettled(rule):
                why = "what it asks for is no longer needed"
                if task.untouched:
                    self.withdrawn.append(WithdrawTask(task, why))
                else:
                    self.left.append(WithdrawTask(task, f"{why}, but a person has begun or edited it"))

    def _still_stands(self, task: OpenTask) -> int:
        """A task that came with a change has its reason as long as anything of that change stands."""
        get = self.view.properties.get
        wrote = {
            o.property: o.value
            for o in sorted(self.view.contact.ours, key=lambda o: o.written_at)
            if o.rule == task.rule and not o.restores
        }
        return int(not wrote or any((get(name) or "") == value for name, value in wrote.items()))

    def _one_at_a_time(self) -> None:
        """Of several new tasks the one with the latest cause stays.

        It replaces untouched older ones; an edited one holds it back. Leads that were merged bring a task each.
        """
        if not self._wanted:
            self._one_of_the_open()
            return
        *older, last = sorted(self._wanted, key=lambda want: (want[2].at, want[0].id, want[1].template))
        newest = self._task(*last)
        if newest is None:
            return
        for rule, action, cause in older:
            self.superseded.append(Superseded(rule.id, rule.playbook, cause, action.template, "", newest.rule))
        staying = self._staying()
        if any(not t.untouched for t in staying):
            self.held = [newest]
            return
        self.created = [newest]
        self.withdrawn += [WithdrawTask(t, REPLACED) for t in staying]

    def _one_of_the_open(self) -> None:
        """An edited task stays, else the newest; untouched others go."""
        staying = sorted(self._staying(), key=lambda t: (not t.untouched, t.write_id))
        self.withdrawn += [WithdrawTask(t, TWICE) for t in staying[:-1] if t.untouched]

    def _staying(self) -> list[OpenTask]:
        going = {w.task.write_id for w in self.withdrawn}
        return [t for t in self.view.contact.open_tasks if t.write_id not in going]


def _owner(view: View, whose: str) -> str | None:
    """The owner's id a task is given to; None for nobody's."""
    if whose == "contact_owner":
        return view.properties.get("hubspot_owner_id") or None
    return view.policy.data.approver if whose == "approver" else whose
