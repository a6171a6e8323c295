"""What the options before the command say, and the settings read with them: what every command starts from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hubsync.settings import Settings


class Invocation:
    """One run of the command line. Settings are read when a command first asks for them, so that help needs none."""

    def __init__(
        self,
        *,
        env_file: Path | None = None,
        portal: int | None = None,
        log_level: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.env_file = env_file
        self.portal = portal
        self.log_level = log_level
        self.verbose = verbose
        self._settings: Settings | None = None

    def settings(self, *, default_log_level: str = "warning") -> Settings:
        """The settings, read once; logging is configured with them (`default_log_level` where none is set).

        Raises SettingsError with every problem found.
        """
        if self._settings is None:
            from hubsync.logs import configure_logging
            from hubsync.settings import load_settings

            self._settings = load_settings(self.env_file)
            configure_logging(
                self.log_level or self._settings.log_level or default_log_level, self._settings.log_format
            )
        return self._settings

    @property
    def debugging(self) -> bool:
        """Whether tracebacks are wanted, as far as is known: settings may not have been read, or not be readable."""
        level = self.log_level or (self._settings and self._settings.log_level)
        return (level or os.environ.get("HUBSYNC_LOG_LEVEL", "")).lower() == "debug"


def invocation(context: typer.Context) -> Invocation:
    """The Invocation that a command's typer.Context belongs to."""
    found = context.find_object(Invocation)
    if found is None:
        raise RuntimeError("commands run under hubsync.cli.main.run")
    return found
