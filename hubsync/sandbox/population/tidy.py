"""Leads as they should be: journeys through stages and statuses that break nothing.

Each journey goes on where the one before it stops (`attempting` begins with `new`), so that a long history reads as
one. By default the last act is recent enough for the state it leaves: nobody waits in New for a week here. What goes
wrong is written in untidy.py, out of the same pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hubsync.sandbox.population import texts
from hubsync.sandbox.population.story import By, Story


@dataclass(frozen=True, slots=True)
class Tidy:
    """A state leads may well be in. `ended` = how many hours ago the last act was, from … to; None = any time.

    `planned` = the rep has a task for the next step, as every active lead should.
    """

    name: str
    share: float
    write: Callable[[Story], object]
    ended: tuple[float, float] | None = None
    planned: bool = False


# -- the way in ------------------------------------------------------------


def arrive(s: Story, stage: str = "lead", status: str = "new") -> Story:
    """A lead comes in by form, import, integration or a rep's hand, with stage, status and owner."""
    by: By = s.rng.choices(("form", "import", "integration", "rep"), (50, 20, 12, 18))[0]
    if by == "form":
        s.create("form", detail=s.rng.choice(texts.FORMS), stage="subscriber" if s.rng.random() < 0.3 else stage)
        s.wait(0, 0.02)
        if s.steps[0].args["values"]["lifecyclestage"] == "subscriber" and stage != "subscriber":
            s.wait(0, 72).form().wait(0, 0.01).stage(stage)
        if stage != "subscriber":
            s.assign("workflow").wait(0, 0.01)
        if status:
            s.status(status, "workflow")
    else:
        detail = {"import": texts.IMPORT_FILES, "integration": texts.INTEGRATIONS}.get(by, ("",))
        s.create(by, stage, status, owned=True, detail=s.rng.choice(detail))
    return s


def new(s: Story) -> Story:
    """A lead in New, at lead or MQL, that nobody has touched."""
    arrive(s)
    if s.rng.random() < 0.5:
        s.wait(0.2, 20).stage("mql")
    return s


def mql(s: Story) -> Story:
    """A lead in New whose stage went on to MQL."""
    return arrive(s).wait(0.5, 48).stage("mql")


def attempting(s: Story, tries: int | None = None) -> Story:
    """The rep tries, by one or several channels; the status says so since the first try."""
    new(s).wait(0.3, 4).reaches_out()
    s.wait(0.01, 0.4).status("attempting", s.rng.choices(("rep", "workflow"), (70, 30))[0])
    for _ in range(s.rng.randrange(0, 3) if tries is None else tries - 1):
        s.wait(12, 30).reaches_out()
    return s


def connected(s: Story) -> Story:
    """A human answered: by mail, on the phone, or by booking a meeting."""
    attempting(s).wait(2, 60)
    how = s.rng.choices(("reply", "call", "meeting"), (50, 30, 20))[0]
    if how == "reply":
        if not any(step.act == "mail" for step in s.steps):
            s.mails().wait(1, 30)
        s.replies()
    elif how == "call":
        s.calls("connected").wait(0.02, 0.1).notes()
    else:
        s.meeting = s.books(s.rng.uniform(5, 8))
    return s.wait(0.02, 3).status("connected")


def working(s: Story) -> Story:
    """Discovery is under way, at MQL or SQL."""
    connected(s).wait(4, 24)
    meeting = s.meeting or s.books(s.rng.uniform(1, 3))
    s.wait(74, 96).holds(meeting).wait(0.05, 1).status("working")
    if s.rng.random() < 0.6:
        s.wait(0.05, 24).stage("sql", s.rng.choice(("rep", "workflow")))
    for _ in range(s.rng.randrange(0, 3)):
        s.wait(20, 90).mails().wait(1, 20).replies()
    return s.wait(1, 40).notes()


def qualified(s: Story) -> Story:
    """The lead meets the criteria, at SQL, and the deal isn't there yet."""
    working(s).wait(4, 60)
    _to_sql(s)
    return s.wait(0.05, 1).status("qualified")


def _to_sql(s: Story) -> None:
    if not s.reached("sql"):
        s.stage("sql", "rep")


def converted(s: Story, deal_stage: str = "qualifiedtobuy") -> int:
    """A deal is open, the stage is opportunity, the status converted; the deal's handle."""
    qualified(s).wait(2, 48)
    deal = s.deal(deal_stage)
    s.wait(0.02, 1).stage("opportunity", "rep").wait(0, 0.05).status("converted")
    return deal


def open_deal(s: Story) -> None:
    """Converted, and the deal moves."""
    deal = converted(s)
    for stage in ("presentationscheduled", "decisionmakerboughtin", "contractsent")[: s.rng.randrange(0, 4)]:
        s.wait(24, 140).moves(deal, stage)
    if s.rng.random() < 0.5:
        s.wait(4, 60).mails().wait(1, 30).replies()


def second_deal_open(s: Story) -> None:
    """One deal lost, another one open: still converted."""
    lost = converted(s)
    s.wait(48, 200).deal()
    s.wait(24, 120).loses(lost, "timing")


# -- how it ends ------------------------------------------------------------


def customer(s: Story) -> None:
    """The deal is won; stage and status follow."""
    deal = converted(s)
    s.wait(60, 300).moves(deal, "contractsent").wait(30, 200).wins(deal)
    s.wait(0.01, 2).stage("customer", "workflow").status("customer", "workflow", together=True)


def evangelist(s: Story) -> None:
    """A customer who recommends."""
    customer(s)
    s.wait(60, 300).stage("evangelist", "rep")


def lost_for_now(s: Story) -> None:
    """The deal is lost, the status says bad timing, and a review is planned."""
    deal = converted(s)
    s.wait(60, 300).loses(deal, s.rng.choice(("budget", "timing", "unresponsive", "unclear")))
    s.wait(0.05, 20).status("bad_timing").wait(0, 0.02).review_in(s.rng.randrange(85, 100))


def lost_for_good(s: Story) -> None:
    """The deal is lost to a competitor or for fit, and the lead disqualified with that reason."""
    deal = converted(s)
    reason = s.rng.choice(("competitor", "wrong_fit"))
    s.wait(60, 300).loses(deal, reason)
    s.wait(0.05, 20).own_property("hubsync_reason", reason).wait(0, 0.02).status("disqualified")


def nurture(s: Story) -> None:
    """Fits, but not ready: parked with a review date."""
    connected(s)
    _meeting_fails(s)
    s.wait(20, 120).notes().wait(0.02, 0.3).status("nurture").wait(0, 0.02).review_in(90)


def disqualified(s: Story) -> None:
    """A dead end, with its reason."""
    if s.rng.random() < 0.5:
        connected(s)
        _meeting_fails(s)
    else:
        attempting(s, tries=5)
    reason = s.rng.choice(("budget", "no_authority", "wrong_fit", "unresponsive", "duplicate", "spam"))
    s.wait(24, 120).own_property("hubsync_reason", reason).wait(0, 0.02).status("disqualified")


def unqualified(s: Story) -> None:
    """Doesn't meet the criteria; nurture or disqualified is chosen within two business days."""
    connected(s)
    _meeting_fails(s)
    s.wait(5, 60).notes().wait(0.05, 1).status("unqualified")


def _meeting_fails(s: Story) -> None:
    if s.meeting:
        s.wait(100, 160).misses(s.meeting)


def recycled(s: Story) -> None:
    """Was disqualified for budget, came back by a form."""
    attempting(s, tries=3).wait(30, 100).own_property("hubsync_reason", "budget").wait(0, 0.02).status("disqualified")
    s.wait(300, 700).form().wait(1, 8).status("recycled", "manager")


def salesaccepted(s: Story) -> None:
    """At the portal's own stage between MQL and SQL, connected."""
    connected(s)
    if not s.reached("mql"):
        s.wait(0.1, 2).stage("mql", "rep")
    s.wait(0.1, 20).stage("sal", "rep")


# -- not in anybody's hands ------------------------------------------------------------


def subscriber(s: Story) -> None:
    """Reads the newsletter."""
    s.create("form", "subscriber", detail="White paper: lead hygiene")
    if s.rng.random() < 0.3:
        s.wait(24, 400).form()


def cold_list(s: Story) -> None:
    """A bought address at stage lead: no owner, no hand raised, so out of scope."""
    s.create("import", "lead", detail=texts.IMPORT_FILES[1])


def no_stage(s: Story) -> None:
    """Came by an integration that knows no stages."""
    s.create("integration", detail=texts.INTEGRATIONS[1])


def aside(s: Story) -> None:
    """Stage other: a supplier, a job seeker."""
    s.create("rep", "other", owned=True)


TIDY: Final = (
    Tidy("subscriber", 8, subscriber),
    Tidy("cold_list", 5, cold_list),
    Tidy("no_stage", 2, no_stage),
    Tidy("aside", 2, aside),
    Tidy("new", 6, new, (1, 10)),
    Tidy("mql", 4, mql, (1, 8)),
    Tidy("attempting", 12, attempting, (2, 50), planned=True),
    Tidy("connected", 9, connected, (4, 90), planned=True),
    Tidy("working", 12, working, (4, 120), planned=True),
    Tidy("salesaccepted", 3, salesaccepted, (4, 60), planned=True),
    Tidy("qualified", 3, qualified, (2, 40), planned=True),
    Tidy("open_deal", 9, open_deal, (4, 300), planned=True),
    Tidy("second_deal_open", 1.5, second_deal_open, (4, 300), planned=True),
    Tidy("customer", 8, customer),
    Tidy("evangelist", 1, evangelist),
    Tidy("lost_for_now", 4, lost_for_now, (4, 1200)),
    Tidy("lost_for_good", 3, lost_for_good),
    Tidy("nurture", 6, nurture, (4, 1200)),
    Tidy("disqualified", 6, disqualified),
    Tidy("unqualified", 1, unqualified, (1, 12)),
    Tidy("recycled", 2, recycled, (1, 20)),
)
