"""Fetching the dear facts that a decision lacks (design 4): histories, deals, engagements, each read once per contact.

For whoever asks conditions of contacts page by page; what is to be fetched is told by the answers. Only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hubsync.policy.contact import Contact, Engagement
from hubsync.policy.view import DEALS, ENGAGEMENTS, HISTORY, MEETINGS, TASKS
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Task

TALK_KINDS = ("emails", "calls", "communications")
MORE_PROPERTIES = {"emails": ("hs_email_from_email", "hs_email_to_email", "hs_email_cc_email")}
DONE = "COMPLETED"


def fetch(
    gateway: Gateway,
    contacts: Sequence[Contact],
    needs: Mapping[str, int],
    names: Sequence[str],
    history: Sequence[str],
) -> list[Contact]:
    """The contacts with what they need: `needs` maps an id to a mask of what to read (policy/view.py).

    A history comes with the properties (`names`) as they are now. Contacts deleted or merged meanwhile are left out.
    """
    known = {contact.id: contact for contact in contacts}

    def lacking(mask: int) -> list[str]:
        return [id_ for id_ in known if needs[id_] & mask]

    if asked := lacking(HISTORY):
        read = gateway.read_contacts(asked, names, history).found
        for id_ in asked:
            before, fresh = known.pop(id_), read.get(id_)
            if fresh is not None and fresh.id == id_:
                known[id_] = before.with_history(fresh.properties, fresh.history or {})
    if asked := lacking(DEALS):
        deals = gateway.deals_of(asked)
        known |= {id_: replace(known[id_], deals=deals.get(id_, ())) for id_ in asked}
    if asked := lacking(ENGAGEMENTS):
        marks = gateway.engagements_of(asked, TALK_KINDS, MORE_PROPERTIES)
        known |= {id_: replace(known[id_], engagements=marks.get(id_, ())) for id_ in asked}
    if asked := lacking(MEETINGS):
        held = gateway.engagements_of(asked, ("meetings",))
        known |= {id_: replace(known[id_], meetings=held.get(id_, ())) for id_ in asked}
    if asked := lacking(TASKS):
        tasks = gateway.tasks_of(asked)
        known |= {id_: replace(known[id_], others_tasks=_others(known[id_], tasks.get(id_, ()))) for id_ in asked}
    return list(known.values())


def everything_dear(gateway: Gateway, contact: Contact) -> Contact:
    """One contact, its history read already, with all the rest that is dear."""
    found = fetch(gateway, [contact], {contact.id: DEALS | ENGAGEMENTS | MEETINGS | TASKS}, (), ())
    return found[0]


def _others(contact: Contact, tasks: Sequence[Task]) -> tuple[Engagement, ...]:
    """The open tasks that aren't ours, by when they are due."""
    ours = {*contact.digests, *(task.task_id for task in contact.open_tasks)}
    open_ones = [
        Engagement("tasks", task.id, at, {"hs_task_status": task.status, "hubspot_owner_id": task.owner_id})
        for task in tasks
        if task.status != DONE and task.id not in ours and (at := task.due or task.created_at) is not None
    ]
    return tuple(sorted(open_ones, key=lambda task: (task.at, task.id)))
