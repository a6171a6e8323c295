"""Taking back tasks whose reason is gone (playbook T11): a write like any other, in the ledger before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hubsync.policy.changes import OpenTask, WithdrawTask
from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.store.values import NewWrite, Settlement, Write
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look
from hubsync.sync.plan import Row, withdrawal_row

DELETED = "deleted"
_KEY = "withdraw:"


def withdraw(
    gateway: Gateway, store: Store, lease: PortalLease, run: int, looks: Sequence[Look], digest: str, now: datetime
) -> list[Row]:
    """Delete the untouched tasks that the decisions take back; one row for each, with what became of it."""
    gone = [(look.contact.id, w) for look in looks for w in look.decision.withdrawn]
    if not gone:
        return []
    portal = lease.portal
    with lease.transaction():
        planned = store.plan_writes(portal, run, [_new_row(contact, w, digest) for contact, w in gone])
        store.mark_sent(portal, [p.id for p in planned if p.fresh], now)
    chosen = [(p.id, contact, w) for p, (contact, w) in zip(planned, gone, strict=True) if p.fresh]
    answers = gateway.delete_tasks([w.task.task_id for _, _, w in chosen])
    results: list[Settlement] = []
    rows: list[Row] = []
    deleted: list[int] = []
    for row, contact, withdrawal in chosen:
        answer = answers.get(withdrawal.task.task_id, "no answer")
        landed = answer == DELETED
        deleted += [withdrawal.task.write_id] if landed else []
        results.append(Settlement(row, "applied" if landed else "refused", now, answer=None if landed else answer))
        rows.append(withdrawal_row(contact, withdrawal, "withdrawn" if landed else "refused"))
    with lease.transaction():
        store.settle(portal, results)
        store.close_tasks(portal, dict.fromkeys(deleted, now))
    return rows


def _new_row(contact: str, withdrawal: WithdrawTask, digest: str) -> NewWrite:
    task: OpenTask = withdrawal.task
    return NewWrite(
        contact=contact,
        rule=task.rule,
        cause_key=f"{_KEY}{task.write_id}",
        cause_kind="withdrawal",
        target=task.template,
        kind="withdraw",
        before=task.subject,
        after=None,
        facts={"task": task.task_id},
        note=withdrawal.why,
        rules_digest=digest,
    )


def settle_withdrawals(gateway: Gateway, rows: Sequence[Write], now: datetime) -> tuple[list[Settlement], list[int]]:
    """What became of withdrawals sent without an answer: done if the task is gone. Also the rows of the gone tasks."""
    if not rows:
        return [], []
    there = gateway.read_tasks([str(row.facts["task"]) for row in rows])
    return [
        Settlement(row.id, "not_applied" if str(row.facts["task"]) in there else "applied", now) for row in rows
    ], list(_tasks_gone(rows, there))


def _tasks_gone(rows: Iterable[Write], there: Iterable[str]) -> Iterable[int]:
    present = set(there)
    for row in rows:
        if str(row.facts["task"]) not in present:
            yield int(row.cause_key.removeprefix(_KEY))
