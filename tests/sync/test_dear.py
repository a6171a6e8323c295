"""Dear facts as they are fetched: what each kind of read brings, and what it costs in calls (design 4)."""

from __future__ import annotations

from datetime import timedelta

from hubsync.policy.changes import OpenTask
from hubsync.policy.contact import Contact
from hubsync.policy.view import ENGAGEMENTS, MEETINGS
from hubsync.sandbox import acts
from hubsync.sync.dear import everything_dear, fetch
from tests.sync.desk import Desk, ago


def test_meetings_are_read_by_themselves_and_talk_by_itself(desk: Desk) -> None:
    lead = desk.lead("NEW")
    mail = acts.rep_sends_email(desk.portal, lead, desk.rep, at=ago(days=3))
    meeting = acts.book_meeting(desk.portal, lead, desk.rep, ago(days=1), at=ago(days=2))
    bare = Contact(lead, {})
    [met] = fetch(desk.gateway, [bare], {lead: MEETINGS}, (), ())
    [talked] = fetch(desk.gateway, [bare], {lead: ENGAGEMENTS}, (), ())
    assert ([m.id for m in met.meetings or ()], met.engagements) == ([meeting], None)
    assert ([m.id for m in talked.engagements or ()], talked.meetings) == ([mail], None)


def test_of_open_tasks_only_those_of_others_count(desk: Desk) -> None:
    lead = desk.lead("NEW")
    due = desk.clock.now() + timedelta(days=1)
    theirs = acts.create_task(desk.portal, lead, desk.rep, "Call back", due)
    ours = acts.create_task(desk.portal, lead, desk.rep, "First contact", due)
    done = acts.create_task(desk.portal, lead, desk.rep, "Done", due)
    acts.complete_task(desk.portal, done)
    mine = OpenTask(1, ours, "first_contact_task", "first_contact", "k", untouched=True)
    found = everything_dear(desk.gateway, Contact(lead, {}, open_tasks=(mine,)))
    assert [(t.id, t.at) for t in found.others_tasks or ()] == [(theirs, due)]
