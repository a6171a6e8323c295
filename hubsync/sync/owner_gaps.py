"""Managed contacts that nobody owns, and who may take them: their company's owner, else one owner for all the rest.

The simplest form of routing (playbook T12): account first. Reads only; what comes of it is a bulk change (bulk.py).
"""

from __future__ import annotations

from hubsync.errors import SettingsError
from hubsync.sync.bulk_list import Entry, Listed
from hubsync.sync.bulk_pick import OWNER, Asked
from hubsync.sync.bulk_where import Where
from hubsync.sync.choosing import choose
from hubsync.sync.reconcile import Session

COMPANY = "associatedcompanyid"
THEIRS, GIVEN = "the company's owner", "nobody owned it"


def owners_for_gaps(session: Session, where: Where, fallback: str | None) -> tuple[Asked, list[str]]:
    """The bulk change that gives them owners, and the contacts for whom there is none.

    `where` must hold of a contact besides having no owner; `fallback` is an owner's id or e-mail. Raises SettingsError
    for a fallback that is no active owner.
    """
    active = {owner.id for owner in session.portal.owners if not owner.archived}
    rest = _owner(session, fallback) if fallback is not None else None
    company = {
        one.contact.id: str(one.facts[COMPANY] or "")
        for one in choose(session, where, [OWNER, COMPANY])
        if not one.facts[OWNER]
    }
    owner_of = session.gateway.company_owners(sorted({id_ for id_ in company.values() if id_}))
    listed, left = Listed("owner gaps"), []
    for line, (contact, account) in enumerate(sorted(company.items()), start=1):
        theirs = owner_of.get(account)
        owner = theirs if theirs in active else rest
        if owner is None:
            left.append(contact)
        else:
            listed.entries[contact] = Entry(contact, owner, THEIRS if owner == theirs else GIVEN, line)
    return Asked("", listed=listed, target=OWNER), left


def _owner(session: Session, wanted: str) -> str:
    for owner in session.portal.owners:
        if wanted.casefold() in {owner.id, owner.email.casefold()} and not owner.archived:
            return owner.id
    raise SettingsError(f'"{wanted}" is no active owner of portal {session.portal.id}; `hubsync check` lists them.')
