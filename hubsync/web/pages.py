"""The pages for people: login and the status page, plain HTML from our own templates, without a script.

They show what `Status` says and change nothing but sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from hubsync.errors import HubsyncError
from hubsync.service.status import Status
from hubsync.web.bodies import Bodies, BodyRefused
from hubsync.web.receiver import Tally
from hubsync.web.refusals import Refusals, address_of
from hubsync.web.sessions import COOKIE, LASTS, Sessions
from hubsync.web.wording import age, commands, moment, span, trouble

log = structlog.get_logger()

STATIC = {"hubsync.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
NO_PASSWORD = "The pages need a password: set HUBSYNC_WEB_PASSWORD and start hubsync again."  # noqa: S105
A_DAY = "public, max-age=86400"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pages show: `status` reads it and raises a HubsyncError where it can't; `tally` of the webhooks."""

    status: Callable[[], Status]
    tally: Tally
    openapi: Callable[[], dict[str, Any]]


class Pages:
    """The pages of one service. `prefix` is the path below which browsers see them, "" or such as "/hubsync".

    `sessions` None: no password is set, and every page says so. `secure`: browsers come by https.
    """

    def __init__(self, shown: Shown, sessions: Sessions | None, tries: Refusals, *, prefix: str, secure: bool) -> None:
        self._shown = shown
        self._sessions = sessions
        self._tries = tries
        self._prefix = prefix
        self._secure = secure
        self._forms = Bodies(largest=4_096, together=1_048_576)
        self._static = {name: (resources.files(__package__) / "static" / name).read_bytes() for name in STATIC}
        self._templates = Environment(
            loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters |= {"age": age, "moment": moment, "span": span, "number": "{:,}".format}
        self._templates.filters |= {"commands": commands, "trouble": trouble}
        self._templates.globals |= {
            "prefix": prefix,
            "assets": sha256(b"".join(self._static.values())).hexdigest()[:12],
        }

    # Routes ------------------------------------------------------------------------------------------------------

    def status_page(self, request: Request) -> Response:
        """How the service is doing."""
        if (away := self._turned_away(request)) is not None:
            return away
        try:
            status = self._shown.status()
        except HubsyncError as error:
            return self._page("message.html", 503, title="Can't tell", says=str(error))
        return self._page("status.html", status=status, tally=self._shown.tally, token=self._form_token(request))

    def openapi(self, request: Request) -> Response:
        """The HTTP interface in OpenAPI's words."""
        return self._turned_away(request) or JSONResponse(self._shown.openapi())

    async def login_page(self, request: Request) -> Response:
        """The form that asks for the password."""
        if self._sessions is None:
            return self._no_password()
        if self._sessions.holds(request.cookies.get(COOKIE)):
            return self._to("/")
        return self._page("login.html", problem="")

    async def log_in(self, request: Request) -> Response:
        """Begin a session, if the password is right and there weren't too many tries."""
        if self._sessions is None:
            return self._no_password()
        address = address_of(request.scope)
        if wait := self._tries.wait(address):
            seconds = ceil(wait)
            answer = self._page("login.html", 429, problem=f"Too many tries. Wait {seconds} seconds, then try again.")
            answer.headers["Retry-After"] = str(seconds)
            return answer
        given = await self._form(request)
        if isinstance(given, Response):
            return given
        if not self._sessions.is_password(given.get("password", "")):
            self._tries.refused(address)
            log.warning("login.refused", address=address)
            return self._page("login.html", 401, problem="That is not the password.")
        answer = self._to("/")
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(),
            max_age=LASTS,
            path=self._prefix or "/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session; only by a form of our own."""
        if (away := self._turned_away(request)) is not None:
            return away
        given = await self._form(request)
        if isinstance(given, Response):
            return given
        cookie = request.cookies[COOKIE]
        if self._sessions is None or not self._sessions.is_form_token(given.get("token", ""), cookie):
            return self._page("message.html", 400, title="Not logged out", says="The form is not of this session.")
        self._sessions.end(cookie)
        answer = self._to("/login")
        answer.delete_cookie(COOKIE, path=self._prefix or "/", secure=self._secure, httponly=True, samesite="strict")
        return answer

    async def static(self, name: str) -> Response:
        """Our style sheet and icon."""
        if name not in self._static:
            return self._page("message.html", 404, title="Not found", says="There is nothing here.")
        return Response(self._static[name], media_type=STATIC[name], headers={"Cache-Control": A_DAY})

    def router(self) -> APIRouter:
        """All of these, as routes."""
        router = APIRouter(tags=["pages"], default_response_class=HTMLResponse)
        away: dict[int | str, dict[str, Any]] = {
            303: {"description": "To another page, the login or the status."},
            403: {"description": "No password is set for the pages.", **_HTML},
        }
        bad: dict[int | str, dict[str, Any]] = {
            status: _HTML | {"description": "Said on the page."} for status in (400, 401, 408, 413, 429, 503)
        }
        get, post = ["GET"], ["POST"]
        router.add_api_route("/", self.status_page, methods=get, responses={**away, 503: bad[503]})
        router.add_api_route("/login", self.login_page, methods=get, responses=away)
        router.add_api_route(
            "/login", self.log_in, methods=post, responses={**away, **bad}, openapi_extra=_form_of("password")
        )
        router.add_api_route(
            "/logout", self.log_out, methods=post, responses={**away, **bad}, openapi_extra=_form_of("token")
        )
        router.add_api_route("/static/{name}", self.static, methods=get, responses={404: _HTML})
        router.add_api_route("/openapi.json", self.openapi, methods=get, responses=away, response_class=JSONResponse)
        return router

    # What they share ---------------------------------------------------------------------------------------------

    def _turned_away(self, request: Request) -> Response | None:
        """The answer to who isn't logged in."""
        if self._sessions is None:
            return self._no_password()
        return None if self._sessions.holds(request.cookies.get(COOKIE)) else self._to("/login")

    def _form_token(self, request: Request) -> str:
        return self._sessions.form_token(request.cookies[COOKIE]) if self._sessions is not None else ""

    def _no_password(self) -> Response:
        return self._page("message.html", 403, title="No password is set", says=NO_PASSWORD)

    def _to(self, path: str) -> Response:
        return RedirectResponse(self._prefix + path, 303)

    def _page(self, template: str, code: int = 200, /, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(values), code)

    async def _form(self, request: Request) -> dict[str, str] | Response:
        """The fields of a form, or the answer to one that can't be read."""
        with self._forms.room() as room:
            try:
                body = await self._forms.read(request.headers.raw, request.receive, room)
                return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10))
            except BodyRefused as reason:
                return self._page("message.html", reason.status, title="Not read", says=str(reason))
            except ValueError:
                return self._page("message.html", 400, title="Not read", says="The form can't be read.")


_HTML: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}


def _form_of(field: str) -> dict[str, Any]:
    schema = {"type": "object", "required": [field], "properties": {field: {"type": "string", "maxLength": 1_000}}}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}
