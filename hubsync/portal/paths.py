"""Which path speaks for which version of HubSpot's API: one table, so that a new version is one line.

The SDK knows v3 and v4 paths alone; dated versions (`2026-09`) took over objects, associations, properties and
owners, everything else stays where it was. Nothing else in hubsync spells a version.
"""

from __future__ import annotations

import re

from hubsync.errors import SettingsError

DATED = re.compile(r"\d{4}-\d{2}(-beta)?")

# Contacts' property definitions go by the object type's id in the dated guide, by its name in v3.
_DATED_TABLE: tuple[tuple[str, str], ...] = (
    ("/crm/v3/objects/", "/crm/objects/{version}/"),
    ("/crm/v4/associations/", "/crm/associations/{version}/"),
    ("/crm/v3/properties/contacts", "/crm/properties/{version}/0-1"),
    ("/crm/v3/properties/", "/crm/properties/{version}/"),
    ("/crm/v3/owners", "/crm/owners/{version}"),
)


class Paths:
    """Translates the SDK's v3/v4 paths into those of `version` (`v3`, or a dated one such as `2026-09`).

    Raises SettingsError for a version of another form.
    """

    def __init__(self, version: str = "v3") -> None:
        if version != "v3" and not DATED.fullmatch(version):
            raise SettingsError(f'HUBSYNC_API_VERSION "{version}" is neither v3 nor a dated version such as 2026-09.')
        self.version = version

    def path(self, path: str) -> str:
        """The path to call for the SDK's `path`. A trailing slash (the SDK's owners call has one) is dropped."""
        path = path.rstrip("/")
        if self.version == "v3":
            return path
        for old, new in _DATED_TABLE:
            if path.startswith(old):
                return new.format(version=self.version) + path[len(old) :]
        return path


def route(path: str) -> str:
    """`path` with record ids blanked: what statistics and messages show."""
    return re.sub(r"/\d+(?=/|$)", "/{id}", path)
