"""Each rule against the sandbox portal, over real HTTP: a contact of its own case gets what the case says and rests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.rule_costs import ALL_CELLS, cases_of, looks, rows
from benchmarks.sessions import NO_LIMITS, a_session
from benchmarks.staging import a_portal_of
from hubsync.policy.changes import Decision
from hubsync.policy.policy import Policy
from hubsync.rulefiles.outcomes import done
from hubsync.rulefiles.playing import Case, play
from hubsync.sync import reconcile
from hubsync.sync.scope import Scope
from tests.cases import loaded, played

RULES = [row.rule for row in rows(loaded()) if row.rule != ALL_CELLS]
NOT_BY_A_PORTAL_ALONE = {"task_seen_and_nothing_changed"}
"""Rules that need something of hubsync's own first, such as a task of its own that somebody completed."""


def outcomes(decision: Decision, policy: Policy) -> Iterator[tuple[str, str, str | None, str | None]]:
    """What is done, without what differs from portal to portal: owners, due moments, labels in texts."""
    for one in done(decision, policy):
        yield one.kind, one.about, None if one.kind in {"alert", "digest"} else one.value, one.rule


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """For each rule and cell the case that is tried."""
    return cases_of(played())


def test_every_rule_is_tried(cases: dict[str, Case]) -> None:
    assert set(RULES) - set(cases) == NOT_BY_A_PORTAL_ALONE


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_BY_A_PORTAL_ALONE])
def test_a_rule_does_in_a_portal_what_its_case_says_and_then_rests(rule: str, cases: dict[str, Case]) -> None:
    case = cases[rule]
    expected = play(case).looks[0]
    portal = a_portal_of(case, 1)
    with a_session(portal, rules=case.rules, now=portal.clock.now) as (session, store):
        (look,) = looks(session)
        wanted = sorted(map(str, outcomes(expected.decision, expected.situation.policy)))
        assert sorted(map(str, outcomes(look.decision, session.portal.policy))) == wanted
        reconcile.write(session, store, Scope(full=True), NO_LIMITS)
        portal.journal.clear()
        again = reconcile.write(session, store, Scope(full=True), NO_LIMITS).tally
        assert [row for row in (*again.changes, *again.tasks) if row["state"] not in {"proposed", "superseded"}] == []
        assert list(portal.journal.writes) == []
