"""B1: from the first write on causes count; what is older is backlog, shown and never written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hubsync.policy.changes import CORRECT
from hubsync.sandbox import acts
from hubsync.sync.audit import Audited, run_audit
from hubsync.sync.backlog import Categories
from hubsync.sync.book import Book
from hubsync.sync.looking import Looker
from hubsync.sync.scope import Scope, horizon_for
from hubsync.sync.spool import Spool
from tests.sync.desk import MQL, NOW, SQL, STATUS, Desk, acted, ago, states


def findings(desk: Desk, contact: str) -> list[tuple[str, str, bool]]:
    """(rule, kind, backlog) of what an audit shows of a contact."""
    session = desk.session()
    bound, now = session.portal, session.portal_now()
    horizon = horizon_for(desk.store, bound, desk.effective_since, now)
    book = Book(desk.store, bound.id, None, now=now)
    looker = Looker(desk.gateway, bound.policy, horizon, session.portal_now, book, tasks=False)
    categories = Categories(bound.policy, desk.loaded.files.portal.backlog)
    with Spool[Audited]() as spool:
        run_audit(bound, looker.over(desk.gateway.all_contacts(bound.policy.properties)), categories, spool, now)
        return [
            (item.finding.rule, item.finding.kind, item.finding.backlog) for item in spool if item.contact == contact
        ]


def test_the_first_write_writes_nothing_old_and_says_from_when_causes_count(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(hours=1))
    plan = desk.plan()
    assert (plan.since, plan.tally.changes, plan.tally.backlog) == (None, [], 1)
    assert desk.store.effective_since(desk.portal.portal_id) is None
    first = desk.sync()
    assert (acted(first), first.tally.backlog) == ([], 1)
    assert desk.store.effective_since(desk.portal.portal_id) == NOW
    assert desk.written() == []


def test_an_act_after_the_first_write_fires_and_the_old_ones_stay_backlog(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    old, fresh = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    desk.sets(old, STATUS, "QUALIFIED", at=ago(hours=1))
    desk.sync()
    desk.later(hours=1)
    desk.sets(fresh, STATUS, "QUALIFIED")
    desk.later(hours=1)
    assert states(desk.sync()) == [("qualified_moves_the_stage", SQL, "applied")]
    assert (desk.stage(old), desk.stage(fresh)) == ("lead", SQL)
    assert findings(desk, old) == [("qualified_moves_the_stage", CORRECT, True)]
    assert findings(desk, fresh) == []


def test_the_audit_marks_what_sync_would_do_and_what_is_backlog(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=ago(days=1))
    old, fresh = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    desk.sets(old, STATUS, "QUALIFIED", at=ago(days=2))
    desk.sets(fresh, STATUS, "QUALIFIED", at=ago(hours=2))
    assert findings(desk, old) == [("qualified_moves_the_stage", CORRECT, True)]
    assert findings(desk, fresh) == [("qualified_moves_the_stage", CORRECT, False)]


def test_the_setting_outranks_what_the_first_write_stamped(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    contact = desk.lead("CONNECTED")
    desk.sets(contact, STATUS, "QUALIFIED", at=ago(days=3))
    desk.sync()
    desk.effective_since = ago(days=5)
    desk.sync()
    assert desk.stage(contact) == SQL


def test_a_rule_that_was_not_there_at_the_first_write_counts_from_when_it_was(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    bound = desk.bound()
    desk.store.remember_portal(bound.id, at=ago(days=30))
    desk.store.set_effective_since(bound.id, ago(days=30))
    others = [r.id for r in bound.policy.rules if r.id != "qualified_moves_the_stage" and not r.matrix]
    desk.store.activate_rules(bound.id, others, ago(days=30))
    qualified, outreach = desk.lead("CONNECTED"), desk.lead("NEW")
    desk.sets(qualified, STATUS, "QUALIFIED", at=ago(days=1))
    acts.rep_sends_email(desk.portal, outreach, desk.rep, at=ago(days=1))
    desk.sync()
    assert desk.stage(qualified) == "lead"
    assert desk.status(outreach) == "ATTEMPTED_TO_CONTACT"


def test_after_more_than_a_week_without_a_look_older_causes_are_backlog(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    long_ago, lately = desk.lead("CONNECTED"), desk.lead("CONNECTED")
    desk.sync(scope=Scope())
    desk.later(days=10)
    desk.sets(long_ago, STATUS, "QUALIFIED")
    desk.later(days=10)
    desk.sets(lately, STATUS, "QUALIFIED")
    desk.later(days=1)
    desk.sync(scope=Scope())
    assert (desk.stage(long_ago), desk.stage(lately)) == ("lead", SQL)


def test_what_an_outage_left_as_backlog_stays_so_at_every_later_run(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    long_ago = desk.lead("CONNECTED")
    desk.sync(scope=Scope())
    desk.later(days=10)
    desk.sets(long_ago, STATUS, "QUALIFIED")
    desk.later(days=10)
    first = desk.sync()
    assert (acted(first), first.tally.backlog) == ([], 1)
    desk.later(hours=1)
    second = desk.sync()
    assert (acted(second), second.tally.backlog, second.since) == ([], 1, first.since)
    assert desk.stage(long_ago) == "lead"
    assert findings(desk, long_ago) == [("qualified_moves_the_stage", CORRECT, True)]


def test_no_task_is_written_for_a_lead_that_was_new_before_the_first_write(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    contact = desk.lead("NEW", at=ago(hours=2))
    desk.sync()
    assert desk.tasks(contact) == []


def test_an_mql_of_years_ago_is_never_made_new(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(effective_since=None)
    contact = desk.lead("", MQL, at=NOW - timedelta(days=3 * 365))
    desk.sync()
    desk.later(days=400)
    acts.person_sets(desk.portal, contact, "firstname", "Ada")
    desk.later(days=1)
    desk.sync()
    assert desk.status(contact) is None
    assert desk.stage(contact) == MQL
