"""The matrix of Lead status and Lifecycle stage, cell by cell (playbook C1–C4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from hubsync.policy.contact import Contact, Deal
from hubsync.policy.vocabulary import STAGE, STATUS
from tests.builders import (
    NOW,
    a_contact,
    a_deal,
    ago,
    compile_text,
    done,
    found,
    looked_at,
    policy,
    policy_with,
    rules_of,
    sets,
    shipped,
    undone,
)

STATUSES = ("none", *policy().statuses.by_key)
STAGES = ("none", "subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "evangelist")
ACTIVE = ("new", "attempting", "connected", "working", "qualified", "recycled")

Answer = dict[str, str] | Literal["fits", "propose", "report"]


def answer(stage: str, status: str, deal: bool) -> Answer:
    """What C1 says of a cell, after the automations (A7 and A9) have had their say."""
    # A deal speaks for contacts with a status, and those from MQL on get one first.
    covered = deal and status not in {"converted", "customer"} and (status != "none" or stage in {"mql", "sal", "sql"})
    if stage in {"none", "subscriber"}:
        if status in ACTIVE and (stage, status) != ("none", "recycled"):
            return "propose"
        fitting = {"none"} if stage == "none" else {"none", "unqualified", "nurture", "bad_timing", "disqualified"}
        return "fits" if status in fitting else "report"
    if stage in {"customer", "evangelist"}:
        return "fits" if status in {"none", "converted", "recycled", "customer"} else "report"
    if status == "customer":
        return "report"
    if stage == "opportunity":
        if deal:
            return "fits" if status in {"none", "converted"} else {STATUS: "converted"}
        return {"new": "report", "qualified": "report", "converted": "propose"}.get(status, "fits")  # type: ignore[return-value]
    if covered:
        return {STATUS: "converted", STAGE: "opportunity"}
    if status == "converted":
        return {STAGE: "opportunity"} if deal else "propose"
    if status == "qualified" and stage != "sql":
        return {STAGE: "sql"}
    if stage in {"mql", "sal"} and status == "none":
        return {STATUS: "new"}
    if stage == "sql" and status in {"none", "new"}:
        return {STATUS: "working"}
    if stage == "sql" and status in {"recycled", "nurture", "bad_timing"}:
        return {STATUS: "working"}  # A10: the stage was entered with this status
    return "fits"


@pytest.mark.parametrize("deal", [False, True], ids=["no deal", "a deal open"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("stage", STAGES)
def test_one_decision_settles_a_cell_and_a_second_plans_nothing(stage: str, status: str, deal: bool) -> None:
    deals: tuple[Deal, ...] = (a_deal(),) if deal else ()
    contact = a_contact(status, stage, deals=deals)
    decision = looked_at(contact)
    kinds = {f.kind for f in decision.findings if f.rule.startswith("cell_")}
    expected = answer(stage, status, deal)
    if isinstance(expected, dict):
        assert sets(decision) == expected
    else:
        assert sets(decision) == {}
        assert kinds == ({expected} if expected != "fits" else set())
    second = looked_at(done(contact, decision), NOW + timedelta(seconds=1))
    assert not second.acts
    assert second.superseded == ()


@pytest.mark.parametrize("stage", ["other", "123456"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_stage_that_stands_aside_or_is_not_mapped_fits_everything(stage: str, status: str) -> None:
    decision = looked_at(a_contact(status, stage, deals=[a_deal()]))
    assert (decision.changes, decision.tasks, decision.findings) == ((), (), ())


@pytest.mark.parametrize("status", ["unqualified", "nurture", "bad_timing", "disqualified"])
def test_an_opportunity_set_aside_with_a_deal_open_is_asked_about(status: str) -> None:
    moved = [("converted", ago(3), "automation"), (status, ago(1), "person")]
    decision = looked_at(a_contact(moved, "opportunity", deals=[a_deal(at=ago(4))]))
    assert sets(decision) == {}
    assert [f.fix for f in decision.findings] == [(STATUS, policy().statuses.value(status), "OPEN_DEAL")]
    assert "Close the deal or keep Converted?" in decision.findings[0].message


def test_a_person_who_chose_the_status_after_the_stage_is_left_alone_and_it_is_a_finding() -> None:
    contact = a_contact([("attempting", ago(20)), ("none", ago(2), "person")], "mql", since=ago(10))
    decision = looked_at(contact)
    assert sets(decision) == {}
    assert found(decision) == {"cell_mql_none": "report"}
    assert "A person chose it on 2026-03-02, so it stays." in decision.findings[0].message


def test_a_hard_cell_corrects_what_a_person_chose_later_once_in_seven_days() -> None:
    contact = a_contact([("working", ago(20)), ("new", ago(1), "person")], "sql", since=ago(10))
    decision = looked_at(contact)
    assert rules_of(decision) == {STATUS: "cell_sql_new"}
    corrected = done(contact, decision)
    entries = [
        {"value": "NEW", "timestamp": "2026-03-05T12:00:00.000Z", "sourceType": "CRM_UI"},
        *(corrected.history or {})[STATUS],
    ]
    history = {**(corrected.history or {}), STATUS: entries}
    chosen = replace(corrected, properties={**corrected.properties, STATUS: "NEW"}, history=history)
    second = looked_at(chosen, NOW + timedelta(days=2))
    assert sets(second) == {}
    assert "hubsync leaves it alone until 12 March 2026" in second.findings[0].message, "7 days from the last turn"
    assert second.look_again == NOW + timedelta(days=8)
    assert sets(looked_at(chosen, NOW + timedelta(days=8))) == {STATUS: "working"}


def test_an_undone_correction_is_not_made_again_and_is_a_finding() -> None:
    contact = a_contact("none", "sql")
    after = undone(done(contact, looked_at(contact)), STATUS, NOW + timedelta(hours=1))
    decision = looked_at(after, NOW + timedelta(days=1))
    assert sets(decision) == {}
    assert found(decision) == {"cell_sql_none": "report"}
    assert "It was undone on 2026-03-04, so it stays." in decision.findings[0].message


def test_a_combination_that_came_back_for_the_same_cause_is_a_finding() -> None:
    def cleared(contact: Contact) -> Contact:
        history = {**(contact.history or {}), STATUS: []}
        return replace(contact, properties={**contact.properties, STATUS: None}, history=history, ours=())

    first = a_contact("none", "sql")
    second = cleared(done(first, looked_at(first)))
    assert rules_of(looked_at(second)) == {STATUS: "cell_sql_none"}
    third = cleared(done(second, looked_at(second)))
    decision = looked_at(third)
    assert sets(decision) == {}
    assert found(decision) == {"cell_sql_none": "report"}
    assert "corrected once for this cause and changed again" in decision.findings[0].message


def test_converted_with_every_deal_lost_gets_all_that_a12_gives() -> None:
    deal = a_deal("lost", ago(5), reason="went with a competitor")
    contact = a_contact([("working", ago(20)), ("converted", ago(9))], "sql", deals=[deal])
    by_rule = looked_at(contact)
    assert rules_of(by_rule)[STATUS] == "all_deals_lost_for_good"
    spent = frozenset(f"{c.rule}|{c.cause.key}|{c.property}" for c in by_rule.changes)
    decision = looked_at(replace(contact, spent=spent))
    assert sets(decision) == {STATUS: "disqualified", "hubsync_reason": "competitor"}
    assert rules_of(decision)[STATUS] == "cell_sql_converted_unfit"


def test_a_qualified_opportunity_without_a_deal_is_reported_after_three_business_days() -> None:
    contact = a_contact([("working", ago(30)), ("qualified", ago(1))], "opportunity")
    decision = looked_at(contact)
    assert decision.findings == ()
    assert decision.look_again is not None
    assert found(looked_at(contact, decision.look_again)) == {
        "cell_opportunity_without_deal_qualified": "report",
    }


def test_a_missing_cell_a_missing_row_and_a_status_twice_are_faults() -> None:
    faults: list[str] = []
    compile_text("", faults, matrix="[{row: {lifecycle_stage: lead}, cells: {none: fits, 'new, new': fits}}]")
    told = "\n".join(faults)
    assert 'matrix.0.cells.new, new: "new" stands twice in this row' in told
    assert "no answer for attempting, connected, working" in told
    assert 'Lifecycle stage "mql" has no row' in told


def test_rows_that_overlap_or_leave_a_gap_are_faults() -> None:
    every = ", ".join(STATUSES)
    one_sided = "".join(
        f"- {{row: {{lifecycle_stage: {stage}}}, cells: {{'{every}': fits}}}}\n" for stage in STAGES if stage != "sql"
    )
    faults: list[str] = []
    compile_text(
        "",
        faults,
        matrix=one_sided + f"- {{row: {{lifecycle_stage: sql, open_deals: {{is: 0}}}}, cells: {{'{every}': fits}}}}",
    )
    assert faults == [
        (
            'matrix.yaml:matrix: Lifecycle stage "sql" has rows that overlap or leave a gap (without); '
            "each stage needs one row, or one with open_deals and one without"
        )
    ]


def test_a_custom_stage_takes_the_row_of_the_stage_it_is_like() -> None:
    stages = {k: s.model_dump(exclude_unset=True) for k, s in shipped().files.portal.stages.items()}
    own = {"demo": {"value": "42", "labels": {"en": "Demo"}, "like": "sql"}}
    custom = policy_with(stages={**stages, **own})
    decision = looked_at(a_contact("none", "demo", of=custom), of=custom)
    assert sets(decision, custom) == {STATUS: "working"}


def test_a_custom_status_behaves_like_the_one_it_is_like() -> None:
    statuses = {k: s.model_dump(exclude_unset=True) for k, s in shipped().files.portal.statuses.items()}
    own = {"waiting": {"value": "WAITING", "labels": {"en": "Waiting"}, "like": "new", "meaning": "", "use_when": ""}}
    custom = policy_with(statuses={**statuses, **own})
    decision = looked_at(a_contact("waiting", "sql", of=custom), of=custom)
    assert sets(decision, custom) == {STATUS: "working"}
    assert looked_at(a_contact("waiting", "mql", of=custom), of=custom).tasks[0].rule == "first_contact_task"
