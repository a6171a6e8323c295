"""Stories that go wrong, one for everything that the playbook answers.

Each uses tidy journeys and then goes wrong in the one way meant; where a correction is due, its cause is newer than the
last change by a person. Which statement of the playbook answers it stands in kinds.py.
"""

from __future__ import annotations

from hubsync.sandbox.population import texts, tidy
from hubsync.sandbox.population.story import Story

# -- no status, or an old one ------------------------------------------------------------


def lead_without_status(s: Story) -> None:
    """A form or a rep made a lead and nobody set a status."""
    if s.rng.random() < 0.6:
        s.create("form", "lead", detail=s.rng.choice(texts.FORMS)).wait(0, 0.02).assign()
    else:
        s.create("rep", "lead", owned=True)


def imported_without_status(s: Story) -> None:
    """An import or integration made an owned lead without a status."""
    by_import = s.rng.random() < 0.6
    s.create(
        "import" if by_import else "integration",
        "lead",
        owned=True,
        detail=s.rng.choice(texts.IMPORT_FILES if by_import else texts.INTEGRATIONS),
    )


def mql_without_status(s: Story) -> None:
    """Became MQL by a workflow, or was imported as one, with no status."""
    if s.rng.random() < 0.75:
        s.create("form", s.rng.choice(("subscriber", "lead")), detail=s.rng.choice(texts.FORMS))
        s.wait(0, 0.02).assign().wait(1, 400).stage("mql")
    else:
        s.create("import", "mql", owned=True, detail=s.rng.choice(texts.IMPORT_FILES))


def outreach_but_new(s: Story) -> None:
    """A rep reached out, and the status still says New."""
    tidy.new(s).wait(1, 30).reaches_out()
    for _ in range(s.rng.randrange(0, 3)):
        s.wait(20, 60).reaches_out()


def outreach_without_status(s: Story) -> None:
    """A rep reached out to a lead that never had a status."""
    mql_without_status(s)
    s.wait(1, 60).reaches_out()


def replied_still_attempting(s: Story) -> None:
    """The lead answered, and the status still says that nobody did."""
    tidy.attempting(s)
    if s.rng.random() < 0.7:
        s.wait(3, 30).mails().wait(1, 40).replies()
    else:
        s.wait(3, 30).calls("connected")


def meeting_held_still_connected(s: Story) -> None:
    """The meeting took place, and nobody moved the status on."""
    tidy.connected(s).wait(3, 30)
    meeting = s.meeting or s.books(2)
    s.wait(60, 90).holds(meeting)


# -- stage and status disagree ------------------------------------------------------------


def qualified_below_sql(s: Story) -> None:
    """Qualified by the rep, and the stage stays at lead, MQL or the portal's own stage."""
    tidy.connected(s)
    if s.rng.random() < 0.25:
        s.wait(1, 20).stage("sal", "rep")
    s.wait(20, 90).notes().wait(0.05, 1).status("qualified")


def promoted_still_new(s: Story) -> None:
    """Made SQL by a workflow, an integration or a person while still New."""
    tidy.mql(s).wait(1, 60).stage("sql", s.rng.choice(("workflow", "integration", "rep")))


def sql_set_back_to_new(s: Story) -> None:
    """At SQL and worked, then set to New by hand: the textbook error."""
    tidy.attempting(s).wait(10, 60).stage("sql", "rep").wait(10, 200).status("new", s.rng.choice(("rep", "workflow")))


def sql_without_status(s: Story) -> None:
    """Made SQL, and there is no status at all."""
    s.create("import", "lead", owned=True, detail=texts.IMPORT_FILES[0])
    s.wait(5, 400).stage("sql", s.rng.choice(("rep", "integration", "workflow")))


def mql_converted_with_deal(s: Story) -> None:
    """Converted with an open deal, and the stage never left MQL."""
    tidy.connected(s)
    if not s.reached("mql"):
        s.wait(0.1, 2).stage("mql", "rep")
    s.wait(10, 60).deal()
    s.wait(0.05, 2).status("converted")


def converted_without_deal(s: Story) -> None:
    """Converted by hand, and there is no deal."""
    tidy.attempting(s).wait(10, 100).status("converted")


def subscriber_new(s: Story) -> None:
    """A subscriber whom a list made New."""
    s.create("form", "subscriber", detail=texts.FORMS[2]).wait(20, 300).status("new", "workflow")


def customer_attempting(s: Story) -> None:
    """A customer whom a rep is prospecting."""
    tidy.customer(s)
    s.wait(200, 500).mails().wait(0.05, 2).status("attempting")


def no_stage_working(s: Story) -> None:
    """A status, and no stage."""
    s.create("integration", owned=True, detail=texts.INTEGRATIONS[0])
    s.wait(5, 50).mails().wait(0.1, 3).status("attempting")


def opportunity_new(s: Story) -> None:
    """At opportunity without any deal, then set to New."""
    tidy.working(s).wait(10, 60).stage("opportunity", "rep").wait(20, 100).status("new")


def back_to_mql(s: Story) -> None:
    """Sales sent the lead back to marketing: the stage went from SQL to MQL, the status stayed, or is empty."""
    tidy.working(s).wait(2, 20)
    if not s.reached("sql"):
        s.stage("sql", "rep").wait(2, 60)
    if s.rng.random() < 0.3:
        s.status("none").wait(1, 30)
    s.back_to("mql", s.rng.choice(("rep", "manager")))


# -- deals ------------------------------------------------------------


def open_deal_but_working(s: Story) -> None:
    """A deal is open, and the status still says connected or working."""
    (tidy.working if s.rng.random() < 0.6 else tidy.connected)(s)
    s.wait(5, 60).deal()
    if s.rng.random() < 0.3:
        s.wait(0.02, 1).stage("opportunity", "rep")


def open_deal_but_qualified(s: Story) -> None:
    """A deal is open, and the status still says qualified."""
    tidy.qualified(s)
    s.wait(5, 60).deal()


def lost_but_converted(s: Story) -> None:
    """Every deal is lost, for now, and the status still says converted."""
    deal = tidy.converted(s)
    if s.rng.random() < 0.3:
        s.wait(20, 60).loses(s.deal(), "budget")
    s.wait(40, 200).loses(deal, s.rng.choice(("budget", "timing", "no_authority", "unresponsive", "unclear")))


def lost_to_competitor(s: Story) -> None:
    """The deal went to a competitor, and the status still says converted."""
    deal = tidy.converted(s)
    s.wait(40, 200).loses(deal, "competitor")


def lost_for_fit(s: Story) -> None:
    """The product doesn't fit, and the status still says converted."""
    deal = tidy.converted(s)
    s.wait(40, 200).loses(deal, "wrong_fit")


def won_not_customer(s: Story) -> None:
    """The deal is won, and the contact is still an opportunity."""
    deal = tidy.converted(s)
    s.wait(40, 200).moves(deal, "contractsent").wait(20, 100).wins(deal)


def converted_moved_back(s: Story) -> None:
    """A rep moved a converted lead back to working or connected while the deal is open."""
    tidy.open_deal(s)
    s.wait(10, 100).status(s.rng.choice(("working", "connected", "attempting")))


def converted_parked(s: Story) -> None:
    """A rep parked a converted lead while the deal is open."""
    tidy.open_deal(s)
    s.wait(10, 100).status("bad_timing")


# -- nobody looks after them ------------------------------------------------------------


def without_owner(s: Story) -> None:
    """Raised a hand by form, is New, and belongs to nobody."""
    s.create("form", "lead", detail=s.rng.choice(texts.FORMS)).wait(0, 0.02).status("new", "workflow")


def new_too_long(s: Story) -> None:
    """New for days, and nobody wrote or called."""
    tidy.new(s)


def attempting_too_long(s: Story) -> None:
    """Attempting for weeks."""
    tidy.attempting(s)


def tried_too_often(s: Story) -> None:
    """Nine tries and more, no answer."""
    tidy.attempting(s, tries=s.rng.randrange(9, 13))


def connected_too_long(s: Story) -> None:
    """Spoke once, and weeks later there is no verdict."""
    tidy.connected(s)
    if s.meeting:
        s.wait(100, 160).misses(s.meeting)


def stale_working(s: Story) -> None:
    """Working, and nothing has happened for more than a month."""
    tidy.working(s)


def stalled_deal(s: Story) -> None:
    """Converted, and the deal hasn't moved for more than a month."""
    tidy.converted(s)


def undecided(s: Story) -> None:
    """Unqualified for days, and neither nurture nor disqualified was chosen."""
    tidy.unqualified(s)


def without_next_action(s: Story) -> None:
    """Working since yesterday, and no task or meeting says what comes next."""
    tidy.working(s)


def left_with_former_rep(s: Story) -> None:
    """Recycled, with an owner who has left the company (the population gives it to them)."""
    tidy.recycled(s)


def review_date_arrived(s: Story) -> None:
    """Bad timing, and the review date has come."""
    deal = tidy.converted(s)
    s.wait(60, 200).loses(deal, "timing")
    s.wait(0.05, 20).status("bad_timing").wait(0, 0.02).review_in(14)


def bad_timing_replied(s: Story) -> None:
    """Bad timing, and the lead writes again."""
    tidy.lost_for_now(s)
    s.wait(200, 600).replies()


def nurture_came_back(s: Story) -> None:
    """In nurture, and the lead submits a form or answers."""
    tidy.nurture(s)
    s.wait(100, 500)
    if s.rng.random() < 0.5:
        s.form()
    else:
        s.mails().wait(1, 40).replies()
