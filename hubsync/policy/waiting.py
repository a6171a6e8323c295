"""Rules that wait a while after their cause (`after:`): when they fall due, and what their cause's moment then is.

The falling due is what happens to such a rule: backlog (B1), freshness and "the latest cause wins" judge that moment,
while the cause keeps its key, so that it still fires once.
"""

from __future__ import annotations

from dataclasses import replace

from hubsync.policy.causes import Source
from hubsync.policy.changes import Cause
from hubsync.policy.conditions import Condition
from hubsync.policy.facts import FACTS, MOMENT, Fact
from hubsync.policy.time_conditions import passed
from hubsync.policy.view import HISTORY, Missing, View
from hubsync.policy.worktime import Duration


def waited(source: Source, wait: Duration) -> Source:
    """The same cause, so much later; what happened in truth stays in `since`."""

    whole = None if wait.share == 100 else replace(wait, share=100)

    def cause(view: View) -> Cause | Missing | None:
        found = source(view)
        if found is None or isinstance(found, Missing):
            return found
        calendar, zone = view.calendar, view.policy.zone
        over = None if whole is None else whole.after(found.at, calendar, zone)
        return Cause(found.kind, wait.after(found.at, calendar, zone), found.key, found.id, found.at, over)

    return cause


def overdue(name: str, source: Source, wait: Duration) -> Condition:
    """The condition that so much time has passed since the cause of this name; it turns true by itself.

    Where a fact of that name is a moment, it is that of the cause, and costs less to ask.
    """
    known = FACTS.get(name)
    if known is not None and known.kind == MOMENT:
        return passed(known, wait)

    def happened(view: View) -> object:
        found = source(view)
        return found if found is None or isinstance(found, Missing) else found.at

    return passed(Fact(name, happened, MOMENT, HISTORY, "when the cause came about"), wait)
