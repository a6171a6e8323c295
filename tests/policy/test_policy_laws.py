"""What holds for every contact whatever happened to it: random lives, checked against the laws of the playbook."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubsync.policy.changes import Decision
from hubsync.policy.contact import Contact, Deal, Engagement
from hubsync.policy.decide import SETTLE, decide
from hubsync.policy.policy import Policy
from hubsync.policy.ruleset import RuleSet
from hubsync.policy.view import View
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.why import why
from hubsync.rulefiles.load import LoadedRules
from tests.builders import (
    EVER,
    NOW,
    WRITERS,
    a_call,
    a_contact,
    a_deal,
    a_mail,
    ago,
    done,
    entry,
    looked_at,
    policy,
    shipped,
)

LAWFUL = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STATUSES = (*policy().statuses.by_key, "none", "OPEN")
"""Every status, none, and an option that no key maps."""
STAGES = (*policy().stages.by_key, "none", "custom-42")
MOMENTS = tuple(
    ago(**{unit: n}) for unit, ns in (("days", (60, 21, 9, 8, 6, 3, 1)), ("minutes", (50, 20, 10, 5, 1))) for n in ns
)
"""Few enough that causes often coincide; none within a second of the end of a quiet time."""
OLDEST_FIRST = tuple(sorted(MOMENTS))
REASONS = (None, "went with a competitor", "not a fit", "no budget")


@st.composite
def pasts(draw: st.DrawFn, keys: tuple[str, ...], longest: int) -> list[tuple[str, datetime, str]]:
    moments = sorted(draw(st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=longest, unique=True)))
    return [(draw(st.sampled_from(keys)), at, draw(st.sampled_from(tuple(WRITERS)))) for at in moments]


@st.composite
def deals(draw: st.DrawFn, number: int) -> Deal:
    opened, reached = sorted(draw(st.tuples(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))))
    outcome = draw(st.sampled_from(("open", "won", "lost")))
    reason = draw(st.sampled_from(REASONS)) if outcome == "lost" else None
    return a_deal(outcome, opened if outcome == "open" else reached, opened=opened, id=str(number), reason=reason)


@st.composite
def engagements(draw: st.DrawFn, number: int) -> Engagement:
    make = draw(st.sampled_from((a_mail, a_call)))
    return make(draw(st.sampled_from(MOMENTS)), id=str(number))


@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    return a_contact(
        draw(pasts(STATUSES, 5)),
        draw(pasts(STAGES, 4)),
        deals=[draw(deals(n)) for n in range(draw(st.integers(0, 2)))],
        engagements=[draw(engagements(n)) for n in range(draw(st.integers(0, 2)))],
        owner=draw(st.sampled_from(("11", "11", "11", None))),
        created=draw(st.sampled_from((ago(100), OLDEST_FIRST[0]))),
        num_conversion_events=draw(st.sampled_from((None, "1"))),
        hubsync_hold=draw(st.sampled_from((None, None, None, "true"))),
        hs_object_source=draw(st.sampled_from((None, "FORM", "CRM_UI", "IMPORT"))),
    )


def chosen(contact: Contact, name: str, value: str, at: datetime, by: str) -> Contact:
    """The contact after somebody set a property."""
    history = dict(contact.history or {})
    history[name] = [entry(value, at, by), *history.get(name, ())]
    return replace(contact, history=history, properties={**contact.properties, name: value or None})


@given(contacts())
@LAWFUL
def test_doing_what_was_decided_leaves_nothing_to_decide(contact: Contact) -> None:
    decision = looked_at(contact)
    second = looked_at(done(contact, decision), NOW + timedelta(seconds=1))
    assert (second.changes, second.tasks, second.withdrawn, second.superseded) == ((), (), (), ())


@given(contacts(), st.sampled_from(STATUSES[:-1]), st.sampled_from(tuple(WRITERS)))
@LAWFUL
def test_it_rests_again_after_somebody_changed_what_was_written(contact: Contact, key: str, by: str) -> None:
    value = "" if key == "none" else policy().statuses.value(key)
    later = chosen(done(contact, looked_at(contact)), STATUS, value, NOW + timedelta(hours=1), by)
    then = NOW + timedelta(hours=2)
    decision = looked_at(later, then)
    second = looked_at(done(later, decision, then), then + timedelta(seconds=1))
    assert (second.changes, second.tasks, second.withdrawn) == ((), (), ())


@given(contacts())
@LAWFUL
def test_a_stage_never_moves_backward(contact: Contact) -> None:
    order = policy().stage_order
    moves = [(c.old, c.new) for c in looked_at(contact).changes if c.property == STAGE]
    assert all(order[new] > order[old] for old, new in moves if old)


@given(contacts())
@LAWFUL
def test_unmapped_excluded_and_unmanaged_contacts_are_left_alone(contact: Contact) -> None:
    get = contact.properties.get
    unmapped = get(STATUS) == "OPEN" or get(STAGE) == "custom-42"
    nobodys = get("hubspot_owner_id") is None and get("num_conversion_events") is None
    if unmapped or nobodys or get("hubsync_hold") == "true" or get(STAGE) == "other":
        decision = looked_at(contact)
        assert not decision.acts
        assert decision.findings == ()
    elif get(STAGE) in {None, "subscriber"}:
        assert looked_at(contact).changes == ()


@given(contacts())
@LAWFUL
def test_the_explanation_agrees_with_what_the_decision_used(contact: Contact) -> None:
    view = View(policy(), contact, NOW)
    cell = view.cell()
    used = {r.rule.id: r.test(view) > 0 for r in (cell.everything if cell else ())}
    explained = {w.rule: w for w in why(policy(), contact, NOW, EVER)}
    assert {rule: explained[rule].holds for rule in used} == used
    aside = {w.rule for w in explained.values() if w.holds and w.rule not in used}
    assert all(explained[rule].hindered for rule in aside), "what holds and is not used is said to be hindered"
    # What another rule writes first may begin a new cycle, and with it bring another cause.
    fired = {c.rule for c in looked_at(contact).changes if used.get(c.rule) and c.cause == explained[c.rule].cause}
    assert all(explained[rule].hindered == "" for rule in fired), "what fires is not said to be hindered"


@cache
def reordered(seed: int) -> Policy:
    """The shipped policy with its rules in another order."""
    loaded = shipped()
    files = loaded.files

    def mixed(items: list[Any]) -> list[Any]:
        return items[::-1] if seed == 0 else items[seed:] + items[:seed]

    rules = {n: f.model_copy(update={"rules": mixed(f.rules)}) for n, f in reversed(tuple(files.rules.items()))}
    matrix = files.matrix.model_copy(update={"matrix": mixed(files.matrix.matrix)})
    return LoadedRules(loaded.folder, RuleSet(files.portal, matrix, rules, "mixed"), loaded.documents).compile()


def unordered(decision: Decision) -> dict[str, Any]:
    """A decision with its lists sorted."""
    return {
        name: sorted(map(repr, value)) if isinstance(value, tuple) else value
        for name in Decision.__dataclass_fields__
        for value in (getattr(decision, name),)
    }


@given(contacts(), st.integers(0, 5))
@LAWFUL
def test_the_order_of_rules_in_the_files_decides_nothing(contact: Contact, seed: int) -> None:
    assert unordered(looked_at(contact, of=reordered(seed))) == unordered(looked_at(contact))


@given(contacts())
@LAWFUL
def test_a_combination_that_does_not_fit_is_corrected_waits_or_is_shown(contact: Contact) -> None:
    decision = looked_at(contact)
    if decision.waiting or decision.conflicts or not policy().in_scope(contact):
        return
    after = done(contact, decision)
    view = View(policy(), after, NOW)
    cell = view.cell()
    if cell is None:
        return  # an option that no key maps
    misfits = {r.rule.id for r in (*cell.cells, *(n for n in cell.notes if n.rule.matrix)) if r.test(view) > 0}
    shown = {f.rule for f in decision.findings} | {c.rule for c in decision.changes}
    by_fix = {f.fix[:1] + f.fix[2:] for f in decision.findings if f.fix}
    for rule in (r.rule for r in (*cell.cells, *cell.notes) if r.rule.id in misfits):
        wanted = {(a.property, a.resolve(view, rule.cause(view))) for a in rule.sets}  # type: ignore[arg-type]
        assert rule.id in shown or wanted & by_fix, f"{rule.id} holds and nobody is told"


@given(contacts())
@LAWFUL
def test_dear_facts_read_one_by_one_lead_to_the_same_decision(contact: Contact) -> None:
    """Whatever is left unread and asked for step by step, the answer is the one with everything at hand."""
    known = replace(contact, history=None, deals=None, engagements=None, meetings=None)
    for _ in range(5):
        decision = decide(policy(), known, NOW, EVER)
        if not decision.needs:
            break
        known = replace(
            known,
            history=contact.history if decision.needs & 1 else known.history,
            deals=contact.deals if decision.needs & 2 else known.deals,
            engagements=contact.engagements if decision.needs & 4 else known.engagements,
            meetings=contact.meetings if decision.needs & 8 else known.meetings,
        )
    whole = looked_at(contact)
    assert replace(decision, look_again=None) == replace(whole, look_again=None)


@given(contacts(), st.booleans(), st.booleans(), st.booleans())
@LAWFUL
def test_a_first_glance_asks_for_what_a_settlement_would(
    contact: Contact, deals_too: bool, marks_too: bool, tasks: bool
) -> None:
    unread = replace(
        contact,
        history=None,
        deals=contact.deals if deals_too else None,
        engagements=contact.engagements if marks_too else None,
    )
    glanced = decide(policy(), unread, NOW, EVER, tasks=tasks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubsync.policy.decide._first_glance", lambda *_: SETTLE)
        settled = decide(policy(), unread, NOW, EVER, tasks=tasks)
    assert glanced == settled
