"""Stories that look like work and aren't: what hubsync must leave alone.

Each tempts a rule that judges by half of what happened: an auto-reply isn't an answer, a person's later choice counts,
a colleague isn't a lead. No property of these contacts is to be written.
"""

from __future__ import annotations

from hubsync.sandbox.population import tidy, untidy
from hubsync.sandbox.population.story import Story


def unmapped_option(s: Story) -> None:
    """The shipped option Open, which no key maps: unmanaged."""
    s.create("rep", s.rng.choice(("lead", "mql")), "open", owned=True).wait(5, 60).mails()


def on_hold(s: Story) -> None:
    """Untidy, but somebody said hands off."""
    untidy.mql_without_status(s)
    s.wait(0.1, 30).own_property("hubsync_hold", "true", s.rng.choice(("rep", "manager")))


def excluded_domain(s: Story) -> None:
    """Untidy, but a colleague or a partner, not a lead."""
    untidy.mql_without_status(s)


def put_back_to_new(s: Story) -> None:
    """The rep mailed and then set New again by hand: a new cycle, and the rep's word counts."""
    tidy.attempting(s, tries=1).wait(10, 60).status("new")


def parked_after_loss(s: Story) -> None:
    """The deal was lost and the rep chose nurture: newer than the loss, so it stays."""
    deal = tidy.converted(s)
    s.wait(40, 200).loses(deal, "budget")
    s.wait(1, 20).status("nurture").wait(0, 0.02).review_in(60)


def auto_reply_only(s: Story) -> None:
    """Only the mailbox answered."""
    tidy.attempting(s, tries=1).wait(3, 8).mails().wait(0.01, 0.02).auto_replies()


def opted_out(s: Story) -> None:
    """Answered to be left alone: not a conversation."""
    tidy.attempting(s, tries=1).wait(3, 8).mails().wait(1, 20).opts_out()


def bounced(s: Story) -> None:
    """The mail did not arrive."""
    tidy.attempting(s, tries=1).wait(3, 8).mails().wait(0.01, 0.02).bounces()


def opportunity_without_status(s: Story) -> None:
    """A deal is open, and nobody ever kept a status: not covered by with_status."""
    s.create("rep", "lead", owned=True).wait(5, 60).deal()
    s.wait(0.02, 1).stage("opportunity", "workflow")


def renewal(s: Story) -> None:
    """A customer with a second deal, converted again."""
    tidy.customer(s)
    s.wait(200, 500).deal()
    s.wait(0.05, 2).status("converted")


def cleared_then_set(s: Story) -> None:
    """Someone emptied the status and set it a moment later."""
    tidy.attempting(s, tries=1).wait(5, 30).calls("connected")
    s.wait(0.05, 1).clear_then_sets("hs_lead_status", "CONNECTED")


def ping_pong(s: Story) -> None:
    """A workflow and an integration put the status back and forth."""
    tidy.connected(s).wait(3, 20)
    for _ in range(3):
        s.wait(0.2, 2).status("working", "workflow").wait(0.2, 2).status("connected", "integration")


def merged(s: Story) -> None:
    """Was two records of one person until a rep merged them."""
    tidy.attempting(s, tries=1).wait(1, 20).absorbs_twin()
