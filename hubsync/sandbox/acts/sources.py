"""Who acts, as HubSpot's history names them (hubspot-api.md 2.5; those of workflows, forms, imports are assumed)."""

from __future__ import annotations

from hubsync.sandbox.records import Source
from hubsync.sandbox.state import Portal


def person(portal: Portal, owner: str | None) -> Source:
    """A user at work in HubSpot, given by owner id (None: somebody without owner)."""
    found = portal.directory.owners.get(owner or "")
    user = found.user_id if found else 9_000_001
    return Source("CRM_UI", f"userId:{user}", found.name if found else None, user)


def workflow(workflow_id: str = "5801", name: str = "Workflow") -> Source:
    """A workflow of the portal."""
    return Source("AUTOMATION_PLATFORM", f"enrollmentId:{workflow_id};actionExecutionIndex:0", name)


def imported(import_id: str = "33120") -> Source:
    """A file import."""
    return Source("IMPORT", import_id, "Import")


def form(name: str = "Contact us") -> Source:
    """A form on the website."""
    return Source("FORM", name.lower().replace(" ", "-"), name)


def integration(app_id: str = "77700", name: str = "Another app") -> Source:
    """Some app other than hubsync."""
    return Source("INTEGRATION", app_id, name)
