"""Recording what people are to be told, digest entries and alerts, once per cause. Delivery comes later."""

from __future__ import annotations

from collections.abc import Sequence

from hubsync.policy.changes import Notice
from hubsync.store.values import NewWrite, WriteKind
from hubsync.sync.looking import Look
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Row, notice_row

KINDS: dict[str, WriteKind] = {"digest": "digest", "alert": "alert"}


def record_notices(pen: Pen, looks: Sequence[Look]) -> list[Row]:
    """Record the notices of these looks; the rows of those that were not recorded before."""
    told = [(look.contact.id, notice) for look in looks for notice in look.decision.notices]
    if not told:
        return []
    with pen.lease.transaction():
        rows = [_row(contact, notice, pen.portal.policy.digest) for contact, notice in told]
        planned = pen.store.notices.record(pen.portal.id, pen.run, rows, pen.now())
    return [
        notice_row(contact, notice, "recorded")
        for (contact, notice), entry in zip(told, planned, strict=True)
        if entry.fresh
    ]


def _row(contact: str, notice: Notice, digest: str) -> NewWrite:
    cause = notice.cause
    return NewWrite(
        contact=contact,
        kind=KINDS[notice.kind],
        target=notice.target,
        after=notice.text,
        rule=notice.rule,
        playbook=notice.playbook,
        cause_key=cause.key,
        cause_kind=cause.kind,
        cause_at=cause.at,
        cause_id=cause.id,
        effective_at=cause.at,
        facts={"to": notice.to, "recipient": notice.recipient},
        rules_digest=digest,
    )
