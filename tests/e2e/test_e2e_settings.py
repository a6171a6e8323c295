"""Settings and rule files broken on purpose: every fault is told with its place, all at once, and no secret with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hubsync.settings import default_rules
from tests.e2e.conftest import Hubsync
from tests.sync.desk import STATUS, Desk, ago

SECRET = "pat-na1-0123-secret-4567"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("HUBSYNC_ACESS_TOKEN={secret}", "did you mean HUBSYNC_ACCESS_TOKEN"),
        ("HUBSYNC_ACCESS_TOKEN=Bearer {secret}", "paste the token alone"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_POLL_SECONDS={secret}", "must be a whole number"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_WRITE={secret}", "must be true or false"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_API_URL={secret}", "must be an address"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_DATABASE_URL={secret}", "sqlite:///FILE"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_EFFECTIVE_SINCE=yesterday {secret}", "must be a date"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\nHUBSYNC_RULES=no/such/folder", "existing folder"),
        ("HUBSYNC_ACCESS_TOKEN={secret}\n{secret}", ".env:2"),
    ],
    ids=["misspelt", "pasted", "number", "switch", "address", "database", "moment", "folder", "no setting"],
)
def test_an_env_file_with_a_fault_ends_with_2_names_it_and_prints_no_secret(
    hubsync: Hubsync, isolated: Path, lines: str, said: str
) -> None:
    (isolated / ".env").write_text(lines.format(secret=SECRET) + "\n")
    ran = hubsync("sync", "--write")
    assert ran.code == 2
    assert said in ran.err
    assert SECRET not in ran.err + ran.out
    assert "secret" not in ran.err
    assert not (isolated / "hubsync.db").exists()


def test_all_faults_of_an_env_file_are_told_at_once(hubsync: Hubsync, isolated: Path) -> None:
    (isolated / ".env").write_text("HUBSYNC_WRITE=perhaps\nHUBSYNC_POLL_SECONDS=often\nHUBSYNC_RULEZ=x\n")
    ran = hubsync("audit")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 3


@pytest.fixture
def own_rules(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the rules that come with hubsync, to break."""
    folder = isolated / "rules"
    shutil.copytree(default_rules(), folder)
    monkeypatch.setenv("HUBSYNC_RULES", "rules")
    return folder


FAULTS = {
    "syntax": ("automations.yaml", "rules:\n", "rules: [\n"),
    "misspelt key": ("automations.yaml", "    playbook: A9\n", "    playbok: A9\n"),
    "key twice": ("automations.yaml", "    playbook: A9\n", "    playbook: A9\n    playbook: A9\n"),
    "unknown status": ("automations.yaml", "set: {lead_status: attempting}", "set: {lead_status: attemping}"),
    "unknown operator": ("automations.yaml", "{is: qualified}", "{equals: qualified}"),
    "unknown cause": ("automations.yaml", "cause: deal_opened", "cause: deal_open"),
    "no cause": ("automations.yaml", "    cause: first_rep_outreach\n", ""),
    "id twice": ("automations.yaml", "id: qualified_moves_the_stage", "id: converted_on_open_deal"),
    "bad duration": ("automations.yaml", "settle: 15 minutes", "settle: a while"),
    "unknown rule outranked": ("automations.yaml", "outranks: [", "outranks: [nobody, "),
    "unknown template": ("tasks.yaml", "template: first_contact,", "template: first_contakt,"),
    "cell forgotten": (
        "matrix.yaml",
        '      customer: {report: "Lead status Current customer, but the Lifecycle stage is Lead."}\n',
        "",
    ),
    "bad share": ("portal.yaml", "share: 10%", "share: some"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_in_a_rule_file_ends_with_2_and_tells_its_place(
    desk: Desk, hubsync: Hubsync, own_rules: Path, fault: str
) -> None:
    name, before, after = FAULTS[fault]
    text = (own_rules / name).read_text(encoding="utf-8")
    assert before in text
    (own_rules / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    desk.sets(desk.lead("CONNECTED"), STATUS, "QUALIFIED", at=ago(hours=1))
    ran = hubsync("sync", "--write")
    assert ran.code == 2, ran.out
    first = ran.err.splitlines()[0]
    file, line, column, _message = first.split(":", 3)
    assert file.endswith(name)
    assert int(line) >= 1
    assert int(column) >= 1
    assert desk.written() == []
    assert hubsync("rules", "check", "--no-proof").code == 1


def test_all_faults_of_the_rule_files_are_told_at_once(desk: Desk, hubsync: Hubsync, own_rules: Path) -> None:
    for fault in ("unknown status", "unknown cause", "unknown template"):
        name, before, after = FAULTS[fault]
        file = own_rules / name
        file.write_text(file.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    ran = hubsync("audit")
    assert ran.code == 2
    assert len([line for line in ran.err.splitlines() if ".yaml:" in line]) >= 3
    assert "did you mean" in ran.err
