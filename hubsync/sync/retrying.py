"""When to try again what HubSpot would not take: soon at first, then ever later, at last once a week.

Most refusals pass only once somebody does something (an option comes back, a validation rule goes). How often a cause
was refused stands in the ledger. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import Decision
from hubsync.store.values import Write
from hubsync.sync.book import key_of

WAITS = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(weeks=1))
"""After the first refusal, the second, the third, and every further one."""


def back_off(refusals: int) -> timedelta:
    """How long to wait after so many refusals of the same; where HubSpot gave no answer at all, as after the first."""
    return WAITS[min(max(refusals, 1), len(WAITS)) - 1]


def refusals(rows: Iterable[Write], keys: Collection[str]) -> int:
    """How often HubSpot said no to what has been refused most often of `keys` (ledger keys)."""
    counts = Counter(key_of(row) for row in rows if is_refusal(row))
    return max((counts[key] for key in keys), default=0)


def is_refusal(row: Write) -> bool:
    """Whether HubSpot said no, or kept another value; not where nothing was sent or history had to tell (`note`)."""
    return row.state == "refused" or (row.state == "not_applied" and bool(row.answer) and not row.note)


def is_unanswered(row: Write) -> bool:
    """Whether it did not land and HubSpot never said why: history had to tell (`note`)."""
    return row.state == "not_applied" and bool(row.note)


def keys_of(decision: Decision) -> frozenset[str]:
    """The ledger keys of all that a decision would write."""
    return frozenset(
        [
            *(ledger_key(c.rule, c.cause, c.property) for c in decision.changes),
            *(ledger_key(t.rule, t.cause, t.template) for t in decision.tasks),
        ]
    )
