"""Owners, users, teams, pipelines and the account itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Call, Reply, json_reply
from hubsync.sandbox.times import iso

_FOUNDED = iso(1_577_836_800_000)


def owners(call: Call) -> Reply:
    """GET owners: active ones, or only the archived; by `email` where given."""
    archived, email = call.flag("archived"), call.one("email").lower()
    limit, after = call.number("limit", 100, 500), call.one("after")
    found = [
        owner
        for owner in call.portal.directory.owners.values()
        if owner.archived is archived and (not email or owner.email.lower() == email)
    ]
    start = next((place for place, owner in enumerate(found) if owner.id == after), 0)
    body: dict[str, Any] = {"results": [owner.to_json() for owner in found[start : start + limit]]}
    if start + limit < len(found):
        following = found[start + limit].id
        body["paging"] = {"next": {"after": following, "link": f"https://api.hubapi.com{call.path}?after={following}"}}
    return json_reply(200, body)


def owner(call: Call, owner_id: str) -> Reply:
    """GET one owner, by owner id or by `idProperty=userId`."""
    archived = call.flag("archived")
    by_user = call.one("idProperty") == "userId"
    for each in call.portal.directory.owners.values():
        if (str(each.user_id) if by_user else each.id) == owner_id and each.archived is archived:
            return json_reply(200, each.to_json())
    raise problems.no_object()


def users(call: Call) -> Reply:
    """GET users: those who aren't deactivated."""
    found = [each for each in call.portal.directory.owners.values() if not each.archived]
    return json_reply(
        200,
        {
            "results": [
                {
                    "id": str(each.user_id),
                    "email": each.email,
                    "firstName": each.first_name,
                    "lastName": each.last_name,
                    "roleIds": [],
                    "superAdmin": each.super_admin,
                    "primaryTeamId": each.teams[0].id if each.teams else None,
                    "secondaryTeamIds": [team.id for team in each.teams[1:]],
                }
                for each in found
            ]
        },
    )


def teams(call: Call) -> Reply:
    """GET teams with their users."""
    people = [each for each in call.portal.directory.owners.values() if not each.archived]
    return json_reply(
        200,
        {
            "results": [
                {
                    "id": team.id,
                    "name": team.name,
                    "userIds": [str(each.user_id) for each in people if each.teams[:1] == (team,)],
                    "secondaryUserIds": [str(each.user_id) for each in people if team in each.teams[1:]],
                }
                for team in call.portal.directory.teams.values()
            ]
        },
    )


def pipelines(call: Call, kind: str) -> Reply:
    """GET pipelines; only deals have any here."""
    found = call.portal.directory.pipelines.values() if kind == "deals" else ()
    return json_reply(200, {"results": [each.to_json(_FOUNDED) for each in found]})


def pipeline(call: Call, kind: str, pipeline_id: str) -> Reply:
    """GET one pipeline."""
    found = call.portal.directory.pipelines.get(pipeline_id) if kind == "deals" else None
    if found is None:
        raise problems.no_object()
    return json_reply(200, found.to_json(_FOUNDED))


def account(call: Call) -> Reply:
    """GET account details."""
    portal = call.portal
    offset = portal.clock.now().astimezone(ZoneInfo(portal.time_zone)).utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    return json_reply(
        200,
        {
            "portalId": portal.portal_id,
            "accountType": portal.account_type,
            "timeZone": portal.time_zone,
            "companyCurrency": portal.currency,
            "additionalCurrencies": [],
            "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": portal.ui_domain,
            "dataHostingLocation": "na1",
        },
    )


def next_midnight(now: datetime, zone: str) -> datetime:
    """When the day's allowance starts anew: midnight in the account's zone."""
    local = now.astimezone(ZoneInfo(zone))
    following = datetime.fromordinal(local.toordinal() + 1)
    return following.replace(tzinfo=ZoneInfo(zone))
