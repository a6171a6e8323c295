"""HubSpot's own habits answer hubsync's writes: a deal makes an opportunity, a deal won a customer, ever forward."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.checks import EVER
from hubsync.proving.course import Course, answer, follow
from hubsync.proving.ground import Ground
from hubsync.proving.options import LONG_AGO, NOW, act
from hubsync.proving.starts import APART
from hubsync.rulefiles.load import load_rules
from hubsync.rulefiles.situations import Situation, build
from hubsync.settings import default_rules
from tests.proving.minis import mini

OPPORTUNITY = "of HubSpot's own (a deal makes an opportunity)"
CUSTOMER = "of HubSpot's own (a deal won makes a customer)"


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.of(load_rules(default_rules()))


def situation(ground: Ground, status: str, stage: str, deal: str, **words: str) -> Situation:
    """A managed contact with a deal of two hours ago, its stage entered an hour ago."""
    stated = {**ground.managed, "owner": "11", "createdate": LONG_AGO.isoformat(), "lead_status": status}
    acts = [
        act(deal, {"id": "1"}, NOW - 2 * APART),
        act("set", {"lifecycle_stage": stage}, NOW - APART, "automation"),
    ]
    return build(ground.policy, NOW, {**stated, "lifecycle_stage": stage, **words}, acts)


def answers(course: Course) -> list[str]:
    return [look.answered[0].id for look in course.looks if look.answered is not None]


def test_a_habit_answers_once_after_hubsync_wrote_and_only_where_it_is_on(ground: Ground) -> None:
    back = situation(ground, "none", "mql", "deal_opened", lifecycle_stage_before="sal")
    off, on = follow(back, EVER), follow(back, EVER, habits=ground.habits)
    assert [c.new for c in off.looks[0].decision.changes if c.property == STATUS] == ["NURTURE"]
    assert (answers(off), answers(on)) == ([], [OPPORTUNITY])
    assert off.end is not None
    assert on.end is not None
    assert off.end.contact.properties[STAGE] == "marketingqualifiedlead"
    assert on.end.contact.properties[STAGE] == "opportunity"
    assert on.looks[1].situation.now == NOW + timedelta(minutes=1)


def test_a_habit_never_moves_a_stage_backward(ground: Ground) -> None:
    assert answer(situation(ground, "new", "lead", "deal_opened"), ground.habits) is not None
    won = answer(situation(ground, "new", "opportunity", "deal_won"), ground.habits)
    assert won is not None
    assert won[0].id == CUSTOMER
    for stage, deal in (("opportunity", "deal_opened"), ("customer", "deal_opened"), ("customer", "deal_won")):
        assert answer(situation(ground, "new", stage, deal), ground.habits) is None


def test_a_portal_without_these_stages_has_no_such_habits() -> None:
    ground = Ground.of(mini("rules: []"))
    assert ground.habits == ()
