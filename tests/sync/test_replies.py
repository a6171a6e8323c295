"""Incoming e-mails against the sandbox portal (playbook A4): a person's reply makes Connected, a machine's doesn't."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubsync.sandbox import acts
from tests.sync.desk import STATUS, Desk, ago, all_rules


@pytest.fixture
def attempted(desk: Desk) -> str:
    """A lead in Attempting that a rep wrote to five hours ago, with nothing left to do."""
    desk.rebind(loaded=all_rules())
    lead = desk.lead("NEW", at=ago(hours=6))
    acts.rep_sends_email(desk.portal, lead, desk.rep, at=ago(hours=5))
    desk.sync()
    assert desk.portal.values("contacts", lead, STATUS) == {STATUS: "ATTEMPTED_TO_CONTACT"}
    return lead


def bounces(desk: Desk, lead: str) -> None:
    """The rep writes again, and the mail comes back."""
    mail = acts.rep_sends_email(desk.portal, lead, desk.rep)
    assert acts.email_bounces(desk.portal, lead, mail) is not None


def auto_replies(desk: Desk, lead: str) -> None:
    acts.lead_auto_replies(desk.portal, lead)


@pytest.mark.parametrize("by_machine", [auto_replies, bounces])
def test_an_auto_reply_and_a_bounce_leave_the_lead_status_alone(
    desk: Desk, attempted: str, by_machine: Callable[[Desk, str], None]
) -> None:
    by_machine(desk, attempted)
    desk.later(hours=1)
    assert [row for row in desk.sync().tally.changes if row["property"] == STATUS] == []
    assert desk.portal.values("contacts", attempted, STATUS) == {STATUS: "ATTEMPTED_TO_CONTACT"}


def test_a_reply_makes_connected_also_after_an_auto_reply(desk: Desk, attempted: str) -> None:
    acts.lead_auto_replies(desk.portal, attempted)
    desk.later(hours=1)
    desk.sync()
    acts.lead_replies(desk.portal, attempted)
    desk.later(hours=1)
    (change,) = [row for row in desk.sync().tally.changes if row["property"] == STATUS]
    assert (change["rule"], change["playbook"]) == ("connected_on_reply", "A4")
    assert desk.portal.values("contacts", attempted, STATUS) == {STATUS: "CONNECTED"}
