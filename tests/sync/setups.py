"""What tests of setting a portal up share: short words for it, and somebody else at the same definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hubsync.policy.portal_spec import PortalSpec
from hubsync.portal.values import Definition
from hubsync.sandbox.schema import Option
from hubsync.sync.setting_up import Addition, Setup, plan_setup, write_setup
from hubsync.sync.taking_setup_back import SetupUndoing, write_setup_undo
from tests.builders import shipped
from tests.sync.desk import STATUS, Desk

ADDED = ["QUALIFIED", "NURTURE", "DISQUALIFIED", "RECYCLED", "CUSTOMER"]
OURS = list(shipped().files.portal.properties)


def spec(desk: Desk) -> PortalSpec:
    return desk.loaded.files.portal


def plan(desk: Desk) -> Setup:
    desk.rebind()
    return plan_setup(desk.gateway, desk.bound(), spec(desk))


def write(desk: Desk) -> Setup:
    desk.rebind()
    return write_setup(desk.session(), desk.store, spec(desk))


def undo(desk: Desk, run: int | None) -> SetupUndoing:
    desk.rebind()
    assert run is not None
    return write_setup_undo(desk.session(), desk.store, run)


def options(desk: Desk, name: str = STATUS) -> tuple[Option, ...]:
    return desk.portal.schemas.properties["contacts"][name].options


def values(desk: Desk, name: str = STATUS) -> list[str]:
    return [option.value for option in options(desk, name)]


def states(found: Setup) -> dict[str, tuple[str, str]]:
    """(state, why) by what each addition is called."""
    return {a.name: (a.state, a.why) for a in found.additions}


def of(found: Setup, value: str) -> Addition:
    return next(a for a in found.additions if a.value == value)


def taken_back(undoing: SetupUndoing) -> dict[str, tuple[str, str]]:
    return {r.value or r.target or r.what: (r.state, r.why) for r in undoing.removals}


def definition_calls(desk: Desk) -> list[tuple[str, str]]:
    return [
        (r.method, r.path.removeprefix("/crm/v3/properties/contacts"))
        for r in list(desk.portal.journal.requests)
        if r.method != "GET" and "/properties/" in r.path
    ]


class Meddler:
    """Somebody at the same definitions: `does` acts once, right before or right after our list of options lands."""

    def __init__(self, desk: Desk, does: Callable[[], None], *, before: bool = False, times: int = 1) -> None:
        self.does, self.before, self.left = does, before, times
        self.send = desk.gateway.replace_options
        self.sent: list[list[str]] = []

    def __call__(self, name: str, sent: Sequence[Mapping[str, Any]], kind: str = "contacts") -> Definition:
        self.sent.append([str(option["value"]) for option in sent])
        acts_now, self.left = self.left > 0, self.left - 1
        if acts_now and self.before:
            self.does()
        answer = self.send(name, sent, kind)
        if acts_now and not self.before:
            self.does()
        return answer
