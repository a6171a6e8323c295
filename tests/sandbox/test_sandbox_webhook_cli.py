"""`hubsync sandbox --webhooks URL`: the portal of one's own tells a receiver of one's own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from hubsync.cli.main import run
from tests.sandbox.receiver import Receiver

PROGRAM = "from hubsync.cli import main; main()"


@pytest.fixture
def announced(receiver: Receiver) -> Iterator[dict[str, str]]:
    """The settings that a running `hubsync sandbox` printed, and its last line under ""."""
    command = [sys.executable, "-u", "-c", PROGRAM, "sandbox", "--contacts", "0", "--webhooks", receiver.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = {}
        for line in process.stdout:
            name, _, value = line.strip().partition("=")
            found["" if line.startswith("# Webhooks") else name] = value or line.strip()
            if "Ctrl-C ends it" in line:
                break
        yield found
        process.send_signal(signal.SIGINT)


def test_it_prints_where_webhooks_go_and_sends_them_there(
    announced: dict[str, str], receiver: Receiver, session: requests.Session
) -> None:
    assert announced[""] == f"# Webhooks go to {receiver.url}; those that fail are sent again."
    assert announced["HUBSYNC_PUBLIC_URL"] == receiver.base
    control = f"{announced['HUBSYNC_API_URL']}/_sandbox"
    act = {"name": "create_contact", "arguments": {"email": "ada@example.com"}}
    created = session.post(f"{control}/act", json=act, timeout=10).json()["result"]
    assert session.post(f"{control}/drain", json={"timeout": 5}, timeout=10).json()["result"] is True
    assert [(event["subscriptionType"], event["objectId"]) for event in receiver.events] == [
        ("object.creation", int(created))
    ]


def test_an_address_that_cannot_be_called_ends_it_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "--contacts", "0", "--webhooks", "localhost:8000"]) == 2
    told = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "--webhooks" in told
    assert "http://127.0.0.1:8000/webhooks/hubspot" in told
