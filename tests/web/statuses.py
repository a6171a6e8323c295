"""A status to show: one where all is well, one where nothing is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hubsync.service.proof import ProofState
from hubsync.service.status import Alert, Held, Parked, Poll, Status
from hubsync.store.values import Run
from tests.web.asking import NOW, PORTAL

WELL = Status(
    at=NOW,
    portal=PORTAL,
    ui_domain="app-eu1.hubspot.com",
    writes=True,
    rules_digest="9f2c1d7e5b3a4c6d8e0f",
    rules_since=NOW - timedelta(days=3),
    proof=ProofState("proved"),
    problems={},
    polls=tuple(
        Poll(kind, NOW - timedelta(seconds=40))
        for kind in ("contacts", "emails", "calls", "meetings", "communications", "deals")
    ),
    due=0,
    due_since=None,
    parked=(),
    parked_in_all=0,
    held=(),
    runs=(
        Run(
            id=12,
            kind="serve",
            args={},
            state="running",
            rules_digest="9f2c",
            started_at=NOW - timedelta(minutes=4),
            finished_at=None,
            counts={},
            epoch=3,
        ),
        Run(
            id=11,
            kind="sync",
            args={},
            state="done",
            rules_digest="9f2c",
            started_at=NOW - timedelta(days=1),
            finished_at=NOW - timedelta(days=1) + timedelta(seconds=95),
            counts={},
            epoch=2,
        ),
    ),
    alerts=(),
)

ILL = replace(
    WELL,
    writes=False,
    rules_digest=None,
    rules_since=None,
    proof=ProofState("not proved", "The rules in force are not proved to settle: 1 fault. <b>up</b> and down fight."),
    problems={
        "token": "HubSpot refused the token (401) for portal 62515. Renew it in the portal; nothing was written.",
        "held qualified_moves_the_stage": "Rule qualified_moves_the_stage changed 50 contacts within an hour.",
    },
    polls=tuple(replace(poll, at=None) for poll in WELL.polls),
    due=12_345,
    due_since=NOW - timedelta(hours=2),
    parked=(
        Parked("4211", "ValueError: <script>alert(1)</script> is no date", 6),
        Parked("deals:77", "KeyError: 'results'", 6),
    ),
    parked_in_all=209,
    held=(
        Held(
            "qualified_moves_the_stage",
            NOW - timedelta(minutes=20),
            207,
            "hubsync guard release qualified_moves_the_stage",
        ),
        Held(None, NOW - timedelta(minutes=5), 1, "hubsync guard release all"),
    ),
    alerts=(Alert(NOW - timedelta(minutes=20), "Rule qualified_moves_the_stage is held after 50 changes in an hour."),),
)
