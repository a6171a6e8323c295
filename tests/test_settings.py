"""Settings: what is read from where, what is refused, and that no message ever holds a value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hubsync.errors import SettingsError
from hubsync.settings import Settings, default_rules, load_settings

SECRET = "pat-na1-11111111-2222-3333-4444-555555555555"

MOMENT = "must be a date (2026-11-01), a date and time (2026-11-01T09:00:00Z) or an epoch in seconds or milliseconds"


def problems(env_file: Path | None = None, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(env_file, environ={f"HUBSYNC_{name}": value for name, value in environ.items()})
    return str(raised.value).splitlines()


def load(**environ: str) -> Settings:
    return load_settings(environ={f"HUBSYNC_{name}": value for name, value in environ.items()})


def test_without_any_setting_the_defaults_are_the_documented_ones(isolated: Path) -> None:
    settings = load()
    assert settings.api_url == "https://api.hubapi.com"
    assert settings.api_version == "v3"
    assert settings.database_url == f"sqlite:///{isolated}/hubsync.db"
    assert settings.rules == default_rules()
    assert settings.write is False
    assert (settings.poll_seconds, settings.index_lag_seconds, settings.settle_seconds) == (60, 90, None)
    assert settings.effective_since is None
    assert settings.base == isolated


def test_the_environment_wins_over_the_env_file(isolated: Path) -> None:
    (isolated / ".env").write_text("HUBSYNC_POLL_SECONDS=30\nHUBSYNC_APP_ID=77\n")
    settings = load(POLL_SECONDS="120")
    assert (settings.poll_seconds, settings.app_id) == (120, "77")


def test_an_empty_value_counts_as_not_set(isolated: Path) -> None:
    (isolated / ".env").write_text("HUBSYNC_POLL_SECONDS=30\nHUBSYNC_SETTLE_SECONDS=\n")
    settings = load(POLL_SECONDS="", EFFECTIVE_SINCE=" ")
    assert (settings.poll_seconds, settings.settle_seconds, settings.effective_since) == (30, None, None)


def test_relative_paths_start_at_the_folder_of_the_env_file(isolated: Path) -> None:
    portal = isolated / "portal"
    (portal / "my_rules").mkdir(parents=True)
    (portal / "settings.env").write_text("HUBSYNC_RULES=my_rules\nHUBSYNC_DATABASE_URL=sqlite:///data/ours.db\n")
    settings = load_settings(Path("portal/settings.env"), environ={})
    assert settings.base == portal
    assert settings.rules == portal / "my_rules"
    assert settings.database_url == f"sqlite:///{portal}/data/ours.db"


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:////var/lib/hubsync.db", "sqlite:////var/lib/hubsync.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:ours.db?mode=ro&uri=true", "sqlite:///file:{base}/ours.db?mode=ro&uri=true"),
        ("postgresql://hubsync:pw@db/hubsync", "postgresql://hubsync:pw@db/hubsync"),
    ],
)
def test_only_relative_sqlite_files_are_resolved(isolated: Path, url: str, resolved: str) -> None:
    assert load(DATABASE_URL=url).database_url == resolved.format(base=isolated)


def test_names_of_other_programs_in_the_env_file_are_let_be(isolated: Path) -> None:
    (isolated / ".env").write_text("POSTGRES_PASSWORD=x\nHUBSYNC_WRITE=true\n")
    assert load().write is True


def test_an_env_file_saved_by_a_windows_editor_is_read(isolated: Path) -> None:
    (isolated / ".env").write_bytes(b"\xef\xbb\xbfHUBSYNC_APP_ID=7\r\nHUBSYNC_WRITE=yes\r\n")
    settings = load()
    assert (settings.app_id, settings.write) == ("7", True)


def test_a_password_may_hold_what_looks_like_a_variable(isolated: Path) -> None:
    (isolated / ".env").write_text("HUBSYNC_WEB_PASSWORD=a${HOME}b\n")
    password = load().web_password
    assert password is not None
    assert password.get_secret_value() == "a${HOME}b"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("20261101", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:30:00Z", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30:00+02:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ("2026-11-01 09:30", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("1793523600", datetime(2026, 11, 1, 9, 0, tzinfo=UTC)),
        ("1793523600250", datetime(2026, 11, 1, 9, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_effective_since_is_a_date_a_moment_or_an_epoch(text: str, moment: datetime) -> None:
    since = load(EFFECTIVE_SINCE=text).effective_since
    assert since == moment
    assert since is not None
    assert since.tzinfo is UTC


def test_a_misspelt_name_in_the_environment_is_refused_with_a_suggestion() -> None:
    assert problems(ACCES_TOKEN=SECRET) == [
        "environment: HUBSYNC_ACCES_TOKEN is not a setting; did you mean HUBSYNC_ACCESS_TOKEN?"
    ]


def test_a_name_in_small_letters_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match=r"hubsync_write is not a setting; did you mean HUBSYNC_WRITE\?"):
        load_settings(environ={"hubsync_write": "true"})


def test_every_problem_is_told_at_once_with_its_line_and_without_any_value(isolated: Path) -> None:
    (isolated / ".env").write_text(
        "# ours\n"
        "\n"
        f"HUBSYNC_WRITE={SECRET}\n"
        f"HUBSYNC_POLL_SECONDS={SECRET}\n"
        f"HUBSYNC_TOKEN={SECRET}\n"
        f"{SECRET}\n"
        f"HUBSYNC_ACCESS_TOKEN: {SECRET}\n"
        f"HUBSYNC_RULES={SECRET}\n"
        f"HUBSYNC_LOG_LEVEL={SECRET}\n"
        "HUBSYNC_LOG_FORMAT=json\n"
        "HUBSYNC_LOG_FORMAT=console\n"
    )
    found = problems(
        API_URL=SECRET, API_VERSION=SECRET, DATABASE_URL=SECRET, EFFECTIVE_SINCE=SECRET, SETTLE_SECONDS="-1"
    )
    assert sorted(found) == sorted(
        [
            ".env:3: HUBSYNC_WRITE must be true or false",
            ".env:4: HUBSYNC_POLL_SECONDS must be a whole number",
            ".env:5: HUBSYNC_TOKEN is not a setting; did you mean HUBSYNC_ACCESS_TOKEN?",
            ".env:6: this line is not NAME=value",
            ".env:7: this line is not NAME=value",
            f".env:8: HUBSYNC_RULES must be an existing folder (paths start at {isolated})",
            ".env:9: HUBSYNC_LOG_LEVEL must be debug, info, warning or error",
            ".env:11: HUBSYNC_LOG_FORMAT is given again; it stands in .env:10 too",
            "environment: HUBSYNC_API_URL must be an address that starts with http:// or https://",
            "environment: HUBSYNC_API_VERSION must be v3 or a version such as 2026-09",
            "environment: HUBSYNC_DATABASE_URL must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
            f"environment: HUBSYNC_EFFECTIVE_SINCE {MOMENT}",
            "environment: HUBSYNC_SETTLE_SECONDS must be 0 or more",
        ]
    )


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("POLL_SECONDS", "4", "must be 5 or more"),
        ("POLL_SECONDS", "86401", "must be 86400 or less"),
        ("POLL_SECONDS", "1e3", "must be a whole number"),
        ("INDEX_LAG_SECONDS", "3601", "must be 3600 or less"),
        ("API_URL", "ftp://api.hubapi.com", "must be an address that starts with http:// or https://"),
        ("API_URL", "https://", "must be an address that starts with http:// or https://"),
        ("SMTP_URL", "https://mail", "must be an address that starts with smtp:// or smtps://"),
        ("EFFECTIVE_SINCE", "99999999999999999999", "must be a date (2026-11-01), a date and time"),
        ("ACCESS_TOKEN", "Bearer pat-x", 'starts with "Bearer"; paste the token alone'),
        ("ACCESS_TOKEN", "pat-na1-…", "holds blanks or characters that no token has"),
        ("CLIENT_SECRET", "a b", "holds blanks or characters that no token has"),
    ],
)
def test_a_value_out_of_bounds_is_refused_in_plain_words(name: str, value: str, complaint: str) -> None:
    (found,) = problems(None, **{name: value})
    assert found.startswith(f"environment: HUBSYNC_{name} {complaint}")


def test_a_slash_at_the_end_of_an_address_is_dropped() -> None:
    assert load(API_URL="http://127.0.0.1:8080/").api_url == "http://127.0.0.1:8080"


def test_a_named_env_file_must_exist() -> None:
    assert problems(Path("nope.env")) == ["nope.env does not exist; --env-file names the file to read instead of .env."]


def test_an_env_file_that_is_no_text_is_refused_without_its_content(isolated: Path) -> None:
    (isolated / ".env").write_bytes(b"HUBSYNC_ACCESS_TOKEN=\xff\xfe\n")
    assert problems() == [f"{isolated}/.env isn't UTF-8 text; save it as UTF-8."]


def test_settings_never_print_their_secrets() -> None:
    settings = load(
        ACCESS_TOKEN=SECRET,
        CLIENT_SECRET=SECRET,
        WEB_PASSWORD=SECRET,
        DATABASE_URL=f"postgresql://u:{SECRET}@db/hubsync",
        SMTP_URL=f"smtps://u:{SECRET}@mail",
        ALERT_WEBHOOK_URL=f"https://hooks.example.com/{SECRET}",
    )
    assert SECRET not in repr(settings) + str(settings)


def test_a_missing_token_is_told_only_when_it_is_needed() -> None:
    settings = load()
    with pytest.raises(SettingsError) as raised:
        settings.require_token()
    assert str(raised.value) == (
        "HUBSYNC_ACCESS_TOKEN is missing. "
        "Copy .env.example to .env and paste the access token of your service key or app."
    )


def test_the_token_may_stand_in_a_file_beside_the_env_file(isolated: Path) -> None:
    (isolated / "token").write_text(f"{SECRET}\n")
    assert load(ACCESS_TOKEN_FILE="token").require_token() == SECRET


def test_a_token_given_twice_is_refused(isolated: Path) -> None:
    (isolated / ".env").write_text("HUBSYNC_ACCESS_TOKEN_FILE=token\n")
    assert problems(ACCESS_TOKEN=SECRET) == [
        ".env:1: HUBSYNC_ACCESS_TOKEN_FILE is given, and HUBSYNC_ACCESS_TOKEN too (environment); keep one"
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "can't be read (No such file or directory)"),
        ("\n", "is empty"),
        (f"Bearer {SECRET}", 'starts with "Bearer"; paste the token alone'),
    ],
)
def test_a_token_file_that_is_of_no_use_is_named_by_its_setting_alone(
    isolated: Path, content: str | None, complaint: str
) -> None:
    if content is not None:
        (isolated / SECRET).write_text(content)
    settings = load(ACCESS_TOKEN_FILE=SECRET)  # a token put where a path belongs
    with pytest.raises(SettingsError) as raised:
        settings.require_token()
    assert str(raised.value) == f"HUBSYNC_ACCESS_TOKEN_FILE: the file {complaint}."


def test_the_token_provider_gives_what_the_file_holds_now(isolated: Path) -> None:
    (isolated / "token").write_text("pat-na1-old\n")
    token = load(ACCESS_TOKEN_FILE="token").token_provider()
    assert token() == "pat-na1-old"
    (isolated / "token").write_text("pat-na1-new\n")
    assert token() == "pat-na1-new"


def test_the_token_provider_bridges_the_moment_in_which_the_file_is_replaced(isolated: Path) -> None:
    (isolated / "token").write_text("pat-na1-old\n")
    token = load(ACCESS_TOKEN_FILE="token").token_provider()
    (isolated / "token").write_text("")
    assert token() == "pat-na1-old"
    (isolated / "token").unlink()
    assert token() == "pat-na1-old"


def test_during_a_rotation_the_client_secret_file_holds_the_former_secret_too(isolated: Path) -> None:
    (isolated / "secret").write_text("new-secret\nold-secret\n")
    assert load(CLIENT_SECRET_FILE="secret").client_secrets() == ("new-secret", "old-secret")
    assert load(CLIENT_SECRET="only").client_secrets() == ("only",)
    assert load().client_secrets() == ()
