"""Things that go wrong on request. To add one: a function and a line in KINDS.

A fault acts before the request is served (it answers instead), or after (it spoils the answer; the write has happened).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import orjson

from hubsync.sandbox.http import problems
from hubsync.sandbox.http.call import Reply, json_reply

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1><p>Ray ID: 8f1d</p></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """Which requests fail, and how.

    `kind` is a key of KINDS; `method` None means any; `path` is a regular expression searched in path and query;
    the first `skip` matches pass, then at most `times` fail (None: all), each with `probability`. `status` and
    `retry_after` (text, as sent) concern kinds that answer with one; `seconds` those that wait.
    """

    kind: str
    path: str = ""
    method: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    status: int = 503
    retry_after: str | None = None
    seconds: float = 1.0


def _answer(error: problems.ApiProblemError, fault: Fault) -> Reply:
    reply = json_reply(error.status, {**error.body, "correlationId": "00000000-0000-4000-8000-000000000000"})
    if fault.retry_after is not None:
        reply.headers["Retry-After"] = fault.retry_after
    return reply


def _limited(policy: str) -> Callable[[Fault], Reply]:
    return lambda fault: _answer(problems.rate_limited(policy, "fault"), fault)


def _error_json(fault: Fault) -> Reply:
    return _answer(problems.problem(fault.status, "There was an internal error"), fault)


def _error_html(fault: Fault) -> Reply:
    title = f"{fault.status} Server Error".encode()
    return Reply(fault.status, _HTML % (title, title), "text/html; charset=UTF-8", {"CF-Ray": "8f1d"})


def _slow(fault: Fault) -> None:
    time.sleep(fault.seconds)


def _drop_before(_: Fault) -> Reply:
    return Reply(0, b"", drop=True)


def _locked(fault: Fault) -> Reply:
    return _answer(problems.problem(423, "This record is locked; try again in a moment", "LOCKED"), fault)


def _migrating(fault: Fault) -> Reply:
    reply = _answer(problems.problem(477, "The account is being migrated"), fault)
    reply.headers.setdefault("Retry-After", "3600")
    return reply


def _unauthorized(fault: Fault) -> Reply:
    return _answer(problems.no_credentials(), fault)


def _redirect(_: Fault) -> Reply:
    return Reply(302, b"", headers={"Location": "http://127.0.0.1:9/"})


def _drop_after(_: Fault, reply: Reply) -> Reply:
    reply.drop = True
    return reply


def _html_instead(_: Fault, reply: Reply) -> Reply:
    return Reply(200, _HTML % (b"Maintenance", b"Be right back"), "text/html; charset=UTF-8", reply.headers)


def _truncated(_: Fault, reply: Reply) -> Reply:
    reply.cut = len(reply.body) // 2
    return reply


def _shortened(_: Fault, reply: Reply) -> Reply:
    reply.body = reply.body[: len(reply.body) // 2]
    return reply


def _partial(_: Fault, reply: Reply) -> Reply:
    """A batch's answer as 207 without every other result, and with an error that names nobody."""
    if reply.status not in (200, 201):
        return reply
    body = orjson.loads(reply.body)
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": "There was an internal error", "context": {}}
    told = body.get("results", [])[::2]
    reply.status, reply.body = 207, orjson.dumps({**body, "results": told, "numErrors": 1, "errors": [error]})
    return reply


def _moved(_: Fault, reply: Reply) -> Reply:
    """A page of a list that moved while it was read: its last record is not there, its first one comes twice."""
    if reply.status != 200:
        return reply
    body = orjson.loads(reply.body)
    if len(body.get("results", [])) > 1:
        body["results"][-1] = body["results"][0]
        reply.body = orjson.dumps(body)
    return reply


def _error_after(fault: Fault, _: Reply) -> Reply:
    return _error_json(fault)


Before = Callable[[Fault], Reply | None]
After = Callable[[Fault, Reply], Reply]
BEFORE: dict[str, Before] = {
    "rate_limited": _limited("TEN_SECONDLY_ROLLING"),
    "search_limited": _limited("SEARCH"),
    "daily_limited": _limited("DAILY"),
    "error_json": _error_json,
    "error_html": _error_html,
    "slow": _slow,
    "drop_before": _drop_before,
    "locked": _locked,
    "migrating": _migrating,
    "redirect": _redirect,
    "unauthorized": _unauthorized,
}
AFTER: dict[str, After] = {
    "drop_after": _drop_after,
    "error_after": _error_after,
    "html_ok": _html_instead,
    "truncated": _truncated,
    "shortened": _shortened,
    "partial": _partial,
    "moved": _moved,
}
KINDS = frozenset((*BEFORE, *AFTER))
"""truncated: fewer bytes than Content-Length says; shortened: half a body that claims to be whole."""


class _Armed:
    """A fault with its counters."""

    def __init__(self, fault: Fault) -> None:
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault {fault.kind}; known are {', '.join(sorted(KINDS))}")
        self.fault = fault
        self._pattern = re.compile(fault.path)
        self._rng = Random(fault.seed)
        self._seen = 0
        self.struck = 0

    def strikes(self, method: str, target: str) -> bool:
        fault = self.fault
        if fault.method not in (None, method) or not self._pattern.search(target):
            return False
        self._seen += 1
        if self._seen <= fault.skip or (fault.times is not None and self.struck >= fault.times):
            return False
        if self._rng.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The faults that are switched on; the first that strikes a request wins."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Switch a fault on. Raises ValueError for an unknown kind."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Switch all faults off."""
        self._armed.clear()

    @property
    def struck(self) -> int:
        """How many requests the faults that are switched on have befallen, those still being answered included."""
        return sum(each.struck for each in list(self._armed))

    def strike(self, method: str, target: str) -> Fault | None:
        """The fault that befalls this request, if any."""
        return next((each.fault for each in list(self._armed) if each.strikes(method, target)), None)
