"""Which permissions the token has, found out by calls that read one record or write none.

HubSpot has no call that lists a private token's scopes; a 403 names the ones that are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hubsync.errors import ContactGone, PortalPermanentError, TokenRefused
from hubsync.portal.asking import Asker
from hubsync.portal.values import ScopeCheck


@dataclass(frozen=True, slots=True)
class _Probe:
    """`scope` is named where HubSpot's 403 doesn't name one itself."""

    scope: str
    needed_for: str
    call: Callable[[Asker], Any]


def _list(kind: str) -> Callable[[Asker], Any]:
    return lambda asker: asker.ask(asker.transport.basic.get_page, kind, limit=1, decode=lambda answer: answer.status)


def _owners(asker: Asker) -> Any:
    return asker.ask(asker.transport.owners.get_page, limit=1, decode=lambda answer: answer.status)


def _properties(asker: Asker) -> Any:
    return asker.ask(
        asker.transport.properties.get_by_name, "contacts", "lifecyclestage", decode=lambda answer: answer.status
    )


def _no_update(asker: Asker) -> Any:
    return asker.ask(asker.transport.batch.update, "contacts", {"inputs": []}, decode=lambda answer: answer.status)


PROBES = (
    _Probe(
        "crm.objects.contacts.read", "reading contacts, their calls, meetings, messages and tasks", _list("contacts")
    ),
    _Probe("crm.objects.contacts.write", "writing statuses and stages, creating tasks", _no_update),
    _Probe("crm.schemas.contacts.read", "the definitions of properties and their options", _properties),
    _Probe("crm.objects.deals.read", "deals and their pipelines", _list("deals")),
    _Probe("sales-email-read", "e-mails on the timeline", _list("emails")),
    _Probe("crm.objects.owners.read", "owners and their teams", _owners),
)


def check_scopes(asker: Asker) -> tuple[ScopeCheck, ...]:
    """One entry per permission hubsync needs; a missing one goes by the name that HubSpot gives it.

    Raises TokenRefused for a token that isn't valid at all.
    """
    checks: list[ScopeCheck] = []
    for probe in PROBES:
        missing = _missing(asker, probe)
        if missing is None:
            checks.append(ScopeCheck(probe.scope, probe.needed_for, present=True))
        else:
            checks.extend(ScopeCheck(scope, probe.needed_for, present=False) for scope in missing or (probe.scope,))
    return tuple(checks)


def _missing(asker: Asker, probe: _Probe) -> tuple[str, ...] | None:
    try:
        probe.call(asker)
    except TokenRefused as error:
        if error.status == 401:
            raise
        return error.scopes
    except (ContactGone, PortalPermanentError):
        return None  # let in, and refused for what was asked: an empty batch, a property that isn't there
    return None
