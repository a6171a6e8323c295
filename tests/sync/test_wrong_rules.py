"""Rule sets that are wrong, on ten thousand contacts each: nothing harmful is written, and it says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hubsync.errors import UnsafePlan
from hubsync.policy.changes import NOTHING, Decision
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Horizon, Policy
from hubsync.policy.vocabulary import STATUS
from hubsync.rulefiles.advice import advise
from hubsync.rulefiles.load import LoadedRules
from hubsync.sync.guard import Limits
from hubsync.sync.scope import horizon_for
from tests.builders import NOW, done, looked_at
from tests.sync.desk import Desk, acted
from tests.sync.wrong import CROWD, a_rule, crowd, rules_with

SHIPPED = Limits(share=0.1, at_least=20, tasks=200)
CONNECTED = "lead_status: {is: connected}"


def lives(policy: Policy, contact: Contact) -> list[Decision]:
    """What five syncs, a day apart, decide on a contact; one that nothing matters to is asked once."""
    decisions = [looked_at(contact, of=policy)]
    for day in range(1, 5):
        if decisions[-1] == NOTHING:
            break
        contact = done(contact, decisions[-1], NOW + timedelta(days=day - 1))
        decisions.append(looked_at(contact, NOW + timedelta(days=day), policy))
    return decisions


def written(decisions: list[Decision]) -> list[str]:
    return [c.new for decision in decisions for c in decision.changes if c.property == STATUS]


def test_rules_that_would_touch_everything_are_stopped_before_the_first_write(
    make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    touches_all = a_rule("everything", "lead_status: {is_none_of: [nurture]}", "nurture")
    desk = make_desk(loaded=rules_with(tmp_path, touches_all))
    for number in range(CROWD):
        desk.lead("CONNECTED", email=f"{number}@example.com")
    with pytest.raises(UnsafePlan) as stopped:
        desk.sync(limits=SHIPPED)
    assert "10,000 of 10,000 contacts in scope would change, the limit is 10%" in str(stopped.value)
    assert "Nothing was written. Look at the plan (without --write), then allow it once" in str(stopped.value)
    assert desk.written() == []
    assert desk.store.runs(desk.portal.portal_id)[0].state == "stopped"


def test_two_rules_that_want_different_values_at_once_write_nothing_and_are_named(tmp_path: Path) -> None:
    loaded = rules_with(tmp_path, a_rule("one", CONNECTED, "working") + a_rule("two", CONNECTED, "nurture"))
    [advice] = advise(loaded)
    assert str(advice).startswith(f"{tmp_path}/wrong/automations.yaml:2:")
    assert "one and two can want hs_lead_status at the same moment (working, nurture)" in str(advice)
    assert "outranks: [...]" in str(advice)
    policy = loaded.compile()
    conflicts = 0
    for contact in crowd():
        decisions = lives(policy, contact)
        assert written(decisions) == []
        conflicts += all(d.conflicts for d in decisions)
        assert {w for d in decisions for c in d.conflicts for w in c.wants} <= {
            ("one", "IN_PROGRESS"),
            ("two", "NURTURE"),
        }
    assert conflicts == CROWD // 5


def test_with_an_order_the_one_that_outranks_writes_once_and_it_rests(tmp_path: Path) -> None:
    second = a_rule("two", CONNECTED, "nurture", more="    outranks: [one]\n")
    loaded = rules_with(tmp_path, a_rule("one", CONNECTED, "working") + second)
    assert advise(loaded) == []
    policy = loaded.compile()
    writes = [written(lives(policy, contact)) for contact in crowd()]
    assert {tuple(w) for w in writes} == {(), ("NURTURE",)}
    assert sum(w == ["NURTURE"] for w in writes) == CROWD // 5


def test_two_rules_that_undo_one_another_write_nothing_and_are_shown_as_a_conflict(tmp_path: Path) -> None:
    back = a_rule("back", "lead_status: {is: working}", "connected")
    policy = rules_with(tmp_path, a_rule("forth", CONNECTED, "working") + back).compile()
    shown = 0
    for contact in crowd():
        decisions = lives(policy, contact)
        assert written(decisions) == []
        shown += all({rule for c in d.conflicts for rule, _ in c.wants} == {"forth", "back"} for d in decisions)
    assert shown == 2 * CROWD // 5


def test_two_rules_that_follow_one_another_in_a_ring_end_after_one_round(tmp_path: Path) -> None:
    """connected → working → attempting → connected, each for the status that the one before wrote."""
    ring = (("connected", "working"), ("working", "attempting"), ("attempting", "connected"))
    rules = "".join(a_rule(f"from_{one}", f"lead_status: {{is: {one}}}", other) for one, other in ring)
    policy = rules_with(tmp_path, rules).compile()
    assert all(written(lives(policy, contact)) == [] for contact in crowd())


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("lead_status: {is: new}", "lead_status: {is: connected}", False),
        ("lead_status: {is_any_of: [new, connected]}", CONNECTED, True),
        ("lifecycle_stage: {is_below: mql}", "lifecycle_stage: {is_at_least: mql}", False),
        ("lifecycle_stage: {is_at_most: mql}", "lifecycle_stage: {is_at_least: mql}", True),
        ("open_deals: {is: 0}", "open_deals: {is_more_than: 0}", False),
        ("open_deals: {is_between: [1, 3]}", "open_deals: {is_at_least: 3}", True),
        ("country: {is: France}", "country: {is: Germany}", False),
        ("country: {is: France}", "city: {is: Berlin}", True),
        ("country: {is: france}", "country: {is_any_of: [France, Spain]}", True),
        ("country: {is_known: true}", "country: {is_unknown: true}", False),
        ("jobtitle: {contains_any_of: [sales]}", "jobtitle: {contains_none_of: [sales]}", True),
        ("attempts: {is_less_than: 3}", "attempts: {is_more_than: 2}", True),
    ],
)
def test_check_tells_rules_without_an_order_unless_their_conditions_exclude_one_another(
    tmp_path: Path, one: str, other: str, told: bool
) -> None:
    """What can't be ruled out is told: texts that are searched, and numbers that need not be whole."""
    loaded = rules_with(tmp_path, a_rule("one", one, "nurture") + a_rule("two", other, "working"))
    assert [str(a).count("one and two can want hs_lead_status") for a in advise(loaded)] == ([1] if told else [])


def test_check_says_nothing_of_rules_with_other_causes_or_the_same_value(tmp_path: Path) -> None:
    same = a_rule("two", CONNECTED, "working")
    other = a_rule("three", CONNECTED, "nurture", cause="deal_opened")
    assert advise(rules_with(tmp_path, a_rule("one", CONNECTED, "working") + same + other)) == []


def activated(desk: Desk) -> Horizon:
    """From when causes count for the desk's rules, as a sync would have it now."""
    return horizon_for(desk.store, desk.bound(), None, desk.clock.now())


@pytest.fixture
def running(make_desk: Callable[..., Desk], tmp_path: Path) -> Desk:
    """A portal on which a rule has been at work for two days: it made one lead Working for a cause of yesterday."""
    desk = make_desk(effective_since=None, loaded=rules_with(tmp_path, a_rule("one", CONNECTED, "working")))
    desk.sync()
    desk.later(days=1)
    contact = desk.lead("CONNECTED", email="first@example.com", at=desk.clock.now())
    desk.later(days=1)
    desk.sync()
    assert desk.status(contact) == "IN_PROGRESS"
    desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    return desk


def test_a_rule_renamed_with_was_takes_its_past_along_and_fires_nothing_twice(running: Desk, tmp_path: Path) -> None:
    before = len(running.written(STATUS))
    renamed = a_rule("uno", CONNECTED, "working", more="    was: [one]\n")
    running.rebind(loaded=rules_with(tmp_path, renamed))
    for _ in range(3):
        outcome = running.sync()
        assert [f["rule"] for f in outcome.tally.findings] == ["uno"], "it would be the second time within 7 days"
        running.later(days=1)
    rows = [r for contact in running.portal.tables["contacts"].records for r in running.ledger(contact)]
    assert {r.rule for r in rows} == {"uno"}
    assert len(running.written(STATUS)) == before


def test_a_rule_renamed_without_was_acts_on_no_old_cause(running: Desk, tmp_path: Path) -> None:
    running.rebind(loaded=rules_with(tmp_path, a_rule("uno", CONNECTED, "working")))
    outcome = running.sync()
    assert acted(outcome) == []
    assert outcome.tally.backlog == 1
    policy, horizon = running.loaded.compile(), activated(running)
    assert all(written([looked_at(c, of=policy, horizon=horizon)]) == [] for c in crowd())


def test_a_rule_whose_conditions_were_widened_leaves_old_causes_as_backlog_and_says_so(
    running: Desk, tmp_path: Path
) -> None:
    old = running.lead("ATTEMPTED_TO_CONTACT", email="old@example.com", at=running.clock.now() - timedelta(hours=30))
    running.sync()
    running.later(hours=1)
    fresh = running.lead("ATTEMPTED_TO_CONTACT", email="fresh@example.com", at=running.clock.now())
    running.later(hours=1)
    running.rebind(
        loaded=rules_with(tmp_path, a_rule("one", "lead_status: {is_any_of: [connected, attempting]}", "working"))
    )
    for outcome in (running.plan(), running.sync()):
        [notice] = outcome.notices
        assert notice.startswith("Changed since the last run: one. What came before that run is backlog for it")
        assert "hubsync backlog" in notice
        assert outcome.tally.backlog >= 1
    assert (running.status(old), running.status(fresh)) == ("ATTEMPTED_TO_CONTACT", "IN_PROGRESS")
    running.later(days=1)
    outcome = running.sync()
    assert (acted(outcome), outcome.notices) == ([], ())
    policy, horizon = running.loaded.compile(), activated(running)
    assert all(written([looked_at(c, of=policy, horizon=horizon)]) == [] for c in crowd())


def test_words_for_people_and_orders_are_no_change_of_meaning(running: Desk, tmp_path: Path) -> None:
    said = a_rule("one", CONNECTED, "working", more="    outranks: []\n").replace("Tried in a test", "Says more")
    running.rebind(loaded=rules_with(tmp_path, said))
    assert running.sync().notices == ()


def test_a_list_of_portal_yaml_is_part_of_what_a_rule_means(running: Desk, tmp_path: Path) -> None:
    def listed(values: str) -> LoadedRules:
        when = f"{CONNECTED}, country: {{is_any_of: our_countries}}"
        loaded = rules_with(tmp_path, a_rule("two", when, "working"))
        lists = {**loaded.files.portal.lists, "our_countries": values.split()}
        files = replace(loaded.files, portal=loaded.files.portal.model_copy(update={"lists": lists}))
        return LoadedRules(loaded.folder, files, loaded.documents)

    starts: list[datetime] = []
    for values in ("France", "France", "France Spain"):
        running.rebind(loaded=listed(values))
        running.sync()
        starts.append(activated(running).rules["two"])
        running.later(hours=1)
    assert starts[0] == starts[1] < starts[2]
