"""A story: what happened to one lead, written as a list of acts with the time that passes between them.

Stories speak in policy keys and in hours; `place` sets them into the portal's past, so that the last act happened as
long ago as wished and people act in the working hours of their own country. A story knows no portal: play.py does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from hubsync.sandbox.population import texts
from hubsync.sandbox.population.people import PLACES, Firm, Person

By = Literal["rep", "manager", "workflow", "form", "import", "integration"]

STATUSES: Final[Mapping[str, str]] = {
    "new": "NEW",
    "attempting": "ATTEMPTED_TO_CONTACT",
    "connected": "CONNECTED",
    "working": "IN_PROGRESS",
    "qualified": "QUALIFIED",
    "unqualified": "UNQUALIFIED",
    "converted": "OPEN_DEAL",
    "nurture": "NURTURE",
    "bad_timing": "BAD_TIMING",
    "disqualified": "DISQUALIFIED",
    "recycled": "RECYCLED",
    "customer": "CUSTOMER",
    "open": "OPEN",
    "none": "",
}
"""Policy key → HubSpot value. `open` is the shipped option that no key maps."""

ADDED_STATUSES: Final = ("qualified", "nurture", "disqualified", "recycled", "customer")
"""The statuses HubSpot doesn't ship."""

WITHOUT_ADDED: Final[Mapping[str, str | None]] = {
    "qualified": None,
    "nurture": "bad_timing",
    "disqualified": "unqualified",
    "recycled": "new",
    "customer": None,
}
"""What people choose instead in a portal with HubSpot's eight statuses; None = they leave it as it is."""

SAL_STAGE: Final = "1077045801"
STAGES: Final[Mapping[str, str]] = {
    "subscriber": "subscriber",
    "lead": "lead",
    "mql": "marketingqualifiedlead",
    "sal": SAL_STAGE,
    "sql": "salesqualifiedlead",
    "opportunity": "opportunity",
    "customer": "customer",
    "evangelist": "evangelist",
    "other": "other",
}
"""Policy key → HubSpot value; a custom stage's value is numeric."""

DAY: Final = 24.0
LEAD_ACTS: Final = frozenset(("reply", "opt_out", "form", "book"))
"""What leads do: at any hour, but not within seconds."""
NOT_PLACED: Final = datetime.min.replace(tzinfo=UTC)
OPENS, CLOSES = time(8, 30), time(17, 30)


@dataclass(slots=True)
class Step:
    """One act: `hours` since the story began, then `at` once placed. `by_hand` = one of our people did it."""

    hours: float
    act: str
    args: dict[str, Any]
    by_hand: bool
    together: bool = False
    at: datetime = NOT_PLACED


@dataclass(slots=True)
class Story:
    """The acts around one lead, in order. `rep`, `manager` index the staff; `twin` is a second record of the person."""

    rng: Random
    person: Person
    firm: Firm
    rep: int
    manager: int
    added_statuses: bool = True
    own_properties: bool = True
    steps: list[Step] = field(default_factory=list)
    twin: Story | None = None
    owned: bool = False
    meeting: int = 0
    _clock: float = 0.0
    _handles: int = 0

    # -- time ---------------------------------------------------------------------------------------------------------

    def wait(self, low: float, high: float) -> Story:
        """Let between `low` and `high` hours pass before the next act."""
        self._clock += self.rng.uniform(low, high)
        return self

    def _do(self, act: str, by_hand: bool = False, together: bool = False, **args: Any) -> Story:
        self.steps.append(Step(self._clock, act, args, by_hand, together))
        return self

    def _handle(self) -> int:
        self._handles += 1
        return self._handles

    def _text(self, of: Mapping[str, tuple[str, ...]]) -> str:
        return self.rng.choice(of[self.firm.language]).format(first=self.person.first, company=self.firm.name)

    # -- the record ---------------------------------------------------------------------------------------------------

    def create(
        self, by: By, stage: str = "", status: str = "", owned: bool = False, detail: str = "", email: str | None = None
    ) -> Story:
        """The contact comes into being; `detail` names the form, file or integration it came by."""
        known = self._available(status) if status else None
        self.owned = owned
        values = {"lifecyclestage": STAGES.get(stage, ""), "hs_lead_status": STATUSES[known] if known else ""}
        values = {name: value for name, value in values.items() if value}
        return self._do("create", by == "rep", by=by, values=values, owned=owned, detail=detail, email=email)

    def assign(self, by: By = "workflow") -> Story:
        """The contact gets its owner: the story's rep."""
        if self.owned:
            return self
        self.owned = True
        return self._do("assign", by in {"rep", "manager"}, by=by)

    def _available(self, status: str) -> str | None:
        return status if self.added_statuses else WITHOUT_ADDED.get(status, status)

    def status(self, key: str, by: By = "rep", together: bool = False) -> Story:
        """The Lead status is set (`none` empties it). Without the added statuses: to what people choose then."""
        known = self._available(key)
        if known is None:
            return self
        return self.sets("hs_lead_status", STATUSES[known], by, together)

    def stage(self, key: str, by: By = "workflow", together: bool = False) -> Story:
        """The Lifecycle stage is set forward."""
        return self.sets("lifecyclestage", STAGES[key], by, together)

    def reached(self, stage: str) -> bool:
        """True where the story set that stage before, or began in it."""
        value = STAGES[stage]
        return any(
            value in (step.args.get("value"), step.args.get("values", {}).get("lifecyclestage")) for step in self.steps
        )

    def back_to(self, key: str, by: By = "rep") -> Story:
        """The stage is moved backwards the only way HubSpot allows: cleared, then set."""
        return self.clear_then_sets("lifecyclestage", STAGES[key], by)

    def clear_then_sets(self, name: str, value: str, by: By = "rep") -> Story:
        """A property is emptied and then set, within moments."""
        return self._do("clear_then_set", by in {"rep", "manager"}, by=by, name=name, value=value)

    def sets(self, name: str, value: str, by: By = "rep", together: bool = False) -> Story:
        """A property gets a value; `together` = at the moment of the act before, as one workflow step does."""
        return self._do("sets", by in {"rep", "manager"}, together, by=by, name=name, value=value)

    def own_property(self, name: str, value: str, by: By = "rep") -> Story:
        """One of hubsync's properties gets a value, where the portal has them."""
        return self.sets(name, value, by) if self.own_properties else self

    def review_in(self, days: int) -> Story:
        """`hubsync_review_date` is set to a day `days` after this act."""
        return self._do("review", True, days=days) if self.own_properties else self

    def form(self) -> Story:
        """The lead submits a form again."""
        return self._do("form", name=self.rng.choice(texts.FORMS))

    def absorbs_twin(self) -> Story:
        """A rep merges the other record of this person into this one."""
        return self._do("merge", True)

    # -- conversations ------------------------------------------------------------------------------------------------

    def mails(self, sequence: bool = False) -> Story:
        """The rep writes a one-to-one e-mail; `sequence` = sent by a sequence in the rep's name."""
        first = not any(step.act == "mail" for step in self.steps)
        subject = self._text(texts.OUTREACH if first else texts.FOLLOW_UP)
        return self._do("mail", not sequence, subject=subject, sequence=sequence)

    def calls(self, outcome: str = "no_answer") -> Story:
        """The rep calls; `outcome` is connected, no_answer, left_voicemail or busy."""
        return self._do("call", True, outcome=outcome)

    def messages(self, channel: str = "LINKEDIN_MESSAGE") -> Story:
        """The rep writes by LinkedIn, SMS or WhatsApp."""
        return self._do("message", True, channel=channel)

    def reaches_out(self) -> Story:
        """The rep tries some channel; nobody answers yet."""
        kind = self.rng.choices(("mail", "sequence", "call", "message"), (50, 15, 25, 10))[0]
        if kind == "call":
            return self.calls(self.rng.choice(("no_answer", "left_voicemail", "busy")))
        if kind == "message":
            return self.messages(self.rng.choice(("LINKEDIN_MESSAGE", "WHATS_APP", "SMS")))
        return self.mails(sequence=kind == "sequence")

    def replies(self) -> Story:
        """The lead answers the last mail."""
        return self._do("reply", text=self._text(texts.REPLIES))

    def opts_out(self) -> Story:
        """The lead asks not to be written to again."""
        return self._do("opt_out", text=self._text(texts.OPT_OUTS))

    def auto_replies(self) -> Story:
        """The lead's mailbox answers."""
        text = self._text(texts.AUTO_REPLIES)
        return self._do("auto_reply", subject=texts.AUTO_REPLY_SUBJECT[self.firm.language], text=text)

    def bounces(self) -> Story:
        """The rep's mail can't be delivered."""
        return self._do("bounce")

    def notes(self) -> Story:
        """The rep writes a note."""
        return self._do("note", True, text=self._text(texts.NOTES))

    def plans(self, in_days: float) -> Story:
        """The rep writes a task for the next step."""
        return self._do("plan", True, days=in_days, subject=self._text(texts.NEXT_STEPS))

    def books(self, in_days: float) -> int:
        """A meeting is booked `in_days` from now; its handle."""
        meeting = self._handle()
        self._do("book", False, handle=meeting, days=in_days, title=self._text(texts.MEETING_TITLES))
        return meeting

    def holds(self, meeting: int) -> Story:
        """The meeting took place."""
        return self._do("hold", True, handle=meeting)

    def misses(self, meeting: int) -> Story:
        """The lead did not come."""
        return self._do("miss", True, handle=meeting)

    # -- deals --------------------------------------------------------------------------------------------------------

    def deal(self, stage: str = "qualifiedtobuy") -> int:
        """The rep opens a deal; its handle."""
        deal = self._handle()
        name = self.rng.choice(texts.DEAL_NAMES).format(company=self.firm.name)
        amount = self.rng.randrange(20, 900) * 100
        self._do("deal", True, handle=deal, name=name, stage=stage, amount=amount, closes_in=self.rng.randrange(20, 90))
        return deal

    def moves(self, deal: int, stage: str) -> Story:
        """The deal goes to another step of the pipeline."""
        return self._do("move", True, handle=deal, stage=stage)

    def wins(self, deal: int) -> Story:
        """The deal is won."""
        return self._do("win", True, handle=deal)

    def loses(self, deal: int, reason: str) -> Story:
        """The deal is lost; `reason` is a category of texts.LOSS_REASONS, written down as free text."""
        return self._do("lose", True, handle=deal, reason=self._text(texts.LOSS_REASONS[reason]))

    # -- into the past ------------------------------------------------------------------------------------------------

    def place(self, now: datetime, ended_hours_ago: float, days: float) -> None:
        """Give every act its moment: the last one about `ended_hours_ago`, none older than `days`, none after `now`.

        People act in their working hours, so what falls into a night or a weekend waits for the morning. Where that
        would be in the future, the whole story happened earlier. Order is kept.
        """
        longest = max(days * DAY - 4 * DAY - ended_hours_ago, DAY)
        squeeze = min(1.0, longest / self._clock) if self._clock else 1.0
        zone = ZoneInfo(PLACES[self.firm.place].zone)
        end, latest = now - timedelta(hours=ended_hours_ago), now - timedelta(minutes=1)
        while (late := self._lay_out(end, squeeze, zone) - latest) > timedelta(0):
            end -= late
        self._set_meetings()

    def _lay_out(self, end: datetime, squeeze: float, zone: ZoneInfo) -> datetime:
        """Set every act's moment so that the last falls on `end` or the working hours after; answer when it does."""
        last = NOT_PLACED
        for step in self.steps:
            at = end - timedelta(hours=(self._clock - step.hours) * squeeze)
            if step.together:
                at = last
            elif step.by_hand:
                at = at_work(max(at, last + timedelta(seconds=self.rng.randrange(60, 400))), zone, self.rng)
            else:
                pause = self.rng.randrange(600, 7200) if step.act in LEAD_ACTS else self.rng.randrange(1, 9)
                at = max(at, last + timedelta(seconds=pause))
            step.at = last = at.replace(microsecond=at.microsecond // 1000 * 1000)
        return last

    def _set_meetings(self) -> None:
        """A meeting that was held or missed began an hour before that was noted; others begin as planned."""
        noted = {step.args["handle"]: step.at for step in self.steps if step.act in {"hold", "miss"}}
        for step in self.steps:
            if step.act == "book":
                planned = step.at + timedelta(days=step.args["days"])
                starts = noted.get(step.args["handle"], planned + timedelta(hours=1)) - timedelta(hours=1)
                step.args["starts"] = max(starts, step.at + timedelta(minutes=1))


def at_work(at: datetime, zone: ZoneInfo, rng: Random) -> datetime:
    """`at` if somebody in `zone` works then, else some moment of the next morning at work."""
    local = at.astimezone(zone)
    if local.weekday() < 5 and OPENS <= local.time() < CLOSES:
        return at
    day = local.date()
    if local.time() >= CLOSES:
        day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day, OPENS, zone).astimezone(UTC) + timedelta(minutes=rng.uniform(0, 120))
