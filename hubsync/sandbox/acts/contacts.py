"""What happens to contacts themselves: created, changed by people and automations, merged, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from hubsync.sandbox import merge
from hubsync.sandbox.acts import sources
from hubsync.sandbox.records import CALCULATED, Source
from hubsync.sandbox.state import Portal
from hubsync.sandbox.times import from_ms, iso

Origin = Literal["form", "person", "import", "integration", "workflow", "app"]


def source_of(portal: Portal, origin: str, user: str | None = None) -> Source:
    """The history source of an origin; `user` is an owner id. Raises ValueError for an unknown origin."""
    match origin:
        case "form":
            return sources.form()
        case "person":
            return sources.person(portal, user)
        case "import":
            return sources.imported()
        case "integration":
            return sources.integration()
        case "workflow":
            return sources.workflow()
        case "app":
            return portal.app_source
    raise ValueError(f"unknown origin {origin}")


def create_contact(
    portal: Portal,
    properties: Mapping[str, str] | None = None,
    *,
    source: Origin | Source = "person",
    user: str | None = None,
    company: str | None = None,
    at: datetime | None = None,
    **more: str,
) -> str:
    """A contact comes into being. `source` says how; a form also counts as a submission. Values are checked.

    Raises UnknownPropertyError, InvalidValueError, EmailTakenError.
    """
    values = portal.schemas.checked("contacts", {**(properties or {}), **more})
    origin = source if isinstance(source, Source) else source_of(portal, source, user)
    if origin.type == "FORM":
        values |= _submission(origin.label or "Form", portal.moment(at), 0)
    to = [("companies", company)] if company else []
    return portal.create("contacts", values, source=origin, at=at, to=to)


def create_company(
    portal: Portal,
    name: str,
    *,
    domain: str | None = None,
    properties: Mapping[str, str] | None = None,
    owner: str | None = None,
    at: datetime | None = None,
) -> str:
    """A company comes into being."""
    wanted = {"name": name, "domain": domain, "hubspot_owner_id": owner, **(properties or {})}
    values = portal.schemas.checked("companies", wanted)
    return portal.create("companies", values, source=sources.person(portal, owner), at=at)


def person_sets(
    portal: Portal, contact: str, prop: str, value: str, user: str | None = None, *, at: datetime | None = None
) -> None:
    """A person sets a property in HubSpot ("" clears). `user` is an owner id. People may move a stage backward."""
    _set(portal, contact, prop, value, sources.person(portal, user), at)


def workflow_sets(
    portal: Portal,
    contact: str,
    prop: str,
    value: str,
    *,
    workflow_id: str = "5801",
    name: str = "Workflow",
    at: datetime | None = None,
) -> None:
    """A workflow sets a property."""
    _set(portal, contact, prop, value, sources.workflow(workflow_id, name), at)


def import_sets(
    portal: Portal, contact: str, prop: str, value: str, *, import_id: str = "33120", at: datetime | None = None
) -> None:
    """A file import sets a property."""
    _set(portal, contact, prop, value, sources.imported(import_id), at)


def integration_sets(
    portal: Portal,
    contact: str,
    prop: str,
    value: str,
    *,
    app_id: str = "77700",
    name: str = "Another app",
    at: datetime | None = None,
) -> None:
    """Another app sets a property through the API."""
    _set(portal, contact, prop, value, sources.integration(app_id, name), at)


def clear_then_set(
    portal: Portal,
    contact: str,
    prop: str,
    value: str,
    *,
    source: Origin | Source = "integration",
    user: str | None = None,
    gap: float = 1.0,
    at: datetime | None = None,
) -> None:
    """Clear a property and set it `gap` seconds later, as apps do to move a stage backward."""
    origin = source if isinstance(source, Source) else source_of(portal, source, user)
    start = from_ms(portal.moment(at))
    _set(portal, contact, prop, "", origin, start)
    _set(portal, contact, prop, value, origin, start + timedelta(seconds=gap))


def assign_owner(
    portal: Portal, contact: str, owner: str, user: str | None = None, *, at: datetime | None = None
) -> None:
    """A person (default: the new owner) gives the contact to `owner` ("" takes the owner away)."""
    _set(portal, contact, "hubspot_owner_id", owner, sources.person(portal, user or owner or None), at)


def submit_form(portal: Portal, contact: str, form: str = "Contact us", *, at: datetime | None = None) -> None:
    """The contact submits a form."""
    with portal.lock:
        moment = portal.moment(at)
        record = portal.get("contacts", contact)
        count = int(record.values.get("num_conversion_events", "0"))
        values = _submission(form, moment, count)
        if count:
            del values["first_conversion_date"], values["first_conversion_event_name"]
        portal.update("contacts", contact, values, source=sources.form(form), at=at)


def delete_contact(portal: Portal, contact: str, user: str | None = None, *, at: datetime | None = None) -> None:
    """A person deletes the contact."""
    portal.archive("contacts", contact, source=sources.person(portal, user), at=at)


def restore_contact(portal: Portal, contact: str, *, at: datetime | None = None) -> None:
    """A person takes the contact back out of the recycling bin."""
    portal.restore("contacts", contact, source=sources.person(portal, None), at=at)


def privacy_delete(portal: Portal, contact: str, *, at: datetime | None = None) -> None:
    """The contact is deleted for good, as the law allows them to ask."""
    portal.purge("contacts", contact, source=sources.person(portal, None), at=at)


def merge_contacts(
    portal: Portal, primary: str, other: str, *, at: datetime | None = None, new_id: bool = False
) -> str:
    """A person merges `other` into `primary`; answers the survivor's id."""
    return merge.merge_contacts(portal, primary, other, by=sources.person(portal, None), at=at, new_id=new_id)


def _submission(form: str, moment: int, count: int) -> dict[str, str]:
    return {
        "num_conversion_events": str(count + 1),
        "num_unique_conversion_events": "1",
        "first_conversion_date": iso(moment),
        "first_conversion_event_name": form,
        "recent_conversion_date": iso(moment),
        "recent_conversion_event_name": form,
    }


def _set(portal: Portal, contact: str, prop: str, value: str, source: Source, at: datetime | None) -> None:
    calculated = source is CALCULATED
    changes = {prop: value} if calculated else portal.schemas.checked("contacts", {prop: value})
    portal.update("contacts", contact, changes, source=source, at=at)
