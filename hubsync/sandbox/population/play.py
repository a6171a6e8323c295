"""Plays stories in a portal: every act of every lead in the order of time, by the acts people have there.

Contacts, mails and deals so get ascending ids as they came into being, and histories are never out of order. It knows
which act of a story is which act of the portal, nothing of why it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from hubsync.sandbox import acts
from hubsync.sandbox.acts import sources
from hubsync.sandbox.population import texts
from hubsync.sandbox.population.furniture import Offices
from hubsync.sandbox.population.story import Step, Story
from hubsync.sandbox.records import Source
from hubsync.sandbox.state import Portal

_WORKFLOWS: Final[Mapping[str, tuple[str, str]]] = {
    "hs_lead_status": ("5801", "Set lead status"),
    "lifecyclestage": ("5802", "Promote by score"),
    "hubspot_owner_id": ("5803", "Assign to a rep"),
}
_APPS: Final[Mapping[str, str]] = {texts.INTEGRATIONS[0]: "87000", texts.INTEGRATIONS[1]: "87001"}
_TEAM_APP: Final = ("87002", "Sales engagement")


@dataclass(slots=True)
class Actor:
    """One story on stage: the contact it became, and what was made in it by handle."""

    story: Story
    company: str | None
    contact: str = ""
    last_mail: str = ""
    made: dict[int, str] = field(default_factory=dict)
    twin: Actor | None = None


class Player:
    """Performs steps in one portal. `offices` says which owner id each member of the staff has."""

    def __init__(self, portal: Portal, offices: Offices) -> None:
        self._portal = portal
        self._owners = offices.owners
        self._zone = ZoneInfo(portal.time_zone)
        self._acts: dict[str, Callable[[Actor, Mapping[str, Any], datetime], object]] = {
            "create": self._create,
            "assign": self._assign,
            "sets": self._sets,
            "clear_then_set": self._clear_then_set,
            "review": self._review,
            "form": lambda a, x, at: acts.submit_form(portal, a.contact, x["name"], at=at),
            "merge": self._merge,
            "mail": self._mail,
            "call": self._call,
            "message": lambda a, x, at: acts.rep_messages(portal, a.contact, self._rep(a), x["channel"], at=at),
            "reply": lambda a, x, at: acts.lead_replies(portal, a.contact, self._re(a), x["text"], at=at),
            "opt_out": lambda a, x, at: acts.lead_opts_out(portal, a.contact, x["text"], subject=self._re(a), at=at),
            "auto_reply": lambda a, x, at: acts.lead_auto_replies(portal, a.contact, x["subject"], x["text"], at=at),
            "bounce": lambda a, _, at: acts.email_bounces(portal, a.contact, a.last_mail, at=at),
            "note": lambda a, x, at: acts.log_note(portal, a.contact, x["text"], self._rep(a), at=at),
            "plan": self._plan,
            "book": self._book,
            "hold": lambda a, x, at: acts.hold_meeting(portal, a.made[x["handle"]], self._rep(a), at=at),
            "miss": lambda a, x, at: acts.miss_meeting(portal, a.made[x["handle"]], self._rep(a), at=at),
            "deal": self._deal,
            "move": lambda a, x, at: acts.move_deal(portal, a.made[x["handle"]], x["stage"], self._rep(a), at=at),
            "win": lambda a, x, at: acts.win_deal(portal, a.made[x["handle"]], self._rep(a), at=at),
            "lose": lambda a, x, at: acts.lose_deal(portal, a.made[x["handle"]], x["reason"], self._rep(a), at=at),
        }

    def play(self, actors: Iterable[Actor]) -> None:
        """Perform everything, oldest act first."""
        scenes: list[tuple[datetime, int, int, Actor, Step]] = []
        for number, actor in enumerate(actors):
            scenes += [(step.at, number, place, actor, step) for place, step in enumerate(actor.story.steps)]
            if actor.twin is not None:
                scenes += [(step.at, number, -1, actor.twin, step) for step in actor.twin.story.steps]
        scenes.sort(key=lambda scene: scene[:3])
        for at, _, _, actor, step in scenes:
            self._acts[step.act](actor, step.args, at)

    def _rep(self, actor: Actor) -> str:
        return self._owners[actor.story.rep]

    def _re(self, actor: Actor) -> str:
        mail = self._portal.get("emails", actor.last_mail).values if actor.last_mail else {}
        return f"Re: {mail.get('hs_email_subject', '')}"

    def _source(self, actor: Actor, by: str, detail: str) -> Source:
        """Who does it, for history: `detail` is the form, file, app, or the property a workflow sets."""
        match by:
            case "rep":
                return sources.person(self._portal, self._rep(actor))
            case "manager":
                return sources.person(self._portal, self._owners[actor.story.manager])
            case "workflow":
                return sources.workflow(*_WORKFLOWS[detail])
            case "form":
                return sources.form(detail)
            case "import":
                number = texts.IMPORT_FILES.index(detail) if detail in texts.IMPORT_FILES else 0
                return sources.imported(str(33_100 + number))
            case "integration":
                return (
                    sources.integration(_APPS[detail], detail) if detail in _APPS else sources.integration(*_TEAM_APP)
                )
        raise ValueError(f"nobody acts as {by}")

    def _create(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        person, firm = actor.story.person, actor.story.firm
        values = {
            "firstname": person.first,
            "lastname": person.last,
            "email": person.email,
            "phone": person.phone,
            "jobtitle": person.job,
            "company": firm.name,
            "country": firm.country,
            "annualrevenue": str(firm.revenue),
            **args["values"],
        }
        if args["owned"]:
            values["hubspot_owner_id"] = self._rep(actor)
        source = self._source(actor, args["by"], args["detail"])
        actor.contact = acts.create_contact(self._portal, values, source=source, company=actor.company, at=at)

    def _set(self, actor: Actor, by: str, name: str, value: str, at: datetime) -> None:
        changes = self._portal.schemas.checked("contacts", {name: value})
        self._portal.update("contacts", actor.contact, changes, source=self._source(actor, by, name), at=at)

    def _assign(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        self._set(actor, args["by"], "hubspot_owner_id", self._rep(actor), at)

    def _sets(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        self._set(actor, args["by"], args["name"], args["value"], at)

    def _clear_then_set(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        source = self._source(actor, args["by"], args["name"])
        acts.clear_then_set(self._portal, actor.contact, args["name"], args["value"], source=source, at=at)

    def _review(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        day = (at + timedelta(days=args["days"])).astimezone(self._zone).date().isoformat()
        self._set(actor, "rep", "hubsync_review_date", day, at)

    def _merge(self, actor: Actor, _args: Mapping[str, Any], at: datetime) -> None:
        if actor.twin is None:
            raise ValueError("a story without a second record has nothing to merge")
        acts.merge_contacts(self._portal, actor.contact, actor.twin.contact, at=at)

    def _mail(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        actor.last_mail = acts.rep_sends_email(
            self._portal,
            actor.contact,
            self._rep(actor),
            subject=args["subject"],
            by_sequence=args["sequence"],
            at=at,
        )

    def _call(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        minutes = timedelta(minutes=7 if args["outcome"] == "connected" else 0)
        acts.rep_calls(self._portal, actor.contact, self._rep(actor), outcome=args["outcome"], duration=minutes, at=at)

    def _plan(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        due = max(at, self._portal.clock.now()) + timedelta(days=args["days"])
        acts.create_task(self._portal, actor.contact, self._rep(actor), args["subject"], due, at=at)

    def _book(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        actor.made[args["handle"]] = acts.book_meeting(
            self._portal, actor.contact, self._rep(actor), args["starts"], title=args["title"], at=at
        )

    def _deal(self, actor: Actor, args: Mapping[str, Any], at: datetime) -> None:
        deal = actor.made[args["handle"]] = acts.create_deal(
            self._portal,
            actor.contact,
            stage=args["stage"],
            amount=args["amount"],
            name=args["name"],
            owner=self._rep(actor),
            close=at + timedelta(days=args["closes_in"]),
            at=at,
        )
        if actor.company is not None:
            self._portal.links.add("deals", deal, "companies", actor.company)
