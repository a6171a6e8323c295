"""Driving a portal from outside: the control surface, the journal, the clock, the portal as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from hubsync.sandbox import Portal, Sandbox, SandboxClock

Call = Callable[..., requests.Response]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def steer(box: Sandbox, session: requests.Session) -> Callable[..., Any]:
    """`steer("act", {...})` posts to the control surface, without body it gets; answers the result."""

    def send(name: str, body: Any = None) -> Any:
        url = f"{box.url}/_sandbox/{name}"
        answer = session.get(url, timeout=5) if body is None else session.post(url, json=body, timeout=5)
        return answer.json()["result"] if answer.ok else answer.json()["message"]

    return send


def test_acts_by_name(steer: Callable[..., Any], portal: Portal, contact: str, owner: str) -> None:
    arguments = {"contact": contact, "owner": owner, "start": "2026-03-05T09:00:00+00:00", "title": "Demo"}
    meeting = steer("act", {"name": "book_meeting", "arguments": arguments})
    assert portal.values("meetings", meeting, "hs_meeting_start_time") == {
        "hs_meeting_start_time": "2026-03-05T09:00:00.000Z"
    }
    assert "KeyError" in steer("act", {"name": "win_lottery"})
    assert "TypeError" in steer("act", {"name": "rep_calls", "arguments": {"who": contact}})


def test_the_clock_moves_and_the_date_header_follows(steer: Callable[..., Any], call: Call) -> None:
    assert steer("clock", {"advance": 86_400}) == "2026-03-03T12:00:00+00:00"
    date = parsedate_to_datetime(call("GET", "/crm/v3/owners").headers["Date"])
    assert date == datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_faults_and_switches_from_outside(steer: Callable[..., Any], call: Call, portal: Portal) -> None:
    assert steer("faults", [{"kind": "locked", "times": 1}]) == 1
    assert call("GET", "/crm/v3/owners").status_code == 423
    assert call("GET", "/crm/v3/owners").status_code == 200
    assert steer("switches", {"search_lag": 0})["search_lag"] == 0
    assert portal.switches.search_lag == 0
    assert "KeyError" in steer("switches", {"no_such_switch": 1})


def test_the_journal_holds_requests_and_effective_writes(steer: Callable[..., Any], call: Call, contact: str) -> None:
    for value in ("NEW", "NEW"):
        call("PATCH", f"/crm/v3/objects/contacts/{contact}", {"properties": {"hs_lead_status": value}})
    requests_made = steer("journal")
    assert [(each["method"], each["status"], each["written"]) for each in requests_made] == [
        ("PATCH", 200, [contact]),
        ("PATCH", 200, []),
    ]
    writes = [each for each in steer("writes") if each["property"]]
    assert [(each["id"], each["property"], each["before"], each["after"]) for each in writes] == [
        (contact, "hs_lead_status", "", "NEW")
    ]
    assert writes[0]["source"]["type"] == "INTEGRATION"
    assert steer("stats")["by_status"] == {"200": 2}
    steer("clear-journal", {})
    assert steer("journal") == []


def test_an_unknown_control_route_says_so(steer: Callable[..., Any]) -> None:
    assert steer("explode") == "no control route GET explode"


def test_the_clock_runs_in_real_time_unless_frozen() -> None:
    running = SandboxClock(datetime(2026, 1, 1, tzinfo=UTC))
    first = running.now()
    while running.now() == first:
        pass
    running.freeze()
    assert running.now() == running.now()
    with pytest.raises(ValueError, match="time zone"):
        running.set(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_portal_runs_as_a_process_of_its_own() -> None:
    arguments = ["--contacts", "3", "--flat", "--seed", "5", "--while-stdin"]
    with subprocess.Popen(
        [sys.executable, "-m", "hubsync.sandbox", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        answer = requests.get(
            f"{line['url']}/crm/v3/objects/contacts",
            headers={"Authorization": f"Bearer {line['token']}"},
            timeout=10,
        )
        assert len(answer.json()["results"]) == line["contacts"] == 3
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0
