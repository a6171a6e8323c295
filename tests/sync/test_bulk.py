"""Setting many Lead statuses at once: what is written, what is left alone, and what the rules make of it afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubsync.errors import SettingsError, UnsafePlan
from hubsync.sandbox import acts
from hubsync.sync.bulk import plan_bulk
from hubsync.sync.guard import Limits
from hubsync.sync.undo import write_undo
from tests.sync.bulk_desk import asked, listed, rows, told, write
from tests.sync.desk import GENEROUS, MQL, SQL, STAGE, STATUS, Desk, acted, ago

LAST_ACTION, REASON = "hubsync_last_action", "hubsync_reason"


def test_a_preview_tells_every_change_and_writes_nothing(desk: Desk) -> None:
    new, connected = desk.lead("NEW"), desk.lead("CONNECTED")
    desk.lead("NURTURE")
    bulk = plan_bulk(desk.session(), asked(desk, "nurture", "lead_status is_any_of new, connected, nurture"))
    assert told(bulk) == {new: ("NEW", "NURTURE", "planned"), connected: ("CONNECTED", "NURTURE", "planned")}
    assert (bulk.run, bulk.contacts, bulk.already, bulk.whole) == (None, 3, 1, True)
    assert desk.written() == []
    assert desk.store.runs(desk.portal.portal_id) == ()


def test_a_write_sets_the_status_and_says_so_on_the_record_and_in_the_ledger(desk: Desk) -> None:
    contact, other = desk.lead("NEW"), desk.lead("CONNECTED")
    bulk = write(desk, asked(desk, "disqualified", "lead_status is new", reason="trade fair list"))
    assert told(bulk) == {contact: ("NEW", "DISQUALIFIED", "applied")}
    assert (desk.status(contact), desk.status(other)) == ("DISQUALIFIED", "CONNECTED")
    assert desk.value(contact, LAST_ACTION) == (
        "Disqualified: set for many contacts at once because of trade fair list (2 March 2026, G4)"
    )
    [row] = rows(desk, contact)
    assert (row.rule, row.playbook, row.cause_kind, row.cause_key) == ("set_status", "G4", "bulk", f"bulk:{bulk.run}")
    assert (row.before, row.after, row.state, row.note) == ("NEW", "DISQUALIFIED", "applied", "trade fair list")
    run = desk.store.run(desk.portal.portal_id, bulk.run or 0)
    assert run is not None
    assert (run.kind, run.state, run.args["where"]) == ("set-status", "done", ["lead_status is new"])
    assert run.counts["changes_applied"] == 1


def test_a_reason_goes_to_its_property_only_where_that_has_the_option(desk: Desk) -> None:
    one, other = desk.lead("NEW"), desk.lead("NEW")
    write(desk, listed(desk, ["id,status,reason", f"{one},disqualified,Spam", f"{other},disqualified,met at a fair"]))
    assert (desk.value(one, REASON), desk.value(other, REASON)) == ("spam", None)
    assert {w.target: w.after for w in rows(desk, one)} == {STATUS: "DISQUALIFIED", REASON: "spam"}
    assert [(w.target, w.facts["reason"]) for w in rows(desk, other)] == [(STATUS, "met at a fair")]


def test_writing_twice_changes_nothing_the_second_time(desk: Desk) -> None:
    desk.lead("NEW")
    wanted = asked(desk, "nurture", "lead_status is_any_of new, nurture")
    write(desk, wanted)
    before = len(desk.written())
    again = write(desk, wanted)
    assert (again.run, again.changes, again.already) == (None, [], 1)
    assert len(desk.written()) == before


def test_a_status_can_be_emptied(desk: Desk) -> None:
    contact = desk.lead("NEW")
    assert told(write(desk, asked(desk, "none", "lead_status is new"))) == {contact: ("NEW", None, "applied")}
    assert not desk.status(contact)


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        (["lead_status is_any_of new, connected"], "new connected"),
        (['lead_status is "new"'], "new"),
        (["lead_status is none of new, connected"], "sold"),
        (["lifecycle_stage is opportunity"], "sold"),
        (["lifecycle_stage is_at_least mql", "owner is_known"], "sold"),
        (["lead_status is_any_of [new]", "lifecycle_stage is lead"], "new"),
        (["hs_lead_status is IN_PROGRESS"], "sold"),
        (['jobtitle contains_any_of "head, sales", chief'], "connected"),
        (["owner is_unknown"], ""),
        (["lead_status_entered is_more_than_ago 20 days"], "sold"),
        (["lead_status_by is person", "lead_status is connected"], "connected"),
        (["open_deals is_more_than 0"], "sold"),
        (["attempts is_at_least 1"], "new"),
        (["first_rep_outreach is_known", "open_deals is 0", "lead_status is_not connected"], "new"),
    ],
)
def test_conditions_choose_as_those_of_rules_do_dear_facts_included(desk: Desk, where: list[str], meant: str) -> None:
    contacts = {
        "new": desk.lead("NEW"),
        "connected": desk.lead("CONNECTED", jobtitle="Head, Sales"),
        "sold": desk.lead("IN_PROGRESS", MQL, at=ago(days=30)),
    }
    acts.rep_sends_email(desk.portal, contacts["new"], desk.rep, at=ago(days=1))
    acts.create_deal(desk.portal, contacts["sold"], owner=desk.rep, at=ago(days=2))
    bulk = plan_bulk(desk.session(), asked(desk, "nurture", *where))
    assert set(told(bulk)) == {contacts[name] for name in meant.split()}


def test_an_option_that_no_key_maps_can_be_chosen_by_its_value_and_left(desk: Desk) -> None:
    contact = desk.lead("OPEN")
    write(desk, asked(desk, "new", "hs_lead_status is OPEN"))
    assert desk.status(contact) == "NEW"


def test_what_would_not_fit_the_matrix_is_a_warning_by_name(desk: Desk) -> None:
    bad, fine = desk.lead("IN_PROGRESS", SQL), desk.lead("IN_PROGRESS", "lead")
    bulk = plan_bulk(desk.session(), asked(desk, "new", "lead_status is working"))
    warnings = {c.contact: c.warning for c in bulk.changes}
    assert warnings[fine] == ""
    cell = desk.bound().policy.rule("cell_sql_new")
    assert cell is not None
    assert warnings[bad] == f"{cell.says} (C1, cell_sql_new)"


def test_a_warning_that_hangs_on_deals_reads_them(desk: Desk) -> None:
    contact = desk.lead("OPEN_DEAL", "opportunity", at=ago(days=5))
    acts.create_deal(desk.portal, contact, owner=desk.rep, at=ago(days=2))
    bulk = plan_bulk(desk.session(), asked(desk, "connected", "lead_status is converted"))
    [change] = bulk.changes
    assert "cell_opportunity_open_deal_connected" in change.warning
    assert "converted_is_locked" in change.warning


def test_a_contact_with_hands_off_is_held_by_name_and_the_rest_written(desk: Desk) -> None:
    kept, moved = desk.lead("NEW", hubsync_hold="true"), desk.lead("NEW")
    bulk = write(desk, asked(desk, "nurture", "lead_status is new"))
    assert told(bulk) == {kept: ("NEW", "NURTURE", "held"), moved: ("NEW", "NURTURE", "applied")}
    assert not bulk.whole
    assert [c.warning for c in bulk.changes if c.contact == kept] == ["hands off: hubsync_hold is set on the contact"]
    assert desk.status(kept) == "NEW"


def test_the_guard_stops_before_the_first_write_and_says_how_to_allow_it_once(desk: Desk) -> None:
    contacts = [desk.lead("NEW") for _ in range(3)]
    wanted = asked(desk, "nurture", "lead_status is new")
    with pytest.raises(UnsafePlan, match="--allow-changes 3"):
        write(desk, wanted, Limits(share=0.1, at_least=2, tasks=0))
    assert desk.written() == []
    assert desk.store.runs(desk.portal.portal_id) == ()
    write(desk, wanted, Limits(share=0.1, at_least=2, tasks=0, allow_changes=3))
    assert {desk.status(c) for c in contacts} == {"NURTURE"}


def test_an_older_cause_does_not_overwrite_what_was_set_in_bulk(desk: Desk) -> None:
    """It became an SQL before; as after a person's choice, the rule that makes such a lead Working is silent (A10)."""
    contact = desk.lead("CONNECTED", at=ago(days=5))
    acts.workflow_sets(desk.portal, contact, STAGE, SQL, at=ago(days=1))
    write(desk, asked(desk, "nurture", "lead_status is connected"))
    desk.later(days=1)
    assert acted(desk.sync()) == []
    assert desk.status(contact) == "NURTURE"


def test_a_cell_that_a_bulk_change_breaks_is_left_as_a_persons_choice(desk: Desk) -> None:
    contact = desk.lead("NEW", "lead", at=ago(days=5))
    acts.workflow_sets(desk.portal, contact, STAGE, MQL, at=ago(days=2))
    write(desk, asked(desk, "none", "lead_status is new"))
    desk.later(days=1)
    assert acted(desk.sync()) == []
    assert not desk.status(contact)


def test_a_newer_cause_fires_after_a_bulk_change(desk: Desk) -> None:
    contact = desk.lead("CONNECTED", at=ago(days=5))
    write(desk, asked(desk, "new", "lead_status is connected"))
    desk.later(hours=2)
    acts.rep_sends_email(desk.portal, contact, desk.rep)
    desk.later(hours=1)
    desk.sync()
    assert desk.status(contact) == "ATTEMPTED_TO_CONTACT"


def test_an_undo_takes_a_bulk_change_back_reason_included(desk: Desk) -> None:
    contact, since = desk.lead("NEW"), desk.lead("NEW")
    bulk = write(desk, asked(desk, "disqualified", "lead_status is new", reason="spam"))
    desk.later(hours=1)
    desk.sets(since, STATUS, "CONNECTED")
    undone = write_undo(desk.session(), desk.store, bulk.run or 0, GENEROUS)
    states = {(c.write.contact, c.write.target): c.state for c in undone.changes}
    assert states[contact, STATUS] == states[contact, REASON] == "applied"
    assert states[since, STATUS] == "skipped"
    assert (desk.status(contact), desk.status(since)) == ("NEW", "CONNECTED")
    assert not desk.value(contact, REASON)
    desk.later(days=1)
    assert acted(desk.sync(contact)) == []


def test_a_refusal_of_one_contact_is_named_and_the_rest_written(desk: Desk) -> None:
    one, other = desk.lead("NEW"), desk.lead("CONNECTED")
    wanted = listed(desk, ["id,status", f"{one},nurture", f"{other},working"])
    options = desk.portal.schemas.properties["contacts"][STATUS].options
    desk.portal.schemas.set_options("contacts", STATUS, [o for o in options if o.value != "NURTURE"])
    bulk = write(desk, wanted)
    assert told(bulk) == {one: ("NEW", "NURTURE", "refused"), other: ("CONNECTED", "IN_PROGRESS", "applied")}
    assert "NURTURE" in next(c.warning for c in bulk.changes if c.contact == one)
    assert [w.state for w in rows(desk, one)] == ["refused"]


def test_a_list_names_ids_that_the_portal_lacks_or_has_merged_and_nothing_is_done(desk: Desk) -> None:
    fine, gone, merged, survivor = (desk.lead("NEW") for _ in range(4))
    acts.delete_contact(desk.portal, gone)
    acts.merge_contacts(desk.portal, survivor, merged)
    lines = ["id,status", f"{fine},nurture", f"{gone},nurture", f"{merged},nurture", f"{fine},new", "abc,nurture"]
    with pytest.raises(SettingsError) as refused:
        write(desk, listed(desk, lines))
    said = [line.partition("list.csv:")[2] for line in str(refused.value).splitlines()[:-1]]
    assert said == [
        f"3: contact {gone} is not in the portal",
        f"4: contact {merged} was merged into {survivor}; write that id",
        f"5: contact {fine} stands on line 2 already",
        '6: "abc" is no contact id; ids are digits alone, in a spreadsheet a column of text',
    ]
    assert desk.status(fine) == "NEW"
    assert desk.store.runs(desk.portal.portal_id) == ()


def test_a_portal_without_hubsyncs_properties_gets_the_status_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(own_properties=False)
    contact = desk.lead("NEW")
    bulk = write(desk, asked(desk, "nurture", "lead_status is new", reason="spam"))
    assert told(bulk) == {contact: ("NEW", "NURTURE", "applied")}
    assert [(w.target, w.note) for w in rows(desk, contact)] == [(STATUS, "spam")]
