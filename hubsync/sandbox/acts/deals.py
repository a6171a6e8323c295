"""What happens to deals: opened, moved, won, lost."""

from __future__ import annotations

from datetime import datetime

from hubsync.sandbox.acts import sources
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import iso


def create_deal(
    portal: Portal,
    contact: str | None,
    *,
    pipeline: str = "default",
    stage: str | None = None,
    amount: float | None = None,
    name: str | None = None,
    owner: str | None = None,
    close: datetime | None = None,
    label: int | None = None,
    at: datetime | None = None,
) -> str:
    """A deal is opened for the contact (None: for nobody yet), in the pipeline's first step unless `stage` says other.

    `label` is an association type id of the portal's own. Raises KeyError for an unknown pipeline, stage or contact.
    """
    with portal.lock:
        found = portal.directory.pipelines[pipeline]
        step = found.stage(stage) if stage else found.stages[0]
        values = {
            "dealname": name or f"Deal {portal.tables['deals'].revision + 1}",
            "pipeline": pipeline,
            "dealstage": step.id,
            "amount": None if amount is None else f"{amount:g}",
            "hubspot_owner_id": owner,
            "closedate": close and iso(portal.moment(close)),
        }
        if step.closed and not close:
            values["closedate"] = iso(portal.moment(at))
        opener = sources.person(portal, owner)
        deal = portal.create("deals", values, source=opener, at=at)
        if contact:
            moment = portal.moment(at)
            portal.links.add("deals", deal, "contacts", contact, type_id=label, at=moment, source=opener)
        return deal


def move_deal(portal: Portal, deal: str, stage: str, user: str | None = None, *, at: datetime | None = None) -> None:
    """A person moves the deal to another step of its pipeline. Raises KeyError."""
    _move(portal, deal, {"dealstage": stage}, user, at)


def win_deal(
    portal: Portal, deal: str, user: str | None = None, *, amount: float | None = None, at: datetime | None = None
) -> None:
    """The deal is won."""
    extra = {} if amount is None else {"amount": f"{amount:g}"}
    _close(portal, deal, extra, user, at, won=True)


def lose_deal(
    portal: Portal, deal: str, reason: str = "", user: str | None = None, *, at: datetime | None = None
) -> None:
    """The deal is lost, for a reason in free text."""
    _close(portal, deal, {"closed_lost_reason": reason} if reason else {}, user, at, won=False)


def _close(
    portal: Portal, deal: str, extra: dict[str, str], user: str | None, at: datetime | None, *, won: bool
) -> None:
    with portal.lock:
        pipeline = portal.directory.pipelines[portal.get("deals", deal).values["pipeline"]]
        stage = next(step for step in pipeline.stages if step.closed and step.won is won)
        _move(portal, deal, {"dealstage": stage.id, "closedate": iso(portal.moment(at)), **extra}, user, at)


def _move(portal: Portal, deal: str, changes: dict[str, str], user: str | None, at: datetime | None) -> None:
    with portal.lock:
        record = portal.get("deals", deal)
        portal.directory.pipelines[record.values["pipeline"]].stage(changes["dealstage"])
        mover = sources.person(portal, user or record.values.get("hubspot_owner_id"))
        portal.update("deals", deal, changes, source=mover, at=at)
