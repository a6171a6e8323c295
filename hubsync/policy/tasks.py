"""Which tasks to create and which to take back (playbook T11): once per cause, at most one open per lead, never an edited one."""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Cause, CreateTask, Decision, WithdrawTask
from hubsync.policy.policy import Horizon
from hubsync.policy.rules import Residual, Rule, TaskAction
from hubsync.policy.view import Missing, View


class TaskDecisions:
    """The tasks of one contact, on the state that the live changes leave."""

    def __init__(self, view: View, horizon: Horizon) -> None:
        self.view = view
        self.horizon = horizon
        self.needs = 0
        self.waiting: datetime | None = None
        self.look_again: datetime | None = None
        self.created: list[CreateTask] = []
        self.withdrawn: list[WithdrawTask] = []
        self.held: list[CreateTask] = []

    def decide(self) -> None:
        """Fill `created`, `withdrawn` and `held`; where facts are missing, only `needs`."""
        cell = self.view.policy.cells.get((self.view.status, self.view.stage))
        for residual in cell.tasks if cell is not None else ():
            self._ask(residual)
        if self.needs:
            return
        self._withdraw()
        self._one_at_a_time()

    def withdraw_all(self) -> Decision:
        """For a contact that is no longer managed: untouched tasks go."""
        return Decision(
            withdrawn=tuple(
                WithdrawTask(t, "the contact is no longer managed") for t in self.view.contact.open_tasks if t.untouched
            )
        )

    def _ask(self, residual: Residual) -> None:
        view, rule = self.view, residual.rule
        truth = residual.test(view)
        if truth < 0:
            self.needs |= -truth
            return
        if residual.timed:
            flip = residual.flip(view)
            self.look_again = min(filter(None, (self.look_again, flip)), default=None)
        if truth == 0:
            return
        cause = rule.cause(view)
        quiet = view.settled_at(rule.watches, rule.quiet)
        for answer in (cause, quiet):
            if isinstance(answer, Missing):
                self.needs |= answer.mask
                return
        if isinstance(quiet, datetime):
            self.waiting = min(filter(None, (self.waiting, quiet)))
            return
        if not isinstance(cause, Cause) or self.horizon.is_backlog(rule.id, cause.at):
            return
        for action in rule.tasks:
            if ledger_key(rule.id, cause, action.template) not in view.contact.spent:
                self.created.append(self._task(rule, action, cause))

    def _task(self, rule: Rule, action: TaskAction, cause: Cause) -> CreateTask:
        view, policy = self.view, self.view.policy
        words = {
            "status": policy.statuses.label(policy.statuses.key(view.status)),
            "stage": policy.stages.label(policy.stages.key(view.stage)),
            "day": cause.at.astimezone(policy.zone).strftime("%-d %B"),
        }
        return CreateTask(
            template=action.template,
            subject=_fill(action.subject, words),
            body=_fill(action.body, words),
            owner=view.properties.get("hubspot_owner_id") or None,
            due=action.due.after(cause.at, policy.calendar, policy.zone),
            priority=action.priority,
            rule=rule.id,
            playbook=rule.playbook,
            cause=cause,
        )

    def _withdraw(self) -> None:
        for task in self.view.contact.open_tasks:
            rule = self.view.policy.rule(task.rule)
            if rule is None or not task.untouched:
                continue
            truth = rule.test(self.view)
            if truth < 0:
                self.needs |= -truth
            elif truth == 0:
                self.withdrawn.append(WithdrawTask(task, "what it asks for is no longer needed"))

    def _one_at_a_time(self) -> None:
        """A new task replaces an untouched older one; an edited one holds the new one back."""
        if not self.created:
            return
        going = {w.task.write_id for w in self.withdrawn}
        for task in self.view.contact.open_tasks:
            if task.write_id in going:
                continue
            if not task.untouched:
                self.held, self.created = self.created, []
                return
            self.withdrawn.append(WithdrawTask(task, "a newer task replaces it"))


def _fill(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text
