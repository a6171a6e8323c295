"""`alerts:` and the service's limits in portal.yaml: what may stand there, and what is a fault with its line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hubsync.errors import RuleFileError
from hubsync.policy.portal_spec import AlertsSpec, GuardSpec, TeamAlertsSpec
from hubsync.rulefiles.load import load_rules
from hubsync.settings import default_rules


def with_portal(folder: Path, *, alerts: str = "alerts: {}", guard: str = "guard: {}") -> Path:
    """The shipped rules with these sections instead of theirs."""
    shutil.copytree(default_rules(), folder / "rules")
    path = folder / "rules" / "portal.yaml"
    kept = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(("alerts:", "guard:"))
    ]
    path.write_text("\n".join([*kept, alerts, guard, ""]), encoding="utf-8")
    return folder / "rules"


def test_who_is_told_and_how_much_may_be_written_is_read(tmp_path: Path) -> None:
    portal = load_rules(
        with_portal(
            tmp_path,
            alerts="alerts: {to: [ops@example.com], from: h@example.com, teams: {Paris: {webhook_from: PARIS_URL}}}",
            guard="guard: {rule_an_hour: 500, all_a_day: 2000}",
        )
    ).files.portal
    assert portal.alerts == AlertsSpec.model_validate(
        {
            "to": ["ops@example.com"],
            "from": "h@example.com",
            "teams": {"Paris": TeamAlertsSpec(webhook_from="PARIS_URL")},
        }
    )
    assert portal.guard == GuardSpec(rule_an_hour=500, all_a_day=2_000)


def test_the_shipped_rules_tell_nobody_and_leave_the_limits_to_the_size_of_the_portal() -> None:
    portal = load_rules(default_rules()).files.portal
    assert portal.alerts == AlertsSpec()
    assert (portal.guard.rule_an_hour, portal.guard.all_a_day) == (None, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alerts": "alerts: {to: [ops]}"}, '"ops" is not an e-mail address'),
        ({"alerts": 'alerts: {from: "a@b\\nBcc: c@d"}'}, "is not an e-mail address"),
        ({"alerts": "alerts: {too: [ops@example.com]}"}, 'unknown key "too"; did you mean "to"?'),
        ({"alerts": "alerts: {teams: {Paris: {webhook: X}}}"}, 'unknown key "webhook"; did you mean "webhook_from"?'),
        (
            {"alerts": 'alerts: {teams: {Paris: {webhook_from: "https://hooks.example.com/x"}}}'},
            "must be the name of an environment variable that doesn't begin with HUBSYNC_, not an address",
        ),
        ({"alerts": "alerts: {teams: {Paris: {webhook_from: HUBSYNC_PARIS}}}"}, "doesn't begin with HUBSYNC_"),
        ({"guard": "guard: {rule_an_hour: 0}"}, "rule_an_hour must be at least 1, not 0"),
        ({"guard": "guard: {all_a_week: 9}"}, 'unknown key "all_a_week"; did you mean "all_a_day"?'),
    ],
)
def test_what_can_not_be_used_is_a_fault_with_its_line(tmp_path: Path, given: dict[str, str], said: str) -> None:
    folder = with_portal(tmp_path, **given)
    lines = (folder / "portal.yaml").read_text(encoding="utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text in given.values())
    with pytest.raises(RuleFileError) as refused:
        load_rules(folder)
    assert {problem.line for problem in refused.value.problems} == {line}
    assert any(said in problem.message for problem in refused.value.problems)
    assert "hooks.example.com" not in str(refused.value)
