"""The path table, and how routes are shown."""

from __future__ import annotations

import pytest

from hubsync.errors import SettingsError
from hubsync.portal.paths import Paths, route


@pytest.mark.parametrize(
    ("path", "dated"),
    [
        ("/crm/v3/objects/contacts", "/crm/objects/2026-09/contacts"),
        ("/crm/v3/objects/contacts/batch/read", "/crm/objects/2026-09/contacts/batch/read"),
        ("/crm/v3/objects/tasks/search", "/crm/objects/2026-09/tasks/search"),
        ("/crm/v4/associations/contacts/deals/batch/read", "/crm/associations/2026-09/contacts/deals/batch/read"),
        ("/crm/v3/properties/contacts", "/crm/properties/2026-09/0-1"),
        ("/crm/v3/properties/contacts/hs_lead_status", "/crm/properties/2026-09/0-1/hs_lead_status"),
        ("/crm/v3/properties/deals", "/crm/properties/2026-09/deals"),
        ("/crm/v3/owners/", "/crm/owners/2026-09"),
        ("/crm/v3/pipelines/deals", "/crm/v3/pipelines/deals"),
        ("/account-info/v3/details", "/account-info/v3/details"),
    ],
)
def test_a_dated_version_has_its_own_paths_where_hubspot_has_them(path: str, dated: str) -> None:
    assert Paths("2026-09").path(path) == dated


def test_v3_paths_stay_but_for_a_trailing_slash() -> None:
    assert Paths("v3").path("/crm/v3/owners/") == "/crm/v3/owners"
    assert Paths("v3").path("/crm/v4/associations/a/b/batch/read") == "/crm/v4/associations/a/b/batch/read"


def test_a_version_of_another_form_is_a_setting_to_be_mended() -> None:
    with pytest.raises(SettingsError, match='HUBSYNC_API_VERSION "v4"'):
        Paths("v4")


def test_routes_are_shown_without_ids() -> None:
    assert route("/crm/v3/objects/contacts/501") == "/crm/v3/objects/contacts/{id}"
    assert route("/crm/objects/2026-09/contacts/501/x") == "/crm/objects/2026-09/contacts/{id}/x"
