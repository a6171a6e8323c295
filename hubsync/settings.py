"""Settings from the environment and `.env`: typed once, faults told all at once, secrets never printed.

Only `cli/` imports this module; everything below is handed plain values. Messages are built from a setting's name and
what it must be, never from what it was: a value may be a token pasted into the wrong line.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hubsync.envfile import Given, gather, read_env_file, which_are_given_twice
from hubsync.errors import SettingsError

PREFIX = "HUBSYNC_"
DEFAULT_DATABASE_URL = "sqlite:///hubsync.db"
PATHS = ("access_token_file", "client_secret_file", "portals", "rules")
LATEST_SECONDS_OF_EPOCH = 100_000_000_000
"""Epoch numbers from here on are milliseconds, as HubSpot writes them; those below it are seconds."""


def _moment(value: object) -> object:
    """A date (its midnight in UTC), a date and time (UTC where it names no zone) or an epoch, as an aware datetime."""
    if not isinstance(value, str):
        return value
    try:
        if value.isdecimal() and len(value) > len("20261101"):
            number = int(value)
            return datetime.fromtimestamp(number / 1000 if number >= LATEST_SECONDS_OF_EPOCH else number, UTC)
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "must be a date (2026-11-01), a date and time (2026-11-01T09:00:00Z) or an epoch in seconds or milliseconds"
        ) from None


def _url(*schemes: str) -> BeforeValidator:
    """An address with one of the schemes and something after it, without blanks."""

    def check(value: object) -> object:
        if not isinstance(value, str):
            return value
        scheme, found, rest = value.partition("://")
        if not found or scheme.lower() not in schemes or not rest.strip("/") or any(map(str.isspace, value)):
            raise ValueError(f"must be an address that starts with {' or '.join(s + '://' for s in schemes)}")
        return value

    return BeforeValidator(check)


def _database(value: object) -> object:
    if isinstance(value, str) and not value.startswith(
        ("sqlite://", "postgresql://", "postgres://", "postgresql+psycopg://")
    ):
        raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    return value


def _secret(value: object) -> object:
    """A credential as it travels in a header: printable ASCII, no blanks, nothing of what is often pasted along."""
    if not isinstance(value, str):
        return value
    if value.lower().startswith("bearer "):
        raise ValueError('starts with "Bearer"; paste the token alone')
    if not all("!" <= character <= "~" for character in value):
        raise ValueError("holds blanks or characters that no token has; paste it again, alone")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Token = Annotated[SecretStr, BeforeValidator(_secret)]
WebAddress = Annotated[str, _url("http", "https"), AfterValidator(lambda url: url.rstrip("/"))]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]


class Settings(BaseSettings):
    """Everything that can be set, as `HUBSYNC_<NAME>`. Made by `load_settings`, which also resolves relative paths."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: Token | None = None
    """Access token of the service key or app; README.md lists the scopes it needs."""
    access_token_file: Path | None = None
    """A file that holds the access token instead; read again for every call, so that a rotated token is picked up."""
    client_secret: Token | None = None
    """Client secret of the app whose webhooks are received; it proves that they come from HubSpot."""
    client_secret_file: Path | None = None
    """A file that holds the client secret instead; during a rotation the former one stands on the second line."""
    app_id: str | None = None
    """Number of the app; its entries in a property's history are hubsync's own. Learned where it isn't set."""
    api_url: WebAddress = "https://api.hubapi.com"
    """Address of the HubSpot API; a sandbox portal prints its own."""
    api_version: Annotated[str, Field(pattern=r"^(v3|20\d\d-(03|09))$")] = "v3"
    """Version of the HubSpot API: v3, or a date-based one such as 2026-09."""
    public_url: WebAddress | None = None
    """Address under which HubSpot reaches this service; part of what a webhook's signature covers."""
    database_url: Annotated[str, BeforeValidator(_database)] = Field(default=DEFAULT_DATABASE_URL, repr=False)
    """The database. A relative SQLite file lies beside `.env`."""
    rules: Path = Field(default_factory=lambda: default_rules())
    """Folder of the rule files; those that come with hubsync unless set."""
    write: bool = False
    """Whether runs write to the portal without `--write`. Without either, a run is a plan."""
    poll_seconds: Annotated[int, Field(ge=5, le=86_400)] = 60
    """How often the service asks HubSpot what changed, in seconds."""
    index_lag_seconds: Annotated[int, Field(ge=0, le=3_600)] = 90
    """How far HubSpot's search index may lag behind, in seconds; every poll looks back that much further."""
    settle_seconds: Annotated[int, Field(ge=0, le=604_800)] | None = None
    """How long a person's change must have been left alone before rules judge it; the rules' own times unless set."""
    effective_since: Annotated[datetime, BeforeValidator(_moment)] | None = None
    """Only causes since this moment fire; older ones are backlog. The first start with writing on, unless set."""
    retention_days: Annotated[int, Field(ge=60, le=36_500)] = 730
    """How long the ledger is kept, in days; older causes never fire, so that `hubsync db purge` re-arms no rule."""
    proof_seconds: Annotated[int, Field(ge=0, le=86_400)] = 1_800
    """How long `serve --write` may take to prove that changed rules settle, in seconds; 0: it doesn't."""
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] | None = None
    """debug, info, warning or error. Unless set: info for the service, warning for every other command."""
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] | None = None
    """json or console. Unless set: console on a terminal, json elsewhere."""
    web_password: SecretStr | None = None
    """Password of the web pages."""
    alert_webhook_url: Annotated[SecretStr, _url("http", "https")] | None = None
    """Where alerts are posted, in the JSON form that Slack takes. The address itself is a secret."""
    smtp_url: Annotated[SecretStr, _url("smtp", "smtps")] | None = None
    """Mail server for digests and alerts: smtps://USER:PASSWORD@HOST:PORT."""
    portals: Path | None = None
    """File that lists several portals, each with its credentials."""

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _env_file: str = PrivateAttr(default=".env")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is the library's)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load_settings` alone brings values: the library would skip misspelt names and malformed lines in silence."""
        return (init_settings,)

    @property
    def base(self) -> Path:
        """The folder of `.env`, or the working directory where there is none: relative paths start here."""
        return self._base

    def variable(self, name: str) -> str | None:
        """A variable of another's naming, as rule files name them: from the environment, else from `.env`.

        None where it is empty or not there. Raises SettingsError where `.env` can't be read any more.
        """
        text = os.environ.get(name, "")
        path = self.base / self._env_file
        if not text.strip() and path.exists():
            found = read_env_file(path)[0].get(name)
            text = found.text if found is not None else ""
        return text.strip() or None

    def require_token(self) -> str:
        """The access token, for commands that talk to HubSpot.

        Raises SettingsError where none is set or its file can't be used.
        """
        if self.access_token is not None:
            return self.access_token.get_secret_value()
        if self.access_token_file is not None:
            return _secrets_in(self.access_token_file, "HUBSYNC_ACCESS_TOKEN_FILE")[0]
        raise SettingsError(
            "HUBSYNC_ACCESS_TOKEN is missing. "
            "Copy .env.example to .env and paste the access token of your service key or app."
        )

    def token_provider(self) -> Callable[[], str]:
        """A function that gives the token of this moment; with a file, what the file holds now.

        A file that can't be read for a moment, as while it is being replaced, gives the token read before.
        Raises SettingsError as `require_token` does; the function it returns doesn't raise.
        """
        last = self.require_token()
        if self.access_token_file is None:
            return lambda: last

        def read() -> str:
            nonlocal last
            with contextlib.suppress(SettingsError):  # a token that no longer works shows as HubSpot's 401
                last = self.require_token()
            return last

        return read

    def client_secrets(self) -> tuple[str, ...]:
        """The client secrets that a signature may be made with, the current one first; empty where none is set.

        Raises SettingsError where the file can't be used.
        """
        if self.client_secret is not None:
            return (self.client_secret.get_secret_value(),)
        if self.client_secret_file is not None:
            return _secrets_in(self.client_secret_file, "HUBSYNC_CLIENT_SECRET_FILE")
        return ()


def load_settings(env_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment over `.env` (of the working directory, or `env_file`).

    An empty value counts as not set. Raises SettingsError with one line per problem: malformed lines of the file,
    unknown HUBSYNC_ names, values that can't be used. The token is not asked for here (`Settings.require_token`).
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    path, given, problems = gather(env_file, environ, prefix=PREFIX, known=known)
    base = path.parent if path is not None else Path.cwd()
    problems += which_are_given_twice(given, PREFIX + "ACCESS_TOKEN", PREFIX + "CLIENT_SECRET")
    settings, faults = _build(given, base)
    problems += faults
    if settings is None or problems:
        raise SettingsError("\n".join(problems))
    settings._base, settings._env_file = base, path.name if path is not None else ".env"
    return settings


def default_rules() -> Path:
    """The rule files that come with hubsync: inside the installed package, else in the repository."""
    package = Path(__file__).resolve().parent
    packaged = package / "_rules"
    return packaged if packaged.is_dir() else package.parent / "rules"


def default_env_example() -> Path:
    """The example of `.env`: inside the installed package, else in the repository."""
    package = Path(__file__).resolve().parent
    packaged = package / "_env.example"
    return packaged if packaged.is_file() else package.parent / ".env.example"


def _build(given: Mapping[str, Given], base: Path) -> tuple[Settings | None, list[str]]:
    values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value.text for name, value in given.items()}
    for name in PATHS:
        if name in values:
            values[name] = base / Path(values[name]).expanduser()
    values["database_url"] = _resolve_database(values.get("database_url", DEFAULT_DATABASE_URL), base)
    problems = []
    rules = values.get("rules")
    if rules is not None and not rules.is_dir():
        problems.append(
            f"{given[PREFIX + 'RULES'].where}: HUBSYNC_RULES must be an existing folder (paths start at {base})"
        )
    try:
        return Settings(**values), problems
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = PREFIX + str(fault["loc"][0]).upper()
            where = f"{given[name].where}: " if name in given else ""
            problems.append(f"{where}{name} {_in_plain_words(fault['type'], fault['msg'], fault.get('ctx', {}))}")
        return None, problems


def _in_plain_words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What the value must be, without the library's words and without the value."""
    match kind:
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "must be a whole number"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case "literal_error":
            return f"must be {context['expected'].replace(chr(39), '')}"
        case "string_pattern_mismatch":
            return "must be v3 or a version such as 2026-09"
        case _:
            return message.removeprefix("Value error, ")


def _resolve_database(url: str, base: Path) -> str:
    """The URL with a relative SQLite file made absolute; any other URL as it is."""
    for start in ("sqlite:///file:", "sqlite:///"):
        if url.startswith(start):
            file, mark, query = url.removeprefix(start).partition("?")
            if not file or file == ":memory:":
                return url
            return f"{start}{base / Path(file).expanduser()}{mark}{query}"
    return url


def _secrets_in(path: Path, name: str) -> tuple[str, ...]:
    """The secrets a file holds, one a line. Messages leave the path out: it may be a secret in the wrong place."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        secrets = tuple(line for line in lines if line)
        for secret in secrets:
            _secret(secret)
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: the file isn't text.") from None
    except (OSError, ValueError) as error:
        reason = f"can't be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{name}: the file {reason}.") from None
    if not secrets:
        raise SettingsError(f"{name}: the file is empty.")
    return secrets
